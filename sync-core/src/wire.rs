//! The exchange on the wire, version 1: one CBOR message each way inside an algorithm byte.
//!
//! Both sides describe what they hold as a difference to the vector that the server had at a
//! counter which the phone remembers (the *base*); on a quiet day that difference is empty and a
//! request is a digest, a nonce and a signature. What a request carries counts as held by its
//! sender, and the server's vector is told as a difference to what the phone must expect after its
//! upload; so an acknowledgement of everything costs nothing.

mod packing;

use std::collections::BTreeMap;

use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Decoder, Encode};

use crate::batch::compact::reference::{Known, Reference};
use crate::batch::compact::referring::{self, Frame};
use crate::batch::compact::{self, BadCompact};
use crate::cbor::{self, List};
use crate::control::{ControlPosition, SpaceWire};
use crate::feed::{Tip, Vector};
use crate::id::{DeviceId, Incarnation, NetworkId, Short, Space};
use crate::parting::{Parting, PartingWire, WipeCall, WipeWire};
use crate::renew::{Renewal, RenewalWire};

pub use packing::{pack, unpack};

/// The version of this protocol.
pub const VERSION: u16 = 1;
/// Size of a message after decompression.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Spaces in one message.
pub const SPACES_MAX: usize = 512;
/// Batches in one message.
pub const BATCHES_MAX: usize = 4096;
/// Control entries in one message.
pub const CONTROL_MAX: usize = 16_384;
/// Control entries that a request shows.
pub const SHOWN_MAX: usize = 1024;
/// Devices that differ in one space of a message.
pub const CHANGES_MAX: usize = 4096;
/// Tips of one device in a message.
pub const TIPS_MAX: usize = 256;

const REQUEST_LABEL: &[u8] = b"ortoo request v1\0";

/// Bytes that are no message of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMessage {
    /// An unknown compression, or compressed bytes that don't inflate.
    #[error("the message is not compressed in a known way")]
    Packing,
    /// Over [`MESSAGE_BYTES_MAX`] or one of the counts.
    #[error("the message is over the size limit")]
    TooLarge,
    /// Doesn't decode.
    #[error("the message does not decode")]
    Shape,
    /// A version that this program doesn't speak.
    #[error("the message is of another protocol version")]
    Version,
    /// The batches refer to something that is not held here: they must come in the form that
    /// refers to nothing.
    #[error("the message refers to batches that are not held here")]
    Reference,
}

impl BadMessage {
    /// A stable code.
    pub fn code(self) -> &'static str {
        match self {
            BadMessage::Packing => "message_packing",
            BadMessage::TooLarge => "message_too_large",
            BadMessage::Shape => "message_shape",
            BadMessage::Version => "message_version",
            BadMessage::Reference => "batch_reference",
        }
    }
}

/// Where a phone stands in one space, as it says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpaceClaim {
    /// The space.
    pub space: Space,
    /// The server's counter at which the phone knew its vector; 0 = never.
    pub counter: u64,
    /// The phone's tips where they differ from that vector, after what this request carries.
    pub changes: Vec<(DeviceId, Vec<Tip>)>,
    /// Ladders of feeds of which the server knew none of the phone's tips (R3).
    pub ladders: Vec<(DeviceId, Vec<Tip>)>,
}

/// What a phone asks in one exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The asking device.
    pub device: DeviceId,
    /// The server's nonce that the signature answers.
    pub nonce: [u8; 16],
    /// What the phone holds of the control feed.
    pub control: ControlPosition,
    /// Digest over the bases of all spaces: [`base_digest`].
    pub base: Short,
    /// All spaces of the phone.
    pub spaces: Vec<SpaceClaim>,
    /// Batches that the phone believes the server lacks, in their stored form.
    pub batches: Vec<Vec<u8>>,
    /// What the batches may refer to, or `None` to refer to nothing (form 1), which also asks for
    /// an answer that refers to nothing. Empty in what was read.
    pub refer: Option<Vec<Known>>,
    /// How many bytes of batches the phone wants in the answer, at least one batch (R47).
    pub budget: u32,
    /// The phone carries batches of others and wants acknowledgements that it can pass on.
    pub receipts: bool,
    /// Control entries that the server seems to have lost: the phone's own enrolment first, where
    /// the server does not know the phone.
    pub shown: Vec<Vec<u8>>,
    /// New keys that the device wants to go on with.
    pub renewal: Option<Renewal>,
    /// The phone is to wipe itself, and hands over what it has.
    pub parting: Option<Parting>,
}

