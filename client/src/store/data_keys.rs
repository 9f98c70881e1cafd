//! The keys of an open store's rows: one of its own, and one for each space, which can be dropped.

use std::collections::BTreeMap;

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use rusqlite::{Connection, Transaction, params};
use sync_core::id::Space;
use sync_core::seal::{DataKey, KeyId, SealError, StoreKey};

use super::error::{StoreError, damaged};
use super::newer;

/// The open data keys, and which space each is for.
pub(super) struct DataKeys {
    pub(super) own: DataKey,
    pub(super) spaces: BTreeMap<Space, KeyId>,
    pub(super) keys: BTreeMap<KeyId, DataKey>,
}

impl DataKeys {
    pub(super) fn new(key: &StoreKey) -> Self {
        Self {
            own: key.own_key(),
            spaces: BTreeMap::new(),
            keys: BTreeMap::new(),
        }
    }

    /// All keys that open. A wrapped key that does not takes its rows with it, which
    /// [`Store::rows`] then counts; the other spaces are unharmed.
    pub(super) fn read(db: &Connection, key: &StoreKey) -> Result<Self, StoreError> {
        let mut all = Self::new(key);
        let mut statement = db.prepare("SELECT key_id, wrapped FROM dek ORDER BY key_id")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (Ok(id), Ok(wrapped)) = (row.get(0).map(KeyId), row.get::<_, Vec<u8>>(1)) else {
                continue;
            };
            match key.unwrap(id, &wrapped) {
                Ok((space, data_key)) => all.add(space, data_key),
                Err(SealError::UnknownSuite(suite)) => return Err(newer("suite", suite.into())),
                Err(_) => {}
            }
        }
        Ok(all)
    }

    pub(super) fn add(&mut self, space: Space, key: DataKey) {
        self.spaces.insert(space, key.id());
        self.keys.insert(key.id(), key);
    }

    pub(super) fn of(&self, space: &Space) -> Option<&DataKey> {
        self.keys.get(self.spaces.get(space)?)
    }

    pub(super) fn lacks<'a>(&self, space: Option<&'a Space>) -> Option<&'a Space> {
        space.filter(|space| !self.spaces.contains_key(space))
    }

    pub(super) fn numbered(&self, id: KeyId) -> Option<&DataKey> {
        if id == KeyId::OWN {
            Some(&self.own)
        } else {
            self.keys.get(&id)
        }
    }
}

/// Draws a key for `space` and stores it wrapped, under the next free number.
pub(super) fn add_data_key(
    tx: &Transaction<'_>,
    key: &StoreKey,
    space: &Space,
) -> Result<DataKey, StoreError> {
    let mut rng = UnwrapErr(SysRng);
    let id = tx.query_row("SELECT coalesce(max(key_id), 0) + 1 FROM dek", [], |row| {
        row.get(0)
    })?;
    let data_key = key.new_data_key(&mut rng, KeyId(id));
    let wrapped = key
        .wrap(&mut rng, &data_key, space)
        .map_err(|_| damaged("data key"))?;
    tx.execute(
        "INSERT INTO dek (key_id, wrapped) VALUES (?1, ?2)",
        params![id, wrapped],
    )?;
    Ok(data_key)
}
