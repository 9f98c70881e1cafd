//! Invariants of every step: equal vectors mean equal states, and nothing reaches a device without
//! a grant.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::batch::Batch;
use sync_core::control::ControlPosition;
use sync_core::id::{ChangeHash, NetworkId, RecordId, Space};
use sync_core::record::RecordState;
use sync_core::replica::Replica;
use sync_core::wire::Answer;

use super::groups;
use super::merging::is_kept_apart;
use super::oracle::{Checked, Ledger, When, broken, require};
use super::phone::Form;
use super::world::World;

impl World {
    /// Equal vectors and nothing staged: equal states. Asked of a phone that has changed.
    pub(super) fn agree_phone(&self, p: usize) -> Checked {
        if self.stale_at_work {
            return Ok(());
        }
        let phone = &self.phones[p];
        let Some(process) = &phone.process else {
            return Ok(());
        };
        if !self.is_current(p) {
            return Ok(());
        }
        for space in process.replica.spaces() {
            if phone.has_staged(space) || is_behind(&process.replica, space) {
                continue;
            }
            let vector = process.replica.vector(space);
            if self.hub_vector(space) == vector {
                self.same_as_hub(p, &process.replica, space)?;
                continue;
            }
            for (q, other) in self.phones.iter().enumerate().filter(|(q, _)| *q != p) {
                let Some(running) = &other.process else {
                    continue;
                };
                let same = self.is_current(q) && running.replica.vector(space) == vector;
                let behind = is_behind(&running.replica, space);
                if !other.has_staged(space) && !behind && same {
                    require(
                        "Agreement",
                        equal(&process.replica, &running.replica, space),
                        || format!("{} and {} differ in {space}", self.name(p), self.name(q)),
                    )?;
                }
            }
        }
        Ok(())
    }

    /// Whether a phone has heard of what the office decided. As long as nobody is revoked and nothing
    /// is erased nothing that is shown depends on it.
    fn is_current(&self, p: usize) -> bool {
        let hub = &self.hub.state.control;
        let phone = &self.phones[p];
        let Some(process) = &phone.process else {
            return false;
        };
        let needed = hub.for_device(phone.device).map(|entry| entry.hash);
        let held = process.replica.control();
        let erased = hub.erased().chain(held.erased()).next().is_some();
        // A restored server may have lost a revocation that the phone has heard of.
        let cut = hub.cut_devices().chain(held.cut_devices()).next().is_some();
        (!cut && !erased) || ControlPosition::of(needed.collect()) == held.position()
    }

