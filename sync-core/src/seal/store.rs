//! The keys of a store and the rows that they seal (SECURITY.md, key tree).
//!
//! One random store key under everything; what a person knows only opens a slot, so changing the
//! secret rewrites one slot and no row. Each space has a data key of its own, wrapped by the store
//! key: dropping the wrapped key erases the space. A row is found by a keyed hash of its logical
//! key, so that the file does not say which records it holds, and its place is bound to its value,
//! so that two rows can't be swapped.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use rand_core::CryptoRng;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::packed::{pack, unpack};
use super::slot::{KdfParams, KeySlot, Opener};
use super::{KEY_BYTES, SUITE, SealError, of_suite_1, random};
use crate::id::Space;
use crate::row::Table;

const NONCE_BYTES: usize = 24;
const ROW_NAME_INFO: &[u8] = b"ortoo row names v1";
const WRAP_INFO: &[u8] = b"ortoo data keys v1";
const OWN_INFO: &[u8] = b"ortoo own rows v1";
const WRAP_LABEL: &[u8] = b"ortoo data key v1\0";
/// A space's name is filled up to this, so that the length of a wrapped key says nothing about it.
const SPACE_BYTES: usize = 32;

/// Which store a sealed thing belongs to; drawn at its making, never changes, not secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreId(pub [u8; 16]);

/// A data key's number in its store. 0 is the store's own, which is derived and never wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub u32);

impl KeyId {
    /// The store's own key, for rows of no space.
    pub const OWN: Self = Self(0);
}

/// What a row is called in the file: 16 bytes that only the store key can make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowName(pub [u8; 16]);

/// The key under everything in a store. Wiped when dropped; never prints.
pub struct StoreKey {
    id: StoreId,
    key: Zeroizing<[u8; KEY_BYTES]>,
    row_names: Zeroizing<[u8; KEY_BYTES]>,
}

impl StoreKey {
    /// Draws the id and the key of a new store.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let id = StoreId(*random(rng));
        Self::new(id, random(rng))
    }

    fn new(id: StoreId, key: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let row_names = derive(&key, ROW_NAME_INFO);
        Self { id, key, row_names }
    }

    /// The key in `slot`, which costs what the slot's parameters say.
    /// [`SealError::DoesNotOpen`] means a wrong secret or an altered header.
    pub fn from_slot(id: StoreId, slot: &KeySlot, opener: Opener<'_>) -> Result<Self, SealError> {
        Ok(Self::new(id, slot.open(id, opener)?))
    }

    /// Seals the key for an opener.
    pub fn to_slot(
        &self,
        rng: &mut dyn CryptoRng,
        opener: Opener<'_>,
        kdf: KdfParams,
    ) -> Result<KeySlot, SealError> {
        KeySlot::seal(rng, self.id, &self.key, opener, kdf)
    }

    /// The store's id.
    pub fn id(&self) -> StoreId {
        self.id
    }

    /// What the row of `table` with this logical key is called.
    pub fn row_name(&self, table: Table, key: &[u8]) -> RowName {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&*self.row_names)
            .expect("HMAC takes a key of any length")
            .chain_update([table as u8])
            .chain_update(key)
            .finalize()
            .into_bytes();
        let mut name = [0; 16];
        name.copy_from_slice(&mac[..16]);
        RowName(name)
    }

    /// The key of rows that belong to no space.
    pub fn own_key(&self) -> DataKey {
        DataKey {
            id: KeyId::OWN,
            store: self.id,
            key: derive(&self.key, OWN_INFO),
        }
    }

    /// Draws the data key of a space.
    pub fn new_data_key(&self, rng: &mut dyn CryptoRng, id: KeyId) -> DataKey {
        DataKey {
            id,
            store: self.id,
            key: random(rng),
        }
    }

    /// Seals a data key together with the space that it is for.
    pub fn wrap(
        &self,
        rng: &mut dyn CryptoRng,
        key: &DataKey,
        space: &Space,
    ) -> Result<Vec<u8>, SealError> {
        let name = space.to_string();
        let mut inside = Zeroizing::new([0; SPACE_BYTES + KEY_BYTES]);
        inside
            .get_mut(..name.len())
            .filter(|_| name.len() <= SPACE_BYTES)
            .ok_or(SealError::NotAKey)?
            .copy_from_slice(name.as_bytes());
        inside[SPACE_BYTES..].copy_from_slice(&*key.key);
        seal(
            rng,
            &derive(&self.key, WRAP_INFO),
            &self.wrap_header(key.id),
            &*inside,
        )
    }

    /// Opens what [`Self::wrap`] sealed under the number `id`.
    pub fn unwrap(&self, id: KeyId, wrapped: &[u8]) -> Result<(Space, DataKey), SealError> {
        let inside = open(
            &derive(&self.key, WRAP_INFO),
            &self.wrap_header(id),
            wrapped,
        )?;
        let inside = Zeroizing::new(inside);
        let (name, key) = inside
            .split_at_checked(SPACE_BYTES)
            .ok_or(SealError::DoesNotOpen)?;
        let key = Zeroizing::new(key.try_into().map_err(|_| SealError::DoesNotOpen)?);
        let space = std::str::from_utf8(name)
            .ok()
            .and_then(|name| name.trim_end_matches('\0').parse().ok())
            .ok_or(SealError::DoesNotOpen)?;
        Ok((
            space,
            DataKey {
                id,
                store: self.id,
                key,
            },
        ))
    }

    fn wrap_header(&self, id: KeyId) -> Vec<u8> {
        [WRAP_LABEL, &[SUITE], &self.id.0, &id.0.to_be_bytes()].concat()
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey")
    }
}

