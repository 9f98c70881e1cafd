//! A feed: the append-only log of one device in one space, a tree of batches that is normally a
//! path; and the vector, what one replica holds of a space.
//!
//! Two branches (a killed process, a phone set back to an older copy) are both real edits: both
//! are held, sent and admitted, and the author's next batch joins them. "What do you have that I
//! lack" compares two small vectors, whatever the number of records.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{BatchHash, DeviceId, Short};

/// A batch's place in its feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The batch.
    pub hash: BatchHash,
    /// 1 + the highest parent's.
    pub seq: u32,
    /// Its parents.
    pub prev: Vec<BatchHash>,
}

/// The end of a branch as it stands in a vector: enough to find the batch, if one holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tip {
    /// The batch's number.
    pub seq: u32,
    /// The first 16 bytes of its hash.
    pub hash: Short,
}

impl Tip {
    /// The tip that `node` is.
    pub fn of(node: &Node) -> Self {
        Self {
            seq: node.seq,
            hash: short(node.hash),
        }
    }
}

/// The first 16 bytes of a batch's hash.
pub fn short(hash: BatchHash) -> Short {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.0[..16]);
    Short(bytes)
}

/// Why a batch can't be put into a feed yet, or ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misplaced {
    /// The feed lacks this parent: a gap, for the stash (R6).
    Missing(BatchHash),
    /// `seq` is not one more than the highest parent's: never to be held.
    Parents,
}

/// Everything held of one device's log in one space, or the recent part of it (on a server, which
/// loads what an exchange needs and nothing below).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Feed {
    nodes: BTreeMap<BatchHash, Node>,
    tips: BTreeSet<BatchHash>,
}

impl Feed {
    /// A feed of these nodes with these tips; parents may lie below what is given.
    pub fn from_parts(nodes: impl IntoIterator<Item = Node>, tips: &[BatchHash]) -> Self {
        Self {
            nodes: nodes.into_iter().map(|node| (node.hash, node)).collect(),
            tips: tips.iter().copied().collect(),
        }
    }

    /// Whether the batch is held.
    pub fn holds(&self, hash: BatchHash) -> bool {
        self.nodes.contains_key(&hash)
    }

    /// The node of a held batch.
    pub fn node(&self, hash: BatchHash) -> Option<&Node> {
        self.nodes.get(&hash)
    }

    /// Number of batches held.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The ends of all branches.
    pub fn tips(&self) -> impl Iterator<Item = &Node> {
        self.tips.iter().filter_map(|hash| self.nodes.get(hash))
    }

    /// The number of the author's next batch and its parents: all tips, so that it joins them.
    pub fn next(&self) -> (u32, Vec<BatchHash>) {
        let highest = self.tips().map(|node| node.seq).max().unwrap_or(0);
        (
            highest.saturating_add(1),
            self.tips.iter().copied().collect(),
        )
    }

    /// Whether `node` can be put in, without doing it.
    pub fn check(&self, node: &Node) -> Result<(), Misplaced> {
        Self::place(node, |hash| self.nodes.get(&hash).map(|held| held.seq))
    }

    /// Whether `node` would open a branch, and there are `most` already.
    pub fn is_branch_too_many(&self, node: &Node, most: impl FnOnce() -> usize) -> bool {
        opens_branch(&self.tips, node) && self.tips.len() >= most()
    }

    /// Whether `node` follows its parents, of which `seq_of` gives the numbers if they are held.
    pub fn place(node: &Node, seq_of: impl Fn(BatchHash) -> Option<u32>) -> Result<(), Misplaced> {
        let mut highest = 0;
        for parent in &node.prev {
            highest = highest.max(seq_of(*parent).ok_or(Misplaced::Missing(*parent))?);
        }
        match highest.checked_add(1) {
            Some(seq) if seq == node.seq => Ok(()),
            _ => Err(Misplaced::Parents),
        }
    }

    /// Puts in a batch that [`Feed::check`] allows; putting it in twice changes nothing. A second
    /// batch with a used number becomes a branch beside the first (R2).
    pub fn insert(&mut self, node: Node) {
        if self.nodes.contains_key(&node.hash) {
            return;
        }
        for parent in &node.prev {
            self.tips.remove(parent);
        }
        self.tips.insert(node.hash);
        self.nodes.insert(node.hash, node);
    }

