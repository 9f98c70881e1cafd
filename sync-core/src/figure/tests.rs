use std::collections::{BTreeMap, BTreeSet};

use plan::Package;
use plan::expression::{Datum, Facts, Fields, Item};

use super::*;
use crate::group::{Ties, groups_by};
use crate::id::{RecordId, Subject};
use crate::link::Link;

fn text(value: &str) -> Datum {
    Datum::Text(value.to_owned())
}

fn item(id: &str, fields: &[(&str, &str)]) -> Item {
    let fields = fields
        .iter()
        .map(|(key, value)| ((*key).to_owned(), text(value)));
    Item {
        id: id.to_owned(),
        fields: fields.collect(),
    }
}

/// A woman born in 1980 with these residences: since when, in which status.
fn woman(residences: &[(&str, &str)]) -> Facts {
    let mut facts = Facts::default();
    let identity = Fields::from([
        ("sex".to_owned(), text("2")),
        ("birth_date".to_owned(), text("1980-05-20")),
    ]);
    facts.single.insert("identity".to_owned(), identity);
    let items = residences
        .iter()
        .map(|(since, status)| item(since, &[("since", since), ("status", status)]));
    facts.items.insert("residence".to_owned(), items.collect());
    facts
}

fn record(n: u8) -> RecordId {
    RecordId::draw(Subject::Person, i64::from(n), [n; 10])
}

fn no_home<'a>(_: &str) -> Option<&'a Facts> {
    None
}

/// The years in which a group is in the whole of an indicator, with what it adds.
fn years_of(package: &Package, of: &Contribution, key: &str) -> Vec<(u16, Tally)> {
    let place = package.indicators.iter().position(|i| i.key == key);
    let place = u16::try_from(place.unwrap()).unwrap();
    let years = package.years.iter().map(|year| (year, of.of(place, year)));
    years.filter(|(_, tally)| !tally.is_zero()).collect()
}

const CERVICAL: &str = "health.cervical-screening-rate";

#[test]
fn a_screening_counts_for_as_long_as_its_method_does() {
    let package = Package::builtin();
    let counter = Counter::new(&package);
    let mut facts = woman(&[("2015-01-01", "1")]);
    let screening = [
        ("cancer", "C"),
        ("round", "2023"),
        ("screened_on", "2023-05-10"),
        ("cervical_method", "TCT"),
    ];
    let screenings = vec![item("C-2023", &screening)];
    facts.items.insert("screening".to_owned(), screenings);
    let never = Absence::default();
    let adds = counter.contribution(Subject::Person, &facts, &|date| no_home(date), &never);
    let years = years_of(&package, &adds, CERVICAL);
    let reached: Vec<u16> = years
        .iter()
        .filter(|(_, tally)| tally.numerator == 1)
        .map(|(year, _)| *year)
        .collect();
    assert_eq!(
        years.len(),
        10,
        "of screening age in every year of the plan"
    );
    assert_eq!(reached, [2023, 2024, 2025]);
}

#[test]
fn who_has_no_date_of_birth_is_unknown_and_never_no() {
    let package = Package::builtin();
    let counter = Counter::new(&package);
    let mut facts = woman(&[("2015-01-01", "1")]);
    facts
        .single
        .get_mut("identity")
        .unwrap()
        .remove("birth_date");
    let adds = counter.contribution(
        Subject::Person,
        &facts,
        &|date| no_home(date),
        &Absence::default(),
    );
    for (_, tally) in years_of(&package, &adds, CERVICAL) {
        assert_eq!(
            (tally.numerator, tally.denominator, tally.unknown),
            (0, 0, 1)
        );
    }
    assert_eq!(years_of(&package, &adds, CERVICAL).len(), 10);
    let man = Facts::default();
    let adds = counter.contribution(
        Subject::Person,
        &man,
        &|date| no_home(date),
        &Absence::default(),
    );
    assert!(
        adds.is_empty(),
        "whose sex is not known is no woman: {adds:?}"
    );
}

