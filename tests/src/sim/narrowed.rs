//! Revocation of single spaces from a device that goes on with the others.

use std::collections::BTreeSet;

use sync_core::control::RevokeReason;
use sync_core::id::{DeviceId, Space};

use super::fault::Fault;
use super::hub::MemoryHub;
use super::oracle::Checked;
use super::world::World;

impl World {
    /// Takes a space from a phone that holds others too.
    pub(super) fn office_narrows(&mut self) -> Checked {
        let p = self.dice.below(self.phones.len());
        let phone = &self.phones[p];
        let (device, held) = (phone.device, phone.grants.iter().cloned());
        let held: Vec<Space> = held.collect();
        if !phone.enrolled || phone.lost || held.len() < 2 {
            return Ok(());
        }
        let space = self.dice.pick(&held).clone();
        self.count(Fault::Narrowed);
        self.say(|w| format!("{} loses {space}", w.name(p)));
        let same = self.phones.iter_mut();
        for phone in same.filter(|phone| phone.device == device) {
            phone.grants.remove(&space);
            phone.taken.insert(space.clone());
        }
        self.hub.narrow(device, BTreeSet::from([space]));
        self.agree_hub()
    }

    /// The office knows what it has taken, and takes it again where that was lost before anybody heard.
    pub(super) fn narrow_again(&mut self) {
        let control = &self.hub.state.control;
        let phones = self.phones.iter().filter(|phone| !phone.revoked);
        let lost = phones.map(|phone| {
            let held = phone.taken.iter();
            let held = held.filter(|space| control.holds(phone.device, space));
            (phone.device, held.cloned().collect::<BTreeSet<Space>>())
        });
        let lost: Vec<_> = lost.filter(|(_, spaces)| !spaces.is_empty()).collect();
        lost.into_iter()
            .for_each(|(device, spaces)| self.hub.narrow(device, spaces));
    }

    /// What a host does with the spaces that were taken from its device. What nobody else has of them is
    /// gone with their key, unless somebody brings the outbox.
    pub(super) fn drop_lost(&mut self, p: usize) -> Checked {
        let phone = &mut self.phones[p];
        let Some(process) = &mut phone.process else {
            return Ok(());
        };
        let lost = process.replica.lost_spaces();
        for space in &lost {
            phone.disk.drop_space(&mut process.writer, space);
            process.replica.forget(space);
            self.ledger.space_dropped(p, space);
        }
        if lost.is_empty() {
            return Ok(());
        }
        self.count(Fault::SpaceDropped);
        self.say(|w| format!("{} erases {lost:?}", w.name(p)));
        if self.dice.chance(600) {
            // Of what is staged the copy is another batch than the one that the phone signs later.
            self.phones[p].rolled_back = true;
            self.save_outbox(p)?;
        }
        self.write_off();
        Ok(())
    }
}

impl MemoryHub {
    /// Takes spaces from a device.
    pub(super) fn narrow(&mut self, device: DeviceId, spaces: BTreeSet<Space>) {
        if let Some(real) = &mut self.real {
            real.revoke(device, spaces);
            return self.read_real();
        }
        self.sign_revocation(device, spaces, RevokeReason::Left);
        self.state.remake_all();
    }
}
