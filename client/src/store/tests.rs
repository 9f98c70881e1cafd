use super::*;
use sync_core::id::Class;

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned()).unwrap()
}

fn create(dir: &Path) -> Store {
    Store::create(dir, &secret("246810"), KdfParams::FLOOR).unwrap()
}

fn open(dir: &Path) -> Result<Store, StoreError> {
    Store::open(dir, &secret("246810"))
}

fn space(class: Class) -> Space {
    Space::new("152522100200", class).unwrap()
}

fn row(key: &str, space: Option<Space>, value: &str) -> Row {
    Row {
        table: Table::Record,
        key: key.into(),
        space,
        value: Some(value.into()),
    }
}

fn value(store: &Store, key: &str) -> Option<String> {
    let value = store.row(Table::Record, key.as_bytes()).unwrap();
    value.map(|value| String::from_utf8(value).unwrap())
}

/// SQLite without the store's keys: what a thief or a broken disk can do.
fn raw(dir: &Path) -> Connection {
    Connection::open(path(dir)).unwrap()
}

#[test]
fn what_is_committed_is_there_after_reopening_and_a_deleted_row_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = create(dir.path());
    let general = Some(space(Class::General));
    let rows = [row("a", general.clone(), "1"), row("b", None, "2")];
    store.commit(&rows).unwrap();
    let gone = Row {
        value: None,
        ..row("b", None, "")
    };
    store.commit(&[row("a", general, "3"), gone]).unwrap();
    drop(store);
    let store = open(dir.path()).unwrap();
    assert_eq!(value(&store, "a").as_deref(), Some("3"));
    assert_eq!(value(&store, "b"), None);
    let mut all = Vec::new();
    assert_eq!(store.rows(Table::Record, |value| all.push(value)), Ok(0));
    assert_eq!(all, [b"3".to_vec()]);
}

#[test]
fn a_wrong_secret_opens_nothing_and_does_not_take_the_fence() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = create(dir.path());
    assert_eq!(
        Store::open(dir.path(), &secret("135791")).unwrap_err(),
        StoreError::WrongSecret
    );
    store.commit(&[row("a", None, "1")]).unwrap();
}

#[test]
fn the_writer_that_opened_earlier_writes_nothing_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let mut old = create(dir.path());
    let mut new = open(dir.path()).unwrap();
    let rows = [row("a", None, "1"), row("b", None, "2")];
    assert_eq!(old.commit(&rows), Err(StoreError::Fenced));
    assert_eq!(value(&new, "a"), None);
    new.commit(&rows).unwrap();
    assert_eq!(
        value(&old, "b").as_deref(),
        Some("2"),
        "reading needs no fence"
    );
}

#[test]
fn a_row_put_into_another_rows_place_is_noticed_and_the_others_are_unharmed() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = create(dir.path());
    let general = Some(space(Class::General));
    store
        .commit(&[
            row("a", general.clone(), "1"),
            row("b", general.clone(), "2"),
            row("c", general, "3"),
        ])
        .unwrap();
    let name = |key: &str| store.key.row_name(Table::Record, key.as_bytes()).0;
    let value_of = |key: &str| -> Vec<u8> {
        raw(dir.path())
            .query_row(
                "SELECT value FROM row WHERE name = ?1",
                [name(key)],
                |row| row.get(0),
            )
            .unwrap()
    };
    let (a, b) = (value_of("a"), value_of("b"));
    let update = "UPDATE row SET value = ?1 WHERE name = ?2";
    raw(dir.path())
        .execute(update, params![b, name("a")])
        .unwrap();
    raw(dir.path())
        .execute(update, params![a, name("b")])
        .unwrap();
    let mut left = Vec::new();
    assert_eq!(store.rows(Table::Record, |value| left.push(value)), Ok(2));
    assert_eq!(left, [b"3".to_vec()]);
    assert_eq!(
        store.row(Table::Record, b"a"),
        Err(StoreError::Damaged { what: "row" })
    );
}

#[test]
fn the_file_holds_no_value_key_or_space_in_clear() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = create(dir.path());
    let general = Some(space(Class::General));
    store
        .commit(&[row("p-record-id", general, "其其格 Qiqige")])
        .unwrap();
    for name in [FILE_NAME, "ortoo.db-wal"] {
        let bytes = std::fs::read(dir.path().join(name)).unwrap_or_default();
        for needle in ["其其格", "Qiqige", "p-record-id", "152522100200", "general"] {
            let found = bytes
                .windows(needle.len())
                .any(|window| window == needle.as_bytes());
            assert!(!found, "{needle} in {name}");
        }
    }
}

