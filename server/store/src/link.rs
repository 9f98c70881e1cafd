//! Ties between records: ID numbers (blind), statements, households; and groups with open
//! conflicts.

use std::collections::BTreeSet;

use sync_core::id::RecordId;

use super::{
    Conn, ROWS_MAX, Read, Row, StoreError, assembled, one_row, over_list, over_rows, query, rows,
    statements,
};

statements! {
    REMOVE_NUMBER = "DELETE FROM identity_number
        WHERE number = $1 AND unit = $2 AND record = $3";
    REMOVE_HOME = "DELETE FROM lives_in WHERE unit = $1 AND household = $2 AND person = $3";
    REMOVE_LINK = "DELETE FROM linked WHERE unit = $1 AND record = $2 AND other = $3";
    SHARED_NUMBERS = "SELECT number, unit, record FROM identity_number WHERE number IN
        (SELECT number FROM identity_number GROUP BY number HAVING COUNT(DISTINCT unit) > 1)
        ORDER BY number, unit, record";
    OPEN = "INSERT INTO open_conflict (unit, record) VALUES ($1, $2)";
    CLOSE = "DELETE FROM open_conflict WHERE unit = $1 AND record = $2";
    OPEN_ALL = "SELECT unit, record FROM open_conflict ORDER BY unit, record";
}

// Over many rows, see `over_rows`.
const NUMBERS_OF: &str =
    "SELECT number, unit, record FROM identity_number WHERE unit = $1 AND record IN";
const HOLDERS: &str = "SELECT number, unit, record FROM identity_number WHERE number IN";
const ADD_NUMBERS: (&str, &str) = (
    "INSERT INTO identity_number (number, unit, record) VALUES",
    "",
);
const HOMES_OF: &str = "SELECT household, person FROM lives_in WHERE unit = $1 AND person IN";
const DWELLERS: &str = "SELECT household, person FROM lives_in WHERE unit = $1 AND household IN";
const ADD_HOMES: (&str, &str) = ("INSERT INTO lives_in (unit, household, person) VALUES", "");
const LINKED_WITH: [&str; 2] = [
    "SELECT other AS of FROM linked WHERE unit = $1 AND record IN",
    "UNION ALL SELECT record AS of FROM linked WHERE unit = $1 AND other IN",
];
const TIES_OF: [&str; 4] = [
    "SELECT 'number' AS kind, record, number AS tie FROM identity_number
        WHERE unit = $1 AND record IN",
    "UNION ALL SELECT 'link' AS kind, record, other AS tie FROM linked
        WHERE unit = $1 AND record IN",
    "UNION ALL SELECT 'linked' AS kind, other AS record, record AS tie FROM linked
        WHERE unit = $1 AND other IN",
    "UNION ALL SELECT 'home' AS kind, person AS record, household AS tie FROM lives_in
        WHERE unit = $1 AND person IN",
];
const ADD_LINKS: (&str, &str) = ("INSERT INTO linked (unit, record, other) VALUES", "");
const OPEN_OF: &str = "SELECT unit, record FROM open_conflict WHERE unit = $1 AND record IN";

#[cfg(test)]
pub(crate) fn built(count: usize) -> Vec<String> {
    vec![
        over_list(NUMBERS_OF, 1, count),
        over_list(HOLDERS, 0, count),
        over_rows(ADD_NUMBERS, 3, count),
        over_list(HOMES_OF, 1, count),
        over_list(DWELLERS, 1, count),
        over_rows(ADD_HOMES, 3, count),
        over_lists(&LINKED_WITH, count),
        over_lists(&TIES_OF, count),
        over_rows(ADD_LINKS, 3, count),
        over_list(OPEN_OF, 1, count),
    ]
}

