//! The installation's private keys, each in a file of its own in the data directory.
//!
//! Files and not rows, so that a copy of the database gives nobody the power to sign, and so that
//! the root key can be carried away. A key is on disk under its name before anything refers to it:
//! written beside, synced, renamed, the directory synced. A first start that is killed at any
//! moment thus goes on with the same keys.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use data_encoding::HEXLOWER_PERMISSIVE as HEX;
use hmac::{Hmac, KeyInit, Mac};
use rcgen::{KeyPair, PublicKeyData};
use sha2::{Digest, Sha256};
use store::clock::{NoRandomness, random};
use store::owner_only;
use sync_core::control::{plain_key, suite_key};
use sync_core::group::IdNumber;
use sync_core::seal::{KEY_BYTES, SUITE, SealingKey, SigningKey};
use zeroize::Zeroizing;

pub use store::KeyError;

/// The root key: signs root statements, needed at the first start only.
pub const ROOT: &str = "root.key";
/// The node key: signs the control feed.
pub(crate) const NODE: &str = "node.key";
/// The order key of a sample installation; elsewhere persons hold theirs.
pub(crate) const ORDER: &str = "order.key";
/// The match key: makes the blind index of ID numbers.
pub(crate) const MATCH: &str = "match.key";
/// The TLS key in use.
pub(crate) const TLS: &str = "tls.key";
/// The TLS key that phones trust already, for when the one in use must be changed.
pub(crate) const TLS_NEXT: &str = "tls-next.key";

/// Of the sealing keys, one a month, with the month's number between.
const SEAL_PREFIX: &str = "seal-";
const SEAL_SUFFIX: &str = ".key";

/// A key file is a line of text; longer ones are something else.
const FILE_BYTES_MAX: u64 = 16 * 1024;

/// The signing key in a file; `None` if there is no file.
pub(crate) fn signing_key(dir: &Path, name: &str) -> Result<Option<SigningKey>, KeyError> {
    let private = private_bytes(dir, name)?;
    Ok(private.map(|private| SigningKey::from_bytes(&private)))
}

/// The signing key in a file, made if there is none.
pub(crate) fn signing_key_or_new(dir: &Path, name: &str) -> Result<SigningKey, KeyError> {
    let private = private_bytes_or_new(dir, name)?;
    Ok(SigningKey::from_bytes(&private))
}

/// A person's signing key, in a file anywhere.
pub fn persons_key(path: &Path) -> Result<SigningKey, KeyError> {
    let (dir, name) = place(path)?;
    let key = signing_key(dir, name)?;
    key.ok_or_else(|| KeyError::Missing(path.to_owned()))
}

/// Makes a person's signing key, in a file anywhere that is not there yet.
pub fn new_persons_key(path: &Path) -> Result<SigningKey, KeyError> {
    let (dir, name) = place(path)?;
    match path.symlink_metadata() {
        Ok(_) => Err(KeyError::Exists(path.to_owned())),
        Err(_) => signing_key_or_new(dir, name),
    }
}

fn place(path: &Path) -> Result<(&Path, &str), KeyError> {
    let name = path.file_name().and_then(|name| name.to_str());
    let dir = match path.parent() {
        Some(dir) if dir.as_os_str().is_empty() => Path::new("."),
        dir => dir.unwrap_or(Path::new(".")),
    };
    let name = name.ok_or_else(|| KeyError::NotAKey(path.to_owned()))?;
    Ok((dir, name))
}

/// A public key as people copy it: the suite, then the key, in hexadecimal digits.
pub fn public_text(key: &[u8; 32]) -> String {
    HEX.encode(&suite_key(key))
}

/// Reads what [`public_text`] wrote.
pub fn public_key(text: &str) -> Option<[u8; 32]> {
    let bytes = HEX.decode(text.trim().as_bytes()).ok()?;
    plain_key(&bytes.try_into().ok()?)
}

