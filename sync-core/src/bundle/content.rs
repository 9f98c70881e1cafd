//! Contents of an envelope: batches, the control entries they need, the maker's holdings, and the
//! server's acknowledgements.

use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};

use super::BadBundle;
use crate::batch::compact::referring::{self, Frame};
use crate::cbor::{self, List};
use crate::control::{Control, ControlPosition};
use crate::feed::Vector;
use crate::id::{DeviceId, Incarnation, NetworkId, Short, Space};
use crate::seal;
use crate::shape::{
    Feeds, SPACES_MAX, SpaceWire, bytes_list, feeds_from_wire, feeds_to_wire, some_if_any,
};
use crate::wire::{ANSWER_LIMITS, CONTROL_MAX, decode, open_batches};

/// The version of what is inside.
const VERSION: u16 = 1;
const CLAIMS_LABEL: &[u8] = b"ortoo claims v1\0";
const RECEIPT_LABEL: &[u8] = b"ortoo receipt v1\0";
/// What an element of a list counts beside its bytes: a batch that was read has as much around them.
const ELEMENT_BYTES: usize = 256;
/// Receipts in one envelope.
const RECEIPTS_MAX: usize = SPACES_MAX;

/// What is inside an envelope. Every part is checked by itself, whoever made the envelope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Batches in their stored form, parents first where both are inside.
    pub batches: Vec<Vec<u8>>,
    /// Control entries, of those that the batches' readers may lack.
    pub control: Vec<Vec<u8>>,
    /// What the maker holds, signed: so the server's bundle back is what the maker lacks.
    pub claims: Option<Vec<u8>>,
    /// What the server has acknowledged, as its nodes signed it.
    pub receipts: Vec<Vec<u8>>,
}

#[derive(Encode, Decode)]
struct ContentWire {
    #[n(0)]
    version: u16,
    #[n(1)]
    batches: Option<ByteVec>,
    #[n(2)]
    control: Option<List<ByteVec, CONTROL_MAX>>,
    #[n(3)]
    claims: Option<ByteVec>,
    #[n(4)]
    receipts: Option<List<ByteVec, RECEIPTS_MAX>>,
}

impl Content {
    /// The message to seal.
    pub fn encode(&self, network: NetworkId) -> Vec<u8> {
        cbor::encode(&ContentWire {
            version: VERSION,
            batches: (!self.batches.is_empty())
                .then(|| referring::encode(&frame(network), &self.batches, &[]).into()),
            control: some_if_any(bytes_list(&self.control)),
            claims: self.claims.clone().map(Into::into),
            receipts: some_if_any(bytes_list(&self.receipts)),
        })
    }

    /// What it takes once its batches have their stored form: the bytes, and what stands around each
    /// element of a list, so that nobody fills memory with lists of nothing.
    pub(super) fn bytes(&self) -> usize {
        let elements = self.batches.len() + self.control.len() + self.receipts.len();
        let batches: usize = self.batches.iter().map(Vec::len).sum();
        batches + elements * ELEMENT_BYTES
    }

    /// Reads an opened message.
    pub fn decode(network: NetworkId, message: &[u8]) -> Result<Self, BadBundle> {
        crate::wire::check_version(message, VERSION).map_err(BadBundle::from)?;
        let wire: ContentWire = decode(message)?;
        let list = |list: Vec<ByteVec>| list.into_iter().map(Into::into).collect();
        Ok(Self {
            batches: match wire.batches {
                Some(bytes) => open_batches(&frame(network), &bytes, &mut |_| None, ANSWER_LIMITS)?,
                None => Vec::new(),
            },
            control: list(wire.control.unwrap_or_default().0),
            claims: wire.claims.map(Into::into),
            receipts: list(wire.receipts.unwrap_or_default().0),
        })
    }
}

/// Nobody knows what the reader of a bundle holds: its batches refer to each other alone.
fn frame(network: NetworkId) -> Frame<'static> {
    Frame {
        network,
        device: DeviceId([0; 8]),
        spaces: &[],
    }
}

/// Bytes with a signature over them.
#[derive(Encode, Decode)]
struct SignedWire {
    #[n(0)]
    body: ByteVec,
    #[n(1)]
    signature: ByteArray<64>,
}

fn sign_body(
    label: &[u8],
    network: NetworkId,
    body: Vec<u8>,
    sign: &dyn Fn(&[u8]) -> [u8; 64],
) -> Vec<u8> {
    let signature = sign(&signed_message(label, network, &body)).into();
    cbor::encode(&SignedWire {
        body: body.into(),
        signature,
    })
}

fn signed_message(label: &[u8], network: NetworkId, body: &[u8]) -> Vec<u8> {
    [label, network.as_bytes(), body].concat()
}