    /// What the server holds is what it should be, and what every phone holds that has the same batches.
    pub(super) fn agree_hub(&self) -> Checked {
        self.check_erased_at_hub()?;
        for (p, phone) in self.phones.iter().enumerate() {
            let Some(process) = &phone.process else {
                continue;
            };
            for space in process.replica.spaces() {
                if !phone.has_staged(space)
                    && !is_behind(&process.replica, space)
                    && self.is_current(p)
                    && self.hub_vector(space) == process.replica.vector(space)
                {
                    self.same_as_hub(p, &process.replica, space)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn hub_vector(&self, space: &Space) -> sync_core::feed::Vector {
        self.hub
            .state
            .spaces
            .get(space)
            .map(|store| store.vector())
            .unwrap_or_default()
    }

    pub(super) fn same_as_hub(&self, p: usize, replica: &Replica, space: &Space) -> Checked {
        let records = self
            .hub
            .state
            .records
            .iter()
            .filter(|((of, _), _)| of == space);
        let mut theirs: BTreeMap<_, &RecordState> = records
            .map(|((_, record), state)| (*record, state.as_ref()))
            .collect();
        let mut ours: BTreeMap<_, &RecordState> = replica.records(space).collect();
        let apart = kept_apart(replica, space);
        theirs.retain(|record, _| !apart.contains(record));
        ours.retain(|record, _| !apart.contains(record));
        require("Agreement", ours == theirs, || {
            format!(
                "{} and the server differ in {space}:\n{ours:#?}\n{theirs:#?}",
                self.name(p)
            )
        })?;
        match apart.is_empty() {
            true => groups::check(&self.phones[p].name, replica, space, &theirs),
            false => Ok(()),
        }
    }
}

/// Nothing of a space that the office has not granted is in an answer.
pub(super) fn check_secrecy(
    network: NetworkId,
    name: &str,
    grants: &BTreeSet<Space>,
    answer: &Answer,
) -> Checked {
    for bytes in &answer.batches {
        let batch = Batch::from_store(network, bytes)
            .map_err(|unfit| broken("R5", format!("the server sends: {unfit}")))?;
        require("Secrecy", grants.contains(&batch.header.space), || {
            format!("{name} is sent a batch of {}", batch.header.space)
        })?;
    }
    let told = answer
        .spaces
        .iter()
        .find(|state| !grants.contains(&state.space));
    require("Secrecy", told.is_none(), || {
        format!("{name} is told of {:?}", told.map(|state| &state.space))
    })
}

pub(super) fn equal(a: &Replica, b: &Replica, space: &Space) -> bool {
    let apart = [kept_apart(a, space), kept_apart(b, space)].concat();
    let rest = |replica| {
        let records = Replica::records(replica, space);
        records.filter(|(record, _)| !apart.contains(record))
    };
    rest(a).eq(rest(b))
}

/// The records of a space that are no function of what is held as long as their merges may end the program.
fn kept_apart(replica: &Replica, space: &Space) -> Vec<RecordId> {
    let records = replica.records(space);
    let apart = records.filter(|(_, state)| is_kept_apart(state));
    apart.map(|(record, _)| record).collect()
}

/// Whether something is held of a space that its records do not show yet.
fn is_behind(replica: &Replica, space: &Space) -> bool {
    replica.behind(space).next().is_some()
}

/// What records are, but for those that are behind.
pub(super) fn states(replica: &Replica) -> Vec<(Space, RecordId, RecordState)> {
    let spaces = replica.spaces();
    spaces
        .flat_map(|space| {
            replica
                .records(space)
                .filter(move |(id, _)| replica.behind(space).all(|behind| behind != *id))
                .map(move |(id, state)| (space.clone(), id, state.clone()))
        })
        .collect()
}

pub(super) fn heads_before(replica: &Replica, form: &Form) -> BTreeMap<Space, Vec<ChangeHash>> {
    let spaces = replica.spaces().filter(|space| space.unit() == form.unit);
    spaces
        .map(|space| {
            let state = replica.record(space, form.record);
            let heads = state
                .map(|state| state.heads().to_vec())
                .unwrap_or_default();
            (space.clone(), heads)
        })
        .collect()
}

/// The heads before an edit in doubt, with those that came in by the opening: a record that was behind
/// has been merged, and what it got is not the edit. The edit's change is this device's and writes
/// nothing that the form does not say.
pub(super) fn with_heads_of_others(
    replica: &Replica,
    form: &Form,
    mut before: BTreeMap<Space, Vec<ChangeHash>>,
) -> BTreeMap<Space, Vec<ChangeHash>> {
    let device = replica.me().device;
    for (space, before) in &mut before {
        let Some(state) = replica.record(space, form.record) else {
            continue;
        };
        let events = state.history().unwrap_or_default();
        let is_the_edit = |head: &ChangeHash| {
            let mut of = events
                .iter()
                .filter(|event| event.change == *head)
                .peekable();
            of.peek().is_some()
                && of.all(|event| {
                    let said = (event.key.clone(), event.value.clone());
                    event.is_of(device) && form.puts.contains(&said)
                })
        };
        let others = state.heads().iter().filter(|head| !is_the_edit(head));
        before.extend(others.copied());
    }
    before
}

pub(super) fn note_saved(
    ledger: &mut Ledger,
    when: When,
    replica: &Replica,
    form: &Form,
    before: &BTreeMap<Space, Vec<ChangeHash>>,
) {
    for (space, before) in before {
        if let Some(state) = replica.record(space, form.record) {
            let seen = form.seen.as_ref().and_then(|seen| seen.get(&space.class));
            ledger.note(when, space, form.record, before, state, seen);
        }
    }
}
