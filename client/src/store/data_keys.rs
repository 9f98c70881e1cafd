//! The keys of an open store's rows: one of its own, and one for each space, which can be dropped.

use std::collections::BTreeMap;

use sync_core::id::Space;
use sync_core::seal::{DataKey, KeyId, SealError, StoreKey};

use super::error::StoreError;
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

    /// Takes a wrapped key. One that does not open takes its rows with it, which
    /// [`super::Store::rows`] then counts; the other spaces are unharmed.
    pub(super) fn unwrap(
        &mut self,
        key: &StoreKey,
        id: KeyId,
        wrapped: &[u8],
    ) -> Result<(), StoreError> {
        match key.unwrap(id, wrapped) {
            Ok((space, data_key)) => self.add(space, data_key),
            Err(SealError::UnknownSuite(suite)) => return Err(newer("suite", suite.into())),
            Err(_) => {}
        }
        Ok(())
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
