//! The answer: the server's holdings, the batches that the phone lacks, and the office's decisions.

use super::*;

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
pub struct RejectedBatch {
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
    pub refused: Vec<RejectedBatch>,
    /// Signed acknowledgements, a space each, where the phone asked for them.
    pub receipts: Vec<Vec<u8>>,
    /// The phone is to wipe itself; then nothing else is said.
    pub wipe: Option<WipeCommand>,
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
struct RejectedBatchWire {
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
    refused: Option<List<RejectedBatchWire, BATCHES_MAX>>,
    /// Empty says everything.
    #[n(10)]
    safe: Option<List<SafeWire, SPACES_MAX>>,
    #[n(11)]
    renew_keys: Option<bool>,
    #[n(12)]
    wipe: Option<WipeCommandWire>,
    #[n(13)]
    receipts: Option<List<ByteVec, SPACES_MAX>>,
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
            .map(|refused| RejectedBatchWire {
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
        let batches = batches.map(|batches| open_batches(&frame, &batches, find, ANSWER_LIMITS));
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
                .map(|refused| RejectedBatch {
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
