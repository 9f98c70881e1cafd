//! Enrolment codes and the devices that used them.

use std::collections::BTreeSet;

use sync_core::control::{plain_key, suite_key};
use sync_core::id::{AuthorId, DeviceId, Space};

use super::{Conn, Read, Row, StoreError, one_row, query, statements};

statements! {
    CODE = "SELECT spaces, author, name, expires, used_by FROM code WHERE hash = $1";
    ADD_CODE = "INSERT INTO code (hash, spaces, author, name, made, expires)
        VALUES ($1, $2, $3, $4, $5, $6)";
    USE_CODE = "UPDATE code SET used_by = $2 WHERE hash = $1 AND used_by IS NULL";
    DEVICE = "SELECT device, signing_key, sealing_key, spaces, author, name, state, since, redeemers
        FROM device WHERE device = $1";
    PENDING = "SELECT device, signing_key, sealing_key, spaces, author, name, state, since, redeemers
        FROM device WHERE state = 'pending' ORDER BY since, device";
    SET_DEVICE = "INSERT INTO device
        (device, signing_key, sealing_key, spaces, author, name, state, since, redeemers)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (device) DO UPDATE SET spaces = excluded.spaces, author = excluded.author,
            name = excluded.name, state = excluded.state, since = excluded.since,
            redeemers = excluded.redeemers";
}

/// An enrolment code.
pub struct Code {
    /// The spaces that it lets a device into.
    pub spaces: BTreeSet<Space>,
    /// The person whom it is for.
    pub author: AuthorId,
    /// The name that is shown for that person.
    pub name: Option<String>,
    /// Until when it may be used.
    pub expires: i64,
    /// The signing key of the device that used it.
    pub used_by: Option<[u8; 32]>,
}

/// Whether a device still waits for an administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It still waits.
    Pending,
    /// It was let in.
    Approved,
}

/// A device that used a code.
pub struct Device {
    /// The key that its batches and requests are signed with.
    pub signing_key: [u8; 32],
    /// The key that answers to its bundles are sealed to.
    pub sealing_key: [u8; 32],
    /// The spaces of its codes.
    pub spaces: BTreeSet<Space>,
    /// The person of its last code.
    pub author: AuthorId,
    /// The name of its last code.
    pub name: Option<String>,
    /// Whether an administrator has let it in.
    pub quarantine: Standing,
    /// When it last used a code for the first time.
    pub since: i64,
    /// How many others tried a code that this device had used.
    pub redeemers: u64,
}

impl Device {
    /// Its id, which follows from its signing key.
    pub fn id(&self) -> DeviceId {
        DeviceId::of_key(&self.signing_key)
    }
}

fn spaces_text(spaces: &BTreeSet<Space>) -> String {
    let spaces: Vec<String> = spaces.iter().map(Space::to_string).collect();
    spaces.join(" ")
}

fn spaces(read: &Read<'_>) -> Result<BTreeSet<Space>, StoreError> {
    let spaces: Result<BTreeSet<Space>, _> = read
        .text("spaces")?
        .split_whitespace()
        .map(str::parse)
        .collect();
    spaces.map_err(|_| read.unreadable("spaces"))
}

/// A public key, stored with its suite in front.
fn key(read: &Read<'_>, column: &'static str) -> Result<[u8; 32], StoreError> {
    plain_key(&read.bytes(column)?).ok_or_else(|| read.unreadable(column))
}

fn device_of(row: &Row) -> Result<Device, StoreError> {
    let read = Read::of("device", row);
    let device = Device {
        signing_key: key(&read, "signing_key")?,
        sealing_key: key(&read, "sealing_key")?,
        spaces: spaces(&read)?,
        author: read.id("author", AuthorId::from_slice)?,
        name: read.text_if_any("name")?.map(str::to_owned),
        quarantine: match read.text("state")? {
            "pending" => Standing::Pending,
            "approved" => Standing::Approved,
            _ => return Err(read.unreadable("state")),
        },
        since: read.time("since")?,
        redeemers: read.number("redeemers")?,
    };
    if read.id("device", DeviceId::from_slice)? != device.id() {
        return Err(read.unreadable("device"));
    }
    Ok(device)
}

/// The code with this hash.
pub async fn code(conn: &mut Conn, hash: &[u8; 32]) -> Result<Option<Code>, StoreError> {
    let row = query(CODE).bind(hash.to_vec()).fetch_optional(conn).await?;
    row.map(|row| {
        let read = Read::of("code", &row);
        let used_by = read.blob_if_any("used_by")?;
        let used_by = used_by.map(|_| key(&read, "used_by"));
        Ok(Code {
            spaces: spaces(&read)?,
            author: read.id("author", AuthorId::from_slice)?,
            name: read.text_if_any("name")?.map(str::to_owned),
            expires: read.time("expires")?,
            used_by: used_by.transpose()?,
        })
    })
    .transpose()
}

/// Adds a code that nobody has used, made at `made`.
pub async fn add_code(
    conn: &mut Conn,
    hash: &[u8; 32],
    code: &Code,
    made: i64,
) -> Result<(), StoreError> {
    let query = query(ADD_CODE)
        .bind(hash.to_vec())
        .bind(spaces_text(&code.spaces))
        .bind(code.author.0.to_vec())
        .bind(code.name.clone())
        .bind(made)
        .bind(code.expires);
    one_row("code", query.execute(conn).await?)
}

/// Notes who used a code. The statement itself refuses a second user.
pub async fn use_code(
    conn: &mut Conn,
    hash: &[u8; 32],
    signing_key: &[u8; 32],
) -> Result<(), StoreError> {
    let query = query(USE_CODE)
        .bind(hash.to_vec())
        .bind(suite_key(signing_key).to_vec());
    one_row("code", query.execute(conn).await?)
}

/// A device that used a code.
pub async fn device(conn: &mut Conn, device: DeviceId) -> Result<Option<Device>, StoreError> {
    let row = query(DEVICE)
        .bind(device.0.to_vec())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(device_of).transpose()
}

/// The devices that wait, the longest waiting first.
pub async fn pending(conn: &mut Conn) -> Result<Vec<Device>, StoreError> {
    let rows = query(PENDING).fetch_all(conn).await?;
    rows.iter().map(device_of).collect()
}

/// Writes a device; its keys stay what they were.
pub async fn set_device(conn: &mut Conn, device: &Device) -> Result<(), StoreError> {
    let query = query(SET_DEVICE)
        .bind(device.id().0.to_vec())
        .bind(suite_key(&device.signing_key).to_vec())
        .bind(suite_key(&device.sealing_key).to_vec())
        .bind(spaces_text(&device.spaces))
        .bind(device.author.0.to_vec())
        .bind(device.name.clone())
        .bind(match device.quarantine {
            Standing::Pending => "pending",
            Standing::Approved => "approved",
        })
        .bind(device.since)
        .bind(super::stored(device.redeemers));
    one_row("device", query.execute(conn).await?)
}
