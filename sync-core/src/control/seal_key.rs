//! Keys for sealing to the server.

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

use super::entry::{ControlEntry, Signer, kind, seal_entry};
use crate::cbor;
use crate::id::NetworkId;
use crate::seal::PublicKey;

/// The public key of a month to which bundles and outbox copies for the server are sealed. The server
/// destroys the private half thirteen months later, and with it what anybody may have kept of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SealKey {
    /// The month: twelve times its year and the months of that year before it.
    pub month: u32,
    /// The key.
    pub key: PublicKey,
}

#[derive(Encode, Decode)]
struct SealKeyWire {
    #[n(0)]
    month: u32,
    #[n(1)]
    key: ByteArray<33>,
}

impl SealKey {
    pub(super) fn decode(content: &[u8]) -> Option<Self> {
        let wire: SealKeyWire = cbor::decode(content).ok()?;
        let key = PublicKey::from_slice(wire.key.as_slice()).ok()?;
        let month = wire.month;
        Some(SealKey { month, key })
    }
}

impl ControlEntry {
    /// The entry that tells the key of a month to which the server is sealed to.
    pub fn seal_key(network: NetworkId, key: &SealKey, signer: Signer<'_>) -> Vec<u8> {
        let content = cbor::encode(&SealKeyWire {
            month: key.month,
            key: key.key.to_bytes().into(),
        });
        seal_entry(network, kind::SEAL_KEY, None, content, signer)
    }
}
