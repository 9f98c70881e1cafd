//! Key slots: the store key, sealed under what somebody knows, or what a phone's hardware holds.
//!
//! A slot stands in clear in the store's header, so everything in it that is not sealed itself
//! (kind, cost, salt) is authenticated with the key inside: a header with weaker parameters opens
//! nothing, and parameters below the floor are not even tried.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use hkdf::Hkdf;
use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use super::store::{StoreId, open, seal};
use super::{KEY_BYTES, SUITE, SealError, random};
use crate::cbor;

/// Longest slot that is read.
const SLOT_BYTES_MAX: usize = 512;
const SALT_BYTES: usize = 16;
const SLOT_LABEL: &[u8] = b"ortoo slot v1\0";
/// First in what a phone's key store is asked to authenticate.
const KEY_STORE_LABEL: &[u8] = b"ortoo key store v1\0";
/// What the key under a secret and a key store's answer is for.
const KEY_STORE_INFO: &[u8] = b"ortoo key store slot v1";
/// Length of a key store's answer: HMAC-SHA-256.
pub const KEY_STORE_MAC_BYTES: usize = 32;

/// What Argon2id costs. Read from a header that anybody may have written, hence the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KdfParams {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl KdfParams {
    /// No store is made or opened with less memory.
    pub const MEMORY_KIB_MIN: u32 = 19 * 1024;
    /// No store is made or opened with more memory: a phone would have to kill the program.
    pub const MEMORY_KIB_MAX: u32 = 256 * 1024;
    /// No store is made or opened with fewer passes.
    pub const PASSES_MIN: u32 = 2;
    /// No store is made or opened with more passes.
    pub const PASSES_MAX: u32 = 16;
    /// No store is made or opened with more lanes.
    pub const LANES_MAX: u32 = 4;
    /// The least that is accepted, for tests and for phones with little memory.
    pub const FLOOR: Self = Self {
        memory_kib: Self::MEMORY_KIB_MIN,
        passes: Self::PASSES_MIN,
        lanes: 1,
    };

    /// Parameters within the limits, or [`SealError::Parameters`].
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, SealError> {
        let fits = (Self::MEMORY_KIB_MIN..=Self::MEMORY_KIB_MAX).contains(&memory_kib)
            && (Self::PASSES_MIN..=Self::PASSES_MAX).contains(&passes)
            && (1..=Self::LANES_MAX).contains(&lanes);
        if fits {
            Ok(Self {
                memory_kib,
                passes,
                lanes,
            })
        } else {
            Err(SealError::Parameters)
        }
    }

    /// Memory in KiB.
    pub fn memory_kib(&self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory.
    pub fn passes(&self) -> u32 {
        self.passes
    }

    /// Lanes; they run one after the other here.
    pub fn lanes(&self) -> u32 {
        self.lanes
    }

    /// The key that `secret` gives.
    fn derive(&self, secret: &[u8], salt: &[u8]) -> Result<Zeroizing<[u8; KEY_BYTES]>, SealError> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(KEY_BYTES))
            .map_err(|_| SealError::Parameters)?;
        let mut memory = vec![Block::default(); params.block_count()];
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        let result = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(secret, salt, &mut *key, &mut memory);
        memory.iter_mut().for_each(Zeroize::zeroize);
        result.map_err(|_| SealError::Parameters)?;
        Ok(key)
    }
}

impl Default for KdfParams {
    /// 64 MiB, three passes, one lane: about half a second on a cheap phone.
    fn default() -> Self {
        Self {
            memory_kib: 64 * 1024,
            passes: 3,
            lanes: 1,
        }
    }
}

/// What opens a slot. The numbers are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SlotKind {
    /// A passphrase or PIN alone.
    Passphrase = 1,
    /// A PIN, which may be empty, mixed with a key that the phone's key store holds.
    KeyStore = 2,
    /// Reserved for a slot of another kind.
    Reserved = 3,
}

impl SlotKind {
    /// Whether this program opens slots with this number, given what they are made for.
    pub fn is_used(number: u8) -> bool {
        [Self::Passphrase as u8, Self::KeyStore as u8].contains(&number)
    }

    fn from_number(number: u8) -> Result<Self, SealError> {
        [Self::Passphrase, Self::KeyStore, Self::Reserved]
            .into_iter()
            .find(|kind| *kind as u8 == number)
            .ok_or(SealError::SlotKind(number))
    }
}

