//! A village whose every message is kept: phones, a server, a story of some days, always the same.
//!
//! Golden files and the fuzzer's corpus are recorded here, and the ground that the fuzzer stands on
//! is this village too. Keys are constants, known to everybody and good for nothing else, so that
//! what was recorded years ago still verifies.

mod carry;
mod decide;
mod file;
mod phone;
mod record;
mod remote_wipe;
mod story;
pub mod vault;

use std::collections::BTreeSet;

use plan::Package;
use sync_core::control::{ControlEntry, RootStatement};
use sync_core::id::{AuthorId, Class, Incarnation, NetworkId, Space};
use sync_core::seal::SigningKey;

use super::hub::{HubKeys, MemoryHub};

pub use super::erased::PERSON;

pub use carry::opening_keys;
pub use decide::second_root_entry;
pub use phone::{Phone, sealing_key};
pub use remote_wipe::wipe_report;
pub use sample::phone::Rows;
pub use story::{busy, small};

/// The unit of all records.
pub const UNIT: &str = "152522100200";
/// When the story begins, Unix seconds: 2026-02-25.
pub const BEGIN: i64 = 1_772_000_000;
/// The person who writes on all phones.
const AUTHOR: AuthorId = AuthorId([0xa0; 8]);

/// Signs the root statement.
pub const ROOT: [u8; 32] = [1; 32];
/// Signs all other control entries.
pub const NODE: [u8; 32] = [2; 32];
/// Signing keys of the phones, in the order in which they come in.
pub const PHONES: [[u8; 32]; 3] = [[3; 32], [4; 32], [5; 32]];

/// One message or row, as it was sent or stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// What reads it: a decoder's name.
    pub kind: &'static str,
    /// What it is, in a word.
    pub name: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// The village: its server, its clock, and what was recorded so far.
pub struct Village {
    hub: MemoryHub,
    now: i64,
    phones: Vec<Phone>,
    recorded: Vec<Recorded>,
}

/// What founds the installation.
fn statement() -> RootStatement {
    RootStatement {
        version: 1,
        root_keys: vec![key(ROOT).public().bytes],
        threshold: 1,
        node_keys: vec![key(NODE).public().bytes],
        order_keys: Vec::new(),
        tls_keys: Vec::new(),
    }
}

/// The installation that all this is of.
pub fn network() -> NetworkId {
    statement().network()
}

/// The entry that founds it.
pub fn root_entry() -> Vec<u8> {
    let root = key(ROOT);
    let sign = |message: &[u8]| root.sign(message);
    ControlEntry::root(network(), &statement(), (root.public().bytes, &sign))
}

/// A device's key.
pub fn key(secret: [u8; 32]) -> SigningKey {
    SigningKey::from_bytes(&secret)
}

impl Village {
    /// A server with this plan, and nobody enrolled.
    fn found(package: &Package) -> Self {
        let keys = HubKeys {
            root: ed25519_dalek::SigningKey::from_bytes(&ROOT),
            node: ed25519_dalek::SigningKey::from_bytes(&NODE),
            incarnation: Incarnation([6; 8]),
            nonce: [7; 32],
        };
        let village = Self {
            hub: MemoryHub::of(keys, package),
            now: BEGIN,
            phones: Vec::new(),
            recorded: Vec::new(),
        };
        let mut village = village;
        let root = village.control_entry(0);
        village.keep("network", "root", root);
        village
    }

    /// The installation.
    pub fn network(&self) -> NetworkId {
        self.hub.network()
    }

    /// The phones, in the order in which they came in.
    pub fn phones(&self) -> &[Phone] {
        &self.phones
    }

    /// The server's clock, Unix seconds.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// The control state of the server.
    pub fn control(&self) -> &sync_core::control::Control {
        &self.hub.state.control
    }

    /// Serves a request without committing what it does: how many batches it would refuse, or the
    /// code of the whole request's refusal.
    pub fn would_serve(&self, request: &[u8]) -> Result<(usize, Vec<u8>), &'static str> {
        let served = self.hub.would_serve(request, self.now, None)?;
        Ok((served.refused.len(), served.answer))
    }

    /// A phone that has just come in, and its first request.
    pub fn newcomer(&mut self) -> (Phone, sync_core::exchange::Outgoing) {
        self.enrol("newcomer");
        self.recorded.clear();
        let mut phone = self.phones.pop().expect("it has just come in");
        let outgoing = phone.request(self.now);
        (phone, outgoing)
    }

    fn keep(&mut self, kind: &'static str, name: impl Into<String>, bytes: Vec<u8>) {
        let name = name.into();
        self.recorded.push(Recorded { kind, name, bytes });
    }

    /// A control entry by its order of arrival.
    fn control_entry(&self, arrival: usize) -> Vec<u8> {
        let entry = self.hub.state.control.entries().nth(arrival);
        entry
            .map(|entry| entry.bytes().to_vec())
            .unwrap_or_default()
    }

    fn later(&mut self, seconds: i64) {
        self.now += seconds;
    }
}

/// The spaces of a cadre of the village.
fn spaces() -> BTreeSet<Space> {
    let space = |class| Space::new(UNIT, class).expect("twelve digits are a unit");
    BTreeSet::from([space(Class::General), space(Class::Care)])
}
