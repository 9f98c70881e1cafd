//! Conversations with the server without a network: enrolment, exchange, renewal, wipe.
//!
//! A walk says what to ask, and is told what came back; its host does the asking, over TLS or a
//! browser's `fetch`. Between two steps whoever else uses the phone has it.

use crate::error::{Issue, PhoneError};
use crate::phone::Phone;

/// SHA-256 of a public key's subject public key info.
pub type KeyHash = [u8; 32];

/// Who may answer a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Anybody: nothing is sent but the request, and what comes back must prove who it is.
    Anybody,
    /// A server that shows one of these TLS keys. A host that can't see the key relies on its system's
    /// authorities instead.
    Listed(Vec<KeyHash>),
}

/// A request to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The server's address, `https://host[:port]`.
    pub server: String,
    /// Who may answer.
    pub trust: Trust,
    /// The path there.
    pub path: &'static str,
    /// What to post, or `None` to get.
    pub body: Option<Vec<u8>>,
}

/// An answer, and the TLS key of whoever gave it, where the host can see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The answer's body.
    pub body: Vec<u8>,
    /// The key's hash.
    pub presented: Option<KeyHash>,
}

/// Why there is no answer. Nothing on this device has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// No connection, or one that broke off. Try again later.
    #[error("no connection")]
    NoConnection,
    /// What answers shows a key that is not listed: another server, or somebody in between.
    #[error("the server shows a key that is not listed")]
    Untrusted,
    /// The server refuses this request, with its stable code. The same request won't do better.
    #[error("the server refuses: {code}")]
    Refused {
        /// The problem's code.
        code: String,
    },
    /// The server can't answer now. Try again later.
    #[error("the server can't answer now: {code}")]
    Busy {
        /// The problem's code, or the HTTP status.
        code: String,
    },
    /// The answer is longer than any of this protocol.
    #[error("the answer is over the limit")]
    TooLong,
    /// Somebody stopped it; the connection is closed. Whether the request arrived is not known.
    #[error("stopped")]
    Cancelled,
    /// This program can't make TLS connections: a mistake in how it was built.
    #[error("TLS can't be set up")]
    Unable,
}

impl From<NoAnswer> for PhoneError {
    fn from(error: NoAnswer) -> Self {
        match error {
            NoAnswer::NoConnection => Self::NoConnection(Issue::new("no_connection")),
            NoAnswer::Untrusted => Self::NoConnection(Issue::new("server_untrusted")),
            NoAnswer::Refused { code } => Self::wrong(match code.as_str() {
                "code_unknown" | "code_used" | "code_expired" => Issue::new("code_refused"),
                "device_unknown" => Issue::new("not_on_roster"),
                "device_revoked" => Issue::new("device_revoked"),
                _ => Issue::new("server_refused").with("code_of_server", code),
            }),
            NoAnswer::Busy { code } => {
                Self::NoConnection(Issue::new("server_busy").with("code_of_server", code))
            }
            NoAnswer::TooLong => {
                Self::NoConnection(Issue::new("bad_answer").with("detail", "length"))
            }
            NoAnswer::Cancelled => Self::cancelled(),
            NoAnswer::Unable => Self::NoConnection(Issue::new("bad_answer").with("detail", "tls")),
        }
    }
}

/// How a walk goes on.
#[derive(Debug)]
#[must_use = "a walk stands still until its host goes on with it"]
pub enum Next<T> {
    /// Call [`Walk::next`], when nobody else waits for the phone. What was committed so far must be
    /// durable before.
    More,
    /// Ask this, and tell [`Walk::heard`]. What was committed so far must be durable before (R1).
    Ask(Request),
    /// Say this, heard or not; the walk has ended with the error.
    Leave(Request, PhoneError),
    /// The walk has ended.
    Done(T),
}

/// A conversation with the server, step by step. After an error it is over.
pub trait Walk {
    /// What comes of it.
    type End;

    /// Prepares what comes next.
    ///
    /// # Errors
    /// Those of the store, and what the server has to be asked anew for.
    fn next(&mut self, phone: &mut Phone) -> Result<Next<Self::End>, PhoneError>;

    /// Does what takes no phone before [`Walk::next`], while others have it. `next` does it otherwise.
    ///
    /// # Errors
    /// As [`Walk::next`].
    fn apart(&mut self) -> Result<(), PhoneError> {
        Ok(())
    }

    /// Takes what came back for the request that was given out last.
    ///
    /// # Errors
    /// As [`Walk::next`]; a link that fails too often is one too.
    fn heard(
        &mut self,
        phone: &mut Phone,
        answer: Result<Answer, NoAnswer>,
    ) -> Result<Next<Self::End>, PhoneError>;
}
