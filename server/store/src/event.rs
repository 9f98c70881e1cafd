//! Events that the office should know.

use sync_core::id::{DeviceId, Space};

use super::{Conn, Read, Row, StoreError, one_row, query, statements, stored};

statements! {
    NUMBER = "UPDATE turn SET event = event + 1";
    ADD = "INSERT INTO event (number, at, kind, device, unit, class)
        SELECT event, $1, $2, $3, $4, $5 FROM turn";
    IS_NOTED = "SELECT 1 AS noted FROM event
        WHERE kind = $1 AND device = $2 AND unit = $3 AND class = $4 LIMIT 1";
    NEWEST = "SELECT number, at, kind, device, unit, class FROM event
        ORDER BY number DESC LIMIT $1";
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// This server was restored from a backup.
    Restored,
    /// The database was older than what this server had seen of it: a copy was put in its place.
    SetBack,
    /// Something that phones had brought to this space may be lost: no journal had it and no phone
    /// that held it came back before an administrator ended the recovery.
    AtRisk,
    /// An administrator let a restored server serve again.
    RecoveryConfirmed,
    /// A device came back whose enrolment was lost here.
    DeviceReturned,
    /// A device's feed has two branches: the phone was set back, or killed at a bad moment.
    ForkSeen,
    /// The device's next batch joined them.
    ForkHealed,
    /// A device's feed has too many branches: no more of them are taken.
    FeedStopped,
    /// Two phones write with the keys of one.
    DeviceCloned,
    /// A device made new keys; it is another device from now on.
    KeysRenewed,
    /// Files of the journal were gone: it was begun anew with everything that is held.
    JournalLost,
}

impl EventKind {
    /// All of them.
    pub const ALL: [EventKind; 11] = [
        EventKind::Restored,
        EventKind::SetBack,
        EventKind::AtRisk,
        EventKind::RecoveryConfirmed,
        EventKind::DeviceReturned,
        EventKind::ForkSeen,
        EventKind::ForkHealed,
        EventKind::FeedStopped,
        EventKind::DeviceCloned,
        EventKind::KeysRenewed,
        EventKind::JournalLost,
    ];

    /// A stable code.
    pub fn code(self) -> &'static str {
        match self {
            EventKind::Restored => "restored",
            EventKind::SetBack => "set_back",
            EventKind::AtRisk => "at_risk",
            EventKind::RecoveryConfirmed => "recovery_confirmed",
            EventKind::DeviceReturned => "device_returned",
            EventKind::ForkSeen => "fork_seen",
            EventKind::ForkHealed => "fork_healed",
            EventKind::FeedStopped => "feed_stopped",
            EventKind::DeviceCloned => "device_cloned",
            EventKind::KeysRenewed => "keys_renewed",
            EventKind::JournalLost => "journal_lost",
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// 1, 2, … in the order in which they were noted.
    pub number: u64,
    /// Unix seconds by the server's clock.
    pub at: i64,
    /// [`EventKind::code`], or that of a newer program.
    pub kind: String,
    /// The device that it is about.
    pub device: Option<DeviceId>,
    /// The space that it is about.
    pub space: Option<Space>,
}

/// Notes an event.
pub async fn add(
    now: i64,
    conn: &mut Conn,
    kind: EventKind,
    device: Option<DeviceId>,
    space: Option<&Space>,
) -> Result<(), StoreError> {
    one_row("turn", query(NUMBER).execute(conn).await?)?;
    let query = query(ADD)
        .bind(now)
        .bind(kind.code())
        .bind(device.map(|device| device.0.to_vec()))
        .bind(space.map(|space| space.unit().to_owned()))
        .bind(space.map(|space| i64::from(space.class as u8)));
    one_row("event", query.execute(conn).await?)
}

/// Whether an event of this kind was noted of a device in a space.
pub async fn is_noted(
    conn: &mut Conn,
    kind: EventKind,
    device: DeviceId,
    space: &Space,
) -> Result<bool, StoreError> {
    let query = query(IS_NOTED)
        .bind(kind.code())
        .bind(device.0.to_vec())
        .bind(space.unit().to_owned())
        .bind(i64::from(space.class as u8));
    Ok(query.fetch_optional(conn).await?.is_some())
}

/// The newest events, newest first.
pub async fn newest(conn: &mut Conn, limit: u64) -> Result<Vec<Event>, StoreError> {
    let rows = query(NEWEST).bind(stored(limit)).fetch_all(conn).await?;
    rows.iter().map(event).collect()
}

fn event(row: &Row) -> Result<Event, StoreError> {
    let read = Read::of("event", row);
    Ok(Event {
        number: read.number("number")?,
        at: read.time("at")?,
        kind: read.text("kind")?.to_owned(),
        device: read.id_if_any("device", DeviceId::from_slice)?,
        space: match read.text_if_any("unit")? {
            Some(_) => Some(read.space()?),
            None => None,
        },
    })
}