/// A phone's key store: HMAC-SHA-256 of a message under a key that never leaves it, or `None` where
/// it doesn't answer.
pub type KeyStoreMac<'a> = &'a dyn Fn(&[u8]) -> Option<[u8; KEY_STORE_MAC_BYTES]>;

/// What a slot is made for or tried with.
#[derive(Clone, Copy)]
pub enum Opener<'a> {
    /// A passphrase or PIN alone.
    Passphrase(&'a [u8]),
    /// A PIN, which may be empty, and the phone's key store: who has the file and not the phone
    /// can't try a single PIN.
    KeyStore(&'a [u8], KeyStoreMac<'a>),
}

impl Opener<'_> {
    fn kind(&self) -> SlotKind {
        match self {
            Self::Passphrase(_) => SlotKind::Passphrase,
            Self::KeyStore(..) => SlotKind::KeyStore,
        }
    }
}

/// The store key, sealed under a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySlot {
    kind: SlotKind,
    kdf: KdfParams,
    salt: [u8; SALT_BYTES],
    sealed: Vec<u8>,
}

/// The slot as it stands in the header.
#[derive(Encode, Decode)]
struct SlotWire {
    #[n(0)]
    kind: u8,
    #[n(1)]
    memory_kib: u32,
    #[n(2)]
    passes: u32,
    #[n(3)]
    lanes: u32,
    #[n(4)]
    salt: ByteArray<SALT_BYTES>,
    #[n(5)]
    sealed: ByteVec,
}

impl KeySlot {
    /// Seals `key` for an opener.
    pub(super) fn seal(
        rng: &mut dyn CryptoRng,
        store: StoreId,
        key: &[u8; KEY_BYTES],
        opener: Opener<'_>,
        kdf: KdfParams,
    ) -> Result<Self, SealError> {
        let salt = *random::<SALT_BYTES>(rng);
        let slot = Self {
            kind: opener.kind(),
            kdf,
            salt,
            sealed: Vec::new(),
        };
        let slot_key = slot.key(store, opener)?;
        Ok(Self {
            sealed: seal(rng, &slot_key, &slot.header(store), key)?,
            ..slot
        })
    }

    /// The key inside. [`SealError::DoesNotOpen`] for a wrong secret and for an altered header
    /// alike; [`SealError::SlotKind`] if it is made for another kind of opener.
    pub(super) fn open(
        &self,
        store: StoreId,
        opener: Opener<'_>,
    ) -> Result<Zeroizing<[u8; KEY_BYTES]>, SealError> {
        if self.kind != opener.kind() {
            return Err(SealError::SlotKind(self.kind as u8));
        }
        let slot_key = self.key(store, opener)?;
        let key = Zeroizing::new(open(&slot_key, &self.header(store), &self.sealed)?);
        Ok(Zeroizing::new(
            key.as_slice()
                .try_into()
                .map_err(|_| SealError::DoesNotOpen)?,
        ))
    }

    /// The key that seals what is inside.
    fn key(
        &self,
        store: StoreId,
        opener: Opener<'_>,
    ) -> Result<Zeroizing<[u8; KEY_BYTES]>, SealError> {
        let (pin, mac) = match opener {
            Opener::Passphrase(secret) => return self.kdf.derive(secret, &self.salt),
            Opener::KeyStore(pin, mac) => (pin, mac),
        };
        // The salt is random, so no two slots ask the same, and an answer is good for one only.
        let asked = [KEY_STORE_LABEL, &store.0, &self.salt].concat();
        let answer = Zeroizing::new(mac(&asked).ok_or(SealError::KeyStoreSilent)?);
        let typed = self.kdf.derive(pin, &self.salt)?;
        let both = Zeroizing::new([typed.as_slice(), answer.as_slice()].concat());
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        Hkdf::<Sha256>::new(None, &both)
            .expand(KEY_STORE_INFO, &mut *key)
            .map_err(|_| SealError::Parameters)?;
        Ok(key)
    }

    /// What opens the slot.
    pub fn kind(&self) -> SlotKind {
        self.kind
    }

    /// What a try at the slot costs.
    pub fn kdf(&self) -> KdfParams {
        self.kdf
    }

