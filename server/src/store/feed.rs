//! The batches: what came in, the ends of the feeds, the stash.

use std::collections::BTreeMap;

use sync_core::batch::{Batch, Known, Reference};
use sync_core::feed::Node;
use sync_core::id::{BatchHash, DeviceId, Space};

use super::{
    Conn, ROWS_MAX, Read, Row, StoreError, assembled, one_row, over_list, over_rows, query,
    statements, stored,
};

/// Batches that are read at a time where all of a space are wanted.
const BATCHES_A_READ: u32 = 256;

statements! {
    COUNTER = "SELECT counter FROM space WHERE unit = $1 AND class = $2";
    SET_COUNTER = "INSERT INTO space (unit, class, counter, moved) VALUES ($1, $2, $3, $4)
        ON CONFLICT (unit, class) DO UPDATE SET counter = excluded.counter, moved = excluded.moved";
    SPACES = "SELECT unit, class FROM space UNION SELECT unit, class FROM stash
        ORDER BY unit, class";
    TIPS = "SELECT batch.arrival, batch.hash, batch.device, batch.seq, batch.prev FROM tip
        JOIN batch ON batch.unit = tip.unit AND batch.class = tip.class AND batch.hash = tip.hash
        WHERE tip.unit = $1 AND tip.class = $2";
    TIP_NAMES = "SELECT device, hash FROM tip
        WHERE unit = $1 AND class = $2 ORDER BY device, hash";
    ADD_TIP = "INSERT INTO tip (unit, class, device, hash) VALUES ($1, $2, $3, $4)";
    REMOVE_TIP = "DELETE FROM tip
        WHERE unit = $1 AND class = $2 AND device = $3 AND hash = $4";
    SINCE = "SELECT arrival, hash, device, seq, prev FROM batch
        WHERE unit = $1 AND class = $2 AND arrival > $3 ORDER BY arrival DESC";
    BRANCHES = "SELECT device, MIN(seq) AS seq FROM batch
        WHERE unit = $1 AND class = $2 AND branch = 1 GROUP BY device";
    FROM_NUMBER = "SELECT arrival, hash, device, seq, prev FROM batch
        WHERE unit = $1 AND class = $2 AND device = $3 AND seq >= $4";
    WITH_NUMBER = "SELECT arrival, hash, device, seq, prev FROM batch
        WHERE unit = $1 AND class = $2 AND device = $3 AND seq = $4";
    BYTES = "SELECT bytes FROM batch WHERE unit = $1 AND class = $2 AND hash = $3";
    ADD = "INSERT INTO batch (unit, class, arrival, hash, device, seq, branch, prev, bytes)
        VALUES ($1, $2, $3, $4, $5, $6,
            CASE WHEN EXISTS (SELECT 1 FROM batch AS other WHERE other.unit = $1
                AND other.class = $2 AND other.device = $5 AND other.seq = $6)
            THEN 1 ELSE 0 END,
            $7, $8)";
    TIP_DEVICES = "SELECT DISTINCT device FROM tip WHERE unit = $1 AND class = $2";
    WHOLE = "SELECT arrival, hash, device, seq, branch, prev, bytes FROM batch
        WHERE unit = $1 AND class = $2 AND arrival > $3 ORDER BY arrival LIMIT $4";
    STASHED = "SELECT hash, device, seq, prev FROM stash
        WHERE unit = $1 AND class = $2 ORDER BY seq, hash";
    STASHED_BYTES = "SELECT bytes FROM stash WHERE unit = $1 AND class = $2 AND hash = $3";
    STASH = "INSERT INTO stash (unit, class, hash, device, seq, prev, bytes)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (unit, class, hash) DO NOTHING";
    UNSTASH = "DELETE FROM stash WHERE unit = $1 AND class = $2 AND hash = $3";
    STASH_COUNT = "SELECT COUNT(*) AS waiting FROM stash";
}

// Over many rows, see `over_list` and `over_rows`.
const NAMED: &str =
    "SELECT arrival, hash, device, seq, prev FROM batch WHERE unit = $1 AND class = $2 AND hash IN";
