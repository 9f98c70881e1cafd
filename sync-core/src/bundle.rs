//! Bundles: files of batches that anybody may carry, readable by the server and by those who hold
//! the spaces.
//!
//! A file is one or more **envelopes**, end to end. In clear an envelope says that it is one and
//! which keys open it, by their names; everything else, its length rounded up too, is sealed. The
//! same envelope, to the server alone, is the outbox copy of an edit that was never sent.
//!
//! ```text
//! 0xB1 │ count of recipients │ 8 bytes for each: the name of its key
//!      │ two or more: for each the content key, sealed to it (81 bytes)
//!      │ length │ the content, sealed to the one recipient or under the content key
//! ```
//! Counts and lengths are LEB128. What was sealed begins with its suite, as everywhere.

mod content;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::change::BadChange;
use crate::change::columns::{Reader, put_unsigned};
use crate::id::NetworkId;
use crate::seal::{self, KEY_BYTES, PublicKey, SEALED_TO_BYTES_MORE, SealError, SealingKey};
use crate::wire::{BadMessage, MESSAGE_BYTES_MAX, pack, unpack};

pub use content::{Claims, Content, Receipt};

/// Size of a bundle file, of all its envelopes together.
pub const BUNDLE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What the envelopes of one file may unfold to when they are opened and inflated.
pub const UNSEALED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Recipients of one envelope.
pub const RECIPIENTS_MAX: usize = 1024;
/// Envelopes in one file.
pub const ENVELOPES_MAX: usize = 4096;

/// The first byte of every envelope: that it is one, and version 1 of them.
const FIRST_BYTE: u8 = 0xb1;
const KEY_NAME_LABEL: &[u8] = b"ortoo sealing key v1\0";
const CONTENT_LABEL: &[u8] = b"ortoo bundle v1\0";
const CONTENT_KEY_LABEL: &[u8] = b"ortoo bundle key v1\0";
const WRAPPED_BYTES: usize = KEY_BYTES + SEALED_TO_BYTES_MORE;

/// Why bytes can't be taken as a bundle. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBundle {
    /// They are no bundle, or its end is missing.
    #[error("the file is no bundle, or not all of one")]
    Shape,
    /// Over [`BUNDLE_BYTES_MAX`], [`ENVELOPES_MAX`], or what is inside over a limit of its own.
    #[error("the bundle is over the size limit")]
    TooLarge,
    /// Made by a newer program.
    #[error("the bundle was made by a newer program")]
    Version,
    /// Sealed to others: to be carried on, not opened here.
    #[error("the bundle is not for this device")]
    NotForUs,
    /// It does not open, or what is inside is none of ours: altered on its way, or of another
    /// installation.
    #[error("the bundle was altered, or belongs to another installation")]
    Altered,
}

impl BadBundle {
    /// A stable code.
    pub fn code(self) -> &'static str {
        match self {
            BadBundle::Shape => "bundle_shape",
            BadBundle::TooLarge => "bundle_too_large",
            BadBundle::Version => "bundle_version",
            BadBundle::NotForUs => "bundle_not_for_us",
            BadBundle::Altered => "bundle_altered",
        }
    }
}

impl From<BadChange> for BadBundle {
    fn from(_: BadChange) -> Self {
        Self::Shape
    }
}

impl From<BadMessage> for BadBundle {
    fn from(bad: BadMessage) -> Self {
        match bad {
            BadMessage::TooLarge => Self::TooLarge,
            BadMessage::Version => Self::Version,
            BadMessage::Packing | BadMessage::Shape | BadMessage::Reference => Self::Altered,
        }
    }
}

/// The name of a sealing key in the head of an envelope: says whom it is for to those who know the
/// key, and nothing to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyName([u8; KeyName::LEN]);

impl KeyName {
    const LEN: usize = 8;

    /// The name of a key.
    pub fn of(key: &PublicKey) -> Self {
        let hash = Sha256::new()
            .chain_update(KEY_NAME_LABEL)
            .chain_update(key.to_bytes())
            .finalize();
        let mut name = [0; Self::LEN];
        name.copy_from_slice(&hash[..Self::LEN]);
        Self(name)
    }
}

/// Whether the length of what is inside may be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// Rounded up by at most an eighth, so that the length tells little (Padmé).
    Rounded,
    /// As it is: for a channel that counts every byte.
    None,
}

