//! Revocations by the office, and its verdicts on what was signed beside the cut.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::batch::Reference;
use sync_core::control::{ControlEntry, Order, OrderKind, Revocation, RevokeReason, Verdict};
use sync_core::feed::Tip;
use sync_core::id::{BatchHash, ChangeHash, DeviceId, Space};
use sync_core::wire::Request;

use super::fault::{Fault, Plant};
use super::held::{self, SpaceStore, quarantined};
use super::hub::MemoryHub;
use super::oracle::{Checked, change_head};
use super::world::World;

impl World {
    /// Revokes the hostile device, or a phone that somebody has lost: it asks once more, and perhaps
    /// its outbox is brought.
    pub(super) fn office_revokes(&mut self) -> Checked {
        if self.hostile.is_some() && !self.hostile_revoked && self.dice.chance(500) {
            self.hostile_revoked = true;
            let device = self.hostile.as_ref().map(|hostile| hostile.device);
            self.count(Fault::Revoked);
            self.say(|_| "the hostile device is revoked".into());
            device
                .into_iter()
                .for_each(|device| self.hub.revoke(device));
            return self.agree_hub();
        }
        let p = self.dice.below(self.phones.len());
        let device = self.phones[p].device;
        let others = self.phones.iter();
        let others = others.filter(|phone| !phone.lost && phone.device != device);
        if !self.phones[p].enrolled || self.phones[p].lost || others.count() < 1 {
            return Ok(());
        }
        self.count(Fault::Revoked);
        self.say(|w| format!("{} is revoked", w.name(p)));
        self.hub.revoke(device);
        let same = (0..self.phones.len()).filter(|q| self.phones[*q].device == device);
        for q in same.collect::<Vec<_>>() {
            self.phones[q].revoked = true;
            if self.phones[q].process.is_some() {
                self.begin_exchange(q)?;
            }
            self.phones[q].kill();
            self.phones[q].lost = true;
            if self.dice.chance(600) {
                self.save_outbox(q)?;
            }
            self.ledger.set_back(q, 0);
        }
        self.write_off();
        self.agree_hub()
    }

    /// What the hostile device goes on signing comes by somebody who carries it.
    pub(super) fn hostile_is_carried(&mut self, bytes: &[u8]) -> Checked {
        let network = self.hub.network();
        let mut find = |reference: &Reference| held::find(&self.hub.state.spaces, reference);
        let Ok((request, _)) = Request::decode_with(network, bytes, &mut find) else {
            return Ok(());
        };
        self.count(Fault::HostileCarried);
        let now = self.hub_now();
        let mut rng = self.dice.split();
        let taken = self.hub.carried(request.batches, &mut rng, now);
        self.hub.commit(taken.state);
        self.agree_hub()
    }

    /// The office decides on what waits, one batch at a time.
    pub(super) fn office_decides(&mut self) {
        for (batch, space) in self.hub.waiting() {
            let accepted = self.dice.chance(500);
            self.count(match accepted {
                true => Fault::Accepted,
                false => Fault::RefusedByOffice,
            });
            self.say(|_| format!("the office decides on {batch}: accepted {accepted}"));
            self.hub.decide(batch, &space, accepted);
        }
    }
}

impl MemoryHub {
    /// Revokes a device: all it has.
    pub(super) fn revoke(&mut self, device: DeviceId) {
        if let Some(real) = &mut self.real {
            real.revoke(device, BTreeSet::new());
            return self.read_real();
        }
        let before = self.state.control.clone();
        let spaces = before.grants(device).unwrap_or_default();
        self.sign_revocation(device, spaces, RevokeReason::Lost);
        self.state.remake_all();
        if self.plant == Some(Plant::RosterRemembered) {
            self.remembered = Some(before);
        }
    }

    /// Signs that these spaces are taken from a device: with what is held of it now, and all of it if it
    /// is lost.
    pub(super) fn sign_revocation(
        &mut self,
        device: DeviceId,
        spaces: BTreeSet<Space>,
        reason: RevokeReason,
    ) {
        let revocation = Revocation {
            device,
            whole: reason == RevokeReason::Lost,
            cut: self.cut(device, spaces),
            reason,
        };
        let entry =
            self.signed(|network, signer| ControlEntry::revoke(network, &revocation, signer));
        self.add_control(&entry);
    }

    /// What counts of a device's feeds when these spaces are taken from it: what is held now.
    fn cut(&self, device: DeviceId, spaces: BTreeSet<Space>) -> BTreeMap<Space, BTreeSet<Tip>> {
        let cut = spaces.into_iter().map(|space| {
            let vector = self.state.spaces.get(&space).map(SpaceStore::vector);
            let tips = vector.map(|vector| vector.tips(device).copied().collect());
            (space, tips.unwrap_or_default())
        });
        cut.collect()
    }

    /// The batches that wait for the office, with their spaces.
    pub(super) fn waiting(&self) -> BTreeMap<BatchHash, Space> {
        let mut waiting = BTreeMap::new();
        for (space, store) in &self.state.spaces {
            let batches = quarantined(&self.state.control, space, store).into_iter();
            let undecided = batches.filter(|batch| self.state.control.verdict(*batch).is_none());
            waiting.extend(undecided.map(|batch| (batch, space.clone())));
        }
        waiting
    }

    /// The changes of batches that don't count by themselves.
    pub(super) fn exempt(&self) -> BTreeSet<ChangeHash> {
        let mut exempt = BTreeSet::new();
        for (space, store) in &self.state.spaces {
            for batch in quarantined(&self.state.control, space, store) {
                let entries = store.get(batch).map(|stored| &stored.batch.entries);
                let heads = entries.into_iter().flatten();
                let heads = heads.filter_map(|entry| change_head(&entry.change));
                exempt.extend(heads.map(|head| head.hash));
            }
        }
        exempt
    }

    /// The office decides on a batch.
    fn decide(&mut self, batch: BatchHash, space: &Space, accepted: bool) {
        if let Some(real) = &self.real {
            real.decide(batch, accepted);
            return self.read_real();
        }
        let issuer = self.node.verifying_key().to_bytes();
        let verdict = Verdict {
            number: 1,
            accepted,
        };
        let order = Order {
            issuer,
            number: self.state.control.next_order_number(issuer),
            names: BTreeSet::from([batch.0.to_vec()]),
            content: verdict.encode(),
        };
        let scope = BTreeSet::from([space.clone()]);
        let kind = OrderKind::Verdict;
        let entry = self
            .signed(|network, signer| ControlEntry::order(network, kind, &scope, &order, signer));
        self.add_control(&entry);
        if self.plant != Some(Plant::VerdictNotFollowed) {
            self.state.remake_all();
        }
    }
}
