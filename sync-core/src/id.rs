//! Identifiers: one newtype per kind.
//!
//! All ids are plain bytes. How they print is part of the public contract of the command lines
//! (`RecordId`, `DeviceId`), so `Display` and `FromStr` here are for good.

use std::fmt;
use std::str::FromStr;

use data_encoding::{Encoding, HEXLOWER};
use sha2::{Digest, Sha256};

/// Crockford's base32 in lower case: no i, l, o, u, so that an id can be read out over a bad line.
pub(crate) fn base32() -> Encoding {
    let mut spec = data_encoding::Specification::new();
    spec.symbols.push_str("0123456789abcdefghjkmnpqrstvwxyz");
    // The alphabet above has 32 different symbols, which is all that `encoding` checks.
    spec.encoding().unwrap_or(data_encoding::BASE32HEX_NOPAD)
}

/// Text that names no identifier of the expected kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {0}")]
pub struct BadId(pub &'static str);

macro_rules! byte_id {
    ($(#[$doc:meta])* $name:ident, $len:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// Reads the id from exactly [`Self::LEN`] bytes.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, BadId> {
                bytes.try_into().map(Self).map_err(|_| BadId($what))
            }

            /// The id as bytes.
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&HEXLOWER.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| BadId($what))?;
                Self::from_slice(&bytes)
            }
        }
    };
}

byte_id!(
    /// One banner's installation: SHA-256 of the first root statement. Never changes.
    NetworkId, 32, "network id"
);
byte_id!(
    /// One device (phone, laptop, server node): the first 8 bytes of SHA-256 of its public signing
    /// key. A device that loses its keys becomes another device.
    DeviceId, 8, "device id"
);
byte_id!(
    /// The person who wrote a batch; phones are shared, so this is not the device. Given out at
    /// enrolment; which person it is stands only in the server's administration.
    AuthorId, 8, "author id"
);
byte_id!(
    /// Who wrote an operation inside a document: one change of one device. It follows from the two,
    /// so that no two changes share it (R8).
    ActorId, 16, "actor id"
);
byte_id!(
    /// SHA-256 of a batch's signed bytes; batches are stored under it.
    BatchHash, 32, "batch hash"
);
byte_id!(
    /// SHA-256 of a change chunk, as Automerge computes it.
    ChangeHash, 32, "change hash"
);
byte_id!(
    /// SHA-256 of a control entry's signed bytes.
    EntryHash, 32, "control entry hash"
);
byte_id!(
    /// One life of a server's database: a restore starts another one (R22). Drawn at random.
    Incarnation, 8, "incarnation"
);
byte_id!(
    /// The first 16 bytes of a digest over a state; equal digests mean equal states.
    Short, 16, "digest"
);

impl DeviceId {
    /// The id of the device that holds `signing_key` (32 bytes, Ed25519).
    pub fn of_key(signing_key: &[u8]) -> Self {
        let digest = Sha256::digest(signing_key);
        let mut id = [0; 8];
        id.copy_from_slice(&digest[..8]);
        Self(id)
    }
}

impl ActorId {
    /// The actor of the change of `device` whose `content` has this digest (SHA-256 of the chunk's
    /// content without the actor).
    pub fn of(device: DeviceId, content: [u8; 32]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"ortoo actor v1\0");
        hash.update(device.0);
        hash.update(content);
        let mut id = [0; 16];
        id.copy_from_slice(&hash.finalize()[..16]);
        Self(id)
    }
}

impl Short {
    /// The first 16 bytes of SHA-256 over `parts`, each led by its length so that no two lists of
    /// parts give the same input.
    pub fn digest<'a>(label: &str, parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hash = Sha256::new();
        hash.update(label.as_bytes());
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        let mut short = [0; 16];
        short.copy_from_slice(&digest[..16]);
        Self(short)
    }
}

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A person; printed ids begin with `p`.
    Person,
    /// A household; `h`.
    Household,
    /// A 嘎查 or community itself; `o`.
    Organisation,
}

