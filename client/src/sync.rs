//! An exchange from beginning to end over a link that may be cut at any byte.
//!
//! Every round: prepare, commit, send; then what the answer changes: prepare, commit, apply. After
//! a cut the budget halves, down to one batch, and the next request carries the vector only, to
//! learn first what has landed (R47, R49); so a link that passes a few kilobytes per connection
//! gets everything across, piece by piece. As long as nothing is cut each round carries more than
//! the one before: a new phone of a village needs three.

use sync_core::exchange::{Arrival, Budget, Outgoing, Received, References, Slice, Unopened, Work};
use sync_core::id::DeviceId;

use crate::cancel::Cancel;
use crate::enrol;
use crate::error::{Complaint, PhoneError};
use crate::parting;
use crate::phone::Phone;
use crate::transport::{KeyHash, Transport, TransportError};

/// Where the server takes exchanges.
pub(crate) const EXCHANGE_PATH: &str = "/v1/exchange";
/// What a server says that has lost an enrolment, and is then shown it.
const SHOWING: [&str; 2] = ["device_unknown", "space_not_granted"];
/// Rounds in a row that fail without any progress before the exchange gives up. Enough to halve
/// [`Budget::DEFAULT`] down to one batch.
pub const FAILURES_MAX: usize = 6;
/// Rounds in a row that come through, ask for another one and bring nothing.
pub const IDLE_ROUNDS_MAX: usize = 8;

/// What an exchange moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncReport {
    /// Batches sent.
    pub batches_up: usize,
    /// Batches that were new here.
    pub batches_down: usize,
    /// Bytes of message bodies sent.
    pub bytes_up: usize,
    /// Bytes of message bodies received.
    pub bytes_down: usize,
    /// Rounds that were answered.
    pub round_trips: usize,
    /// Codes of batches that the server would not hold, or that were not held here.
    pub refused: Vec<String>,
    /// More batches wait for their predecessors than fit; they come again (R6).
    pub stash_full: bool,
    /// The device that this phone has become, if it goes on with new keys ([`crate::renew`]).
    pub renewed: Option<DeviceId>,
}

/// How far an exchange has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What it has moved so far.
    pub report: SyncReport,
    /// Saved changes that the server is not known to hold yet.
    pub unsent: usize,
}

/// What an answer has come to.
enum Taken {
    /// Its batches are still compact.
    Answer(Box<Unopened>),
    /// The rest of it is still to be merged.
    Arrival(Box<Arrival>),
    /// Its round is over; whether another one is needed.
    Round(bool),
}

/// Where an exchange stands.
pub(crate) struct Course {
    /// The connection, kept from round to round: a handshake costs more than a quiet day's exchange.
    transport: Option<Transport>,
    budget: Budget,
    /// The next request asks with the vector only.
    asking: bool,
    failures: usize,
    idle: usize,
    unsent: usize,
    /// Nothing was cut yet: the next round may carry more.
    whole: bool,
    /// The server did not know this device and was shown its enrolment.
    shown: bool,
    report: SyncReport,
    /// Persons have ordered this phone to wipe itself.
    wipe: bool,
    /// The server's keys, where the store has lost them and the server has proven them anew.
    proven: Option<Vec<KeyHash>>,
}

impl Course {
    /// After a round that did not come through.
    fn failed(&mut self, why: Complaint) -> Result<(), PhoneError> {
        self.failures += 1;
        if self.failures >= FAILURES_MAX {
            return Err(PhoneError::NoConnection(why));
        }
        self.transport = None;
        self.whole = false;
        self.budget = self.budget.halved();
        self.asking = true;
        Ok(())
    }
}

/// Gives a phone to the steps of an exchange, one at a time. Between two steps the exchange waits
/// for the server, and whoever else uses the phone has it.
pub trait Turns {
    /// Runs a step.
    ///
    /// # Errors
    /// Those of the step, and whatever keeps the phone from being given.
    fn turn<T>(
        &mut self,
        step: impl FnOnce(&mut Phone) -> Result<T, PhoneError>,
    ) -> Result<T, PhoneError>;
}

impl Turns for Phone {
    fn turn<T>(
        &mut self,
        step: impl FnOnce(&mut Phone) -> Result<T, PhoneError>,
    ) -> Result<T, PhoneError> {
        step(self)
    }
}

