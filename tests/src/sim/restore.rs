//! Loss of the server and its return from a backup, with or without its journal: the phones bring
//! back what it lacks.

use std::collections::BTreeSet;
use std::rc::Rc;

use sync_core::batch::Batch;
use sync_core::feed::Tip;
use sync_core::id::{BatchHash, DeviceId, EntryHash, Incarnation, Space};
use sync_core::row::Table;

use super::fault::Fault;
use super::held::Stored;
use super::hub::{HubState, MemoryHub};
use super::oracle::{Checked, require};
use super::world::World;

/// What the server writes to a second disk before it commits (R23).
#[derive(Default)]
pub(super) struct Journal {
    entries: Vec<Vec<u8>>,
    batches: Vec<Rc<Stored>>,
    known: (BTreeSet<EntryHash>, BTreeSet<BatchHash>),
}

impl Journal {
    /// Writes what is new in a state that is about to be committed.
    pub(super) fn append(&mut self, state: &HubState) {
        for entry in state.control.entries() {
            if self.known.0.insert(entry.hash) {
                self.entries.push(entry.bytes().to_vec());
            }
        }
        for stored in state.spaces.values().flat_map(|store| &store.arrivals) {
            if self.known.1.insert(stored.node.hash) {
                self.batches.push(stored.clone());
            }
        }
    }
}

impl MemoryHub {
    /// Begins another life with what a backup held, and what the journal held if there is one.
    fn restore(&mut self, backup: HubState, incarnation: Incarnation) {
        self.me.incarnation = incarnation;
        self.restored = true;
        if let Some(real) = &mut self.real {
            real.restore();
            return self.read_real();
        }
        self.state = backup;
        self.state.recovery = true;
        self.state.returned.clear();
        let Some(journal) = self.journal.take() else {
            return self.state.execute_erasures();
        };
        let control = Rc::make_mut(&mut self.state.control);
        for bytes in &journal.entries {
            if let Ok(Some(entry)) = control.check(bytes) {
                control.apply(entry);
            }
        }
        let mut state = self.state.clone();
        // A batch may stand in the journal before its parent, if what it came with was not committed.
        let mut left = journal.batches.clone();
        loop {
            let before = left.len();
            left.retain(|stored| !self.replay(&mut state, stored));
            if left.len() == before {
                break;
            }
        }
        state.recovery = false;
        state.execute_erasures();
        self.state = state;
        self.journal = Some(journal);
    }

    /// Takes a batch of the journal; whether it is held now.
    fn replay(&self, state: &mut HubState, stored: &Rc<Stored>) -> bool {
        let store = state.spaces.entry(stored.batch.header.space.clone());
        let store = store.or_default();
        if store.get(stored.node.hash).is_some() {
            return true;
        }
        let mut parents = stored.node.prev.iter();
        if !parents.all(|parent| store.get(*parent).is_some()) {
            return false;
        }
        self.hold(state, &mut Default::default(), stored.clone());
        true
    }
}

impl World {
    /// Backups are made, the server is lost, the office confirms.
    pub(super) fn restores(&mut self) -> Checked {
        if self.config.restore == 0 {
            return Ok(());
        }
        if self.dice.chance(60) {
            if let Some(real) = &mut self.hub.real {
                real.back_up();
            }
            self.backup = Some(self.hub.state.clone());
            let stores = self.hub.state.spaces.iter();
            let counter = |(space, store): (&Space, &super::held::SpaceStore)| {
                (space.clone(), store.arrivals.len() as u64)
            };
            self.hub.backed_up = stores.map(counter).collect();
            self.say(|_| "a backup is made".into());
        }
        if self.is_to_confirm() && self.dice.chance(60) {
            self.confirm()?;
        }
        match self.dice.chance(self.config.restore) {
            true => self.restore_hub(),
            false => Ok(()),
        }
    }

    /// Whether somebody is served nothing until the office has said that the roster is good.
    pub(super) fn is_to_confirm(&self) -> bool {
        self.hub.state.recovery || !self.hub.state.returned.is_empty()
    }

    pub(super) fn confirm(&mut self) -> Checked {
        self.count(Fault::RecoveryConfirmed);
        self.say(|_| "the office ends the recovery".into());
        // It knows whom it has revoked, and says so again where that was lost.
        let phones = self.phones.iter().filter(|phone| phone.revoked);
        let hostile = self.hostile.iter().filter(|_| self.hostile_revoked);
        // Two phones may be one device, a clone.
        let revoked: BTreeSet<DeviceId> = (phones.map(|phone| phone.device))
            .chain(hostile.map(|hostile| hostile.device))
            .filter(|device| self.hub.state.control.revoked(*device).is_none())
            .collect();
        revoked
            .into_iter()
            .for_each(|device| self.hub.revoke(device));
        self.narrow_again();
        match &self.hub.real {
            Some(real) => {
                real.confirm();
                self.hub.read_real();
            }
            None => {
                self.hub.state.recovery = false;
                self.hub.state.returned.clear();
            }
        }
        self.grant_again()
    }

