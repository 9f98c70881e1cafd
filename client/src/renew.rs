//! New keys for this device: when the server says that another phone writes with its keys, or when
//! somebody wishes so.
//!
//! The new keys are on disk before anybody is told of them, so an exchange that is cut off goes on
//! with the same ones. The phone is the new device once the server has let it in and has everything that
//! was written with the old keys.

use sync_core::id::DeviceId;
use sync_core::renew::Renewal;
use sync_core::replica::{Me, Replica};

use crate::clock;
use crate::error::{Complaint, PhoneError};
use crate::keys::DeviceKeys;
use crate::phone::Phone;

impl Phone {
    /// Makes new keys and exchanges with the server until this phone is another device; gives the
    /// device. [`PhoneError::Wrong`] with `renewal_waits` if the server does not let it in yet: then
    /// every later exchange asks again.
    pub fn renew_keys(&mut self) -> Result<DeviceId, PhoneError> {
        let before = self.opened()?.replica.me().device;
        self.begin_renewal()?;
        self.sync()?;
        match self.opened()?.replica.me().device {
            device if device != before => Ok(device),
            _ => Err(PhoneError::wrong(Complaint::new("renewal_waits"))),
        }
    }

    /// Makes new keys, unless there are some that wait; whether it did.
    pub(crate) fn begin_renewal(&mut self) -> Result<bool, PhoneError> {
        if self.opened()?.next.is_some() {
            return Ok(false);
        }
        let next = DeviceKeys::generate(&mut clock::rng());
        self.commit_row(&next.to_next_row())?;
        let open = self.opened()?;
        ask(&mut open.replica, &next);
        open.next = Some(next);
        Ok(true)
    }

    /// Goes on with the new keys, if the server has let them in and has everything else; whether it
    /// does.
    pub(crate) fn finish_renewal(&mut self) -> Result<bool, PhoneError> {
        if self.opened()?.next.is_none() {
            return Ok(false);
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
        Ok(done.is_some())
    }
}

/// Has every request ask for these keys.
pub(crate) fn ask(replica: &mut Replica, next: &DeviceKeys) {
    let Me { network, device } = replica.me();
    let keys = (next.signing_public().bytes, next.sealing_public().bytes);
    let sign = |message: &[u8]| next.sign(message);
    replica.ask_for_renewal(Renewal::of(network, device, keys, &sign));
}
