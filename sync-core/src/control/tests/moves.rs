//! Moves, in any order of arrival.

use super::*;

fn moved(to: &str, new: u8, number: u32) -> Moved {
    let record = |n| RecordId::draw(crate::id::Subject::Person, 1, [n; 10]);
    Moved {
        record: record(1),
        from: "152522100200".into(),
        to: to.into(),
        new: record(new),
        on: "2026-07-01".into(),
        number,
    }
}

#[test]
fn where_somebody_moved_does_not_depend_on_the_order_and_both_units_hear_of_it() {
    let sign = |message: &[u8]| key(NODE).sign(message);
    let entry = |moved: &Moved| ControlEntry::moved(network(), moved, (public(NODE), &sign));
    // First by mistake to one place, then to another.
    let (first, second) = (moved("152522100201", 2, 1), moved("152522100202", 3, 2));
    let entries = [entry(&first), entry(&second)];
    for order in [[0, 1], [1, 0]] {
        let mut control = founded();
        order
            .iter()
            .for_each(|at| take(&mut control, &entries[*at]));
        assert_eq!(control.moved("152522100200", first.record), Some(&second));
        assert_eq!(control.moved("152522100201", first.new), None);
        // She is one person wherever she was sent.
        let ties: Vec<RecordId> = control
            .same_person("152522100200", first.record)
            .map(|(_, record)| *record)
            .collect();
        assert_eq!(ties, [first.new, second.new]);
        let back: Vec<RecordId> = control
            .same_person("152522100201", first.new)
            .map(|(_, record)| *record)
            .collect();
        assert_eq!(back, [first.record]);
        let concerned = |unit: &str, class| {
            let spaces = BTreeSet::from([Space::new(unit, class).unwrap()]);
            control
                .for_spaces(&spaces)
                .filter(|entry| entry.scope.is_some())
                .count()
        };
        assert_eq!(concerned("152522100200", Class::General), 2);
        assert_eq!(concerned("152522100201", Class::General), 1);
        assert_eq!(concerned("152522100201", Class::Health), 0);
        assert_eq!(concerned("152522100203", Class::General), 0);
    }
}

#[test]
fn a_move_that_is_none_is_kept_and_says_nothing() {
    let sign = |message: &[u8]| key(NODE).sign(message);
    let mut control = founded();
    for (to, new) in [("152522100200", 2), ("152522100201", 1), ("x", 2)] {
        let moved = moved(to, new, 1);
        let entry = ControlEntry::moved(network(), &moved, (public(NODE), &sign));
        take(&mut control, &entry);
    }
    assert!(!control.has_moves());
    assert_eq!(control.entries().count(), 4);
}

#[test]
fn what_a_move_writes_is_named_after_the_new_record() {
    let moved = moved("152522100201", 2, 1);
    assert!(moved.new.to_string().ends_with(&moved.item()));
    assert_eq!(moved.item().len(), 8);
}
