//! Orders: control entries that only a person may sign (R19). Erasing a record, wiping a phone and
//! deciding on many batches at once are signed by **order keys**, which root statements list and
//! persons hold; a stolen node key does none of it.
//!
//! An order names what it is about, at most [`ORDER_NAMES_MAX`] things. Above what one person may
//! order alone ([`OrderKind::alone_max`]) two distinct order keys must have signed the same bytes;
//! until then nobody holds the order. A signature is added with [`ControlEntry::sign_again`].
//!
//! The key that made an order numbers it: 1, 2, …, so that the person sees at the next order what
//! was signed with a key that went astray. Two orders with one number both stand, whatever the
//! order in which they came (R18), and are shown ([`super::Control::order_numbers_used_twice`]).

use std::collections::{BTreeMap, BTreeSet};

use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};

use super::entry::{
    BadEntry, BodyWire, ControlEntry, EntryWire, SignatureWire, Signer, kind, name_of, plain_key,
    seal_entry, signed_message, suite_key,
};
use super::root::Roots;
use crate::cbor::{self, List};
use crate::id::{EntryHash, NetworkId, Space};
use crate::shape::SpaceWire;

/// Things that one order names; more need several orders.
pub const ORDER_NAMES_MAX: usize = 1024;
/// Bytes of one name; the longest is a batch's hash.
const ORDER_NAME_BYTES_MAX: usize = 64;
/// Records that one person may have erased by one order.
pub const ERASE_ALONE_MAX: usize = 20;
/// Phones that one person may have wiped by one order.
pub const WIPE_ALONE_MAX: usize = 3;
/// Batches that a server node may decide on by one entry, without an order key.
pub const VERDICT_NODE_MAX: usize = 20;
/// Batches that one person may decide on by one order.
pub const VERDICT_ALONE_MAX: usize = 200;

/// What is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OrderKind {
    /// That records are erased everywhere; names are record ids.
    Erase,
    /// What becomes of batches that wait for the office; names are their hashes.
    Verdict,
    /// That phones wipe their stores; names are device ids.
    Wipe,
}

impl OrderKind {
    /// How many things one person may order alone.
    pub fn alone_max(self) -> usize {
        match self {
            OrderKind::Erase => ERASE_ALONE_MAX,
            OrderKind::Verdict => VERDICT_ALONE_MAX,
            OrderKind::Wipe => WIPE_ALONE_MAX,
        }
    }

    /// How many things a server node may decide on without a person's key.
    fn node_max(self) -> usize {
        match self {
            OrderKind::Erase | OrderKind::Wipe => 0,
            OrderKind::Verdict => VERDICT_NODE_MAX,
        }
    }

    fn number(self) -> u16 {
        match self {
            OrderKind::Erase => kind::ERASE,
            OrderKind::Verdict => kind::VERDICT,
            OrderKind::Wipe => kind::WIPE,
        }
    }

    pub(super) fn of(number: u16) -> Option<Self> {
        match number {
            kind::ERASE => Some(OrderKind::Erase),
            kind::VERDICT => Some(OrderKind::Verdict),
            kind::WIPE => Some(OrderKind::Wipe),
            _ => None,
        }
    }
}

/// An order, whatever its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The key that made it, which has signed it too.
    pub issuer: [u8; 32],
    /// Its number among the orders of that key.
    pub number: u32,
    /// What it is about; see [`OrderKind`].
    pub names: BTreeSet<Vec<u8>>,
    /// What else it says, by kind.
    pub content: Vec<u8>,
}

#[derive(Encode, Decode)]
struct OrderWire {
    #[n(0)]
    issuer: ByteArray<33>,
    #[n(1)]
    number: u32,
    #[n(2)]
    names: List<ByteVec, ORDER_NAMES_MAX>,
    #[n(3)]
    content: ByteVec,
}

impl Order {
    fn encode(&self) -> Vec<u8> {
        let names = self.names.iter().map(|name| name.clone().into());
        cbor::encode(&OrderWire {
            issuer: suite_key(&self.issuer).into(),
            number: self.number,
            names: names.collect(),
            content: self.content.clone().into(),
        })
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let wire: OrderWire = cbor::decode(bytes).ok()?;
        let names: BTreeSet<Vec<u8>> = wire.names.into_iter().map(Vec::from).collect();
        let names_fit = names.iter().all(|name| name.len() <= ORDER_NAME_BYTES_MAX);
        let sound = !names.is_empty() && names_fit && wire.number > 0;
        sound.then_some(Self {
            issuer: plain_key(&wire.issuer)?,
            number: wire.number,
            names,
            content: wire.content.into(),
        })
    }