/// What the server says of one space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpaceState {
    /// The space.
    pub space: Space,
    /// The server's counter now.
    pub counter: u64,
    /// The server's tips where they differ from what the phone must expect; from nothing when the
    /// answer says [`Answer::reset`].
    pub changes: Vec<(DeviceId, Vec<Tip>)>,
    /// Devices of whose feed the server knows none of the phone's tips: send a ladder (R3).
    pub ladders_wanted: Vec<DeviceId>,
}

/// A batch that the server would not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The batch's place in the request.
    pub index: u32,
    /// A stable code.
    pub code: String,
}

/// What the server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The nonce for the next request, when it is another than the one used.
    pub nonce: Option<[u8; 16]>,
    /// The request's nonce was too old: nothing was done, ask again with the new one.
    pub stale_nonce: bool,
    /// The server's clock, Unix seconds.
    pub time: i64,
    /// Control entries that the phone lacks, in order.
    pub control: Vec<Vec<u8>>,
    /// The server doesn't know the phone's base (another incarnation, or too long ago): vectors in
    /// this answer are whole, and the phone must describe itself against them.
    pub reset: bool,
    /// The server's incarnation, told with a reset.
    pub incarnation: Option<Incarnation>,
    /// The spaces that moved or differ from what the phone expects.
    pub spaces: Vec<SpaceState>,
    /// Batches that the phone lacks, in their stored form.
    pub batches: Vec<Vec<u8>>,
    /// What the batches may refer to, or `None` to refer to nothing (form 1). `None` in what was
    /// read.
    pub refer: Option<Refer>,
    /// Something is left that the budget cut off.
    pub more: bool,
    /// Batches of the request that are not held, and why.
    pub refused: Vec<Refused>,
    /// Signed acknowledgements, a space each, where the phone asked for them.
    pub receipts: Vec<Vec<u8>>,
    /// The phone is to wipe itself; then nothing else is said.
    pub wipe: Option<WipeCall>,
    /// How much of what the server acknowledges stands elsewhere too (R23); `None` tells nothing.
    pub safe: Option<Safe>,
    /// Two phones write with this device's keys: each is to make new ones.
    pub renew_keys: bool,
}

/// What stands inside a verified backup or the journal, and survives the loss of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Safe {
    /// Everything that the vectors of this answer cover.
    All,
    /// Of the spaces with these places in the request, what came in up to these counters.
    UpTo(Vec<(u32, u64)>),
}

/// What the batches of an answer may refer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refer {
    /// Who asked.
    pub device: DeviceId,
    /// The spaces of the request, in its order.
    pub spaces: Vec<Space>,
    /// Batches that the phone holds.
    pub known: Vec<Known>,
}

/// Looks up a batch that a message refers to; `None` if it is not held, or not the only one there.
pub type Find<'a> = dyn FnMut(&Reference) -> Option<Known> + 'a;

/// The digest over a phone's bases: the server's incarnation and, for each space, the counter and
/// the vector that the phone remembers for it.
pub fn base_digest(
    incarnation: Option<Incarnation>,
    bases: &BTreeMap<Space, (u64, Vector)>,
) -> Short {
    let mut parts = vec![incarnation.map(|i| i.0.to_vec()).unwrap_or_default()];
    for (space, (counter, vector)) in bases {
        parts.push(space.to_string().into_bytes());
        parts.push(counter.to_be_bytes().to_vec());
        parts.push(vector.digest().0.to_vec());
    }
    Short::digest("ortoo base v1", parts.iter().map(Vec::as_slice))
}

// The shapes on the wire: CBOR arrays, new fields at the end.

#[derive(Encode, Decode)]
struct Sealed {
    #[n(0)]
    body: ByteVec,
    #[n(1)]
    signature: ByteArray<64>,
}

#[derive(Clone, Debug, Encode, Decode)]
pub(crate) struct TipWire {
    #[n(0)]
    seq: u32,
    #[n(1)]
    hash: ByteArray<16>,
}

#[derive(Clone, Debug, Encode, Decode)]
pub(crate) struct FeedWire {
    #[n(0)]
    device: ByteArray<8>,
    #[n(1)]
    tips: List<TipWire, TIPS_MAX>,
}

