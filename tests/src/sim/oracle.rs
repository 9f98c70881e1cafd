//! The oracle, which shares no code with admission: a ledger of what users were told is saved, and
//! the checks of REPLICATION.md §10.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};
use sync_core::admit::{Aside, AsideReason};
use sync_core::feed::BRANCHES_BROUGHT_MAX;
use sync_core::id::{AuthorId, BatchHash, ChangeHash, DeviceId, RecordId, Space};
use sync_core::record::RecordState;
use sync_core::value::{Key, Value};

use super::held::SpaceStore;

/// A rule that does not hold, and what was seen.
#[derive(Clone, Debug)]
pub(super) struct Broken {
    /// The rule's name in REPLICATION.md.
    pub(super) rule: &'static str,
    /// What was seen.
    pub(super) what: String,
}

/// What a check gives.
pub(super) type Checked = Result<(), Broken>;

/// A rule that does not hold.
pub(super) fn broken(rule: &'static str, what: impl Into<String>) -> Broken {
    Broken {
        rule,
        what: what.into(),
    }
}

/// `Ok` if `holds`.
pub(super) fn require(rule: &'static str, holds: bool, what: impl FnOnce() -> String) -> Checked {
    if holds {
        Ok(())
    } else {
        Err(broken(rule, what()))
    }
}

/// One change that a user was told is saved.
#[derive(Clone, Debug)]
pub(super) struct Saved {
    /// Whose phone.
    pub(super) phone: usize,
    /// When.
    pub(super) step: u32,
    /// Where.
    pub(super) space: Space,
    /// Which record.
    pub(super) record: RecordId,
    /// The change that holds it.
    pub(super) change: ChangeHash,
    /// What it wrote.
    pub(super) puts: Vec<(Key, Value)>,
    /// Who wrote.
    pub(super) author: AuthorId,
    /// Under which version of the plan.
    pub(super) dictionary: u32,
    /// What its writer saw, if the form was older than the record.
    pub(super) seen: Option<Vec<ChangeHash>>,
    /// Its phone was set back to before it, or lost.
    pub(super) off_phone: bool,
    /// Nobody held it any more at some time.
    pub(super) gone: bool,
}

/// Whose edit, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct When {
    /// Whose phone.
    pub(super) phone: usize,
    /// The step.
    pub(super) step: u32,
    /// The person.
    pub(super) author: AuthorId,
    /// The version of the plan that the phone had.
    pub(super) dictionary: u32,
}

/// Everything that users were told is saved.
#[derive(Default)]
pub(super) struct Ledger {
    /// In order.
    pub(super) saved: Vec<Saved>,
}

impl Ledger {
    /// Notes what an edit has brought to a record: the change that is a head now and was none.
    pub(super) fn note(
        &mut self,
        when: When,
        space: &Space,
        record: RecordId,
        before: &[ChangeHash],
        state: &RecordState,
        seen: Option<&Vec<ChangeHash>>,
    ) {
        for change in state.heads().iter().filter(|head| !before.contains(head)) {
            let puts = state
                .view()
                .iter()
                .flat_map(|(key, slot)| slot.values().map(move |written| (key, written)))
                .filter(|(_, written)| written.change == *change)
                .map(|(key, written)| (key.clone(), written.value.clone()))
                .collect();
            self.saved.push(Saved {
                phone: when.phone,
                step: when.step,
                author: when.author,
                dictionary: when.dictionary,
                space: space.clone(),
                record,
                change: *change,
                puts,
                seen: seen.cloned(),
                off_phone: false,
                gone: false,
            });
        }
    }

    /// A phone was set back to a copy made at `copy_step`, or lost (0).
    pub(super) fn set_back(&mut self, phone: usize, copy_step: u32) {
        for saved in &mut self.saved {
            saved.off_phone |= saved.phone == phone && saved.step >= copy_step;
        }
    }

    /// A phone has erased a space that was taken from it.
    pub(super) fn space_dropped(&mut self, phone: usize, space: &Space) {
        for saved in &mut self.saved {
            saved.off_phone |= saved.phone == phone && saved.space == *space;
        }
    }

    /// Whether nobody holds a saved change any more.
    fn is_gone(&self, change: ChangeHash) -> bool {
        let mut gone = self.saved.iter().filter(|saved| saved.gone);
        gone.any(|saved| saved.change == change)
    }

    /// What its phone has lost and nobody else holds is gone.
    pub(super) fn write_off(&mut self, held: &BTreeSet<ChangeHash>) {
        for saved in &mut self.saved {
            saved.gone |= saved.off_phone && !held.contains(&saved.change);
        }
    }
}

