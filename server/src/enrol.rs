//! How devices come in: codes, their redemption, approval.
//!
//! A code is single use and good for a day by the server's clock. Redeeming it again with the same
//! keys gets the same answer, so that a lost one costs a repetition (R26); somebody else who tries
//! it is counted, since a link that two people hold went astray.

use std::collections::BTreeSet;

use plan::Package;
use plan::unit::Level;
use sha2::{Digest, Sha256};
use sync_core::control::{ControlEntry, Enrolment, GRANTS_MAX};
use sync_core::enrol::{EnrolAnswer, EnrolRequest, Link, code_from, six_digits};
use sync_core::id::{AuthorId, Class, DeviceId, Space};

use crate::app::Shared;
use crate::clock::random;
use crate::error::CommandError;
use crate::roster::Roster;
use crate::service::Refused;
use crate::store::control::{self, meta};
use crate::store::device::{self, Code, Device, Standing};
use crate::store::{Conn, StoreError};

/// How long a code is good for.
pub(crate) const CODE_SECONDS_MAX: i64 = 24 * 3600;
/// Length of a name that an administrator gives.
const NAME_CHARS_MAX: usize = 100;

fn hash_of(code: &str) -> [u8; 32] {
    Sha256::digest(code.as_bytes()).into()
}

/// Why a code is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeRefusal {
    /// No such code was made here.
    #[error("the enrolment code is not known")]
    Unknown,
    /// Nobody used it in time.
    #[error("the enrolment code has expired")]
    Expired,
    /// The device's store opens with a secret that is too short for real people's data. The code
    /// is not used up.
    #[error("the device's secret is too short")]
    SecretWeak,
    /// Another device used it.
    #[error("the enrolment code was used by another device")]
    Used,
    /// The device was revoked: its person makes new keys.
    #[error("the device was revoked")]
    Revoked,
    /// One of the code's spaces was taken from the device: its person makes new keys. The code is not
    /// used up.
    #[error("a space of the code was taken from the device")]
    SpaceTaken,
}

impl CodeRefusal {
    /// A stable code.
    pub fn code(self) -> &'static str {
        match self {
            CodeRefusal::Unknown => "code_unknown",
            CodeRefusal::Expired => "code_expired",
            CodeRefusal::SecretWeak => "secret_weak",
            CodeRefusal::Used => "code_used",
            CodeRefusal::Revoked => "device_revoked",
            CodeRefusal::SpaceTaken => "space_taken",
        }
    }
}

/// Redeems a code.
pub(crate) async fn redeem(
    now: i64,
    conn: &mut Conn,
    shared: &Shared,
    roster: &std::sync::Arc<Roster>,
    request: &EnrolRequest,
) -> Result<Result<EnrolAnswer, Refused>, StoreError> {
    let hash = hash_of(&request.code);
    let id = DeviceId::of_key(&request.signing_key);
    let refused = |refusal: CodeRefusal| Ok(Err(Refused::from(refusal)));
    let Some(code) = device::code(conn, &hash).await? else {
        return refused(CodeRefusal::Unknown);
    };
    if roster.control.revoked(id).is_some() {
        return refused(CodeRefusal::Revoked);
    }
    let known = device::device(conn, id).await?;
    let same_keys = known
        .as_ref()
        .is_none_or(|known| known.sealing_key == request.sealing_key);
    // What a device signs after the cut of a space counts for nothing there, whatever it holds later.
    let was_taken = |space: &Space| roster.control.cut(id, space).is_some();
    match code.used_by {
        Some(key) if key == request.signing_key && same_keys => {}
        Some(key) => {
            count_redeemer(conn, DeviceId::of_key(&key)).await?;
            return refused(CodeRefusal::Used);
        }
        None if code.expires <= now => return refused(CodeRefusal::Expired),
        None if !shared.sample && !request.strong_secret => {
            return refused(CodeRefusal::SecretWeak);
        }
        None if code.spaces.iter().any(was_taken) => return refused(CodeRefusal::SpaceTaken),
        // A device's keys are made together: one of them with another is somebody else's try.
        None if !same_keys => return refused(CodeRefusal::Used),
        None => {
            device::use_code(conn, &hash, &request.signing_key).await?;
            let mut spaces = code.spaces.clone();
            spaces.extend(known.iter().flat_map(|known| known.spaces.iter().cloned()));
            let device = Device {
                signing_key: request.signing_key,
                sealing_key: request.sealing_key,
                spaces,
                author: code.author,
                name: code.name,
                standing: if shared.sample {
                    Standing::Approved
                } else {
                    Standing::Pending
                },
                since: now,
                redeemers: known.map_or(0, |known| known.redeemers),
            };
            device::set_device(conn, &device).await?;
            if shared.sample {
                let_in(conn, shared, roster, &device).await?;
            }
        }
    }
    let roster = roster.current(conn).await?;
    let standing = device::device(conn, id)
        .await?
        .map(|device| device.standing);
    let enrolment = roster.control.enrolment(id);
    let enrolment = enrolment.filter(|_| standing == Some(Standing::Approved));
    let control = enrolment
        .into_iter()
        .flat_map(|_| roster.control.for_device(id));
    Ok(Ok(EnrolAnswer {
        pending: enrolment.is_none(),
        pin_only: shared.sample,
        author: code.author,
        incarnation: shared.me.incarnation,
        nonce: shared.me.nonce(id, now),
        time: now,
        control: control.map(|entry| entry.bytes().to_vec()).collect(),
    }))
}