/// Exchanges with the server until both hold the same. A device whose enrolment is pending asks
/// first whether it has been let in. `progress` is told after every round that was answered.
pub fn exchange(
    phone: &mut impl Turns,
    cancel: &Cancel,
    progress: &mut dyn FnMut(&Progress),
) -> Result<SyncReport, PhoneError> {
    if let Some(pending) = phone.turn(Phone::pending)? {
        pending.ask(cancel)?;
    }
    let mut course = phone.turn(Course::begin)?;
    if let Some((link, server)) = phone.turn(Phone::lost_root)? {
        let control = enrol::prove(&server, &link, cancel)?;
        // The statement itself comes with the answer, among what this phone lacks of the control feed.
        course.proven = control.root().map(|root| root.tls_keys.clone());
    }
    let mut told = 0;
    loop {
        if cancel.is_cancelled() {
            return Err(PhoneError::cancelled());
        }
        let (transport, outgoing) = phone.turn(|phone| course.ask(phone))?;
        let answer = match transport.post(EXCHANGE_PATH, &outgoing.bytes, cancel) {
            // Whoever stopped it may have taken the phone away.
            Err(TransportError::Cancelled) => return Err(PhoneError::cancelled()),
            answer => answer,
        };
        let mut taken = phone.turn(|phone| course.take(phone, transport, &outgoing, answer))?;
        // What came is merged slice by slice, and between two of them others have the phone.
        let again = loop {
            match taken {
                Taken::Round(again) => break again,
                // Its batches are made again while others have the phone.
                Taken::Answer(unopened) => {
                    taken = match unopened.open() {
                        Ok(arrival) => Taken::Arrival(Box::new(arrival)),
                        Err(error) => course.not_taken(error.into())?,
                    };
                }
                Taken::Arrival(arrival) => {
                    taken = phone.turn(|phone| course.merge(phone, &outgoing, &arrival))?;
                }
            }
        };
        if course.wipe {
            return Err(parting::part(phone, &mut course, cancel));
        }
        if course.report.round_trips > told {
            told = course.report.round_trips;
            progress(&Progress {
                report: course.report.clone(),
                unsent: course.unsent,
            });
        }
        if !again {
            return Ok(course.report);
        }
    }
}

impl Phone {
    /// Exchanges with the server until both hold the same ([`exchange`]).
    pub fn sync(&mut self) -> Result<SyncReport, PhoneError> {
        exchange(self, &Cancel::new(), &mut |_| {})
    }
}

impl Course {
    fn begin(phone: &mut Phone) -> Result<Self, PhoneError> {
        Ok(Self {
            transport: None,
            budget: Budget::DEFAULT,
            asking: false,
            failures: 0,
            idle: 0,
            unsent: phone.opened()?.replica.unsent(),
            whole: true,
            shown: false,
            report: SyncReport::default(),
            wipe: false,
            proven: None,
        })
    }

    /// The connection, made if there is none.
    pub(crate) fn way(&mut self, phone: &mut Phone) -> Result<Transport, PhoneError> {
        match self.transport.take() {
            Some(transport) => Ok(transport),
            None => transport(phone, self.proven.as_deref()),
        }
    }

    /// What the next round sends, and on which way.
    fn ask(&mut self, phone: &mut Phone) -> Result<(Transport, Outgoing), PhoneError> {
        let budget = match self.asking {
            true => self.budget.asking(),
            false => self.budget,
        };
        let outgoing = phone.step(&|open, context| {
            let sign = |message: &[u8]| open.keys.sign(message);
            Ok(open
                .replica
                .prepare_exchange(context, &open.store, &sign, budget)?)
        })?;
        let transport = self.way(phone)?;
        self.report.bytes_up += outgoing.bytes.len();
        Ok((transport, outgoing))
    }

