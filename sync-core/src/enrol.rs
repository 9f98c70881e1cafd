//! Enrolment of a device: the administrator's link, the request that redeems it, and the answer.
//!
//! The link pins the network (the hash of its first root statement), so new certificates, nodes and
//! root versions need no new link. The device makes its own keys; the private halves never leave
//! it. Redeeming is idempotent per (code, key), so a lost answer costs a repetition (R26).

use std::fmt;
use std::str::FromStr;

use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};

use crate::cbor::{self, List};
use crate::control::{plain_key, suite_key};
use crate::id::{AuthorId, Incarnation, NetworkId};
use crate::seal;
use crate::wire::{BadMessage, CONTROL_MAX, VERSION, pack, unpack};

const PROOF_LABEL: &[u8] = b"ortoo enrol v1\0";
const DIGITS_LABEL: &[u8] = b"ortoo digits v1\0";
/// Length of an enrolment code: 26 base32 characters, 130 bits.
pub const CODE_LEN: usize = 26;

/// `ortoo://enrol?server=URL&net=NETWORK#CODE`: one string, a QR code's content.
#[derive(Clone, PartialEq, Eq)]
pub struct EnrolmentLink {
    /// Base address of the server.
    pub server: String,
    /// The network that the server must prove to be.
    pub network: NetworkId,
    /// The single-use code; stands in the fragment, which no proxy or log sees.
    pub code: String,
}

/// Text that is no enrolment link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an enrolment link (ortoo://enrol?server=…&net=…#code)")]
pub struct BadLink;

impl fmt::Display for EnrolmentLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ortoo://enrol?server={}&net={}#{}",
            self.server, self.network, self.code
        )
    }
}

impl fmt::Debug for EnrolmentLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The code is a secret until it is used.
        write!(f, "Link({}, {})", self.server, self.network)
    }
}

impl FromStr for EnrolmentLink {
    type Err = BadLink;

    fn from_str(text: &str) -> Result<Self, BadLink> {
        let rest = text.trim().strip_prefix("ortoo://enrol?").ok_or(BadLink)?;
        let (query, code) = rest.split_once('#').ok_or(BadLink)?;
        let field = |name: &str| {
            query
                .split('&')
                .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        };
        let server = field("server")
            .filter(|server| !server.is_empty())
            .ok_or(BadLink)?;
        let network = field("net").ok_or(BadLink)?.parse().map_err(|_| BadLink)?;
        if !code_is_shaped(code) {
            return Err(BadLink);
        }
        Ok(Self {
            server: server.to_owned(),
            network,
            code: code.to_owned(),
        })
    }
}

fn code_is_shaped(code: &str) -> bool {
    code.len() == CODE_LEN
        && code
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// Makes an enrolment code of 17 random bytes, of which 130 bits are used.
pub fn code_from(random: [u8; 17]) -> String {
    let text = crate::id::base32().encode(&random);
    text.chars().take(CODE_LEN).collect()
}

/// Body of `POST /v1/enrol`.
#[derive(Clone, PartialEq, Eq)]
pub struct EnrolRequest {
    /// The link's code.
    pub code: String,
    /// Ed25519 public key made on the device.
    pub signing_key: [u8; 32],
    /// X25519 public key made on the device.
    pub sealing_key: [u8; 32],
    /// The device's store opens with a secret that is long enough for real people's data; a server
    /// that asks for one refuses before it uses up the code.
    pub strong_secret: bool,
}

/// Body of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolAnswer {
    /// An administrator must still compare [`six_digits`] and approve; ask again later.
    pub pending: bool,
    /// The server takes stores that open by a PIN alone (sample servers do).
    pub pin_only: bool,
    /// The person who writes on this device.
    pub author: AuthorId,
    /// The server database's life.
    pub incarnation: Incarnation,
    /// The nonce for the first exchange.
    pub nonce: [u8; 16],
    /// The server's clock, Unix seconds.
    pub time: i64,
    /// The control entries for this device, the root statement first; empty while pending.
    pub control: Vec<Vec<u8>>,
}

#[derive(Encode, Decode)]
struct RequestWire<'a> {
    #[n(0)]
    version: u16,
    #[b(1)]
    code: &'a str,
    #[n(2)]
    signing_key: ByteArray<33>,
    #[n(3)]
    sealing_key: ByteArray<33>,
    #[n(4)]
    proof: ByteArray<64>,
    #[n(5)]
    strong_secret: bool,
}

