//! The batches: what came in, the ends of the feeds, the stash.

use std::collections::BTreeMap;

use sync_core::batch::{Batch, Reference, ReferencedBatch};
use sync_core::feed::Node;
use sync_core::id::{BatchHash, DeviceId, Space};

use super::{
    Conn, ROWS_MAX, Read, Row, StoreError, assembled, one_row, over_list, over_rows, query, space,
    statements, stored,
};

/// Batches that are read at a time where all of a space are wanted.
const BATCHES_A_READ: u32 = 256;

statements! {
    SET_COUNTER = "INSERT INTO space (unit, class, counter, moved) VALUES ($1, $2, $3, $4)
        ON CONFLICT (unit, class) DO UPDATE SET counter = excluded.counter, moved = excluded.moved";
    SPACES = "SELECT unit, class FROM space UNION SELECT unit, class FROM stash
        ORDER BY unit, class";
    TIP_NAMES = "SELECT device, hash FROM tip
        WHERE unit = $1 AND class = $2 ORDER BY device, hash";
    ADD_TIP = "INSERT INTO tip (unit, class, device, hash) VALUES ($1, $2, $3, $4)";
    MOVE_TIP = "UPDATE tip SET hash = $5
        WHERE unit = $1 AND class = $2 AND device = $3 AND hash = $4";
    REMOVE_TIP = "DELETE FROM tip
        WHERE unit = $1 AND class = $2 AND device = $3 AND hash = $4";
    SINCE = "SELECT arrival, hash, device, seq, prev FROM batch
        WHERE unit = $1 AND class = $2 AND arrival > $3 ORDER BY arrival DESC";
    FROM_NUMBER = "SELECT arrival, hash, device, seq, prev FROM batch
        WHERE unit = $1 AND class = $2 AND device = $3 AND seq >= $4 ORDER BY seq LIMIT $5";
    FIRST = "SELECT arrival, hash, device, seq, prev FROM batch
        WHERE unit = $1 AND class = $2 ORDER BY arrival LIMIT $3";
    BYTES = "SELECT bytes FROM batch WHERE unit = $1 AND class = $2 AND hash = $3";
    ADD = "INSERT INTO batch (unit, class, arrival, hash, device, seq, branch, prev, bytes)
        VALUES ($1, $2, $3, $4, $5, $6,
            CASE WHEN EXISTS (SELECT 1 FROM batch AS other WHERE other.unit = $1
                AND other.class = $2 AND other.device = $5 AND other.seq = $6)
            THEN 1 ELSE 0 END,
            $7, $8)";
    TIP_DEVICES = "SELECT DISTINCT device FROM tip WHERE unit = $1 AND class = $2";
    WHOLE = "SELECT unit, class, arrival, hash, device, seq, branch, prev, bytes FROM batch
        WHERE unit = $1 AND class = $2 AND arrival > $3 ORDER BY arrival LIMIT $4";
    STASHED_BYTES = "SELECT bytes FROM stash WHERE unit = $1 AND class = $2 AND hash = $3";
    STASH = "INSERT INTO stash (unit, class, hash, device, seq, prev, bytes)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (unit, class, hash) DO NOTHING";
    UNSTASH = "DELETE FROM stash WHERE unit = $1 AND class = $2 AND hash = $3";
    STASH_COUNT = "SELECT COUNT(*) AS waiting FROM stash";
}

