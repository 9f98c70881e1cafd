//! The records: what the batches make of them, a cache that is written with the batches.

use std::collections::BTreeSet;

use sync_core::id::{Class, DeviceId, RecordId, Space};
use sync_core::record::RecordState;

use super::decoded::Decoded;
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

fn stored_state(class: Class, row: &Row, decoded: &Decoded) -> Result<StoredState, StoreError> {
    let read = Read::of("record", row);
    let (record, bytes) = (
        read.id("record", RecordId::from_slice)?,
        read.blob("state")?,
    );
    let state = match decoded.get(class, record, bytes) {
        Some(state) => Ok(state),
        None => RecordState::from_cbor(bytes).map_err(|_| Unreadable),
    };
    Ok((record, state))
}

/// The states of these records, as far as anything of them is held.
pub async fn states(
    conn: &mut Conn,
    space: &Space,
    records: &[RecordId],
) -> Result<Vec<StoredState>, StoreError> {
    let mut states = Vec::new();
    for chunk in records.chunks(ROWS_MAX) {
        let mut query = assembled(over_list(STATES, 2, chunk.len())).space(space);
        for record in chunk {
            query = query.bind(record.to_bytes().to_vec());
        }
        for row in query.fetch_all(&mut *conn).await? {
            states.push(stored_state(space.class, &row, conn.decoded())?);
        }
    }
    Ok(states)
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
    let mut states = Vec::new();
    for chunk in records.chunks(ROWS_MAX) {
        let mut query = assembled(in_classes(classes.len(), chunk.len())).bind(unit);
        for class in classes {
            query = query.bind(i64::from(*class as u8));
        }
        for record in chunk {
            query = query.bind(record.to_bytes().to_vec());
        }
        for row in query.fetch_all(&mut *conn).await? {
            let class = Read::of("record", &row).class()?;
            states.push((class, stored_state(class, &row, conn.decoded())?));
        }
    }
    Ok(states)
}

/// Writes the states of records.
pub async fn set_states(
    conn: &mut Conn,
    space: &Space,
    states: Vec<(RecordId, RecordState)>,
) -> Result<(), StoreError> {
    let mut states = states.into_iter().peekable();
    while states.peek().is_some() {
        let chunk: Vec<(RecordId, RecordState)> = states.by_ref().take(ROWS_MAX).collect();
        let count = chunk.len();
        let mut query = assembled(over_rows(SET_STATES, 4, count));
        for (record, state) in chunk {
            let bytes = state.to_cbor();
            query = query
                .space(space)
                .bind(record.to_bytes().to_vec())
                .bind(bytes.as_slice());
            conn.decoded().remember(space.class, record, bytes, state);
        }
        rows("record", query.execute(&mut *conn).await?, count)?;
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
    let rows = query(OF_SPACE).space(space).fetch_all(&mut *conn).await?;
    let stored = |row| stored_state(space.class, row, conn.decoded());
    rows.iter().map(stored).collect()
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
