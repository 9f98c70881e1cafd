//! Status of a phone.

use crate::work::ExchangeReport;

/// Where a phone stands.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Status {
    /// Saved changes that the server is not known to hold.
    pub unsent: i64,
    /// What came in and waits for something that has not come yet.
    pub waiting: i64,
    /// When an exchange last came through, Unix seconds by this device's clock.
    pub last_exchange: Option<i64>,
    /// This device's id, as the administrator sees it. New keys make another one of it.
    pub device: String,
    /// The spaces held, as `CODE.class`.
    pub spaces: Vec<String>,
    /// The server's address.
    pub server: String,
    /// How many seconds this device's clock is ahead of the server's, as last seen.
    pub clock_ahead: i64,
    /// Whether that is so much that the user must set the clock.
    pub clock_is_off: bool,
    /// Rows of the store that did not read when it was opened; an exchange fetches them again.
    pub unreadable_rows: i64,
    /// Erased records of which something that was written here waits for its author's decision:
    /// [`crate::phone::Phone::kept`].
    pub kept: i64,
}

impl From<client::phone::Status> for Status {
    fn from(status: client::phone::Status) -> Self {
        Self {
            clock_is_off: status.clock_is_off(),
            unsent: status.unsent as i64,
            waiting: status.waiting as i64,
            last_exchange: status.last_exchange,
            device: status.device.to_string(),
            spaces: status.spaces,
            server: status.server,
            clock_ahead: status.clock_ahead,
            unreadable_rows: status.unreadable_rows as i64,
            kept: status.kept as i64,
        }
    }
}

/// How an enrolment ended.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Enrolled {
    /// This device's id.
    pub device: String,
    /// The spaces that it may hold, as `CODE.class`; empty while pending.
    pub spaces: Vec<String>,
    /// The six digits that the administrator compares before letting this device in; `None` if it is
    /// in. The phone opens in both cases and an exchange asks again.
    pub pending_digits: Option<String>,
}

impl From<client::enrol::Enrolled> for Enrolled {
    fn from(enrolled: client::enrol::Enrolled) -> Self {
        Self {
            device: enrolled.device.to_string(),
            spaces: enrolled.spaces,
            pending_digits: enrolled.pending,
        }
    }
}

/// How far an exchange has come.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Progress {
    /// What it has moved so far.
    pub moved: ExchangeReport,
    /// Saved changes that the server is not known to hold yet.
    pub unsent: i64,
}

impl From<&client::sync::Progress> for Progress {
    fn from(progress: &client::sync::Progress) -> Self {
        Self {
            moved: progress.report.clone().into(),
            unsent: progress.unsent as i64,
        }
    }
}