    /// Everything in clear, bound to the key inside.
    fn header(&self, store: StoreId) -> Vec<u8> {
        let numbers = [self.kdf.memory_kib, self.kdf.passes, self.kdf.lanes];
        let mut header = SLOT_LABEL.to_vec();
        header.extend_from_slice(&[SUITE, self.kind as u8]);
        header.extend_from_slice(&store.0);
        numbers
            .iter()
            .for_each(|number| header.extend_from_slice(&number.to_be_bytes()));
        header.extend_from_slice(&self.salt);
        header
    }

    /// The byte form, for the header of a store.
    pub fn to_bytes(&self) -> Vec<u8> {
        cbor::encode(&SlotWire {
            kind: self.kind as u8,
            memory_kib: self.kdf.memory_kib,
            passes: self.kdf.passes,
            lanes: self.kdf.lanes,
            salt: self.salt.into(),
            sealed: self.sealed.clone().into(),
        })
    }

    /// Reads the byte form; cost parameters outside the limits are refused here.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        if bytes.len() > SLOT_BYTES_MAX {
            return Err(SealError::NotASlot);
        }
        let wire: SlotWire = cbor::decode(bytes).map_err(|_| SealError::NotASlot)?;
        Ok(Self {
            kind: SlotKind::from_number(wire.kind)?,
            kdf: KdfParams::new(wire.memory_kib, wire.passes, wire.lanes)?,
            salt: wire.salt.into(),
            sealed: wire.sealed.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    const STORE: StoreId = StoreId([5; 16]);

    fn slot() -> KeySlot {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        KeySlot::seal(
            &mut rng,
            STORE,
            &[8; 32],
            typed(b"482913"),
            KdfParams::FLOOR,
        )
        .unwrap()
    }

    fn typed(secret: &[u8]) -> Opener<'_> {
        Opener::Passphrase(secret)
    }

    /// A key store that holds this key.
    fn key_store(key: u8) -> impl Fn(&[u8]) -> Option<[u8; KEY_STORE_MAC_BYTES]> {
        move |message| {
            use hmac::{Hmac, KeyInit, Mac};
            let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&[key; 32]).unwrap();
            Some(mac.chain_update(message).finalize().into_bytes().into())
        }
    }

    #[test]
    fn a_key_store_slot_opens_with_its_pin_and_its_key_together_only() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let (mac, other) = (key_store(3), key_store(4));
        let with = Opener::KeyStore(b"2468", &mac);
        let slot = KeySlot::seal(&mut rng, STORE, &[8; 32], with, KdfParams::FLOOR).unwrap();
        let slot = KeySlot::from_bytes(&slot.to_bytes()).unwrap();
        assert_eq!(slot.kind(), SlotKind::KeyStore);
        assert_eq!(*slot.open(STORE, with).unwrap(), [8; 32]);
        let refused = |opener| slot.open(STORE, opener).unwrap_err();
        assert_eq!(
            refused(Opener::KeyStore(b"2469", &mac)),
            SealError::DoesNotOpen
        );
        assert_eq!(refused(Opener::KeyStore(b"", &mac)), SealError::DoesNotOpen);
        assert_eq!(
            refused(Opener::KeyStore(b"2468", &other)),
            SealError::DoesNotOpen
        );
        assert_eq!(
            refused(Opener::KeyStore(b"2468", &|_| None)),
            SealError::KeyStoreSilent
        );
        assert_eq!(refused(typed(b"2468")), SealError::SlotKind(2));
    }

    #[test]
    fn the_bytes_of_both_kinds_of_slot_are_pinned() {
        let mut rng = ChaCha20Rng::seed_from_u64(4);
        let mac = key_store(3);
        let openers = [typed(b"482913"), Opener::KeyStore(b"2468", &mac)];
        let slots = openers.map(|opener| {
            let slot = KeySlot::seal(&mut rng, STORE, &[8; 32], opener, KdfParams::FLOOR).unwrap();
            data_encoding::HEXLOWER.encode(&slot.to_bytes())
        });
        let typed_alone = "8601194c0002015007462f8d57dcc68ef55177aaec936593584901847b4f8e18e2d662b4\
            0789a2f0d1cf8698e60b0f3d4fdfbce7bb52d98964bb0f6b071373c1294607f99765ebed031309e7237c42\
            c3ce58cca69efe8cc788b94da5e23547acf7d09a";
        let key_store = "8602194c0002015029577f23e771b6077fc8612a9c3212df58490162ca7fa74a426e9a80a5\
            a3a349f843fcd1048bce5fcd70ceadd9c818ff8bc559f2d6479c2d6244ee787a6addf600124752bc38bc18\
            828a06fa475db5e854b5c4721a09007dbed8a0";
        assert_eq!(slots, [typed_alone, key_store]);
    }

    #[test]
    fn a_slot_opens_with_its_secret_in_its_store_only() {
        let slot = KeySlot::from_bytes(&slot().to_bytes()).unwrap();
        assert_eq!(*slot.open(STORE, typed(b"482913")).unwrap(), [8; 32]);
        assert_eq!(
            slot.open(STORE, typed(b"482914")),
            Err(SealError::DoesNotOpen)
        );
        assert_eq!(slot.open(STORE, typed(b"")), Err(SealError::DoesNotOpen));
        assert_eq!(
            slot.open(StoreId([6; 16]), typed(b"482913")),
            Err(SealError::DoesNotOpen)
        );
    }

    #[test]
    fn parameters_are_accepted_at_the_limits_and_refused_beyond() {
        use KdfParams as P;
        let fits = |memory, passes, lanes| KdfParams::new(memory, passes, lanes).is_ok();
        assert!(fits(P::MEMORY_KIB_MIN, P::PASSES_MIN, 1));
        assert!(fits(P::MEMORY_KIB_MAX, P::PASSES_MAX, P::LANES_MAX));
        assert!(!fits(P::MEMORY_KIB_MIN - 1, P::PASSES_MIN, 1));
        assert!(!fits(P::MEMORY_KIB_MAX + 1, P::PASSES_MIN, 1));
        assert!(!fits(P::MEMORY_KIB_MIN, P::PASSES_MIN - 1, 1));
        assert!(!fits(P::MEMORY_KIB_MIN, P::PASSES_MAX + 1, 1));
        assert!(!fits(P::MEMORY_KIB_MIN, P::PASSES_MIN, 0));
        assert!(!fits(P::MEMORY_KIB_MIN, P::PASSES_MIN, P::LANES_MAX + 1));
    }

    #[test]
    fn weakened_or_swollen_parameters_in_a_header_are_refused_when_read() {
        let good = slot();
        for (memory_kib, passes) in [(8, 1), (KdfParams::MEMORY_KIB_MIN, 1), (u32::MAX, 3)] {
            let kdf = KdfParams {
                memory_kib,
                passes,
                lanes: 1,
            };
            let bytes = KeySlot {
                kdf,
                ..good.clone()
            }
            .to_bytes();
            assert_eq!(KeySlot::from_bytes(&bytes), Err(SealError::Parameters));
        }
    }

    #[test]
    fn parameters_changed_within_the_limits_open_nothing() {
        let kdf = KdfParams {
            passes: 3,
            ..KdfParams::FLOOR
        };
        let slot = KeySlot { kdf, ..slot() };
        assert_eq!(
            slot.open(STORE, typed(b"482913")),
            Err(SealError::DoesNotOpen)
        );
    }

    #[test]
    fn slots_of_other_kinds_are_named_and_not_tried() {
        for kind in [SlotKind::KeyStore, SlotKind::Reserved] {
            let other = KeySlot { kind, ..slot() };
            let read = KeySlot::from_bytes(&other.to_bytes()).unwrap();
            assert_eq!(
                read.open(STORE, typed(b"482913")),
                Err(SealError::SlotKind(kind as u8))
            );
        }
        let mut bytes = slot().to_bytes();
        // Array head, then the kind.
        bytes[1] = 9;
        assert_eq!(KeySlot::from_bytes(&bytes), Err(SealError::SlotKind(9)));
    }

    #[test]
    fn bytes_that_are_no_slot_are_refused() {
        let good = slot().to_bytes();
        for end in 0..good.len() {
            assert_eq!(
                KeySlot::from_bytes(&good[..end]),
                Err(SealError::NotASlot),
                "{end}"
            );
        }
        assert_eq!(
            KeySlot::from_bytes(&[0xff; SLOT_BYTES_MAX + 1]),
            Err(SealError::NotASlot)
        );
        assert_eq!(
            KeySlot::from_bytes(&[0xff; SLOT_BYTES_MAX]),
            Err(SealError::NotASlot)
        );
    }
}
