//! Erasure: what orders take from the store, who has heard, and how the office gives them (R29–R33).
//!
//! An order is a control entry; it may come from the office's command, from a phone that hands it back
//! to a restored server, or stand there already when a backup is restored. So it is done wherever the
//! orders held name a record of which the store has not been cleared yet ([`execute`]), in the
//! transaction that finds it. From then on the one door of all batches keeps the record out
//! ([`Control::receive`]).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sync_core::batch::{Batch, Unfit};
use sync_core::control::{Control, ControlEntry, ControlPosition, Cut, OrderKind};
use sync_core::id::{BatchHash, Class, DeviceId, EntryHash, NetworkId, RecordId, Space};
use sync_core::record::RecordState;
use sync_core::show;

use crate::app::{App, Shared};
use crate::error::CommandError;
use crate::exchange;
use crate::figures::Touched;
use crate::order::OrderWish;
use crate::show::load;
use crate::standing::states;
use crate::store::wipe::{self, WipeState};
use crate::store::{Conn, StoreError, contact, erasure, feed, link, record};
use crate::transaction::{ReadTx, WriteTx};

/// How long an erasure waits for readers to let go of the log, a try at a time.
const LOG_TRIES: u32 = 40;
const LOG_TRY: Duration = Duration::from_millis(50);

/// Clears the store of every record that an order names and that is still there.
pub(crate) async fn execute(tx: &mut WriteTx<'_>) -> Result<(), StoreError> {
    let now = tx.node.clock.now();
    let (conn, control) = (&mut tx.conn, &tx.control);
    let gone = erasure::erased(conn).await?;
    let records: BTreeSet<RecordId> = control
        .erased()
        .filter(|record| !gone.contains_key(record))
        .collect();
    if records.is_empty() {
        return Ok(());
    }
    let mut touched = Touched::default();
    for space in feed::spaces(conn).await? {
        clear(conn, control, &space, &records, &mut touched).await?;
    }
    for record in &records {
        erasure::add(conn, *record, now).await?;
    }
    tx.note_erased(touched);
    Ok(())
}

async fn clear(
    conn: &mut Conn,
    control: &Control,
    space: &Space,
    records: &BTreeSet<RecordId>,
    touched: &mut Touched,
) -> Result<(), StoreError> {
    let network = control.network();
    let named: Vec<RecordId> = records.iter().copied().collect();
    let shown = states(conn, control, space, &named).await?;
    let touching = record::touching(conn, space, &named).await?;
    let arrivals: BTreeSet<u64> = touching.iter().map(|(_, arrival)| *arrival).collect();
    let arrivals: Vec<u64> = arrivals.into_iter().collect();
    for (_, held) in feed::at(conn, space, &arrivals).await? {
        if let Some(bytes) = without(network, &held.bytes, records, "batch")? {
            erasure::set_bytes(conn, space, held.hash, &bytes).await?;
        }
    }
    for (hash, bytes) in waiting(conn, space).await? {
        if let Some(bytes) = without(network, &bytes, records, "stash")? {
            erasure::set_stashed(conn, space, hash, &bytes).await?;
        }
    }
    for (record, before) in shown {
        let parts = before.view().changed_parts(RecordState::empty().view());
        touched.note(space.unit(), record, parts);
    }
    for record in records {
        erasure::remove(conn, space, *record).await?;
    }
    Ok(())
}

async fn waiting(conn: &mut Conn, space: &Space) -> Result<Vec<(BatchHash, Vec<u8>)>, StoreError> {
    let mut waiting = Vec::new();
    for (_, node) in feed::stashed(conn, space).await? {
        if let Some(bytes) = feed::stashed_bytes(conn, space, node.hash).await? {
            waiting.push((node.hash, bytes));
        }
    }
    Ok(waiting)
}

/// A batch's bytes without its entries of these records; `None` if it has none.
fn without(
    network: NetworkId,
    bytes: &[u8],
    records: &BTreeSet<RecordId>,
    table: &'static str,
) -> Result<Option<Vec<u8>>, StoreError> {
    let unreadable = |_: Unfit| StoreError::Unreadable {
        table,
        column: "bytes",
    };
    let batch = Batch::from_store(network, bytes).map_err(unreadable)?;
    let blotted = batch
        .blot(|record| records.contains(&record))
        .map_err(unreadable)?;
    Ok((blotted.bytes() != bytes).then(|| blotted.bytes().to_vec()))
}

/// Removes the journal's files from before an erasure and empties the database's log, which still has
/// what was overwritten; waits a moment for those who read.
/// Gives whether it is empty: if not, the server's hourly round and its stop do it.
pub(crate) async fn leave_no_trace(shared: &Shared) -> Result<bool, StoreError> {
    let mut tx = shared.store.read().await?;
    shared.journal.drop_old(&mut tx).await?;
    drop(tx);
    for _ in 0..LOG_TRIES {
        if shared.store.empty_log().await? {
            return Ok(true);
        }
        tokio::time::sleep(LOG_TRY).await;
    }
    tracing::warn!("the database's log is in use and is emptied later");
    Ok(false)
}

