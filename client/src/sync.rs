//! Conversations with the server over TLS, on the thread that waits for them.

use phone::phone::Phone;
use phone::sync::ExchangeSession;
pub use phone::sync::{Progress, SyncReport};
use phone::walk::{Answer, KeyHash, Next, NoAnswer, Request, Trust, Walk};

use crate::cancel::Cancel;
use crate::error::PhoneError;
use crate::transport::Transport;

/// Gives a phone to the steps of an exchange, one at a time. Between two steps the exchange waits
/// for the server, and whoever else uses the phone has it.
pub trait PhoneAccess {
    /// Runs a step.
    ///
    /// # Errors
    /// Those of the step, and whatever keeps the phone from being given.
    fn turn<T>(
        &mut self,
        step: impl FnOnce(&mut Phone) -> Result<T, PhoneError>,
    ) -> Result<T, PhoneError>;
}

impl PhoneAccess for Phone {
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
    phone: &mut impl PhoneAccess,
    cancel: &Cancel,
    progress: &mut dyn FnMut(&Progress),
) -> Result<SyncReport, PhoneError> {
    talk(phone, ExchangeSession::begin, cancel, progress)
}

/// Exchanges with the server until both hold the same ([`exchange`]).
pub fn sync(phone: &mut Phone) -> Result<SyncReport, PhoneError> {
    exchange(phone, &Cancel::new(), &mut |_| {})
}

/// Leads an exchange and tells how far it has come.
pub(crate) fn talk(
    phone: &mut impl PhoneAccess,
    begin: fn(&mut Phone) -> Result<ExchangeSession, PhoneError>,
    cancel: &Cancel,
    progress: &mut dyn FnMut(&Progress),
) -> Result<SyncReport, PhoneError> {
    let mut session = phone.turn(begin)?;
    lead(phone, &mut session, cancel, &mut |session| {
        if let Some(news) = session.progress() {
            progress(&news);
        }
    })
}

/// Leads a conversation to its end; `each` is called after every step.
pub(crate) fn lead<W: Walk>(
    phone: &mut impl PhoneAccess,
    walk: &mut W,
    cancel: &Cancel,
    each: &mut dyn FnMut(&mut W),
) -> Result<W::End, PhoneError> {
    let mut line = Line(None);
    let mut next = Next::More;
    loop {
        next = match next {
            Next::More if cancel.is_cancelled() => return Err(PhoneError::cancelled()),
            // What came is merged slice by slice, and between two of them others have the phone.
            Next::More => {
                walk.apart()?;
                let next = phone.turn(|phone| walk.next(phone))?;
                each(walk);
                next
            }
            Next::Ask(request) => {
                let answer = match line.ask(request, cancel) {
                    // Whoever stopped it may have taken the phone away.
                    Err(NoAnswer::Cancelled) => return Err(PhoneError::cancelled()),
                    answer => answer,
                };
                let next = phone.turn(|phone| walk.heard(phone, answer))?;
                each(walk);
                next
            }
            Next::Leave(request, error) => {
                drop(line.ask(request, cancel));
                return Err(error);
            }
            Next::Done(end) => return Ok(end),
        };
    }
}

/// The connection to one server, kept from request to request: a handshake costs more than a quiet
/// day's exchange.
struct Line(Option<(String, Vec<KeyHash>, Transport)>);

impl Line {
    fn ask(&mut self, request: Request, cancel: &Cancel) -> Result<Answer, NoAnswer> {
        let (server, path) = (request.server, request.path);
        let keys = match request.trust {
            Trust::Listed(keys) => keys,
            Trust::Anybody => {
                let (body, key) = Transport::first_contact(&server, path, cancel)?;
                let presented = Some(key);
                return Ok(Answer { body, presented });
            }
        };
        let same = |line: &(String, Vec<KeyHash>, Transport)| line.0 == server && line.1 == keys;
        let transport = match self.0.take().filter(same) {
            Some((.., transport)) => transport,
            None => Transport::pinned(&server, &keys)?,
        };
        let answer = transport.post(path, &request.body.unwrap_or_default(), cancel);
        // What broke off is begun anew.
        if matches!(answer, Ok(_) | Err(NoAnswer::Refused { .. })) {
            self.0 = Some((server, keys, transport));
        }
        let presented = None;
        Ok(Answer {
            body: answer?,
            presented,
        })
    }
}
