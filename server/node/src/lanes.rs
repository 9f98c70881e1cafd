//! Lanes: how much of the server one device, or somebody unknown, can have at a time.
//!
//! A device's exchanges are served one after the other. What is large is read one request at a time, since
//! who sent it is known only then, and stored one request at a time, in slices between which others are
//! served. So whoever asks a lot waits for himself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use sync_core::id::DeviceId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::reply::ServeError;

/// Exchanges of one device that may be under way or wait: one, and one that its phone has sent again.
const OF_A_DEVICE_MAX: usize = 2;
/// Devices of which nothing is under way any more are forgotten once so many are known.
const KNOWN_MAX: usize = 1024;

/// Bytes of a request as it came in that are read beside others.
const SMALL_BYTES_MAX: usize = 2 * 1024;

/// The lanes of a server.
#[derive(Debug)]
pub(crate) struct Lanes {
    devices: Mutex<HashMap<DeviceId, Weak<Lane>>>,
    read: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// The exchanges of one device.
#[derive(Debug)]
struct Lane {
    /// Those that are under way or wait.
    all: Arc<Semaphore>,
    /// The one that is under way.
    served: Arc<Semaphore>,
}

/// The place of an exchange; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _all: OwnedSemaphorePermit,
    _served: OwnedSemaphorePermit,
    _lane: Arc<Lane>,
}

impl Default for Lanes {
    fn default() -> Self {
        Self {
            devices: Mutex::default(),
            read: Arc::new(Semaphore::new(1)),
            large: Arc::new(Semaphore::new(1)),
        }
    }
}

impl Lanes {
    /// Waits until no other exchange of the device is under way. [`ServeError::Busy`] if one waits already.
    pub(crate) async fn enter(&self, device: DeviceId) -> Result<Place, ServeError> {
        let lane = self.lane(device);
        let all = lane.all.clone().try_acquire_owned();
        let all = all.map_err(|_| ServeError::Busy)?;
        // Never closed.
        let served = lane.served.clone().acquire_owned().await;
        let served = served.map_err(|_| ServeError::Busy)?;
        Ok(Place {
            _all: all,
            _served: served,
            _lane: lane,
        })
    }

    fn lane(&self, device: DeviceId) -> Arc<Lane> {
        let devices = self.devices.lock();
        let mut devices = devices.unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = devices.get(&device).and_then(Weak::upgrade) {
            return lane;
        }
        if devices.len() >= KNOWN_MAX {
            devices.retain(|_, lane| lane.strong_count() > 0);
        }
        let lane = Arc::new(Lane {
            all: Arc::new(Semaphore::new(OF_A_DEVICE_MAX)),
            served: Arc::new(Semaphore::new(1)),
        });
        devices.insert(device, Arc::downgrade(&lane));
        lane
    }

    /// Waits until a request of so many bytes may be read.
    pub(crate) async fn read(
        &self,
        bytes: usize,
    ) -> Result<Option<OwnedSemaphorePermit>, ServeError> {
        if bytes <= SMALL_BYTES_MAX {
            return Ok(None);
        }
        // Never closed.
        let read = self.read.clone().acquire_owned().await;
        read.map(Some).map_err(|_| ServeError::Busy)
    }

    /// Waits until nothing else that is large is being stored.
    pub(crate) async fn large(&self) -> Result<OwnedSemaphorePermit, ServeError> {
        // Never closed.
        let large = self.large.clone().acquire_owned().await;
        large.map_err(|_| ServeError::Busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_device_waits_for_itself_and_nobody_waits_for_it() {
        let lanes = Lanes::default();
        let [one, other] = [1, 2].map(|n| DeviceId([n; 8]));
        let first = lanes.enter(one).await.unwrap();
        let second = lanes.enter(one);
        tokio::pin!(second);
        let waits = std::future::poll_fn(|context| {
            let polled = second.as_mut().poll(context);
            std::task::Poll::Ready(polled.is_pending())
        });
        assert!(waits.await);
        assert!(matches!(lanes.enter(one).await, Err(ServeError::Busy)));
        lanes.enter(other).await.unwrap();
        drop(first);
        second.await.unwrap();
        lanes.enter(one).await.unwrap();
    }
}
