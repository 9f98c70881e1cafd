//! The records: what the batches make of them, a cache that is written with the batches.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use sync_core::id::{Class, DeviceId, RecordId, Space};
use sync_core::record::RecordState;

use super::{
    Conn, ROWS_MAX, Read, Row, StoreError, assembled, over_list, over_rows, query, rows,
    statements, stored,
};

statements! {
    /// Reads a record's batches without reading the space's.
    BATCHES = "SELECT batch.device, batch.bytes FROM touched
        JOIN batch ON batch.unit = touched.unit AND batch.class = touched.class
            AND batch.arrival = touched.arrival
        WHERE touched.unit = $1 AND touched.class = $2 AND touched.record = $3 ORDER BY touched.arrival";
    OF_SPACE = "SELECT record, state FROM record WHERE unit = $1 AND class = $2 ORDER BY record";
    IDS = "SELECT record FROM record WHERE unit = $1 AND class = $2 ORDER BY record";
    TOUCHED = "SELECT record, arrival FROM touched
        WHERE unit = $1 AND class = $2 ORDER BY record, arrival";
    SPACES_OF = "SELECT unit, class FROM record WHERE record = $1 ORDER BY unit, class";
    SPACES = "SELECT DISTINCT unit, class FROM record ORDER BY unit, class";
}

// Over many rows, see `over_rows`.
const STATES: &str =
    "SELECT record, state FROM record WHERE unit = $1 AND class = $2 AND record IN";
const IN_CLASSES: [&str; 3] = [
    "SELECT class, record, state FROM record WHERE unit = $1 AND class IN (",
    ") AND record IN (",
    ") ORDER BY class, record",
];
const TOUCHING: &str =
    "SELECT record, arrival FROM touched WHERE unit = $1 AND class = $2 AND record IN";
const SET_STATES: (&str, &str) = (
    "INSERT INTO record (unit, class, record, state) VALUES",
    "ON CONFLICT (unit, class, record) DO UPDATE SET state = excluded.state",
);
const TOUCH: (&str, &str) = (
    "INSERT INTO touched (unit, class, record, arrival) VALUES",
    "",
);

#[cfg(test)]
pub(crate) fn built(count: usize) -> [String; 5] {
    [
        in_classes(count, count),
        over_list(STATES, 2, count),
        over_list(TOUCHING, 2, count),
        over_rows(SET_STATES, 4, count),
        over_rows(TOUCH, 4, count),
    ]
}

/// A state that does not read. The batches say what it should be: who writes makes it again of them
/// (`quarantine::states`), who shows something to people fails.
#[derive(Clone, Copy, Debug)]
pub struct Unreadable;

impl From<Unreadable> for StoreError {
    fn from(Unreadable: Unreadable) -> Self {
        Self::Unreadable {
            table: "record",
            column: "state",
        }
    }
}

/// A record with its state as it is stored.
pub type StoredState = (RecordId, Result<RecordState, Unreadable>);

fn record_of(row: &Row) -> Result<RecordId, StoreError> {
    Read::of("record", row).id("record", RecordId::from_slice)
}

fn stored_state(row: &Row) -> Result<StoredState, StoreError> {
    let state = RecordState::from_cbor(Read::of("record", row).blob("state")?);
    Ok((record_of(row)?, state.map_err(|_| Unreadable)))
}

/// The states of these records, as far as anything of them is held.
pub async fn states(
    conn: &mut Conn,
    space: &Space,
    records: &[RecordId],
) -> Result<Vec<StoredState>, StoreError> {
    let (mut states, unknown) = known_states(conn, space, records);
    for chunk in unknown.chunks(ROWS_MAX) {
        let mut query = assembled(over_list(STATES, 2, chunk.len())).space(space);
        for record in chunk {
            query = query.bind(record.to_bytes().to_vec());
        }
        let rows = query.fetch_all(&mut *conn).await?;
        states.extend(
            rows.iter()
                .map(stored_state)
                .collect::<Result<Vec<_>, _>>()?,
        );
    }
    Ok(states)
}

/// Those of the states that the transaction has written itself, and the records of the others.
fn known_states(
    conn: &mut Conn,
    space: &Space,
    records: &[RecordId],
) -> (Vec<StoredState>, Vec<RecordId>) {
    let (mut states, mut unknown) = (Vec::new(), Vec::new());
    let known = conn.known();
    for record in records {
        let key = (space.clone(), *record);
        match known.as_ref().and_then(|known| known.states.get(&key)) {
            Some(state) => states.push((*record, Ok(state.clone()))),
            None => unknown.push(*record),
        }
    }
    (states, unknown)
}

fn in_classes(classes: usize, records: usize) -> String {
    let [head, between, tail] = IN_CLASSES;
    let list = |from: usize, count: usize| {
        let list: Vec<String> = (from..from + count).map(|at| format!("${at}")).collect();
        list.join(", ")
    };
    let (classes, records) = (list(2, classes), list(2 + classes, records));
    format!("{head}{classes}{between}{records}{tail}")
}

