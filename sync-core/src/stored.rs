//! The rows of a replica's store: logical keys and the CBOR of their values (version 1, for good).
//!
//! The host hides keys behind a keyed hash, so every value repeats what it needs of its key.

use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};

use crate::batch::Entry;
use crate::cbor::{self, List};
use crate::control::ControlEntry;
use crate::feed::{Tip, Vector};
use crate::id::{
    AuthorId, BatchHash, DeviceId, EntryHash, Incarnation, NetworkId, RecordId, Short, Space,
};
use crate::record::RecordState;
use crate::row::{Row, Table};
use crate::shape::SpaceWire;
use crate::state::{DeviceIdentity, ServerState, Staged};

/// Key of the row that says who the replica is.
pub(crate) const ME: &[u8] = b"me";
/// Key of the row about the server.
pub(crate) const HUB: &[u8] = b"hub";

/// What a meta row is, first in its value, so that a walk over all of them can tell.
mod meta {
    pub(super) const ME: u8 = 0;
    pub(super) const HUB: u8 = 1;
    pub(super) const BASE: u8 = 2;
    pub(super) const SAFE: u8 = 3;
    pub(super) const RECEIPT: u8 = 5;
}

fn key(space: &Space, rest: &[u8]) -> Vec<u8> {
    [space.to_string().as_bytes(), b"/", rest].concat()
}

pub(crate) fn batch_key(space: &Space, hash: BatchHash) -> Vec<u8> {
    key(space, hash.as_bytes())
}

pub(crate) fn batch_row(table: Table, space: &Space, hash: BatchHash, bytes: Option<&[u8]>) -> Row {
    Row {
        table,
        key: batch_key(space, hash),
        space: Some(space.clone()),
        value: bytes.map(<[u8]>::to_vec),
    }
}

/// Key of the copy of a batch that the server does not have.
pub(crate) fn copy_key(space: &Space, hash: BatchHash) -> Vec<u8> {
    batch_key(space, hash)
}

/// Key of the copy of what is staged in a space.
pub(crate) fn staged_copy_key(space: &Space) -> Vec<u8> {
    key(space, b"staged")
}

/// A copy sealed to the server, which the host stores as it is, or its deletion.
pub(crate) fn outbox_row(key: Vec<u8>, sealed: Option<Vec<u8>>) -> Row {
    Row {
        table: Table::Outbox,
        key,
        space: None,
        value: sealed,
    }
}

#[derive(Encode, Decode)]
struct MeWire {
    #[n(0)]
    kind: u8,
    #[n(1)]
    network: ByteArray<32>,
    #[n(2)]
    device: ByteArray<8>,
}

fn meta_row(key: Vec<u8>, value: Vec<u8>) -> Row {
    Row {
        table: Table::Meta,
        key,
        space: None,
        value: Some(value),
    }
}

pub(crate) fn me_row(me: &DeviceIdentity) -> Row {
    let wire = MeWire {
        kind: meta::ME,
        network: me.network.0.into(),
        device: me.device.0.into(),
    };
    meta_row(ME.to_vec(), cbor::encode(&wire))
}

pub(crate) fn read_me(bytes: &[u8]) -> Option<DeviceIdentity> {
    let wire: MeWire = cbor::decode(bytes).ok()?;
    (wire.kind == meta::ME).then(|| DeviceIdentity {
        network: NetworkId(wire.network.into()),
        device: DeviceId(wire.device.into()),
    })
}

#[derive(Encode, Decode)]
struct ServerStateWire {
    #[n(0)]
    kind: u8,
    #[n(1)]
    incarnation: Option<ByteArray<8>>,
    #[n(2)]
    nonce: ByteArray<16>,
    #[n(3)]
    last_exchange: Option<i64>,
    #[n(4)]
    clock_ahead: i64,
    #[n(5)]
    heard: i64,
    #[n(6)]
    relays: Option<bool>,
}

pub(crate) fn hub_row(hub: &ServerState) -> Row {
    let wire = ServerStateWire {
        kind: meta::HUB,
        incarnation: hub.incarnation.map(|incarnation| incarnation.0.into()),
        nonce: hub.nonce.into(),
        last_exchange: hub.last_exchange,
        clock_ahead: hub.clock_ahead,
        heard: hub.heard,
        relays: hub.relays.then_some(true),
    };
    meta_row(HUB.to_vec(), cbor::encode(&wire))
}

