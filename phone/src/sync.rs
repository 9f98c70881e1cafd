//! An exchange from beginning to end over a link that may be cut at any byte.
//!
//! Every round: prepare, commit, send; then what the answer changes: prepare, commit, apply. After
//! a cut the budget halves, down to one batch, and the next request carries the vector only, to
//! learn first what has landed (R47, R49); so a link that passes a few kilobytes per connection
//! gets everything across, piece by piece. As long as nothing is cut each round carries more than
//! the one before: a new phone of a village needs three.

use std::collections::BTreeSet;

use sync_core::enrol::EnrolmentLink;
use sync_core::exchange::{Arrival, Budget, Outgoing, Received, References, Slice, Unopened, Work};
use sync_core::id::{DeviceId, Place};

use crate::enrol::{Enrolled, Enrolment, prove, root_request};
use crate::error::{Issue, PhoneError};
use crate::merging::Proof;
use crate::phone::Phone;
use crate::remote_wipe::RemoteWipe;
use crate::walk::{Answer, KeyHash, Next, NoAnswer, Request, Trust, Walk};

/// Where the server takes exchanges.
const EXCHANGE_PATH: &str = "/v1/exchange";
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
    /// The device that this phone has become, if it goes on with new keys.
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

/// An exchange until both hold the same. A device whose enrolment is pending asks first whether it has
/// been let in.
pub struct ExchangeSession {
    stage: Stage,
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
    /// Rounds that were told of.
    told: usize,
    /// It must end with new keys.
    renews: bool,
    /// The server's keys, where the store has lost them and the server has proven them anew.
    proven: Option<Vec<KeyHash>>,
}

/// Where an exchange stands.
enum Stage {
    /// Waiting for an administrator.
    Enrol(Box<Enrolment>),
    /// About to begin.
    Begin,
    /// The server proves anew what it is.
    Prove(EnrolmentLink, String),
    /// Between two rounds.
    Round,
    /// A request is under way.
    Asked(Box<Outgoing>),
    /// Its answer is there, with batches that are still compact.
    Answered(Box<Outgoing>, Box<Unopened>),
    /// Its answer is being merged, slice by slice.
    Merge(Box<Outgoing>, Box<Arrival>),
    /// What the next slice merges is marked.
    Marked(Box<Outgoing>, Box<Arrival>, BTreeSet<Place>),
    /// Merging what ended the program once, one by one.
    Single(Proof),
    /// Persons have ordered this phone to wipe itself.
    Wipe(RemoteWipe),
}

impl ExchangeSession {
    /// After a round that did not come through.
    fn failed(&mut self, why: Issue) -> Result<(), PhoneError> {
        self.failures += 1;
        if self.failures >= FAILURES_MAX {
            return Err(PhoneError::NoConnection(why));
        }
        self.whole = false;
        self.budget = self.budget.halved();
        self.asking = true;
        Ok(())
    }
}

impl ExchangeSession {
    /// An exchange of this phone.
    pub fn begin(phone: &mut Phone) -> Result<Self, PhoneError> {
        let stage = match phone.is_pending()? {
            true => Stage::Enrol(Box::new(Enrolment::again(phone)?)),
            false => Stage::Begin,
        };
        Ok(Self {
            stage,
            budget: Budget::DEFAULT,
            asking: false,
            failures: 0,
            idle: 0,
            unsent: 0,
            whole: true,
            shown: false,
            report: SyncReport::default(),
            told: 0,
            renews: false,
            proven: None,
        })
    }

    /// An exchange that makes this phone another device ([`SyncReport::renewed`]).
    ///
    /// It ends in [`PhoneError::Wrong`] with `renewal_waits` if the server does not let the device in
    /// yet. The keys are there all the same: every later exchange asks for them again.
    pub fn renewing(phone: &mut Phone) -> Result<Self, PhoneError> {
        phone.begin_renewal()?;
        Ok(Self {
            renews: true,
            ..Self::begin(phone)?
        })
    }

    /// How far it has come, once after every round that was answered.
    pub fn progress(&mut self) -> Option<Progress> {
        let under_way = matches!(
            self.stage,
            Stage::Answered(..) | Stage::Merge(..) | Stage::Marked(..) | Stage::Wipe(_)
        );
        if under_way || self.report.round_trips == self.told {
            return None;
        }
        self.told = self.report.round_trips;
        Some(Progress {
            report: self.report.clone(),
            unsent: self.unsent,
        })
    }

    /// Goes on with another round, or ends.
    fn ended(&mut self, phone: &mut Phone, again: bool) -> Result<Next<SyncReport>, PhoneError> {
        if again {
            return Ok(Next::More);
        }
        if phone.system.catches_panics() {
            return self.done();
        }
        self.stage = Stage::Single(Proof::default());
        Ok(Next::More)
    }