    /// After loading in any order: finds the tips again, and drops nodes with a parent missing, so
    /// that they count as not held and are fetched again.
    pub fn mend(&mut self) {
        let mut loaded: Vec<Node> = std::mem::take(&mut self.nodes).into_values().collect();
        loaded.sort_by_key(|node| (node.seq, node.hash));
        self.tips.clear();
        for node in loaded {
            if self.check(&node).is_ok() {
                self.insert(node);
            }
        }
    }

    /// The held batch that a tip names.
    pub fn find(&self, tip: Short) -> Option<&Node> {
        let mut from = [0; 32];
        from[..16].copy_from_slice(&tip.0);
        self.nodes
            .range(BatchHash(from)..)
            .next()
            .map(|(_, node)| node)
            .filter(|node| short(node.hash) == tip)
    }

    /// The held batch with this number, if there is one and no other.
    pub fn only(&self, seq: u32) -> Option<&Node> {
        let mut with = self.nodes.values().filter(|node| node.seq == seq);
        with.next().filter(|_| with.next().is_none())
    }

    /// The held batches from the first on, up to the first number that was used twice.
    pub fn path(&self) -> impl Iterator<Item = &Node> {
        let mut nodes: Vec<&Node> = self.nodes.values().collect();
        nodes.sort_by_key(|node| node.seq);
        let twice = nodes.windows(2).position(|pair| pair[0].seq == pair[1].seq);
        nodes.truncate(twice.unwrap_or(nodes.len()));
        nodes.into_iter()
    }

    /// Whether a batch is one of these or came before one of them.
    pub fn is_below(&self, batch: BatchHash, tips: &[BatchHash]) -> bool {
        let mut seen: BTreeSet<BatchHash> = BTreeSet::new();
        let mut open = tips.to_vec();
        while let Some(hash) = open.pop() {
            if hash == batch {
                return true;
            }
            if seen.insert(hash)
                && let Some(node) = self.nodes.get(&hash)
            {
                open.extend(&node.prev);
            }
        }
        false
    }

    /// The held batches that a holder of `have` lacks, parents first. Names in `have` that are not
    /// known here count for nothing: then too much is sent, never too little.
    pub fn missing<'a>(&self, have: impl IntoIterator<Item = &'a Tip>) -> Vec<&Node> {
        let mut covered: BTreeSet<BatchHash> = BTreeSet::new();
        let mut open: Vec<BatchHash> = have
            .into_iter()
            .filter_map(|tip| self.find(tip.hash))
            .map(|node| node.hash)
            .collect();
        while let Some(hash) = open.pop() {
            if covered.insert(hash)
                && let Some(node) = self.nodes.get(&hash)
            {
                open.extend(&node.prev);
            }
        }
        let mut lacking: Vec<&Node> = self
            .nodes
            .values()
            .filter(|node| !covered.contains(&node.hash))
            .collect();
        lacking.sort_by_key(|node| (node.seq, node.hash));
        lacking
    }

    /// Names of held batches at growing distances from the tips (1, 2, 4, … numbers back), so that
    /// somebody who knows none of the tips can say from where on (R3). At most
    /// [`LADDER_MAX`] names, newest first.
    pub fn locator(&self) -> Vec<Tip> {
        let top = self.tips().map(|node| node.seq).max().unwrap_or(0);
        let mut by_seq: BTreeMap<u32, &Node> = BTreeMap::new();
        for node in self.nodes.values() {
            by_seq.entry(node.seq).or_insert(node);
        }
        let mut locator: Vec<Tip> = self.tips().map(Tip::of).collect();
        let mut back = 1;
        while back < top && locator.len() < LADDER_MAX {
            if let Some(node) = by_seq.get(&(top - back)) {
                locator.push(Tip::of(node));
            }
            back = back.saturating_mul(2);
        }
        if let Some(first) = by_seq.values().next() {
            locator.push(Tip::of(first));
        }
        locator.truncate(LADDER_MAX);
        locator
    }
}

/// Branches of one feed that are taken from its own device, and from somebody unknown. An honest device
/// has one; two or three where it was set back, or its store was copied.
pub const BRANCHES_MAX: usize = 8;
/// Branches of one feed that are taken where another device brings them, which may have built on them: so
/// many that every device of a unit can bring as many as it may hold itself.
pub const BRANCHES_BROUGHT_MAX: usize = 200;

/// Whether a batch opens a branch in a feed with these tips: it goes on with none of them.
pub(crate) fn opens_branch(tips: &BTreeSet<BatchHash>, node: &Node) -> bool {
    !node.prev.iter().any(|parent| tips.contains(parent))
}