const NUMBERED: (&str, &str) = (
    "SELECT unit, class, device, seq, hash, bytes FROM batch
        WHERE (unit, class, device, seq) IN (VALUES",
    ")",
);
const AT: &str =
    "SELECT device, seq, hash, bytes FROM batch WHERE unit = $1 AND class = $2 AND arrival IN";

#[cfg(test)]
pub(crate) fn built(count: usize) -> [String; 3] {
    [
        over_list(NAMED, 2, count),
        over_rows(NUMBERED, 4, count),
        over_list(AT, 2, count),
    ]
}

/// A batch's place, without its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) device: DeviceId,
    pub(crate) node: Node,
    pub(crate) arrival: u64,
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
pub(crate) async fn counter(conn: &mut Conn, space: &Space) -> Result<u64, StoreError> {
    let row = query(COUNTER).space(space).fetch_optional(conn).await?;
    row.map_or(Ok(0), |row| Read::of("space", &row).number("counter"))
}

/// Writes the counter, moved by what came in at `now`.
pub(crate) async fn set_counter(
    now: i64,
    conn: &mut Conn,
    space: &Space,
    counter: u64,
) -> Result<(), StoreError> {
    let query = query(SET_COUNTER)
        .space(space)
        .bind(stored(counter))
        .bind(now);
    one_row("space", query.execute(conn).await?)
}

/// All spaces in which something is held, or waits.
pub(crate) async fn spaces(conn: &mut Conn) -> Result<Vec<Space>, StoreError> {
    let rows = query(SPACES).fetch_all(conn).await?;
    rows.iter()
        .map(|row| Read::of("space", row).space())
        .collect()
}

/// The tips of all feeds of a space.
pub(crate) async fn tips(conn: &mut Conn, space: &Space) -> Result<Vec<Placed>, StoreError> {
    let rows = query(TIPS).space(space).fetch_all(conn).await?;
    rows.iter().map(placed).collect()
}

/// The tips as the table has them, whether or not such batches are held.
pub(crate) async fn tip_names(
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
pub(crate) async fn add_tip(
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

/// Removes a tip that another batch follows now.
pub(crate) async fn remove_tip(
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
pub(crate) async fn since(
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

/// The lowest number of each feed that was used twice.
pub(crate) async fn branches(
    conn: &mut Conn,
    space: &Space,
) -> Result<BTreeMap<DeviceId, u32>, StoreError> {
    let rows = query(BRANCHES).space(space).fetch_all(conn).await?;
    let branch = |row| {
        let read = Read::of("batch", row);
        Ok((read.id("device", DeviceId::from_slice)?, read.seq("seq")?))
    };
    rows.iter().map(branch).collect()
}

/// The batches of a feed from this number on.
pub(crate) async fn from_number(
    conn: &mut Conn,
    space: &Space,
    device: DeviceId,
    seq: u32,
) -> Result<Vec<Placed>, StoreError> {
    let query = query(FROM_NUMBER)
        .space(space)
        .bind(device.0.to_vec())
        .bind(i64::from(seq));
    let rows = query.fetch_all(conn).await?;
    rows.iter().map(placed).collect()
}

/// The batches of a feed with this number: one, normally.
pub(crate) async fn with_number(
    conn: &mut Conn,
    space: &Space,
    device: DeviceId,
    seq: u32,
) -> Result<Vec<Placed>, StoreError> {
    let query = query(WITH_NUMBER)
        .space(space)
        .bind(device.0.to_vec())
        .bind(i64::from(seq));
    let rows = query.fetch_all(conn).await?;
    rows.iter().map(placed).collect()
}

/// The batches with these names, as far as they are held.
pub(crate) async fn named(
    conn: &mut Conn,
    space: &Space,
    hashes: &[BatchHash],
) -> Result<Vec<Placed>, StoreError> {
    let mut named = Vec::new();
    for chunk in hashes.chunks(ROWS_MAX) {
        let mut query = assembled(over_list(NAMED, 2, chunk.len())).space(space);
        for hash in chunk {
            query = query.bind(hash.0.to_vec());
        }
        let rows = query.fetch_all(&mut *conn).await?;
        named.extend(rows.iter().map(placed).collect::<Result<Vec<_>, _>>()?);
    }
    Ok(named)
}

/// A held batch's bytes.
pub(crate) async fn bytes(
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
pub(crate) async fn devices(conn: &mut Conn, space: &Space) -> Result<Vec<DeviceId>, StoreError> {
    let query = query(TIP_DEVICES).space(space);
    let rows = query.fetch_all(conn).await?;
    let device = |row| Read::of("tip", row).id("device", DeviceId::from_slice);
    rows.iter().map(device).collect()
}

fn known(read: &Read<'_>, space: &Space) -> Result<(DeviceId, Known), StoreError> {
    let device = read.id("device", DeviceId::from_slice)?;
    let known = Known {
        reference: Reference::to(space, device, read.seq("seq")?),
        hash: read.id("hash", BatchHash::from_slice)?,
        bytes: read.blob("bytes")?.to_vec(),
    };
    Ok((device, known))
}

/// The batches with these numbers in these feeds, as far as they are held: several where a number
/// was used twice.
pub(crate) async fn numbered(
    conn: &mut Conn,
    numbers: &[(&Space, DeviceId, u32)],
) -> Result<Vec<Known>, StoreError> {
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
pub(crate) async fn at(
    conn: &mut Conn,
    space: &Space,
    arrivals: &[u64],
) -> Result<Vec<(DeviceId, Known)>, StoreError> {
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
pub(crate) async fn add(
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
pub(crate) struct Whole {
    pub(crate) placed: Placed,
    pub(crate) branch: bool,
    pub(crate) bytes: Vec<u8>,
}

/// At most `limit` batches that came in after `arrival`, in order.
pub(crate) async fn whole(
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
pub(crate) async fn all(conn: &mut Conn, space: &Space) -> Result<Vec<Vec<u8>>, StoreError> {
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
pub(crate) async fn stashed(
    conn: &mut Conn,
    space: &Space,
) -> Result<Vec<(DeviceId, Node)>, StoreError> {
    let rows = query(STASHED).space(space).fetch_all(conn).await?;
    let waiting = |row| {
        let read = Read::of("stash", row);
        Ok((read.id("device", DeviceId::from_slice)?, node(&read)?))
    };
    rows.iter().map(waiting).collect()
}

/// A waiting batch's bytes.
pub(crate) async fn stashed_bytes(
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
pub(crate) async fn stash(conn: &mut Conn, space: &Space, batch: &Batch) -> Result<(), StoreError> {
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
pub(crate) async fn unstash(
    conn: &mut Conn,
    space: &Space,
    hash: BatchHash,
) -> Result<(), StoreError> {
    let query = query(UNSTASH).space(space).bind(hash.0.to_vec());
    one_row("stash", query.execute(conn).await?)
}

/// How many batches wait for a parent, in all spaces.
pub(crate) async fn waiting(conn: &mut Conn) -> Result<u64, StoreError> {
    let row = query(STASH_COUNT).fetch_one(conn).await?;
    Read::of("stash", &row).number("waiting")
}
