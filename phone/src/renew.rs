//! New keys for this device: when the server says that another phone writes with its keys, or when
//! somebody wishes so.
//! [`SyncReport::renewed`](crate::sync::SyncReport::renewed) says that an exchange has come to that.
//!
//! The new keys are on disk before anybody is told of them, so an exchange that is cut off goes on
//! with the same ones. The phone is the new device once the server has let it in and has everything that
//! was written with the old keys.

use sync_core::id::DeviceId;
use sync_core::renew::Renewal;
use sync_core::replica::{DeviceIdentity, Replica};

use crate::error::PhoneError;
use crate::keys::DeviceKeys;
use crate::phone::Phone;

impl Phone {
    /// Makes new keys, unless there are some that wait; whether it did.
    pub(crate) fn begin_renewal(&mut self) -> Result<bool, PhoneError> {
        let open = self.opened()?;
        if open.next.is_some() {
            return Ok(false);
        }
        let next = DeviceKeys::generate(&mut open.rng());
        self.commit_row(&next.to_next_row())?;
        let open = self.opened()?;
        ask(&mut open.replica, &next);
        open.next = Some(next);
        Ok(true)
    }

    /// Goes on with the new keys, if the server has let them in and has everything else; returns the
    /// device that this phone is then.
    pub(crate) fn finish_renewal(&mut self) -> Result<Option<DeviceId>, PhoneError> {
        if self.opened()?.next.is_none() {
            return Ok(None);
        }
        let done = self.step(&|open, _| {
            let mut prepared = open.replica.prepare_renewal();
            if let Some(next) = open.next.as_ref().filter(|_| !prepared.rows.is_empty()) {
                prepared
                    .rows
                    .extend([next.to_row(), DeviceKeys::no_next_row()]);
            }
            Ok(prepared)
        })?;
        if done.is_some() {
            // Opened again with the new keys.
            self.close();
        }
        Ok(done)
    }
}

/// Has every request ask for these keys.
pub(crate) fn ask(replica: &mut Replica, next: &DeviceKeys) {
    let DeviceIdentity { network, device } = replica.me();
    let keys = (next.signing_public().bytes, next.sealing_public().bytes);
    let sign = |message: &[u8]| next.sign(message);
    replica.ask_for_renewal(Renewal::of(network, device, keys, &sign));
}
