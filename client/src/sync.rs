//! An exchange from beginning to end over a link that may be cut at any byte.
//!
//! Every round: prepare, commit, send; then what the answer changes: prepare, commit, apply. After
//! a cut the budget halves, down to one batch, and the next request carries the vector only, to
//! learn first what has landed (R47, R49); so a link that passes a few kilobytes per connection
//! gets everything across, piece by piece. As long as nothing is cut each round carries more than
//! the one before: a new phone of a village needs three.

use sync_core::exchange::Budget;

use crate::error::{Complaint, PhoneError};
use crate::phone::{Phone, is_pending};
use crate::transport::Transport;

/// Where the server takes exchanges.
const EXCHANGE_PATH: &str = "/v1/exchange";
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
}

/// Where an exchange stands.
struct Course {
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

impl Phone {
    /// Exchanges with the server until both hold the same. A device whose enrolment is pending asks
    /// first whether it has been let in.
    pub fn sync(&mut self) -> Result<SyncReport, PhoneError> {
        match self.opened() {
            Err(error) if is_pending(&error) => crate::enrol::ask_again(self)?,
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        let unsent = self.opened()?.replica.unsent();
        let mut course = Course {
            transport: None,
            budget: Budget::DEFAULT,
            asking: false,
            failures: 0,
            idle: 0,
            unsent,
            whole: true,
        };
        let mut report = SyncReport::default();
        while self.round(&mut course, &mut report)? {}
        Ok(report)
    }

    /// One round; whether another one is needed.
    fn round(&mut self, course: &mut Course, report: &mut SyncReport) -> Result<bool, PhoneError> {
        let budget = if course.asking {
            course.budget.asking()
        } else {
            course.budget
        };
        let outgoing = self.step(&|open, context| {
            let sign = |message: &[u8]| open.keys.sign(message);
            Ok(open
                .replica
                .prepare_exchange(context, &open.store, &sign, budget)?)
        })?;
        let transport = match course.transport.take() {
            Some(transport) => transport,
            None => self.transport()?,
        };
        report.bytes_up += outgoing.bytes.len();
        let answer = match transport.post(EXCHANGE_PATH, &outgoing.bytes) {
            Ok(answer) => answer,
            Err(error) => match PhoneError::from(error) {
                PhoneError::NoConnection(complaint) => {
                    course.failed(complaint)?;
                    return Ok(true);
                }
                error => return Err(error),
            },
        };
        course.transport = Some(transport);
        report.bytes_down += answer.len();
        report.round_trips += 1;
        let taken = self.try_step(&|open, context| {
            Ok(open
                .replica
                .prepare_answer(context, &open.store, &outgoing, &answer)?)
        });
        let received = match taken {
            Ok(Ok(received)) => received,
            // The answer was to a replica that is gone; what it brought comes again.
            Ok(Err(_)) => {
                course.failed(Complaint::new("store_fenced"))?;
                return Ok(true);
            }
            Err(PhoneError::NoConnection(complaint)) => {
                course.failed(complaint)?;
                return Ok(true);
            }
            Err(error) => return Err(error),
        };
        report.batches_up += outgoing.batches;
        report.batches_down += received.batches;
        report.refused.extend(received.refused);
        report
            .refused
            .extend(received.not_held.iter().map(ToString::to_string));
        report.stash_full |= received.stash_full;

        let unsent = self.opened()?.replica.unsent();
        if received.batches > 0
            || unsent < course.unsent
            || (outgoing.batches > 0 && !received.again)
        {
            course.failures = 0;
            course.idle = 0;
        } else {
            course.idle += 1;
        }
        course.unsent = unsent;
        course.asking = false;
        if course.whole {
            course.budget = course.budget.grown();
        }
        if received.again && course.idle >= IDLE_ROUNDS_MAX {
            return Err(PhoneError::NoConnection(Complaint::new("no_progress")));
        }
        Ok(received.again)
    }

    /// The way to the server: its address, and the keys that the root statement lists.
    fn transport(&mut self) -> Result<Transport, PhoneError> {
        let open = self.opened()?;
        let root = open.replica.control().root();
        let keys = root.map(|root| root.tls_keys.clone()).unwrap_or_default();
        Transport::pinned(&open.host.server, &keys).map_err(PhoneError::from)
    }
}
