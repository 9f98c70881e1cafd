//! Families: a household as its first visit finds it, or will find it.

use sync_core::id::{RecordId, Subject};

use crate::day::Day;
use crate::draw::{Draw, Matter};
use crate::names::{Custom, Names};
use crate::numbers::Numbers;
use crate::recording_unit::RecordingUnit;

/// The first visits to all households.
pub(crate) const FIRST_VISITS: (Day, Day) = (Day::of(2021, 3, 15), Day::of(2021, 8, 31));
/// The day on which people are as old as the draws below say.
const AGES_ON: Day = Day::of(2021, 7, 1);
/// Nobody is born after this day.
const LAST_BIRTH: Day = Day::of(2025, 12, 31);
const YEAR_DAYS: i64 = 365;

/// A household.
#[derive(Clone, Debug)]
pub(crate) struct Household {
    pub(crate) record: RecordId,
    /// Its place in the unit, from 0.
    pub(crate) index: u64,
    /// The phone of whoever visits it.
    pub(crate) keeper: usize,
    pub(crate) visited: Day,
    /// Code of CL-RESID of who lives there.
    pub(crate) status: &'static str,
    /// The head first.
    pub(crate) members: Vec<Person>,
    /// When all of them moved away.
    pub(crate) gone: Option<Day>,
    /// Husbands who work elsewhere for a time.
    pub(crate) spells: Vec<Spell>,
}

/// A person.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) record: RecordId,
    pub(crate) name: String,
    pub(crate) female: bool,
    pub(crate) born: Day,
    /// Code of CL-RELATION.
    pub(crate) relation: &'static str,
    /// Code of CL-MARITAL.
    pub(crate) marital: &'static str,
    pub(crate) id_no: String,
    /// When somebody writes the person down first.
    pub(crate) registered: Day,
    /// By date.
    pub(crate) stays: Vec<Stay>,
    pub(crate) died: Option<Day>,
}

/// Where a person lives from a day on.
#[derive(Clone, Debug)]
pub(crate) struct Stay {
    pub(crate) since: Day,
    /// Code of CL-RESID.
    pub(crate) status: &'static str,
    /// The item of the record.
    pub(crate) item: String,
}

/// A husband's absence.
#[derive(Clone, Debug)]
pub(crate) struct Spell {
    pub(crate) wife: usize,
    pub(crate) since: Day,
    pub(crate) ended: Day,
}

impl Person {
    /// Whether the person lives in the household on a day.
    pub(crate) fn resident(&self, on: Day) -> bool {
        let stay = self.stays.iter().rfind(|stay| stay.since <= on);
        let lives = stay.is_some_and(|stay| matches!(stay.status, "1" | "2" | "4"));
        lives && self.born <= on && self.died.is_none_or(|died| died > on)
    }

    /// From a day on the person lives elsewhere, or here again.
    pub(crate) fn stay(&mut self, draw: &mut Draw, since: Day, status: &'static str) {
        let item = draw.item();
        let at = self.stays.partition_point(|stay| stay.since <= since);
        let stay = Stay {
            since,
            status,
            item,
        };
        self.stays.insert(at, stay);
    }
}

impl Household {
    /// Who lives there on a day, and how many of them are women or girls.
    pub(crate) fn residents(&self, on: Day) -> (i64, i64) {
        self.members
            .iter()
            .filter(|person| person.resident(on))
            .fold((0, 0), |(all, female), person| {
                (all + 1, female + i64::from(person.female))
            })
    }

    /// The members who are written down; who is born after the others moved is so elsewhere.
    pub(crate) fn recorded(&self) -> impl Iterator<Item = &Person> {
        let here = |person: &&Person| self.gone.is_none_or(|gone| person.registered < gone);
        self.members.iter().filter(here)
    }

    /// Its number in the unit, as people write it.
    pub(crate) fn number(&self) -> String {
        format!("{:04}", self.index + 1)
    }
}

