//! Traffic: a phone asks, the server hears, the phone hears.

use std::collections::BTreeSet;
use std::rc::Rc;

use ed25519_dalek::Signer;
use phone::merging::Mark;
use sync_core::batch::{BadBatch, Reference};
use sync_core::date::date_in_china;
use sync_core::exchange::{ExchangeError, Received, References, Slice, Unopened, Work};
use sync_core::id::Space;
use sync_core::replica::Context;
use sync_core::row::Table;
use sync_core::wire::{Answer, Request};

use super::agree::check_secrecy;
use super::fault::{Fault, Plant};
use super::held;
use super::host::Persisted;
use super::hub::Served;
use super::network::{Packet, To};
use super::oracle::{Broken, Checked, broken, require};
use super::world::World;

/// What a server says that has lost an enrolment.
const STRANGER: [&str; 2] = ["device_unknown", "space_not_granted"];
/// Answers that a phone can still take: older ones are forgotten.
const OUTGOING_MAX: usize = 4;

/// Whether a batch is refused since a restored server has lost the control entry that it needs: who its
/// author is, or the order that has taken bytes out of it. It comes again when the server has been shown.
pub(super) fn is_of_what_was_lost(code: &String) -> bool {
    [BadBatch::Author, BadBatch::Redacted]
        .iter()
        .any(|unfit| *code == unfit.code())
}

impl World {
    /// A phone asks the server.
    pub(super) fn begin_exchange(&mut self, p: usize) -> Checked {
        let now = self.phone_now(p);
        let today = date_in_china(now);
        let phone = &mut self.phones[p];
        let Some(process) = &mut phone.process else {
            return Ok(());
        };
        if process.budget.up < 600 || self.config.budget.is_some() {
            *self.faults.entry(Fault::SmallBudget).or_default() += 1;
        }
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
            .prepare_exchange(&mut context, &store, &sign, process.budget)
            .map_err(|error| broken("Progress", format!("no request: {error}")))?;
        let rows = prepared.rows.clone();
        let mut early = None;
        let mut late = Some(prepared);
        if self.options.plant == Some(Plant::SendBeforeDurable) {
            early = late.take().map(|prepared| process.replica.apply(prepared));
        }
        self.exchanges += 1;
        let exchange = self.exchanges;
        if let Some(outgoing) = &early {
            let bytes: Rc<[u8]> = outgoing.bytes.as_slice().into();
            self.send_request(p, exchange, bytes)?;
        }
        match self.persist(p, &rows)? {
            Persisted::Done => {}
            Persisted::Full | Persisted::Fenced | Persisted::Dead { .. } => return Ok(()),
        }
        let Some(process) = &mut self.phones[p].process else {
            return Ok(());
        };
        let sent = early.is_some();
        let late = late.map(|prepared| process.replica.apply(prepared));
        let Some(outgoing) = early.or(late) else {
            return Ok(());
        };
        match self.flush(p)? {
            Persisted::Done => {}
            Persisted::Full | Persisted::Fenced | Persisted::Dead { .. } => return Ok(()),
        }
        if !sent {
            let bytes: Rc<[u8]> = outgoing.bytes.as_slice().into();
            self.send_request(p, exchange, bytes)?;
        }
        if let Some(process) = &mut self.phones[p].process {
            process.outgoing.insert(exchange, outgoing);
            while process.outgoing.len() > OUTGOING_MAX {
                process.outgoing.pop_first();
            }
        }
        Ok(())
    }

    /// Bytes leave a phone: by now every batch in them is in its store (R1).
    pub(super) fn send_request(&mut self, p: usize, exchange: u64, bytes: Rc<[u8]>) -> Checked {
        let network = self.hub.network();
        let phone = &self.phones[p];
        let mut refers = false;
        let mut find = |reference: &Reference| {
            refers = true;
            phone.find(network, reference)
        };
        let (request, _) = Request::decode_with(network, &bytes, &mut find)
            .map_err(|bad| broken("R5", format!("our own request: {bad}")))?;
        let durable: BTreeSet<&[u8]> = phone.disk.durable(Table::Batch).collect();
        require(
            "R1",
            request
                .batches
                .iter()
                .all(|b| durable.contains(b.as_slice())),
            || format!("{} sends a batch that is not in its store", phone.name),
        )?;
        let (count, size) = (request.batches.len(), bytes.len());
        if refers {
            self.count(Fault::RefersUp);
        }
        if request.refer.is_none() {
            self.count(Fault::ToldPlainly);
        }
        if !request.shown.is_empty() {
            self.count(Fault::Shown);
        }
        self.say(|w| {
            format!(
                "{} asks ({exchange}): {count} batches, {size} bytes",
                w.name(p)
            )
        });
        self.post(Packet {
            to: To::Hub,
            phone: p,
            exchange,
            bytes,
            cut: false,
        });
        Ok(())
    }

