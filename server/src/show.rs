//! `show` and `records`: what the server shows, by the same code as the phone.

use std::collections::{BTreeMap, BTreeSet};

use plan::Package;
use serde_json::Value;
use sync_core::check::Problem;
use sync_core::date::date_in_china;
use sync_core::id::{Class, RecordId, Space, Subject};
use sync_core::record::RecordState;
use sync_core::replica::{Shown, shown_of};
use sync_core::show::{self, Source, json};
use words::{Language, Words};

use crate::app::App;
use crate::error::CommandError;
use crate::store::record::StoredState;
use crate::store::{Conn, StoreError, record};
use crate::transaction::ReadTx;

/// The records of one unit over all its classes, as they are stored.
pub(crate) struct Unit<'a> {
    package: Option<&'a Package>,
    states: BTreeMap<RecordId, Vec<(Class, RecordState)>>,
}

impl<'a> Unit<'a> {
    /// A unit without records.
    pub(crate) fn empty(package: Option<&'a Package>) -> Self {
        Self {
            package,
            states: BTreeMap::new(),
        }
    }

    /// Takes records of one class as they are stored.
    pub(crate) fn take(
        &mut self,
        class: Class,
        states: Vec<StoredState>,
    ) -> Result<(), StoreError> {
        for (record, state) in states {
            self.put(class, record, state?);
        }
        Ok(())
    }

    /// Takes a record's state in a class.
    pub(crate) fn put(&mut self, class: Class, record: RecordId, state: RecordState) {
        self.states.entry(record).or_default().push((class, state));
    }

    /// A record's states by class.
    pub(crate) fn states(&self, record: RecordId) -> impl Iterator<Item = (Class, &RecordState)> {
        let states = self.states.get(&record).into_iter().flatten();
        states.map(|(class, state)| (*class, state))
    }
}

impl Source for Unit<'_> {
    fn package(&self) -> Option<&Package> {
        self.package
    }

    fn records_of(&self, _unit: &str) -> BTreeSet<RecordId> {
        self.states.keys().copied().collect()
    }

    fn view(&self, _unit: &str, record: RecordId) -> Shown<'_> {
        let states = self.states.get(&record).into_iter().flatten();
        states
            .flat_map(|(class, state)| shown_of(self.package, *class, state))
            .collect()
    }
}

/// A record with everything that it shows.
pub(crate) async fn show(app: &App, id: &str) -> Result<Value, CommandError> {
    let record: RecordId = id.parse().map_err(|_| CommandError::wrong("bad_id", id))?;
    let shared = app.shared();
    let ReadTx { mut conn, control } = shared.read().await?;
    let spaces = record::spaces_of(&mut conn, record).await?;
    let Some(unit) = spaces.first().map(|space| space.unit().to_owned()) else {
        return Err(CommandError::wrong("unknown_record", id));
    };
    let source = load(&mut conn, control.package(), &unit).await?;
    let words = Words::new(Language::of_environment());
    let shown = show::record(&source, &unit, record, &date_in_china(shared.clock.now()));
    Ok(json::record(&shown, true, &|problem| say(&words, problem)))
}

/// All records, linked ones as one row, without items.
pub(crate) async fn records(app: &App) -> Result<Value, CommandError> {
    let shared = app.shared();
    let ReadTx { mut conn, control } = shared.read().await?;
    let spaces = record::spaces(&mut conn).await?;
    let units: BTreeSet<&str> = spaces.iter().map(Space::unit).collect();
    let today = date_in_china(shared.clock.now());
    let words = Words::new(Language::of_environment());
    let mut rows = Vec::new();
    for unit in units {
        let source = load(&mut conn, control.package(), unit).await?;
        for subject in Subject::ALL {
            for group in show::groups(&source, unit, subject) {
                let row = show::row(&source, unit, &group, &today);
                rows.push(json::record(&row, false, &|problem| say(&words, problem)));
            }
        }
    }
    Ok(Value::Array(rows))
}

/// Everything of a unit.
pub(crate) async fn load<'a>(
    conn: &mut Conn,
    package: Option<&'a Package>,
    unit: &str,
) -> Result<Unit<'a>, StoreError> {
    let mut loaded = Unit::empty(package);
    for space in record::spaces(conn)
        .await?
        .iter()
        .filter(|space| space.unit() == unit)
    {
        loaded.take(space.class, record::of_space(conn, space).await?)?;
    }
    Ok(loaded)
}

fn say(words: &Words, problem: &Problem) -> String {
    words.say(problem.code, problem.key.as_str(), &problem.args)
}
