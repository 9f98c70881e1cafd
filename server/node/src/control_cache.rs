//! The control feed in memory, kept as current as the transaction that asks.
//!
//! Another process may let a device in at any moment, and once that has committed the next exchange
//! must see it (R25). So every transaction compares the number of the newest entry, which costs one
//! look-up, and reads what is new.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use store::{Conn, StoreError, control};
use sync_core::control::Control;
use sync_core::id::NetworkId;

/// The control feed up to an entry.
#[derive(Clone, Debug)]
pub struct ControlCache {
    pub(crate) control: Control,
    /// The newest entry's number; equal numbers mean equal rosters.
    pub(crate) arrival: u64,
}

impl Deref for ControlCache {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.control
    }
}

impl ControlCache {
    /// The roster before anything is read.
    pub(crate) fn empty(network: NetworkId) -> Self {
        Self {
            control: Control::new(network),
            arrival: 0,
        }
    }

    /// This roster, or a newer one, as the transaction of `conn` sees it.
    pub(crate) async fn current(
        self: &Arc<Self>,
        conn: &mut Conn,
    ) -> Result<Arc<Self>, StoreError> {
        let arrival = control::count(conn).await?;
        if arrival == self.arrival {
            return Ok(self.clone());
        }
        // Fewer than before: somebody put an older copy of the database in place. From the start.
        let mut control_cache = match arrival > self.arrival {
            true => Self::clone(self),
            false => Self::empty(self.control.network()),
        };
        for stored in control::after(conn, control_cache.arrival).await? {
            let unreadable = StoreError::Unreadable {
                table: "control",
                column: "bytes",
            };
            match control_cache.control.check(&stored.bytes) {
                Ok(Some(entry)) if entry.hash == stored.hash => control_cache.control.apply(entry),
                Ok(None) => {}
                _ => return Err(unreadable),
            }
            control_cache.arrival = stored.arrival;
        }
        Ok(Arc::new(control_cache))
    }
}

/// The roster that the next transaction starts from. Only what is committed gets in here.
#[derive(Debug)]
pub(crate) struct LatestControl(Mutex<Arc<ControlCache>>);

impl LatestControl {
    pub(crate) fn new(control_cache: Arc<ControlCache>) -> Self {
        Self(Mutex::new(control_cache))
    }

    /// What was remembered last.
    pub(crate) fn last(&self) -> Arc<ControlCache> {
        // A panic while it is held can't leave half a roster: it is replaced whole.
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The roster as a reading transaction sees it, remembered for the next one.
    pub(crate) async fn current(&self, conn: &mut Conn) -> Result<Arc<ControlCache>, StoreError> {
        let last = self.last();
        let current = last.current(conn).await?;
        if !Arc::ptr_eq(&last, &current) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = current.clone();
        }
        Ok(current)
    }
}
