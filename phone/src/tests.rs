//! Phones without a server: a made-up network whose keys the test holds.

mod browser;
mod draft;
mod links;
mod memory;
mod store;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sync_core::id::{AuthorId, RecordId, Subject};
use sync_core::replica::Edit;
use sync_core::row::{Row, Table};
use sync_core::seal::KdfParams;
use sync_core::show::ShownValue;
use sync_core::value::{Key, Value};

use crate::draft::{Checked, Draft, Typed};
use crate::error::{Issue, PhoneError, issue_of};
use crate::keys::Secret;
use crate::memory::{Database, Memory, Unlock};
use crate::phone::Phone;
use crate::records::Choice;
use crate::store::Place;
use crate::system::System;
use crate::testing::{self, TestSystem};

const UNIT: &str = "152522100200";

fn secret() -> Secret {
    Secret::new("246810".to_owned()).unwrap()
}

/// A phone of a store in `disk`, as an enrolment at `units` leaves it behind.
fn phone(disk: &Database, units: &[&str]) -> Phone {
    testing::enrolled(place(disk, secret()), system(), units)
}

/// A system of a seed of its own: two that draw the same would make one record of two.
fn system() -> Arc<dyn System> {
    static SEED: AtomicU64 = AtomicU64::new(1);
    Arc::new(TestSystem::seeded(SEED.fetch_add(1, Ordering::SeqCst)))
}

fn place(disk: &Database, secret: Secret) -> Box<dyn Place> {
    let unlock = Unlock::Secret(secret, KdfParams::FLOOR);
    Box::new(Memory::new(disk.clone(), unlock, system()))
}

/// Another process on the same store.
fn opened(disk: &Database, secret: Secret) -> Result<Phone, PhoneError> {
    Phone::open(place(disk, secret), system())
}

fn sets(sets: &[&str]) -> Vec<Typed> {
    sets.iter().map(|set| set.parse().unwrap()).collect()
}

const WOMAN: [&str; 3] = [
    "identity.name=其其格",
    "identity.sex=2",
    "identity.birth_date=1985-06-07",
];

fn code(error: PhoneError) -> (String, String) {
    let first = error.issues()[0].clone();
    (first.code, first.key)
}

#[test]
fn what_is_added_shows_and_survives_reopening() {
    let disk = Database::default();
    let mut first = phone(&disk, &[UNIT]);
    let id = first
        .add(Subject::Person, None, &sets(&WOMAN))
        .unwrap()
        .to_string();
    drop(first);
    let mut again = opened(&disk, secret()).unwrap();
    let shown = again.show(&id).unwrap();
    assert_eq!(
        shown.fields["identity.name"],
        ShownValue::Text("其其格".into())
    );
    assert_eq!((shown.unit.as_str(), shown.linked.len()), (UNIT, 0));
    assert!(again.status().unwrap().unsent > 0);
    assert_eq!(
        again
            .list(Subject::Person, None, Some("其其"))
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        again
            .list(Subject::Person, None, Some("巴特尔"))
            .unwrap()
            .len(),
        0
    );
    assert_eq!(again.list(Subject::Household, None, None).unwrap().len(), 0);
}

#[test]
fn two_processes_take_the_store_from_each_other_and_lose_nothing() {
    let disk = Database::default();
    let mut one = phone(&disk, &[UNIT]);
    let mut two = opened(&disk, secret()).unwrap();
    let id = one
        .add(Subject::Person, None, &sets(&WOMAN))
        .unwrap()
        .to_string();
    // What another process saved since is seen after the next write, which opens the store again.
    assert_eq!(code(two.show(&id).unwrap_err()).0, "unknown_record");
    two.add(Subject::Person, None, &sets(&WOMAN)).unwrap();
    two.edit(&id, &sets(&["identity.phone=10012345678"]))
        .unwrap();
    one.edit(&id, &sets(&["identity.name=琪琪格"])).unwrap();
    let shown = one.show(&id).unwrap();
    assert_eq!(
        shown.fields["identity.phone"],
        ShownValue::Text("10012345678".into())
    );
    assert_eq!(
        shown.fields["identity.name"],
        ShownValue::Text("琪琪格".into())
    );
    assert_eq!(one.list(Subject::Person, None, None).unwrap().len(), 2);
}