/// Does what is left to do when a data directory is opened: orders may have come into it with a backup,
/// and a process may have been killed before it emptied its log.
pub(crate) async fn finish(app: &App) -> Result<(), CommandError> {
    let shared = app.shared();
    let ReadTx { mut conn, control } = shared.read().await?;
    let gone = erasure::erased(&mut conn).await?;
    drop(conn);
    if control.erased().all(|record| gone.contains_key(&record)) {
        let mut tx = shared.store.read().await?;
        return Ok(shared.journal.drop_old(&mut tx).await?);
    }
    app.write(async |tx: &mut WriteTx<'_>| Ok(execute(tx).await?))
        .await
}

/// An order of erasure, and who has heard of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// The entry's name.
    pub order: EntryHash,
    /// The records, and when the server was cleared of each.
    pub records: BTreeMap<RecordId, Option<i64>>,
    /// The devices that have done it.
    pub done: BTreeSet<DeviceId>,
    /// The devices of its spaces that have not been heard of since.
    pub silent: BTreeSet<DeviceId>,
}

/// What an order to erase these records says: them, whoever is shown as one person with them, and what
/// is held of their spaces now.
async fn wish(
    conn: &mut Conn,
    shared: &Shared,
    control: &Control,
    records: &[RecordId],
    alone: bool,
) -> Result<OrderWish, CommandError> {
    let mut names: BTreeMap<RecordId, String> = BTreeMap::new();
    let mut open: Vec<RecordId> = records.to_vec();
    while let Some(record) = open.pop() {
        if names.contains_key(&record) {
            continue;
        }
        let spaces = record::spaces_of(conn, record).await?;
        let Some(unit) = spaces.first().map(|space| space.unit().to_owned()) else {
            return Err(CommandError::wrong("unknown_record", record));
        };
        if !alone {
            let source = load(conn, control.package(), &unit).await?;
            let today = sync_core::date::date_in_china(shared.clock.now());
            open.extend(show::record(&source, &unit, record, &today).linked);
            let numbers = link::numbers_of(conn, &unit, &[record]).await?;
            let numbers: Vec<_> = numbers.into_iter().map(|(number, ..)| number).collect();
            let holders = link::holders(conn, &numbers).await?;
            let elsewhere = holders.into_iter().filter(|(_, of, _)| *of != unit);
            open.extend(elsewhere.map(|(_, _, record)| record));
            // Who moved is the same person at both places, with or without a number.
            open.extend(control.went_on(&unit, record).map(|(_, record)| *record));
        }
        names.insert(record, unit);
    }
    let units: BTreeSet<&String> = names.values().collect();
    let all = Class::ALL.into_iter();
    let scope: BTreeSet<Space> = all
        .flat_map(|class| {
            units
                .iter()
                .filter_map(move |unit| Space::new(unit, class).ok())
        })
        .collect();
    let mut cut = Cut::default();
    for space in &scope {
        let vector = exchange::vector(conn, space).await?;
        if vector.devices().next().is_some() {
            cut.0.insert(space.clone(), vector);
        }
    }
    Ok(OrderWish {
        kind: OrderKind::Erase,
        scope,
        names: names
            .keys()
            .map(|record| record.to_bytes().to_vec())
            .collect(),
        content: cut.encode(),
    })
}

/// Whether a device that held so much of the control feed held this entry.
fn has_heard(
    control: &Control,
    device: DeviceId,
    position: ControlPosition,
    entry: &ControlEntry,
) -> bool {
    let entries = control.for_device(device);
    let held: Vec<EntryHash> = entries
        .take(position.count as usize)
        .map(|entry| entry.hash)
        .collect();
    held.contains(&entry.hash) && ControlPosition::of(held) == position
}

impl App {
    /// What an order to erase these records says, for [`App::make_order`]; with `alone` nobody who is
    /// shown as one person with them is named too.
    pub async fn erasure(
        &self,
        records: &[RecordId],
        alone: bool,
    ) -> Result<OrderWish, CommandError> {
        let shared = self.shared();
        let ReadTx { mut conn, control } = shared.read().await?;
        wish(&mut conn, shared, &control, records, alone).await
    }

    /// The orders of erasure, and who has heard.
    pub async fn erasures(&self) -> Result<Vec<Erasure>, CommandError> {
        let shared = self.shared();
        let ReadTx { mut conn, control } = shared.read().await?;
        let gone = erasure::erased(&mut conn).await?;
        let heard = contact::heard(&mut conn).await?;
        let mut erasures = Vec::new();
        for (entry, kind, order) in control.orders() {
            if kind != OrderKind::Erase {
                continue;
            }
            let names = order.names.iter();
            let records = names.filter_map(|name| RecordId::from_slice(name).ok());
            let concerned = control
                .devices()
                .filter(|(_, enrolment)| entry.concerns(&enrolment.spaces));
            let (mut done, mut silent) = (BTreeSet::new(), BTreeSet::new());
            for (device, _) in concerned {
                let position = heard.get(&device).and_then(|(_, position)| *position);
                let heard = position.is_some_and(|at| has_heard(&control, device, at, entry));
                // Who has wiped its store holds nothing of anybody.
                let wiped = matches!(
                    wipe::state(&mut conn, device).await?,
                    Some((WipeState::Wiped, _))
                );
                let among = if heard || wiped {
                    &mut done
                } else {
                    &mut silent
                };
                among.insert(device);
            }
            erasures.push(Erasure {
                order: entry.hash,
                records: records
                    .map(|record| (record, gone.get(&record).copied()))
                    .collect(),
                done,
                silent,
            });
        }
        Ok(erasures)
    }
}
