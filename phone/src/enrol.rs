//! Enrolment: the link, the server's proof, the keys, the request.
//!
//! The link pins the network; the server proves to be of it by a root statement whose hash is that
//! pin, and the statement must list the TLS key that the server presented. Only then does the code
//! leave the device, over a connection that takes listed keys alone. The keys are made and stored
//! before that, so that a lost answer is repeated with the same ones (R26).

use sync_core::control::{BadEntry, Control};
use sync_core::enrol::{EnrolAnswer, EnrolRequest, EnrolmentLink, six_digits};
use sync_core::id::DeviceId;
use sync_core::replica::{DeviceIdentity, Replica, ServerState};

use crate::error::{Issue, PhoneError};
use crate::keys::{DeviceKeys, STRONG_SECRET_CHARS_MIN};
use crate::phone::{HostRow, Phone, is_pending};
use crate::store::Store;
use crate::system::Randomness;
use crate::walk::{Answer, KeyHash, Next, NoAnswer, Request, Trust, Walk};

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
        return Err(PhoneError::wrong(Issue::about("bad_address", url)));
    }
    Ok(url.to_owned())
}

/// The request for a server's root statement.
pub(crate) fn root_request(server: &str) -> Request {
    Request {
        server: server.to_owned(),
        trust: Trust::Anybody,
        path: NETWORK_PATH,
        body: None,
    }
}

/// The root entry that the server at `server` shows, which must be of the link's network. It must list
/// the key that the server presented; `None` where the host can't see the key, and TLS is only as good
/// as the authorities of the host's system.
pub fn prove(
    link: &EnrolmentLink,
    server: &str,
    entry: &[u8],
    presented: Option<KeyHash>,
) -> Result<Control, PhoneError> {
    let mut control = Control::new(link.network);
    let untrusted = || PhoneError::wrong(Issue::about("other_network", server));
    let entry = control.check(entry).map_err(|bad| match bad {
        BadEntry::OtherNetwork | BadEntry::Signature => untrusted(),
        other => PhoneError::NoConnection(Issue::new("bad_answer").with("detail", other)),
    })?;
    if let Some(entry) = entry {
        control.apply(entry);
    }
    let root = control.root().ok_or_else(untrusted)?;
    match presented.is_none_or(|key| root.tls_keys.contains(&key)) {
        true => Ok(control),
        false => Err(untrusted()),
    }
}

/// The redemption of an enrolment link.
pub struct Enrolment {
    link: EnrolmentLink,
    address: String,
    /// Open already where the enrolment goes on that is in it.
    store: Option<Box<dyn Store>>,
    stage: Stage,
}

/// Where an enrolment stands.
enum Stage {
    /// The server has to prove what it is.
    Prove,
    /// It did; these are its keys.
    Redeem(Vec<KeyHash>),
    /// The code was sent.
    Asked(Box<dyn Store>, Box<DeviceKeys>),
    Ended(Enrolled),
}