impl Subject {
    /// All subjects, in the order of their letters on the wire.
    pub const ALL: [Subject; 3] = [Subject::Person, Subject::Household, Subject::Organisation];

    /// The subject's key in the plan: `person`, `household`, `organisation`.
    pub fn key(self) -> &'static str {
        match self {
            Subject::Person => "person",
            Subject::Household => "household",
            Subject::Organisation => "organisation",
        }
    }

    /// The subject with this key in the plan.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|subject| subject.key() == key)
    }

    fn letter(self) -> u8 {
        match self {
            Subject::Person => b'p',
            Subject::Household => b'h',
            Subject::Organisation => b'o',
        }
    }
}

/// A record: one subject, over all its classes. Random (UUIDv7) and never reused; that two records
/// are one person is a statement about them, never a key (R34). An organisation's is derived from
/// its code, so that everybody means the same record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId {
    /// What the record is about.
    pub subject: Subject,
    uuid: [u8; 16],
}

impl RecordId {
    /// Length of the byte form: the subject's letter and 16 bytes.
    pub const LEN: usize = 17;

    /// A new record's id: UUIDv7 of `now_ms` (Unix milliseconds; display and order only, R27).
    pub fn draw(subject: Subject, now_ms: i64, random: [u8; 10]) -> Self {
        let mut uuid = [0; 16];
        uuid[..6].copy_from_slice(&now_ms.max(0).to_be_bytes()[2..]);
        uuid[6..].copy_from_slice(&random);
        uuid[6] = 0x70 | (uuid[6] & 0x0f);
        uuid[8] = 0x80 | (uuid[8] & 0x3f);
        Self { subject, uuid }
    }

    /// The record of the organisation with this 12-digit code.
    pub fn organisation(code: &str) -> Self {
        let short = Short::digest("ortoo organisation v1", [code.as_bytes()]);
        let mut uuid = short.0;
        uuid[6] = 0x80 | (uuid[6] & 0x0f);
        uuid[8] = 0x80 | (uuid[8] & 0x3f);
        Self {
            subject: Subject::Organisation,
            uuid,
        }
    }

    /// The byte form, as it stands in batches.
    pub fn to_bytes(self) -> [u8; 17] {
        let mut bytes = [0; 17];
        bytes[0] = self.subject.letter();
        bytes[1..].copy_from_slice(&self.uuid);
        bytes
    }

    /// Reads the byte form.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, BadId> {
        let (letter, uuid) = bytes.split_first().ok_or(BadId("record id"))?;
        let subject = Subject::ALL
            .into_iter()
            .find(|subject| subject.letter() == *letter)
            .ok_or(BadId("record id"))?;
        let uuid = uuid.try_into().map_err(|_| BadId("record id"))?;
        Ok(Self { subject, uuid })
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{}",
            self.subject.letter() as char,
            base32().encode(&self.uuid)
        )
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordId({self})")
    }
}

impl FromStr for RecordId {
    type Err = BadId;

    /// Reads `p…`, `h…`, `o…` with 26 base32 characters, or a 12-digit code, which names an
    /// organisation.
    fn from_str(text: &str) -> Result<Self, BadId> {
        if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(Self::organisation(text));
        }
        let text = text.to_ascii_lowercase();
        let letter = text.bytes().next().ok_or(BadId("record id"))?;
        if !letter.is_ascii() {
            return Err(BadId("record id"));
        }
        let uuid = base32()
            .decode(&text.as_bytes()[1..])
            .map_err(|_| BadId("record id"))?;
        let mut bytes = vec![letter];
        bytes.extend_from_slice(&uuid);
        Self::from_slice(&bytes)
    }
}

