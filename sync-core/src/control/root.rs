//! Root statements: who may sign which entries, and the server's TLS keys.

use std::collections::BTreeSet;

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};

use super::entry::{
    BadEntry, ControlEntry, ROOT_LIST_MAX, Signer, kind, plain_key, seal_entry, suite_key,
};
use crate::cbor::{self, List};
use crate::id::NetworkId;

const ROOT_LABEL: &[u8] = b"ortoo root v1\0";

/// The installation's offline root: who may sign what, and which TLS keys are the server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootStatement {
    /// 1, 2, …; the highest held counts.
    pub version: u32,
    /// Root keys (Ed25519 public).
    pub root_keys: Vec<[u8; 32]>,
    /// How many of the root keys must sign the next statement.
    pub threshold: u32,
    /// Server nodes' signing keys; nodes sign all other entries.
    pub node_keys: Vec<[u8; 32]>,
    /// Order keys, held by persons (erasure, wipe).
    pub order_keys: Vec<[u8; 32]>,
    /// SHA-256 of the subject public key info of the TLS keys, now and next. Trust in TLS is that
    /// the key is listed here; dates and names on certificates are ignored.
    pub tls_keys: Vec<[u8; 32]>,
}

#[derive(Encode, Decode)]
struct RootWire {
    #[n(0)]
    version: u32,
    #[n(1)]
    root_keys: List<ByteArray<33>, ROOT_LIST_MAX>,
    #[n(2)]
    threshold: u32,
    #[n(3)]
    node_keys: List<ByteArray<33>, ROOT_LIST_MAX>,
    #[n(4)]
    order_keys: List<ByteArray<33>, ROOT_LIST_MAX>,
    #[n(5)]
    tls_keys: List<ByteArray<32>, ROOT_LIST_MAX>,
}

impl RootStatement {
    /// The statement's bytes; their hash, for version 1, is the network's id.
    pub fn encode(&self) -> Vec<u8> {
        let keys = |keys: &[[u8; 32]]| keys.iter().map(|key| suite_key(key).into()).collect();
        cbor::encode(&RootWire {
            version: self.version,
            root_keys: keys(&self.root_keys),
            threshold: self.threshold,
            node_keys: keys(&self.node_keys),
            order_keys: keys(&self.order_keys),
            tls_keys: self.tls_keys.iter().map(|key| (*key).into()).collect(),
        })
    }

    /// The network that this first statement founds.
    pub fn network(&self) -> NetworkId {
        network_of(&self.encode())
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, BadEntry> {
        let wire: RootWire = cbor::decode(bytes).map_err(|_| BadEntry::Envelope)?;
        // Keys of suites that we don't know can't sign for us; they are left to newer versions.
        let keys = |keys: List<ByteArray<33>, ROOT_LIST_MAX>| -> Vec<[u8; 32]> {
            keys.into_iter()
                .filter_map(|key| plain_key(&<[u8; 33]>::from(key)))
                .collect()
        };
        Ok(Self {
            version: wire.version,
            root_keys: keys(wire.root_keys),
            threshold: wire.threshold.max(1),
            node_keys: keys(wire.node_keys),
            order_keys: keys(wire.order_keys),
            tls_keys: wire.tls_keys.into_iter().map(Into::into).collect(),
        })
    }
}

fn network_of(statement: &[u8]) -> NetworkId {
    let hash = Sha256::new()
        .chain_update(ROOT_LABEL)
        .chain_update(statement)
        .finalize();
    NetworkId(hash.into())
}

impl ControlEntry {
    /// The entry that founds or renews a network. `signers` are root keys with their signatures'
    /// makers.
    pub fn root(network: NetworkId, statement: &RootStatement, signer: Signer<'_>) -> Vec<u8> {
        seal_entry(network, kind::ROOT, None, statement.encode(), signer)
    }
}

/// The join of the root statements held.
#[derive(Clone, Debug, Default)]
pub(super) struct Roots {
    newest: Option<RootStatement>,
    /// Of all statements held: what a node or a person signed stays signed when the next statement
    /// leaves the key out.
    node_keys: BTreeSet<[u8; 32]>,
    order_keys: BTreeSet<[u8; 32]>,
}

impl Roots {
    /// Checks the content of an entry that these keys signed.
    pub(super) fn check(
        &self,
        network: NetworkId,
        content: &[u8],
        signers: &BTreeSet<[u8; 32]>,
    ) -> Result<RootStatement, BadEntry> {
        let statement = RootStatement::decode(content)?;
        let signed_by = |statement: &RootStatement| {
            let good = statement
                .root_keys
                .iter()
                .filter(|key| signers.contains(*key))
                .count();
            good >= statement.threshold as usize
        };
        let founding = network_of(content) == network && signed_by(&statement);
        let renewed = self.newest.as_ref().is_some_and(signed_by) && statement.version > 1;
        if founding || renewed {
            Ok(statement)
        } else if self.newest.is_none() {
            Err(BadEntry::OtherNetwork)
        } else {
            Err(BadEntry::Signature)
        }
    }

    /// The keys that may sign a root statement with this content.
    pub(super) fn may_sign_root(&self, network: NetworkId, content: &[u8]) -> BTreeSet<[u8; 32]> {
        let founds = network_of(content) == network;
        let founding = RootStatement::decode(content).ok().filter(|_| founds);
        let statements = founding.iter().chain(&self.newest);
        statements
            .flat_map(|statement| &statement.root_keys)
            .copied()
            .collect()
    }

    /// The keys that may sign anything else.
    pub(super) fn may_sign(&self) -> BTreeSet<[u8; 32]> {
        self.node_keys.union(&self.order_keys).copied().collect()
    }

    pub(super) fn join(&mut self, statement: &RootStatement) {
        self.node_keys.extend(&statement.node_keys);
        self.order_keys.extend(&statement.order_keys);
        let newer = self
            .newest
            .as_ref()
            .is_none_or(|newest| newest.version < statement.version);
        if newer {
            self.newest = Some(statement.clone());
        }
    }

    /// The statement in force.
    pub(super) fn newest(&self) -> Option<&RootStatement> {
        self.newest.as_ref()
    }

    /// The nodes' signing keys, those of earlier statements too.
    pub(super) fn node_keys(&self) -> &BTreeSet<[u8; 32]> {
        &self.node_keys
    }

    /// The order keys, those of earlier statements too.
    pub(super) fn order_keys(&self) -> &BTreeSet<[u8; 32]> {
        &self.order_keys
    }
}
