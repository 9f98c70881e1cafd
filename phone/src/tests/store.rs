//! A phone whose store is wiped, opened with another secret, or damaged.

use super::*;
use crate::sync::ExchangeSession;
use crate::walk::Walk;

#[test]
fn a_wipe_asks_about_unsent_changes_and_leaves_nothing() {
    let disk = Database::default();
    let mut phone = phone(&disk, &[UNIT]);
    phone.add(Subject::Person, None, &sets(&WOMAN)).unwrap();
    let error = phone.wipe(false).unwrap_err();
    assert_eq!(code(error).0, "unsent_changes");
    assert_eq!(phone.status().unwrap().unsent, 1);
    phone.wipe(true).unwrap();
    assert!(disk.values().is_empty());
    assert_eq!(code(phone.status().unwrap_err()).0, "store_missing");
}

#[test]
fn a_store_opens_with_the_new_secret_alone_after_it_was_changed() {
    let disk = Database::default();
    let mut phone = phone(&disk, &[UNIT]);
    let id = phone.add(Subject::Person, None, &sets(&WOMAN)).unwrap();
    let other = || Secret::new("another secret".to_owned()).unwrap();
    phone.change_secret(other()).unwrap();
    phone.close();
    phone.show(&id.to_string()).unwrap();
    let old = opened(&disk, secret()).unwrap_err();
    assert_eq!(code(old).0, "wrong_secret");
    opened(&disk, other()).unwrap();
}

/// Takes a row out of a store.
fn lose(disk: &Database, table: Table, key: &str) {
    let mut store = place(disk, secret()).open().unwrap();
    let row = Row {
        table,
        key: key.as_bytes().to_vec(),
        space: None,
        value: None,
    };
    assert!(store.row(table, &row.key).unwrap().is_some(), "{key}");
    store.commit(&[row]).unwrap();
}

#[test]
fn a_store_that_lost_the_servers_address_shows_everything_and_takes_the_address_anew() {
    let disk = Database::default();
    let mut first = phone(&disk, &[UNIT]);
    let id = first.add(Subject::Person, None, &sets(&WOMAN)).unwrap();
    drop(first);
    lose(&disk, Table::Meta, "host");
    let mut phone = opened(&disk, secret()).unwrap();
    phone.show(&id.to_string()).unwrap();
    let mut session = ExchangeSession::begin(&mut phone).unwrap();
    let begun = session
        .next(&mut phone)
        .and_then(|_| session.next(&mut phone));
    assert_eq!(code(begun.unwrap_err()).0, "address_lost");
    phone.set_server("https://127.0.0.1:1").unwrap();
    phone.close();
    assert_eq!(phone.status().unwrap().server, "https://127.0.0.1:1");
    assert_eq!(phone.status().unwrap().unsent, 1);
}

#[test]
fn a_store_that_lost_its_keys_is_damaged_and_not_one_that_was_never_enrolled() {
    for (table, key) in [(Table::Key, "device"), (Table::Meta, "me")] {
        let disk = Database::default();
        let mut phone = phone(&disk, &[UNIT]);
        phone.add(Subject::Person, None, &sets(&WOMAN)).unwrap();
        drop(phone);
        lose(&disk, table, key);
        let error = opened(&disk, secret()).unwrap_err();
        assert_eq!(code(error).0, "store_damaged", "{key}");
    }
}