/// Seals `content` to `recipients`, of which those are left out whose key can't be used: nobody
/// keeps a bundle from the others by enrolling with a bad key. [`SealError::NotAKey`] if none is
/// left, or more than [`RECIPIENTS_MAX`].
pub fn seal(
    rng: &mut dyn rand_core::CryptoRng,
    network: NetworkId,
    recipients: &[PublicKey],
    padding: Padding,
    content: &[u8],
) -> Result<Vec<u8>, SealError> {
    let mut recipients = recipients.to_vec();
    recipients.sort_unstable();
    recipients.dedup();
    recipients.retain(|key| seal::seal_to(rng, key, b"", b"").is_ok());
    if recipients.is_empty() || recipients.len() > RECIPIENTS_MAX {
        return Err(SealError::NotAKey);
    }
    let mut out = vec![FIRST_BYTE];
    put_unsigned(&mut out, recipients.len() as u64);
    for key in &recipients {
        out.extend_from_slice(&KeyName::of(key).0);
    }
    let context = context(CONTENT_LABEL, network, &out);
    let inside = padded(&pack(content), padding);
    let sealed = match recipients.as_slice() {
        [only] => seal::seal_to(rng, only, &context, &inside)?,
        several => {
            let key = seal::random::<KEY_BYTES>(rng);
            let wrapping = self::context(CONTENT_KEY_LABEL, network, &out);
            for recipient in several {
                out.extend_from_slice(&seal::seal_to(rng, recipient, &wrapping, &*key)?);
            }
            seal::store::seal(rng, &key, &context, &inside)?
        }
    };
    put_unsigned(&mut out, sealed.len() as u64);
    out.extend_from_slice(&sealed);
    Ok(out)
}

/// An envelope as it lies in a file, unopened.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// Everything up to the last name: what the seals are bound to.
    head: &'a [u8],
    names: &'a [u8],
    wrapped: &'a [u8],
    sealed: &'a [u8],
}

/// The envelopes of a bundle file. Costs nothing but looking at their heads.
pub fn envelopes(file: &[u8]) -> Result<Vec<Envelope<'_>>, BadBundle> {
    if file.len() > BUNDLE_BYTES_MAX {
        return Err(BadBundle::TooLarge);
    }
    let mut rest = Reader(file);
    let mut envelopes = Vec::new();
    while !rest.0.is_empty() {
        if envelopes.len() == ENVELOPES_MAX {
            return Err(BadBundle::TooLarge);
        }
        envelopes.push(Envelope::read(&mut rest)?);
    }
    if envelopes.is_empty() {
        return Err(BadBundle::Shape);
    }
    Ok(envelopes)
}

/// A bundle file without its seals, as far as it is for the holder of some keys.
#[derive(Debug, Default)]
pub struct Unsealed {
    /// What was in the envelopes that open, in their order.
    pub contents: Vec<Content>,
    /// How many are for others.
    pub others: usize,
    /// Why others still, that are for us, don't open.
    pub bad: Vec<BadBundle>,
}

/// Opens the envelopes of a file that are for one of `keys`; an error if none opens. Together they
/// may unfold to [`UNSEALED_BYTES_MAX`]: who sealed them is not known yet.
pub fn unseal<'k>(
    network: NetworkId,
    keys: impl IntoIterator<Item = &'k SealingKey> + Clone,
    file: &[u8],
) -> Result<Unsealed, BadBundle> {
    let mut unsealing = Unsealing::of(file)?;
    while unsealing.open_next(network, keys.clone())? {}
    unsealing.end()
}

/// A bundle file whose envelopes are opened one after the other, for whoever must not be held up long.
#[derive(Debug)]
pub struct Unsealing<'a> {
    left: std::vec::IntoIter<Envelope<'a>>,
    unsealed: Unsealed,
    room: usize,
}

impl<'a> Unsealing<'a> {
    /// Of a file, of which nothing is opened yet.
    pub fn of(file: &'a [u8]) -> Result<Self, BadBundle> {
        Ok(Self {
            left: envelopes(file)?.into_iter(),
            unsealed: Unsealed::default(),
            room: UNSEALED_BYTES_MAX,
        })
    }

    /// Opens the next envelope; whether there was one.
    pub fn open_next<'k>(
        &mut self,
        network: NetworkId,
        keys: impl IntoIterator<Item = &'k SealingKey>,
    ) -> Result<bool, BadBundle> {
        let Some(envelope) = self.left.next() else {
            return Ok(false);
        };
        let opened = envelope.open(network, keys).and_then(|message| {
            let content = Content::decode(network, &message)?;
            Ok((message.len() + content.bytes(), content))
        });
        match opened {
            Ok((bytes, content)) => {
                self.room = self.room.checked_sub(bytes).ok_or(BadBundle::TooLarge)?;
                self.unsealed.contents.push(content);
            }
            Err(BadBundle::NotForUs) => self.unsealed.others += 1,
            Err(bad) => self.unsealed.bad.push(bad),
        }
        Ok(true)
    }

    /// What was opened so far.
    pub fn opened(&self) -> &Unsealed {
        &self.unsealed
    }

    /// How many bytes of the file are still to be opened.
    pub fn room(&self) -> usize {
        self.room
    }

    /// Whether there are envelopes that were not looked at.
    pub fn has_more(&self) -> bool {
        !self.left.as_slice().is_empty()
    }

    /// What was in those that opened; an error if none did.
    pub fn end(mut self) -> Result<Unsealed, BadBundle> {
        match self.unsealed.contents.is_empty() {
            true => Err(self.unsealed.bad.pop().unwrap_or(BadBundle::NotForUs)),
            false => Ok(self.unsealed),
        }
    }
}