/// The sealing key of a month; `None` if there is no file.
pub(crate) fn sealing_key(dir: &Path, month: u32) -> Result<Option<SealingKey>, KeyError> {
    let name = seal_name(month);
    let private = private_bytes(dir, &name)?;
    let key = private.map(|private| SealingKey::from_bytes(&private));
    key.transpose()
        .map_err(|_| KeyError::NotAKey(dir.join(name)))
}

/// The sealing key of a month, made if there is none.
pub(crate) fn sealing_key_or_new(dir: &Path, month: u32) -> Result<SealingKey, KeyError> {
    let name = seal_name(month);
    let private = private_bytes_or_new(dir, &name)?;
    SealingKey::from_bytes(&private).map_err(|_| KeyError::NotAKey(dir.join(name)))
}

/// The months whose sealing keys are here.
pub(crate) fn seal_months(dir: &Path) -> Result<Vec<u32>, KeyError> {
    let failed = |error| KeyError::File(dir.to_owned(), error);
    let mut months = Vec::new();
    for file in fs::read_dir(dir).map_err(failed)? {
        let name = file.map_err(failed)?.file_name();
        months.extend(name.to_str().and_then(seal_month));
    }
    Ok(months)
}

/// Overwrites the sealing key of a month, then removes its file.
pub(crate) fn destroy_sealing_key(dir: &Path, month: u32) -> Result<(), KeyError> {
    let path = dir.join(seal_name(month));
    owner_only::destroy(&path).map_err(|error| KeyError::File(path.clone(), error))
}

/// The month whose sealing key a file of this name holds.
fn seal_month(name: &str) -> Option<u32> {
    let digits = name.strip_prefix(SEAL_PREFIX)?.strip_suffix(SEAL_SUFFIX)?;
    digits.parse().ok()
}

/// Whether a file of this name holds a month's sealing key.
pub(crate) fn is_seal_name(name: &str) -> bool {
    seal_month(name).is_some_and(|month| seal_name(month) == name)
}

pub(crate) fn seal_name(month: u32) -> String {
    format!("{SEAL_PREFIX}{month}{SEAL_SUFFIX}")
}

/// The key of the blind index; `None` if there is no file.
pub(crate) fn match_key(dir: &Path) -> Result<Option<MatchKey>, KeyError> {
    Ok(private_bytes(dir, MATCH)?.map(MatchKey))
}

/// The key of the blind index, made if there is none.
pub(crate) fn match_key_or_new(dir: &Path) -> Result<MatchKey, KeyError> {
    Ok(MatchKey(private_bytes_or_new(dir, MATCH)?))
}

/// Makes ID numbers blind: whoever reads the index without this key can't try numbers.
pub(crate) struct MatchKey(Zeroizing<[u8; KEY_BYTES]>);

impl MatchKey {
    /// The number as the index has it.
    pub(crate) fn blind(&self, number: &IdNumber) -> [u8; 16] {
        // HMAC takes keys of any length.
        let mut mac = match Hmac::<Sha256>::new_from_slice(self.0.as_slice()) {
            Ok(mac) => mac,
            Err(_) => return [0; 16],
        };
        mac.update(number.as_str().as_bytes());
        let mut blind = [0; 16];
        blind.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        blind
    }
}

impl std::fmt::Debug for MatchKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MatchKey(…)")
    }
}

/// The private key in a file; `None` if there is no file.
///
/// The file is one line of hexadecimal digits: the suite (01), then the private key's 32 bytes.
fn private_bytes(dir: &Path, name: &str) -> Result<Option<Zeroizing<[u8; KEY_BYTES]>>, KeyError> {
    let path = dir.join(name);
    let Some(text) = read(&path)? else {
        return Ok(None);
    };
    let bytes = HEX
        .decode(text.trim().as_bytes())
        .map(Zeroizing::new)
        .unwrap_or_default();
    match bytes.split_first() {
        Some((&SUITE, key)) if key.len() == KEY_BYTES => {
            let mut private = Zeroizing::new([0; KEY_BYTES]);
            private.copy_from_slice(key);
            Ok(Some(private))
        }
        _ => Err(KeyError::NotAKey(path)),
    }
}