impl SignedWire {
    fn verify(&self, label: &[u8], network: NetworkId, key: &[u8; 32]) -> bool {
        let message = signed_message(label, network, &self.body);
        seal::verify(key, &message, &self.signature)
    }
}

/// What the maker of a bundle holds once what is in it is added, for the server to answer by a
/// bundle back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The maker.
    pub device: DeviceId,
    /// What it holds of the control feed.
    pub control: ControlPosition,
    /// What it holds of its spaces.
    pub spaces: Vec<(Space, Vector)>,
}

#[derive(Encode, Decode)]
struct ClaimsWire {
    #[n(0)]
    device: ByteArray<8>,
    #[n(1)]
    control_count: u32,
    #[n(2)]
    control_digest: Option<ByteArray<16>>,
    #[n(3)]
    spaces: List<ClaimWire, SPACES_MAX>,
}

#[derive(Encode, Decode)]
struct ClaimWire {
    #[n(0)]
    space: SpaceWire,
    #[n(1)]
    vector: Feeds,
}

impl Claims {
    /// The signed bytes.
    pub fn sign(&self, network: NetworkId, sign: &dyn Fn(&[u8]) -> [u8; 64]) -> Vec<u8> {
        let body = cbor::encode(&ClaimsWire {
            device: self.device.0.into(),
            control_count: self.control.count,
            control_digest: self.control.digest.map(|digest| digest.0.into()),
            spaces: self
                .spaces
                .iter()
                .map(|(space, vector)| ClaimWire {
                    space: SpaceWire::of(space),
                    vector: vector_to_wire(vector),
                })
                .collect(),
        });
        sign_body(CLAIMS_LABEL, network, body, sign)
    }

    /// Reads claims; `None` if they are not signed by an enrolled device. Spaces that it does not
    /// hold are left out.
    pub fn check(control: &Control, bytes: &[u8]) -> Option<Self> {
        let signed: SignedWire = decode(bytes).ok()?;
        let wire: ClaimsWire = decode(&signed.body).ok()?;
        let device = DeviceId(wire.device.into());
        let enrolment = control.enrolment(device)?;
        if !signed.verify(CLAIMS_LABEL, control.network(), &enrolment.signing_key) {
            return None;
        }
        let granted = |claim: ClaimWire| {
            let space = claim.space.space()?;
            let held = control.holds(device, &space);
            held.then(|| (space, vector_from_wire(claim.vector)))
        };
        Some(Self {
            device,
            control: ControlPosition {
                count: wire.control_count,
                digest: wire.control_digest.map(|digest| Short(digest.into())),
            },
            spaces: wire.spaces.into_iter().filter_map(granted).collect(),
        })
    }
}

/// What the server held of a space at a counter of its: the acknowledgement that can be carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The node that says so.
    pub node: DeviceId,
    /// The life of the database whose counter it is.
    pub incarnation: Incarnation,
    /// The space.
    pub space: Space,
    /// The counter.
    pub counter: u64,
    /// What it held then.
    pub vector: Vector,
}

#[derive(Encode, Decode)]
struct ReceiptWire {
    #[n(0)]
    node: ByteArray<8>,
    #[n(1)]
    incarnation: ByteArray<8>,
    #[n(2)]
    space: SpaceWire,
    #[n(3)]
    counter: u64,
    #[n(4)]
    vector: Feeds,
}

impl Receipt {
    /// The signed bytes.
    pub fn sign(&self, network: NetworkId, sign: &dyn Fn(&[u8]) -> [u8; 64]) -> Vec<u8> {
        let body = cbor::encode(&ReceiptWire {
            node: self.node.0.into(),
            incarnation: self.incarnation.0.into(),
            space: SpaceWire::of(&self.space),
            counter: self.counter,
            vector: vector_to_wire(&self.vector),
        });
        sign_body(RECEIPT_LABEL, network, body, sign)
    }

    /// Reads a receipt; `None` if it is not signed by a node of the network.
    pub fn check(control: &Control, bytes: &[u8]) -> Option<Self> {
        let signed: SignedWire = decode(bytes).ok()?;
        let wire: ReceiptWire = decode(&signed.body).ok()?;
        let node = DeviceId(wire.node.into());
        let key = control.node_key(node)?;
        if !signed.verify(RECEIPT_LABEL, control.network(), &key) {
            return None;
        }
        Some(Self {
            node,
            incarnation: Incarnation(wire.incarnation.into()),
            space: wire.space.space()?,
            counter: wire.counter,
            vector: vector_from_wire(wire.vector),
        })
    }
}

fn vector_to_wire(vector: &Vector) -> Feeds {
    feeds_to_wire(&vector.changes_from(&Vector::default()))
}

fn vector_from_wire(feeds: Feeds) -> Vector {
    let mut vector = Vector::default();
    for (device, tips) in feeds_from_wire(feeds) {
        vector.set(device, tips);
    }
    vector
}
