//! Erasures by the office: from then on nobody holds the records, whatever comes late, by whatever
//! way.

use std::collections::BTreeSet;

use ed25519_dalek::{Signer, SigningKey};
use sync_core::batch::Batch;
use sync_core::control::{ControlEntry, Cut, Order, OrderKind, RootStatement};
use sync_core::feed::Vector;
use sync_core::id::{Class, RecordId, Space};
use sync_core::row::Table;

use super::fault::Fault;
use super::hub::{HubState, MemoryHub};
use super::oracle::{Checked, require};
use super::world::World;

/// The private half of the key of the person who orders.
pub const PERSON: [u8; 32] = [0x0e; 32];

/// The key of the person who orders.
pub(super) fn person() -> SigningKey {
    SigningKey::from_bytes(&PERSON)
}

impl HubState {
    /// Does what the orders held say, wherever it is not done.
    pub(super) fn execute_erasures(&mut self) {
        let erased: BTreeSet<RecordId> = self.control.erased().collect();
        if !erased.is_empty() {
            self.spaces
                .values_mut()
                .for_each(|store| store.redact(&erased));
            self.records
                .retain(|(_, record), _| !erased.contains(record));
        }
    }
}

impl MemoryHub {
    /// Lists the person's key in the next root statement.
    pub(super) fn list_person(&mut self, root: &SigningKey) {
        let Some(held) = self.state.control.root() else {
            return;
        };
        let next = RootStatement {
            version: 2,
            order_keys: vec![person().verifying_key().to_bytes()],
            ..held.clone()
        };
        let sign = |message: &[u8]| root.sign(message).to_bytes();
        let signer: sync_core::control::Signer<'_> = (root.verifying_key().to_bytes(), &sign);
        let entry = ControlEntry::root(self.network(), &next, signer);
        self.add_control(&entry);
    }

    /// Erases a record of a unit.
    pub(super) fn erase(&mut self, unit: &str, record: RecordId) {
        if let Some(real) = &mut self.real {
            real.erase(record);
            return self.read_real();
        }
        let issuer = person().verifying_key().to_bytes();
        let spaces = Class::ALL.into_iter();
        let scope: BTreeSet<Space> = spaces
            .filter_map(|class| Space::new(unit, class).ok())
            .collect();
        let held = scope.iter().filter_map(|space| {
            let store = self.state.spaces.get(space)?;
            Some((space.clone(), store.vector()))
        });
        let held: Vec<(Space, Vector)> = held.collect();
        let cut = Cut::of(held.iter().map(|(space, vector)| (space, vector)));
        let order = Order {
            issuer,
            number: self.state.control.next_order_number(issuer),
            names: BTreeSet::from([record.to_bytes().to_vec()]),
            content: cut.encode(),
        };
        let key = person();
        let sign = |message: &[u8]| key.sign(message).to_bytes();
        let signer: sync_core::control::Signer<'_> = (issuer, &sign);
        let network = self.network();
        let entry = ControlEntry::order(network, OrderKind::Erase, &scope, &order, signer);
        self.add_control(&entry);
        self.state.execute_erasures();
    }
}

impl World {
    /// Has one of the records erased: the one at this place, counted round.
    pub(super) fn office_erases(&mut self, place: usize) -> Checked {
        let records = self.hub.state.records.keys();
        let records: Vec<(String, RecordId)> = records
            .map(|(space, record)| (space.unit().to_owned(), *record))
            .collect();
        let Some((unit, record)) = records.get(place % records.len().max(1)) else {
            return Ok(());
        };
        self.count(Fault::Erased);
        self.say(|_| format!("the office has {record} erased"));
        self.hub.erase(unit, *record);
        let saved = self.ledger.saved.iter_mut();
        saved
            .filter(|saved| saved.record == *record)
            .for_each(|saved| saved.gone = true);
        self.agree_hub()
    }

    /// Nothing is left on the server of what its orders name (R30).
    pub(super) fn check_erased_at_hub(&self) -> Checked {
        let state = &self.hub.state;
        let erased: BTreeSet<RecordId> = state.control.erased().collect();
        let stored = state.spaces.values();
        let stored = stored.flat_map(|store| store.arrivals.iter().chain(store.stash.values()));
        let mut entries = stored.flat_map(|stored| &stored.batch.entries);
        let left = entries.find(|entry| erased.contains(&entry.record));
        require("R30", left.is_none(), || {
            format!(
                "the server holds an entry of {:?}",
                left.map(|left| left.record)
            )
        })?;
        let mut records = state.records.keys().map(|(_, record)| record);
        let left = records.find(|record| erased.contains(record));
        require("R30", left.is_none(), || {
            format!("the server shows {left:?}")
        })
    }

    /// The same, and nothing is left on any phone of what the orders name that it has heard of.
    pub(super) fn check_erased(&self) -> Checked {
        self.check_erased_at_hub()?;
        for (p, phone) in self.phones.iter().enumerate() {
            let Some(process) = &phone.process else {
                continue;
            };
            let heard = |record: &RecordId| process.replica.control().is_erased(*record);
            for table in [Table::Batch, Table::Stash] {
                for (_, bytes) in phone.disk.table(table) {
                    let batch = Batch::from_store(self.hub.network(), bytes);
                    let entries = batch.into_iter().flat_map(|batch| batch.entries);
                    let left = entries.map(|entry| entry.record).find(heard);
                    require("R30", left.is_none(), || {
                        format!("{} holds an entry of {left:?}", self.name(p))
                    })?;
                }
            }
            for space in process.replica.spaces() {
                let mut shown = process.replica.records(space).map(|(record, _)| record);
                let left = shown.find(heard);
                require("R30", left.is_none(), || {
                    format!("{} shows {left:?}", self.name(p))
                })?;
            }
        }
        Ok(())
    }
}