#[derive(Encode, Decode)]
struct ClaimWire {
    #[n(0)]
    space: SpaceWire,
    #[n(1)]
    counter: u64,
    #[n(2)]
    changes: Feeds,
    #[n(3)]
    ladders: Option<Feeds>,
}

#[derive(Encode, Decode)]
struct RequestWire {
    #[n(0)]
    version: u16,
    #[n(1)]
    device: ByteArray<8>,
    #[n(2)]
    nonce: ByteArray<16>,
    #[n(3)]
    control_count: u32,
    #[n(4)]
    control_digest: Option<ByteArray<16>>,
    #[n(5)]
    base: ByteArray<16>,
    #[n(6)]
    spaces: List<ClaimWire, SPACES_MAX>,
    #[n(7)]
    batches: ByteVec,
    #[n(8)]
    budget: u32,
    #[n(9)]
    shown: Option<List<ByteVec, SHOWN_MAX>>,
    #[n(10)]
    renewal: Option<RenewalWire>,
    #[n(11)]
    receipts: Option<bool>,
    #[n(12)]
    parting: Option<PartingWire>,
}

#[derive(Encode, Decode)]
struct StateWire {
    #[n(0)]
    space: SpaceWire,
    #[n(1)]
    counter: u64,
    #[n(2)]
    changes: Feeds,
    #[n(3)]
    ladders_wanted: Option<List<ByteArray<8>, CHANGES_MAX>>,
}

#[derive(Encode, Decode)]
struct RefusedWire {
    #[n(0)]
    index: u32,
    #[n(1)]
    code: String,
}

#[derive(Encode, Decode)]
struct SafeWire {
    #[n(0)]
    space: u32,
    #[n(1)]
    counter: u64,
}

impl Safe {
    fn to_wire(&self) -> List<SafeWire, SPACES_MAX> {
        let spaces = match self {
            Safe::All => &[][..],
            Safe::UpTo(spaces) => spaces,
        };
        let wire = |(space, counter): &(u32, u64)| SafeWire {
            space: *space,
            counter: *counter,
        };
        spaces.iter().map(wire).collect()
    }

    fn from_wire(wire: List<SafeWire, SPACES_MAX>) -> Self {
        let spaces: Vec<(u32, u64)> = wire
            .into_iter()
            .map(|safe| (safe.space, safe.counter))
            .collect();
        match spaces.is_empty() {
            true => Safe::All,
            false => Safe::UpTo(spaces),
        }
    }
}

#[derive(Encode, Decode)]
struct AnswerWire {
    #[n(0)]
    version: u16,
    #[n(1)]
    time: i64,
    #[n(2)]
    nonce: Option<ByteArray<16>>,
    #[n(3)]
    stale_nonce: Option<bool>,
    #[n(4)]
    control: Option<List<ByteVec, CONTROL_MAX>>,
    #[n(5)]
    incarnation: Option<ByteArray<8>>,
    #[n(6)]
    spaces: Option<List<StateWire, SPACES_MAX>>,
    #[n(7)]
    batches: Option<ByteVec>,
    #[n(8)]
    more: Option<bool>,
    #[n(9)]
    refused: Option<List<RefusedWire, BATCHES_MAX>>,
    /// Empty says everything.
    #[n(10)]
    safe: Option<List<SafeWire, SPACES_MAX>>,
    #[n(11)]
    renew_keys: Option<bool>,
    #[n(12)]
    wipe: Option<WipeWire>,
    #[n(13)]
    receipts: Option<List<ByteVec, SPACES_MAX>>,
}

pub(crate) type Feeds = List<FeedWire, CHANGES_MAX>;

impl TipWire {
    pub(crate) fn of(tip: &Tip) -> Self {
        Self {
            seq: tip.seq,
            hash: tip.hash.0.into(),
        }
    }

    pub(crate) fn tip(&self) -> Tip {
        Tip {
            seq: self.seq,
            hash: Short(self.hash.into()),
        }
    }
}

pub(crate) fn feeds_to_wire(feeds: &[(DeviceId, Vec<Tip>)]) -> Feeds {
    feeds
        .iter()
        .map(|(device, tips)| FeedWire {
            device: device.0.into(),
            tips: tips.iter().map(TipWire::of).collect(),
        })
        .collect()
}

