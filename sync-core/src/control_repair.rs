//! Repair of a server's control feed: the entries that a phone shows to a server that was restored
//! from a backup (R18, R21).
//!
//! A server that does not know the phone is shown the phone's own enrolment; it is signed by a node
//! of the network, so it needs no administrator to be believed. What else the server lacks shows
//! when it sends its whole list: whatever is held here and does not stand there. The plan package is
//! not shown: it is large, and the server's program has it.

use std::collections::BTreeSet;

use crate::control::{Control, ControlEntry};
use crate::id::{DeviceId, EntryHash};

/// Entries that a phone shows to a server that does not know it: what the server looks at before it
/// knows who asks.
pub(crate) const SHOWN_BY_UNKNOWN_DEVICE_MAX: usize = 16;
/// Bytes of control entries in one request, at least one entry: some seconds of 2G.
const SHOWN_BYTES_MAX: usize = 16 * 1024;

/// What the server is to be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EntriesToShow {
    /// The server does not know this phone.
    pub(crate) unknown_to_server: bool,
    /// What the server lacks, as far as its lists have told.
    lacking: BTreeSet<EntryHash>,
    /// What it was shown in this life of its. It may have reasons of its own to leave it away.
    shown: BTreeSet<EntryHash>,
}

impl EntriesToShow {
    /// The entries for the next request, roots before what their nodes signed.
    pub(crate) fn next<'a>(&self, control: &'a Control, me: DeviceId) -> Vec<&'a ControlEntry> {
        let own = |entry: &&ControlEntry| {
            self.unknown_to_server && (entry.is_root() || entry.enrols() == Some(me))
        };
        let mut next: Vec<&ControlEntry> = control
            .entries()
            .filter(own)
            .take(SHOWN_BY_UNKNOWN_DEVICE_MAX)
            .collect();
        let mut room = SHOWN_BYTES_MAX;
        for entry in control.entries() {
            let lacking = self.lacking.contains(&entry.hash);
            if !lacking || next.iter().any(|other| other.hash == entry.hash) {
                continue;
            }
            if entry.bytes().len() > room && !next.is_empty() {
                break;
            }
            room = room.saturating_sub(entry.bytes().len());
            next.push(entry);
        }
        next
    }

    /// After an answer to a request that showed `shown`: `control` is held now and `told` are the
    /// entries in the answer, `new_incarnation` whether the server begins another life.
    pub(crate) fn after(
        &self,
        shown: &[EntryHash],
        control: &Control,
        told: &[Vec<u8>],
        new_incarnation: bool,
    ) -> Self {
        let mut after = self.clone();
        if new_incarnation {
            after.shown.clear();
        }
        after.unknown_to_server = false;
        after.shown.extend(shown);
        // Only a whole list begins with what founded the network.
        let told: BTreeSet<&[u8]> = told.iter().map(Vec::as_slice).collect();
        let whole = control
            .entries()
            .next()
            .is_some_and(|first| told.contains(first.bytes()));
        if whole {
            let lacking = control
                .entries()
                .filter(|entry| entry.as_package().is_none() && !told.contains(entry.bytes()));
            after.lacking = lacking.map(|entry| entry.hash).collect();
        }
        after.lacking.retain(|hash| !after.shown.contains(hash));
        after
    }

    /// Whether there is something to show.
    pub(crate) fn is_empty(&self) -> bool {
        !self.unknown_to_server && self.lacking.is_empty()
    }
}