/// The households of a unit.
pub(crate) fn households(seed: u64, place: &RecordingUnit<'_>, names: &Names) -> Vec<Household> {
    let mut numbers = Numbers::of(place.number);
    let mut households: Vec<Household> = Vec::new();
    let mut left = place.people;
    for index in 0.. {
        if left == 0 {
            break;
        }
        let mut draw = Draw::of(seed, Matter::Family, place.number, index);
        let size = draw.code(&[(2, 30), (3, 35), (4, 22), (5, 13)]);
        // The last household takes who is left.
        let size = if left < size + 2 { left.min(5) } else { size };
        left -= size;
        let founder = Founder {
            place,
            names,
            numbers: &mut numbers,
            custom: names.custom(&mut draw, if place.pastoral() { 88 } else { 45 }),
            visited: draw.day(FIRST_VISITS.0, FIRST_VISITS.1),
            status: match place.pastoral() {
                true => draw.code(&[("1", 91), ("4", 6), ("2", 3)]),
                false => draw.code(&[("1", 76), ("2", 24)]),
            },
            draw: &mut draw,
        };
        households.push(founder.found(index, size));
    }
    households
}

/// Makes a household.
struct Founder<'a> {
    place: &'a RecordingUnit<'a>,
    names: &'a Names,
    numbers: &'a mut Numbers,
    draw: &'a mut Draw,
    custom: Custom,
    visited: Day,
    status: &'static str,
}