pub(crate) fn feeds_from_wire(feeds: Feeds) -> Vec<(DeviceId, Vec<Tip>)> {
    feeds
        .into_iter()
        .map(|feed| {
            (
                DeviceId(feed.device.into()),
                feed.tips.0.iter().map(TipWire::tip).collect(),
            )
        })
        .collect()
}

pub(crate) fn some_if_any<T, const N: usize>(list: List<T, N>) -> Option<List<T, N>> {
    (!list.0.is_empty()).then_some(list)
}

pub(crate) fn bytes_list<const N: usize>(list: &[Vec<u8>]) -> List<ByteVec, N> {
    list.iter().map(|bytes| bytes.clone().into()).collect()
}

pub(crate) fn decode<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, BadMessage> {
    let mut decoder = Decoder::new(bytes);
    let value = decoder.decode().map_err(|error| {
        if error.is_message() {
            BadMessage::TooLarge
        } else {
            BadMessage::Shape
        }
    })?;
    if decoder.position() == bytes.len() {
        Ok(value)
    } else {
        Err(BadMessage::Shape)
    }
}

/// The version stands first in every message, whatever follows it.
pub(crate) fn check_version(bytes: &[u8], known: u16) -> Result<(), BadMessage> {
    let mut decoder = Decoder::new(bytes);
    decoder.array().map_err(|_| BadMessage::Shape)?;
    match decoder.u16() {
        Ok(version) if version == known => Ok(()),
        Ok(_) => Err(BadMessage::Version),
        Err(_) => Err(BadMessage::Shape),
    }
}

impl Request {
    /// The packed, signed bytes to send.
    pub fn encode(&self, network: NetworkId, sign: &dyn Fn(&[u8]) -> [u8; 64]) -> Vec<u8> {
        let batches = match &self.refer {
            None => compact::encode(network, &self.batches),
            Some(known) => {
                let spaces = self.claimed();
                let frame = Frame {
                    network,
                    device: self.device,
                    spaces: &spaces,
                };
                referring::encode(&frame, &self.batches, known)
            }
        };
        let body = cbor::encode(&RequestWire {
            version: VERSION,
            device: self.device.0.into(),
            nonce: self.nonce.into(),
            control_count: self.control.count,
            control_digest: self.control.digest.map(|digest| digest.0.into()),
            base: self.base.0.into(),
            spaces: self
                .spaces
                .iter()
                .map(|claim| ClaimWire {
                    space: SpaceWire::of(&claim.space),
                    counter: claim.counter,
                    changes: feeds_to_wire(&claim.changes),
                    ladders: some_if_any(feeds_to_wire(&claim.ladders)),
                })
                .collect(),
            batches: batches.into(),
            budget: self.budget,
            shown: some_if_any(bytes_list(&self.shown)),
            renewal: self.renewal.as_ref().map(Renewal::to_wire),
            receipts: self.receipts.then_some(true),
            parting: self.parting.as_ref().map(Into::into),
        });
        let signature = sign(&request_message(network, &body)).into();
        pack(&cbor::encode(&Sealed {
            body: body.into(),
            signature,
        }))
    }

    /// Reads a request that refers to nothing, whoever may have signed it, for those who need not
    /// ask.
    pub fn decode(network: NetworkId, packed: &[u8]) -> Result<(Self, Signed), BadMessage> {
        Self::decode_with(network, packed, &mut |_| None)
    }

    /// Reads a request, whoever may have signed it; `find` looks up what it refers to.
    pub fn decode_with(
        network: NetworkId,
        packed: &[u8],
        find: &mut Find<'_>,
    ) -> Result<(Self, Signed), BadMessage> {
        let unopened = Unopened::read(network, packed)?;
        let signed = unopened.signed.clone();
        Ok((unopened.open(network, find)?, signed))
    }

    fn claimed(&self) -> Vec<Space> {
        let claims = self.spaces.iter();
        claims.map(|claim| claim.space.clone()).collect()
    }
}

/// A request of which the batches are not taken apart yet: that costs more than all the rest, and
/// is not done for somebody who did not sign. What they refer to has to be looked up first.
pub struct Unopened {
    /// The request without its batches.
    pub(crate) request: Request,
    /// What must verify before the batches are opened.
    pub(crate) signed: Signed,
    batches: Vec<u8>,
}