    /// The office knows what it has granted, and grants it again where that was lost before anybody heard.
    pub(super) fn grant_again(&mut self) -> Checked {
        for p in 0..self.phones.len() {
            let phone = &self.phones[p];
            let held = self.hub.state.control.grants(phone.device);
            let lost = held.is_some_and(|held| !held.is_superset(&phone.grants));
            if lost && !phone.revoked {
                self.widen(p)?;
            }
        }
        Ok(())
    }

    fn restore_hub(&mut self) -> Checked {
        let Some(backup) = self.backup.clone() else {
            return Ok(());
        };
        let journal = self.config.journal;
        self.count(match journal {
            true => Fault::HubRestoredWithJournal,
            false => Fault::HubRestored,
        });
        self.say(|_| format!("the server is lost and restored, with a journal: {journal}"));
        let before = self.hub.state.clone();
        let incarnation = Incarnation(self.dice.bytes());
        self.hub.restore(backup, incarnation);
        if self.hub.real.is_none() {
            // The real one publishes by itself what it is started with.
            self.hub.publish(&self.package);
        }
        if journal {
            for (space, store) in &before.spaces {
                let restored = self.hub.state.spaces.get(space);
                let lost = store.arrivals.iter().find(|stored| {
                    restored.is_none_or(|restored| restored.get(stored.node.hash).is_none())
                });
                require("R23", lost.is_none(), || {
                    format!("backup and journal lack a batch of {space}")
                })?;
            }
        }
        self.check_safe()?;
        self.write_off();
        self.agree_hub()
    }

    /// What phones were told is safe came through (R23).
    fn check_safe(&self) -> Checked {
        for (p, phone) in self.phones.iter().enumerate() {
            let Some(process) = &phone.process else {
                continue;
            };
            for space in &phone.grants {
                let safe = process.replica.safe(space);
                let store = self.hub.state.spaces.get(space);
                let held = |tip: &Tip| {
                    let mut stored = store.into_iter().flat_map(|store| &store.arrivals);
                    stored.any(|stored| Tip::of(&stored.node) == *tip)
                };
                let lost = safe.devices().any(|device| !safe.tips(device).all(held));
                require("R23", !lost, || {
                    format!("{} was told too much is safe in {space}", self.name(p))
                })?;
            }
        }
        Ok(())
    }

    /// Still in recovery, every phone that is left brings what it has; then the office confirms.
    pub(super) fn gather(&mut self) -> Checked {
        if !self.is_to_confirm() {
            return Ok(());
        }
        for p in self.alive() {
            self.exchange(p)?;
        }
        for p in self.alive() {
            // What another phone taught meanwhile lets more be taken.
            self.exchange(p)?;
            let Some(process) = &self.phones[p].process else {
                continue;
            };
            for space in &self.phones[p].grants {
                let ours = process.replica.vector(space);
                let theirs = self.hub_vector(space);
                // Where a feed has two branches and the phone knows only one, it waits for the
                // other, which nobody is sent yet.
                let rows = self.phones[p].disk.table(Table::Batch);
                let batches =
                    rows.filter_map(|(_, bytes)| Batch::from_store(self.hub.network(), bytes).ok());
                let known: BTreeSet<Tip> = batches.map(|batch| Tip::of(&batch.node())).collect();
                let path = |device: &DeviceId| {
                    let mut tips = theirs.tips(*device);
                    theirs.tips(*device).count() < 2 && tips.all(|tip| known.contains(tip))
                };
                let store = self.hub.state.spaces.get(space);
                let held = |tip: &Tip| {
                    let mut stored = store.into_iter().flat_map(|store| &store.arrivals);
                    stored.any(|stored| Tip::of(&stored.node) == *tip)
                };
                let hostile = self.hostile.as_ref().map(|hostile| hostile.device);
                let mut devices = ours.devices().filter(path);
                let all =
                    devices.all(|device| Some(device) == hostile || ours.tips(device).all(held));
                require("R7", all, || {
                    let name = self.name(p);
                    format!("{name} holds in {space} what the restored server lacks")
                })?;
            }
        }
        self.confirm()
    }
}