pub(crate) fn read_hub(bytes: &[u8]) -> Option<ServerState> {
    let wire: ServerStateWire = cbor::decode(bytes).ok()?;
    (wire.kind == meta::HUB).then(|| ServerState {
        incarnation: wire
            .incarnation
            .map(|incarnation| Incarnation(incarnation.into())),
        nonce: wire.nonce.into(),
        last_exchange: wire.last_exchange,
        clock_ahead: wire.clock_ahead,
        heard: wire.heard,
        relays: wire.relays.unwrap_or(false),
    })
}

#[derive(Encode, Decode)]
struct BaseWire {
    #[n(0)]
    kind: u8,
    #[n(1)]
    space: SpaceWire,
    #[n(2)]
    counter: u64,
    #[n(3)]
    vector: List<FeedWire, 65_536>,
}

#[derive(Encode, Decode)]
struct FeedWire {
    #[n(0)]
    device: ByteArray<8>,
    #[n(1)]
    tips: List<TipWire, 65_536>,
}

#[derive(Encode, Decode)]
struct TipWire {
    #[n(0)]
    seq: u32,
    #[n(1)]
    hash: ByteArray<16>,
}

pub(crate) fn base_row(space: &Space, (counter, vector): &(u64, Vector)) -> Row {
    let value = vector_value(meta::BASE, space, *counter, vector);
    meta_row(key(space, b"base"), value)
}

/// What of a space survives the loss of the server.
pub(crate) fn safe_row(space: &Space, safe: &Vector) -> Row {
    let value = vector_value(meta::SAFE, space, 0, safe);
    meta_row(key(space, b"safe"), value)
}

fn vector_value(kind: u8, space: &Space, counter: u64, vector: &Vector) -> Vec<u8> {
    let tip = |tip: &Tip| TipWire {
        seq: tip.seq,
        hash: tip.hash.0.into(),
    };
    let wire = BaseWire {
        kind,
        space: SpaceWire::of(space),
        counter,
        vector: vector
            .devices()
            .map(|device| FeedWire {
                device: device.0.into(),
                tips: vector.tips(device).map(tip).collect(),
            })
            .collect(),
    };
    cbor::encode(&wire)
}

pub(crate) fn read_base(bytes: &[u8]) -> Option<(Space, (u64, Vector))> {
    read_vector(meta::BASE, bytes)
}

pub(crate) fn read_safe(bytes: &[u8]) -> Option<(Space, Vector)> {
    let (space, (_, safe)) = read_vector(meta::SAFE, bytes)?;
    Some((space, safe))
}

fn read_vector(kind: u8, bytes: &[u8]) -> Option<(Space, (u64, Vector))> {
    let wire: BaseWire = cbor::decode(bytes).ok()?;
    if wire.kind != kind {
        return None;
    }
    let mut vector = Vector::default();
    for feed in wire.vector {
        let tips = feed.tips.into_iter();
        let tip = |tip: TipWire| Tip {
            seq: tip.seq,
            hash: Short(tip.hash.into()),
        };
        vector.set(DeviceId(feed.device.into()), tips.map(tip));
    }
    Some((wire.space.space()?, (wire.counter, vector)))
}

#[derive(Encode, Decode)]
struct ReceiptWire {
    #[n(0)]
    kind: u8,
    #[n(1)]
    space: SpaceWire,
    #[n(2)]
    receipt: ByteVec,
}

/// The server's newest acknowledgement of a space that can be passed on.
pub(crate) fn receipt_row(space: &Space, receipt: &[u8]) -> Row {
    let wire = ReceiptWire {
        kind: meta::RECEIPT,
        space: SpaceWire::of(space),
        receipt: receipt.to_vec().into(),
    };
    meta_row(key(space, b"receipt"), cbor::encode(&wire))
}

pub(crate) fn read_receipt(bytes: &[u8]) -> Option<(Space, Vec<u8>)> {
    let wire: ReceiptWire = cbor::decode(bytes).ok()?;
    let space = wire.space.space().filter(|_| wire.kind == meta::RECEIPT)?;
    Some((space, wire.receipt.into()))
}

#[derive(Encode, Decode)]
struct ControlWire {
    #[n(0)]
    arrival: u64,
    #[n(1)]
    entry: ByteVec,
}

pub(crate) fn control_row(arrival: u64, entry: &ControlEntry) -> Row {
    let wire = ControlWire {
        arrival,
        entry: entry.bytes().to_vec().into(),
    };
    Row {
        table: Table::Control,
        key: entry.hash.0.to_vec(),
        space: None,
        value: Some(cbor::encode(&wire)),
    }
}

/// The deletion of a control entry's row.
pub(crate) fn control_row_gone(entry: EntryHash) -> Row {
    Row {
        table: Table::Control,
        key: entry.0.to_vec(),
        space: None,
        value: None,
    }
}