async fn count_redeemer(conn: &mut Conn, id: DeviceId) -> Result<(), StoreError> {
    if let Some(mut first) = device::device(conn, id).await? {
        first.redeemers = first.redeemers.saturating_add(1);
        device::set_device(conn, &first).await?;
        tracing::warn!(device = %id, "an enrolment link was used by a second device");
    }
    Ok(())
}

/// Signs and stores the entry that lets a device in.
async fn let_in(
    conn: &mut Conn,
    shared: &Shared,
    roster: &Roster,
    device: &Device,
) -> Result<(), StoreError> {
    let enrolment = Enrolment {
        signing_key: device.signing_key,
        sealing_key: device.sealing_key,
        spaces: device.spaces.clone(),
        authors: BTreeSet::from([device.author]),
    };
    let sign = |message: &[u8]| shared.node.sign(message);
    let signer = (
        shared.node.public().bytes,
        &sign as &dyn Fn(&[u8]) -> [u8; 64],
    );
    let entry = ControlEntry::enrol(shared.me.network, &enrolment, signer);
    let unfit = StoreError::Unreadable {
        table: "device",
        column: "spaces",
    };
    match roster.control.check(&entry) {
        Ok(Some(entry)) => control::add(conn, &entry).await,
        Ok(None) => Ok(()),
        Err(_) => Err(unfit),
    }
}

/// A device that waits for an administrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingDevice {
    /// The device.
    pub device: DeviceId,
    /// What its screen must show too.
    pub digits: String,
    /// Since when it waits, Unix seconds.
    pub since: i64,
    /// Whom the code was made for.
    pub name: Option<String>,
    /// How many others tried the same code.
    pub redeemers: u64,
}

/// The devices that wait.
pub(crate) async fn pending(
    conn: &mut Conn,
    shared: &Shared,
) -> Result<Vec<PendingDevice>, StoreError> {
    let waiting = device::pending(conn)
        .await?
        .into_iter()
        .map(|device| PendingDevice {
            device: device.id(),
            digits: six_digits(shared.me.network, &device.signing_key, &device.sealing_key),
            since: device.since,
            name: device.name,
            redeemers: device.redeemers,
        });
    Ok(waiting.collect())
}

/// Lets a waiting device in. One that is in already stays in.
pub(crate) async fn approve(
    conn: &mut Conn,
    shared: &Shared,
    id: DeviceId,
) -> Result<(), CommandError> {
    let Some(mut device) = device::device(conn, id).await? else {
        return Err(CommandError::wrong("device_unknown", id));
    };
    if device.standing == Standing::Approved {
        return Ok(());
    }
    device.standing = Standing::Approved;
    device::set_device(conn, &device).await?;
    let roster = shared.roster.last().current(conn).await?;
    let_in(conn, shared, &roster, &device).await?;
    Ok(())
}