    fn done(&self) -> Result<Next<SyncReport>, PhoneError> {
        match self.renews && self.report.renewed.is_none() {
            true => Err(PhoneError::wrong(Issue::new("renewal_waits"))),
            false => Ok(Next::Done(self.report.clone())),
        }
    }

    /// What comes before the first round.
    fn first(&mut self, phone: &mut Phone) -> Result<Next<SyncReport>, PhoneError> {
        self.unsent = phone.opened()?.replica.unsent();
        self.stage = Stage::Round;
        if let Some((link, server)) = phone.lost_root()? {
            let request = root_request(&server);
            self.stage = Stage::Prove(link, server);
            return Ok(Next::Ask(request));
        }
        Ok(Next::More)
    }

    /// Goes on with what came of the enrolment.
    fn enrolled(&mut self, next: Next<Enrolled>) -> Result<Next<SyncReport>, PhoneError> {
        Ok(match next {
            Next::More => Next::More,
            Next::Ask(request) => Next::Ask(request),
            Next::Leave(request, error) => Next::Leave(request, error),
            Next::Done(enrolled) => match enrolled.pending {
                Some(digits) => {
                    let pending = Issue::new("enrolment_pending");
                    return Err(PhoneError::wrong(pending.with("digits", digits)));
                }
                None => {
                    self.stage = Stage::Begin;
                    Next::More
                }
            },
        })
    }

    /// A request to the server: to its address, and to the keys that the root statement lists.
    fn request(&self, phone: &mut Phone, body: Vec<u8>) -> Result<Request, PhoneError> {
        let open = phone.opened()?;
        if open.host.server.is_empty() {
            return Err(PhoneError::wrong(Issue::new("address_lost")));
        }
        let root = open.replica.control().root();
        let keys = root.map(|root| root.tls_keys.as_slice());
        let keys = keys.or(self.proven.as_deref()).unwrap_or_default();
        Ok(Request {
            server: open.host.server.clone(),
            trust: Trust::Listed(keys.to_vec()),
            path: EXCHANGE_PATH,
            body: Some(body),
        })
    }

    /// What the next round sends.
    fn next_request(&mut self, phone: &mut Phone) -> Result<Request, PhoneError> {
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
        let request = self.request(phone, outgoing.bytes.clone())?;
        self.report.bytes_up += outgoing.bytes.len();
        self.stage = Stage::Asked(Box::new(outgoing));
        Ok(request)
    }

    /// Takes what came back, up to what an answer has to be merged.
    fn handle_answer(
        &mut self,
        phone: &mut Phone,
        outgoing: Box<Outgoing>,
        answer: Result<Answer, NoAnswer>,
    ) -> Result<Next<SyncReport>, PhoneError> {
        if let Err(NoAnswer::Refused { code }) = &answer
            && SHOWING.contains(&code.as_str())
            && !self.shown
        {
            // A server that was restored from a backup of before this device came in (R21).
            phone.opened()?.replica.show_enrolment();
            self.shown = true;
            return Ok(Next::More);
        }
        let answer = match answer.map_err(PhoneError::from) {
            Ok(answer) => answer.body,
            Err(error) => {
                self.not_taken(error)?;
                return Ok(Next::More);
            }
        };
        self.report.bytes_down += answer.len();
        self.report.round_trips += 1;
        let open = phone.opened()?;
        match open.replica.read_answer(&open.store, &outgoing, &answer) {
            Ok(unopened) => self.stage = Stage::Answered(outgoing, Box::new(unopened)),
            Err(error) => self.not_taken(error.into())?,
        }
        Ok(Next::More)
    }

    /// A round that may come through at another try.
    fn not_taken(&mut self, error: PhoneError) -> Result<(), PhoneError> {
        match error {
            PhoneError::NoConnection(issue) => self.failed(issue),
            error => Err(error),
        }
    }

    /// Marks what the next slice merges, or merges it where nothing is to be marked.
    fn mark(
        &mut self,
        phone: &mut Phone,
        outgoing: Box<Outgoing>,
        arrival: Box<Arrival>,
    ) -> Result<Next<SyncReport>, PhoneError> {
        if phone.system.catches_panics() {
            return self.merge(phone, outgoing, &arrival, Work::SLICE);
        }
        let places = arrival.merges();
        if phone.mark(&places)? {
            self.stage = Stage::Marked(outgoing, arrival, places);
            return Ok(Next::More);
        }
        self.merge(phone, outgoing, &arrival, Work::slice_of(places))
    }