/// How widely a section may be held; the second half of a [`Space`]. The numbers are on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// What the 嘎查, the clinic and the 苏木 share.
    General = 0,
    /// Left-behind needs, income, services: the cadre's, never the clinic's.
    Care = 1,
    /// What village and clinic must share about a screening.
    Referral = 2,
    /// Results, grades, treatment: the clinic's.
    Health = 3,
    /// Rights infringed: named officers only.
    Protected = 4,
}

impl Class {
    /// All classes, in the order of their numbers.
    pub const ALL: [Class; 5] = [
        Class::General,
        Class::Care,
        Class::Referral,
        Class::Health,
        Class::Protected,
    ];

    /// What a cadre of a 嘎查 holds offline (SECURITY.md, classes).
    pub const CADRE: [Class; 3] = [Class::General, Class::Care, Class::Referral];

    /// The class's key in the plan.
    pub fn key(self) -> &'static str {
        match self {
            Class::General => "general",
            Class::Care => "care",
            Class::Referral => "referral",
            Class::Health => "health",
            Class::Protected => "protected",
        }
    }

    /// The class with this key in the plan.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.key() == key)
    }

    /// The class with this number on the wire.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

/// A record in a space.
pub type Place = (Space, RecordId);

/// (org unit, class): the unit of replication and of permission. Prints as
/// `152522100200.general`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Space {
    unit: String,
    /// The class of everything in the space.
    pub class: Class,
}

impl Space {
    /// Longest org unit code.
    pub const UNIT_LEN_MAX: usize = 12;

    /// The space of `class` in the org unit with this code (2 to 12 digits).
    pub fn new(unit: &str, class: Class) -> Result<Self, BadId> {
        let digits = unit.bytes().all(|b| b.is_ascii_digit());
        if !digits || unit.len() < 2 || unit.len() > Self::UNIT_LEN_MAX {
            return Err(BadId("org unit code"));
        }
        Ok(Self {
            unit: unit.to_owned(),
            class,
        })
    }

    /// The org unit's code.
    pub fn unit(&self) -> &str {
        &self.unit
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.unit, self.class.key())
    }
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Space({self})")
    }
}

impl FromStr for Space {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let (unit, class) = text.split_once('.').ok_or(BadId("space"))?;
        Self::new(unit, Class::from_key(class).ok_or(BadId("space"))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_id_prints_as_its_letter_and_26_characters_and_reads_back() {
        let id = RecordId::draw(Subject::Person, 1_700_000_000_000, [7; 10]);
        let text = id.to_string();
        assert_eq!(text.len(), 27);
        assert!(text.starts_with('p'));
        assert_eq!(text.parse::<RecordId>().unwrap(), id);
        assert_eq!(RecordId::from_slice(&id.to_bytes()).unwrap(), id);
    }

    #[test]
    fn a_twelve_digit_code_names_the_organisation_everybody_means() {
        let id: RecordId = "152522100200".parse().unwrap();
        assert_eq!(id, RecordId::organisation("152522100200"));
        assert_ne!(id, RecordId::organisation("152522100201"));
        assert!(id.to_string().starts_with('o'));
    }

    #[test]
    fn text_that_is_no_id_is_refused() {
        for text in [
            "",
            "p",
            "pzz",
            "x0123456789abcdefghjkmnpqrs",
            "é",
            "15252210020",
            "p\u{1F600}",
        ] {
            assert!(text.parse::<RecordId>().is_err(), "{text}");
        }
        assert!("152522100200.secret".parse::<Space>().is_err());
        assert!("15252210020x.general".parse::<Space>().is_err());
    }

    #[test]
    fn an_actor_is_one_of_one_device_and_one_content() {
        let device = DeviceId::of_key(&[1; 32]);
        let actor = ActorId::of(device, [9; 32]);
        assert_eq!(actor, ActorId::of(device, [9; 32]));
        assert_ne!(actor, ActorId::of(device, [8; 32]));
        assert_ne!(actor, ActorId::of(DeviceId::of_key(&[2; 32]), [9; 32]));
    }
}
