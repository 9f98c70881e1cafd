//! The counting unit of a person who is recorded in several units.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use plan::Package;
use plan::expression::{Datum, Facts, Scope};
use store::{Conn, StoreError};
use sync_core::control::Control;
use sync_core::id::{RecordId, Space, Subject};

use super::number::{CalendarDay, Pairs, firsts};
use super::unit::{Group, RecountedUnit, begun_by, residences};

/// Where groups do not count, though they are recorded there: unit, first record, as-of date.
pub(super) struct Absences(BTreeSet<(String, RecordId, String)>);

/// What speaks for a unit on a date, what weighs most first: she lives there, she has lived there
/// since the later day, her first record there is the smaller one. One record in two units, which no
/// honest device makes, counts in the one with the greater code.
type Claim<'c> = (bool, Option<CalendarDay>, Reverse<RecordId>, &'c str);

/// Somebody as recorded in one of several units.
struct Claimant {
    unit: String,
    first: RecordId,
    numbers: BTreeSet<String>,
    members: BTreeSet<RecordId>,
    parted: BTreeSet<RecordId>,
    /// By date: whether she lives there, and since when.
    lives: BTreeMap<String, (bool, Option<CalendarDay>)>,
}

impl Absences {
    /// Looks through all units, one in memory at a time. Of the people only those are kept whose
    /// number is shown in several, and those who moved.
    pub(super) async fn find(
        conn: &mut Conn,
        package: &Package,
        control: &Control,
        units: &BTreeMap<String, Vec<Space>>,
    ) -> Result<Self, StoreError> {
        let mut shown_in: BTreeMap<String, &str> = BTreeMap::new();
        let mut shared: BTreeSet<String> = BTreeSet::new();
        for (unit, spaces) in units {
            for mut group in RecountedUnit::read(conn, package, spaces).await?.groups {
                mark_told(control, unit, &mut group);
                for number in group.numbers {
                    let first = *shown_in.entry(number.clone()).or_insert(unit);
                    if first != unit.as_str() {
                        shared.insert(number);
                    }
                }
            }
        }
        drop(shown_in);
        let dates = dates(package);
        let mut claimants = Vec::new();
        for (unit, spaces) in units {
            for mut group in RecountedUnit::read(conn, package, spaces).await?.groups {
                mark_told(control, unit, &mut group);
                if !group.numbers.is_disjoint(&shared) {
                    claimants.push(Claimant::of(package, unit, group, &dates));
                }
            }
        }
        Ok(Self::of(control, &claimants, &dates))
    }

    fn of(control: &Control, claimants: &[Claimant], dates: &BTreeSet<String>) -> Self {
        let numbers: Vec<&BTreeSet<String>> = claimants.iter().map(|c| &c.numbers).collect();
        let mut parted = Pairs::new();
        for (at, one) in claimants.iter().enumerate() {
            for (to, other) in claimants.iter().enumerate().skip(at + 1) {
                if one.is_another(control, other) {
                    parted.insert((at, to));
                }
            }
        }
        let mut same_person: BTreeMap<usize, Vec<&Claimant>> = BTreeMap::new();
        for (claimant, first) in claimants
            .iter()
            .zip(firsts(&numbers, &Pairs::new(), &parted))
        {
            same_person.entry(first).or_default().push(claimant);
        }
        let mut elsewhere = BTreeSet::new();
        for person in same_person.values() {
            for date in dates {
                let best = person.iter().map(|claimant| claimant.claim(date)).max();
                for other in person
                    .iter()
                    .filter(|other| Some(other.claim(date)) != best)
                {
                    elsewhere.insert((other.unit.clone(), other.first, date.clone()));
                }
            }
        }
        Self(elsewhere)
    }

    /// Whether a group of a unit does not count there as of a date.
    pub(super) fn holds(&self, unit: &str, group: &Group, as_of: &str) -> bool {
        let here = (unit.to_owned(), group.first, as_of.to_owned());
        self.0.contains(&here)
    }
}

/// Gives records that are told to be one person something in common that is like a number: the greater
/// name.
fn mark_told(control: &Control, unit: &str, group: &mut Group) {
    for member in &group.members {
        for (_, other) in control.same_person(unit, *member) {
            group.numbers.insert(member.max(other).to_string());
        }
    }
}

impl Claimant {
    fn of(package: &Package, unit: &str, group: Group, dates: &BTreeSet<String>) -> Self {
        let residences = residences(package, &group.facts);
        let on = |date: &String| {
            let since = begun_by(&residences, date).into_iter().max();
            let since = since.and_then(|residence| residence.since);
            (
                date.clone(),
                (is_resident(package, &group.facts, date), since),
            )
        };
        Self {
            lives: dates.iter().map(on).collect(),
            unit: unit.to_owned(),
            first: group.first,
            numbers: group.numbers,
            members: group.members,
            parted: group.parted,
        }
    }

    /// Whether it is said that the other group is another person: by somebody of their unit, or by the
    /// office.
    fn is_another(&self, control: &Control, other: &Self) -> bool {
        if self.unit == other.unit {
            return !self.parted.is_disjoint(&other.members);
        }
        let mut members = self.members.iter();
        members.any(|member| {
            let mut others = control.other_person(&self.unit, *member);
            others.any(|(unit, record)| *unit == other.unit && other.members.contains(record))
        })
    }

    fn claim(&self, date: &str) -> Claim<'_> {
        let (lives, since) = self.lives.get(date).copied().unwrap_or_default();
        (lives, since, Reverse(self.first), &self.unit)
    }
}

/// The dates that figures about people are as of.
fn dates(package: &Package) -> BTreeSet<String> {
    let indicators = package.counted().map(|(_, indicator)| indicator);
    let of_people = indicators.filter(|indicator| indicator.count.of == Subject::Person.key());
    of_people
        .flat_map(|indicator| {
            let spans = package.years.iter();
            let spans = spans.filter_map(|year| indicator.period.of(year));
            spans.map(|span| span.to)
        })
        .collect()
}

fn is_resident(package: &Package, facts: &Facts, date: &str) -> bool {
    let scope = Scope::new(package, Subject::Person.key(), facts, None, date);
    let resident = scope.and_then(|scope| scope.computed("resident"));
    resident == Ok(Datum::Bool(true))
}