#[test]
fn only_the_indicators_that_read_what_changed_are_asked_again() {
    let package = Package::builtin();
    let counter = Counter::new(&package);
    let never = Absence::default();
    let place = |key: &str| {
        let place = package.indicators.iter().position(|i| i.key == key);
        u16::try_from(place.unwrap()).unwrap()
    };
    let breast = "health.breast-screening-rate";
    let of = |facts: &Facts, before: Option<(&Contribution, &str)>| match before {
        None => counter.contribution(Subject::Person, facts, &|date| no_home(date), &never),
        Some((before, asked)) => counter.contribution_after(
            before,
            &BTreeSet::from([place(asked)]),
            (Subject::Person, facts),
            &|date| no_home(date),
            &never,
        ),
    };
    let mut facts = woman(&[("2015-01-01", "1")]);
    let before = of(&facts, None);
    let screening = [("cancer", "B"), ("screened_on", "2023-05-10")];
    let screenings = vec![item("B-2023", &screening)];
    facts.items.insert("screening".to_owned(), screenings);
    let whole = of(&facts, None);
    assert_ne!(before, whole);
    assert_eq!(of(&facts, Some((&before, breast))), whole);
    // Who asks the wrong one hears what stood before.
    assert_eq!(of(&facts, Some((&before, CERVICAL))), before);

    // Over the limits everything is unknown, and back within them everything is asked.
    let mut too_much = facts.clone();
    let service = (0..600).map(|n| item(&format!("{n:03}"), &[("given_on", "2023-05-10")]));
    too_much
        .items
        .insert("service".to_owned(), service.collect());
    let unknown = of(&too_much, Some((&whole, breast)));
    assert_eq!(unknown, of(&too_much, None));
    let tallies = years_of(&package, &unknown, CERVICAL);
    assert_eq!((tallies.len(), tallies[0].1.unknown), (10, 1));
    assert_eq!(of(&facts, Some((&unknown, breast))), whole);
}

#[test]
fn who_counts_elsewhere_adds_nothing_as_of_those_dates() {
    let package = Package::builtin();
    let counter = Counter::new(&package);
    let facts = woman(&[("2015-01-01", "1")]);
    let away = Absence::of(vec![("2024-12-31".into(), "2026-12-31".into())]);
    let adds = counter.contribution(Subject::Person, &facts, &|date| no_home(date), &away);
    let years: Vec<u16> = years_of(&package, &adds, CERVICAL)
        .into_iter()
        .map(|(year, _)| year)
        .collect();
    assert_eq!(years, [2021, 2022, 2023, 2027, 2028, 2029, 2030]);
}

#[test]
fn of_two_units_she_counts_where_she_lives_since_the_later_day() {
    let package = Package::builtin();
    let dates = Counter::new(&package).dates(Subject::Person);
    let here = woman(&[("2015-01-01", "1")]);
    let there = woman(&[("2024-06-01", "1")]);
    let groups = [(record(1), &here), (record(2), &there)];
    let [from_here, from_there] = absences(&package, &groups, &dates).try_into().unwrap();
    for date in &dates {
        let moved = date.as_str() >= "2024-06-01";
        assert_eq!(from_here.holds(date), moved, "{date}");
        assert_eq!(from_there.holds(date), !moved, "{date}");
    }
    assert_eq!(from_here.spans().len(), 1);
    // She left the second place again, and the first never heard of it.
    let there = woman(&[("2024-06-01", "1"), ("2026-02-01", "5")]);
    let groups = [(record(1), &here), (record(2), &there)];
    let seats = absences(&package, &groups, &dates);
    assert!(seats[0].holds("2025-12-31") && !seats[0].holds("2026-12-31"));
}

#[test]
fn exactly_one_of_several_units_counts_whatever_is_recorded() {
    let package = Package::builtin();
    let dates = Counter::new(&package).dates(Subject::Person);
    let nothing = Facts::default();
    let undated = woman(&[]);
    let month = woman(&[("2024-06", "1")]);
    let same = woman(&[("2024-06-01", "1")]);
    let groups = [
        (record(4), &nothing),
        (record(1), &undated),
        (record(3), &month),
        (record(2), &same),
    ];
    let seats = absences(&package, &groups, &dates);
    for date in &dates {
        let here = seats.iter().filter(|away| !away.holds(date)).count();
        assert_eq!(here, 1, "{date}");
    }
    assert!(
        !seats[3].holds("2025-12-31"),
        "of equal claims the smaller id"
    );
}

#[test]
fn equal_years_are_one_run_and_come_back_from_their_bytes() {
    let tally = |numerator| Tally {
        numerator,
        denominator: 1,
        unknown: 0,
    };
    let mut of = Contribution::default();
    for year in 2021..=2030 {
        of.push(0, year, tally(i64::from(year >= 2025)), vec!["35".into()]);
        of.push(1, year, Tally::default(), vec![]);
    }
    let bytes = of.to_cbor();
    assert!(bytes.len() < 40, "{} bytes", bytes.len());
    assert_eq!(Contribution::from_cbor(&bytes).unwrap(), of);
    assert_eq!((of.of(0, 2024), of.of(0, 2025)), (tally(0), tally(1)));
    assert_eq!(
        of.cells().count(),
        20,
        "the whole and one breakdown, ten years"
    );
    assert!(Contribution::from_cbor(b"\xff").is_err());
}

#[test]
fn a_change_is_the_difference_and_nothing_where_nothing_changed() {
    let of = |numerator, value: &str| {
        let mut of = Contribution::default();
        let tally = Tally {
            numerator,
            denominator: 1,
            unknown: 0,
        };
        of.push(0, 2026, tally, vec![value.to_owned()]);
        of
    };
    let mut change = CellDelta::default();
    change.take_back(&of(0, "35"));
    change.add(&of(0, "35"));
    assert_eq!(change.cells().count(), 0);
    change.take_back(&of(0, "35"));
    change.add(&of(1, "40"));
    let cells: Vec<(Option<u16>, &str, i64, i64)> = change
        .cells()
        .map(|(key, tally)| (key.by, key.value, tally.numerator, tally.denominator))
        .collect();
    assert_eq!(
        cells,
        [
            (None, "", 1, 0),
            (Some(0), "35", 0, -1),
            (Some(0), "40", 1, 1)
        ]
    );
}