/// What a code is made for.
#[derive(Clone, Debug, Default)]
pub struct CodeWish {
    /// `CODE[.class]`, at least one.
    pub spaces: Vec<String>,
    /// Whom it is for.
    pub name: Option<String>,
    /// The server's address, if another than the one it was started with.
    pub url: Option<String>,
}

/// Makes a code and the link that carries it.
pub(crate) async fn make_code(
    now: i64,
    conn: &mut Conn,
    shared: &Shared,
    wish: &CodeWish,
) -> Result<Link, CommandError> {
    let roster = shared.roster.last().current(conn).await?;
    let package = roster.control.package();
    let package = package.ok_or_else(|| CommandError::wrong("package_unknown", ""))?;
    let mut spaces = BTreeSet::new();
    for wished in &wish.spaces {
        spaces.extend(spaces_of(package, wished)?);
    }
    if spaces.is_empty() || spaces.len() > GRANTS_MAX {
        let error = CommandError::wrong("space_count", spaces.len());
        return Err(error.with("max", GRANTS_MAX));
    }
    let name = wish
        .name
        .as_deref()
        .map(str::trim)
        .filter(|name| !name.is_empty());
    if name.is_some_and(|name| name.chars().count() > NAME_CHARS_MAX) {
        return Err(CommandError::wrong("too_long", "--name").with("max", NAME_CHARS_MAX));
    }
    let server = match &wish.url {
        Some(url) => server_address(url)?,
        None => {
            let url = control::meta(conn, meta::URL).await?;
            let url = url.and_then(|url| String::from_utf8(url).ok());
            url.ok_or_else(|| CommandError::wrong("address_unknown", ""))?
        }
    };
    let code = code_from(random()?);
    let row = Code {
        spaces,
        author: AuthorId(random()?),
        name: name.map(str::to_owned),
        expires: now.saturating_add(CODE_SECONDS_MAX),
        used_by: None,
    };
    device::add_code(conn, &hash_of(&code), &row, now).await?;
    Ok(Link {
        server,
        network: shared.me.network,
        code,
    })
}

/// The spaces that `CODE[.class]` means: a 苏木's code means all its units with cadres, no class
/// what a cadre holds.
pub(crate) fn spaces_of(package: &Package, wished: &str) -> Result<Vec<Space>, CommandError> {
    let (code, class) = match wished.split_once('.') {
        Some((code, class)) => (code, Some(class)),
        None => (wished, None),
    };
    let classes = match class {
        None => Class::CADRE.to_vec(),
        Some(key) => match Class::from_key(key) {
            Some(class) => vec![class],
            None => {
                let classes = Class::ALL.map(Class::key).join(", ");
                return Err(CommandError::wrong("unknown_class", wished).with("classes", classes));
            }
        },
    };
    let Some(unit) = package.unit(code) else {
        return Err(CommandError::wrong("unknown_unit", wished));
    };
    // Registers are kept in the units below a sumu; a sumu's officer holds those of all of them.
    let below = unit.level >= Level::Sumu;
    let units = package.units.iter().filter(|other| {
        let keeps = other.cadres && other.level > Level::Sumu;
        keeps && (other.code == code || (below && other.code.starts_with(code)))
    });
    let spaces: Result<Vec<Space>, _> = units
        .flat_map(|unit| classes.iter().map(|class| Space::new(&unit.code, *class)))
        .collect();
    match spaces {
        Ok(spaces) if !spaces.is_empty() => Ok(spaces),
        _ => Err(CommandError::wrong("unit_without_cadres", wished)),
    }
}

/// Checks an address that goes into links: a scheme, a host, perhaps a port, nothing behind.
pub(crate) fn server_address(url: &str) -> Result<String, CommandError> {
    let url = url.trim().trim_end_matches('/');
    let host = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    match host {
        Some(host) if !host.is_empty() && host.bytes().all(plain) => Ok(url.to_owned()),
        _ => Err(CommandError::wrong("bad_address", url)),
    }
}
