//! A phone that is asked to wipe itself: what it hears, hands over, and says last.
//!
//! The order is a person's ([`crate::control::OrderKind::Wipe`]), and the phone checks that itself: a
//! server, or whoever has taken it, can't have a phone wiped. It is told at its next exchange, also a
//! revoked phone, which is served nothing else. It answers with a bundle of all that the server lacks,
//! waits until that is taken, wipes its store, and says so; if the last word is lost the office sees
//! that everything was handed over.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::cbor::List;
use crate::control::{BadEntry, Control, ControlEntry, OrderKind};
use crate::hub::HubMe;
use crate::id::DeviceId;
use crate::replica::{Prepared, Replica};
use crate::wire::{Answer, Request, base_digest};

/// Root statements that come with an order, so that a phone knows the key that signed it.
const ROOTS_MAX: usize = 64;

/// What a phone says that is to wipe itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parting {
    /// A bundle of what the server lacks, sealed to it; empty if it lacks nothing.
    pub bundle: Vec<u8>,
    /// It has wiped its store.
    pub wiped: bool,
}

/// What the server tells a phone that is to wipe itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WipeCall {
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
pub(crate) struct PartingWire {
    #[n(0)]
    bundle: ByteVec,
    #[n(1)]
    wiped: Option<bool>,
}

#[derive(Encode, Decode)]
pub(crate) struct WipeWire {
    #[n(0)]
    order: ByteVec,
    #[n(1)]
    roots: List<ByteVec, ROOTS_MAX>,
    #[n(2)]
    taken: Option<bool>,
    #[n(3)]
    seal_key: Option<ByteVec>,
}

impl From<&Parting> for PartingWire {
    fn from(parting: &Parting) -> Self {
        Self {
            bundle: parting.bundle.clone().into(),
            wiped: parting.wiped.then_some(true),
        }
    }
}

impl From<PartingWire> for Parting {
    fn from(wire: PartingWire) -> Self {
        Self {
            bundle: wire.bundle.into(),
            wiped: wire.wiped.unwrap_or(false),
        }
    }
}

impl From<&WipeCall> for WipeWire {
    fn from(call: &WipeCall) -> Self {
        Self {
            order: call.order.clone().into(),
            roots: call.roots.iter().map(|root| root.clone().into()).collect(),
            taken: call.taken.then_some(true),
            seal_key: call.seal_key.clone().map(Into::into),
        }
    }
}

impl From<WipeWire> for WipeCall {
    fn from(wire: WipeWire) -> Self {
        Self {
            order: wire.order.into(),
            roots: wire.roots.into_iter().map(Into::into).collect(),
            taken: wire.taken.unwrap_or(false),
            seal_key: wire.seal_key.map(Into::into),
        }
    }
}

impl Control {
    /// The order that a device wipe itself, if there is one.
    pub fn wipe_order(&self, device: DeviceId) -> Option<&ControlEntry> {
        let mut orders = self.orders();
        let about = orders.find(|(_, kind, order)| {
            *kind == OrderKind::Wipe && order.names.contains(device.as_bytes())
        });
        about.map(|(entry, _, _)| entry)
    }
}

/// What the server says to a phone that is to wipe itself; `None` if nobody ordered it.
pub fn answer(
    me: &HubMe,
    control: &Control,
    device: DeviceId,
    taken: bool,
    now: i64,
) -> Option<Answer> {
    let order = control.wipe_order(device)?;
    let roots = control.entries().filter(|entry| entry.is_root());
    let call = WipeCall {
        order: order.bytes().to_vec(),
        roots: roots.map(|root| root.bytes().to_vec()).collect(),
        taken,
        seal_key: control.seal_key_entry().map(|entry| entry.bytes().to_vec()),
    };
    Some(Answer {
        nonce: Some(me.nonce(device, now)),
        wipe: Some(call),
        ..Answer::at(now)
    })
}

impl Replica {
    /// Whether persons who may have ordered this device to wipe itself. Kept of the call is the key to
    /// seal to, with the roots that list who signed it: nothing that could take anything away.
    pub(crate) fn hear_wipe_call(
        &self,
        call: &WipeCall,
        out: &mut Prepared<()>,
    ) -> Result<bool, BadEntry> {
        let keeps = |entry: &ControlEntry| entry.is_root() || entry.as_seal_key().is_some();
        let entries = call.roots.iter().chain(&call.seal_key);
        let mut control = self.take_control(entries, keeps, out)?;
        if let Some(order) = control.check(&call.order)? {
            control.apply(order);
        }
        Ok(control.wipe_order(self.me.device).is_some())
    }

    /// The request with which a phone hands over, or says that it has wiped itself.
    ///
    /// It shows the key that it seals to, which a server restored from an older backup has lost: such
    /// a server tells a newer one then.
    pub fn part(&self, sign: &dyn Fn(&[u8]) -> [u8; 64], parting: Parting) -> Vec<u8> {
        let roots = self.control.entries().filter(|entry| entry.is_root());
        let shown = roots.chain(self.control.seal_key_entry());
        let request = Request {
            device: self.me.device,
            nonce: self.hub.nonce,
            control: self.control.position(),
            base: base_digest(self.hub.incarnation, &Default::default()),
            spaces: Vec::new(),
            batches: Vec::new(),
            refer: None,
            budget: 0,
            receipts: false,
            shown: shown.map(|entry| entry.bytes().to_vec()).collect(),
            renewal: None,
            parting: Some(parting),
        };
        request.encode(self.me.network, sign)
    }
}

#[cfg(test)]
mod tests;
