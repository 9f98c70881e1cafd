//! Remote wipes: a phone hands over what the server lacks or may have lost, and wipes only when
//! that is taken. What users were told is saved outlives it.

use std::collections::BTreeSet;
use std::rc::Rc;

use ed25519_dalek::Signer;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use sync_core::bundle_exchange::BundleOptions;
use sync_core::control::{ControlEntry, Order, OrderKind};
use sync_core::exchange::{Outgoing, WipeTurn};
use sync_core::id::DeviceId;
use sync_core::remote_wipe::{self, WipeReport};
use sync_core::wire::Answer;

use super::erased::person;
use super::fault::Fault;
use super::hub::{HubState, MemoryHub, Served};
use super::network::{Packet, To};
use super::oracle::{Checked, require};
use super::world::World;

impl World {
    /// A person orders that a phone wipe itself.
    pub(super) fn office_wipes(&mut self) -> Checked {
        let p = self.dice.below(self.phones.len());
        let phone = &self.phones[p];
        let device = phone.device;
        let others = self.phones.iter();
        let others = others.filter(|other| !other.lost && other.device != device);
        let known = self.hub.state.control.enrolment(device).is_some();
        if !phone.enrolled || phone.lost || !known || others.count() < 1 {
            return Ok(());
        }
        self.count(Fault::WipeOrdered);
        self.say(|w| format!("{} is to wipe itself", w.name(p)));
        self.hub.order_wipe(device);
        self.agree_hub()
    }

    /// What a phone does that was told to wipe itself.
    pub(super) fn is_to_wipe(&mut self, p: usize, exchange: u64, turn: WipeTurn) -> Checked {
        let process = self.phones[p].process.as_ref();
        let handed_over = process.is_some_and(|process| {
            process.handed_over.get(&exchange) == Some(&process.replica.holdings())
        });
        match turn {
            WipeTurn::Wipe if handed_over => self.wipe(p),
            // Something was saved since.
            WipeTurn::Wipe | WipeTurn::HandOver => self.hand_over(p),
        }
    }

    fn hand_over(&mut self, p: usize) -> Checked {
        let Some(process) = &self.phones[p].process else {
            return Ok(());
        };
        let everything = !process.replica.all_is_safe();
        let mut bundle = Vec::new();
        if everything || process.replica.has_unsent() {
            let options = BundleOptions {
                bytes_max: None,
                short: false,
                everything,
            };
            let Some(made) = self.bundle_of(p, options)? else {
                return Ok(());
            };
            bundle = made.bytes;
        }
        self.say(|w| format!("{} hands over {} bytes", w.name(p), bundle.len()));
        let exchange = self.exchanges + 1;
        if let Some(process) = &mut self.phones[p].process {
            let held = process.replica.holdings();
            process.handed_over.insert(exchange, held);
        }
        self.parts(
            p,
            WipeReport {
                bundle,
                wiped: false,
            },
        )
    }

    /// Says something that is not an exchange.
    fn parts(&mut self, p: usize, wipe_report: WipeReport) -> Checked {
        self.exchanges += 1;
        let exchange = self.exchanges;
        let phone = &mut self.phones[p];
        let Some(process) = &mut phone.process else {
            return Ok(());
        };
        let signing = phone.signing.clone();
        let sign = |message: &[u8]| signing.sign(message).to_bytes();
        let bytes: Rc<[u8]> = process.replica.wipe_request(&sign, wipe_report).into();
        process.outgoing.insert(exchange, Outgoing::default());
        self.post(Packet {
            to: To::Hub,
            phone: p,
            exchange,
            bytes,
            cut: false,
        });
        Ok(())
    }

    fn wipe(&mut self, p: usize) -> Checked {
        self.count(Fault::Wiped);
        self.say(|w| format!("{} wipes itself", w.name(p)));
        let last = WipeReport {
            bundle: Vec::new(),
            wiped: true,
        };
        self.parts(p, last)?;
        let was_gone: BTreeSet<usize> = self.gone_of(p).collect();
        self.phones[p].kill();
        self.phones[p].lost = true;
        self.phones[p].disk = Default::default();
        self.ledger.set_back(p, 0);
        self.write_off();
        // A disk of the server that has forgotten by itself can't be known of, nor a server that is lost
        // after it has said that all is durable.
        let restored = self.hub.restored && !self.config.journal;
        let honest = self.config.hub_rollback == 0 && self.config.hub_crash == 0 && !restored;
        // What the phone had lost itself before, or another process on it wrote.
        let whole = !self.phones[p].rolled_back && honest;
        let fresh = self.gone_of(p).find(|at| !was_gone.contains(at));
        require("Durability", !whole || fresh.is_none(), || {
            let what = fresh.and_then(|at| self.ledger.saved.get(at));
            format!("{} has wiped {what:?}", self.name(p))
        })
    }

    /// The edits of a phone that nobody holds any more, erased ones left out.
    fn gone_of(&self, p: usize) -> impl Iterator<Item = usize> + '_ {
        let control = &self.hub.state.control;
        let saved = self.ledger.saved.iter().enumerate();
        saved
            .filter(move |(_, saved)| {
                saved.phone == p && saved.gone && !control.is_erased(saved.record)
            })
            .map(|(at, _)| at)
    }
}

impl MemoryHub {
    /// A person orders that a device wipe itself.
    pub(super) fn order_wipe(&mut self, device: DeviceId) {
        if let Some(real) = &mut self.real {
            real.order_wipe(device);
            return self.read_real();
        }
        let Some(enrolment) = self.state.control.enrolment(device) else {
            return;
        };
        let key = person();
        let issuer = key.verifying_key().to_bytes();
        let order = Order {
            issuer,
            number: self.state.control.next_order_number(issuer),
            names: BTreeSet::from([device.0.to_vec()]),
            content: Vec::new(),
        };
        let sign = |message: &[u8]| key.sign(message).to_bytes();
        let signer: sync_core::control::Signer<'_> = (issuer, &sign);
        let (network, scope) = (self.network(), enrolment.spaces.clone());
        let entry = ControlEntry::order(network, OrderKind::Wipe, &scope, &order, signer);
        self.add_control(&entry);
    }

    /// Takes what a device hands over that is to wipe itself, up to the commit.
    pub(super) fn farewell(
        &self,
        state: HubState,
        device: DeviceId,
        wipe_report: Option<WipeReport>,
        now: i64,
    ) -> Result<Served, &'static str> {
        let mut taken = wipe_report.is_some();
        let mut out = state;
        if let Some(wipe_report) = wipe_report.filter(|wipe_report| !wipe_report.bundle.is_empty())
        {
            // What goes back by the bundle's own way is not looked at here.
            let mut rng = ChaCha8Rng::from_seed([0; 32]);
            let brought = self.import_into(out.clone(), &wipe_report.bundle, &mut rng, now)?;
            // What does not open was sealed to a key that is lost.
            taken &= brought.as_ref().is_some_and(|it| it.refused.is_empty());
            out = brought.map_or(out, |brought| brought.state);
        }
        let answer: Option<Answer> =
            remote_wipe::answer(&self.me, &out.control, device, taken, now);
        let answer = answer.ok_or("device_unknown")?;
        Ok(Served {
            answer: answer.encode(self.network()),
            state: out,
            asked: Vec::new(),
            refused: Vec::new(),
            read_from: None,
        })
    }
}
