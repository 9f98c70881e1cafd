//! A phone whose store is wiped, opened with another secret, or damaged.

use super::*;

#[test]
fn a_wipe_asks_about_unsent_changes_and_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut phone = phone(dir.path(), &[UNIT]);
    phone.add(Subject::Person, None, &sets(&WOMAN)).unwrap();
    let error = phone.wipe(false).unwrap_err();
    assert_eq!(code(error).0, "unsent_changes");
    assert_eq!(phone.status().unwrap().unsent, 1);
    phone.wipe(true).unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    assert_eq!(code(phone.status().unwrap_err()).0, "store_missing");
    // What nobody can open can be taken off all the same, and what is not there is no error.
    std::fs::write(dir.path().join(crate::store::FILE_NAME), "no store").unwrap();
    crate::wipe::wipe(dir.path()).unwrap();
    crate::wipe::wipe(dir.path()).unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

fn opens_with_the_new_secret_alone(mut phone: Phone, id: RecordId, new: Secret) {
    let dir = phone.dir().to_owned();
    phone.close();
    phone.show(&id.to_string()).unwrap();
    let old = Phone::open(&dir, secret()).unwrap_err();
    assert_eq!(code(old).0, "wrong_secret");
    Phone::open(&dir, new).unwrap();
}

#[test]
fn a_store_opens_with_the_new_secret_alone_after_it_was_changed() {
    let dir = tempfile::tempdir().unwrap();
    let mut phone = phone(dir.path(), &[UNIT]);
    let id = phone.add(Subject::Person, None, &sets(&WOMAN)).unwrap();
    let other = || Secret::new("another secret".to_owned()).unwrap();
    phone.change_secret(other()).unwrap();
    opens_with_the_new_secret_alone(phone, id, other());
}

#[test]
fn a_secret_that_is_changed_while_somebody_reads_the_store_is_the_one_from_then_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut phone = phone(dir.path(), &[UNIT]);
    let id = phone.add(Subject::Person, None, &sets(&WOMAN)).unwrap();
    // Another process looks at the file, so its log can't be cut.
    let reader = rusqlite::Connection::open(dir.path().join(crate::store::FILE_NAME)).unwrap();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM row;")
        .unwrap();
    let other = || Secret::new("another secret".to_owned()).unwrap();
    phone.change_secret(other()).unwrap();
    opens_with_the_new_secret_alone(phone, id, other());
}

#[test]
fn a_store_that_lost_its_keys_is_damaged_and_no_enrolment_goes_over_it() {
    for lost in [(Table::Key, "device"), (Table::Meta, "me")] {
        let dir = tempfile::tempdir().unwrap();
        let mut phone = phone(dir.path(), &[UNIT]);
        phone.add(Subject::Person, None, &sets(&WOMAN)).unwrap();
        drop(phone);
        let mut store = Store::open(dir.path(), &secret()).unwrap();
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
        let file = dir.path().join(crate::store::FILE_NAME);
        let opened = Phone::open(dir.path(), secret()).unwrap_err();
        assert_eq!(code(opened).0, "store_damaged", "{lost:?}");
        let before = std::fs::read(&file).unwrap();
        let link = Link {
            server: "https://127.0.0.1:1".to_owned(),
            network: NetworkId([1; 32]),
            code: code_from([7; 17]),
        };
        let link = link.to_string();
        let again = crate::enrol::enrol(dir.path(), &secret(), &link, &Cancel::new());
        assert_eq!(code(again.unwrap_err()).0, "store_damaged", "{lost:?}");
        // The fence goes up with every opening; nothing else has changed.
        assert_eq!(std::fs::read(&file).unwrap().len(), before.len());
    }
}

#[test]
fn a_store_that_lost_the_servers_address_shows_everything_and_takes_the_address_anew() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = phone(dir.path(), &[UNIT]);
    let id = first.add(Subject::Person, None, &sets(&WOMAN)).unwrap();
    drop(first);
    let mut store = Store::open(dir.path(), &secret()).unwrap();
    let row = Row {
        table: Table::Meta,
        key: b"host".to_vec(),
        space: None,
        value: None,
    };
    store.commit(&[row]).unwrap();
    drop(store);
    let mut phone = Phone::open(dir.path(), secret()).unwrap();
    phone.show(&id.to_string()).unwrap();
    assert_eq!(code(phone.sync().unwrap_err()).0, "address_lost");
    phone.set_server("https://127.0.0.1:1").unwrap();
    phone.close();
    assert_eq!(phone.status().unwrap().server, "https://127.0.0.1:1");
    assert_eq!(phone.status().unwrap().unsent, 1);
}
