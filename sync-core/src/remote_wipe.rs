//! Remote wipe of a phone: the command, the hand-over, and the last report.
//!
//! The order is a person's ([`crate::control::OrderKind::Wipe`]), and the phone checks that itself: a
//! server, or whoever has taken it, can't have a phone wiped. It is told at its next exchange, also a
//! revoked phone, which is served nothing else. It answers with a bundle of all that the server lacks,
//! waits until that is taken, wipes its store, and says so; if the last word is lost the office sees
//! that everything was handed over.

use crate::control::{BadEntry, Control, ControlEntry, OrderKind};
use crate::hub::NodeIdentity;
use crate::id::DeviceId;
use crate::replica::{Prepared, Replica};
use crate::wire::{Answer, Request, base_digest};

pub use crate::wire::{WipeCommand, WipeReport};

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
    me: &NodeIdentity,
    control: &Control,
    device: DeviceId,
    taken: bool,
    now: i64,
) -> Option<Answer> {
    let order = control.wipe_order(device)?;
    let roots = control.entries().filter(|entry| entry.is_root());
    let call = WipeCommand {
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
    pub(crate) fn verify_wipe_command(
        &self,
        call: &WipeCommand,
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
    pub fn wipe_request(
        &self,
        sign: &dyn Fn(&[u8]) -> [u8; 64],
        wipe_report: WipeReport,
    ) -> Vec<u8> {
        let roots = self.control.entries().filter(|entry| entry.is_root());
        let shown = roots.chain(self.control.seal_key_entry());
        let request = Request {
            device: self.me.device,
            nonce: self.server.nonce,
            control: self.control.position(),
            base: base_digest(self.server.incarnation, &Default::default()),
            spaces: Vec::new(),
            batches: Vec::new(),
            refer: None,
            budget: 0,
            receipts: false,
            shown: shown.map(|entry| entry.bytes().to_vec()).collect(),
            renewal: None,
            wipe_report: Some(wipe_report),
        };
        request.encode(self.me.network, sign)
    }
}

#[cfg(test)]
mod tests;
