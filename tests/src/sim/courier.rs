//! Couriers: bundles are made, lie in a bag, arrive late, twice, in any order, at the server or at any
//! phone, or never; and what a lost phone had not sent is saved from its outbox.

use std::rc::Rc;

use ed25519_dalek::Signer;
use phone::merging::Mark;
use sync_core::batch::Batch;
use sync_core::bundle::{BadBundle, Content, envelopes, unseal};
use sync_core::bundle_exchange::{
    Bundle, BundleError, BundleOptions, Delivery, DeliverySlice, Imported, SHORT_BYTES,
};
use sync_core::date::date_in_china;
use sync_core::exchange::Work;
use sync_core::replica::Context;
use sync_core::row::Table;
use sync_core::seal::SealingKey;

use super::fault::{Fault, Plant};
use super::host::Persisted;
use super::oracle::{Broken, Checked, broken, require};
use super::traffic::is_of_what_was_lost;
use super::world::World;

/// Bundles that are under way; what comes on top is lost.
const BAG_MAX: usize = 12;

impl World {
    /// Somebody makes a bundle, or one arrives somewhere.
    pub(super) fn courier_acts(&mut self) -> Checked {
        let p = self.dice.below(self.phones.len());
        // Nothing of others goes out of a restored server (R20).
        if self.dice.chance(80) && !self.hub.state.recovery {
            return self.make_snapshot(p);
        }
        if self.bag.is_empty() || self.dice.chance(400) {
            return self.make_bundle(p);
        }
        let at = self.dice.below(self.bag.len());
        let file = self.bag[at].clone();
        if self.dice.chance(600) {
            self.bag.remove(at);
        } else {
            self.count(Fault::BundleAgain);
        }
        match self.dice.chance(500) {
            true => self.hub_takes(&file),
            false => self.phone_takes(p, &file),
        }
    }

    fn make_bundle(&mut self, p: usize) -> Checked {
        let options = BundleOptions {
            bytes_max: self.dice.chance(300).then_some(SHORT_BYTES),
            short: self.dice.chance(300),
            everything: self.dice.chance(200),
        };
        let Some(bundle) = self.bundle_of(p, options)? else {
            return Ok(());
        };
        let small = options
            .bytes_max
            .is_none_or(|most| bundle.bytes.len() <= most);
        require("R5", small, || "a bundle is larger than asked for".into())?;
        self.say(|w| {
            let Self { phones, .. } = w;
            let (name, bytes) = (&phones[p].name, bundle.bytes.len());
            format!(
                "{name} makes a bundle: {} batches, {bytes} bytes",
                bundle.batches
            )
        });
        self.check_sealed(&bundle.bytes, Some(p))?;
        self.count(Fault::BundleMade);
        if self.bag.len() < BAG_MAX {
            self.bag.push(bundle.bytes.into());
        }
        self.agree_phone(p)
    }