/// Statements over the same list, one after the other.
fn over_lists(heads: &[&'static str], count: usize) -> String {
    let each: Vec<String> = heads.iter().map(|head| over_list(head, 1, count)).collect();
    each.join(" ")
}

/// What ties records of a unit to others, as it is written.
#[derive(Debug, Default)]
pub struct Ties {
    /// ID numbers, blind, with whoever shows them.
    pub numbers: BTreeSet<Holder>,
    /// Statements that two records are one person or are not.
    pub links: BTreeSet<Linked>,
    /// Those in whose records something is said about one of these.
    pub linked: BTreeSet<RecordId>,
    /// Persons and the households that they live in.
    pub homes: BTreeSet<Home>,
}

/// What ties these persons' records of a unit to others.
pub async fn ties_of(
    conn: &mut Conn,
    unit: &str,
    persons: &[RecordId],
) -> Result<Ties, StoreError> {
    let mut ties = Ties::default();
    for chunk in persons.chunks(ROWS_MAX) {
        let mut query = assembled(over_lists(&TIES_OF, chunk.len())).bind(unit);
        for record in chunk {
            query = query.bind(record.to_bytes().to_vec());
        }
        for row in query.fetch_all(conn).await? {
            let (kind, table) = match Read::of("linked", &row).text("kind")? {
                "number" => (Tie::Number, "identity_number"),
                "link" => (Tie::Link, "linked"),
                "linked" => (Tie::Linked, "linked"),
                _ => (Tie::Home, "lives_in"),
            };
            let read = Read::of(table, &row);
            let person = read.id("record", RecordId::from_slice)?;
            match kind {
                Tie::Number => {
                    let number = Blind(read.bytes("tie")?);
                    ties.numbers.insert((number, unit.to_owned(), person));
                }
                Tie::Link => {
                    let other = read.id("tie", RecordId::from_slice)?;
                    ties.links.insert((person, other));
                }
                Tie::Linked => {
                    ties.linked.insert(read.id("tie", RecordId::from_slice)?);
                }
                Tie::Home => {
                    let household = read.id("tie", RecordId::from_slice)?;
                    ties.homes.insert((household, person));
                }
            }
        }
    }
    Ok(ties)
}

/// Which table a row of [`TIES_OF`] is of.
enum Tie {
    Number,
    Link,
    Linked,
    Home,
}

/// An ID number as the index has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Blind(pub [u8; 16]);

/// Who shows which number: blind number, unit, record.
pub type Holder = (Blind, String, RecordId);

fn holder(row: &Row) -> Result<Holder, StoreError> {
    let read = Read::of("identity_number", row);
    Ok((
        Blind(read.bytes("number")?),
        read.text("unit")?.to_owned(),
        read.id("record", RecordId::from_slice)?,
    ))
}

/// The numbers that records of a unit show.
pub async fn numbers_of(
    conn: &mut Conn,
    unit: &str,
    records: &[RecordId],
) -> Result<BTreeSet<Holder>, StoreError> {
    let mut found = BTreeSet::new();
    for chunk in records.chunks(ROWS_MAX) {
        let mut query = assembled(over_list(NUMBERS_OF, 1, chunk.len())).bind(unit);
        for record in chunk {
            query = query.bind(record.to_bytes().to_vec());
        }
        for row in query.fetch_all(&mut *conn).await? {
            found.insert(holder(&row)?);
        }
    }
    Ok(found)
}

/// All records, of whatever unit, that show one of these numbers.
pub async fn holders(conn: &mut Conn, numbers: &[Blind]) -> Result<BTreeSet<Holder>, StoreError> {
    let mut found = BTreeSet::new();
    for chunk in numbers.chunks(ROWS_MAX) {
        let mut query = assembled(over_list(HOLDERS, 0, chunk.len()));
        for number in chunk {
            query = query.bind(number.0.to_vec());
        }
        for row in query.fetch_all(&mut *conn).await? {
            found.insert(holder(&row)?);
        }
    }
    Ok(found)
}

/// The numbers that records of several units show, with all that do.
pub async fn shared_numbers(conn: &mut Conn) -> Result<Vec<Holder>, StoreError> {
    let rows = query(SHARED_NUMBERS).fetch_all(conn).await?;
    rows.iter().map(holder).collect()
}

/// Writes that records show numbers from now on.
pub async fn add_numbers(conn: &mut Conn, added: &[&Holder]) -> Result<(), StoreError> {
    for chunk in added.chunks(ROWS_MAX) {
        let mut query = assembled(over_rows(ADD_NUMBERS, 3, chunk.len()));
        for (number, unit, record) in chunk {
            query = query
                .bind(number.0.to_vec())
                .bind(unit.as_str())
                .bind(record.to_bytes().to_vec());
        }
        let done = query.execute(&mut *conn).await?;
        rows("identity_number", done, chunk.len())?;
    }
    Ok(())
}

/// Writes that a record shows a number no longer.
pub async fn remove_number(
    conn: &mut Conn,
    (number, unit, record): &Holder,
) -> Result<(), StoreError> {
    let query = query(REMOVE_NUMBER)
        .bind(number.0.to_vec())
        .bind(unit.as_str())
        .bind(record.to_bytes().to_vec());
    one_row("identity_number", query.execute(conn).await?)
}

/// A table of pairs of a unit's records, by the names of its columns.
struct Pairs {
    table: &'static str,
    columns: [&'static str; 2],
}

const LIVES_IN: Pairs = Pairs {
    table: "lives_in",
    columns: ["household", "person"],
};
const LINKED: Pairs = Pairs {
    table: "linked",
    columns: ["record", "other"],
};

impl Pairs {
    /// The pairs of a unit that a statement on a list of records finds.
    async fn find(
        &self,
        conn: &mut Conn,
        head: &'static str,
        unit: &str,
        records: &[RecordId],
    ) -> Result<BTreeSet<(RecordId, RecordId)>, StoreError> {
        let [first, second] = self.columns;
        let mut found = BTreeSet::new();
        for chunk in records.chunks(ROWS_MAX) {
            let mut query = assembled(over_list(head, 1, chunk.len())).bind(unit);
            for record in chunk {
                query = query.bind(record.to_bytes().to_vec());
            }
            for row in query.fetch_all(&mut *conn).await? {
                let read = Read::of(self.table, &row);
                found.insert((
                    read.id(first, RecordId::from_slice)?,
                    read.id(second, RecordId::from_slice)?,
                ));
            }
        }
        Ok(found)
    }

    async fn add(
        &self,
        conn: &mut Conn,
        statement: (&'static str, &'static str),
        unit: &str,
        added: &[&(RecordId, RecordId)],
    ) -> Result<(), StoreError> {
        for chunk in added.chunks(ROWS_MAX) {
            let mut query = assembled(over_rows(statement, 3, chunk.len()));
            for (first, second) in chunk {
                query = query
                    .bind(unit)
                    .bind(first.to_bytes().to_vec())
                    .bind(second.to_bytes().to_vec());
            }
            rows(self.table, query.execute(&mut *conn).await?, chunk.len())?;
        }
        Ok(())
    }

    async fn remove(
        &self,
        conn: &mut Conn,
        statement: &'static str,
        unit: &str,
        (first, second): &(RecordId, RecordId),
    ) -> Result<(), StoreError> {
        let query = query(statement)
            .bind(unit)
            .bind(first.to_bytes().to_vec())
            .bind(second.to_bytes().to_vec());
        one_row(self.table, query.execute(conn).await?)
    }
}

/// Who names which household: household, person.
pub type Home = (RecordId, RecordId);

/// The households that persons name.
pub async fn homes_of(
    conn: &mut Conn,
    unit: &str,
    persons: &[RecordId],
) -> Result<BTreeSet<Home>, StoreError> {
    LIVES_IN.find(conn, HOMES_OF, unit, persons).await
}

/// The persons who name households.
pub async fn dwellers(
    conn: &mut Conn,
    unit: &str,
    households: &[RecordId],
) -> Result<BTreeSet<Home>, StoreError> {
    LIVES_IN.find(conn, DWELLERS, unit, households).await
}

/// Writes that persons name households from now on.
pub async fn add_homes(conn: &mut Conn, unit: &str, added: &[&Home]) -> Result<(), StoreError> {
    LIVES_IN.add(conn, ADD_HOMES, unit, added).await
}

/// Writes that a person names a household no longer.
pub async fn remove_home(conn: &mut Conn, unit: &str, home: &Home) -> Result<(), StoreError> {
    LIVES_IN.remove(conn, REMOVE_HOME, unit, home).await
}

/// A pair of records that something was said about: the one in which it stands, the other.
pub type Linked = (RecordId, RecordId);

/// The records of a unit about which something was said together with one of these, whichever of the
/// two it stands in.
pub async fn linked_with(
    conn: &mut Conn,
    unit: &str,
    records: &[RecordId],
) -> Result<BTreeSet<RecordId>, StoreError> {
    let mut found = BTreeSet::new();
    for chunk in records.chunks(ROWS_MAX) {
        let mut query = assembled(over_lists(&LINKED_WITH, chunk.len())).bind(unit);
        for record in chunk {
            query = query.bind(record.to_bytes().to_vec());
        }
        for row in query.fetch_all(conn).await? {
            found.insert(Read::of("linked", &row).id("of", RecordId::from_slice)?);
        }
    }
    Ok(found)
}

/// Writes that something was said of pairs.
pub async fn add_links(conn: &mut Conn, unit: &str, added: &[&Linked]) -> Result<(), StoreError> {
    LINKED.add(conn, ADD_LINKS, unit, added).await
}

/// Writes that nothing is said of a pair.
pub async fn remove_link(conn: &mut Conn, unit: &str, link: &Linked) -> Result<(), StoreError> {
    LINKED.remove(conn, REMOVE_LINK, unit, link).await
}

fn open(row: &Row) -> Result<(String, RecordId), StoreError> {
    let read = Read::of("open_conflict", row);
    Ok((
        read.text("unit")?.to_owned(),
        read.id("record", RecordId::from_slice)?,
    ))
}

/// Which of these groups have an open conflict, as it is written.
pub async fn open_of(
    conn: &mut Conn,
    unit: &str,
    records: &[RecordId],
) -> Result<BTreeSet<RecordId>, StoreError> {
    let mut found = BTreeSet::new();
    for chunk in records.chunks(ROWS_MAX) {
        let mut query = assembled(over_list(OPEN_OF, 1, chunk.len())).bind(unit);
        for record in chunk {
            query = query.bind(record.to_bytes().to_vec());
        }
        for row in query.fetch_all(&mut *conn).await? {
            found.insert(open(&row)?.1);
        }
    }
    Ok(found)
}

/// Every group with an open conflict, by unit.
pub async fn open_all(conn: &mut Conn) -> Result<Vec<(String, RecordId)>, StoreError> {
    let rows = query(OPEN_ALL).fetch_all(conn).await?;
    rows.iter().map(open).collect()
}

/// Writes whether a group has an open conflict; it had the other before.
pub async fn set_open(
    conn: &mut Conn,
    unit: &str,
    record: RecordId,
    is_open: bool,
) -> Result<(), StoreError> {
    let query = query(if is_open { OPEN } else { CLOSE })
        .bind(unit)
        .bind(record.to_bytes().to_vec());
    one_row("open_conflict", query.execute(conn).await?)
}
