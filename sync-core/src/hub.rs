//! The server's side of an exchange: from a request and the batches held to what is stored and
//! answered. The host does the reading and the storing, in one transaction per request.
//!
//! The order of a call: [`open()`] the bytes (signature, roster), look up what its batches refer to and
//! [`take_apart`], load a [`SpaceHeld`] for each space claimed, [`SpaceHeld::place`] each batch,
//! [`SpaceHeld::hold`] the new ones, then [`plan()`] the answer, read the batches it names until the
//! budget is used up, and add to [`Answer::refer`](crate::wire::Answer::refer) what explains them and
//! [`Plan::phone_holds`].

mod held;
mod open;
mod plan;

pub use held::{Bringer, Placement, SpaceHeld};
pub use open::{Brought, Opened, asker, join, open, open_read, receive, take_apart};
pub use plan::{Plan, Taken, bases, batches_to_fill, holds_all, plan, receipts};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::id::{DeviceId, Incarnation, NetworkId};
use crate::wire::BadMessage;

/// A nonce is taken for this many days of the server's clock, so that a phone that syncs weekly
/// needs no round trip for a new one.
pub const NONCE_DAYS: u32 = 30;
const DAY_SECONDS: i64 = 86_400;
const NONCE_LABEL: &[u8] = b"ortoo nonce v1\0";

/// Who a server node is.
#[derive(Clone)]
pub struct NodeIdentity {
    /// The installation.
    pub network: NetworkId,
    /// This life of the database (R22).
    pub incarnation: Incarnation,
    /// Key of the nonces; kept with the database, so that a restart does not cost a round trip.
    pub nonce_key: [u8; 32],
}

impl NodeIdentity {
    /// The nonce for `device` at the server's time `now` (Unix seconds): its day and a MAC of it.
    pub fn nonce(&self, device: DeviceId, now: i64) -> [u8; 16] {
        self.nonce_of_day(device, day(now))
    }

    fn nonce_of_day(&self, device: DeviceId, day: u32) -> [u8; 16] {
        let mut nonce = [0; 16];
        nonce[..4].copy_from_slice(&day.to_be_bytes());
        // HMAC takes keys of any length.
        if let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.nonce_key) {
            mac.update(NONCE_LABEL);
            mac.update(device.as_bytes());
            mac.update(&day.to_be_bytes());
            nonce[4..].copy_from_slice(&mac.finalize().into_bytes()[..12]);
        }
        nonce
    }

    fn nonce_holds(&self, device: DeviceId, nonce: [u8; 16], now: i64) -> bool {
        let given = u32::from_be_bytes([nonce[0], nonce[1], nonce[2], nonce[3]]);
        let today = day(now);
        // The compared MAC guards nothing secret: whoever signs the request may learn it anyway.
        given <= today && today - given <= NONCE_DAYS && nonce == self.nonce_of_day(device, given)
    }
}

fn day(now: i64) -> u32 {
    u32::try_from(now.max(0) / DAY_SECONDS).unwrap_or(u32::MAX)
}

/// Why a request is not answered; nothing was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The bytes are no request of this protocol.
    #[error(transparent)]
    Message(#[from] BadMessage),
    /// The device is not on the roster.
    #[error("the device is not enrolled here")]
    UnknownDevice,
    /// The device was revoked; it is served no more (R25).
    #[error("the device was revoked")]
    Revoked,
    /// The request is not signed by the device that it names.
    #[error("the request's signature does not verify")]
    Signature,
    /// The request claims a space that the device was never granted.
    #[error("the device does not hold a space that it asks for")]
    SpaceNotGranted,
}

impl RequestError {
    /// A stable code.
    pub fn code(self) -> &'static str {
        match self {
            RequestError::Message(message) => message.code(),
            RequestError::UnknownDevice => "device_unknown",
            RequestError::Revoked => "device_revoked",
            RequestError::Signature => "request_signature",
            RequestError::SpaceNotGranted => "space_not_granted",
        }
    }
}