// Over many rows, see `over_rows`.
const TIPS: (&str, &str) = (
    "SELECT batch.unit, batch.class, batch.arrival, batch.hash, batch.device, batch.seq, batch.prev
        FROM tip JOIN batch ON batch.unit = tip.unit AND batch.class = tip.class
            AND batch.hash = tip.hash
        WHERE (tip.unit, tip.class) IN (VALUES",
    ")",
);
const BRANCHES: (&str, &str) = (
    "SELECT unit, class, device, MIN(seq) AS seq FROM batch
        WHERE branch = 1 AND (unit, class) IN (VALUES",
    ") GROUP BY unit, class, device",
);
const STASHED: (&str, &str) = (
    "SELECT unit, class, hash, device, seq, prev FROM stash WHERE (unit, class) IN (VALUES",
    ") ORDER BY unit, class, seq, hash",
);
const NAMED: (&str, &str) = (
    "SELECT unit, class, arrival, hash, device, seq, prev FROM batch
        WHERE (unit, class, hash) IN (VALUES",
    ")",
);
const WITH_NUMBER: (&str, &str) = (
    "SELECT unit, class, arrival, hash, device, seq, prev FROM batch
        WHERE (unit, class, device, seq) IN (VALUES",
    ")",
);
// A number that was used again names nothing, so nobody pays for reading all that have it.
const NUMBERED: (&str, &str) = (
    "SELECT unit, class, device, seq, hash, bytes FROM batch
        WHERE (unit, class, device, seq) IN (VALUES",
    ") AND branch = 0 AND NOT EXISTS (SELECT 1 FROM batch AS other
        WHERE other.unit = batch.unit AND other.class = batch.class
            AND other.device = batch.device AND other.seq = batch.seq AND other.branch = 1)",
);
const FEEDS_OF: &str = "SELECT DISTINCT device, unit, class FROM tip WHERE device IN";
const AT: &str =
    "SELECT device, seq, hash, bytes FROM batch WHERE unit = $1 AND class = $2 AND arrival IN";

#[cfg(test)]
pub(crate) fn built(count: usize) -> [String; 8] {
    [
        over_list(FEEDS_OF, 0, count),
        over_rows(TIPS, 2, count),
        over_rows(BRANCHES, 2, count),
        over_rows(STASHED, 2, count),
        over_rows(NAMED, 3, count),
        over_rows(WITH_NUMBER, 4, count),
        over_rows(NUMBERED, 4, count),
        over_list(AT, 2, count),
    ]
}

/// The rows that a statement over spaces finds.
async fn over_spaces(
    conn: &mut Conn,
    statement: (&'static str, &'static str),
    spaces: &[&Space],
) -> Result<Vec<Row>, StoreError> {
    let mut found = Vec::new();
    for chunk in spaces.chunks(ROWS_MAX) {
        let mut query = assembled(over_rows(statement, 2, chunk.len()));
        for space in chunk {
            query = query.space(space);
        }
        found.extend(query.fetch_all(conn).await?);
    }
    Ok(found)
}

/// Rows sorted by the space that they are of.
fn by_space<T>(
    table: &'static str,
    rows: &[Row],
    of: impl Fn(&Row) -> Result<T, StoreError>,
) -> Result<BTreeMap<Space, Vec<T>>, StoreError> {
    let mut sorted: BTreeMap<Space, Vec<T>> = BTreeMap::new();
    for row in rows {
        let space = Read::of(table, row).space()?;
        sorted.entry(space).or_default().push(of(row)?);
    }
    Ok(sorted)
}

/// A batch's place, without its bytes.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Whose feed it is in.
    pub device: DeviceId,
    /// Its number, hash and parents.
    pub node: Node,
    /// Its place in the order in which batches of the space arrived here.
    pub arrival: u64,
}

fn node(read: &Read<'_>) -> Result<Node, StoreError> {
    Ok(Node {
        hash: read.id("hash", BatchHash::from_slice)?,
        seq: read.seq("seq")?,
        prev: read.ids("prev", BatchHash::LEN, BatchHash::from_slice)?,
    })
}

fn placed(row: &Row) -> Result<Placed, StoreError> {
    let read = Read::of("batch", row);
    Ok(Placed {
        device: read.id("device", DeviceId::from_slice)?,
        node: node(&read)?,
        arrival: read.number("arrival")?,
    })
}

fn prev(node: &Node) -> Vec<u8> {
    node.prev.iter().flat_map(|hash| hash.0).collect()
}

/// The number of batches that ever came into a space.
pub async fn counter(conn: &mut Conn, space: &Space) -> Result<u64, StoreError> {
    Ok(space::row(conn, space).await?.counter)
}

/// Writes the counter, moved by what came in at `now`.
pub async fn set_counter(
    now: i64,
    conn: &mut Conn,
    space: &Space,
    counter: u64,
) -> Result<(), StoreError> {
    let query = query(SET_COUNTER)
        .space(space)
        .bind(stored(counter))
        .bind(now);
    one_row("space", query.execute(&mut *conn).await?)?;
    if let Some(known) = conn.known().and_then(|known| known.spaces.get_mut(space)) {
        known.counter = counter;
    }
    Ok(())
}

/// All spaces in which something is held, or waits.
pub async fn spaces(conn: &mut Conn) -> Result<Vec<Space>, StoreError> {
    let rows = query(SPACES).fetch_all(conn).await?;
    rows.iter()
        .map(|row| Read::of("space", row).space())
        .collect()
}

/// The tips of all feeds of a space.
pub async fn tips(conn: &mut Conn, space: &Space) -> Result<Vec<Placed>, StoreError> {
    let mut tips = tips_of(conn, &[space]).await?;
    Ok(tips.remove(space).unwrap_or_default())
}

/// The tips of all feeds of spaces.
pub async fn tips_of(
    conn: &mut Conn,
    spaces: &[&Space],
) -> Result<BTreeMap<Space, Vec<Placed>>, StoreError> {
    by_space("batch", &over_spaces(conn, TIPS, spaces).await?, placed)
}

/// The tips as the table has them, whether or not such batches are held.
pub async fn tip_names(
    conn: &mut Conn,
    space: &Space,
) -> Result<Vec<(DeviceId, BatchHash)>, StoreError> {
    let rows = query(TIP_NAMES).space(space).fetch_all(conn).await?;
    let tip = |row| {
        let read = Read::of("tip", row);
        Ok((
            read.id("device", DeviceId::from_slice)?,
            read.id("hash", BatchHash::from_slice)?,
        ))
    };
    rows.iter().map(tip).collect()
}

/// Adds a tip.
pub async fn add_tip(
    conn: &mut Conn,
    space: &Space,
    device: DeviceId,
    hash: BatchHash,
) -> Result<(), StoreError> {
    let query = query(ADD_TIP)
        .space(space)
        .bind(device.0.to_vec())
        .bind(hash.0.to_vec());
    one_row("tip", query.execute(conn).await?)
}

/// Puts another batch, which follows it, in the place of a tip.
pub async fn move_tip(
    conn: &mut Conn,
    space: &Space,
    device: DeviceId,
    (from, to): (BatchHash, BatchHash),
) -> Result<(), StoreError> {
    let query = query(MOVE_TIP)
        .space(space)
        .bind(device.0.to_vec())
        .bind(from.0.to_vec())
        .bind(to.0.to_vec());
    one_row("tip", query.execute(conn).await?)
}

/// Removes a tip that another batch follows now.
pub async fn remove_tip(
    conn: &mut Conn,
    space: &Space,
    device: DeviceId,
    hash: BatchHash,
) -> Result<(), StoreError> {
    let query = query(REMOVE_TIP)
        .space(space)
        .bind(device.0.to_vec())
        .bind(hash.0.to_vec());
    one_row("tip", query.execute(conn).await?)
}

/// The batches that came in after `counter`, newest first.
pub async fn since(
    conn: &mut Conn,
    space: &Space,
    counter: u64,
) -> Result<Vec<Placed>, StoreError> {
    let rows = query(SINCE)
        .space(space)
        .bind(stored(counter))
        .fetch_all(conn)
        .await?;
    rows.iter().map(placed).collect()
}

/// The lowest number of each feed of a space that was used twice.
pub async fn branches(
    conn: &mut Conn,
    space: &Space,
) -> Result<BTreeMap<DeviceId, u32>, StoreError> {
    let mut branches = branches_of(conn, &[space]).await?;
    Ok(branches.remove(space).unwrap_or_default())
}

/// The lowest number of each feed of spaces that was used twice.
pub async fn branches_of(
    conn: &mut Conn,
    spaces: &[&Space],
) -> Result<BTreeMap<Space, BTreeMap<DeviceId, u32>>, StoreError> {
    let branch = |row: &Row| {
        let read = Read::of("batch", row);
        Ok((read.id("device", DeviceId::from_slice)?, read.seq("seq")?))
    };
    let branches = by_space("batch", &over_spaces(conn, BRANCHES, spaces).await?, branch)?;
    let each = branches.into_iter();
    Ok(each
        .map(|(space, of)| (space, of.into_iter().collect()))
        .collect())
}

/// The batches of a space that came in first, so many at most.
pub async fn first(
    conn: &mut Conn,
    space: &Space,
    limit: usize,
) -> Result<Vec<Placed>, StoreError> {
    let query = query(FIRST).space(space).bind(stored(limit as u64));
    let rows = query.fetch_all(conn).await?;
    rows.iter().map(placed).collect()
}

/// The batches of a feed from this number on, so many at most, the lowest first.
pub async fn from_number(
    conn: &mut Conn,
    space: &Space,
    device: DeviceId,
    seq: u32,
    limit: usize,
) -> Result<Vec<Placed>, StoreError> {
    let query = query(FROM_NUMBER)
        .space(space)
        .bind(device.0.to_vec())
        .bind(i64::from(seq))
        .bind(stored(limit as u64));
    let rows = query.fetch_all(conn).await?;
    rows.iter().map(placed).collect()
}

/// The batches with these numbers in these feeds, as far as they are held: one each, normally.
pub async fn with_numbers(
    conn: &mut Conn,
    numbers: &[(&Space, DeviceId, u32)],
) -> Result<BTreeMap<Space, Vec<Placed>>, StoreError> {
    let mut found = Vec::new();
    for chunk in numbers.chunks(ROWS_MAX) {
        let mut query = assembled(over_rows(WITH_NUMBER, 4, chunk.len()));
        for (space, device, seq) in chunk {
            query = query
                .space(space)
                .bind(device.0.to_vec())
                .bind(i64::from(*seq));
        }
        found.extend(query.fetch_all(conn).await?);
    }
    by_space("batch", &found, placed)
}

/// The batches of a space with these names, as far as they are held.
pub async fn named(
    conn: &mut Conn,
    space: &Space,
    hashes: &[BatchHash],
) -> Result<Vec<Placed>, StoreError> {
    let names: Vec<_> = hashes.iter().map(|hash| (space, *hash)).collect();
    let mut named = named_of(conn, &names).await?;
    Ok(named.remove(space).unwrap_or_default())
}

/// The batches of spaces with these names, as far as they are held.
pub async fn named_of(
    conn: &mut Conn,
    names: &[(&Space, BatchHash)],
) -> Result<BTreeMap<Space, Vec<Placed>>, StoreError> {
    let mut found = Vec::new();
    for chunk in names.chunks(ROWS_MAX) {
        let mut query = assembled(over_rows(NAMED, 3, chunk.len()));
        for (space, hash) in chunk {
            query = query.space(space).bind(hash.0.to_vec());
        }
        found.extend(query.fetch_all(conn).await?);
    }
    by_space("batch", &found, placed)
}

/// A held batch's bytes.
pub async fn bytes(
    conn: &mut Conn,
    space: &Space,
    hash: BatchHash,
) -> Result<Option<Vec<u8>>, StoreError> {
    let query = query(BYTES).space(space).bind(hash.0.to_vec());
    let row = query.fetch_optional(conn).await?;
    row.map(|row| Ok(Read::of("batch", &row).blob("bytes")?.to_vec()))
        .transpose()
}

/// The devices that have a feed in a space.
pub async fn devices(conn: &mut Conn, space: &Space) -> Result<Vec<DeviceId>, StoreError> {
    let query = query(TIP_DEVICES).space(space);
    let rows = query.fetch_all(conn).await?;
    let device = |row| Read::of("tip", row).id("device", DeviceId::from_slice);
    rows.iter().map(device).collect()
}

/// The spaces in which these devices have a feed.
pub async fn feeds_of(
    conn: &mut Conn,
    devices: &[DeviceId],
) -> Result<Vec<(DeviceId, Space)>, StoreError> {
    let mut feeds = Vec::new();
    for chunk in devices.chunks(ROWS_MAX) {
        let mut query = assembled(over_list(FEEDS_OF, 0, chunk.len()));
        for device in chunk {
            query = query.bind(device.0.to_vec());
        }
        for row in query.fetch_all(conn).await? {
            let read = Read::of("tip", &row);
            feeds.push((read.id("device", DeviceId::from_slice)?, read.space()?));
        }
    }
    Ok(feeds)
}

fn known(read: &Read<'_>, space: &Space) -> Result<(DeviceId, ReferencedBatch), StoreError> {
    let device = read.id("device", DeviceId::from_slice)?;
    let known = ReferencedBatch {
        reference: Reference::to(space, device, read.seq("seq")?),
        hash: read.id("hash", BatchHash::from_slice)?,
        bytes: read.blob("bytes")?.to_vec(),
    };
    Ok((device, known))
}

/// The batches that are the only ones with these numbers in these feeds.
pub async fn numbered(
    conn: &mut Conn,
    numbers: &[(&Space, DeviceId, u32)],
) -> Result<Vec<ReferencedBatch>, StoreError> {
    let mut held = Vec::new();
    for chunk in numbers.chunks(ROWS_MAX) {
        let mut query = assembled(over_rows(NUMBERED, 4, chunk.len()));
        for (space, device, seq) in chunk {
            query = query
                .space(space)
                .bind(device.0.to_vec())
                .bind(i64::from(*seq));
        }
        for row in query.fetch_all(&mut *conn).await? {
            let read = Read::of("batch", &row);
            held.push(known(&read, &read.space()?)?.1);
        }
    }
    Ok(held)
}

/// The batches that came into a space with these numbers of arrival, and their feeds' devices.
pub async fn at(
    conn: &mut Conn,
    space: &Space,
    arrivals: &[u64],
) -> Result<Vec<(DeviceId, ReferencedBatch)>, StoreError> {
    let mut held = Vec::new();
    for chunk in arrivals.chunks(ROWS_MAX) {
        let mut query = assembled(over_list(AT, 2, chunk.len())).space(space);
        for arrival in chunk {
            query = query.bind(stored(*arrival));
        }
        for row in query.fetch_all(&mut *conn).await? {
            held.push(known(&Read::of("batch", &row), space)?);
        }
    }
    Ok(held)
}

/// Adds a batch; a second one with a used number stands beside the first (R2).
pub async fn add(
    conn: &mut Conn,
    space: &Space,
    arrival: u64,
    batch: &Batch,
) -> Result<(), StoreError> {
    let node = batch.node();
    let query = query(ADD)
        .space(space)
        .bind(stored(arrival))
        .bind(node.hash.0.to_vec())
        .bind(batch.header.device.0.to_vec())
        .bind(i64::from(node.seq))
        .bind(prev(&node))
        .bind(batch.bytes());
    one_row("batch", query.execute(conn).await?)
}

/// A batch's row, whole.
pub struct Whole {
    /// Its place.
    pub placed: Placed,
    /// Whether another batch of its feed had its number already.
    pub branch: bool,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// At most `limit` batches that came in after `arrival`, in order.
pub async fn whole(
    conn: &mut Conn,
    space: &Space,
    arrival: u64,
    limit: u32,
) -> Result<Vec<Whole>, StoreError> {
    let query = query(WHOLE).space(space).bind(stored(arrival));
    let rows = query.bind(i64::from(limit)).fetch_all(conn).await?;
    let whole = |row| {
        let read = Read::of("batch", row);
        Ok(Whole {
            placed: placed(row)?,
            branch: read.number("branch")? == 1,
            bytes: read.blob("bytes")?.to_vec(),
        })
    };
    rows.iter().map(whole).collect()
}

/// The batches of a space, in the order in which they came in.
pub async fn all(conn: &mut Conn, space: &Space) -> Result<Vec<Vec<u8>>, StoreError> {
    let (mut batches, mut after) = (Vec::new(), 0);
    loop {
        let page = whole(conn, space, after, BATCHES_A_READ).await?;
        let Some(last) = page.last() else {
            return Ok(batches);
        };
        after = last.placed.arrival;
        batches.extend(page.into_iter().map(|whole| whole.bytes));
    }
}

/// What waits in a space for a parent.
pub async fn stashed(conn: &mut Conn, space: &Space) -> Result<Vec<(DeviceId, Node)>, StoreError> {
    let mut stashed = stashed_of(conn, &[space]).await?;
    Ok(stashed.remove(space).unwrap_or_default())
}

/// What waits in spaces for a parent.
pub async fn stashed_of(
    conn: &mut Conn,
    spaces: &[&Space],
) -> Result<BTreeMap<Space, Vec<(DeviceId, Node)>>, StoreError> {
    let waiting = |row: &Row| {
        let read = Read::of("stash", row);
        Ok((read.id("device", DeviceId::from_slice)?, node(&read)?))
    };
    by_space("stash", &over_spaces(conn, STASHED, spaces).await?, waiting)
}

/// A waiting batch's bytes.
pub async fn stashed_bytes(
    conn: &mut Conn,
    space: &Space,
    hash: BatchHash,
) -> Result<Option<Vec<u8>>, StoreError> {
    let query = query(STASHED_BYTES).space(space).bind(hash.0.to_vec());
    let row = query.fetch_optional(conn).await?;
    row.map(|row| Ok(Read::of("stash", &row).blob("bytes")?.to_vec()))
        .transpose()
}

/// Puts a batch into the stash, where it may stand already.
pub async fn stash(conn: &mut Conn, space: &Space, batch: &Batch) -> Result<(), StoreError> {
    let node = batch.node();
    let query = query(STASH)
        .space(space)
        .bind(node.hash.0.to_vec())
        .bind(batch.header.device.0.to_vec())
        .bind(i64::from(node.seq))
        .bind(prev(&node))
        .bind(batch.bytes());
    query.execute(conn).await?;
    Ok(())
}

/// Takes a batch out of the stash.
pub async fn unstash(conn: &mut Conn, space: &Space, hash: BatchHash) -> Result<(), StoreError> {
    let query = query(UNSTASH).space(space).bind(hash.0.to_vec());
    one_row("stash", query.execute(conn).await?)
}

/// How many batches wait for a parent, in all spaces.
pub async fn waiting(conn: &mut Conn) -> Result<u64, StoreError> {
    let row = query(STASH_COUNT).fetch_one(conn).await?;
    Read::of("stash", &row).number("waiting")
}
