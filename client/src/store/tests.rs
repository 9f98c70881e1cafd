use phone::testing::conformance::Host;
use sync_core::id::Class;
use tempfile::TempDir;

use super::*;

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned()).unwrap()
}

fn create(dir: &Path) -> SqliteStore {
    SqliteStore::create(dir, &secret("246810"), KdfParams::FLOOR).unwrap()
}

fn open(dir: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(dir, &secret("246810"))
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

fn value(store: &SqliteStore, key: &str) -> Option<String> {
    let value = store.row(Table::Record, key.as_bytes()).unwrap();
    value.map(|value| String::from_utf8(value).unwrap())
}

/// SQLite without the store's keys: what a thief or a broken disk can do.
fn raw(dir: &Path) -> Connection {
    Connection::open(path(dir)).unwrap()
}

/// A directory, and what a thief or a broken disk can do to it.
struct Files(TempDir);

impl Files {
    fn fresh() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn values(&self, table: Table) -> Vec<(Vec<u8>, Vec<u8>)> {
        let db = raw(self.0.path());
        let rows = "SELECT name, value FROM row WHERE tbl = ?1";
        let mut rows = db.prepare(rows).unwrap();
        let rows = rows.query_map([table as u8], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.unwrap().map(Result::unwrap).collect()
    }

    fn put(&self, name: &[u8], value: &[u8]) {
        let update = "UPDATE row SET value = ?1 WHERE name = ?2";
        let db = raw(self.0.path());
        assert_eq!(db.execute(update, params![value, name]), Ok(1));
    }
}

impl Host for Files {
    fn place(&self, secret: Secret) -> Box<dyn Place> {
        Box::new(Directory::cheap(self.0.path(), secret))
    }

    fn failing(&self, secret: Secret, _: bool) -> Box<dyn Store> {
        let store = SqliteStore::open(self.0.path(), &secret).unwrap();
        // Whatever is written now is refused with an error that says nothing of its outcome.
        store.db.pragma_update(None, "query_only", true).unwrap();
        Box::new(store)
    }

    fn alter_one(&self, table: Table) {
        let (name, mut value) = self.values(table).remove(0);
        *value.last_mut().unwrap() ^= 1;
        self.put(&name, &value);
    }

    fn swap(&self, table: Table) {
        let [(one, of_one), (other, of_other)] = self.values(table).try_into().unwrap();
        self.put(&one, &of_other);
        self.put(&other, &of_one);
    }

    fn image(&self) -> Vec<u8> {
        let file = |name: &str| std::fs::read(self.0.path().join(name)).unwrap_or_default();
        [file(FILE_NAME), file("ortoo.db-wal")].concat()
    }
}

phone::store_conformance!(Files::fresh());

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
    let made = SqliteStore::create(dir.path(), &secret("246810"), KdfParams::FLOOR);
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
    assert!(!SqliteStore::exists(dir.path()));
    assert_eq!(open(dir.path()).unwrap_err(), StoreError::NotThere);
    create(dir.path());
    assert!(SqliteStore::exists(dir.path()));
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
    SqliteStore::create(dir.path(), &with("2468", &mine), KdfParams::FLOOR).unwrap();
    let refused = |secret: &Secret| SqliteStore::open(dir.path(), secret).unwrap_err();
    assert_eq!(refused(&with("2469", &mine)), StoreError::WrongSecret);
    assert_eq!(refused(&with("2468", &other)), StoreError::WrongSecret);
    assert_eq!(refused(&secret("2468")), StoreError::OtherSecret);
    mine.silent.store(true, Ordering::SeqCst);
    assert_eq!(refused(&with("2468", &mine)), StoreError::KeyStoreSilent);
    mine.silent.store(false, Ordering::SeqCst);
    // From the phone's key store to a passphrase, and nothing of the key store opens it any more.
    let mut store = SqliteStore::open(dir.path(), &with("2468", &mine)).unwrap();
    let typed = secret("482913746502");
    store.change_secret(&typed).unwrap();
    assert_eq!(refused(&with("2468", &mine)), StoreError::OtherSecret);
    SqliteStore::open(dir.path(), &typed).unwrap();
}