impl<'a> Envelope<'a> {
    fn read(input: &mut Reader<'a>) -> Result<Self, BadBundle> {
        let whole = input.0;
        match input.take(1)? {
            [FIRST_BYTE] => {}
            // The upper half says that it is a bundle, the lower half which version.
            [other] if other >> 4 == FIRST_BYTE >> 4 => return Err(BadBundle::Version),
            _ => return Err(BadBundle::Shape),
        }
        let count = usize::try_from(input.unsigned()?).map_err(|_| BadBundle::TooLarge)?;
        match count {
            0 => return Err(BadBundle::Shape),
            1..=RECIPIENTS_MAX => {}
            _ => return Err(BadBundle::TooLarge),
        }
        let names = input.take(count * KeyName::LEN)?;
        let (head, _) = whole.split_at(whole.len() - input.0.len());
        let wrapped = match count {
            1 => &[],
            several => input.take(several * WRAPPED_BYTES)?,
        };
        let length = usize::try_from(input.unsigned()?).map_err(|_| BadBundle::TooLarge)?;
        let sealed = input.take(length)?;
        Ok(Self {
            head,
            names,
            wrapped,
            sealed,
        })
    }

    /// The names of the keys that open it.
    pub fn names(&self) -> impl Iterator<Item = KeyName> + 'a {
        let (names, _) = self.names.as_chunks();
        names.iter().map(|name| KeyName(*name))
    }

    /// Opens it with one of `keys`: the message inside, for [`Content::decode`].
    pub fn open<'k>(
        &self,
        network: NetworkId,
        keys: impl IntoIterator<Item = &'k SealingKey>,
    ) -> Result<Vec<u8>, BadBundle> {
        let ours = keys.into_iter().find_map(|key| {
            let name = KeyName::of(&key.public());
            Some((self.names().position(|other| other == name)?, key))
        });
        let (place, key) = ours.ok_or(BadBundle::NotForUs)?;
        let context = context(CONTENT_LABEL, network, self.head);
        let inside = if self.wrapped.is_empty() {
            seal::open_with(key, &context, self.sealed)
        } else {
            let wrapping = self::context(CONTENT_KEY_LABEL, network, self.head);
            let (wrapped, _) = self.wrapped.as_chunks::<WRAPPED_BYTES>();
            let wrapped = wrapped.get(place).ok_or(BadBundle::Shape)?;
            seal::open_with(key, &wrapping, wrapped).and_then(|content_key| {
                let content_key = Zeroizing::new(content_key);
                let content_key = content_key.as_slice().try_into();
                let content_key = content_key.map_err(|_| SealError::NotAKey)?;
                seal::store::open(content_key, &context, self.sealed)
            })
        };
        let inside = inside.map_err(|error| match error {
            SealError::UnknownSuite(_) => BadBundle::Version,
            _ => BadBundle::Altered,
        })?;
        Ok(unpack(unpadded(&inside)?)?)
    }
}

fn context(label: &[u8], network: NetworkId, head: &[u8]) -> Vec<u8> {
    [label, network.as_bytes(), head].concat()
}

/// The length of the content, the content, and zeros.
fn padded(content: &[u8], padding: Padding) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + content.len() / 8 + 16);
    put_unsigned(&mut out, content.len() as u64);
    out.extend_from_slice(content);
    if padding == Padding::Rounded {
        out.resize(rounded(out.len()), 0);
    }
    out
}

fn unpadded(inside: &[u8]) -> Result<&[u8], BadBundle> {
    let mut input = Reader(inside);
    let length = usize::try_from(input.unsigned()?).map_err(|_| BadBundle::TooLarge)?;
    if length > MESSAGE_BYTES_MAX + 1 {
        return Err(BadBundle::TooLarge);
    }
    Ok(input.take(length)?)
}

/// Padmé (Nikitin et al., 2019): a length keeps as many leading bits as its own bit length has, so
/// that of a length n only about log log n bits can be seen. At least 256.
fn rounded(length: usize) -> usize {
    const LEAST: usize = 256;
    let length = length.max(LEAST);
    let bits = length.ilog2();
    let free = bits - (bits.ilog2() + 1);
    length.next_multiple_of(1 << free)
}

#[cfg(test)]
mod tests;