#[test]
fn linked_records_count_once_with_the_items_of_all() {
    let package = Package::builtin();
    let mut first = woman(&[("2015-01-01", "1")]);
    let mut second = woman(&[("2015-01-01", "1")]);
    let screening = [("cancer", "C"), ("screened_on", "2026-01-01")];
    second
        .items
        .insert("screening".to_owned(), vec![item("C-2026", &screening)]);
    let person = |name| RecordId::draw(Subject::Person, 1, [name; 10]);
    let ties = |link: Vec<Link>| Ties {
        numbers: vec![1],
        links: link,
    };
    let joined_by = |link: Vec<Link>, members: [&Facts; 2]| {
        let groups = groups_by([(person(1), ties(link)), (person(2), ties(vec![]))]);
        let [group] = &groups[..] else {
            panic!("{groups:?}")
        };
        let said = [person(1), person(2)].into_iter().zip(members);
        let mut said: BTreeMap<_, _> = said.map(|(id, facts)| (id, facts.clone())).collect();
        crate::facts::joined(group, |member| said.remove(&member))
    };
    let one = joined_by(vec![], [&first, &second]);
    assert_eq!(one.items["screening"].len(), 1);
    assert_eq!(
        one.items["residence"].len(),
        1,
        "items with one id are one item"
    );
    let counter = Counter::new(&package);
    let adds = counter.contribution(
        Subject::Person,
        &one,
        &|date| no_home(date),
        &Absence::default(),
    );
    assert_eq!(years_of(&package, &adds, CERVICAL).len(), 10);
    // It is open whether they are one person: nothing of one is the other's.
    first
        .single
        .get_mut("identity")
        .unwrap()
        .insert("name".into(), text("其其格"));
    second
        .single
        .get_mut("identity")
        .unwrap()
        .insert("name".into(), text("萨仁"));
    assert_eq!(joined_by(vec![], [&first, &second]), first);
    // Somebody confirmed that they are one all the same.
    let confirmed = Link {
        other: person(2),
        statement: None,
        despite: BTreeSet::from(["name"]),
    };
    let one = joined_by(vec![confirmed], [&first, &second]);
    assert_eq!(one.single["identity"]["name"], text("其其格"));
    assert_eq!(one.items["screening"].len(), 1);
}

#[test]
fn the_dates_of_a_subject_are_those_of_its_indicators() {
    let package = Package::builtin();
    let counter = Counter::new(&package);
    let ends: BTreeSet<String> = (2021..=2030).map(|year| format!("{year}-12-31")).collect();
    assert_eq!(counter.dates(Subject::Household), ends);
    assert_eq!(counter.dates(Subject::Organisation), BTreeSet::new());
}

#[test]
fn a_share_of_more_years_than_a_plan_can_have_is_refused() {
    // Found by the fuzzer: eleven bytes like these were counted in sixty thousand years.
    let share = |from: u16, to: u16| (8u16, from, to, 1i64, 1i64, 0i64, Vec::<String>::new());
    fn read<T: minicbor::Encode<()>>(
        shares: &[T],
    ) -> Result<Contribution, minicbor::decode::Error> {
        Contribution::from_cbor(&minicbor::to_vec(shares).unwrap())
    }
    assert!(read(&[share(2021, 2030)]).is_ok());
    assert!(read(&[share(2021, 6535)]).is_err());
    assert!(read(&[share(2030, 2021)]).is_err());
    let many: Vec<_> = (0..3_000).map(|_| share(2021, 2030)).collect();
    assert!(read(&many).is_err());
}

#[test]
fn an_indicator_of_an_unknown_unit_counts_nobody_and_the_others_count_as_before() {
    let known = Package::builtin();
    let mut package = known.clone();
    let place = package.indicators.iter().position(|i| i.key == CERVICAL);
    let place = place.unwrap();
    package.indicators[place].target.unit = plan::indicator::Measure::Other(99);
    let facts = woman(&[("2015-01-01", "1")]);
    let never = Absence::default();
    let counted = |package: &Package, key: &str| {
        let counter = Counter::new(package);
        let adds = counter.contribution(Subject::Person, &facts, &|date| no_home(date), &never);
        years_of(package, &adds, key)
    };
    assert!(!counted(&known, CERVICAL).is_empty());
    assert_eq!(counted(&package, CERVICAL), []);
    let after = "health.breast-screening-rate";
    assert!(!counted(&package, after).is_empty());
    assert_eq!(counted(&package, after), counted(&known, after));
}
