//! Erasures as the office orders them, and who has heard (R29–R33).

use std::collections::{BTreeMap, BTreeSet};

use store::wipe::{self, WipeState};
use store::{Conn, contact, erasure, record};
use sync_core::control::{Control, ControlEntry, ControlPosition, Cut, OrderKind};
use sync_core::id::{Class, DeviceId, EntryHash, RecordId, Space};
use sync_core::show;

use crate::app::App;
use crate::context::NodeContext;
use crate::error::CommandError;
use crate::exchange;
use crate::named_record::NamedRecord;
use crate::order::OrderRequest;
use crate::transaction::ReadTx;
use crate::unit_records::load;

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

/// How far an order of erasure goes beyond the records that are named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// To nobody who is shown as one person with them.
    pub alone: bool,
    /// To records of the same ids in other units: the order can't tell them apart.
    pub every_unit: bool,
}

/// What an order to erase these records says: them, whoever is shown as one person with them, and what
/// is held of their spaces now.
async fn wish(
    conn: &mut Conn,
    context: &NodeContext,
    control: &Control,
    records: &[NamedRecord],
    reach: Reach,
) -> Result<OrderRequest, CommandError> {
    let mut names: BTreeSet<RecordId> = BTreeSet::new();
    let mut units: BTreeSet<String> = BTreeSet::new();
    let mut open: Vec<NamedRecord> = records.to_vec();
    while let Some(named) = open.pop() {
        if names.contains(&named.record) {
            continue;
        }
        let (unit, record) = named.find(conn).await?;
        if !reach.alone {
            let source = load(conn, control.package(), &unit).await?;
            let today = sync_core::date::date_in_china(context.clock.now());
            let linked = show::record(&source, &unit, record, &today).linked;
            let here = linked.into_iter().map(|record| (unit.clone(), record));
            // Who moved is the same person at both places, and of whom the office says so. A number alone
            // does not say whose it is.
            let elsewhere = control.same_person(&unit, record).cloned();
            let same = here.chain(elsewhere);
            open.extend(same.map(|(unit, record)| NamedRecord {
                unit: Some(unit),
                record,
            }));
        }
        names.insert(record);
        // An order names no unit: what anybody has under that name goes.
        let spaces = record::spaces_of(conn, record).await?;
        let in_units = spaces.iter().map(|space| space.unit().to_owned());
        let in_units: BTreeSet<String> = in_units.collect();
        if in_units.len() > 1 && !reach.every_unit {
            let in_units: Vec<String> = in_units.into_iter().collect();
            let wrong = CommandError::wrong("erase_in_several_units", record);
            return Err(wrong.with("units", in_units.join(", ")));
        }
        units.extend(in_units);
    }
    let all = Class::ALL.into_iter();
    let scope: BTreeSet<Space> = all
        .flat_map(|class| {
            units
                .iter()
                .filter_map(move |unit| Space::new(unit, class).ok())
        })
        .collect();
    let mut held = Vec::new();
    for space in &scope {
        held.push((space, exchange::vector(conn, space).await?));
    }
    let cut = Cut::of(held.iter().map(|(space, vector)| (*space, vector)));
    Ok(OrderRequest {
        kind: OrderKind::Erase,
        scope,
        names: names
            .iter()
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
    /// What an order to erase these records says, for [`App::make_order`].
    pub async fn erasure(
        &self,
        records: &[NamedRecord],
        reach: Reach,
    ) -> Result<OrderRequest, CommandError> {
        let context = self.context();
        let ReadTx { mut conn, control } = context.read().await?;
        wish(&mut conn, context, &control, records, reach).await
    }

    /// The orders of erasure, and who has heard.
    pub async fn erasures(&self) -> Result<Vec<Erasure>, CommandError> {
        let context = self.context();
        let ReadTx { mut conn, control } = context.read().await?;
        let gone = erasure::erased(&mut conn).await?;
        let heard = contact::heard(&mut conn).await?;
        let mut erasures = Vec::new();
        for (entry, kind, order) in control.orders() {
            if kind != OrderKind::Erase {
                continue;
            }
            let names = order.names.iter();
            let records = names.filter_map(|name| RecordId::from_slice(name).ok());
            let affected = control
                .devices()
                .filter(|(_, enrolment)| entry.concerns(&enrolment.spaces));
            let (mut done, mut silent) = (BTreeSet::new(), BTreeSet::new());
            for (device, _) in affected {
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