impl Unopened {
    pub(crate) fn read(network: NetworkId, packed: &[u8]) -> Result<Self, BadMessage> {
        let bytes = unpack(packed)?;
        let sealed: Sealed = decode(&bytes)?;
        check_version(&sealed.body, VERSION)?;
        let wire: RequestWire = decode(&sealed.body)?;
        let spaces = wire
            .spaces
            .into_iter()
            .map(|claim| {
                Ok(SpaceClaim {
                    space: claim.space.space().ok_or(BadMessage::Shape)?,
                    counter: claim.counter,
                    changes: feeds_from_wire(claim.changes),
                    ladders: feeds_from_wire(claim.ladders.unwrap_or_default()),
                })
            })
            .collect::<Result<Vec<_>, BadMessage>>()?;
        let request = Request {
            device: DeviceId(wire.device.into()),
            nonce: wire.nonce.into(),
            control: ControlPosition {
                count: wire.control_count,
                digest: wire.control_digest.map(|digest| Short(digest.into())),
            },
            base: Short(wire.base.into()),
            spaces,
            batches: Vec::new(),
            refer: referring::opened(&wire.batches)
                .map_err(bad_batches)?
                .map(|_| Vec::new()),
            budget: wire.budget,
            receipts: wire.receipts.unwrap_or(false),
            shown: wire
                .shown
                .unwrap_or_default()
                .into_iter()
                .map(Into::into)
                .collect(),
            renewal: wire.renewal.and_then(Renewal::from_wire),
            parting: wire.parting.map(Into::into),
        };
        let message = request_message(network, &sealed.body);
        let signed = Signed {
            message,
            signature: sealed.signature.into(),
        };
        Ok(Self {
            request,
            signed,
            batches: wire.batches.into(),
        })
    }

    /// What its batches refer to: at most [`crate::batch::REFERENCES_MAX`] batches, in the spaces
    /// of the request only.
    pub fn references(&self, network: NetworkId) -> Result<Vec<Reference>, BadMessage> {
        let spaces = self.request.claimed();
        let frame = Frame {
            network,
            device: self.request.device,
            spaces: &spaces,
        };
        referring::references(&frame, &self.batches).map_err(bad_batches)
    }

    /// The request with its batches in their stored form. [`BadMessage::Reference`] if `find` does
    /// not find what they refer to.
    pub fn open(self, network: NetworkId, find: &mut Find<'_>) -> Result<Request, BadMessage> {
        let spaces = self.request.claimed();
        let frame = Frame {
            network,
            device: self.request.device,
            spaces: &spaces,
        };
        let batches = open_batches(&frame, &self.batches, find)?;
        Ok(Request {
            batches,
            ..self.request
        })
    }
}

pub(crate) fn open_batches(
    frame: &Frame<'_>,
    compact: &[u8],
    find: &mut Find<'_>,
) -> Result<Vec<Vec<u8>>, BadMessage> {
    let limits = (BATCHES_MAX, MESSAGE_BYTES_MAX);
    referring::decode(frame, compact, find, limits).map_err(bad_batches)
}

pub(crate) fn bad_batches(bad: BadCompact) -> BadMessage {
    match bad {
        BadCompact::Shape => BadMessage::Shape,
        BadCompact::TooLarge => BadMessage::TooLarge,
        BadCompact::Unresolved => BadMessage::Reference,
    }
}

/// What a request's signature covers, and the signature.
#[derive(Clone)]
pub struct Signed {
    /// Label, network, body as received.
    pub message: Vec<u8>,
    /// The device's.
    pub signature: [u8; 64],
}

fn request_message(network: NetworkId, body: &[u8]) -> Vec<u8> {
    [REQUEST_LABEL, network.as_bytes(), body].concat()
}

impl Answer {
    /// An answer that says nothing but the time.
    pub fn at(time: i64) -> Self {
        Self {
            nonce: None,
            stale_nonce: false,
            time,
            control: Vec::new(),
            reset: false,
            incarnation: None,
            spaces: Vec::new(),
            batches: Vec::new(),
            refer: None,
            more: false,
            refused: Vec::new(),
            receipts: Vec::new(),
            safe: None,
            renew_keys: false,
            wipe: None,
        }
    }

