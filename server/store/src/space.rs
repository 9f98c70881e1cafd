//! Rows of the spaces: how much each holds, and how much of that stands elsewhere too.

use sync_core::id::Space;

use super::{Conn, ROWS_MAX, Read, Row, StoreError, assembled, over_rows};

// Over many rows, see `over_rows`.
const ROWS: (&str, &str) = (
    "SELECT unit, class, counter, journaled, backed_up, restored FROM space
        WHERE (unit, class) IN (VALUES",
    ")",
);

#[cfg(test)]
pub(crate) fn built(count: usize) -> [String; 1] {
    [over_rows(ROWS, 2, count)]
}

/// What the row of a space says; zeros of one that holds nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Numbers {
    pub(super) counter: u64,
    pub(super) journaled: u64,
    pub(super) backed_up: u64,
    pub(super) restored: u64,
}

fn numbers(row: &Row) -> Result<(Space, Numbers), StoreError> {
    let read = Read::of("space", row);
    let numbers = Numbers {
        counter: read.number("counter")?,
        journaled: read.number("journaled")?,
        backed_up: read.number("backed_up")?,
        restored: read.number("restored")?,
    };
    Ok((read.space()?, numbers))
}

async fn read(conn: &mut Conn, spaces: &[&Space]) -> Result<Vec<(Space, Numbers)>, StoreError> {
    let mut found = Vec::new();
    for chunk in spaces.chunks(ROWS_MAX) {
        let mut query = assembled(over_rows(ROWS, 2, chunk.len()));
        for space in chunk {
            query = query.space(space);
        }
        let rows = query.fetch_all(conn).await?;
        found.extend(rows.iter().map(numbers).collect::<Result<Vec<_>, _>>()?);
    }
    Ok(found)
}

/// Reads the rows of many spaces at once, so that asking for each in this transaction costs nothing.
pub async fn read_ahead<'s>(
    conn: &mut Conn,
    spaces: impl IntoIterator<Item = &'s Space>,
) -> Result<(), StoreError> {
    let Some(known) = conn.known() else {
        return Ok(());
    };
    let lacking = spaces.into_iter();
    let lacking: Vec<&Space> = lacking
        .filter(|of| !known.spaces.contains_key(of))
        .collect();
    let found = read(conn, &lacking).await?;
    if let Some(known) = conn.known() {
        // One that is not there holds nothing.
        let none = lacking.into_iter().cloned();
        known
            .spaces
            .extend(none.map(|space| (space, Numbers::default())));
        known.spaces.extend(found);
    }
    Ok(())
}

/// What the row of a space says.
pub(super) async fn row(conn: &mut Conn, space: &Space) -> Result<Numbers, StoreError> {
    read_ahead(conn, [space]).await?;
    let known = conn.known().map(|known| known.spaces.get(space).copied());
    match known {
        Some(numbers) => Ok(numbers.unwrap_or_default()),
        None => {
            let found = read(conn, &[space]).await?.pop();
            Ok(found.map(|(_, numbers)| numbers).unwrap_or_default())
        }
    }
}
