//! Messages of a phone that is to wipe itself, and to it ([`crate::remote_wipe`]).

use super::*;

/// Root statements that come with an order, so that a phone knows the key that signed it.
const ROOTS_MAX: usize = 64;

/// What a phone says that is to wipe itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WipeReport {
    /// A bundle of what the server lacks, sealed to it; empty if it lacks nothing.
    pub bundle: Vec<u8>,
    /// It has wiped its store.
    pub wiped: bool,
}

/// What the server tells a phone that is to wipe itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WipeCommand {
    /// The order.
    pub order: Vec<u8>,
    /// The root statements that list the keys which signed it.
    pub roots: Vec<Vec<u8>>,
    /// What the phone handed over is durable: it may wipe.
    pub taken: bool,
    /// The entry of the newest key to which it is to seal what it hands over: it hears of no other way.
    pub seal_key: Option<Vec<u8>>,
}

#[derive(Encode, Decode)]
pub(super) struct WipeReportWire {
    #[n(0)]
    bundle: ByteVec,
    #[n(1)]
    wiped: Option<bool>,
}

#[derive(Encode, Decode)]
pub(super) struct WipeCommandWire {
    #[n(0)]
    order: ByteVec,
    #[n(1)]
    roots: List<ByteVec, ROOTS_MAX>,
    #[n(2)]
    taken: Option<bool>,
    #[n(3)]
    seal_key: Option<ByteVec>,
}

impl From<&WipeReport> for WipeReportWire {
    fn from(wipe_report: &WipeReport) -> Self {
        Self {
            bundle: wipe_report.bundle.clone().into(),
            wiped: wipe_report.wiped.then_some(true),
        }
    }
}

impl From<WipeReportWire> for WipeReport {
    fn from(wire: WipeReportWire) -> Self {
        Self {
            bundle: wire.bundle.into(),
            wiped: wire.wiped.unwrap_or(false),
        }
    }
}

impl From<&WipeCommand> for WipeCommandWire {
    fn from(call: &WipeCommand) -> Self {
        Self {
            order: call.order.clone().into(),
            roots: call.roots.iter().map(|root| root.clone().into()).collect(),
            taken: call.taken.then_some(true),
            seal_key: call.seal_key.clone().map(Into::into),
        }
    }
}

impl From<WipeCommandWire> for WipeCommand {
    fn from(wire: WipeCommandWire) -> Self {
        Self {
            order: wire.order.into(),
            roots: wire.roots.into_iter().map(Into::into).collect(),
            taken: wire.taken.unwrap_or(false),
            seal_key: wire.seal_key.map(Into::into),
        }
    }
}
