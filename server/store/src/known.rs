//! Rows that a transaction has read already. Nobody else changes them while it lasts: one that reads
//! sees a snapshot, and one that writes has the turn.

use std::collections::BTreeMap;

use sync_core::id::{DeviceId, Space};

use super::flags::Flags;
use super::space::Numbers;

/// What is known of the rows that are asked for again and again. Whoever writes one of them changes
/// it here too.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The number of the newest control entry.
    pub(super) control: Option<u64>,
    /// The whole table.
    pub(super) meta: Option<BTreeMap<String, Vec<u8>>>,
    /// Spaces that were asked for.
    pub(super) spaces: BTreeMap<Space, Numbers>,
    /// Devices that were asked for.
    pub(super) flags: BTreeMap<DeviceId, Flags>,
}
