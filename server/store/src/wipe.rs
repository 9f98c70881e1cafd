//! Progress of remote wipes.

use sync_core::id::DeviceId;

use super::{Conn, Read, StoreError, query, statements};

statements! {
    STATE = "SELECT state, at FROM wipe WHERE device = $1";
    NOTE = "INSERT INTO wipe (device, state, at) VALUES ($1, $2, $3)
        ON CONFLICT (device) DO UPDATE SET state = excluded.state, at = excluded.at
            WHERE excluded.state > wipe.state";
}

/// How far a device has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WipeState {
    /// It was told to.
    Told,
    /// All that it had is here.
    HandedOver,
    /// It says that it has wiped its store.
    Wiped,
}

impl WipeState {
    fn number(self) -> i64 {
        match self {
            Self::Told => 1,
            Self::HandedOver => 2,
            Self::Wiped => 3,
        }
    }
}

/// How far a device has come, and when that was heard; `None` if it was not heard of since.
pub async fn state(
    conn: &mut Conn,
    device: DeviceId,
) -> Result<Option<(WipeState, i64)>, StoreError> {
    let query = query(STATE).bind(device.0.to_vec());
    let row = query.fetch_optional(conn).await?;
    let read = |row| {
        let read = Read::of("wipe", &row);
        let state = match read.number("state")? {
            1 => WipeState::Told,
            2 => WipeState::HandedOver,
            3 => WipeState::Wiped,
            _ => return Err(read.unreadable("state")),
        };
        Ok((state, read.time("at")?))
    };
    row.map(read).transpose()
}

/// Notes how far a device has come; it never goes back.
pub async fn note(
    conn: &mut Conn,
    device: DeviceId,
    state: WipeState,
    now: i64,
) -> Result<(), StoreError> {
    let query = query(NOTE)
        .bind(device.0.to_vec())
        .bind(state.number())
        .bind(now);
    query.execute(conn).await?;
    Ok(())
}