    /// A bundle that a phone makes; `None` if it is off, dies meanwhile or has no room, or nothing fits.
    pub(super) fn bundle_of(
        &mut self,
        p: usize,
        options: BundleOptions,
    ) -> Result<Option<Bundle>, Broken> {
        let now = self.phone_now(p);
        let today = date_in_china(now);
        let phone = &mut self.phones[p];
        let Some(process) = &mut phone.process else {
            return Ok(None);
        };
        let store = phone.disk.as_seen_by(&process.writer);
        let mut context = Context {
            now,
            today: &today,
            rng: &mut process.rng,
        };
        let signing = phone.signing.clone();
        let sign = |message: &[u8]| signing.sign(message).to_bytes();
        let prepared = process
            .replica
            .prepare_bundle(&mut context, &store, &sign, options);
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(BundleError::TooSmall { .. }) if options.bytes_max.is_some() => return Ok(None),
            Err(error) => return Err(broken("Progress", format!("no bundle: {error}"))),
        };
        match self.persist(p, &prepared.rows.clone())? {
            Persisted::Done => {}
            Persisted::Full | Persisted::Fenced | Persisted::Dead { .. } => return Ok(None),
        }
        let process = self.phones[p].process.as_mut();
        let bundle = process.map(|process| process.replica.apply(prepared));
        match self.flush(p)? {
            Persisted::Done => Ok(bundle),
            Persisted::Full | Persisted::Fenced | Persisted::Dead { .. } => Ok(None),
        }
    }

    /// The office makes a snapshot of what a phone holds, for it, its neighbours and the server itself.
    fn make_snapshot(&mut self, p: usize) -> Checked {
        let spaces = self.phones[p].grants.clone();
        let mut rng = self.dice.split();
        let file = self.hub.snapshot(&spaces, &mut rng);
        if file.is_empty() {
            return Ok(());
        }
        self.say(|w| format!("the office makes a snapshot of the spaces of {}", w.name(p)));
        self.check_sealed(&file, None)?;
        self.count(Fault::SnapshotMade);
        if self.bag.len() < BAG_MAX {
            self.bag.push(file.into());
        }
        Ok(())
    }

    /// Whoever opens an envelope holds the spaces of everything in it, by the books of the office or by
    /// what the phone knows that made it.
    fn check_sealed(&self, file: &[u8], maker: Option<usize>) -> Checked {
        let network = self.hub.network();
        let envelopes =
            envelopes(file).map_err(|bad| broken("R5", format!("our bundle: {bad}")))?;
        for phone in self.phones.iter().filter(|phone| phone.enrolled) {
            let key =
                SealingKey::from_bytes(&phone.sealing).map_err(|e| broken("R5", e.to_string()))?;
            let maker = maker.and_then(|maker| self.phones[maker].process.as_ref());
            let known = match maker {
                Some(maker) => maker.replica.control(),
                None => &self.hub.state.control,
            };
            let mut grants = phone.grants.clone();
            if maker.is_some() || self.hub.state.recovery {
                grants.extend(known.grants(phone.device).unwrap_or_default());
            }
            for envelope in &envelopes {
                let Ok(message) = envelope.open(network, [&key]) else {
                    continue;
                };
                let content = Content::decode(network, &message)
                    .map_err(|bad| broken("R5", format!("our bundle: {bad}")))?;
                for bytes in &content.control {
                    let mut entries = self.hub.state.control.entries();
                    let entry = entries.find(|entry| entry.bytes() == bytes.as_slice());
                    let concerned = entry.is_none_or(|entry| entry.concerns(&grants));
                    require("Secrecy", concerned, || {
                        format!("{} can read a control entry of others", phone.name)
                    })?;
                }
                for bytes in &content.batches {
                    let batch = Batch::from_store(network, bytes)
                        .map_err(|bad| broken("R5", format!("in our bundle: {bad}")))?;
                    let space = &batch.header.space;
                    require("Secrecy", grants.contains(space), || {
                        format!("{} can read a batch of {space}", phone.name)
                    })?;
                }
            }
        }
        Ok(())
    }

    /// A bundle arrives at the server, whose answer goes into the bag.
    pub(super) fn hub_takes(&mut self, file: &[u8]) -> Checked {
        let now = self.hub_now();
        let mut rng = self.dice.split();
        let taken = self
            .hub
            .import(file, &mut rng, now)
            .map_err(|bad| broken("R5", format!("the server does not take our bundle: {bad}")))?;
        let Some(taken) = taken else {
            return Ok(());
        };
        // A short bundle holds no control entry; its batches come again with the exchange.
        let unknown = self.hub.restored && taken.refused.iter().all(is_of_what_was_lost);
        require("R5", taken.refused.is_empty() || unknown, || {
            format!(
                "the server does not hold from a bundle: {:?}",
                taken.refused
            )
        })?;
        self.count(Fault::BundleAtServer);
        self.say(|_| "a bundle reaches the server".into());
        if self.options.plant != Some(Plant::BundleAnsweredTooEarly) {
            self.hub.commit(taken.state);
        }
        self.check_sealed_reply(&taken.reply)?;
        if self.bag.len() < BAG_MAX && !taken.reply.is_empty() {
            self.bag.push(taken.reply.into());
        }
        self.agree_hub()
    }

    fn check_sealed_reply(&self, reply: &[u8]) -> Checked {
        match reply.is_empty() {
            true => Ok(()),
            false => self.check_sealed(reply, None),
        }
    }

    fn phone_takes(&mut self, p: usize, file: &Rc<[u8]>) -> Checked {
        let network = self.hub.network();
        let key = SealingKey::from_bytes(&self.phones[p].sealing);
        let key = key.map_err(|e| broken("R5", e.to_string()))?;
        if self.phones[p].process.is_none() {
            return Ok(());
        }
        let unsealed = match unseal(network, [&key], file) {
            Ok(unsealed) => unsealed,
            Err(BadBundle::NotForUs) => {
                self.count(Fault::BundleNotForUs);
                return Ok(());
            }
            Err(bad) => return Err(broken("R5", format!("our bundle is not taken: {bad}"))),
        };
        let Some(imported) = self.deliver(p, Delivery::of(unsealed))? else {
            return Ok(());
        };
        self.say(|w| format!("{} takes a bundle: {imported:?}", w.name(p)));
        self.drop_lost(p)?;
        if imported.again {
            // What it orders was erased; the rest is taken now.
            self.count(Fault::ErasedOnPhone);
            return self.phone_takes(p, file);
        }
        // It was sealed before the office took one of its spaces from the phone.
        let narrowed = !self.phones[p].taken.is_empty();
        let mut not_held = imported.not_held.iter();
        let held = not_held.all(|code| narrowed && *code == "space_not_granted");
        require("R5", held, || {
            format!(
                "{} does not hold from our bundle: {imported:?}",
                self.name(p)
            )
        })?;
        self.count(Fault::BundleAtPhone);
        if imported.acknowledged > 0 {
            self.count(Fault::Acknowledged);
        }
        self.prove(p)?;
        self.agree_phone(p)
    }

    /// A bundle is taken slice by slice; `None` if it is left between two of them.
    fn deliver(&mut self, p: usize, delivery: Delivery) -> Result<Option<Imported>, Broken> {
        let now = self.phone_now(p);
        let today = date_in_china(now);
        let least = self.dice.chance(self.config.slices);
        let marks = self.marks(p);
        let most = if least { 1 } else { usize::MAX };
        let mut delivery = Box::new(delivery);
        loop {
            let mark = Mark {
                places: delivery.merges().into_iter().take(most).collect(),
                alone: false,
            };
            if !self.mark(p, &mark)? {
                return Ok(None);
            }
            let phone = &mut self.phones[p];
            let Some(process) = &mut phone.process else {
                return Ok(None);
            };
            let store = phone.disk.as_seen_by(&process.writer);
            let mut context = Context {
                now,
                today: &today,
                rng: &mut process.rng,
            };
            let work = match (marks, least) {
                (true, _) => Work::slice_of(mark.places.clone()),
                (false, true) => Work::LEAST,
                (false, false) => Work::SLICE,
            };
            let replica = &process.replica;
            let prepared = replica.prepare_delivery(&mut context, &store, &delivery, work);
            let prepared = prepared.map_err(|error| broken("R8", error.to_string()))?;
            match self.merge(p, prepared, &mark.places)? {
                None => return Ok(None),
                Some(DeliverySlice::Whole(imported)) => return Ok(Some(imported)),
                Some(DeliverySlice::More(rest)) => delivery = rest,
            }
            self.count(Fault::Sliced);
            if self.config.persist > 0 && self.dice.chance(50) {
                self.count(Fault::BrokenOff);
                return Ok(None);
            }
        }
    }

    /// What a phone that is lost had saved and not sent comes to the server all the same, from its
    /// files and without its secret.
    pub(super) fn save_outbox(&mut self, p: usize) -> Checked {
        let copies = self.phones[p].disk.table(Table::Outbox);
        let file: Vec<u8> = copies.flat_map(|(_, copy)| copy.to_vec()).collect();
        if file.is_empty() {
            return Ok(());
        }
        self.count(Fault::OutboxSaved);
        self.say(|w| format!("the outbox of {} is brought to the server", w.name(p)));
        self.hub_takes(&file)
    }
}