/// The key of one space's rows, or of the store's own. Wiped when dropped; never prints.
pub struct DataKey {
    id: KeyId,
    store: StoreId,
    key: Zeroizing<[u8; KEY_BYTES]>,
}

impl DataKey {
    /// The key's number in its store.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Seals the value of a row, packed: suite, nonce, ciphertext, tag.
    pub fn seal(
        &self,
        rng: &mut dyn CryptoRng,
        table: Table,
        name: RowName,
        value: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        seal(rng, &self.key, &self.row_header(table, name), &pack(value))
    }

    /// Opens the value of the row `name`; one that was sealed as another row does not open.
    pub fn open(&self, table: Table, name: RowName, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        unpack(open(&self.key, &self.row_header(table, name), sealed)?)
    }

    /// Store, table, row name, key id: fixed lengths, so no two places give the same bytes.
    fn row_header(&self, table: Table, name: RowName) -> [u8; 37] {
        let mut header = [0; 37];
        header[..16].copy_from_slice(&self.store.0);
        header[16] = table as u8;
        header[17..33].copy_from_slice(&name.0);
        header[33..].copy_from_slice(&self.id.0.to_be_bytes());
        header
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({})", self.id.0)
    }
}

fn derive(key: &[u8; KEY_BYTES], info: &[u8]) -> Zeroizing<[u8; KEY_BYTES]> {
    let mut out = Zeroizing::new([0; KEY_BYTES]);
    #[expect(clippy::expect_used, reason = "HKDF-SHA256 gives up to 8,160 bytes")]
    Hkdf::<Sha256>::new(None, key)
        .expand(info, &mut *out)
        .expect("HKDF-SHA256 gives up to 8,160 bytes");
    out
}

/// Suite, random nonce, XChaCha20-Poly1305 under `key` with `header` authenticated.
pub(crate) fn seal(
    rng: &mut dyn CryptoRng,
    key: &[u8; KEY_BYTES],
    header: &[u8],
    value: &[u8],
) -> Result<Vec<u8>, SealError> {
    let nonce = random::<NONCE_BYTES>(rng);
    let sealed = XChaCha20Poly1305::new(key.into())
        .encrypt(
            &XNonce::from(*nonce),
            Payload {
                msg: value,
                aad: header,
            },
        )
        // Only a message of 256 GiB is refused.
        .map_err(|_| SealError::DoesNotOpen)?;
    let mut out = Vec::with_capacity(1 + NONCE_BYTES + sealed.len());
    out.push(SUITE);
    out.extend_from_slice(&*nonce);
    out.extend_from_slice(&sealed);
    Ok(out)
}

