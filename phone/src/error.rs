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
pub struct Issue {
    /// Stable; every code of this crate and of the core has a message in the crate `words`.
    pub code: String,
    /// The key of the value that it is about, or what else was named; empty if nothing was.
    pub key: String,
    /// The arguments of the message.
    pub args: Vec<(String, String)>,
}

impl Issue {
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
    Wrong(Vec<Issue>),
    /// The server was not reached, or not far enough. Everything saved is still there and the same
    /// request may be made again at any time.
    #[error("no connection: {}", .0.code)]
    NoConnection(Issue),
    /// Somebody stopped it. Everything saved is still there, what was exchanged stays exchanged, and
    /// the same request may be made again.
    #[error("stopped")]
    Cancelled(Issue),
    /// The store can't be opened, read or written. What it holds has not changed as far as is
    /// known; after a failed write that is found out by opening it again.
    #[error("the store can't be used: {}", .0.code)]
    Store(Issue),
}

fn codes(issues: &[Issue]) -> String {
    let codes: Vec<&str> = issues.iter().map(|issue| issue.code.as_str()).collect();
    codes.join(", ")
}

impl PhoneError {
    /// A request that is wrong in one way.
    pub fn wrong(issue: Issue) -> Self {
        Self::Wrong(vec![issue])
    }

    /// What a call gives that somebody stopped.
    pub fn cancelled() -> Self {
        Self::Cancelled(Issue::new("cancelled"))
    }

    /// What is wrong; the first is the one to show where there is room for one.
    pub fn issues(&self) -> &[Issue] {
        match self {
            Self::Wrong(issues) => issues,
            Self::NoConnection(issue) | Self::Cancelled(issue) | Self::Store(issue) => {
                std::slice::from_ref(issue)
            }
        }
    }
}

impl From<EditError> for PhoneError {
    fn from(error: EditError) -> Self {
        match error {
            EditError::Problems(problems) => Self::Wrong(problems.iter().map(issue_of).collect()),
            EditError::NoPackage => Self::wrong(Issue::new("no_package")),
            EditError::NotGranted { unit, class } => Self::wrong(
                Issue::about("not_granted", &format!("{unit}.{}", class.key()))
                    .with("unit", unit)
                    .with("class", class.key()),
            ),
            EditError::Erased => Self::wrong(Issue::new("record_erased")),
            EditError::TooLarge => Self::wrong(Issue::new("edit_too_large")),
            EditError::Record(WriteError::ValueTooLong { key }) => Self::wrong(
                Issue::about("too_long", key.as_str())
                    .with("max", sync_core::value::VALUE_BYTES_MAX),
            ),
            // What was shown is no longer part of the record (a set-back phone, a hostile device):
            // it must be looked at again before it is written.
            EditError::Record(WriteError::Unseen) => Self::wrong(Issue::new("record_changed")),
            EditError::Record(WriteError::TooLarge) => Self::wrong(Issue::new("edit_too_large")),
            EditError::Record(WriteError::Full) => Self::wrong(Issue::new("record_full")),
            EditError::Record(_) => Self::Store(Issue::new("record_unwritable")),
            EditError::Unreadable(_) => Self::Store(Issue::new("store_unreadable")),
        }
    }
}

impl From<ExchangeError> for PhoneError {
    fn from(error: ExchangeError) -> Self {
        match error {
            // A garbled answer is a bad link until proven otherwise; nothing was taken from it.
            ExchangeError::Message(bad) => {
                Self::NoConnection(Issue::new("bad_answer").with("detail", bad.code()))
            }
            ExchangeError::Control(bad) => {
                Self::NoConnection(Issue::new("bad_answer").with("detail", bad))
            }
            ExchangeError::Unreadable(_) => Self::Store(Issue::new("store_unreadable")),
        }
    }
}

/// The core names what breaks the dictionary by code, key and arguments; so does a complaint.
pub fn issue_of(problem: &Problem) -> Issue {
    let issue = Issue::about(problem.code, problem.key.as_str());
    problem
        .args
        .iter()
        .fold(issue, |issue, (name, value)| issue.with(name, value))
}