/// The beginning of a change chunk, read without the core.
pub(super) struct ChangeHead {
    /// Its name.
    pub(super) hash: ChangeHash,
    /// What it depends on.
    pub(super) deps: Vec<ChangeHash>,
    /// Who wrote it.
    pub(super) actor: Vec<u8>,
    /// The actor's number.
    pub(super) seq: u64,
    /// The counter of its first operation.
    pub(super) start_op: u64,
}

/// Reads the beginning of a change chunk.
pub(super) fn change_head(raw: &[u8]) -> Option<ChangeHead> {
    let hash = ChangeHash(Sha256::digest(raw.get(8..)?).into());
    let mut rest = raw.get(9..)?;
    number(&mut rest)?;
    let count = number(&mut rest)?;
    let mut deps = Vec::new();
    for _ in 0..count {
        deps.push(ChangeHash::from_slice(take(&mut rest, 32)?).ok()?);
    }
    let length = usize::try_from(number(&mut rest)?).ok()?;
    let actor = take(&mut rest, length)?.to_vec();
    let seq = number(&mut rest)?;
    let start_op = number(&mut rest)?;
    Some(ChangeHead {
        hash,
        deps,
        actor,
        seq,
        start_op,
    })
}

/// The salt seed of a batch, read without the core; none once something of it is blotted out.
pub(super) fn salt_seed(batch: &[u8]) -> Option<Vec<u8>> {
    let mut envelope = minicbor::Decoder::new(batch);
    envelope.array().ok()?;
    envelope.skip().ok()?;
    envelope.skip().ok()?;
    envelope.bytes().ok().map(<[u8]>::to_vec)
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, tail) = rest.split_at_checked(count)?;
    *rest = tail;
    Some(taken)
}