/// The private key in a file, made if there is none.
fn private_bytes_or_new(dir: &Path, name: &str) -> Result<Zeroizing<[u8; KEY_BYTES]>, KeyError> {
    if let Some(private) = private_bytes(dir, name)? {
        return Ok(private);
    }
    let private = Zeroizing::new(random::<KEY_BYTES>()?);
    let mut text = Zeroizing::new(HEX.encode(&[&[SUITE], private.as_slice()].concat()));
    text.push('\n');
    write(&dir.join(name), text.as_bytes())?;
    Ok(private)
}

/// The TLS key in a file (PKCS #8 as PEM); `None` if there is no file.
pub(crate) fn tls_key(dir: &Path, name: &str) -> Result<Option<KeyPair>, KeyError> {
    let path = dir.join(name);
    let Some(text) = read(&path)? else {
        return Ok(None);
    };
    KeyPair::from_pem(&text)
        .map(Some)
        .map_err(|_| KeyError::NotAKey(path))
}

/// The TLS key in a file, made if there is none.
pub(crate) fn tls_key_or_new(dir: &Path, name: &str) -> Result<KeyPair, KeyError> {
    if let Some(key) = tls_key(dir, name)? {
        return Ok(key);
    }
    let key = KeyPair::generate().map_err(|_| NoRandomness)?;
    let text = Zeroizing::new(key.serialize_pem());
    write(&dir.join(name), text.as_bytes())?;
    Ok(key)
}

/// What root statements list of a TLS key: SHA-256 of its SubjectPublicKeyInfo.
pub(crate) fn tls_key_hash(key: &KeyPair) -> [u8; 32] {
    Sha256::digest(key.subject_public_key_info()).into()
}

fn read(path: &Path) -> Result<Option<Zeroizing<String>>, KeyError> {
    let failed = |error| KeyError::File(path.to_owned(), error);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut text = Zeroizing::new(String::new());
    match file.take(FILE_BYTES_MAX).read_to_string(&mut text) {
        Ok(_) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(KeyError::NotAKey(path.to_owned()))
        }
        Err(error) => Err(failed(error)),
    }
}

/// Writes a file that is whole under its name or not there at all, for its owner's eyes only.
fn write(path: &Path, bytes: &[u8]) -> Result<(), KeyError> {
    let beside = path.with_extension("key.new");
    let written = || -> io::Result<()> {
        // What a killed start left over is nobody's key yet.
        let mut file = owner_only::create_anew(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        owner_only::sync_parent(path)
    };
    written().map_err(|error| KeyError::File(path.to_owned(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_read_again_after_that() {
        let dir = tempfile::tempdir().unwrap();
        assert!(signing_key(dir.path(), NODE).unwrap().is_none());
        let made = signing_key_or_new(dir.path(), NODE).unwrap();
        let read = signing_key_or_new(dir.path(), NODE).unwrap();
        assert_eq!(made.public(), read.public());
        let made = tls_key_or_new(dir.path(), TLS).unwrap();
        let read = tls_key_or_new(dir.path(), TLS).unwrap();
        assert_eq!(tls_key_hash(&made), tls_key_hash(&read));
    }

    #[cfg(unix)]
    #[test]
    fn a_key_file_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        signing_key_or_new(dir.path(), ROOT).unwrap();
        tls_key_or_new(dir.path(), TLS).unwrap();
        for name in [ROOT, TLS] {
            let mode = fs::metadata(dir.path().join(name))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn a_file_that_holds_something_else_is_named_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["", "nothing", "02", "0102"] {
            fs::write(dir.path().join(ROOT), text).unwrap();
            assert!(matches!(
                signing_key_or_new(dir.path(), ROOT),
                Err(KeyError::NotAKey(_))
            ));
            assert_eq!(fs::read_to_string(dir.path().join(ROOT)).unwrap(), text);
        }
    }
}
