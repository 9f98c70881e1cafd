//! Authorship at this node: what the office writes into records. The node writes as a device like any
//! other, whose batches lie in the feeds of the spaces; the author is whoever made the edit.

use std::collections::{BTreeMap, BTreeSet};

use plan::Package;
use store::clock::random;
use store::{StoreError, feed};
use sync_core::batch::{self, Batch, Entry, Header};
use sync_core::change::Change;
use sync_core::check::{check_edit, class_of};
use sync_core::control::Control;
use sync_core::date::date_in_china;
use sync_core::feed::Feed;
use sync_core::hub::Bringer;
use sync_core::id::{AuthorId, Class, DeviceId, RecordId, Space};
use sync_core::record::RecordState;
use sync_core::replica::{Edit, EditError};
use sync_core::show::Source;
use sync_core::value::{Key, Value};

use crate::transaction::WriteTx;
use crate::unit_records::UnitRecords;
use crate::{exchange, quarantine};

/// Keys in one change: an entry is small enough for every batch.
const KEYS_MAX: usize = 64;
/// Bytes of keys and values in one change.
const BYTES_MAX: usize = 12 * 1024;

/// Why nothing of some edits is written.
#[derive(Debug)]
pub(crate) enum Unauthored {
    /// An edit is refused, as a phone refuses it.
    Refused(EditError),
    /// The store fails.
    Store(StoreError),
}

impl From<EditError> for Unauthored {
    fn from(error: EditError) -> Self {
        Self::Refused(error)
    }
}

impl From<StoreError> for Unauthored {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Writes edits, each held to the dictionary as on a phone, and each after those before it. All of them,
/// or none.
pub(crate) async fn author(tx: &mut WriteTx<'_>, edits: &[Edit]) -> Result<(), Unauthored> {
    let control = tx.control.clone();
    let mut pen = Pen::of(tx, &control)?;
    for edit in edits {
        pen.check(edit).await?;
        pen.write(edit).await?;
    }
    Ok(pen.put_down().await?)
}

/// The same with values that stand in a record already and are only brought into another: what they were
/// held to when they were typed is enough.
pub(crate) async fn copy(tx: &mut WriteTx<'_>, edits: &[Edit]) -> Result<(), Unauthored> {
    let control = tx.control.clone();
    let mut pen = Pen::of(tx, &control)?;
    for edit in edits {
        pen.write(edit).await?;
    }
    Ok(pen.put_down().await?)
}

/// Edits on their way into batches.
struct Pen<'p, 't> {
    tx: &'p mut WriteTx<'t>,
    control: &'p Control,
    package: &'p Package,
    /// The node as a device.
    device: DeviceId,
    now: i64,
    /// The records as they will be.
    states: BTreeMap<(Space, RecordId), RecordState>,
    /// What is to be signed, in order.
    entries: BTreeMap<Space, Vec<(AuthorId, Vec<Entry>)>>,
}

impl<'p, 't> Pen<'p, 't> {
    fn of(tx: &'p mut WriteTx<'t>, control: &'p Control) -> Result<Self, EditError> {
        Ok(Self {
            control,
            package: control.package().ok_or(EditError::NoPackage)?,
            device: DeviceId::of_key(&tx.node.node.public().bytes),
            now: tx.node.clock.now(),
            tx,
            states: BTreeMap::new(),
            entries: BTreeMap::new(),
        })
    }

    async fn state(&mut self, space: &Space, record: RecordId) -> Result<RecordState, StoreError> {
        if let Some(state) = self.states.get(&(space.clone(), record)) {
            return Ok(state.clone());
        }
        quarantine::state(&mut self.tx.conn, self.control, space, record).await
    }

    async fn check(&mut self, edit: &Edit) -> Result<(), Unauthored> {
        let mut held = UnitRecords::empty(Some(self.package));
        for class in Class::ALL {
            if let Ok(space) = Space::new(&edit.unit, class) {
                held.put(class, edit.record, self.state(&space, edit.record).await?);
            }
        }
        let shown = held.view(&edit.unit, edit.record);
        let today = date_in_china(self.now);
        let problems = check_edit(self.package, edit.record, &shown, &edit.puts, &today);
        match problems.is_empty() {
            true => Ok(()),
            false => Err(EditError::Problems(problems).into()),
        }
    }