/// The entry's place in the order of arrival, and its bytes.
pub(crate) fn read_control(bytes: &[u8]) -> Option<(u64, Vec<u8>)> {
    let wire: ControlWire = cbor::decode(bytes).ok()?;
    Some((wire.arrival, wire.entry.into()))
}

#[derive(Encode, Decode)]
struct RecordWire {
    #[n(0)]
    space: SpaceWire,
    #[n(1)]
    record: ByteArray<17>,
    #[n(2)]
    state: ByteVec,
}

pub(crate) fn record_row(space: &Space, record: RecordId, state: &RecordState) -> Row {
    let wire = RecordWire {
        space: SpaceWire::of(space),
        record: record.to_bytes().into(),
        state: state.to_cbor().into(),
    };
    Row {
        table: Table::Record,
        key: key(space, &record.to_bytes()),
        space: Some(space.clone()),
        value: Some(cbor::encode(&wire)),
    }
}

pub(crate) fn read_record(bytes: &[u8]) -> Option<(Space, RecordId, RecordState)> {
    let wire: RecordWire = cbor::decode(bytes).ok()?;
    let record = RecordId::from_slice(&<[u8; 17]>::from(wire.record)).ok()?;
    Some((
        wire.space.space()?,
        record,
        RecordState::from_cbor(&wire.state).ok()?,
    ))
}

#[derive(Encode, Decode)]
struct StagedWire {
    #[n(0)]
    space: SpaceWire,
    #[n(1)]
    number: u64,
    #[n(2)]
    record: ByteArray<17>,
    #[n(3)]
    change: ByteVec,
    #[n(4)]
    author: ByteArray<8>,
    #[n(5)]
    dictionary: u32,
}

pub(crate) fn staged_row(space: &Space, number: u64, staged: &Staged) -> Row {
    let wire = StagedWire {
        space: SpaceWire::of(space),
        number,
        record: staged.entry.record.to_bytes().into(),
        change: staged.entry.change.clone().into(),
        author: staged.author.0.into(),
        dictionary: staged.dictionary,
    };
    Row {
        value: Some(cbor::encode(&wire)),
        ..unstaged_row(space, number)
    }
}

/// The deletion of a staged row, in the transaction that makes its batch durable.
pub(crate) fn unstaged_row(space: &Space, number: u64) -> Row {
    Row {
        table: Table::Staged,
        key: key(space, &number.to_be_bytes()),
        space: Some(space.clone()),
        value: None,
    }
}

pub(crate) fn read_staged(bytes: &[u8]) -> Option<(Space, u64, Staged)> {
    let wire: StagedWire = cbor::decode(bytes).ok()?;
    let record = RecordId::from_slice(&<[u8; 17]>::from(wire.record)).ok()?;
    let entry = Entry {
        record,
        change: wire.change.into(),
    };
    let author = AuthorId(wire.author.into());
    Some((
        wire.space.space()?,
        wire.number,
        Staged {
            entry,
            author,
            dictionary: wire.dictionary,
        },
    ))
}

#[derive(Encode, Decode)]
struct OrphanedWire {
    #[n(0)]
    space: SpaceWire,
    #[n(1)]
    record: ByteArray<17>,
    #[n(2)]
    changes: List<ByteVec, 65_536>,
}

/// The changes of an erased record that its author decides on, or their deletion if there are none.
pub(crate) fn kept_row(space: &Space, record: RecordId, changes: &[Vec<u8>]) -> Row {
    let wire = OrphanedWire {
        space: SpaceWire::of(space),
        record: record.to_bytes().into(),
        changes: changes.iter().map(|change| change.clone().into()).collect(),
    };
    Row {
        table: Table::Orphaned,
        key: key(space, &record.to_bytes()),
        space: Some(space.clone()),
        value: (!changes.is_empty()).then(|| cbor::encode(&wire)),
    }
}

pub(crate) fn read_kept(bytes: &[u8]) -> Option<(Space, RecordId, Vec<Vec<u8>>)> {
    let wire: OrphanedWire = cbor::decode(bytes).ok()?;
    let record = RecordId::from_slice(&<[u8; 17]>::from(wire.record)).ok()?;
    let changes = wire.changes.into_iter().map(Into::into).collect();
    Some((wire.space.space()?, record, changes))
}

/// The deletion of a record's row.
pub(crate) fn no_record_row(space: &Space, record: RecordId) -> Row {
    Row {
        table: Table::Record,
        key: key(space, &record.to_bytes()),
        space: Some(space.clone()),
        value: None,
    }
}
