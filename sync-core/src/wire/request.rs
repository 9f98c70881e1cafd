//! The request: a phone's holdings in its spaces, its new batches, and what it wants to hear.

use std::collections::BTreeSet;

use super::*;
use crate::seal;

const REQUEST_LABEL: &[u8] = b"ortoo request v1\0";

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
    pub locators: Vec<(DeviceId, Vec<Tip>)>,
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
    pub refer: Option<Vec<ReferencedBatch>>,
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
    pub wipe_report: Option<WipeReport>,
}

#[derive(Encode, Decode)]
struct Sealed {
    #[n(0)]
    body: ByteVec,
    #[n(1)]
    signature: ByteArray<64>,
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
    locators: Option<Feeds>,
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
    wipe_report: Option<WipeReportWire>,
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
                    locators: some_if_any(feeds_to_wire(&claim.locators)),
                })
                .collect(),
            batches: batches.into(),
            budget: self.budget,
            shown: some_if_any(bytes_list(&self.shown)),
            renewal: self.renewal.as_ref().map(Renewal::to_wire),
            receipts: self.receipts.then_some(true),
            wipe_report: self.wipe_report.as_ref().map(Into::into),
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

    /// Who says that it asks, and for which spaces, without a look at what it brings.
    pub fn asker(network: NetworkId, packed: &[u8]) -> Result<(DeviceId, Vec<Space>), BadMessage> {
        let request = Unopened::read(network, packed)?.request;
        Ok((request.device, request.claimed()))
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
    /// The key under which that has verified.
    verified: Option<[u8; 32]>,
    batches: Vec<u8>,
}

impl Unopened {
    /// Reads a request's bytes, whoever may have signed them.
    pub fn read(network: NetworkId, packed: &[u8]) -> Result<Self, BadMessage> {
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
                    locators: feeds_from_wire(claim.locators.unwrap_or_default()),
                })
            })
            .collect::<Result<Vec<SpaceClaim>, BadMessage>>()?;
        let feeds = |feeds: &[(DeviceId, Vec<Tip>)]| is_distinct(feeds.iter().map(|(of, _)| *of));
        let is_once = |claim: &SpaceClaim| feeds(&claim.changes) && feeds(&claim.locators);
        let once = is_distinct(spaces.iter().map(|claim| &claim.space));
        if !once || !spaces.iter().all(is_once) {
            return Err(BadMessage::Shape);
        }
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
            wipe_report: wire.wipe_report.map(Into::into),
        };
        let message = request_message(network, &sealed.body);
        let signed = Signed {
            message,
            signature: sealed.signature.into(),
        };
        Ok(Self {
            request,
            signed,
            verified: None,
            batches: wire.batches.into(),
        })
    }

    /// Whether the holder of `key` signed it. That costs a signature the first time only.
    pub(crate) fn is_signed_by(&mut self, key: &[u8; 32]) -> bool {
        if self.verified.as_ref() != Some(key)
            && seal::verify(key, &self.signed.message, &self.signed.signature)
        {
            self.verified = Some(*key);
        }
        self.verified.as_ref() == Some(key)
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
        let batches = open_batches(&frame, &self.batches, find, UPLOAD_LIMITS)?;
        Ok(Request {
            batches,
            ..self.request
        })
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

/// Whether nothing stands there twice: what is asked twice would be answered twice.
fn is_distinct<T: Ord>(things: impl IntoIterator<Item = T>) -> bool {
    let mut seen = BTreeSet::new();
    things.into_iter().all(|thing| seen.insert(thing))
}

fn request_message(network: NetworkId, body: &[u8]) -> Vec<u8> {
    [REQUEST_LABEL, network.as_bytes(), body].concat()
}