impl Founder<'_> {
    fn found(mut self, index: u64, size: usize) -> Household {
        let members = self.members(size);
        Household {
            record: self.draw.record(Subject::Household, self.visited),
            index,
            keeper: usize::try_from(index).unwrap_or_default() % self.place.phones,
            visited: self.visited,
            status: self.status,
            members,
            gone: None,
            spells: Vec::new(),
        }
    }

    fn members(&mut self, size: usize) -> Vec<Person> {
        let three_generations = match size {
            0..=2 => false,
            3 => self.draw.percent(20),
            4 => self.draw.percent(30),
            _ => self.draw.percent(60),
        };
        match size {
            0 | 1 => {
                let female = self.draw.percent(60);
                vec![self.grown(self.custom, female, (58, 84), "0", "30")]
            }
            2 => self.two(),
            _ => {
                let mut members = self.couple((27, 56));
                let children = size - 2 - usize::from(three_generations);
                for _ in 0..children {
                    members.push(self.child(&members));
                }
                if three_generations {
                    members.push(self.parent(&members));
                }
                members
            }
        }
    }

    fn two(&mut self) -> Vec<Person> {
        match self
            .draw
            .code(&[("old", 45), ("young", 25), ("with parent", 15), ("", 15)])
        {
            "old" => self.couple((56, 80)),
            "young" => self.couple((24, 55)),
            "with parent" => {
                let mut members = vec![self.grown(self.custom, false, (26, 45), "0", "10")];
                members.push(self.parent(&members));
                members
            }
            _ => {
                let female = self.draw.percent(70);
                let mut members = vec![self.grown(self.custom, female, (30, 50), "0", "40")];
                members.push(self.child(&members));
                members
            }
        }
    }

    /// A head of household and the one that the head is married to.
    fn couple(&mut self, ages: (i64, i64)) -> Vec<Person> {
        let head_female = self.draw.percent(15);
        let marital = self.draw.code(&[("21", 90), ("22", 8), ("23", 2)]);
        let head = self.grown(self.custom, head_female, ages, "0", marital);
        let age = head.born.age(AGES_ON);
        let apart = self.draw.within(-1, 5);
        let age = if head_female {
            age + apart
        } else {
            age - apart
        }
        .max(21);
        let custom = self.names.spouse(self.draw, self.custom);
        let spouse = self.grown(custom, !head_female, (age, age), "1", marital);
        vec![head, spouse]
    }

    /// A parent of the head, widowed.
    fn parent(&mut self, members: &[Person]) -> Person {
        let head = members.first().map_or(40, |head| head.born.age(AGES_ON));
        let female = self.draw.percent(65);
        let age = (head + self.draw.within(21, 33)).min(93);
        self.grown(self.custom, female, (age, age), "5", "30")
    }

    /// A child of the head, perhaps one who is born in the years to come.
    fn child(&mut self, members: &[Person]) -> Person {
        let mother = members.iter().find(|person| person.female);
        let mother = mother.or(members.first());
        let mother = mother.map_or(AGES_ON.plus(-30 * YEAR_DAYS), |mother| mother.born);
        let youngest = AGES_ON.plus(-30 * YEAR_DAYS);
        let at = self.draw.within(20 * YEAR_DAYS, 35 * YEAR_DAYS);
        let mut born = mother.plus(at).max(youngest.plus(at % 900));
        if born > LAST_BIRTH {
            born = self.draw.day(Day::of(2014, 1, 1), LAST_BIRTH);
        }
        let female = self.draw.percent(48);
        let relation = if female { "3" } else { "2" };
        let mut child = self.person(self.custom, female, born, relation, "10");
        let age = born.age(AGES_ON);
        if age >= 19 && self.draw.percent(50) {
            let left = born.plus(18 * YEAR_DAYS + self.draw.within(60, 365));
            child.stays.clear();
            child.stay(self.draw, left, "3");
        }
        child
    }

    fn grown(
        &mut self,
        custom: Custom,
        female: bool,
        ages: (i64, i64),
        relation: &'static str,
        marital: &'static str,
    ) -> Person {
        let age = self.draw.within(ages.0, ages.1);
        let born = AGES_ON.plus(-age * 1461 / 4 - self.draw.within(1, 360));
        self.person(custom, female, born, relation, marital)
    }

    fn person(
        &mut self,
        custom: Custom,
        female: bool,
        born: Day,
        relation: &'static str,
        marital: &'static str,
    ) -> Person {
        let (born, id_no) = self.numbers.take(born, female);
        let registered = match born < self.visited {
            true => self.visited,
            // A new child is written down some weeks after the birth.
            false => born.plus(self.draw.within(15, 70)),
        };
        let since = match self.status {
            "1" if matches!(relation, "2" | "3") => born,
            "1" | "4" => {
                let adult = born.plus(20 * YEAR_DAYS);
                self.draw
                    .day(adult, registered)
                    .min(registered.plus(-200))
                    .max(born)
            }
            _ => registered
                .plus(-self.draw.within(200, 8 * YEAR_DAYS))
                .max(born),
        };
        let mut person = Person {
            record: self.draw.record(Subject::Person, registered),
            name: self.names.name(self.draw, custom, female),
            female,
            born,
            relation,
            marital,
            id_no,
            registered,
            stays: Vec::new(),
            died: None,
        };
        person.stay(self.draw, since, self.status);
        person
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use plan::Package;
    use sync_core::group::IdNumber;

    use super::*;
    use crate::recording_unit::places;

    #[test]
    fn everybody_has_a_number_of_their_own_that_says_birth_and_sex() {
        let package = Package::builtin();
        let names = Names::new();
        let mut seen = BTreeSet::new();
        for place in places(&package, 6000, 3) {
            let households = households(3, &place, &names);
            let people: Vec<&Person> = households.iter().flat_map(|of| &of.members).collect();
            assert_eq!(people.len(), place.people);
            for person in people {
                let read = IdNumber::parse(&person.id_no).unwrap();
                let said = (read.birth_date(), read.is_female());
                assert_eq!(said, (person.born.text(), person.female));
                assert!(seen.insert(person.id_no.clone()), "{}", person.id_no);
            }
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_people_and_another_one_others() {
        let package = Package::builtin();
        let names = Names::new();
        let list = places(&package, 3000, 1);
        let of = |seed| format!("{:?}", households(seed, &list[0], &names));
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }
}