    pub(super) fn post(&mut self, packet: Packet) {
        for fault in self.network.send(&mut self.dice, &self.config, packet) {
            self.count(fault);
            self.say(|_| format!("  {fault:?}"));
        }
    }

    /// The next message arrives.
    pub(super) fn deliver_next(&mut self) -> Checked {
        let Some((packet, faults)) = self.network.next(&mut self.dice, &self.config) else {
            return Ok(());
        };
        faults.into_iter().for_each(|fault| self.count(fault));
        match packet.to {
            To::Hub => self.hub_hears(packet),
            To::Phone => self.phone_hears(packet).map(drop),
        }
    }

    /// Whether the server dies at a request, and when.
    fn crash(&mut self) -> Option<Fault> {
        if !self.dice.chance(self.config.hub_crash) {
            return None;
        }
        Some(match self.dice.below(5) {
            0 | 1 => Fault::HubCrashBefore,
            2 | 3 => Fault::HubCrashAfter,
            _ if self.options.real => Fault::HubCrashAfter,
            _ => Fault::AnsweredNotCommitted,
        })
    }

    /// A request does not come to its end.
    fn hub_dies(&mut self, bytes: &[u8]) -> Checked {
        let now = self.hub_now();
        if let Some(real) = &mut self.hub.real {
            real.set_time(now);
            drop(real.begin(bytes));
            real.die();
        }
        Ok(())
    }