    /// Merges a slice of an answer.
    fn merge(
        &mut self,
        phone: &mut Phone,
        outgoing: Box<Outgoing>,
        arrival: &Arrival,
        work: Work,
    ) -> Result<Next<SyncReport>, PhoneError> {
        let taken = phone.merge(&|open, context| {
            let (store, work) = (&open.store, work.clone());
            let slice = open
                .replica
                .prepare_slice(context, store, &outgoing, arrival, work);
            Ok(slice?)
        });
        match taken {
            Ok(Ok(Slice::More(rest))) => {
                self.stage = Stage::Merge(outgoing, rest);
                Ok(Next::More)
            }
            Ok(Ok(Slice::Whole(received))) => {
                let again = self.conclude(phone, &outgoing, received)?;
                self.ended(phone, again)
            }
            // The answer was to a replica that is gone; what it brought comes again.
            Ok(Err(_)) => {
                self.failed(Issue::new("store_fenced"))?;
                Ok(Next::More)
            }
            Err(error) => {
                self.not_taken(error)?;
                Ok(Next::More)
            }
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
            self.stage = Stage::Wipe(RemoteWipe::default());
            return Ok(true);
        }
        phone.drop_lost_spaces()?;
        let unsent = phone.opened()?.replica.unsent();
        // Another phone writes with this one's keys: asked for new ones in the next round.
        let renews = received.renew_keys && phone.begin_renewal()?;
        let again = self.conclude_round(outgoing, received, unsent)? || renews;
        if !again {
            self.report.renewed = phone.finish_renewal()?;
        }
        Ok(again)
    }

    /// Draws the conclusions of a round that came through.
    fn conclude_round(
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
            return Err(PhoneError::NoConnection(Issue::new("no_progress")));
        }
        Ok(received.again)
    }
}

impl Walk for ExchangeSession {
    type End = SyncReport;

    fn apart(&mut self) -> Result<(), PhoneError> {
        match std::mem::replace(&mut self.stage, Stage::Round) {
            Stage::Answered(outgoing, unopened) => match unopened.open() {
                Ok(arrival) => self.stage = Stage::Merge(outgoing, Box::new(arrival)),
                Err(error) => self.not_taken(error.into())?,
            },
            stage => self.stage = stage,
        }
        Ok(())
    }

    fn next(&mut self, phone: &mut Phone) -> Result<Next<SyncReport>, PhoneError> {
        self.apart()?;
        match std::mem::replace(&mut self.stage, Stage::Round) {
            Stage::Enrol(mut enrolment) => {
                let next = enrolment.next(phone)?;
                self.stage = Stage::Enrol(enrolment);
                self.enrolled(next)
            }
            Stage::Begin | Stage::Prove(..) => self.first(phone),
            Stage::Round | Stage::Asked(_) | Stage::Answered(..) => {
                Ok(Next::Ask(self.next_request(phone)?))
            }
            Stage::Merge(outgoing, arrival) => self.mark(phone, outgoing, arrival),
            Stage::Marked(outgoing, arrival, places) => {
                self.merge(phone, outgoing, &arrival, Work::slice_of(places))
            }
            Stage::Single(mut proof) => match proof.step(phone)? {
                true => {
                    self.stage = Stage::Single(proof);
                    Ok(Next::More)
                }
                false => self.done(),
            },
            Stage::Wipe(mut wipe) => {
                let bundle = wipe.next(phone)?;
                self.stage = Stage::Wipe(wipe);
                Ok(Next::Ask(self.request(phone, bundle)?))
            }
        }
    }

    fn heard(
        &mut self,
        phone: &mut Phone,
        answer: Result<Answer, NoAnswer>,
    ) -> Result<Next<SyncReport>, PhoneError> {
        match std::mem::replace(&mut self.stage, Stage::Round) {
            Stage::Enrol(mut enrolment) => {
                let next = enrolment.heard(phone, answer)?;
                self.stage = Stage::Enrol(enrolment);
                self.enrolled(next)
            }
            Stage::Prove(link, server) => {
                let Answer { body, presented } = answer?;
                let control = prove(&link, &server, &body, presented)?;
                // The statement itself comes with the answer, among what this phone lacks of the
                // control feed.
                self.proven = control.root().map(|root| root.tls_keys.clone());
                Ok(Next::More)
            }
            Stage::Asked(outgoing) => self.handle_answer(phone, outgoing, answer),
            Stage::Wipe(mut wipe) => {
                // Asked for while there is a store that says whom.
                let last = self.request(phone, Vec::new())?;
                let body = wipe.heard(phone, &answer?.body)?;
                let Some(body) = body else {
                    self.stage = Stage::Wipe(wipe);
                    return Ok(Next::More);
                };
                // Should this be lost the office sees that all was handed over.
                let body = Some(body);
                let wiped = PhoneError::wrong(Issue::new("wiped"));
                Ok(Next::Leave(Request { body, ..last }, wiped))
            }
            stage @ (Stage::Begin
            | Stage::Round
            | Stage::Answered(..)
            | Stage::Merge(..)
            | Stage::Marked(..)
            | Stage::Single(_)) => {
                self.stage = stage;
                Ok(Next::More)
            }
        }
    }
}