#[test]
fn a_dropped_space_takes_its_rows_and_its_key_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = create(dir.path());
    store
        .commit(&[
            row("a", Some(space(Class::General)), "1"),
            row("b", Some(space(Class::Care)), "2"),
        ])
        .unwrap();
    store.drop_space(&space(Class::Care)).unwrap();
    assert_eq!(
        (value(&store, "a").as_deref(), value(&store, "b")),
        (Some("1"), None)
    );
    assert_eq!(
        std::fs::metadata(dir.path().join("ortoo.db-wal"))
            .unwrap()
            .len(),
        0
    );
    let keys: u32 = raw(dir.path())
        .query_row("SELECT count(*) FROM dek", [], |row| row.get(0))
        .unwrap();
    assert_eq!(keys, 1);
    // The space can come back, under a new key.
    store
        .commit(&[row("b", Some(space(Class::Care)), "3")])
        .unwrap();
    assert_eq!(value(&store, "b").as_deref(), Some("3"));
}

#[test]
fn a_changed_secret_opens_and_the_old_one_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = create(dir.path());
    store.commit(&[row("a", None, "1")]).unwrap();
    store
        .change_secret(&secret("482913746502"), KdfParams::FLOOR)
        .unwrap();
    drop(store);
    assert_eq!(open(dir.path()).unwrap_err(), StoreError::WrongSecret);
    let store = Store::open(dir.path(), &secret("482913746502")).unwrap();
    assert_eq!(value(&store, "a").as_deref(), Some("1"));
}

#[test]
fn a_file_that_is_no_store_is_named_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(open(dir.path()).unwrap_err(), StoreError::NotThere);
    std::fs::write(path(dir.path()), vec![7; 4096]).unwrap();
    assert_eq!(
        open(dir.path()).unwrap_err(),
        StoreError::Damaged {
            what: "not a store"
        }
    );
    let made = Store::create(dir.path(), &secret("246810"), KdfParams::FLOOR);
    assert_eq!(made.unwrap_err(), StoreError::Exists);
    assert_eq!(std::fs::read(path(dir.path())).unwrap(), vec![7; 4096]);
    std::fs::remove_file(path(dir.path())).unwrap();
    raw(dir.path())
        .execute("CREATE TABLE other (x)", [])
        .unwrap();
    assert!(matches!(
        open(dir.path()).unwrap_err(),
        StoreError::Damaged { .. }
    ));
}

#[test]
fn a_store_of_a_newer_program_is_named_and_not_broken() {
    let dir = tempfile::tempdir().unwrap();
    drop(create(dir.path()));
    raw(dir.path())
        .pragma_update(None, "user_version", FORMAT + 1)
        .unwrap();
    raw(dir.path())
        .execute("UPDATE header SET format = format + 1", [])
        .unwrap();
    assert!(matches!(
        open(dir.path()).unwrap_err(),
        StoreError::TooNew { .. }
    ));
}

/// Lays a store out as the first program did.
fn as_format_1(dir: &Path) {
    let sql = "ALTER TABLE row RENAME TO new_row;
        CREATE TABLE row (tbl INTEGER NOT NULL, name BLOB NOT NULL, key_id INTEGER NOT NULL,
            value BLOB NOT NULL, PRIMARY KEY (tbl, name)) STRICT, WITHOUT ROWID;
        INSERT INTO row SELECT tbl, name, key_id, value FROM new_row;
        DROP TABLE new_row;
        UPDATE header SET format = 1;
        PRAGMA user_version = 1;";
    raw(dir).execute_batch(sql).unwrap();
}

#[test]
fn a_store_of_format_1_is_made_anew_with_every_row_also_those_that_do_not_open() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = create(dir.path());
    let general = Some(space(Class::General));
    let long = "长".repeat(2000);
    store
        .commit(&[row("a", general.clone(), "1"), row("b", None, &long)])
        .unwrap();
    store.commit(&[row("damaged", general, "2")]).unwrap();
    let name = store.key.row_name(Table::Record, b"damaged").0;
    drop(store);
    as_format_1(dir.path());
    let db = raw(dir.path());
    db.execute("UPDATE row SET value = x'0102' WHERE name = ?1", [name])
        .unwrap();
    db.execute("INSERT INTO row VALUES (200, x'01', 9, x'03')", [])
        .unwrap();
    drop(db);
    for _ in 0..2 {
        let store = open(dir.path()).unwrap();
        assert_eq!(value(&store, "a").as_deref(), Some("1"));
        assert_eq!(value(&store, "b"), Some(long.clone()));
        assert_eq!(store.rows(Table::Record, |_| {}), Ok(1), "still there");
    }
    let db = raw(dir.path());
    let unknown = "SELECT count(*) FROM row WHERE tbl = 200";
    assert_eq!(db.query_row(unknown, [], |row| row.get(0)), Ok(1));
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'old_row'";
    assert_eq!(db.query_row(tables, [], |row| row.get(0)), Ok(0));
}

