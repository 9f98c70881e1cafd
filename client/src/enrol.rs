//! How this device comes in: the link, the server's proof, the keys, the request.
//!
//! The link pins the network; the server proves to be of it by a root statement whose hash is that
//! pin, and the statement must list the TLS key that the server presented. Only then does the code
//! leave the device, over a connection that takes listed keys alone. The keys are made and stored
//! before that, so that a lost answer is repeated with the same ones (R26).

use std::path::{Path, PathBuf};

use sync_core::control::{BadEntry, Control};
use sync_core::enrol::{EnrolAnswer, EnrolRequest, Link, six_digits};
use sync_core::id::DeviceId;
use sync_core::replica::{HubState, Me, Replica};

use crate::cancel::Cancel;
use crate::clock;
use crate::error::{Complaint, PhoneError};
use crate::keys::{DeviceKeys, STRONG_SECRET_CHARS_MIN, Secret};
use crate::phone::{self, HostRow};
use crate::store::Store;
use crate::transport::{Transport, TransportError};

/// Where a server shows its root statement to anybody.
const NETWORK_PATH: &str = "/v1/network";
/// Where codes are redeemed.
const ENROL_PATH: &str = "/v1/enrol";
/// The code of a server for real people's data that asks for a stronger secret.
const SECRET_WEAK: &str = "secret_weak";
/// Longest server address that is taken.
const ADDRESS_BYTES_MAX: usize = 512;

/// How an enrolment ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// This device.
    pub device: DeviceId,
    /// The spaces that it may hold, as `CODE.class`; empty while pending.
    pub spaces: Vec<String>,
    /// The six digits that an administrator compares, if the enrolment waits for that.
    pub pending: Option<String>,
}

/// Checks a server's address: `https://host[:port]`, nothing behind it.
pub(crate) fn server_address(url: &str) -> Result<String, PhoneError> {
    let url = url.trim().trim_end_matches('/');
    let host = url.strip_prefix("https://").unwrap_or_default();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    if host.is_empty() || url.len() > ADDRESS_BYTES_MAX || !host.bytes().all(plain) {
        return Err(PhoneError::wrong(Complaint::about("bad_address", url)));
    }
    Ok(url.to_owned())
}

/// Redeems an enrolment link: makes the store in `dir`, or goes on with one whose enrolment was
/// broken off. The same link again after it was redeemed is no error.
pub fn enrol(
    dir: &Path,
    secret: &Secret,
    link: &str,
    cancel: &Cancel,
) -> Result<Enrolled, PhoneError> {
    let link: Link = link
        .parse()
        .map_err(|_| PhoneError::wrong(Complaint::new("bad_link")))?;
    let address = server_address(&link.server)?;
    if Store::exists(dir) {
        match phone::open(dir, secret) {
            Ok(open) if open.host.link == link.to_string() => return Ok(enrolled(&open.replica)),
            Ok(_) => return Err(PhoneError::wrong(Complaint::new("already_enrolled"))),
            Err(error) if phone::is_pending(&error) => {}
            // Keys without an address: killed between two steps of the first try. Gone on with.
            Err(PhoneError::Store(complaint)) if complaint.code == "not_enrolled" => {}
            Err(error) => return Err(error),
        }
    }
    let root = prove(&address, &link, cancel)?;
    let mut store = match Store::exists(dir) {
        true => Store::open(dir, secret)?,
        false => Store::create(dir, secret, secret.kdf())?,
    };
    let keys = match DeviceKeys::load(&store)? {
        Some(keys) => keys,
        None => DeviceKeys::generate(&mut clock::rng()),
    };
    store.commit(&[keys.to_row(), HostRow::new(&address, &link).to_row()])?;
    let way = Way {
        address: &address,
        root: &root,
        cancel,
    };
    redeem(dir, secret, store, &keys, &link, way)
}

/// A device that waits for an administrator to let it in.
pub struct Pending {
    dir: PathBuf,
    secret: Secret,
}

impl Pending {
    pub(crate) fn new(dir: &Path, secret: &Secret) -> Self {
        Self {
            dir: dir.to_owned(),
            secret: secret.clone(),
        }
    }

    /// Asks whether the enrolment has been approved: an error with the code `enrolment_pending`
    /// while it has not.
    pub fn ask(&self, cancel: &Cancel) -> Result<(), PhoneError> {
        let store = Store::open(&self.dir, &self.secret)?;
        let not_enrolled = || PhoneError::Store(Complaint::new("not_enrolled"));
        let (keys, host) = (DeviceKeys::load(&store)?, HostRow::read(&store)?);
        let (keys, host) = keys.zip(host).ok_or_else(not_enrolled)?;
        let link: Link = host.link.parse().map_err(|_| not_enrolled())?;
        let way = Way {
            address: &host.server,
            root: &prove(&host.server, &link, cancel)?,
            cancel,
        };
        let done = redeem(&self.dir, &self.secret, store, &keys, &link, way)?;
        match done.pending {
            None => Ok(()),
            Some(digits) => Err(PhoneError::wrong(
                Complaint::new("enrolment_pending").with("digits", digits),
            )),
        }
    }
}