#[derive(Encode, Decode)]
struct AnswerWire {
    #[n(0)]
    version: u16,
    #[n(1)]
    pending: bool,
    #[n(2)]
    pin_only: bool,
    #[n(3)]
    author: ByteArray<8>,
    #[n(4)]
    incarnation: ByteArray<8>,
    #[n(5)]
    nonce: ByteArray<16>,
    #[n(6)]
    time: i64,
    #[n(7)]
    control: List<ByteVec, CONTROL_MAX>,
}

impl EnrolRequest {
    /// The packed bytes; `sign` proves that the device holds the signing key.
    pub fn encode(&self, network: NetworkId, sign: &dyn Fn(&[u8]) -> [u8; 64]) -> Vec<u8> {
        pack(&cbor::encode(&RequestWire {
            version: VERSION,
            code: &self.code,
            signing_key: suite_key(&self.signing_key).into(),
            sealing_key: suite_key(&self.sealing_key).into(),
            proof: sign(&self.proof_message(network)).into(),
            strong_secret: self.strong_secret,
        }))
    }

    /// Reads a request and checks the proof.
    pub fn decode(network: NetworkId, packed: &[u8]) -> Result<Self, BadMessage> {
        let bytes = unpack(packed)?;
        let wire: RequestWire<'_> = cbor::decode(&bytes).map_err(|_| BadMessage::Shape)?;
        if wire.version != VERSION {
            return Err(BadMessage::Version);
        }
        if !code_is_shaped(wire.code) {
            return Err(BadMessage::Shape);
        }
        let request = Self {
            code: wire.code.to_owned(),
            signing_key: plain_key(&wire.signing_key).ok_or(BadMessage::Shape)?,
            sealing_key: plain_key(&wire.sealing_key).ok_or(BadMessage::Shape)?,
            strong_secret: wire.strong_secret,
        };
        let message = request.proof_message(network);
        if !seal::verify(&request.signing_key, &message, &wire.proof) {
            return Err(BadMessage::Shape);
        }
        Ok(request)
    }

    fn proof_message(&self, network: NetworkId) -> Vec<u8> {
        let code = self.code.as_bytes();
        [
            PROOF_LABEL,
            network.as_bytes(),
            code,
            &self.signing_key,
            &self.sealing_key,
            &[u8::from(self.strong_secret)],
        ]
        .concat()
    }
}

impl EnrolAnswer {
    /// The packed bytes.
    pub fn encode(&self) -> Vec<u8> {
        pack(&cbor::encode(&AnswerWire {
            version: VERSION,
            pending: self.pending,
            pin_only: self.pin_only,
            author: self.author.0.into(),
            incarnation: self.incarnation.0.into(),
            nonce: self.nonce.into(),
            time: self.time,
            control: self
                .control
                .iter()
                .map(|entry| entry.clone().into())
                .collect(),
        }))
    }

    /// Reads an answer.
    pub fn decode(packed: &[u8]) -> Result<Self, BadMessage> {
        let bytes = unpack(packed)?;
        let wire: AnswerWire = cbor::decode(&bytes).map_err(|_| BadMessage::Shape)?;
        if wire.version != VERSION {
            return Err(BadMessage::Version);
        }
        Ok(Self {
            pending: wire.pending,
            pin_only: wire.pin_only,
            author: AuthorId(wire.author.into()),
            incarnation: Incarnation(wire.incarnation.into()),
            nonce: wire.nonce.into(),
            time: wire.time,
            control: wire.control.into_iter().map(Into::into).collect(),
        })
    }
}

/// Six digits of both keys, which phone and administrator compare before a device is let in.
pub fn six_digits(network: NetworkId, signing_key: &[u8; 32], sealing_key: &[u8; 32]) -> String {
    let hash = Sha256::new()
        .chain_update(DIGITS_LABEL)
        .chain_update(network.as_bytes())
        .chain_update(signing_key)
        .chain_update(sealing_key)
        .finalize();
    let number = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    format!("{:06}", number % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_prints_as_one_string_and_reads_back() {
        let link = EnrolmentLink {
            server: "https://127.0.0.1:4443".into(),
            network: NetworkId([0xab; 32]),
            code: code_from([5; 17]),
        };
        let text = link.to_string();
        assert!(text.starts_with("ortoo://enrol?server=https://127.0.0.1:4443&net=abab"));
        assert_eq!(text.parse::<EnrolmentLink>().unwrap(), link);
        assert_eq!(format!("{text}\n").parse::<EnrolmentLink>().unwrap(), link);
        for bad in [
            "",
            "ortoo://enrol?server=x",
            "https://x#y",
            &text.replace('#', "?"),
        ] {
            assert!(bad.parse::<EnrolmentLink>().is_err(), "{bad}");
        }
        assert!(!format!("{link:?}").contains(&link.code));
    }
}