    async fn write(&mut self, edit: &Edit) -> Result<(), Unauthored> {
        if self.control.is_erased(edit.record) {
            return Err(EditError::Erased.into());
        }
        let class_of = |(key, _): &(Key, Value)| class_of(self.package, key);
        let classes: BTreeSet<Class> = edit.puts.iter().filter_map(class_of).collect();
        for class in classes {
            let puts = edit.puts.iter();
            let puts = puts.filter(|put| class_of(put) == Some(class)).cloned();
            self.write_class(edit, class, puts.collect()).await?;
        }
        Ok(())
    }

    async fn write_class(
        &mut self,
        edit: &Edit,
        class: Class,
        puts: Vec<(Key, Value)>,
    ) -> Result<(), Unauthored> {
        let unheld = |_| EditError::NotGranted {
            unit: edit.unit.clone(),
            class,
        };
        let space = Space::new(&edit.unit, class).map_err(unheld)?;
        let mut state = self.state(&space, edit.record).await?;
        let seen = edit.seen.get(&class).cloned();
        let mut seen = seen.unwrap_or_else(|| state.heads().to_vec());
        let mut entries = Vec::new();
        for puts in pieces(puts) {
            let written = state.write(self.device, &seen, &puts, self.now);
            let Some((change, next)) = written.map_err(EditError::Record)? else {
                continue;
            };
            if let Ok(read) = Change::parse(&change) {
                seen = vec![read.hash];
            }
            let entry = Entry {
                record: edit.record,
                change,
            };
            if batch::entry_bytes(&entry) > batch::ENTRY_BYTES_MAX {
                return Err(EditError::TooLarge.into());
            }
            entries.push(entry);
            state = next;
        }
        if entries.is_empty() {
            return Ok(());
        }
        self.states.insert((space.clone(), edit.record), state);
        let of_space = self.entries.entry(space).or_default();
        match of_space.last_mut() {
            Some((author, before)) if *author == edit.author => before.extend(entries),
            _ => of_space.push((edit.author, entries)),
        }
        Ok(())
    }

    /// Signs everything behind what this node has written, and takes it in as everybody's.
    async fn put_down(mut self) -> Result<(), StoreError> {
        for (space, of_space) in std::mem::take(&mut self.entries) {
            let batches = self.sign(&space, of_space).await?;
            let conn = &mut self.tx.conn;
            let claims = exchange::nothing_asked(conn, &BTreeSet::from([space])).await?;
            let (mut held, stashes) =
                exchange::load_all(conn, &claims, &batches, exchange::EVERYTHING).await?;
            self.tx
                .ingest(self.now, &mut held, stashes, &batches, Bringer::Server)
                .await?;
        }
        Ok(())
    }

    async fn sign<E>(
        &mut self,
        space: &Space,
        of_space: Vec<(AuthorId, Vec<Entry>)>,
    ) -> Result<Vec<Result<Batch, E>>, StoreError> {
        let tips = feed::tips(&mut self.tx.conn, space).await?;
        let own: Vec<_> = { tips.into_iter() }
            .filter(|tip| tip.device == self.device)
            .map(|tip| tip.node)
            .collect();
        let tips: Vec<_> = own.iter().map(|node| node.hash).collect();
        let (mut seq, mut prev) = Feed::from_parts(own, &tips).next();
        let key = &self.tx.node.node;
        let mut batches = Vec::new();
        for (author, entries) in of_space {
            for entries in batch::split_for_batches(entries) {
                let header = Header {
                    space: space.clone(),
                    device: self.device,
                    author,
                    seq,
                    prev,
                    dictionary: self.package.version,
                    time: self.now,
                };
                let network = self.control.network();
                let sign = |message: &[u8]| key.sign(message);
                let batch = Batch::sign(network, header, entries, random()?, &sign);
                (seq, prev) = (seq.saturating_add(1), vec![batch.hash]);
                batches.push(Ok(batch));
            }
        }
        Ok(batches)
    }
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