#[test]
fn an_item_with_a_natural_key_is_one_item_and_can_be_withdrawn() {
    let disk = Database::default();
    let mut phone = phone(&disk, &[UNIT]);
    let id = phone
        .add(Subject::Person, None, &sets(&WOMAN))
        .unwrap()
        .to_string();
    let key = ["cancer=C", "round=2026"];
    let item = |phone: &mut Phone, field: &str| {
        let all = [sets(&key), sets(&[field])].concat();
        phone.item(&id, "screening", &all).unwrap()
    };
    assert_eq!(item(&mut phone, "on_target_list=true"), "C-2026");
    assert_eq!(item(&mut phone, "notified_on=2026-03-01"), "C-2026");
    let shown = phone.show(&id).unwrap();
    assert_eq!(shown.items["screening"].len(), 1);
    assert_eq!(
        shown.items["screening"][0].fields["on_target_list"],
        ShownValue::Flag(true)
    );
    phone.void_item(&id, "screening", "C-2026").unwrap();
    assert!(phone.show(&id).unwrap().items.is_empty());
    let none = phone.void_item(&id, "screening", "B-2026").unwrap_err();
    assert_eq!(code(none), ("unknown_item".into(), "B-2026".into()));
}

#[test]
fn a_multi_choice_shows_as_its_codes_and_forgets_what_is_no_longer_named() {
    let disk = Database::default();
    let mut phone = phone(&disk, &[UNIT]);
    let id = phone
        .add(Subject::Person, None, &sets(&WOMAN))
        .unwrap()
        .to_string();
    let made = sets(&["assessed_on=2026-01-02", "needs=01,02"]);
    let item = phone.item(&id, "care_needs", &made).unwrap();
    let needs =
        |phone: &mut Phone| phone.show(&id).unwrap().items["care_needs"][0].fields["needs"].clone();
    assert_eq!(
        needs(&mut phone),
        ShownValue::Codes(vec!["01".into(), "02".into()])
    );
    phone
        .edit(&id, &sets(&[&format!("care_needs#{item}.needs=02,03")]))
        .unwrap();
    assert_eq!(
        needs(&mut phone),
        ShownValue::Codes(vec!["02".into(), "03".into()])
    );
}

#[test]
fn a_wrong_request_names_its_key_and_changes_nothing() {
    let disk = Database::default();
    let mut phone = phone(&disk, &[UNIT]);
    let refused = |phone: &mut Phone, set: &str| {
        let all = [sets(&WOMAN), sets(&[set])].concat();
        code(phone.add(Subject::Person, None, &all).unwrap_err())
    };
    assert_eq!(
        refused(&mut phone, "identity.nonsense=1").1,
        "identity.nonsense"
    );
    assert_eq!(
        refused(&mut phone, "nonsense="),
        ("bad_key".into(), "nonsense".into())
    );
    assert_eq!(
        refused(&mut phone, "Nonsense.x=1"),
        ("bad_key".into(), "Nonsense.x".into())
    );
    assert_eq!(code(phone.show("p1").unwrap_err()).0, "bad_id");
    let other = sync_core::id::RecordId::draw(Subject::Person, 1, [1; 10]).to_string();
    assert_eq!(code(phone.show(&other).unwrap_err()).0, "unknown_record");
    // A key is a key, whatever signs it holds: this one is not `identity.name`.
    let odd = [Typed::new("identity.name=x", "y")];
    let added = phone.add(Subject::Person, None, &odd);
    assert_eq!(code(added.unwrap_err()).0, "bad_key");
    assert_eq!(phone.status().unwrap().unsent, 0);
}

#[test]
fn a_device_with_several_units_must_be_told_which() {
    let disk = Database::default();
    let mut phone = phone(&disk, &[UNIT, "152522100201"]);
    let error = phone.add(Subject::Person, None, &sets(&WOMAN)).unwrap_err();
    assert_eq!(code(error).0, "which_unit");
    let id = phone
        .add(Subject::Person, Some("152522100201"), &sets(&WOMAN))
        .unwrap();
    assert_eq!(phone.show(&id.to_string()).unwrap().unit, "152522100201");
    let error = phone
        .add(Subject::Person, Some("152522999999"), &sets(&WOMAN))
        .unwrap_err();
    assert_eq!(code(error).0, "unit_not_held");
}