/// Rungs of a ladder: 32 doublings reach below any number, the rest are tips.
pub const LADDER_MAX: usize = 48;

/// What a replica holds of one space: the tips of every device's feed. Equal vectors mean equal
/// feeds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vector(BTreeMap<DeviceId, BTreeSet<Tip>>);

impl Vector {
    /// The vector of these feeds.
    pub fn of<'a>(feeds: impl IntoIterator<Item = (&'a DeviceId, &'a Feed)>) -> Self {
        Self(
            feeds
                .into_iter()
                .map(|(device, feed)| (*device, feed.tips().map(Tip::of).collect()))
                .filter(|(_, tips): &(_, BTreeSet<_>)| !tips.is_empty())
                .collect(),
        )
    }

    /// The tips of a device's feed; none if nothing is held of it.
    pub fn tips(&self, device: DeviceId) -> impl Iterator<Item = &Tip> {
        self.0.get(&device).into_iter().flatten()
    }

    /// All devices with something held.
    pub fn devices(&self) -> impl Iterator<Item = DeviceId> {
        self.0.keys().copied()
    }

    /// Replaces the tips of a device's feed.
    pub fn set(&mut self, device: DeviceId, tips: impl IntoIterator<Item = Tip>) {
        let tips: BTreeSet<Tip> = tips.into_iter().collect();
        if tips.is_empty() {
            self.0.remove(&device);
        } else {
            self.0.insert(device, tips);
        }
    }

    /// The vector after a replica that holds `self` is also given `node` of `device`.
    pub fn advance(&mut self, device: DeviceId, node: &Node) {
        let tips = self.0.entry(device).or_default();
        tips.retain(|tip| !node.prev.iter().any(|parent| short(*parent) == tip.hash));
        tips.insert(Tip::of(node));
    }

    /// The vector before `node`, the newest arrival of `device`, came in: the inverse of
    /// [`Vector::advance`] where no branch began below it.
    pub fn retreat(
        &mut self,
        device: DeviceId,
        node: &Node,
        seq_of: impl Fn(BatchHash) -> Option<u32>,
    ) {
        let tips = self.0.entry(device).or_default();
        tips.remove(&Tip::of(node));
        for parent in &node.prev {
            // A single parent's number is known without having the parent at hand.
            let seq = if node.prev.len() == 1 {
                Some(node.seq - 1)
            } else {
                seq_of(*parent)
            };
            if let Some(seq) = seq {
                tips.insert(Tip {
                    seq,
                    hash: short(*parent),
                });
            }
        }
        if tips.is_empty() {
            self.0.remove(&device);
        }
    }

    /// The devices whose tips differ from `base`, with the tips here (none: nothing held).
    pub fn changes_from(&self, base: &Vector) -> Vec<(DeviceId, Vec<Tip>)> {
        let devices: BTreeSet<DeviceId> = self.devices().chain(base.devices()).collect();
        devices
            .into_iter()
            .filter(|device| self.0.get(device) != base.0.get(device))
            .map(|device| (device, self.tips(device).copied().collect()))
            .collect()
    }

    /// The digest of the vector.
    pub fn digest(&self) -> Short {
        let mut bytes = Vec::new();
        for (device, tips) in &self.0 {
            bytes.extend_from_slice(&device.0);
            bytes.extend_from_slice(&(tips.len() as u32).to_be_bytes());
            for tip in tips {
                bytes.extend_from_slice(&tip.seq.to_be_bytes());
                bytes.extend_from_slice(&tip.hash.0);
            }
        }
        Short::digest("ortoo vector v1", [bytes.as_slice()])
    }
}

