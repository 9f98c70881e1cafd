//! Errors of a phone, grouped by who must act: the person who asked, the connection, or the store.
//!
//! Inside the crate the errors of the core, the store and the transport keep their detail; at the
//! boundary only what a caller would act on is left: an exit code, a stable code, the key that it
//! is about and the arguments of a message. The words are in the crate `words`.

use sync_core::check::Problem;
use sync_core::exchange::ExchangeError;
use sync_core::record::WriteError;
use sync_core::replica::EditError;

/// One thing that is wrong: a stable code, where, and what the message names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Stable; every code of this crate and of the core has a message in the crate `words`.
    pub code: String,
    /// The key of the value that it is about, or what else was named; empty if nothing was.
    pub key: String,
    /// The arguments of the message.
    pub args: Vec<(String, String)>,
}

impl Complaint {
    /// A complaint about nothing in particular.
    pub fn new(code: &str) -> Self {
        Self::about(code, "")
    }

    /// A complaint about `key`.
    pub fn about(code: &str, key: &str) -> Self {
        Self {
            code: code.to_owned(),
            key: key.to_owned(),
            args: Vec::new(),
        }
    }

    /// The same with an argument for its message.
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.args.push((name.to_owned(), value.to_string()));
        self
    }
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// The request is wrong and nothing has changed; never empty. The person who asked can mend it.
    #[error("the request is wrong: {}", codes(.0))]
    Wrong(Vec<Complaint>),
    /// The server was not reached, or not far enough. Everything saved is still there and the same
    /// request may be made again at any time.
    #[error("no connection: {}", .0.code)]
    NoConnection(Complaint),
    /// Somebody stopped it. Everything saved is still there, what was exchanged stays exchanged, and
    /// the same request may be made again.
    #[error("stopped")]
    Cancelled(Complaint),
    /// The store can't be opened, read or written. What it holds has not changed as far as is
    /// known; after a failed write that is found out by opening it again.
    #[error("the store can't be used: {}", .0.code)]
    Store(Complaint),
}

fn codes(complaints: &[Complaint]) -> String {
    let codes: Vec<&str> = complaints
        .iter()
        .map(|complaint| complaint.code.as_str())
        .collect();
    codes.join(", ")
}

impl PhoneError {
    /// A request that is wrong in one way.
    pub fn wrong(complaint: Complaint) -> Self {
        Self::Wrong(vec![complaint])
    }

    /// What a call gives that somebody stopped.
    pub fn cancelled() -> Self {
        Self::Cancelled(Complaint::new("cancelled"))
    }

    /// What is wrong; the first is the one to show where there is room for one.
    pub fn complaints(&self) -> &[Complaint] {
        match self {
            Self::Wrong(complaints) => complaints,
            Self::NoConnection(complaint) | Self::Cancelled(complaint) | Self::Store(complaint) => {
                std::slice::from_ref(complaint)
            }
        }
    }
}

impl From<EditError> for PhoneError {
    fn from(error: EditError) -> Self {
        match error {
            EditError::Problems(problems) => {
                Self::Wrong(problems.iter().map(complaint_of).collect())
            }
            EditError::NoPackage => Self::wrong(Complaint::new("no_package")),
            EditError::NotGranted { unit, class } => Self::wrong(
                Complaint::about("not_granted", &format!("{unit}.{}", class.key()))
                    .with("unit", unit)
                    .with("class", class.key()),
            ),
            EditError::Erased => Self::wrong(Complaint::new("record_erased")),
            EditError::TooLarge => Self::wrong(Complaint::new("edit_too_large")),
            EditError::Record(WriteError::ValueTooLong { key }) => Self::wrong(
                Complaint::about("too_long", key.as_str())
                    .with("max", sync_core::value::VALUE_BYTES_MAX),
            ),
            // What was shown is no longer part of the record (a set-back phone, a hostile device):
            // it must be looked at again before it is written.
            EditError::Record(WriteError::Unseen) => Self::wrong(Complaint::new("record_changed")),
            EditError::Record(WriteError::TooLarge) => {
                Self::wrong(Complaint::new("edit_too_large"))
            }
            EditError::Record(_) => Self::Store(Complaint::new("record_unwritable")),
            EditError::Unreadable(_) => Self::Store(Complaint::new("store_unreadable")),
        }
    }
}

impl From<ExchangeError> for PhoneError {
    fn from(error: ExchangeError) -> Self {
        match error {
            // A garbled answer is a bad link until proven otherwise; nothing was taken from it.
            ExchangeError::Message(bad) => {
                Self::NoConnection(Complaint::new("bad_answer").with("detail", bad.code()))
            }
            ExchangeError::Control(bad) => {
                Self::NoConnection(Complaint::new("bad_answer").with("detail", bad))
            }
            ExchangeError::Unreadable(_) => Self::Store(Complaint::new("store_unreadable")),
        }
    }
}

/// The core names what breaks the dictionary by code, key and arguments; so does a complaint.
pub fn complaint_of(problem: &Problem) -> Complaint {
    let complaint = Complaint::about(problem.code, problem.key.as_str());
    problem
        .args
        .iter()
        .fold(complaint, |complaint, (name, value)| {
            complaint.with(name, value)
        })
}