#[test]
fn history_holds_every_value_with_its_device_and_author() {
    let disk = Database::default();
    let mut phone = phone(&disk, &[UNIT]);
    let id = phone
        .add(Subject::Person, None, &sets(&WOMAN))
        .unwrap()
        .to_string();
    phone.edit(&id, &sets(&["identity.name=琪琪格"])).unwrap();
    let device = phone.status().unwrap().device;
    let history = phone.history(&id).unwrap();
    let names: Vec<_> = history
        .iter()
        .filter(|event| event.key == "identity.name")
        .collect();
    assert_eq!(names.len(), 2);
    assert_eq!(names[0].value, ShownValue::Text("其其格".into()));
    assert!(names.iter().all(|event| event.device == Some(device)));
    assert!(
        names
            .iter()
            .all(|event| event.author == Some(AuthorId([5; 8])))
    );
}

#[test]
fn nothing_can_be_settled_where_nothing_was_written_apart() {
    let disk = Database::default();
    let mut phone = phone(&disk, &[UNIT]);
    let id = phone
        .add(Subject::Person, None, &sets(&WOMAN))
        .unwrap()
        .to_string();
    let error = phone
        .resolve(&id, "identity.name", &Choice::Take(0))
        .unwrap_err();
    assert_eq!(code(error), ("no_conflict".into(), "identity.name".into()));
    assert_eq!(phone.conflicts().unwrap(), []);
}

#[test]
fn values_written_apart_are_listed_and_the_next_deliberate_write_settles_them() {
    let disk = Database::default();
    let mut phone = phone(&disk, &[UNIT]);
    let id = phone.add(Subject::Person, None, &sets(&WOMAN)).unwrap();
    let text = id.to_string();
    let seen = phone.opened().unwrap().replica.heads(UNIT, id);
    phone
        .edit(&text, &sets(&["identity.phone=10011111111"]))
        .unwrap();
    // A form that was opened before that edit.
    let late = Edit {
        record: id,
        unit: UNIT.to_owned(),
        author: AuthorId([5; 8]),
        puts: vec![(
            Key::parse("identity.phone").unwrap(),
            Value::from("10022222222"),
        )],
        seen,
    };
    phone.save(&late).unwrap();
    let conflicts = phone.conflicts().unwrap();
    assert_eq!(
        (conflicts.len(), conflicts[0].key.as_str()),
        (1, "identity.phone")
    );
    let values = conflicts[0].values.clone();
    assert_eq!(values.len(), 2);
    assert_eq!(
        phone.show(&text).unwrap().fields["identity.phone"],
        values[0]
    );
    let error = phone
        .resolve(&text, "identity.phone", &Choice::Take(2))
        .unwrap_err();
    assert_eq!(code(error).0, "no_such_value");
    phone
        .resolve(&text, "identity.phone", &Choice::Take(1))
        .unwrap();
    assert_eq!(phone.conflicts().unwrap(), []);
    assert_eq!(
        phone.show(&text).unwrap().fields["identity.phone"],
        values[1]
    );
}

#[test]
fn one_number_makes_one_row_and_a_corrected_number_two() {
    let disk = Database::default();
    let mut phone = phone(&disk, &[UNIT]);
    let number = "identity.id_no=99999919850607124X";
    let with = |more: &[&str]| {
        sets(&WOMAN)
            .into_iter()
            .chain(sets(more))
            .collect::<Vec<_>>()
    };
    let first = phone.add(Subject::Person, None, &with(&[number])).unwrap();
    let more = [number, "identity.phone=10012345678", "identity.name=琪琪格"];
    let second = phone.add(Subject::Person, None, &with(&more)).unwrap();
    let rows = phone.list(Subject::Person, None, Some("琪琪格")).unwrap();
    let (smaller, larger) = (first.min(second), first.max(second));
    assert_eq!(
        (rows.len(), rows[0].id, &rows[0].linked),
        (1, smaller, &vec![larger])
    );
    // Two names: whether they are one person is open, so nothing is shown as the other's (R36).
    let shown = rows[0].fields.contains_key("identity.phone");
    assert_eq!(shown, smaller == second);
    assert_eq!(phone.conflicts().unwrap()[0].key, "identity.name");
    let own = phone.show(&second.to_string()).unwrap();
    assert_eq!(
        own.conflicts[0].values[0],
        ShownValue::Text("琪琪格".into())
    );
    phone
        .resolve(&second.to_string(), "identity.name", &Choice::Take(1))
        .unwrap();
    assert_eq!(phone.conflicts().unwrap(), []);
    let rows = phone.list(Subject::Person, None, None).unwrap();
    assert_eq!(
        rows[0].fields["identity.phone"],
        ShownValue::Text("10012345678".into())
    );

    let corrected = sets(&["identity.id_no=999999198506071266"]);
    phone.edit(&second.to_string(), &corrected).unwrap();
    assert_eq!(phone.list(Subject::Person, None, None).unwrap().len(), 2);
    assert_eq!(phone.show(&first.to_string()).unwrap().linked, []);
}

