//! The keys of an open store: which one seals which row, and what a row is called.
//!
//! A host keeps four things of it, whatever it keeps them in: a [`Header`] in clear, the key slots, one
//! wrapped data key a space, and sealed rows. In clear stand only: that it is a store of ours, its
//! format and suite, its random id, what the key slots cost, and how many rows of which length each
//! table has. Copies of what the server does not have (the outbox) are sealed to the server, and not by
//! this store's key.
//!
//! Sealing rows instead of a file (SQLCipher) keeps one SQLite for phone and server, lets each space have
//! a key that can be dropped, and works the same in a browser's store.

mod data_keys;

use std::sync::Arc;

use rand_core::CryptoRng;
use sync_core::id::Space;
use sync_core::row::{Row, Table};
use sync_core::seal::{
    DataKey, KdfParams, KeyId, KeySlot, RowName, SUITE, SealError, SlotKind, StoreId, StoreKey,
};

use crate::keys::Secret;
use crate::store::{StoreError, damaged, newer};

use data_keys::DataKeys;

/// The format that this program writes.
pub const FORMAT: u32 = 1;
/// First in every header.
pub const MAGIC: &str = "ortoo store";
/// More slots than this are not tried: each costs half a second.
pub const SLOTS_MAX: u32 = 8;
/// The number in the place of a data key's, of rows that the core has sealed.
const SEALED_BY_CORE: KeyId = KeyId(u32::MAX);

/// What a store says of itself in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: String,
    /// [`FORMAT`], or a newer program's.
    pub format: u32,
    /// The suite of its keys.
    pub suite: u8,
    /// Its random id.
    pub store: StoreId,
}

impl Header {
    /// Checks that it is a store of ours that this program can read; which one.
    pub fn check(&self) -> Result<StoreId, StoreError> {
        match self {
            Self { magic, .. } if magic != MAGIC => Err(damaged("header")),
            Self { format: 0, .. } => Err(damaged("format")),
            Self { format, .. } if *format > FORMAT => Err(newer("format", *format)),
            Self { suite, .. } if *suite != SUITE => Err(newer("suite", (*suite).into())),
            Self { store, .. } => Ok(*store),
        }
    }
}

/// A row as it is kept: to be written under its name or, with no value, to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedRow {
    /// Its table.
    pub table: Table,
    /// Its name in the table.
    pub name: RowName,
    /// The number of the key that seals it, and the sealed bytes.
    pub value: Option<(KeyId, Vec<u8>)>,
}

/// The rows of one step, sealed, and the wrapped keys that must be written with them. The new keys count
/// once both are durable: [`Vault::keep`].
#[must_use = "rows under new keys open only once the vault keeps the keys"]
pub struct Sealed {
    /// The rows.
    pub rows: Vec<SealedRow>,
    /// New data keys, wrapped, under their numbers.
    pub keys: Vec<(KeyId, Vec<u8>)>,
    fresh: Vec<(Space, DataKey)>,
}

/// The open keys of a store. Wiped when dropped; never prints.
pub struct Vault {
    key: Arc<StoreKey>,
    data_keys: DataKeys,
}

impl Vault {
    /// The vault under a store key, before it has heard of any data key.
    pub fn new(key: Arc<StoreKey>) -> Self {
        let data_keys = DataKeys::new(&key);
        Self { key, data_keys }
    }