/// The states of these records in these classes of a unit, as far as anything of them is held.
pub async fn states_in(
    conn: &mut Conn,
    unit: &str,
    classes: &BTreeSet<Class>,
    records: &[RecordId],
) -> Result<Vec<(Class, StoredState)>, StoreError> {
    let mut states = BTreeMap::new();
    let mut unknown: BTreeSet<RecordId> = BTreeSet::new();
    for class in classes {
        let Ok(space) = Space::new(unit, *class) else {
            continue;
        };
        let (known, others) = known_states(conn, &space, records);
        unknown.extend(others);
        states.extend(known.into_iter().map(|(id, state)| ((*class, id), state)));
    }
    let unknown: Vec<RecordId> = unknown.into_iter().collect();
    for chunk in unknown.chunks(ROWS_MAX) {
        let mut query = assembled(in_classes(classes.len(), chunk.len())).bind(unit);
        for class in classes {
            query = query.bind(i64::from(*class as u8));
        }
        for record in chunk {
            query = query.bind(record.to_bytes().to_vec());
        }
        for row in query.fetch_all(conn).await? {
            let (class, record) = (Read::of("record", &row).class()?, record_of(&row)?);
            if let Entry::Vacant(free) = states.entry((class, record)) {
                free.insert(stored_state(&row)?.1);
            }
        }
    }
    let states = states.into_iter();
    Ok(states
        .map(|((class, record), state)| (class, (record, state)))
        .collect())
}

/// Writes the states of records.
pub async fn set_states(
    conn: &mut Conn,
    space: &Space,
    states: Vec<(RecordId, RecordState)>,
) -> Result<(), StoreError> {
    for chunk in states.chunks(ROWS_MAX) {
        let mut query = assembled(over_rows(SET_STATES, 4, chunk.len()));
        for (record, state) in chunk {
            query = query
                .space(space)
                .bind(record.to_bytes().to_vec())
                .bind(state.to_cbor());
        }
        rows("record", query.execute(&mut *conn).await?, chunk.len())?;
    }
    if let Some(known) = conn.known() {
        for (record, state) in states {
            known.remember(space, record, state);
        }
    }
    Ok(())
}

/// Notes that a batch changes these records, each named once.
pub async fn touch(
    conn: &mut Conn,
    space: &Space,
    records: &[RecordId],
    arrival: u64,
) -> Result<(), StoreError> {
    for chunk in records.chunks(ROWS_MAX) {
        let mut query = assembled(over_rows(TOUCH, 4, chunk.len()));
        for record in chunk {
            query = query
                .space(space)
                .bind(record.to_bytes().to_vec())
                .bind(stored(arrival));
        }
        rows("touched", query.execute(&mut *conn).await?, chunk.len())?;
    }
    Ok(())
}

/// The batches that change a record, with the devices that signed them.
pub async fn batches(
    conn: &mut Conn,
    space: &Space,
    record: RecordId,
) -> Result<Vec<(DeviceId, Vec<u8>)>, StoreError> {
    let query = query(BATCHES).space(space).bind(record.to_bytes().to_vec());
    let rows = query.fetch_all(conn).await?;
    let batch = |row| {
        let read = Read::of("batch", row);
        Ok((
            read.id("device", DeviceId::from_slice)?,
            read.blob("bytes")?.to_vec(),
        ))
    };
    rows.iter().map(batch).collect()
}

/// All records of a space with their states as they are stored.
pub async fn of_space(conn: &mut Conn, space: &Space) -> Result<Vec<StoredState>, StoreError> {
    let rows = query(OF_SPACE).space(space).fetch_all(conn).await?;
    rows.iter().map(stored_state).collect()
}

/// The records of a space, without their states.
pub async fn ids(conn: &mut Conn, space: &Space) -> Result<Vec<RecordId>, StoreError> {
    let query = query(IDS).space(space);
    let rows = query.fetch_all(conn).await?;
    let id = |row| Read::of("record", row).id("record", RecordId::from_slice);
    rows.iter().map(id).collect()
}

fn touch_of(row: &Row) -> Result<(RecordId, u64), StoreError> {
    let read = Read::of("touched", row);
    Ok((
        read.id("record", RecordId::from_slice)?,
        read.number("arrival")?,
    ))
}

/// Which batches change these records.
pub async fn touching(
    conn: &mut Conn,
    space: &Space,
    records: &[RecordId],
) -> Result<Vec<(RecordId, u64)>, StoreError> {
    let mut touching = Vec::new();
    for chunk in records.chunks(ROWS_MAX) {
        let mut query = assembled(over_list(TOUCHING, 2, chunk.len())).space(space);
        for record in chunk {
            query = query.bind(record.to_bytes().to_vec());
        }
        let rows = query.fetch_all(&mut *conn).await?;
        touching.extend(rows.iter().map(touch_of).collect::<Result<Vec<_>, _>>()?);
    }
    Ok(touching)
}

/// Which batches change which record, of a whole space.
pub async fn touched(conn: &mut Conn, space: &Space) -> Result<Vec<(RecordId, u64)>, StoreError> {
    let rows = query(TOUCHED).space(space).fetch_all(conn).await?;
    rows.iter().map(touch_of).collect()
}

/// The spaces in which something of a record is held.
pub async fn spaces_of(conn: &mut Conn, record: RecordId) -> Result<Vec<Space>, StoreError> {
    let query = query(SPACES_OF).bind(record.to_bytes().to_vec());
    let rows = query.fetch_all(conn).await?;
    rows.iter()
        .map(|row| Read::of("record", row).space())
        .collect()
}

/// The spaces that have records.
pub async fn spaces(conn: &mut Conn) -> Result<Vec<Space>, StoreError> {
    let rows = query(SPACES).fetch_all(conn).await?;
    rows.iter()
        .map(|row| Read::of("record", row).space())
        .collect()
}
