//! State of a replica beside records and feeds: who it is, what it remembers of its server, and of the
//! time by its clock, and edits that no batch holds yet.

use crate::batch::Entry;
use crate::id::{AuthorId, DeviceId, Incarnation, NetworkId};

/// Who a replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceIdentity {
    /// The installation.
    pub network: NetworkId,
    /// This device.
    pub device: DeviceId,
}

/// A saved edit that no batch holds yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Staged {
    pub(crate) entry: Entry,
    pub(crate) author: AuthorId,
    pub(crate) dictionary: u32,
}

/// What a replica remembers of its server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerState {
    /// The server database's life whose counters are known.
    pub incarnation: Option<Incarnation>,
    /// The nonce for the next request.
    pub nonce: [u8; 16],
    /// When an exchange last came through, by the device's clock, Unix seconds.
    pub last_exchange: Option<i64>,
    /// How many seconds the device's clock was ahead of the server's when that was last heard.
    pub clock_ahead: i64,
    /// The server's clock when it was last heard, Unix seconds; 0 if never.
    pub heard: i64,
    /// Batches of others came by bundle: their authors wait for the server's acknowledgement.
    pub relays: bool,
}

/// A moment after every other, for a device that can't tell which day it is.
const NO_DAY_IS_FUTURE: i64 = i64::MAX;

impl ServerState {
    /// What is known of the server right after it has let this device in. `now` is the device's
    /// clock, `time` the server's, in Unix seconds.
    pub fn enrolled(incarnation: Incarnation, nonce: [u8; 16], now: i64, time: i64) -> Self {
        Self {
            incarnation: Some(incarnation),
            nonce,
            last_exchange: None,
            clock_ahead: now.saturating_sub(time),
            heard: time,
            relays: false,
        }
    }

    /// The true time as far as it is known here, Unix seconds: the device's clock, set right by
    /// what the server's showed, and never before what that has shown already.
    pub fn true_time(&self, now: i64) -> i64 {
        now.saturating_sub(self.clock_ahead).max(self.heard)
    }

    /// The latest moment of which it may be said that it is not in the future: the true time, or
    /// the end of all days if the clock was set back since (an empty battery): a date typed by
    /// somebody who knows the day is not refused by a phone that doesn't (R27).
    pub fn not_future_before(&self, now: i64) -> i64 {
        if now.saturating_sub(self.clock_ahead) < self.heard {
            NO_DAY_IS_FUTURE
        } else {
            self.true_time(now)
        }
    }
}
