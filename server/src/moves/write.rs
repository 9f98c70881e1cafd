//! How this node writes: as a device like any other, whose batches lie in the feeds of the spaces.

use plan::Package;
use sync_core::batch::{Batch, Binding, Entry, Header};
use sync_core::change::Change;
use sync_core::feed::Feed;
use sync_core::id::{ActorId, AuthorId, ChangeHash, Class, DeviceId, RecordId, Space};
use sync_core::record::RecordState;
use sync_core::value::{Key, Value};
use sync_core::wire::SpaceClaim;

use crate::clock::random;
use crate::store::{StoreError, feed};
use crate::transaction::WriteTx;
use crate::{exchange, standing};

/// Keys in one change: a batch of a node is small enough for every message.
const KEYS_MAX: usize = 64;
/// Bytes of keys and values in one change.
const BYTES_MAX: usize = 12 * 1024;

/// A record in a space.
pub(super) struct Place {
    pub(super) space: Space,
    pub(super) record: RecordId,
}

impl Place {
    pub(super) fn new(unit: &str, class: Class, record: RecordId) -> Result<Self, StoreError> {
        Ok(Self {
            space: super::space(unit, class)?,
            record,
        })
    }

    /// What is stored of it.
    pub(super) async fn state(&self, tx: &mut WriteTx<'_>) -> Result<RecordState, StoreError> {
        standing::state(&mut tx.conn, &tx.control, &self.space, self.record).await
    }
}

/// Writes values to a record as somebody who has seen `seen` of it, or all of it. What can't be written stays where it was, and the log says so.
pub(super) async fn write(
    tx: &mut WriteTx<'_>,
    package: &Package,
    place: &Place,
    seen: Option<Vec<ChangeHash>>,
    puts: Vec<(Key, Value)>,
) -> Result<(), StoreError> {
    let now = tx.node.clock.now();
    let node = DeviceId::of_key(&tx.node.node.public().bytes);
    let mut state = place.state(tx).await?;
    let mut seen = seen.unwrap_or_else(|| state.heads().to_vec());
    let actor = ActorId::new(node, random()?);
    let mut changes = Vec::new();
    for puts in pieces(puts) {
        let written = match state.write(actor, &seen, &puts, now) {
            Ok(written) => written,
            Err(error) => {
                tracing::error!(%error, "a moved record is not written");
                break;
            }
        };
        let Some((change, next)) = written else {
            continue;
        };
        if let Ok(read) = Change::parse(&change) {
            seen = vec![read.hash];
        }
        changes.push(change);
        state = next;
    }
    let entries = changes.into_iter().map(|change| Entry {
        record: place.record,
        change,
    });
    let entries: Vec<Entry> = entries.collect();
    hold(tx, package.version, &place.space, entries).await
}

/// Values in pieces that each make one change.
fn pieces(puts: Vec<(Key, Value)>) -> Vec<Vec<(Key, Value)>> {
    let mut pieces: Vec<Vec<(Key, Value)>> = Vec::new();
    let mut room = 0;
    for (key, value) in puts {
        let bytes = key.as_str().len() + value.as_text().map_or(8, str::len);
        let full = pieces.last().is_none_or(|piece| piece.len() == KEYS_MAX);
        if full || bytes > room {
            pieces.push(Vec::new());
            room = BYTES_MAX;
        }
        room = room.saturating_sub(bytes);
        if let Some(piece) = pieces.last_mut() {
            piece.push((key, value));
        }
    }
    pieces
}

/// Signs each entry as a batch behind what this node has written, and takes it in as everybody's are.
async fn hold(
    tx: &mut WriteTx<'_>,
    dictionary: u32,
    space: &Space,
    entries: Vec<Entry>,
) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    let (conn, shared) = (&mut tx.conn, tx.node);
    let (now, network) = (shared.clock.now(), shared.me.network);
    let node = DeviceId::of_key(&shared.node.public().bytes);
    let name = space.to_string();
    let own = feed::tips(conn, &name).await?.into_iter();
    let own: Vec<_> = own.filter(|tip| tip.device == node).collect();
    let tips: Vec<_> = own.iter().map(|tip| tip.node.hash).collect();
    let nodes = own.into_iter().map(|tip| tip.node);
    let (mut seq, mut prev) = Feed::from_parts(nodes, &tips).next();
    let mut batches = Vec::new();
    for entry in entries {
        let header = Header {
            space: space.clone(),
            device: node,
            author: AuthorId(node.0),
            seq,
            prev,
            dictionary,
            time: now,
            binding: Binding::Apart,
        };
        let seed = random()?;
        let sign = |message: &[u8]| shared.node.sign(message);
        let batch = Batch::sign(network, header, vec![entry], seed, &sign);
        (seq, prev) = (seq.saturating_add(1), vec![batch.hash]);
        batches.push(Ok(batch));
    }
    let claim = SpaceClaim {
        space: space.clone(),
        counter: feed::counter(conn, &name).await?,
        changes: Vec::new(),
        ladders: Vec::new(),
    };
    let (mut held, stashes) = exchange::load_all(conn, &[claim], &batches).await?;
    tx.ingest(now, &mut held, stashes, &batches).await?;
    Ok(())
}