    /// The keys of a new store.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self::new(Arc::new(StoreKey::generate(rng)))
    }

    /// Tries `secret` on the slots; costs what their parameters say. What keeps a slot from being tried is
    /// only told if no other opens.
    pub fn unlock(
        store: StoreId,
        slots: impl IntoIterator<Item = Vec<u8>>,
        secret: &Secret,
    ) -> Result<Self, StoreError> {
        let mut refusal = damaged("key slots");
        for bytes in slots.into_iter().take(SLOTS_MAX as usize) {
            let opened = KeySlot::from_bytes(&bytes)
                .and_then(|slot| secret.opens(|opener| StoreKey::from_slot(store, &slot, opener)));
            match opened {
                Ok(key) => return Ok(Self::new(Arc::new(key))),
                Err(SealError::DoesNotOpen) => refusal = StoreError::WrongSecret,
                Err(SealError::KeyStoreSilent) => refusal = StoreError::KeyStoreSilent,
                Err(_)
                    if matches!(
                        refusal,
                        StoreError::WrongSecret | StoreError::KeyStoreSilent
                    ) => {}
                Err(SealError::SlotKind(kind)) if SlotKind::is_used(kind) => {
                    refusal = StoreError::OtherSecret;
                }
                Err(SealError::SlotKind(kind)) => refusal = newer("key slot", kind.into()),
                Err(SealError::UnknownSuite(suite)) => refusal = newer("suite", suite.into()),
                Err(_) => refusal = damaged("key slot"),
            }
        }
        Err(refusal)
    }

    /// The key under everything, for a host that opens the store again.
    pub fn key(&self) -> Arc<StoreKey> {
        self.key.clone()
    }

    /// The header of this store.
    pub fn header(&self) -> Header {
        Header {
            magic: MAGIC.to_owned(),
            format: FORMAT,
            suite: SUITE,
            store: self.key.id(),
        }
    }

    /// A slot that `secret` opens.
    pub fn slot(
        &self,
        rng: &mut dyn CryptoRng,
        secret: &Secret,
        kdf: KdfParams,
    ) -> Result<Vec<u8>, StoreError> {
        let slot = secret.opens(|opener| self.key.to_slot(rng, opener, kdf));
        match slot {
            Ok(slot) => Ok(slot.to_bytes()),
            Err(SealError::KeyStoreSilent) => Err(StoreError::KeyStoreSilent),
            Err(_) => Err(damaged("key slot")),
        }
    }

    /// Takes a wrapped key as the store has it. One that does not open takes its rows with it.
    pub fn unwrap(&mut self, id: KeyId, wrapped: &[u8]) -> Result<(), StoreError> {
        self.data_keys.unwrap(&self.key, id, wrapped)
    }

    /// What the row of `table` with this logical key is called.
    pub fn name(&self, table: Table, key: &[u8]) -> RowName {
        self.key.row_name(table, key)
    }

    /// Seals the rows of a step, each under its space's key, or the store's own.
    pub fn seal(&self, rng: &mut dyn CryptoRng, rows: &[Row]) -> Result<Sealed, StoreError> {
        let mut sealed = Sealed {
            rows: Vec::with_capacity(rows.len()),
            keys: Vec::new(),
            fresh: Vec::new(),
        };
        for row in rows {
            let name = self.name(row.table, &row.key);
            let value = match &row.value {
                None => None,
                // Sealed by the core, to the server.
                Some(value) if row.space.is_none() && row.table == Table::Outbox => {
                    Some((SEALED_BY_CORE, value.clone()))
                }
                Some(value) => {
                    let key = match &row.space {
                        None => &self.data_keys.own,
                        Some(space) => self.key_for(space, rng, &mut sealed)?,
                    };
                    let bytes = key.seal(rng, row.table, name, value);
                    Some((key.id(), bytes.map_err(|_| damaged("row to write"))?))
                }
            };
            sealed.rows.push(SealedRow {
                table: row.table,
                name,
                value,
            });
        }
        Ok(sealed)
    }

    /// The key of a space, drawn if there is none yet.
    fn key_for<'a>(
        &'a self,
        space: &Space,
        rng: &mut dyn CryptoRng,
        sealed: &'a mut Sealed,
    ) -> Result<&'a DataKey, StoreError> {
        if let Some(key) = self.data_keys.of(space) {
            return Ok(key);
        }
        if !sealed.fresh.iter().any(|(other, _)| other == space) {
            let last = sealed.fresh.last().map(|(_, key)| key.id());
            let KeyId(last) = last.unwrap_or(self.data_keys.last);
            let id = last.checked_add(1).map(KeyId);
            let id = id.filter(|id| *id != SEALED_BY_CORE);
            let id = id.ok_or(damaged("data keys"))?;
            let key = self.key.new_data_key(rng, id);
            let wrapped = self.key.wrap(rng, &key, space);
            let wrapped = wrapped.map_err(|_| damaged("data key"))?;
            sealed.keys.push((id, wrapped));
            sealed.fresh.push((space.clone(), key));
        }
        let fresh = sealed.fresh.iter().find(|(other, _)| other == space);
        fresh.map(|(_, key)| key).ok_or(damaged("data keys"))
    }

    /// The new keys of rows that are durable by now.
    pub fn keep(&mut self, sealed: Sealed) {
        for (space, key) in sealed.fresh {
            self.data_keys.add(space, key);
        }
    }

    /// Opens a row's value; the error says that it was altered, swapped, or that its key is lost.
    pub fn open(
        &self,
        table: Table,
        name: RowName,
        key: KeyId,
        sealed: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        if table == Table::Outbox && key == SEALED_BY_CORE {
            return Ok(sealed.to_vec());
        }
        let key = self.data_keys.numbered(key).ok_or(damaged("row"))?;
        let opened = key.open(table, name, sealed);
        opened.map_err(|_| damaged("row"))
    }

    /// The number of a space's key.
    pub fn key_of(&self, space: &Space) -> Option<KeyId> {
        self.data_keys.spaces.get(space).copied()
    }

    /// Forgets the key of a space that is gone from the store.
    pub fn forget(&mut self, space: &Space) {
        self.data_keys.forget(space);
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault")
    }
}
