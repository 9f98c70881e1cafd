//! Enrolment of devices: codes, their redemption, approval.
//!
//! A code is single use and good for a day by the server's clock. Redeeming it again with the same
//! keys gets the same answer, so that a lost one costs a repetition (R26); somebody else who tries
//! it is counted, since a link that two people hold went astray.

use std::collections::BTreeSet;

use plan::Package;
use plan::unit::Level;
use sha2::{Digest, Sha256};
use store::clock::random;
use store::control::{self, meta};
use store::device::{self, Code, Device, Standing};
use store::{Conn, StoreError};
use sync_core::control::{ControlEntry, Enrolment, GRANTS_MAX};
use sync_core::enrol::{EnrolAnswer, EnrolRequest, EnrolmentLink, code_from, six_digits};
use sync_core::id::{AuthorId, Class, DeviceId, Space};

use crate::app::App;
use crate::context::NodeContext;
use crate::error::CommandError;
use crate::reply::{CodeError, Rejection, ServeError};
use crate::transaction::WriteTx;
use crate::writer::Job;

/// How long a code is good for.
pub(crate) const CODE_SECONDS_MAX: i64 = 24 * 3600;
/// Length of a name that an administrator gives.
const NAME_CHARS_MAX: usize = 100;

fn hash_of(code: &str) -> [u8; 32] {
    Sha256::digest(code.as_bytes()).into()
}