    /// Checks the body of an order that these keys signed.
    pub(super) fn check(
        kind: OrderKind,
        body: &BodyWire,
        signers: &BTreeSet<[u8; 32]>,
        roots: &Roots,
    ) -> Result<Self, BadEntry> {
        let order = Self::decode(&body.content).ok_or(BadEntry::Envelope)?;
        if body.scope.as_ref().is_none_or(|scope| scope.0.is_empty()) {
            return Err(BadEntry::Envelope);
        }
        if !signers.contains(&order.issuer) {
            return Err(BadEntry::Signature);
        }
        let by_node = roots.node_keys().contains(&order.issuer);
        if by_node && order.names.len() <= kind.node_max() {
            return Ok(order);
        }
        if !roots.order_keys().contains(&order.issuer) {
            return Err(BadEntry::Signature);
        }
        let persons = signers.intersection(roots.order_keys()).count();
        match order.names.len() > kind.alone_max() && persons < 2 {
            true => Err(BadEntry::SecondSignature),
            false => Ok(order),
        }
    }
}

/// An order on its way from one person to the next, not held by anybody yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderFile {
    /// The entry's name.
    pub entry: EntryHash,
    /// What is ordered.
    pub kind: OrderKind,
    /// Where.
    pub scope: BTreeSet<Space>,
    /// The order.
    pub order: Order,
    /// The keys that have signed it so far; whether they may is for [`super::Control::check`].
    pub signers: BTreeSet<[u8; 32]>,
}

impl OrderFile {
    /// What the bytes of an entry order, to be read before signing them.
    pub fn read(network: NetworkId, bytes: &[u8]) -> Result<Self, BadEntry> {
        let wire = EntryWire::read(bytes)?;
        let message = signed_message(network, &wire.body);
        let body: BodyWire = cbor::decode(&wire.body).map_err(|_| BadEntry::Envelope)?;
        let kind = OrderKind::of(body.kind).ok_or(BadEntry::Envelope)?;
        let order = Order::decode(&body.content).ok_or(BadEntry::Envelope)?;
        let scope = body.scope.ok_or(BadEntry::Envelope)?;
        Ok(Self {
            kind,
            scope: scope.0.iter().filter_map(SpaceWire::space).collect(),
            order,
            signers: wire.signers(&message, &wire.named()),
            entry: name_of(&message),
        })
    }
}

impl ControlEntry {
    /// The entry of an order for the devices of these spaces, signed by its issuer.
    pub fn order(
        network: NetworkId,
        kind: OrderKind,
        scope: &BTreeSet<Space>,
        order: &Order,
        signer: Signer<'_>,
    ) -> Vec<u8> {
        let scope = scope.iter().map(SpaceWire::of).collect();
        seal_entry(network, kind.number(), Some(scope), order.encode(), signer)
    }

    /// The same entry with one signature more. It keeps its name: that is of what is signed.
    pub fn sign_again(
        network: NetworkId,
        bytes: &[u8],
        (key, sign): Signer<'_>,
    ) -> Result<Vec<u8>, BadEntry> {
        let mut wire = EntryWire::read(bytes)?;
        let key = suite_key(&key);
        let others = |held: &SignatureWire| <[u8; 33]>::from(held.key) != key;
        wire.signatures.0.retain(others);
        let signature = sign(&signed_message(network, &wire.body));
        wire.signatures.0.push(SignatureWire {
            key: key.into(),
            signature: signature.into(),
        });
        Ok(cbor::encode(&wire))
    }
}

/// The numbers of the orders held, by the keys that made them.
#[derive(Clone, Debug, Default)]
pub(super) struct OrderNumbers(BTreeMap<([u8; 32], u32), BTreeSet<EntryHash>>);

impl OrderNumbers {
    pub(super) fn join(&mut self, entry: EntryHash, order: &Order) {
        let number = (order.issuer, order.number);
        self.0.entry(number).or_default().insert(entry);
    }

    /// The highest number that a key has used; 0 if none.
    pub(super) fn highest(&self, issuer: [u8; 32]) -> u32 {
        let used = self.0.range((issuer, 0)..=(issuer, u32::MAX)).next_back();
        used.map_or(0, |((_, number), _)| *number)
    }

    /// The orders that share their number with another of the same key.
    pub(super) fn used_twice(&self) -> BTreeSet<EntryHash> {
        let twice = self.0.values().filter(|entries| entries.len() > 1);
        twice.flatten().copied().collect()
    }
}