/// Opens what [`seal`] sealed.
pub(crate) fn open(
    key: &[u8; KEY_BYTES],
    header: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, SealError> {
    let rest = of_suite_1(sealed)?;
    let (nonce, rest) = rest
        .split_first_chunk::<NONCE_BYTES>()
        .ok_or(SealError::DoesNotOpen)?;
    XChaCha20Poly1305::new(key.into())
        .decrypt(
            &XNonce::from(*nonce),
            Payload {
                msg: rest,
                aad: header,
            },
        )
        .map_err(|_| SealError::DoesNotOpen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Class;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    fn rng() -> ChaCha20Rng {
        ChaCha20Rng::seed_from_u64(3)
    }

    fn space(class: Class) -> Space {
        Space::new("152522100200", class).unwrap()
    }

    #[test]
    fn a_row_opens_in_its_place_only() {
        let mut rng = rng();
        let store = StoreKey::generate(&mut rng);
        let key = store.new_data_key(&mut rng, KeyId(1));
        let (a, b) = (
            store.row_name(Table::Record, b"a"),
            store.row_name(Table::Record, b"b"),
        );
        let sealed = key.seal(&mut rng, Table::Record, a, b"value").unwrap();
        assert_eq!(key.open(Table::Record, a, &sealed).unwrap(), b"value");
        let refused = Err(SealError::DoesNotOpen);
        assert_eq!(key.open(Table::Record, b, &sealed), refused);
        assert_eq!(key.open(Table::Batch, a, &sealed), refused);
        assert_eq!(store.own_key().open(Table::Record, a, &sealed), refused);
        let same_key_other_id = DataKey {
            id: KeyId(2),
            store: store.id,
            key: key.key.clone(),
        };
        assert_eq!(same_key_other_id.open(Table::Record, a, &sealed), refused);
        let same_key_other_store = DataKey {
            store: StoreId([0; 16]),
            ..same_key_other_id
        };
        assert_eq!(
            same_key_other_store.open(Table::Record, a, &sealed),
            refused
        );
    }

    #[test]
    fn every_altered_or_missing_byte_is_noticed() {
        let mut rng = rng();
        let key = StoreKey::generate(&mut rng).own_key();
        let name = RowName([1; 16]);
        let sealed = key.seal(&mut rng, Table::Meta, name, b"v").unwrap();
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 0x80;
            assert!(key.open(Table::Meta, name, &altered).is_err(), "{at}");
            assert!(key.open(Table::Meta, name, &sealed[..at]).is_err(), "{at}");
        }
        let mut newer = sealed;
        newer[0] = 2;
        assert_eq!(
            key.open(Table::Meta, name, &newer),
            Err(SealError::UnknownSuite(2))
        );
    }

    #[test]
    fn one_value_sealed_twice_gives_different_bytes() {
        let mut rng = rng();
        let key = StoreKey::generate(&mut rng).own_key();
        let name = RowName([1; 16]);
        let seal = |rng: &mut ChaCha20Rng| key.seal(rng, Table::Meta, name, b"v").unwrap();
        assert_ne!(seal(&mut rng), seal(&mut rng));
    }

    #[test]
    fn row_names_depend_on_store_table_and_key() {
        let mut rng = rng();
        let (one, two) = (StoreKey::generate(&mut rng), StoreKey::generate(&mut rng));
        let name = one.row_name(Table::Record, b"p1");
        assert_eq!(name, one.row_name(Table::Record, b"p1"));
        assert_ne!(name, one.row_name(Table::Record, b"p2"));
        assert_ne!(name, one.row_name(Table::Batch, b"p1"));
        assert_ne!(name, two.row_name(Table::Record, b"p1"));
    }

    #[test]
    fn a_wrapped_key_comes_back_with_its_space_and_shows_neither() {
        let mut rng = rng();
        let store = StoreKey::generate(&mut rng);
        let key = store.new_data_key(&mut rng, KeyId(4));
        let wrapped = store.wrap(&mut rng, &key, &space(Class::General)).unwrap();
        let (back, again) = store.unwrap(KeyId(4), &wrapped).unwrap();
        assert_eq!(
            (back, again.id, &*again.key),
            (space(Class::General), KeyId(4), &*key.key)
        );
        assert_eq!(
            store.unwrap(KeyId(5), &wrapped).unwrap_err(),
            SealError::DoesNotOpen
        );
        let other = StoreKey::generate(&mut rng);
        assert_eq!(
            other.unwrap(KeyId(4), &wrapped).unwrap_err(),
            SealError::DoesNotOpen
        );
        let longest = store
            .wrap(&mut rng, &key, &space(Class::Protected))
            .unwrap();
        assert_eq!(
            longest.len(),
            wrapped.len(),
            "the length must not tell the class"
        );
    }

    #[test]
    fn a_store_key_survives_its_slot_with_all_that_hangs_on_it() {
        let mut rng = rng();
        let store = StoreKey::generate(&mut rng);
        let slot = store
            .to_slot(&mut rng, Opener::Passphrase(b"secret"), KdfParams::FLOOR)
            .unwrap();
        let again = StoreKey::from_slot(store.id(), &slot, Opener::Passphrase(b"secret")).unwrap();
        assert_eq!(
            again.row_name(Table::Key, b"k"),
            store.row_name(Table::Key, b"k")
        );
        assert_eq!(*again.own_key().key, *store.own_key().key);
        assert!(StoreKey::from_slot(store.id(), &slot, Opener::Passphrase(b"Secret")).is_err());
    }

    #[test]
    fn keys_print_nothing() {
        let store = StoreKey::generate(&mut rng());
        assert_eq!(
            format!("{store:?} {:?}", store.own_key()),
            "StoreKey DataKey(0)"
        );
    }
}
