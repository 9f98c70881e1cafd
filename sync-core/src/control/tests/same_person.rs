//! Statements of the office about records in two units, in any order of arrival.

use super::*;

const HERE: &str = "152522100200";
const THERE: &str = "152522100201";

fn record(n: u8) -> RecordId {
    RecordId::draw(crate::id::Subject::Person, 1, [n; 10])
}

fn said(same: bool, number: u32) -> Vec<u8> {
    let (one, other) = ((THERE.to_owned(), record(1)), (HERE.to_owned(), record(2)));
    let said = SamePerson::of(one, other, same, number).unwrap();
    let sign = |message: &[u8]| key(NODE).sign(message);
    ControlEntry::same_person(network(), &said, (public(NODE), &sign))
}

#[test]
fn the_highest_number_decides_whichever_comes_first_and_both_units_hear_of_it() {
    let entries = [said(true, 1), said(false, 2), said(true, 3)];
    let (here, there) = ((HERE.to_owned(), record(2)), (THERE.to_owned(), record(1)));
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let mut control = founded();
        for at in order {
            take(&mut control, &entries[at]);
        }
        assert_eq!(control.said_of(&here, &there), Some((true, 3)));
        assert_eq!(control.said_of(&there, &here), Some((true, 3)));
        assert!(control.same_person(HERE, record(2)).eq([&there]));
        assert!(control.same_person(THERE, record(1)).eq([&here]));
        assert_eq!(control.other_person(HERE, record(2)).count(), 0);
        for (unit, class, count) in [
            (HERE, Class::General, 3),
            (THERE, Class::General, 3),
            (THERE, Class::Health, 0),
            ("152522100203", Class::General, 0),
        ] {
            let spaces = BTreeSet::from([Space::new(unit, class).unwrap()]);
            let entries = control.for_spaces(&spaces);
            assert_eq!(entries.filter(|entry| entry.scope.is_some()).count(), count);
        }
    }
    let mut control = founded();
    entries[..2]
        .iter()
        .for_each(|entry| take(&mut control, entry));
    assert_eq!(control.same_person(HERE, record(2)).count(), 0);
    assert!(control.other_person(HERE, record(2)).eq([&there]));
}

#[test]
fn nothing_is_said_of_records_of_one_unit_or_of_no_persons() {
    let of = |one: (&str, RecordId), other: (&str, RecordId)| {
        let [one, other] = [one, other].map(|(unit, record)| (unit.to_owned(), record));
        SamePerson::of(one, other, true, 1).is_some()
    };
    let home = RecordId::draw(crate::id::Subject::Household, 1, [3; 10]);
    assert!(of((HERE, record(1)), (THERE, record(2))));
    assert!(!of((HERE, record(1)), (HERE, record(2))));
    assert!(!of((HERE, record(1)), (THERE, home)));
    assert!(!of(("x", record(1)), (THERE, record(2))));
}
