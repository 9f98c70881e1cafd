//! Ground truth of a check: the village after its story, and what was really signed in it.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use sync_core::batch::Batch;
use sync_core::control::Control;
use sync_core::exchange::Outgoing;
use sync_core::id::NetworkId;
use sync_core::wire::Request;

use super::bundle::opened;
use super::corpus;
use crate::sim::village::vault::Vault;
use crate::sim::village::{Phone, Recorded, Village, opening_keys, small};

/// What checks compare with.
pub struct Ground {
    /// The village.
    pub village: Village,
    /// Its seals.
    pub vault: Vault,
    /// A request of a phone that holds nothing, and so takes most of what an answer brings.
    pub asked: (Phone, Outgoing),
    /// What the recorded things of the network say.
    pub recorded: Vec<Recorded>,
    /// SHA-256 of each message that somebody signed, without what the fuzzer signs itself.
    signed: BTreeSet<[u8; 32]>,
    /// SHA-256 of what the recorded bundles open to.
    sealed: BTreeSet<[u8; 32]>,
}

impl Ground {
    /// The ground.
    pub fn new() -> Self {
        let (mut village, mut recorded) = small();
        recorded.extend(corpus::kept());
        let asked = village.newcomer();
        let network = village.network();
        let mut signed = BTreeSet::new();
        let mut sealed = BTreeSet::new();
        let keys = opening_keys();
        for message in &recorded {
            match message.kind {
                "request" => {
                    if let Ok((_, said)) = Request::decode(network, &message.bytes) {
                        signed.insert(Sha256::digest(&said.message).into());
                    }
                }
                "batch" => {
                    if let Ok(batch) = Batch::from_store(network, &message.bytes) {
                        signed.insert(batch.hash.0);
                    }
                }
                "bundle" => sealed.extend(opened(network, &keys, &message.bytes)),
                _ => {}
            }
        }
        Self {
            village,
            vault: Vault::new(),
            asked,
            recorded,
            signed,
            sealed,
        }
    }

    /// The installation.
    pub fn network(&self) -> NetworkId {
        self.village.network()
    }

    /// The control state of the server.
    pub fn control(&self) -> &Control {
        self.village.control()
    }

    /// Whether a message with this hash was really signed.
    pub fn was_signed(&self, hash: [u8; 32]) -> bool {
        self.signed.contains(&hash)
    }

    /// Whether a bundle that opens to a message with this hash was really sealed.
    pub fn was_sealed(&self, hash: [u8; 32]) -> bool {
        self.sealed.contains(&hash)
    }

    /// Recorded messages of a kind.
    pub fn of(&self, kind: &str) -> impl Iterator<Item = &Recorded> {
        self.recorded
            .iter()
            .filter(move |recorded| recorded.kind == kind)
    }
}

impl Default for Ground {
    fn default() -> Self {
        Self::new()
    }
}
