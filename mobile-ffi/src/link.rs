//! Links between two records: statements that they are, or are not, one person.

use client::links;

use crate::error::PhoneError;
use crate::phone::Phone;
use crate::record::Conflict;

/// Where a record stands once something was said of it.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Linked {
    /// The record that was named first.
    pub id: String,
    /// The other records of its person.
    pub linked: Vec<String>,
    /// What is open about who they are; nothing of one record is shown as the other's until it is
    /// settled.
    pub conflicts: Vec<Conflict>,
}

impl From<links::Linked> for Linked {
    fn from(linked: links::Linked) -> Self {
        Self {
            id: linked.id.to_string(),
            linked: linked.linked.iter().map(ToString::to_string).collect(),
            conflicts: linked.conflicts.into_iter().map(Conflict::from).collect(),
        }
    }
}

#[uniffi::export]
impl Phone {
    /// Says that two records of persons are one person. If they are shown as one already and name or
    /// birth date differ, this confirms them in spite of that.
    ///
    /// # Errors
    /// [`PhoneError::Wrong`]: `not_a_person`, `same_record`, `other_unit`, `unknown_record`.
    pub fn link(&self, id: String, other: String) -> Result<Linked, PhoneError> {
        self.with(|phone| phone.link(&id, &other)).map(Linked::from)
    }

    /// Says that two records of persons are two people, whatever their ID numbers say. Nothing of
    /// either is lost; the last deliberate word counts.
    ///
    /// # Errors
    /// Those of [`Phone::link`].
    pub fn unlink(&self, id: String, other: String) -> Result<Linked, PhoneError> {
        self.with(|phone| phone.unlink(&id, &other))
            .map(Linked::from)
    }
}
