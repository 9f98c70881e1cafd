//! `verify`: a rebuild of everything that follows from the batches, compared with what is stored.
//! In one snapshot, so that it can run beside a server that serves.

use std::collections::{BTreeMap, BTreeSet};

use store::feed::{self, Whole};
use store::{Conn, StoreError, quarantined, record};
use sync_core::batch::Batch;
use sync_core::control::Control;
use sync_core::feed::Feed;
use sync_core::id::{BatchHash, DeviceId, NetworkId, RecordId, Space};
use sync_core::quarantine::{HeldChange, Quarantine, effective_changes};

use crate::quarantine::rebuild;

/// Batches that are read at a time.
const PAGE: u32 = 500;

/// What `verify` found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Records stored or made from batches.
    pub records: u64,
    /// Batches held.
    pub batches: u64,
    /// Feeds in which some batch has more than one child: branches, which are no fault.
    pub forks: u64,
    /// Batches in the stash.
    pub waiting: u64,
    /// Changes held that are not admitted: invalid, or behind one that is missing or invalid.
    pub aside: u64,
    /// What is not as the batches say.
    pub differences: Vec<Difference>,
}

/// Something stored that is not as the batches say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What: `batch`, `stash`, `counter`, `tips`, `touched`, `quarantined`, `record`.
    pub what: &'static str,
    /// In which space.
    pub space: Space,
    /// Which one: a batch's hash, a device, a record; empty for the space itself.
    pub which: String,
    /// In what way.
    pub how: &'static str,
}

/// Verifies everything.
pub(crate) async fn verify(
    conn: &mut Conn,
    network: NetworkId,
    control: &Control,
) -> Result<Verified, StoreError> {
    let mut verified = Verified {
        waiting: feed::waiting(conn).await?,
        ..Verified::default()
    };
    let mut spaces: BTreeSet<Space> = feed::spaces(conn).await?.into_iter().collect();
    spaces.extend(record::spaces(conn).await?);
    for space in spaces {
        let mut check = Check {
            space: &space,
            network,
            control,
            verified: &mut verified,
        };
        check.space(conn).await?;
    }
    Ok(verified)
}

struct Check<'a> {
    space: &'a Space,
    network: NetworkId,
    control: &'a Control,
    verified: &'a mut Verified,
}

/// What the batches of a space make.
#[derive(Default)]
struct Made {
    newest: u64,
    feeds: BTreeMap<DeviceId, Feed>,
    children: BTreeMap<(DeviceId, Option<BatchHash>), u32>,
    numbers: BTreeSet<(DeviceId, u32)>,
    touched: BTreeSet<(RecordId, u64)>,
    changes: BTreeMap<RecordId, Vec<(BatchHash, DeviceId, Vec<u8>)>>,
}

