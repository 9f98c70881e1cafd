//! Freshness: the last contact of each device, and the last arrival in each space.

use std::collections::BTreeMap;

use sync_core::control::ControlPosition;
use sync_core::id::{DeviceId, Short, Space};

use super::{Conn, Read, Row, StoreError, query, statements};

statements! {
    LAST = "SELECT at, control_count, control_digest FROM contact WHERE device = $1";
    /// A clock that was set back begins anew.
    NOTE = "INSERT INTO contact (device, at, control_count, control_digest)
        VALUES ($1, $2, $4, $5)
        ON CONFLICT (device) DO UPDATE SET at = excluded.at,
            control_count = COALESCE(excluded.control_count, contact.control_count),
            control_digest = COALESCE(excluded.control_digest, contact.control_digest)
        WHERE excluded.at >= contact.at + $3 OR excluded.at < contact.at
            OR contact.control_count IS NULL
            OR excluded.control_count <> contact.control_count
            OR excluded.control_digest <> contact.control_digest";
    HEARD = "SELECT device, at, control_count, control_digest FROM contact";
    PHONES = "SELECT device.device, device.name, contact.at FROM device
        LEFT JOIN contact ON contact.device = device.device";
    MOVED = "SELECT unit, class, moved FROM space WHERE moved IS NOT NULL";
    RECORDS = "SELECT unit, class, COUNT(*) AS records FROM record GROUP BY unit, class";
}

/// A contact is written again when the last one is this old.
const SECONDS_MIN: i64 = 15 * 60;

fn position(row: &Row) -> Result<Option<ControlPosition>, StoreError> {
    let read = Read::of("contact", row);
    let Some(count) = read.time_if_any("control_count")? else {
        return Ok(None);
    };
    let unreadable = |_| read.unreadable("control_count");
    Ok(Some(ControlPosition {
        count: u32::try_from(count).map_err(unreadable)?,
        digest: match read.blob_if_any("control_digest")? {
            Some(_) => Some(Short(read.bytes("control_digest")?)),
            None => None,
        },
    }))
}

/// Whether a contact of a device at `now`, which holds so much of the control feed, is to be written.
pub async fn is_due(
    conn: &mut Conn,
    device: DeviceId,
    now: i64,
    control: ControlPosition,
) -> Result<bool, StoreError> {
    let query = query(LAST).bind(device.0.to_vec());
    let Some(row) = query.fetch_optional(conn).await? else {
        return Ok(true);
    };
    let at = Read::of("contact", &row).time("at")?;
    let moved = position(&row)? != Some(control);
    Ok(moved || now >= at.saturating_add(SECONDS_MIN) || now < at)
}

/// When a device was last heard of, Unix seconds.
pub async fn last(conn: &mut Conn, device: DeviceId) -> Result<Option<i64>, StoreError> {
    let query = query(LAST).bind(device.0.to_vec());
    let row = query.fetch_optional(conn).await?;
    row.map(|row| Read::of("contact", &row).time("at"))
        .transpose()
}

/// Writes that a device was heard of, if that is due, and what it holds of the control feed, if it said so.
pub async fn note(
    conn: &mut Conn,
    device: DeviceId,
    now: i64,
    control: Option<ControlPosition>,
) -> Result<(), StoreError> {
    let query = query(NOTE)
        .bind(device.0.to_vec())
        .bind(now)
        .bind(SECONDS_MIN)
        .bind(control.map(|control| i64::from(control.count)))
        .bind(control.and_then(|control| Some(control.digest?.0.to_vec())));
    query.execute(conn).await?;
    Ok(())
}

/// What each device held of the control feed when it was last heard of, and when that was.
pub async fn heard(
    conn: &mut Conn,
) -> Result<BTreeMap<DeviceId, (i64, Option<ControlPosition>)>, StoreError> {
    let rows = query(HEARD).fetch_all(conn).await?;
    let heard = |row: &Row| {
        let read = Read::of("contact", row);
        let at = read.time("at")?;
        Ok((
            read.id("device", DeviceId::from_slice)?,
            (at, position(row)?),
        ))
    };
    rows.iter().map(heard).collect()
}

/// A device as the office knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phone {
    /// Whom its last code was made for.
    pub name: Option<String>,
    /// When it last exchanged, Unix seconds; none if never.
    pub at: Option<i64>,
}

/// All devices that ever used a code.
pub async fn phones(conn: &mut Conn) -> Result<BTreeMap<DeviceId, Phone>, StoreError> {
    let rows = query(PHONES).fetch_all(conn).await?;
    let phone = |row: &Row| {
        let read = Read::of("device", row);
        let phone = Phone {
            name: read.text_if_any("name")?.map(str::to_owned),
            at: read.time_if_any("at")?,
        };
        Ok((read.id("device", DeviceId::from_slice)?, phone))
    };
    rows.iter().map(phone).collect()
}

/// When a batch last came into each space, where that was noted.
pub async fn moved(conn: &mut Conn) -> Result<BTreeMap<Space, i64>, StoreError> {
    let rows = query(MOVED).fetch_all(conn).await?;
    let moved = |row: &Row| {
        let read = Read::of("space", row);
        Ok((read.space()?, read.time("moved")?))
    };
    rows.iter().map(moved).collect()
}

/// How many records each space has.
pub async fn records(conn: &mut Conn) -> Result<BTreeMap<Space, u64>, StoreError> {
    let rows = query(RECORDS).fetch_all(conn).await?;
    let records = |row: &Row| {
        let read = Read::of("record", row);
        Ok((read.space()?, read.number("records")?))
    };
    rows.iter().map(records).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;
    use sync_core::id::EntryHash;

    #[tokio::test]
    async fn a_contact_is_written_again_after_a_quarter_of_an_hour() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let mut conn = store.connect().await.unwrap();
        let device = DeviceId([1; 8]);
        let control = ControlPosition::of(vec![]);
        assert!(is_due(&mut conn, device, 1000, control).await.unwrap());
        // What is asked of the table for each of these moments, and what it says then.
        let steps = [
            (1000, 1000),
            (1000 + SECONDS_MIN - 1, 1000),
            (1000 + SECONDS_MIN, 1000 + SECONDS_MIN),
            (500, 500),
        ];
        for (now, expected) in steps {
            let due = is_due(&mut conn, device, now, control).await.unwrap();
            note(&mut conn, device, now, Some(control)).await.unwrap();
            let row = query(LAST).bind(device.0.to_vec());
            let row = row.fetch_one(&mut conn).await.unwrap();
            assert_eq!(row.int("at").unwrap(), Some(expected));
            // The first was due, and is asked for only once.
            assert_eq!(due, expected == now, "{now}");
        }
    }

    #[tokio::test]
    async fn a_device_that_holds_more_of_the_control_feed_is_noted_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let mut conn = store.connect().await.unwrap();
        let device = DeviceId([1; 8]);
        let (none, one) = (
            ControlPosition::of(vec![]),
            ControlPosition::of(vec![EntryHash([1; 32])]),
        );
        note(&mut conn, device, 1000, Some(none)).await.unwrap();
        assert!(!is_due(&mut conn, device, 1001, none).await.unwrap());
        assert!(is_due(&mut conn, device, 1001, one).await.unwrap());
        note(&mut conn, device, 1001, Some(one)).await.unwrap();
        let heard = heard(&mut conn).await.unwrap();
        assert_eq!(heard.get(&device), Some(&(1001, Some(one))));
    }
}
