//! Shapes that control entries, messages, bundles and rows have in common: CBOR arrays, new fields at the
//! end.

use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};

use crate::cbor::List;
use crate::feed::Tip;
use crate::id::{Class, DeviceId, Short, Space};

/// Spaces in one message.
pub const SPACES_MAX: usize = 512;
/// Devices that differ in one space of a message.
pub const CHANGES_MAX: usize = 4096;
/// Tips of one device in a message.
pub const TIPS_MAX: usize = 256;

/// A space as it stands on the wire.
#[derive(Clone, Debug, Encode, Decode)]
pub(crate) struct SpaceWire {
    #[n(0)]
    pub(crate) unit: String,
    #[n(1)]
    pub(crate) class: u8,
}

impl SpaceWire {
    pub(crate) fn of(space: &Space) -> Self {
        Self {
            unit: space.unit().to_owned(),
            class: space.class as u8,
        }
    }

    /// The space, or `None` for a class that a newer version added.
    pub(crate) fn space(&self) -> Option<Space> {
        Space::new(&self.unit, Class::from_number(self.class)?).ok()
    }
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