impl Check<'_> {
    async fn space(&mut self, conn: &mut Conn) -> Result<(), StoreError> {
        let mut made = Made::default();
        loop {
            let page = feed::whole(conn, self.space, made.newest, PAGE).await?;
            if page.is_empty() {
                break;
            }
            page.iter().for_each(|row| self.batch(row, &mut made));
        }
        let counter = feed::counter(conn, self.space).await?;
        if counter != made.newest {
            self.differs("counter", "", "is not the number of batches that came in");
        }
        self.stash(conn).await?;
        self.tips(conn, &made).await?;
        self.touched(conn, &made).await?;
        let quarantined = self.uncounted(conn, &made).await?;
        self.records(conn, &made, &quarantined).await
    }

    fn differs(&mut self, what: &'static str, which: impl ToString, how: &'static str) {
        let difference = Difference {
            what,
            space: self.space.clone(),
            which: which.to_string(),
            how,
        };
        self.verified.differences.push(difference);
    }

    fn batch(&mut self, row: &Whole, made: &mut Made) {
        self.verified.batches += 1;
        let stored = &row.placed;
        let name = stored.node.hash;
        if stored.arrival != made.newest + 1 {
            self.differs(
                "batch",
                name,
                "does not follow the batch that came in before it",
            );
        }
        made.newest = stored.arrival;
        let key_of = |device, space: &Space| self.control.writer_key(device, space);
        let batch = match Batch::verify(self.network, &row.bytes, key_of) {
            Ok(batch) => batch,
            Err(unfit) => return self.differs("batch", name, unfit.code()),
        };
        self.holds_nothing_erased("batch", &batch);
        let node = batch.node();
        let device = batch.header.device;
        let as_stored =
            node == stored.node && device == stored.device && batch.header.space == *self.space;
        if !as_stored {
            return self.differs("batch", name, "is not what its row says");
        }
        if row.branch == made.numbers.insert((device, node.seq)) {
            self.differs("batch", name, "is not a branch, or is one");
        }
        let feed = made.feeds.entry(device).or_default();
        if feed.check(&node).is_err() {
            return self.differs("batch", name, "came in before a parent, or contradicts it");
        }
        feed.insert(node.clone());
        let parents: Vec<Option<BatchHash>> = match node.prev.is_empty() {
            true => vec![None],
            false => node.prev.into_iter().map(Some).collect(),
        };
        for parent in parents {
            *made.children.entry((device, parent)).or_default() += 1;
        }
        for entry in batch.entries {
            made.touched.insert((entry.record, stored.arrival));
            made.changes
                .entry(entry.record)
                .or_default()
                .push((name, device, entry.change));
        }
    }

    /// What waits for a parent was signed by who may, and is blotted like what is held.
    async fn stash(&mut self, conn: &mut Conn) -> Result<(), StoreError> {
        let space = self.space;
        for (_, node) in feed::stashed(conn, space).await? {
            let bytes = feed::stashed_bytes(conn, space, node.hash).await?;
            let key_of = |device, space: &Space| self.control.writer_key(device, space);
            match Batch::verify(self.network, &bytes.unwrap_or_default(), key_of) {
                Ok(batch) => self.holds_nothing_erased("stash", &batch),
                Err(unfit) => self.differs("stash", node.hash, unfit.code()),
            }
        }
        Ok(())
    }

    fn holds_nothing_erased(&mut self, what: &'static str, batch: &Batch) {
        let mut records = batch.entries.iter().map(|entry| entry.record);
        if records.any(|record| self.control.is_erased(record)) {
            self.differs(what, batch.hash, "holds what an erasure has named");
        }
    }

    async fn tips(&mut self, conn: &mut Conn, made: &Made) -> Result<(), StoreError> {
        let forked: BTreeSet<DeviceId> = made
            .children
            .iter()
            .filter(|(_, children)| **children > 1)
            .map(|((device, _), _)| *device)
            .collect();
        self.verified.forks += forked.len() as u64;
        let stored: BTreeSet<(DeviceId, BatchHash)> = feed::tip_names(conn, self.space)
            .await?
            .into_iter()
            .collect();
        let expected: BTreeSet<(DeviceId, BatchHash)> = made
            .feeds
            .iter()
            .flat_map(|(device, feed)| feed.tips().map(|node| (*device, node.hash)))
            .collect();
        let different: BTreeSet<DeviceId> = stored
            .symmetric_difference(&expected)
            .map(|(device, _)| *device)
            .collect();
        for device in different {
            self.differs("tips", device, "are not the ends of the feed");
        }
        Ok(())
    }

    async fn touched(&mut self, conn: &mut Conn, made: &Made) -> Result<(), StoreError> {
        let stored: BTreeSet<(RecordId, u64)> = record::touched(conn, self.space)
            .await?
            .into_iter()
            .collect();
        let different: BTreeSet<RecordId> = stored
            .symmetric_difference(&made.touched)
            .map(|(record, _)| *record)
            .collect();
        for record in different {
            self.differs(
                "touched",
                record,
                "does not name the batches that change it",
            );
        }
        Ok(())
    }

    /// Which batches of revoked devices don't count by themselves.
    async fn uncounted(
        &mut self,
        conn: &mut Conn,
        made: &Made,
    ) -> Result<BTreeMap<BatchHash, Quarantine>, StoreError> {
        let mut quarantined = BTreeMap::new();
        for (device, feed) in &made.feeds {
            quarantined.extend(self.control.quarantined(self.space, *device, feed));
        }
        let stored = quarantined::of_space(conn, self.space).await?;
        let batches = stored.keys().chain(quarantined.keys());
        let different = batches.filter(|batch| stored.get(*batch) != quarantined.get(*batch));
        for batch in different.copied().collect::<BTreeSet<BatchHash>>() {
            self.differs("uncounted", batch, "does not stand as the office decided");
        }
        Ok(quarantined)
    }

    async fn records(
        &mut self,
        conn: &mut Conn,
        made: &Made,
        quarantined: &BTreeMap<BatchHash, Quarantine>,
    ) -> Result<(), StoreError> {
        let stored = record::of_space(conn, self.space).await?;
        let mut stored: BTreeMap<RecordId, _> = stored.into_iter().collect();
        for (id, changes) in &made.changes {
            self.verified.records += 1;
            let held = changes.iter().map(|(batch, device, change)| HeldChange {
                device: *device,
                in_effect: !quarantined.contains_key(batch),
                change: change.clone(),
            });
            let again = rebuild(&effective_changes(
                held.collect(),
                self.control.excluded_changes(self.space, *id),
            ));
            self.verified.aside += again.aside().len() as u64;
            match stored.remove(id) {
                None => self.differs("record", id, "is not stored"),
                Some(Err(_)) => self.differs("record", id, "does not read"),
                // The document counts too, whose bytes may differ and whose content may not.
                Some(Ok(state)) if state != again || state.history() != again.history() => {
                    self.differs("record", id, "is not what its batches make");
                }
                Some(Ok(_)) => {}
            }
        }
        for id in stored.into_keys() {
            self.verified.records += 1;
            self.differs("record", id, "has no batches");
        }
        Ok(())
    }
}
