//! Findings of the simulator as stories of their own; the rules at large are tested there.

use super::*;
use crate::change::{Change, Put};
use crate::control::ControlEntry;
use crate::figure::UnitFacts;
use crate::id::Incarnation;
use crate::show::{self, Source};
use crate::task;
use crate::testing::{OtherDevice, TestDevice, UNIT, by_node, erasure_order, general};
use crate::wire::Answer;

fn space(class: Class) -> Space {
    Space::new(UNIT, class).unwrap()
}

fn name(text: &str) -> [(&'static str, Value); 1] {
    [("identity.name", Value::from(text))]
}

/// A change of `device` on `deps`.
fn change(device: DeviceId, deps: &[ChangeHash], start_op: u32, key: &str) -> Vec<u8> {
    let put = Put {
        key: Key::parse(key).unwrap(),
        value: Value::from("敌"),
        preds: Vec::new(),
    };
    Change::make(deps.to_vec(), device, start_op, 0, vec![put]).1
}

fn state_of(changes: &[(DeviceId, Vec<u8>)]) -> RecordState {
    let refs: Vec<_> = changes
        .iter()
        .map(|(device, raw)| (*device, raw.as_slice()))
        .collect();
    RecordState::rebuild(&refs)
}

#[test]
fn a_key_written_into_the_space_of_another_class_does_not_show() {
    let mut station = TestDevice::new(1, &Class::CADRE);
    let record = station.person();
    station.save(record, &name("其其格")).unwrap();
    let hostile = DeviceId([0xbd; 8]);
    let forged = [(hostile, change(hostile, &[], 1, "identity.name"))];
    station
        .replica
        .put_record(&space(Class::Care), record, state_of(&forged));
    let key = Key::parse("identity.name").unwrap();
    let shown = station.replica.view(UNIT, record);
    assert_eq!(shown[&key].winner(), &Value::from("其其格"));
    // A key that the plan does not know is kept for those who do.
    let newer = [(hostile, change(hostile, &[], 1, "of_next_year.field"))];
    station
        .replica
        .put_record(&space(Class::Care), record, state_of(&newer));
    let key = Key::parse("of_next_year.field").unwrap();
    assert!(station.replica.view(UNIT, record).contains_key(&key));
}

#[test]
fn saving_twice_is_one_edit_and_empty_edits_stage_nothing() {
    let mut station = TestDevice::new(1, &Class::CADRE);
    let record = station.person();
    assert_eq!(station.save(record, &name("其其格")).unwrap().changes, 1);
    assert_eq!(station.save(record, &name("其其格")).unwrap().changes, 0);
    assert_eq!(
        station
            .save(record, &[("identity.phone", Value::Null)])
            .unwrap()
            .changes,
        0
    );
    assert_eq!(station.replica.unsent(), 1);
}

#[test]
fn a_section_of_a_class_that_is_not_held_is_refused_and_says_which() {
    let mut station = TestDevice::new(1, &[Class::General]);
    let record = station.person();
    let health = [("vaccination.hpv_vaccine", Value::from("2"))];
    let error = station.save(record, &health).unwrap_err();
    assert!(
        matches!(
            error,
            EditError::NotGranted {
                class: Class::Health,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(station.replica.view(UNIT, record).is_empty());
}

#[test]
fn the_true_time_is_the_clocks_unless_it_was_set_back() {
    let hub = ServerState::enrolled(Incarnation([1; 8]), [0; 16], 5_000, 1_000);
    assert_eq!(
        (hub.true_time(5_100), hub.not_future_before(5_100)),
        (1_100, 1_100)
    );
    // An empty battery: the clock starts again at 0. What day it is nobody knows.
    assert_eq!(hub.true_time(0), 1_000);
    assert_eq!(hub.not_future_before(0), i64::MAX);
}

#[test]
fn what_is_remembered_of_a_unit_is_what_its_records_say_after_every_step() {
    let mut station = TestDevice::new(1, &Class::CADRE);
    let package = station.replica.package().unwrap().clone();
    let (one, other) = (station.person(), station.person());
    let number = [
        ("identity.id_type", Value::from("01")),
        ("identity.id_no", Value::from("999999197504120023")),
    ];
    let edits = [
        (one, name("其其格").to_vec()),
        (one, number.to_vec()),
        (other, number.to_vec()),
        (other, vec![("identity.id_no", Value::Null)]),
    ];
    let mut groups = Vec::new();
    for (record, puts) in edits {
        station.save(record, &puts).unwrap();
        let replica = &station.replica;
        // Asked twice: worked out and remembered.
        for _ in 0..2 {
            let known = show::groups(replica, UNIT, Subject::Person);
            assert_eq!(known, show::grouped(replica, UNIT, Subject::Person));
            let facts = UnitFacts::read(replica, &package, UNIT);
            assert_eq!(format!("{:?}", replica.facts(UNIT)), format!("{facts:?}"));
            for today in ["2026-11-25", "2026-11-26"] {
                let shown = replica.view(UNIT, record);
                let problems = check::check_record(&package, record, &shown, today);
                assert_eq!(replica.problems(UNIT, record, &shown, today), problems);
                for group in &known {
                    let row = show::row(replica, UNIT, group, today);
                    assert_eq!(*replica.row(UNIT, group, today), row);
                }
            }
        }
        groups.push(show::groups(replica, UNIT, Subject::Person).len());
    }
    assert_eq!(groups, [1, 1, 1, 2], "one number is one person");
    let space = space(Class::General);
    station.replica.forget(&space);
    assert_eq!(station.replica.groups(UNIT, Subject::Person).len(), 0);
}

/// The tasks of the unit as they are remembered, worked out anew.
fn tasks(station: &TestDevice, today: &str) -> Vec<(RecordId, String)> {
    let replica = &station.replica;
    let package = replica.package().unwrap();
    let facts = UnitFacts::read(replica, package, UNIT);
    let anew = task::planned(&facts, package, today).unwrap();
    // Asked twice: worked out and remembered.
    for _ in 0..2 {
        for until in [today, "2027-06-01", "9999-12-31"] {
            let due = anew.iter().filter(|task| task.due.as_str() <= until);
            let due: Vec<_> = due.filter_map(|task| task.of(package, UNIT)).collect();
            assert_eq!(replica.due(UNIT, today, until).unwrap(), due);
        }
    }
    let due = replica.due(UNIT, today, "9999-12-31").unwrap();
    due.into_iter().map(|due| (due.record, due.due)).collect()
}

#[test]
fn remembered_tasks_are_those_of_the_records_after_every_step_and_on_every_day() {
    let mut station = TestDevice::new(1, &Class::CADRE);
    station.rows.write(&station.replica.first_rows());
    let (network, other) = (station.replica.me().network, OtherDevice::new(11));
    let (her, hers) = (station.person(), station.draw(Subject::Household));
    let woman = [
        ("identity.name", Value::from("其其格")),
        ("identity.sex", Value::from("2")),
        ("identity.birth_date", Value::from("1985-06-07")),
        ("residence.since", Value::from("2015-03-01")),
        ("residence.status", Value::from("1")),
        ("residence.info_source", Value::from("01")),
        ("residence.household", Value::Text(hers.to_string())),
    ];
    let woman = woman.map(|(key, value)| (key.replace("residence.", "residence#r1."), value));
    let woman: Vec<_> = woman.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
    station.save(her, &woman).unwrap();
    let days = ["2026-11-25", "2026-11-26", "2019-01-01", "2095-01-01"];
    let seen = |station: &TestDevice| days.map(|today| tasks(station, today));
    let first = seen(&station);
    assert!(!first[0].is_empty() && first[3].is_empty(), "{first:?}");
    // A day is asked for after another one, and back.
    assert_eq!(seen(&station), first);

    let screened = [
        ("screening#C-2026.cancer", Value::from("C")),
        ("screening#C-2026.screened_on", Value::from("2026-01-15")),
    ];
    station.save(her, &screened).unwrap();
    let edited = seen(&station);
    assert_ne!(edited, first);

    let (_, batch) = other.writes(&station, her, "identity.name", &[]);
    let outgoing = station.ask();
    let enrolment = other.enrolment();
    let answer = Answer {
        control: vec![by_node(|signer| {
            ControlEntry::enrol(network, &enrolment, signer)
        })],
        batches: vec![batch.bytes().to_vec()],
        ..Answer::at(100)
    };
    assert_eq!(station.hear_of(&outgoing, &answer).batches, 1);
    seen(&station);

    let cut = station.replica.vector(&general());
    let outgoing = station.ask();
    let answer = Answer {
        control: vec![erasure_order(network, her, cut)],
        ..Answer::at(100)
    };
    assert_eq!(station.hear_of(&outgoing, &answer).erased, 1);
    assert_eq!(seen(&station)[0], []);
}