    /// Takes what came back, up to what an answer has to be merged.
    fn take(
        &mut self,
        phone: &mut Phone,
        transport: Transport,
        outgoing: &Outgoing,
        answer: Result<Vec<u8>, TransportError>,
    ) -> Result<Taken, PhoneError> {
        if let Err(TransportError::Refused { code }) = &answer
            && SHOWING.contains(&code.as_str())
            && !self.shown
        {
            // A server that was restored from a backup of before this device came in (R21).
            phone.opened()?.replica.show_enrolment();
            self.shown = true;
            self.transport = Some(transport);
            return Ok(Taken::Round(true));
        }
        let answer = match answer.map_err(PhoneError::from) {
            Ok(answer) => answer,
            Err(error) => return self.not_taken(error),
        };
        self.transport = Some(transport);
        self.report.bytes_down += answer.len();
        self.report.round_trips += 1;
        let open = phone.opened()?;
        match open.replica.read_answer(&open.store, outgoing, &answer) {
            Ok(unopened) => Ok(Taken::Answer(Box::new(unopened))),
            Err(error) => self.not_taken(error.into()),
        }
    }

    /// A round that may come through at another try.
    fn not_taken(&mut self, error: PhoneError) -> Result<Taken, PhoneError> {
        match error {
            PhoneError::NoConnection(complaint) => {
                self.failed(complaint)?;
                Ok(Taken::Round(true))
            }
            error => Err(error),
        }
    }

    /// Merges a slice of an answer.
    fn merge(
        &mut self,
        phone: &mut Phone,
        outgoing: &Outgoing,
        arrival: &Arrival,
    ) -> Result<Taken, PhoneError> {
        let taken = phone.try_step(&|open, context| {
            let (store, work) = (&open.store, Work::SLICE);
            let slice = open
                .replica
                .prepare_slice(context, store, outgoing, arrival, work);
            Ok(slice?)
        });
        match taken {
            Ok(Ok(Slice::More(rest))) => Ok(Taken::Arrival(rest)),
            Ok(Ok(Slice::Whole(received))) => {
                let again = self.conclude(phone, outgoing, received)?;
                Ok(Taken::Round(again))
            }
            // The answer was to a replica that is gone; what it brought comes again.
            Ok(Err(_)) => self.not_taken(PhoneError::NoConnection(Complaint::new("store_fenced"))),
            Err(error) => self.not_taken(error),
        }
    }

    /// What follows from an answer that is taken; whether another round is needed.
    fn conclude(
        &mut self,
        phone: &mut Phone,
        outgoing: &Outgoing,
        received: Received,
    ) -> Result<bool, PhoneError> {
        if received.wipe.is_some() {
            self.wipe = true;
            return Ok(false);
        }
        phone.drop_lost_spaces()?;
        let unsent = phone.opened()?.replica.unsent();
        // Another phone writes with this one's keys: asked for new ones in the next round.
        let renews = received.renew_keys && phone.begin_renewal()?;
        let again = self.learn(outgoing, received, unsent)? || renews;
        if !again {
            self.report.renewed = phone.finish_renewal()?;
        }
        Ok(again)
    }

    /// Draws the conclusions of a round that came through.
    fn learn(
        &mut self,
        outgoing: &Outgoing,
        received: Received,
        unsent: usize,
    ) -> Result<bool, PhoneError> {
        let report = &mut self.report;
        if received.references != References::UnresolvedAtServer {
            report.batches_up += outgoing.batches;
        }
        report.batches_down += received.batches;
        report.refused.extend(received.refused);
        let not_held = received.not_held.iter().map(ToString::to_string);
        report.refused.extend(not_held);
        report.stash_full |= received.stash_full;

        let moved = received.batches > 0
            || unsent < self.unsent
            || (outgoing.batches > 0 && !received.again);
        if moved {
            self.failures = 0;
            self.idle = 0;
        } else {
            self.idle += 1;
        }
        self.unsent = unsent;
        self.asking = false;
        if self.whole {
            self.budget = self.budget.grown();
        }
        if received.again && self.idle >= IDLE_ROUNDS_MAX {
            return Err(PhoneError::NoConnection(Complaint::new("no_progress")));
        }
        Ok(received.again)
    }
}

/// The way to the server: its address, and the keys that the root statement lists.
fn transport(phone: &mut Phone, proven: Option<&[KeyHash]>) -> Result<Transport, PhoneError> {
    let open = phone.opened()?;
    if open.host.server.is_empty() {
        return Err(PhoneError::wrong(Complaint::new("address_lost")));
    }
    let root = open.replica.control().root();
    let keys = root.map(|root| root.tls_keys.as_slice()).or(proven);
    Transport::pinned(&open.host.server, keys.unwrap_or_default()).map_err(PhoneError::from)
}
