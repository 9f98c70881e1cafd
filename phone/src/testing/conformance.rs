//! The suite that every store of a phone must pass: [`store_conformance!`](crate::store_conformance) makes a
//! test of each function here.

use sync_core::id::{Class, Space};
use sync_core::row::{Row, Table};

use crate::keys::Secret;
use crate::store::{Place, Store, StoreError, damaged};

/// A kind of store, with what a thief or a broken disk can do to it.
pub trait Host {
    /// The store, as `secret` opens it. Every place of one host is of one store.
    fn place(&self, secret: Secret) -> Box<dyn Place>;

    /// The store, opened, whose next write ends with an unknown outcome; whether it lands is `durable`'s
    /// wish, where the host can grant it.
    fn failing(&self, secret: Secret, durable: bool) -> Box<dyn Store>;

    /// Alters the bytes of one row of a table, without the store's keys.
    fn alter_one(&self, table: Table);

    /// Puts the bytes of each of two rows of a table, the only ones, into the other's place.
    fn swap(&self, table: Table);

    /// Every byte that is kept.
    fn image(&self) -> Vec<u8>;
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned()).unwrap_or_else(|error| panic!("{error}"))
}

fn pin() -> Secret {
    secret("246810")
}

#[track_caller]
fn done<T>(result: Result<T, StoreError>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn refused<T>(result: Result<T, StoreError>) -> StoreError {
    let Err(error) = result else {
        panic!("nothing is refused");
    };
    error
}

fn created(host: &dyn Host) -> Box<dyn Store> {
    done(host.place(pin()).create())
}

fn opened(host: &dyn Host) -> Box<dyn Store> {
    done(host.place(pin()).open())
}

fn space(class: Class) -> Option<Space> {
    Space::new("152522100200", class).ok()
}

fn row(key: &str, space: Option<Space>, value: &str) -> Row {
    Row {
        table: Table::Record,
        key: key.into(),
        space,
        value: Some(value.into()),
    }
}

fn value(store: &dyn Store, key: &str) -> Option<String> {
    let value = done(store.row(Table::Record, key.as_bytes()));
    value.map(|value| String::from_utf8_lossy(&value).into_owned())
}

/// All values of the records, and how many don't open.
fn values(store: &dyn Store) -> (Vec<String>, usize) {
    let mut all = Vec::new();
    let damaged = done(store.rows(Table::Record, &mut |value| {
        all.push(String::from_utf8_lossy(&value).into_owned());
    }));
    all.sort();
    (all, damaged)
}

/// Rows survive, the last value counts, and a deleted row is gone.
pub fn what_is_committed_is_there_after_reopening(host: &dyn Host) {
    let mut store = created(host);
    let general = space(Class::General);
    done(store.commit(&[row("a", general.clone(), "1"), row("b", None, "2")]));
    let gone = Row {
        value: None,
        ..row("b", None, "")
    };
    done(store.commit(&[row("a", general, "3"), gone]));
    drop(store);
    let store = opened(host);
    assert_eq!(value(&*store, "a").as_deref(), Some("3"));
    assert_eq!(value(&*store, "b"), None);
    assert_eq!(values(&*store), (vec!["3".to_owned()], 0));
    assert_eq!(done(store.count(Table::Record)), 1);
    assert_eq!(done(store.count(Table::Batch)), 0);
}

/// There is one store at a place, and none before it is made.
pub fn a_place_has_one_store(host: &dyn Host) {
    assert!(!host.place(pin()).exists());
    assert_eq!(refused(host.place(pin()).open()), StoreError::NotThere);
    drop(created(host));
    assert!(host.place(pin()).exists());
    assert_eq!(refused(host.place(pin()).create()), StoreError::Exists);
}

/// The fence: who opened earlier writes nothing any more, and reads all the same.
pub fn the_writer_that_opened_earlier_writes_nothing_any_more(host: &dyn Host) {
    let mut old = created(host);
    let mut new = opened(host);
    let rows = [row("a", None, "1"), row("b", space(Class::Care), "2")];
    assert_eq!(refused(old.commit(&rows)), StoreError::Fenced);
    assert_eq!(value(&*new, "a"), None);
    done(new.commit(&rows));
    assert_eq!(value(&*new, "b").as_deref(), Some("2"));
    let care = space(Class::Care);
    let care = care.as_ref().unwrap_or_else(|| panic!("a space"));
    assert_eq!(value(&*old, "a").as_deref(), Some("1"));
    done(new.drop_space(care));
    assert_eq!(refused(old.change_secret(&pin())), StoreError::Fenced);
    assert_eq!(values(&*new).0, ["1"]);
}

/// A wrong secret opens nothing and takes no fence.
pub fn a_wrong_secret_takes_no_fence(host: &dyn Host) {
    let mut store = created(host);
    let wrong = host.place(secret("135791")).open();
    assert_eq!(refused(wrong), StoreError::WrongSecret);
    done(store.commit(&[row("a", None, "1")]));
}

/// After a write whose outcome is unknown the store does nothing more; opened again it has all of the
/// step or nothing of it, and goes on.
pub fn a_write_of_unknown_outcome_is_whole_or_nothing_once_it_is_opened_again(host: &dyn Host) {
    drop(created(host));
    for durable in [false, true] {
        let mut store = host.failing(pin(), durable);
        let general = space(Class::General);
        let rows = [row("a", general, "1"), row("b", None, "1")];
        assert!(matches!(refused(store.commit(&rows)), StoreError::Io(_)));
        assert_eq!(refused(store.commit(&rows)), StoreError::Unknown);
        drop(store);
        let mut store = opened(host);
        let (a, b) = (value(&*store, "a"), value(&*store, "b"));
        assert_eq!(a, b, "half a step");
        done(store.commit(&rows));
        assert_eq!(values(&*store), (vec!["1".to_owned(); 2], 0));
        let gone = rows.map(|row| Row { value: None, ..row });
        done(store.commit(&gone));
    }
}

/// Rows that were altered or swapped are counted, and harm no other.
pub fn damaged_rows_are_skipped_and_counted(host: &dyn Host) {
    let mut store = created(host);
    let general = space(Class::General);
    done(store.commit(&[
        row("a", general.clone(), "1"),
        row("b", general.clone(), "2"),
    ]));
    host.swap(Table::Record);
    assert_eq!(values(&*store), (vec![], 2));
    let read = store.row(Table::Record, b"a");
    assert_eq!(refused(read), damaged("row"));
    host.swap(Table::Record);
    assert_eq!(values(&*store).1, 0);
    done(store.commit(&[row("c", general, "3")]));
    host.alter_one(Table::Record);
    let (left, damaged) = values(&*store);
    assert_eq!((left.len(), damaged), (2, 1));
    assert_eq!(values(&*opened(host)).1, 1);
}

/// A dropped space takes its rows with it, and can come back under a new key.
pub fn a_dropped_space_takes_its_rows_with_it(host: &dyn Host) {
    let mut store = created(host);
    let (general, care) = (space(Class::General), space(Class::Care));
    let rows = [row("a", general, "1"), row("b", care.clone(), "2")];
    done(store.commit(&rows));
    let place = care.clone().unwrap_or_else(|| panic!("a space"));
    done(store.drop_space(&place));
    assert_eq!(values(&*store).0, ["1"]);
    done(store.drop_space(&place));
    done(store.commit(&[row("b", care, "3")]));
    assert_eq!(values(&*opened(host)), (vec!["1".into(), "3".into()], 0));
}

/// A changed secret opens, the old one does not, and the rows are the same.
pub fn a_changed_secret_opens_and_the_old_one_does_not(host: &dyn Host) {
    let mut store = created(host);
    done(store.commit(&[row("a", None, "1")]));
    done(store.change_secret(&secret("482913746502")));
    drop(store);
    assert_eq!(refused(host.place(pin()).open()), StoreError::WrongSecret);
    let mut place = host.place(pin());
    place.replace_secret(secret("482913746502"));
    assert_eq!(value(&*done(place.open()), "a").as_deref(), Some("1"));
}

/// Nothing of a row can be read in what is kept: no value, no key, no space. What the core has sealed to
/// the server is kept as it is.
pub fn nothing_of_a_row_can_be_read_in_what_is_kept(host: &dyn Host) {
    let mut store = created(host);
    let copy = Row {
        table: Table::Outbox,
        ..row("outbox", None, "sealed by the core")
    };
    let general = space(Class::General);
    done(store.commit(&[row("p-record-id", general, "其其格 Qiqige"), copy]));
    let image = host.image();
    let kept = |text: &str| {
        let mut windows = image.windows(text.len());
        windows.any(|window| window == text.as_bytes())
    };
    for text in ["其其格", "Qiqige", "p-record-id", "152522100200", "general"] {
        assert!(!kept(text), "{text}");
    }
    assert!(kept("sealed by the core"));
    let mut copies = Vec::new();
    done(store.rows(Table::Outbox, &mut |value| copies.push(value)));
    assert_eq!(copies, [b"sealed by the core"]);
}

/// An erased store is none, and another can be made in its place.
pub fn an_erased_store_is_none(host: &dyn Host) {
    let mut store = created(host);
    done(store.commit(&[row("a", None, "1")]));
    drop(store);
    done(host.place(pin()).erase());
    assert!(!host.place(pin()).exists());
    done(host.place(pin()).erase());
    assert_eq!(value(&*created(host), "a"), None);
}

/// Tests of a store: `$fresh` gives a [`Host`] without a store in it.
#[macro_export]
macro_rules! store_conformance {
    ($fresh:expr) => {
        use $crate::testing::conformance;

        #[test]
        fn what_is_committed_is_there_after_reopening() {
            conformance::what_is_committed_is_there_after_reopening(&$fresh);
        }

        #[test]
        fn a_place_has_one_store() {
            conformance::a_place_has_one_store(&$fresh);
        }

        #[test]
        fn the_writer_that_opened_earlier_writes_nothing_any_more() {
            conformance::the_writer_that_opened_earlier_writes_nothing_any_more(&$fresh);
        }

        #[test]
        fn a_wrong_secret_takes_no_fence() {
            conformance::a_wrong_secret_takes_no_fence(&$fresh);
        }

        #[test]
        fn a_write_of_unknown_outcome_is_whole_or_nothing_once_it_is_opened_again() {
            conformance::a_write_of_unknown_outcome_is_whole_or_nothing_once_it_is_opened_again(
                &$fresh,
            );
        }

        #[test]
        fn damaged_rows_are_skipped_and_counted() {
            conformance::damaged_rows_are_skipped_and_counted(&$fresh);
        }

        #[test]
        fn a_dropped_space_takes_its_rows_with_it() {
            conformance::a_dropped_space_takes_its_rows_with_it(&$fresh);
        }

        #[test]
        fn a_changed_secret_opens_and_the_old_one_does_not() {
            conformance::a_changed_secret_opens_and_the_old_one_does_not(&$fresh);
        }

        #[test]
        fn nothing_of_a_row_can_be_read_in_what_is_kept() {
            conformance::nothing_of_a_row_can_be_read_in_what_is_kept(&$fresh);
        }

        #[test]
        fn an_erased_store_is_none() {
            conformance::an_erased_store_is_none(&$fresh);
        }
    };
}