/// The way to a server that has proven to be of the link's network.
struct Way<'a> {
    address: &'a str,
    root: &'a Control,
    cancel: &'a Cancel,
}

/// The root entry of the server at `address`, which must be of the link's network and list the key
/// that the server presented.
pub(crate) fn prove(address: &str, link: &Link, cancel: &Cancel) -> Result<Control, PhoneError> {
    let (entry, presented) = Transport::first_contact(address, NETWORK_PATH, cancel)?;
    let mut control = Control::new(link.network);
    let untrusted = || PhoneError::wrong(Complaint::about("other_network", address));
    let entry = control.check(&entry).map_err(|bad| match bad {
        BadEntry::OtherNetwork | BadEntry::Signature => untrusted(),
        other => PhoneError::NoConnection(Complaint::new("bad_answer").with("detail", other)),
    })?;
    if let Some(entry) = entry {
        control.apply(entry);
    }
    let listed = control
        .root()
        .is_some_and(|root| root.tls_keys.contains(&presented));
    if listed {
        Ok(control)
    } else {
        Err(untrusted())
    }
}

fn redeem(
    dir: &Path,
    secret: &Secret,
    mut store: Store,
    keys: &DeviceKeys,
    link: &Link,
    way: Way<'_>,
) -> Result<Enrolled, PhoneError> {
    let tls_keys = way
        .root
        .root()
        .map(|root| root.tls_keys.clone())
        .unwrap_or_default();
    let request = EnrolRequest {
        code: link.code.clone(),
        signing_key: keys.signing_public().bytes,
        sealing_key: keys.sealing_public().bytes,
        strong_secret: secret.is_strong(),
    };
    let body = request.encode(link.network, &|message| keys.sign(message));
    let answer =
        match Transport::pinned(way.address, &tls_keys)?.post(ENROL_PATH, &body, way.cancel) {
            // Nothing is in this store yet, and its secret can't be made stronger after the fact.
            Err(TransportError::Refused { code }) if code == SECRET_WEAK => {
                drop(store);
                // What is left over counts as no store, or is named when it is opened.
                drop(Store::erase(dir));
                let least = STRONG_SECRET_CHARS_MIN;
                return Err(PhoneError::wrong(
                    Complaint::new(SECRET_WEAK).with("least", least),
                ));
            }
            answer => answer?,
        };
    let answer = EnrolAnswer::decode(&answer).map_err(|bad| {
        PhoneError::NoConnection(Complaint::new("bad_answer").with("detail", bad.code()))
    })?;
    if answer.pending {
        let digits = six_digits(link.network, &request.signing_key, &request.sealing_key);
        return Ok(Enrolled {
            device: keys.device(),
            spaces: Vec::new(),
            pending: Some(digits),
        });
    }
    let mut control = Control::new(link.network);
    for bytes in &answer.control {
        let entry = control.check(bytes).map_err(|bad| {
            PhoneError::NoConnection(Complaint::new("bad_answer").with("detail", bad))
        })?;
        entry.into_iter().for_each(|entry| control.apply(entry));
    }
    if control.enrolment(keys.device()).is_none() {
        return Err(PhoneError::NoConnection(
            Complaint::new("bad_answer").with("detail", "roster"),
        ));
    }
    let me = Me {
        network: link.network,
        device: keys.device(),
    };
    let hub = HubState::enrolled(answer.incarnation, answer.nonce, clock::now(), answer.time);
    let replica = Replica::new(me, control, hub);
    store.commit(&replica.first_rows())?;
    Ok(enrolled(&replica))
}

fn enrolled(replica: &Replica) -> Enrolled {
    Enrolled {
        device: replica.me().device,
        spaces: replica.spaces().map(ToString::to_string).collect(),
        pending: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_https_with_a_host_and_nothing_more() {
        let address = |url| server_address(url).ok();
        assert_eq!(
            address("https://127.0.0.1:4443/"),
            Some("https://127.0.0.1:4443".into())
        );
        assert_eq!(
            address(" https://[::1]:4443"),
            Some("https://[::1]:4443".into())
        );
        for url in [
            "",
            "http://a",
            "https://",
            "https://a/b",
            "https://a?b",
            "https://u@a",
            "ftp://a",
        ] {
            assert_eq!(address(url), None, "{url}");
        }
    }

    #[test]
    fn a_link_that_is_none_makes_no_store() {
        let dir = tempfile::tempdir().unwrap();
        let secret = Secret::new("246810".to_owned()).unwrap();
        let error = enrol(
            dir.path(),
            &secret,
            "ortoo://enrol?server=x",
            &Cancel::new(),
        )
        .unwrap_err();
        assert_eq!(error.complaints()[0].code, "bad_link");
        assert!(!Store::exists(dir.path()));
    }
}