/// One of each queue in turn, so that no space waits for another's backlog.
pub(crate) fn by_turns<T>(queues: Vec<Vec<T>>) -> Vec<T> {
    let mut queues: Vec<_> = queues.into_iter().map(Vec::into_iter).collect();
    let mut out = Vec::new();
    loop {
        let before = out.len();
        out.extend(queues.iter_mut().filter_map(Iterator::next));
        if out.len() == before {
            return out;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: u8, seq: u32, prev: &[u8]) -> Node {
        Node {
            hash: BatchHash([name; 32]),
            seq,
            prev: prev.iter().map(|name| BatchHash([*name; 32])).collect(),
        }
    }

    fn feed(nodes: &[Node]) -> Feed {
        let mut feed = Feed::default();
        for node in nodes {
            feed.check(node).unwrap();
            feed.insert(node.clone());
        }
        feed
    }

    fn names(nodes: Vec<&Node>) -> Vec<u8> {
        nodes.iter().map(|node| node.hash.0[0]).collect()
    }

    #[test]
    fn a_used_number_becomes_a_branch_and_the_next_batch_joins_both() {
        let mut feed = feed(&[node(1, 1, &[]), node(2, 2, &[1]), node(3, 2, &[1])]);
        assert_eq!(feed.tips().count(), 2);
        let (seq, prev) = feed.next();
        assert_eq!((seq, prev.len()), (3, 2));
        feed.insert(Node {
            hash: BatchHash([4; 32]),
            seq,
            prev,
        });
        assert_eq!(feed.tips().count(), 1);
        assert_eq!(feed.len(), 4);
    }

    #[test]
    fn a_branch_too_many_is_told_from_the_next_batch_of_one_of_them() {
        let branches: Vec<Node> = (2..10).map(|name| node(name, 2, &[1])).collect();
        let feed = feed(&[&[node(1, 1, &[])], branches.as_slice()].concat());
        assert_eq!(feed.tips().count(), 8);
        assert!(feed.is_branch_too_many(&node(20, 2, &[1]), || 8));
        assert!(!feed.is_branch_too_many(&node(20, 2, &[1]), || 9));
        assert!(!feed.is_branch_too_many(&node(20, 3, &[2]), || 8));
        assert!(!feed.is_branch_too_many(&node(20, 3, &[2, 3, 4]), || 8));
    }

    #[test]
    fn a_gap_is_told_from_a_wrong_number() {
        let feed = feed(&[node(1, 1, &[])]);
        assert_eq!(
            feed.check(&node(9, 3, &[2])),
            Err(Misplaced::Missing(BatchHash([2; 32])))
        );
        assert_eq!(feed.check(&node(9, 3, &[1])), Err(Misplaced::Parents));
        assert_eq!(feed.check(&node(9, 2, &[])), Err(Misplaced::Parents));
        assert_eq!(feed.check(&node(9, 2, &[1])), Ok(()));
    }

    #[test]
    fn what_is_missing_is_everything_that_known_tips_do_not_cover() {
        let feed = feed(&[
            node(1, 1, &[]),
            node(2, 2, &[1]),
            node(3, 3, &[2]),
            node(4, 2, &[1]),
            node(5, 4, &[3, 4]),
        ]);
        let tip = |name: u8, seq| Tip {
            seq,
            hash: Short([name; 16]),
        };
        assert_eq!(names(feed.missing(&[])), [1, 2, 4, 3, 5]);
        assert_eq!(names(feed.missing(&[tip(3, 3)])), [4, 5]);
        assert_eq!(names(feed.missing(&[tip(4, 2), tip(99, 7)])), [2, 3, 5]);
        assert!(feed.missing(&[tip(5, 4)]).is_empty());
    }

    #[test]
    fn a_vector_goes_forward_and_back_over_a_path() {
        let nodes = [node(1, 1, &[]), node(2, 2, &[1]), node(3, 3, &[2])];
        let device = DeviceId([7; 8]);
        let mut vector = Vector::default();
        let mut digests = vec![vector.digest()];
        for node in &nodes {
            vector.advance(device, node);
            digests.push(vector.digest());
        }
        let seq_of = |hash: BatchHash| nodes.iter().find(|n| n.hash == hash).map(|n| n.seq);
        for node in nodes.iter().rev() {
            assert_eq!(vector.digest(), digests.pop().unwrap());
            vector.retreat(device, node, seq_of);
        }
        assert_eq!(vector, Vector::default());
        assert_eq!(vector.digest(), digests.pop().unwrap());
    }

    #[test]
    fn a_ladder_is_short_and_reaches_the_first_batch() {
        let hash = |n: u32| {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&n.to_be_bytes());
            BatchHash(bytes)
        };
        let nodes = (1..=1000u32).map(|n| Node {
            hash: hash(n),
            seq: n,
            prev: if n == 1 { vec![] } else { vec![hash(n - 1)] },
        });
        let feed = Feed::from_parts(nodes, &[hash(1000)]);
        let locator = feed.locator();
        assert!(locator.len() <= 13, "{}", locator.len());
        assert_eq!(
            (locator.first().unwrap().seq, locator.last().unwrap().seq),
            (1000, 1)
        );
    }
}