impl Enrolment {
    /// Redeems a link: makes the store, or goes on with one whose enrolment was broken off. The same link
    /// again after it was redeemed is no error.
    pub fn begin(phone: &mut Phone, link: &str) -> Result<Self, PhoneError> {
        let link: EnrolmentLink = link
            .parse()
            .map_err(|_| PhoneError::wrong(Issue::new("bad_link")))?;
        let address = server_address(&link.server)?;
        let mut stage = Stage::Prove;
        if phone.place.exists() {
            match phone.opened() {
                Ok(open) if open.host.link == link.to_string() => {
                    stage = Stage::Ended(enrolled(&open.replica));
                }
                Ok(_) => return Err(PhoneError::wrong(Issue::new("already_enrolled"))),
                Err(error) if is_pending(&error) => {}
                // Keys without an address: killed between two steps of the first try. Gone on with.
                Err(PhoneError::Store(issue)) if issue.code == "not_enrolled" => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self {
            link,
            address,
            store: None,
            stage,
        })
    }

    /// Asks again for an enrolment that waits for an administrator.
    pub(crate) fn again(phone: &mut Phone) -> Result<Self, PhoneError> {
        let not_enrolled = || PhoneError::Store(Issue::new("not_enrolled"));
        let store = phone.place.open()?;
        let host = HostRow::read(&*store)?.ok_or_else(not_enrolled)?;
        Ok(Self {
            link: host.link.parse().map_err(|_| not_enrolled())?,
            address: host.server,
            store: Some(store),
            stage: Stage::Prove,
        })
    }

    /// Makes the keys durable and sends the code.
    fn redeem(&mut self, phone: &mut Phone, listed: Vec<KeyHash>) -> Result<Request, PhoneError> {
        let mut store = match self.store.take() {
            Some(store) => store,
            None if phone.place.exists() => phone.place.open()?,
            None => phone.place.create()?,
        };
        let keys = match DeviceKeys::load(&*store)? {
            Some(keys) => keys,
            None => DeviceKeys::generate(&mut Randomness(&*phone.system)),
        };
        let host = HostRow::new(&self.address, &self.link);
        store.commit(&[keys.to_row(), host.to_row()])?;
        let request = EnrolRequest {
            code: self.link.code.clone(),
            signing_key: keys.signing_public().bytes,
            sealing_key: keys.sealing_public().bytes,
            strong_secret: phone.place.is_strong(),
        };
        let body = request.encode(self.link.network, &|message| keys.sign(message));
        self.stage = Stage::Asked(store, Box::new(keys));
        Ok(Request {
            server: self.address.clone(),
            trust: Trust::Listed(listed),
            path: ENROL_PATH,
            body: Some(body),
        })
    }

    /// Takes the answer to the code.
    fn take(
        &self,
        phone: &mut Phone,
        mut store: Box<dyn Store>,
        keys: &DeviceKeys,
        answer: Result<Answer, NoAnswer>,
    ) -> Result<Enrolled, PhoneError> {
        let answer = match answer {
            // Nothing is in this store yet, and its secret can't be made stronger after the fact.
            Err(NoAnswer::Refused { code }) if code == SECRET_WEAK => {
                drop(store);
                // What is left over counts as no store, or is named when it is opened.
                drop(phone.place.erase());
                let least = STRONG_SECRET_CHARS_MIN;
                return Err(PhoneError::wrong(
                    Issue::new(SECRET_WEAK).with("least", least),
                ));
            }
            answer => answer?,
        };
        let network = self.link.network;
        let answer = EnrolAnswer::decode(&answer.body).map_err(|bad| {
            PhoneError::NoConnection(Issue::new("bad_answer").with("detail", bad.code()))
        })?;
        if answer.pending {
            let (signing, sealing) = (keys.signing_public(), keys.sealing_public());
            return Ok(Enrolled {
                device: keys.device(),
                spaces: Vec::new(),
                pending: Some(six_digits(network, &signing.bytes, &sealing.bytes)),
            });
        }
        let mut control = Control::new(network);
        for bytes in &answer.control {
            let entry = control.check(bytes).map_err(|bad| {
                PhoneError::NoConnection(Issue::new("bad_answer").with("detail", bad))
            })?;
            entry.into_iter().for_each(|entry| control.apply(entry));
        }
        if control.enrolment(keys.device()).is_none() {
            return Err(PhoneError::NoConnection(
                Issue::new("bad_answer").with("detail", "roster"),
            ));
        }
        let me = DeviceIdentity {
            network,
            device: keys.device(),
        };
        let now = phone.system.now();
        let hub = ServerState::enrolled(answer.incarnation, answer.nonce, now, answer.time);
        let replica = Replica::new(me, control, hub);
        store.commit(&replica.first_rows())?;
        Ok(enrolled(&replica))
    }
}

impl Walk for Enrolment {
    type End = Enrolled;

    fn next(&mut self, phone: &mut Phone) -> Result<Next<Enrolled>, PhoneError> {
        match &mut self.stage {
            Stage::Redeem(listed) => {
                let listed = std::mem::take(listed);
                Ok(Next::Ask(self.redeem(phone, listed)?))
            }
            Stage::Ended(enrolled) => Ok(Next::Done(enrolled.clone())),
            Stage::Prove | Stage::Asked(..) => Ok(Next::Ask(root_request(&self.address))),
        }
    }

    fn heard(
        &mut self,
        phone: &mut Phone,
        answer: Result<Answer, NoAnswer>,
    ) -> Result<Next<Enrolled>, PhoneError> {
        match std::mem::replace(&mut self.stage, Stage::Prove) {
            Stage::Asked(store, keys) => {
                let enrolled = self.take(phone, store, &keys, answer)?;
                self.stage = Stage::Ended(enrolled.clone());
                Ok(Next::Done(enrolled))
            }
            _ => {
                let Answer { body, presented } = answer?;
                let control = prove(&self.link, &self.address, &body, presented)?;
                let listed = control.root().map(|root| root.tls_keys.clone());
                self.stage = Stage::Redeem(listed.unwrap_or_default());
                Ok(Next::More)
            }
        }
    }
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
}