#[test]
fn linked_records_stand_in_a_register_as_the_one_person_that_they_are() {
    let disk = Database::default();
    let mut phone = phone(&disk, &[UNIT]);
    let number = "identity.id_no=99999919850607124X";
    let home = RecordId::draw(Subject::Household, 1, [1; 10]);
    // One cadre wrote who she is, the other where she lives: neither entry says enough alone.
    let who = sets(&[
        "identity.name=其其格",
        "identity.sex=2",
        "identity.id_type=01",
        "identity.birth_date=1985-06-07",
        number,
    ]);
    let lives = [
        "identity.name=其其格",
        "identity.id_type=01",
        number,
        "residence.since=2015-03-01",
        "residence.status=1",
        "residence.info_source=01",
        &format!("residence.household={home}"),
    ];
    phone.add(Subject::Person, None, &who).unwrap();
    let listed = |phone: &mut Phone| {
        let rows = phone.list(Subject::Person, Some("screening"), None);
        rows.unwrap().len()
    };
    assert_eq!(listed(&mut phone), 0, "nobody said that she lives here");
    phone.add(Subject::Person, None, &sets(&lives)).unwrap();
    assert_eq!(listed(&mut phone), 1);
    let due = phone.tasks(0).unwrap();
    assert!(due.iter().any(|task| task.task == "cervical_screening"));
}

#[test]
fn diagnostics_count_and_name_nobody() {
    let disk = Database::default();
    let mut phone = phone(&disk, &[UNIT]);
    let id = phone.add(Subject::Person, None, &sets(&WOMAN)).unwrap();
    let text = phone.diagnostics().unwrap();
    assert!(text.contains("records_general: 1\n"), "{text}");
    assert!(text.contains("unsent: 1\n"), "{text}");
    for planted in ["其其格", UNIT, &id.to_string(), "identity", "https"] {
        assert!(!text.contains(planted), "{planted}: {text}");
    }
}

/// The sources that make complaints.
const SOURCES: [&str; 16] = [
    include_str!("bundle.rs"),
    include_str!("dictionary.rs"),
    include_str!("draft.rs"),
    include_str!("enrol.rs"),
    include_str!("error.rs"),
    include_str!("figures.rs"),
    include_str!("history.rs"),
    include_str!("orphaned.rs"),
    include_str!("links.rs"),
    include_str!("remote_wipe.rs"),
    include_str!("phone.rs"),
    include_str!("records.rs"),
    include_str!("sync.rs"),
    include_str!("typed.rs"),
    include_str!("walk.rs"),
    include_str!("wipe.rs"),
];

#[test]
fn every_code_of_this_crate_and_of_the_dictionary_has_a_message_of_its_own() {
    let words = words::Words::new(words::Language::Chinese);
    let mut codes: BTreeSet<&str> = sync_core::check::CODES.into();
    for source in SOURCES {
        let source = source.split("#[cfg(test)]").next().unwrap_or_default();
        for made in ["Issue::new(\"", "Issue::about(\""] {
            let found = source.split(made).skip(1);
            codes.extend(found.filter_map(|rest| rest.split('"').next()));
        }
    }
    assert!(codes.len() > 50, "{codes:?}");
    for code in codes {
        assert!(words.knows(code), "no message for {code}");
    }
}
