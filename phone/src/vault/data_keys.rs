//! The keys of an open store's rows: one of its own, and one for each space, which can be dropped.

use std::collections::BTreeMap;

use sync_core::id::Space;
use sync_core::seal::{DataKey, KeyId, SealError, StoreKey};

use crate::store::{StoreError, newer};

/// The open data keys, and which space each is for.
pub(super) struct DataKeys {
    pub(super) own: DataKey,
    pub(super) spaces: BTreeMap<Space, KeyId>,
    pub(super) keys: BTreeMap<KeyId, DataKey>,
    /// The highest number of any wrapped key, also of one that does not open.
    pub(super) last: KeyId,
}

impl DataKeys {
    pub(super) fn new(key: &StoreKey) -> Self {
        Self {
            own: key.own_key(),
            spaces: BTreeMap::new(),
            keys: BTreeMap::new(),
            last: KeyId::OWN,
        }
    }

    /// Takes a wrapped key. One that does not open takes its rows with it, which
    /// [`crate::store::Store::rows`] then counts; the other spaces are unharmed.
    pub(super) fn unwrap(
        &mut self,
        key: &StoreKey,
        id: KeyId,
        wrapped: &[u8],
    ) -> Result<(), StoreError> {
        self.last = self.last.max(id);
        match key.unwrap(id, wrapped) {
            Ok((space, data_key)) => self.add(space, data_key),
            Err(SealError::UnknownSuite(suite)) => return Err(newer("suite", suite.into())),
            Err(_) => {}
        }
        Ok(())
    }

    pub(super) fn add(&mut self, space: Space, key: DataKey) {
        self.last = self.last.max(key.id());
        self.spaces.insert(space, key.id());
        self.keys.insert(key.id(), key);
    }

    /// Forgets the key of a space.
    pub(super) fn forget(&mut self, space: &Space) {
        if let Some(id) = self.spaces.remove(space) {
            self.keys.remove(&id);
        }
    }

    pub(super) fn of(&self, space: &Space) -> Option<&DataKey> {
        self.keys.get(self.spaces.get(space)?)
    }

    pub(super) fn numbered(&self, id: KeyId) -> Option<&DataKey> {
        if id == KeyId::OWN {
            Some(&self.own)
        } else {
            self.keys.get(&id)
        }
    }
}
