//! Phones in directories, without a server.

use std::path::Path;
use std::sync::Arc;

use phone::testing::enrolled;
use sync_core::enrol::{EnrolmentLink, code_from};
use sync_core::id::{NetworkId, Subject};
use sync_core::row::{Row, Table};

use crate::cancel::Cancel;
use crate::draft::Typed;
use crate::enrol::enrol;
use crate::error::PhoneError;
use crate::keys::Secret;
use crate::phone::{Phone, open};
use crate::store::{Directory, FILE_NAME, SqliteStore};
use crate::sync::sync;
use crate::system::Native;

fn secret() -> Secret {
    Secret::new("246810".to_owned()).unwrap()
}

fn other_secret() -> Secret {
    Secret::new("another secret".to_owned()).unwrap()
}

/// A phone in `dir` as an enrolment leaves it behind.
fn phone(dir: &Path) -> Phone {
    let place = Box::new(Directory::cheap(dir, secret()));
    enrolled(place, Arc::new(Native), &["152522100200"])
}

fn woman() -> Vec<Typed> {
    let sets = ["identity.name=其其格", "identity.birth_date=1985-06-07"];
    sets.iter().map(|set| set.parse().unwrap()).collect()
}

/// A phone in `dir` with a woman on it, and her record's id.
fn phone_with_a_woman(dir: &Path) -> (Phone, String) {
    let mut phone = phone(dir);
    let id = phone.add(Subject::Person, None, &woman()).unwrap();
    (phone, id.to_string())
}

fn code(error: PhoneError) -> String {
    error.issues()[0].code.clone()
}

#[test]
fn the_exchange_without_a_server_ends_and_keeps_what_was_saved() {
    let dir = tempfile::tempdir().unwrap();
    let (mut phone, _) = phone_with_a_woman(dir.path());
    assert!(matches!(sync(&mut phone), Err(PhoneError::NoConnection(_))));
    assert_eq!(phone.status().unwrap().unsent, 1);
}

#[test]
fn a_link_that_is_none_makes_no_store() {
    let dir = tempfile::tempdir().unwrap();
    let link = "ortoo://enrol?server=x";
    let error = enrol(dir.path(), &secret(), link, &Cancel::new()).unwrap_err();
    assert_eq!(code(error), "bad_link");
    assert!(!SqliteStore::exists(dir.path()));
}

#[test]
fn a_wipe_leaves_no_file_also_of_a_store_that_nobody_can_open() {
    let dir = tempfile::tempdir().unwrap();
    let (mut phone, _) = phone_with_a_woman(dir.path());
    phone.wipe(true).unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    // What nobody can open can be taken off all the same, and what is not there is no error.
    std::fs::write(dir.path().join(FILE_NAME), "no store").unwrap();
    crate::wipe::wipe(dir.path()).unwrap();
    crate::wipe::wipe(dir.path()).unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_secret_that_is_changed_while_somebody_reads_the_store_is_the_one_from_then_on() {
    let dir = tempfile::tempdir().unwrap();
    let (mut phone, id) = phone_with_a_woman(dir.path());
    // Another process looks at the file, so its log can't be cut.
    let reader = rusqlite::Connection::open(dir.path().join(FILE_NAME)).unwrap();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM row;")
        .unwrap();
    phone.change_secret(other_secret()).unwrap();
    phone.close();
    phone.show(&id).unwrap();
    assert_eq!(
        code(open(dir.path(), secret()).unwrap_err()),
        "wrong_secret"
    );
    open(dir.path(), other_secret()).unwrap();
}

#[test]
fn a_store_that_lost_its_keys_is_damaged_and_no_enrolment_goes_over_it() {
    use phone::store::Store;
    for lost in [(Table::Key, "device"), (Table::Meta, "me")] {
        let dir = tempfile::tempdir().unwrap();
        drop(phone_with_a_woman(dir.path()));
        let mut store = SqliteStore::open(dir.path(), &secret()).unwrap();
        let row = Row {
            table: lost.0,
            key: lost.1.as_bytes().to_vec(),
            space: None,
            value: None,
        };
        assert!(
            store.row(row.table, &row.key).unwrap().is_some(),
            "{lost:?}"
        );
        store.commit(&[row]).unwrap();
        drop(store);
        let file = dir.path().join(FILE_NAME);
        let before = std::fs::read(&file).unwrap();
        let link = EnrolmentLink {
            server: "https://127.0.0.1:1".to_owned(),
            network: NetworkId([1; 32]),
            code: code_from([7; 17]),
        };
        let again = enrol(dir.path(), &secret(), &link.to_string(), &Cancel::new());
        assert_eq!(code(again.unwrap_err()), "store_damaged", "{lost:?}");
        // The fence goes up with every opening; nothing else has changed.
        assert_eq!(std::fs::read(&file).unwrap().len(), before.len());
    }
}
