//! Flags of devices that are served in another way than all others: two phones write with the keys of
//! one, or somebody came back with an enrolment that was lost here.

use sync_core::id::DeviceId;

use super::{Conn, Read, StoreError, query, statements};

statements! {
    FLAGS = "SELECT 'copied' AS flag FROM copied WHERE device = $1
        UNION ALL SELECT 'returned' AS flag FROM returned WHERE device = $1";
}

/// The flags of a device.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    /// Two phones write with its keys.
    pub(super) copied: bool,
    /// It came back, and nobody has confirmed it.
    pub(super) returned: bool,
}

/// The flags of a device, read once in a transaction.
pub(super) async fn of(conn: &mut Conn, device: DeviceId) -> Result<Flags, StoreError> {
    let known = conn.known().and_then(|known| known.flags.get(&device));
    if let Some(flags) = known {
        return Ok(*flags);
    }
    let mut flags = Flags::default();
    let rows = query(FLAGS).bind(device.0.to_vec()).fetch_all(conn).await?;
    for row in &rows {
        match Read::of("copied", row).text("flag")? {
            "copied" => flags.copied = true,
            _ => flags.returned = true,
        }
    }
    if let Some(known) = conn.known() {
        known.flags.insert(device, flags);
    }
    Ok(flags)
}

/// Has the flags read again: some were changed.
pub(super) fn forget(conn: &mut Conn) {
    if let Some(known) = conn.known() {
        known.flags.clear();
    }
}