/// An unsigned LEB128 number.
fn number(rest: &mut &[u8]) -> Option<u64> {
    let (mut value, mut shift) = (0u64, 0);
    loop {
        let byte = *take(rest, 1)?.first()?;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        shift += 7;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
}

/// A value and its name in the order in which Automerge chooses the one that shows.
type NaiveValue = (u64, Vec<u8>, Value);

/// What a record shows, told from its history alone: per key every write that no other write of the
/// key has in its past; the greatest (counter, actor) first.
pub(super) fn naive_view(
    state: &RecordState,
    heads: &BTreeMap<ChangeHash, ChangeHead>,
) -> Result<BTreeMap<Key, Vec<NaiveValue>>, Broken> {
    let history = state
        .history()
        .map_err(|error| broken("R14", error.to_string()))?;
    let mut pasts: BTreeMap<ChangeHash, BTreeSet<ChangeHash>> = BTreeMap::new();
    let mut counts: BTreeMap<ChangeHash, u64> = BTreeMap::new();
    let mut writes: BTreeMap<Key, Vec<(ChangeHash, NaiveValue)>> = BTreeMap::new();
    for event in history {
        let head = heads
            .get(&event.change)
            .ok_or_else(|| broken("Agreement", format!("{} was never sent", event.change)))?;
        if !pasts.contains_key(&event.change) {
            let mut past = BTreeSet::new();
            for dep in &head.deps {
                past.insert(*dep);
                past.extend(pasts.get(dep).into_iter().flatten());
            }
            pasts.insert(event.change, past);
        }
        let count = counts.entry(event.change).or_default();
        let counter = head.start_op + *count;
        *count += 1;
        let value = (counter, head.actor.clone(), event.value);
        writes
            .entry(event.key)
            .or_default()
            .push((event.change, value));
    }
    let visible = |writes: Vec<(ChangeHash, NaiveValue)>| {
        let covered = |change: &ChangeHash| {
            writes
                .iter()
                .any(|(later, _)| pasts.get(later).is_some_and(|p| p.contains(change)))
        };
        let mut left: Vec<NaiveValue> = writes
            .iter()
            .filter(|(change, _)| !covered(change))
            .map(|(_, value)| value.clone())
            .collect();
        left.sort_by(|a, b| b.cmp(a));
        left
    };
    Ok(writes
        .into_iter()
        .map(|(key, writes)| (key, visible(writes)))
        .collect())
}

/// The view of a record equals the naive one.
pub(super) fn check_view(
    name: &str,
    record: RecordId,
    state: &RecordState,
    heads: &BTreeMap<ChangeHash, ChangeHead>,
) -> Checked {
    let mut naive = naive_view(state, heads)?;
    for (key, slot) in state.view().iter() {
        let ours: Vec<NaiveValue> = slot
            .values()
            .map(|w| {
                (
                    u64::from(w.op.counter),
                    w.op.actor.0.to_vec(),
                    w.value.clone(),
                )
            })
            .collect();
        let theirs = naive.remove(key).unwrap_or_default();
        require("Agreement", ours == theirs, || {
            format!("{name} shows {ours:?} under {key} of {record}, its history says {theirs:?}")
        })?;
        let different: BTreeSet<&Value> = ours.iter().map(|(_, _, value)| value).collect();
        require(
            "R40",
            slot.conflict().is_some() == (different.len() > 1),
            || format!("{name}: {key} of {record} is wrongly in conflict, or wrongly not"),
        )?;
    }
    require("Agreement", naive.is_empty(), || {
        format!("{name} does not show {naive:?} of {record}")
    })
}

/// Changes set aside are the hostile device's, or follow what is gone with the phones that held it. Nothing
/// that the hostile device writes sets an honest change aside.
pub(super) fn check_aside(
    state: &RecordState,
    hostile: Option<DeviceId>,
    ledger: &Ledger,
) -> Checked {
    let aside = |change: ChangeHash| state.aside().iter().find(|aside| aside.change == change);
    let honest = |aside: &&Aside| Some(aside.device) != hostile;
    for start in state.aside().iter().filter(honest) {
        let mut at = Some(start);
        // Each step goes to an older change; the bound only guards this test against itself.
        for _ in 0..state.aside().len() + 1 {
            match at {
                Some(found) => match &found.why {
                    AsideReason::Follows { dep } => at = aside(*dep),
                    AsideReason::Waiting { missing } if ledger.is_gone(*missing) => break,
                    why => {
                        return Err(broken("R12", format!("{} is aside: {why:?}", start.change)));
                    }
                },
                None => {
                    return Err(broken(
                        "R12",
                        format!("{start:?} follows what is not aside"),
                    ));
                }
            }
        }
    }
    require("R14", state.parked().is_none(), || {
        format!("a record is parked: {:?}", state.parked())
    })
}

/// Every change in the batches of a space, read without the core, with its device.
pub(super) fn heads_of(store: &SpaceStore) -> BTreeMap<ChangeHash, ChangeHead> {
    let entries = store
        .arrivals
        .iter()
        .flat_map(|stored| &stored.batch.entries);
    entries
        .filter_map(|entry| change_head(&entry.change))
        .map(|head| (head.hash, head))
        .collect()
}

/// Who signed for each change of a space: author and dictionary of the batches that hold it.
pub(super) fn signed_for(store: &SpaceStore) -> BTreeSet<(ChangeHash, AuthorId, u32)> {
    let batches = store.arrivals.iter().map(|stored| &stored.batch);
    batches
        .flat_map(|batch| {
            batch
                .entries
                .iter()
                .map(move |entry| (&batch.header, entry))
        })
        .filter_map(|(header, entry)| {
            Some((
                change_head(&entry.change)?.hash,
                header.author,
                header.dictionary,
            ))
        })
        .collect()
}

/// (actor, seq) of an honest device never stands for two contents in one document (R8).
pub(super) fn check_numbers(
    space: &Space,
    store: &SpaceStore,
    hostile: Option<DeviceId>,
) -> Checked {
    let mut used: BTreeMap<(RecordId, Vec<u8>, u64), ChangeHash> = BTreeMap::new();
    for stored in &store.arrivals {
        if Some(stored.batch.header.device) == hostile {
            continue;
        }
        for entry in &stored.batch.entries {
            let head = change_head(&entry.change)
                .ok_or_else(|| broken("R5", "an honest change does not read"))?;
            let number = (entry.record, head.actor, head.seq);
            if let Some(other) = used.insert(number, head.hash)
                && other != head.hash
            {
                let what = format!("{other} and {} of {space} share actor and seq", head.hash);
                return Err(broken("R8", what));
            }
        }
    }
    Ok(())
}

/// No device makes the vectors of others longer than a bound says, whatever it signs.
pub(super) fn check_branches(space: &Space, store: &SpaceStore) -> Checked {
    for (device, feed) in store.feeds() {
        let branches = feed.tips().count();
        require("Bounded", branches <= BRANCHES_BROUGHT_MAX, || {
            format!("the feed of {device} in {space} has {branches} branches")
        })?;
    }
    Ok(())
}

/// How many batches of a device's feed share a parent (or are both first): branches.
pub(super) fn forks(store: &SpaceStore, device: DeviceId) -> usize {
    let mut children: BTreeMap<Option<BatchHash>, usize> = BTreeMap::new();
    for stored in store
        .arrivals
        .iter()
        .filter(|s| s.batch.header.device == device)
    {
        if stored.node.prev.is_empty() {
            *children.entry(None).or_default() += 1;
        }
        for parent in &stored.node.prev {
            *children.entry(Some(*parent)).or_default() += 1;
        }
    }
    children.values().filter(|count| **count > 1).count()
}