    fn serve(&mut self, bytes: &[u8]) -> Result<Served, &'static str> {
        let now = self.hub_now();
        let untidy = self.dice.chance(self.config.untidy);
        if untidy {
            self.count(Fault::Untidy);
        }
        let dice = untidy.then_some(&mut self.dice);
        self.hub.serve(bytes, now, dice)
    }

    /// The real server serves, and another of its nodes does something between the moment at which it
    /// has looked at the request and the one at which it stores.
    fn serve_between(&mut self, bytes: &[u8]) -> Result<Result<Served, &'static str>, Broken> {
        let now = self.hub_now();
        let Some(real) = &mut self.hub.real else {
            return Ok(self.serve(bytes));
        };
        real.set_time(now);
        let before = self.hub.state.clone();
        let begun = match real.begin(bytes) {
            Ok(begun) => begun,
            Err(code) => return Ok(Err(code)),
        };
        self.count(Fault::Between);
        self.say(|_| "while a node is at a request:".into());
        match self.dice.chance(300) {
            true => self.office_acts()?,
            false => self.deliver_next()?,
        }
        let served = self.hub.finish(begun, bytes, &before);
        Ok(served)
    }

    pub(super) fn hub_hears(&mut self, packet: Packet) -> Checked {
        let crash = self.crash();
        let before = &self.phones[packet.phone];
        let (revoked_before, granted_before) = (before.revoked, before.grants.clone());
        if crash == Some(Fault::HubCrashBefore) {
            self.count(Fault::HubCrashBefore);
            self.say(|_| "the server dies before it commits".into());
            return self.hub_dies(&packet.bytes);
        }
        let served = match self.dice.chance(self.config.between) {
            true => self.serve_between(&packet.bytes)?,
            false => self.serve(&packet.bytes),
        };
        let served = match served {
            Ok(served) => served,
            Err(code) if self.phones[packet.phone].revoked => {
                self.count(Fault::RevokedAsks);
                let not_served = code == "device_revoked"
                    // It has lost that it ever knew the phone.
                    || (self.hub.restored && STRANGER.contains(&code));
                return require("R25", packet.cut || not_served, || {
                    format!("the server says {code} to {}", self.name(packet.phone))
                });
            }
            // A restored server is shown what it lost; a request from before may come after it.
            Err(code) if self.hub.restored && STRANGER.contains(&code) && !packet.cut => {
                self.count(Fault::Stranger);
                self.say(|w| format!("the server tells {}: {code}", w.name(packet.phone)));
                if let Some(process) = &mut self.phones[packet.phone].process {
                    process.replica.show_enrolment();
                }
                return Ok(());
            }
            Err(code) => {
                require("R5", packet.cut, || {
                    format!("the server refuses {}: {code}", self.name(packet.phone))
                })?;
                return self.cut_seen(packet.phone);
            }
        };
        require("R5", !packet.cut, || "a cut request is served".into())?;
        // A restored server may have lost that; until the office confirms it serves nobody.
        let phone = &self.phones[packet.phone];
        // One that is to wipe itself is told so, and nothing else.
        let wipes = served.state.control.wipe_order(phone.device).is_some();
        let revoked = phone.revoked && !wipes && !served.state.holds_back(phone.device);
        // Revoked while a node was at its request: what it only read, it read before.
        let read_only = served.read_from.is_some();
        require("R25", !revoked || (read_only && !revoked_before), || {
            format!(
                "the server serves {}, which is revoked",
                self.name(packet.phone)
            )
        })?;
        let refused = &served.refused;
        let untaken = refused
            .iter()
            .any(|code| code == BadBatch::Reference.code());
        if untaken {
            self.count(Fault::Untaken);
        }
        let unknown = self.hub.restored && refused.iter().all(is_of_what_was_lost);
        require("R5", refused.is_empty() || untaken || unknown, || {
            format!(
                "the server does not hold from {}: {:?}",
                self.name(packet.phone),
                served.refused
            )
        })?;
        self.say(|w| {
            format!(
                "the server hears {} ({})",
                w.name(packet.phone),
                packet.exchange
            )
        });
        let mut grants = self.phones[packet.phone].grants.clone();
        grants.extend(granted_before.into_iter().filter(|_| read_only));
        // A restored server may have lost that something was taken; it acknowledges and sends nothing.
        let (state, device) = (&served.state, self.phones[packet.phone].device);
        if state.holds_back(device) {
            grants.extend(state.control.grants(device).unwrap_or_default());
        }
        self.check_answer(packet.phone, &served, &grants)?;
        match crash {
            // A disk that lies about its writes, or a restore that kept the incarnation: the digest of
            // the base tells the phone.
            Some(Fault::AnsweredNotCommitted) => {
                self.count(Fault::AnsweredNotCommitted);
                // The journal was written before.
                if let Some(journal) = &mut self.hub.journal {
                    journal.append(&served.state);
                }
                self.say(|_| "  and loses what it has answered".into());
            }
            _ => self.hub.commit(served.state),
        }
        if crash == Some(Fault::HubCrashAfter) {
            self.count(Fault::HubCrashAfter);
            self.say(|_| "  and dies before it answers".into());
            if let Some(real) = &mut self.hub.real {
                real.die();
            }
        } else {
            let bytes: Rc<[u8]> = served.answer.into();
            self.post(Packet {
                to: To::Phone,
                bytes,
                cut: false,
                ..packet
            });
        }
        self.agree_hub()
    }

    /// Looks at an answer on its way to a phone.
    fn check_answer(&mut self, p: usize, served: &Served, grants: &BTreeSet<Space>) -> Checked {
        let phone = &self.phones[p];
        let network = self.hub.network();
        let mut refers = false;
        let mut find = |reference: &Reference| {
            refers = true;
            held::find(&served.answered_from().spaces, reference)
        };
        let (asked, bytes) = (&served.asked, &served.answer);
        let answer = Answer::decode_with(network, bytes, phone.device, asked, &mut find)
            .map_err(|bad| broken("Secrecy", format!("our own answer: {bad}")))?;
        if refers {
            self.count(Fault::RefersDown);
        }
        let phone = &self.phones[p];
        require(
            "R20",
            !served.state.holds_back(phone.device) || answer.batches.is_empty(),
            || format!("{} is sent batches, and nobody has confirmed", phone.name),
        )?;
        // An untidy server may have left out the only one.
        let nothing = answer.more && answer.batches.is_empty() && self.config.untidy == 0;
        require("R47", !nothing, || {
            "an answer with more to come brings nothing".into()
        })?;
        let locators = answer
            .spaces
            .iter()
            .any(|state| !state.ladders_wanted.is_empty());
        for (seen, what) in [
            (answer.reset, Fault::Reset),
            (answer.stale_nonce, Fault::StaleNonce),
            (locators, Fault::Ladder),
        ] {
            if seen {
                self.count(what);
                self.say(|_| format!("  {what:?}"));
            }
        }
        check_secrecy(self.hub.network(), self.name(p), grants, &answer)
    }

    /// The link broke: the phone asks for less next time, and first with its vector only (R47).
    pub(super) fn cut_seen(&mut self, p: usize) -> Checked {
        if let Some(process) = &mut self.phones[p].process {
            process.budget = process.budget.halved().asking();
        }
        Ok(())
    }

    /// An answer arrives at a phone; `None` if it is not taken.
    pub(super) fn phone_hears(&mut self, packet: Packet) -> Result<Option<Received>, Broken> {
        let p = packet.phone;
        let now = self.phone_now(p);
        let today = date_in_china(now);
        let Some(process) = &self.phones[p].process else {
            return Ok(None);
        };
        let Some(outgoing) = process.outgoing.get(&packet.exchange) else {
            return Ok(None);
        };
        let store = self.phones[p].disk.as_seen_by(&process.writer);
        let unopened = process.replica.read_answer(&store, outgoing, &packet.bytes);
        let mut arrival = match unopened.and_then(Unopened::open) {
            Ok(arrival) => Box::new(arrival),
            Err(_) if packet.cut => {
                self.cut_seen(p)?;
                return Ok(None);
            }
            Err(error) => return Err(self.not_taken(p, &error)),
        };
        require("R5", !packet.cut, || "a cut answer is taken".into())?;
        let least = self.dice.chance(self.config.slices);
        let work = match least {
            true => Work::LEAST,
            false => Work::SLICE,
        };
        let marks = self.marks(p);
        let most = if least { 1 } else { usize::MAX };
        let received = loop {
            let mark = Mark {
                places: arrival.merges().into_iter().take(most).collect(),
                alone: false,
            };
            if !self.mark(p, &mark)? {
                return Ok(None);
            }
            let phone = &mut self.phones[p];
            let Some(process) = &mut phone.process else {
                return Ok(None);
            };
            let Some(outgoing) = process.outgoing.get(&packet.exchange) else {
                return Ok(None);
            };
            let store = phone.disk.as_seen_by(&process.writer);
            let mut context = Context {
                now,
                today: &today,
                rng: &mut process.rng,
            };
            let work = match marks {
                true => Work::slice_of(mark.places.clone()),
                false => work.clone(),
            };
            let replica = &process.replica;
            let prepared = replica.prepare_slice(&mut context, &store, outgoing, &arrival, work);
            let prepared = prepared.map_err(|error| self.not_taken(p, &error))?;
            match self.merge(p, prepared, &mark.places)? {
                None => return Ok(None),
                Some(Slice::Whole(received)) => break received,
                Some(Slice::More(rest)) => arrival = rest,
            }
            self.count(Fault::Sliced);
            if self.config.persist > 0 && self.dice.chance(50) {
                self.count(Fault::BrokenOff);
                return Ok(None);
            }
            if self.config.persist > 0 && !self.stale_at_work && self.dice.chance(100) {
                self.edit(p)?;
            }
        };
        let budget = self.budget();
        if let Some(process) = &mut self.phones[p].process {
            process.budget = budget;
        }
        self.say(|w| format!("{} hears ({}): {received:?}", w.name(p), packet.exchange));
        // Of an untidy answer with many batches of one feed before their parent some find no room to wait in.
        let has_room = !received.stash_full || self.config.untidy > 0;
        require("R5", received.refused.is_empty() && has_room, || {
            format!("{}: {received:?}", self.name(p))
        })?;
        // An untidy answer may lack the order by which something is blotted out; it comes again.
        // And one that was overtaken may bring what the office has taken from the phone since.
        let (untidy, narrowed) = (self.config.untidy > 0, !self.phones[p].taken.is_empty());
        let mut not_held = received.not_held.iter();
        let held = not_held.all(|code| {
            (untidy && *code == BadBatch::Redacted.code())
                || (narrowed && *code == "space_not_granted")
        });
        require("R5", held, || {
            format!(
                "{} does not hold what the server holds: {received:?}",
                self.name(p)
            )
        })?;
        if let Some(turn) = received.wipe {
            self.is_to_wipe(p, packet.exchange, turn)?;
            return Ok(Some(received));
        }
        self.drop_lost(p)?;
        if received.references == References::UnresolvedHere {
            self.count(Fault::Unread);
        }
        if received.erased > 0 {
            self.count(Fault::ErasedOnPhone);
        }
        if self.phones[p].disk.table(Table::Stash).next().is_some() {
            self.count(Fault::Stashed);
        }
        self.agree_phone(p)?;
        if !received.again && !self.prove(p)? {
            return Ok(None);
        }
        self.agree_phone(p)?;
        Ok(Some(received))
    }

    fn not_taken(&self, p: usize, error: &ExchangeError) -> Broken {
        let said = format!("{} can't take an answer: {error}", self.name(p));
        broken("Progress", said)
    }
}