/// Redeems a code.
async fn redeem(
    now: i64,
    tx: &mut WriteTx<'_>,
    request: &EnrolRequest,
) -> Result<Result<EnrolAnswer, Rejection>, StoreError> {
    let (node, control) = (tx.node, tx.control.clone());
    let hash = hash_of(&request.code);
    let id = DeviceId::of_key(&request.signing_key);
    let refused = |refusal: CodeError| Ok(Err(Rejection::from(refusal)));
    let Some(code) = device::code(&mut tx.conn, &hash).await? else {
        return refused(CodeError::Unknown);
    };
    if control.revoked(id).is_some() {
        return refused(CodeError::Revoked);
    }
    let known = device::device(&mut tx.conn, id).await?;
    let same_keys = known
        .as_ref()
        .is_none_or(|known| known.sealing_key == request.sealing_key);
    // What a device signs after the cut of a space counts for nothing there, whatever it holds later.
    let was_taken = |space: &Space| control.cut(id, space).is_some();
    match code.used_by {
        Some(key) if key == request.signing_key && same_keys => {}
        Some(key) => {
            count_redeemer(&mut tx.conn, DeviceId::of_key(&key)).await?;
            return refused(CodeError::Used);
        }
        None if code.expires <= now => return refused(CodeError::Expired),
        None if !node.sample && !request.strong_secret => {
            return refused(CodeError::SecretWeak);
        }
        None if code.spaces.iter().any(was_taken) => return refused(CodeError::SpaceTaken),
        // A device's keys are made together: one of them with another is somebody else's try.
        None if !same_keys => return refused(CodeError::Used),
        None => {
            device::use_code(&mut tx.conn, &hash, &request.signing_key).await?;
            let mut spaces = code.spaces.clone();
            spaces.extend(known.iter().flat_map(|known| known.spaces.iter().cloned()));
            let device = Device {
                signing_key: request.signing_key,
                sealing_key: request.sealing_key,
                spaces,
                author: code.author,
                name: code.name,
                quarantine: if node.sample {
                    Standing::Approved
                } else {
                    Standing::Pending
                },
                since: now,
                redeemers: known.map_or(0, |known| known.redeemers),
            };
            device::set_device(&mut tx.conn, &device).await?;
            if node.sample {
                let_in(tx, &device).await?;
            }
        }
    }
    let quarantine = device::device(&mut tx.conn, id)
        .await?
        .map(|device| device.quarantine);
    let enrolment = tx.control.enrolment(id);
    let enrolment = enrolment.filter(|_| quarantine == Some(Standing::Approved));
    let control = enrolment
        .into_iter()
        .flat_map(|_| tx.control.for_device(id));
    Ok(Ok(EnrolAnswer {
        pending: enrolment.is_none(),
        pin_only: node.sample,
        author: code.author,
        incarnation: node.me.incarnation,
        nonce: node.me.nonce(id, now),
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
async fn let_in(tx: &mut WriteTx<'_>, device: &Device) -> Result<(), StoreError> {
    let enrolment = Enrolment {
        signing_key: device.signing_key,
        sealing_key: device.sealing_key,
        spaces: device.spaces.clone(),
        authors: BTreeSet::from([device.author]),
        renews: None,
    };
    let network = tx.control.network();
    tx.publish(|signer| ControlEntry::enrol(network, &enrolment, signer))
        .await?;
    Ok(())
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
async fn pending(conn: &mut Conn, context: &NodeContext) -> Result<Vec<PendingDevice>, StoreError> {
    let waiting = device::pending(conn)
        .await?
        .into_iter()
        .map(|device| PendingDevice {
            device: device.id(),
            digits: six_digits(context.me.network, &device.signing_key, &device.sealing_key),
            since: device.since,
            name: device.name,
            redeemers: device.redeemers,
        });
    Ok(waiting.collect())
}

/// Lets a waiting device in. One that is in already stays in.
async fn approve(tx: &mut WriteTx<'_>, id: DeviceId) -> Result<(), CommandError> {
    let Some(mut device) = device::device(&mut tx.conn, id).await? else {
        return Err(CommandError::wrong("device_unknown", id));
    };
    if device.quarantine == Standing::Approved {
        return Ok(());
    }
    device.quarantine = Standing::Approved;
    device::set_device(&mut tx.conn, &device).await?;
    Ok(let_in(tx, &device).await?)
}

/// What a code is made for.
#[derive(Clone, Debug, Default)]
pub struct CodeRequest {
    /// `CODE[.class]`, at least one.
    pub spaces: Vec<String>,
    /// Whom it is for.
    pub name: Option<String>,
    /// The server's address, if another than the one it was started with.
    pub url: Option<String>,
}

/// Makes a code and the link that carries it.
async fn make_code(
    tx: &mut WriteTx<'_>,
    request: &CodeRequest,
) -> Result<EnrolmentLink, CommandError> {
    let now = tx.node.clock.now();
    let conn = &mut tx.conn;
    let package = tx.control.package();
    let package = package.ok_or_else(|| CommandError::wrong("package_unknown", ""))?;
    let mut spaces = BTreeSet::new();
    for wished in &request.spaces {
        spaces.extend(spaces_of(package, wished)?);
    }
    if spaces.is_empty() || spaces.len() > GRANTS_MAX {
        let error = CommandError::wrong("space_count", spaces.len());
        return Err(error.with("max", GRANTS_MAX));
    }
    let name = request
        .name
        .as_deref()
        .map(str::trim)
        .filter(|name| !name.is_empty());
    if name.is_some_and(|name| name.chars().count() > NAME_CHARS_MAX) {
        return Err(CommandError::wrong("too_long", "--name").with("max", NAME_CHARS_MAX));
    }
    let server = match &request.url {
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
    Ok(EnrolmentLink {
        server,
        network: tx.control.network(),
        code,
    })
}

/// Redeems a code, as a job of the writer.
pub(crate) struct Redeem {
    /// What the phone says.
    pub(crate) request: EnrolRequest,
    /// When it said so.
    pub(crate) now: i64,
}

impl Job for Redeem {
    type Output = Result<EnrolAnswer, Rejection>;
    type Error = ServeError;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Self::Output, ServeError> {
        Ok(redeem(self.now, tx, &self.request).await?)
    }
}

impl App {
    /// Makes a single-use enrolment link.
    pub async fn enrol_code(&self, request: &CodeRequest) -> Result<EnrolmentLink, CommandError> {
        let request = request.clone();
        self.write(async move |tx: &mut WriteTx<'_>| make_code(tx, &request).await)
            .await
    }

    /// The devices that wait for an administrator.
    pub async fn pending(&self) -> Result<Vec<PendingDevice>, CommandError> {
        let mut tx = self.context().store.read().await?;
        Ok(pending(&mut tx, self.context()).await?)
    }

    /// Lets a waiting device in.
    pub async fn approve(&self, device: DeviceId) -> Result<(), CommandError> {
        self.write(async move |tx: &mut WriteTx<'_>| approve(tx, device).await)
            .await
    }
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
pub fn server_address(url: &str) -> Result<String, CommandError> {
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