#[test]
fn rows_take_little_more_room_than_what_is_in_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = create(dir.path());
    // As long as a record packed, and unlike each other.
    let random = |n: u32| {
        let mut bytes = vec![0; 1200];
        getrandom::fill(&mut bytes).unwrap();
        Row {
            value: Some(bytes),
            ..row(&n.to_string(), None, "")
        }
    };
    store
        .commit(&(0..300).map(random).collect::<Vec<_>>())
        .unwrap();
    drop(store);
    raw(dir.path())
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    let bytes = std::fs::metadata(path(dir.path())).unwrap().len();
    assert!(bytes < 300 * 1200 * 3 / 2, "{bytes}");
}

#[test]
fn a_store_whose_making_was_cut_off_counts_as_none_and_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    // What a kill before the first commit leaves behind.
    drop(connect(dir.path(), OpenFlags::SQLITE_OPEN_CREATE).unwrap());
    assert!(!Store::exists(dir.path()));
    assert_eq!(open(dir.path()).unwrap_err(), StoreError::NotThere);
    create(dir.path());
    assert!(Store::exists(dir.path()));
    assert!(open(dir.path()).is_ok());
}

#[test]
fn a_full_disk_saves_nothing_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = create(dir.path());
    let pages: u32 = store
        .db
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    store
        .db
        .pragma_update(None, "max_page_count", pages)
        .unwrap();
    // What can't be packed into less.
    let mut long = vec![0; 100_000];
    getrandom::fill(&mut long).unwrap();
    let long = Row {
        value: Some(long),
        ..row("a", None, "")
    };
    assert_eq!(
        store.commit(std::slice::from_ref(&long)),
        Err(StoreError::Full)
    );
    assert_eq!(value(&store, "a"), None);
    store
        .db
        .pragma_update(None, "max_page_count", 1_000_000)
        .unwrap();
    store.commit(&[long]).unwrap();
}

/// A key store that holds this key, until it stops answering.
struct TestKeyStore {
    key: u8,
    silent: std::sync::atomic::AtomicBool,
}

impl crate::keys::KeyStore for TestKeyStore {
    fn mac(&self, message: &[u8]) -> Option<[u8; 32]> {
        use sha2::{Digest, Sha256};
        let silent = self.silent.load(std::sync::atomic::Ordering::SeqCst);
        // Not HMAC: here it only has to be a function of key and message.
        (!silent).then(|| Sha256::digest([&[self.key], message].concat()).into())
    }
}

#[test]
fn a_store_of_a_key_store_opens_with_that_key_store_and_says_what_is_missing_else() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    let dir = tempfile::tempdir().unwrap();
    let key_store = |key| {
        Arc::new(TestKeyStore {
            key,
            silent: AtomicBool::new(false),
        })
    };
    let (mine, other) = (key_store(1), key_store(2));
    let with = |pin: &str, of: &Arc<TestKeyStore>| {
        Secret::with_key_store(pin.to_owned(), of.clone()).unwrap()
    };
    assert!(with("", &mine).is_strong());
    Store::create(dir.path(), &with("2468", &mine), KdfParams::FLOOR).unwrap();
    let refused = |secret: &Secret| Store::open(dir.path(), secret).unwrap_err();
    assert_eq!(refused(&with("2469", &mine)), StoreError::WrongSecret);
    assert_eq!(refused(&with("2468", &other)), StoreError::WrongSecret);
    assert_eq!(refused(&secret("2468")), StoreError::OtherSecret);
    mine.silent.store(true, Ordering::SeqCst);
    assert_eq!(refused(&with("2468", &mine)), StoreError::KeyStoreSilent);
    mine.silent.store(false, Ordering::SeqCst);
    // From the phone's key store to a passphrase, and nothing of the key store opens it any more.
    let mut store = Store::open(dir.path(), &with("2468", &mine)).unwrap();
    let typed = secret("482913746502");
    store.change_secret(&typed, KdfParams::FLOOR).unwrap();
    assert_eq!(refused(&with("2468", &mine)), StoreError::OtherSecret);
    Store::open(dir.path(), &typed).unwrap();
}
