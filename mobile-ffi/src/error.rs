//! Errors as an app acts on them.

use client::error::{Issue, issue_of};
use sync_core::check;
use words::Words;

/// One thing that is wrong.
///
/// Keys and messages may name a person's values: show them, never log them. Codes name nobody.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Problem {
    /// Stable, and the same as the command line's, such as `future_date`.
    pub code: String,
    /// The key of the value that it is about, or what else was named; empty if nothing was.
    pub key: String,
    /// A sentence in the phone's language: what happened, and what to do.
    pub message: String,
}

impl Problem {
    pub(crate) fn of(complaint: &Issue, words: &Words) -> Self {
        Self {
            code: complaint.code.clone(),
            key: complaint.key.clone(),
            message: words.say(&complaint.code, &complaint.key, &complaint.args),
        }
    }

    pub(crate) fn all(complaints: &[Issue], words: &Words) -> Vec<Self> {
        let complaints = complaints.iter();
        complaints.map(|one| Self::of(one, words)).collect()
    }

    pub(crate) fn of_checks(problems: &[check::Problem], words: &Words) -> Vec<Self> {
        let problems = problems.iter();
        problems
            .map(|one| Self::of(&issue_of(one), words))
            .collect()
    }
}

/// Why something was not done, by who has to act. `problems` is never empty; the first is the one to
/// show where there is room for one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum PhoneError {
    /// The request is wrong and nothing has changed: whoever asked can mend it.
    #[error("the request is wrong: {}", codes(.problems))]
    Wrong {
        /// Everything that is wrong.
        problems: Vec<Problem>,
    },
    /// The server was not reached, or not far enough. Nothing is lost; try again at any time.
    #[error("no connection: {}", codes(.problems))]
    NoConnection {
        /// What kept it off.
        problems: Vec<Problem>,
    },
    /// Somebody cancelled. Nothing is lost; what was exchanged stays exchanged.
    #[error("cancelled")]
    Cancelled {
        /// One, with the code `cancelled`.
        problems: Vec<Problem>,
    },
    /// The store can't be opened, read or written.
    #[error("the store can't be used: {}", codes(.problems))]
    Store {
        /// What is wrong with it.
        problems: Vec<Problem>,
    },
    /// The office had ordered this phone wiped, and an exchange did so: all that the server lacked was
    /// handed over, then the store was erased. Every later call on this phone says so too; whoever goes
    /// on working enrols anew.
    #[error("wiped")]
    Wiped {
        /// One, with the code `wiped`.
        problems: Vec<Problem>,
    },
    /// A mistake in this library. What was in memory is dropped and the next call opens the store
    /// again: everything that was reported as saved is there.
    #[error("a mistake in the library")]
    Internal {
        /// One, with the code `internal`.
        problems: Vec<Problem>,
    },
}

fn codes(problems: &[Problem]) -> String {
    let codes: Vec<&str> = problems.iter().map(|one| one.code.as_str()).collect();
    codes.join(", ")
}

/// The code of [`PhoneError::Internal`].
const INTERNAL: &str = "internal";
/// The code of [`PhoneError::Wiped`].
const WIPED: &str = "wiped";

/// What a call gives that ended in a panic, until it is narrowed.
pub(crate) fn internal() -> client::error::PhoneError {
    client::error::PhoneError::Store(Issue::new(INTERNAL))
}

/// What a call gives once the phone was wiped.
pub(crate) fn wiped() -> client::error::PhoneError {
    client::error::PhoneError::wrong(Issue::new(WIPED))
}

/// Whether a call has ended with this phone wiped.
pub(crate) fn is_wiped(error: &client::error::PhoneError) -> bool {
    error.issues().iter().any(|one| one.code == WIPED)
}

impl PhoneError {
    pub(crate) fn of(error: &client::error::PhoneError, words: &Words) -> Self {
        use client::error::PhoneError as Inner;
        let problems = Problem::all(error.issues(), words);
        match error {
            Inner::Wrong(_) if is_wiped(error) => Self::Wiped { problems },
            Inner::Wrong(_) => Self::Wrong { problems },
            Inner::NoConnection(_) => Self::NoConnection { problems },
            Inner::Cancelled(_) => Self::Cancelled { problems },
            Inner::Store(complaint) if complaint.code == INTERNAL => Self::Internal { problems },
            Inner::Store(_) => Self::Store { problems },
        }
    }
}

/// What the app's own code ran into when it was called from here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum HostError {
    /// It failed.
    #[error("the app's code failed")]
    Failed {
        /// What it said; not kept.
        detail: String,
    },
}

impl From<uniffi::UnexpectedUniFFICallbackError> for HostError {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed {
            detail: error.reason,
        }
    }
}