    /// The packed bytes to send.
    pub fn encode(&self, network: NetworkId) -> Vec<u8> {
        let spaces = self
            .spaces
            .iter()
            .map(|state| StateWire {
                space: SpaceWire::of(&state.space),
                counter: state.counter,
                changes: feeds_to_wire(&state.changes),
                ladders_wanted: some_if_any(
                    state
                        .ladders_wanted
                        .iter()
                        .map(|device| device.0.into())
                        .collect(),
                ),
            })
            .collect();
        let refused = self
            .refused
            .iter()
            .map(|refused| RefusedWire {
                index: refused.index,
                code: refused.code.clone(),
            })
            .collect();
        pack(&cbor::encode(&AnswerWire {
            version: VERSION,
            time: self.time,
            nonce: self.nonce.map(Into::into),
            stale_nonce: self.stale_nonce.then_some(true),
            control: some_if_any(bytes_list(&self.control)),
            incarnation: self.incarnation.filter(|_| self.reset).map(|i| i.0.into()),
            spaces: some_if_any(spaces),
            batches: (!self.batches.is_empty()).then(|| self.compact(network).into()),
            more: self.more.then_some(true),
            refused: some_if_any(refused),
            safe: self.safe.as_ref().map(Safe::to_wire),
            renew_keys: self.renew_keys.then_some(true),
            receipts: some_if_any(bytes_list(&self.receipts)),
            wipe: self.wipe.as_ref().map(Into::into),
        }))
    }

    fn compact(&self, network: NetworkId) -> Vec<u8> {
        match &self.refer {
            None => compact::encode(network, &self.batches),
            Some(refer) => {
                let frame = Frame {
                    network,
                    device: refer.device,
                    spaces: &refer.spaces,
                };
                referring::encode(&frame, &self.batches, &refer.known)
            }
        }
    }

    /// Reads an answer to a request that refers to nothing.
    pub fn decode(network: NetworkId, packed: &[u8]) -> Result<Self, BadMessage> {
        Self::decode_with(network, packed, DeviceId([0; 8]), &[], &mut |_| None)
    }

    /// Reads an answer to `device`, which asked for `spaces`; `find` looks up what it refers to.
    pub fn decode_with(
        network: NetworkId,
        packed: &[u8],
        device: DeviceId,
        spaces: &[Space],
        find: &mut Find<'_>,
    ) -> Result<Self, BadMessage> {
        let (answer, batches) = Self::read(packed)?;
        let frame = Frame {
            network,
            device,
            spaces,
        };
        let batches = batches.map(|batches| open_batches(&frame, &batches, find));
        Ok(Self {
            batches: batches.transpose()?.unwrap_or_default(),
            ..answer
        })
    }

    /// Reads an answer but for its batches, which are given as they stand there.
    pub(crate) fn read(packed: &[u8]) -> Result<(Self, Option<Vec<u8>>), BadMessage> {
        let bytes = unpack(packed)?;
        check_version(&bytes, VERSION)?;
        let wire: AnswerWire = decode(&bytes)?;
        let spaces = wire
            .spaces
            .unwrap_or_default()
            .into_iter()
            .map(|state| {
                Ok(SpaceState {
                    space: state.space.space().ok_or(BadMessage::Shape)?,
                    counter: state.counter,
                    changes: feeds_from_wire(state.changes),
                    ladders_wanted: state
                        .ladders_wanted
                        .unwrap_or_default()
                        .into_iter()
                        .map(|device| DeviceId(device.into()))
                        .collect(),
                })
            })
            .collect::<Result<Vec<_>, BadMessage>>()?;
        let answer = Self {
            nonce: wire.nonce.map(Into::into),
            stale_nonce: wire.stale_nonce.unwrap_or(false),
            time: wire.time,
            control: wire
                .control
                .unwrap_or_default()
                .into_iter()
                .map(Into::into)
                .collect(),
            reset: wire.incarnation.is_some(),
            incarnation: wire
                .incarnation
                .map(|incarnation| Incarnation(incarnation.into())),
            spaces,
            batches: Vec::new(),
            refer: None,
            more: wire.more.unwrap_or(false),
            refused: wire
                .refused
                .unwrap_or_default()
                .into_iter()
                .map(|refused| Refused {
                    index: refused.index,
                    code: refused.code,
                })
                .collect(),
            receipts: wire
                .receipts
                .unwrap_or_default()
                .into_iter()
                .map(Into::into)
                .collect(),
            safe: wire.safe.map(Safe::from_wire),
            renew_keys: wire.renew_keys.unwrap_or(false),
            wipe: wire.wipe.map(Into::into),
        };
        Ok((answer, wire.batches.map(Into::into)))
    }
}

#[cfg(test)]
mod tests;
