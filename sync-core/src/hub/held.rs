//! Holdings of the server in one space, and the placement of a batch among them.

use std::collections::BTreeMap;

use crate::control::Control;
use crate::feed::{BRANCHES_BROUGHT_MAX, BRANCHES_MAX, Feed, Misplaced, Node, Vector};
use crate::id::{BatchHash, DeviceId};

/// What the server holds of one space, or as much of it as an exchange needs.
///
/// Loaded must be: the tips of all feeds; the batches named by the request's batches and claims
/// and their parents, where held; every batch that came in after the claimed counter; and of each
/// feed whose tips differ from the phone's every batch above the phone's lowest known one. Of a feed
/// without branches, or for a phone that holds nothing, the first of these are enough that fill an answer.
#[derive(Clone, Debug, Default)]
pub struct SpaceHeld {
    /// Number of batches that ever came into this space; the last arrival's number.
    pub counter: u64,
    /// The feeds.
    pub feeds: BTreeMap<DeviceId, Feed>,
    /// Numbers of arrival of the loaded batches.
    pub arrivals: BTreeMap<BatchHash, u64>,
    /// The batches that came in after the claimed counter, newest first.
    pub since: Vec<(DeviceId, Node)>,
}

/// Where a batch belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// It is held already.
    Held,
    /// It follows what is held.
    New,
    /// This parent is missing: for the stash (R6).
    Gap(BatchHash),
    /// It contradicts its parents and is never held.
    Wrong,
}

/// Who brings a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bringer {
    /// An enrolled device, by its signature.
    Device(DeviceId),
    /// Whoever carried a file.
    Unknown,
    /// The server: what it wrote, or had held before.
    Server,
}

impl Bringer {
    /// How many branches of a device's feed are taken from it. Another device than the author has held them
    /// within its own bound, and may have built on them: its edits are not to wait for ever. One that the
    /// author made keys for, or that made the author's, is no other.
    fn branches_max(self, author: DeviceId, control: &Control) -> usize {
        let line = |device| control.first_of_line(device);
        match self {
            Bringer::Server => usize::MAX,
            Bringer::Device(other) if line(other) != line(author) => BRANCHES_BROUGHT_MAX,
            Bringer::Device(_) | Bringer::Unknown => BRANCHES_MAX,
        }
    }
}

impl SpaceHeld {
    /// Whether a batch whose place is [`Placement::New`] may be held: not if it opens one branch too many.
    pub fn has_room(
        &self,
        control: &Control,
        device: DeviceId,
        node: &Node,
        bringer: Bringer,
    ) -> bool {
        let feed = self.feeds.get(&device);
        let most = || bringer.branches_max(device, control);
        feed.is_none_or(|feed| !feed.is_branch_too_many(node, most))
    }

    /// Where a batch belongs.
    pub fn place(&self, device: DeviceId, node: &Node) -> Placement {
        let feed = self.feeds.get(&device);
        if feed.is_some_and(|feed| feed.holds(node.hash)) {
            return Placement::Held;
        }
        match Feed::place(node, |hash| feed?.node(hash).map(|held| held.seq)) {
            Ok(()) => Placement::New,
            Err(Misplaced::Missing(parent)) => Placement::Gap(parent),
            Err(Misplaced::Parents) => Placement::Wrong,
        }
    }

    /// Takes a batch whose place is [`Placement::New`]; returns its number of arrival.
    pub fn hold(&mut self, device: DeviceId, node: Node) -> u64 {
        self.counter += 1;
        self.arrivals.insert(node.hash, self.counter);
        self.feeds.entry(device).or_default().insert(node);
        self.counter
    }

    /// The vector now.
    pub fn vector(&self) -> Vector {
        Vector::of(&self.feeds)
    }

    /// The vector when the counter was at `counter`, found by taking back what came in since; to
    /// be asked before anything is held. `None` if that is not loaded or never was.
    pub fn vector_at(&self, counter: u64) -> Option<Vector> {
        if counter == 0 {
            return Some(Vector::default());
        }
        if self.counter.checked_sub(counter)? != self.since.len() as u64 {
            return None;
        }
        let mut vector = self.vector();
        for (device, node) in &self.since {
            let feed = self.feeds.get(device);
            vector.retreat(*device, node, |hash| feed?.node(hash).map(|held| held.seq));
        }
        Some(vector)
    }
}
