//! One record in one space: what its admitted changes say ([`View`]), the Automerge document that
//! holds them, and what is set aside.
//!
//! A state is a function of the changes held, whatever the order in which they came (R10): the same
//! set gives the same heads, view, changes set aside and parking. [`RecordState::add`] is the fast
//! way there for a change that plainly continues what is admitted; everything else goes through
//! [`RecordState::rebuild`]. The view is stored beside the document, so that opening a replica
//! decodes values and loads no document.

mod appending;
mod stored;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decoder, Encoder, decode};

use crate::admit::{Admitted, Aside, AsideReason, BESIDE_MAX, OPS_OF_DEVICE_MAX, admit, read};
use crate::change::{BadChange, CHANGE_OPS_MAX, Change, OpId, Put, TIME_MAX};
pub use crate::document::DocumentError;
use crate::document::{Document, Graph, guarded};
use crate::id::{ActorId, ChangeHash, DeviceId};
use crate::value::{Key, VALUE_BYTES_MAX, Value};

use appending::Frontier;
pub use view::{BEGUN, MultiValue, View, Written};

/// One step of a record's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Where.
    pub key: Key,
    /// What was written.
    pub value: Value,
    /// In which change.
    pub change: ChangeHash,
    /// When, by the writer's clock, in Unix seconds; display only.
    pub time: i64,
    actor: ActorId,
    content: [u8; 32],
}

impl Event {
    /// Whether `device` wrote it.
    pub fn is_of(&self, device: DeviceId) -> bool {
        self.actor == ActorId::of(device, self.content)
    }
}

/// Why a write isn't made. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// A text above [`VALUE_BYTES_MAX`].
    #[error("the text under {key} is longer than {VALUE_BYTES_MAX} bytes")]
    ValueTooLong {
        /// Where.
        key: Key,
    },
    /// More than [`CHANGE_OPS_MAX`] keys, or more bytes than a change can have.
    #[error("too much is written at once")]
    TooLarge,
    /// The device has written [`OPS_OF_DEVICE_MAX`] values of the record: no more of it would count.
    #[error("this device has written too much of the record")]
    Full,
    /// The heads that the writer saw aren't all admitted here.
    #[error("the record has changed in a way that drops what was seen")]
    Unseen,
    /// The record is parked.
    #[error("the record is parked: {0}")]
    Parked(DocumentError),
    /// What was made breaks a rule of admission: a mistake in this program.
    #[error("the change made is not valid: {0}")]
    Invalid(BadChange),
    /// Automerge failed.
    #[error(transparent)]
    Document(#[from] DocumentError),
}

/// A record's state in one space.
///
/// Two states are equal when heads, view, changes set aside and parking are; the saved document is
/// left out, since its bytes depend on the order in which changes were applied.
#[derive(Clone, Debug, Default)]
pub struct RecordState {
    saved: Vec<u8>,
    heads: Vec<ChangeHash>,
    view: View,
    aside: Vec<Aside>,
    parked: Option<DocumentError>,
    /// Of a record that changes are appended to.
    frontier: Option<Frontier>,
}

impl PartialEq for RecordState {
    fn eq(&self, other: &Self) -> bool {
        self.heads == other.heads
            && self.view == other.view
            && self.aside == other.aside
            && self.parked == other.parked
    }
}

impl Eq for RecordState {}

impl RecordState {
    /// The state of a record of which nothing is held.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The state that the changes held make. `held` is all of them, in any order, each with the
    /// device that signed its batch.
    pub fn rebuild(held: &[(DeviceId, &[u8])]) -> Self {
        let Admitted { changes, aside } = admit(held);
        let (mut state, _) = Self::longest(&changes);
        state.aside = aside;
        state
    }

    /// Of the changes held of a record that is parked: the first that can't be taken, in the order that is
    /// the same everywhere. Without it, and what was made on it, the record is whole (R14).
    pub fn first_bad(held: &[(DeviceId, &[u8])]) -> Option<ChangeHash> {
        let admitted = admit(held).changes;
        let (state, good) = Self::longest(&admitted);
        state.parked?;
        admitted.get(good).map(|(change, _)| change.hash)
    }

    /// The state of admitted changes, and how many are in it: all, or if that does not work the longest run
    /// that does, found the same way by everybody, with the record parked.
    fn longest(changes: &[(Change, &[u8])]) -> (Self, usize) {
        let reason = match Self::of(changes) {
            Ok(state) => return (state, changes.len()),
            Err(reason) => reason,
        };
        let (mut good, mut bad) = (0, changes.len());
        let mut state = Self::empty();
        while bad - good > 1 {
            let middle = good + (bad - good) / 2;
            match Self::of(&changes[..middle]) {
                Ok(works) => (good, state) = (middle, works),
                Err(_) => bad = middle,
            }
        }
        state.parked = Some(reason);
        (state, good)
    }

    /// The state with the changes that have `arrived`, each with the device that signed its batch.
    /// This state must be that of all changes held before; `held` gives all of them including those
    /// that arrived, and is asked only when these don't plainly continue what is admitted.
    ///
    /// # Errors
    /// Only those of `held`.
    pub fn add<E>(
        &self,
        arrived: &[(DeviceId, &[u8])],
        held: impl FnOnce() -> Result<Vec<(DeviceId, Vec<u8>)>, E>,
    ) -> Result<RecordState, E> {
        let state = self.join(arrived, held)?;
        let frontier = state.frontier.filter(|_| self.frontier.is_some());
        Ok(Self { frontier, ..state })
    }

    /// The same, with what the next change continues.
    fn join<E>(
        &self,
        arrived: &[(DeviceId, &[u8])],
        held: impl FnOnce() -> Result<Vec<(DeviceId, Vec<u8>)>, E>,
    ) -> Result<RecordState, E> {
        if self.is_deadly() {
            // Merged with what arrives it may end the program once more (R15).
            return Ok(self.clone());
        }
        if self.parked.is_none()
            && let Ok(Some(state)) = guarded(|| self.try_add(arrived))
        {
            return Ok(state);
        }
        let held = held()?;
        let held: Vec<_> = held
            .iter()
            .map(|(device, raw)| (*device, raw.as_slice()))
            .collect();
        Ok(Self::rebuild(&held))
    }

    /// Makes the change that writes `puts` for somebody who saw the record at `seen`, and the state
    /// with it. Only what differs from what was visible there is written, except that a key in
    /// conflict there is settled by any write (R39); a value the writer had not seen stays beside
    /// it. `None` if there is nothing to write. Of several puts of one key the last counts; null
    /// under a key that was never written is no difference.
    ///
    /// `time` is in Unix seconds, for display.
    pub fn write(
        &self,
        device: DeviceId,
        seen: &[ChangeHash],
        puts: &[(Key, Value)],
        time: i64,
    ) -> Result<Option<(Vec<u8>, RecordState)>, WriteError> {
        if let Some(reason) = self.parked {
            return Err(WriteError::Parked(reason));
        }
        let puts: BTreeMap<&Key, &Value> = puts.iter().map(|(key, value)| (key, value)).collect();
        for (key, value) in &puts {
            if value
                .as_text()
                .is_some_and(|text| text.len() > VALUE_BYTES_MAX)
            {
                return Err(WriteError::ValueTooLong {
                    key: (*key).clone(),
                });
            }
        }
        // The guard's error is Automerge's; ours travels inside.
        guarded(|| Ok(self.try_write(device, seen, &puts, time)))?
    }

    /// Whether the program may have ended in a merge of it.
    pub(crate) fn is_deadly(&self) -> bool {
        use DocumentError::{Ended, Suspected};
        matches!(self.parked, Some(Suspected | Ended))
    }

    /// The same, parked.
    pub(crate) fn parked_for(mut self, reason: DocumentError) -> Self {
        self.parked = Some(reason);
        self
    }

    /// The heads of the admitted changes, ascending: what a form remembers of what it showed.
    pub fn heads(&self) -> &[ChangeHash] {
        &self.heads
    }

    /// The values.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The changes held that are not admitted, ascending.
    pub fn aside(&self) -> &[Aside] {
        &self.aside
    }

    /// Why the record is parked, if it is: the view is then the last good one.
    pub fn parked(&self) -> Option<DocumentError> {
        self.parked
    }

    /// The Automerge document as it is kept: a cache of the admitted changes.
    pub fn saved(&self) -> &[u8] {
        &self.saved
    }

    /// Every value ever written, oldest first.
    ///
    /// # Errors
    /// If the saved document can't be loaded: rebuild it.
    pub fn history(&self) -> Result<Vec<Event>, DocumentError> {
        let raws = guarded(|| Ok(Document::load(&self.saved)?.changes()))?;
        let changes: Result<Vec<Change>, _> = raws.iter().map(|raw| Change::parse(raw)).collect();
        let mut changes = changes.map_err(|_| DocumentError::Differs)?;
        // A causal order that is the same on every device.
        changes.sort_by_key(|change| (change.start_op, change.hash));
        let events = changes.into_iter().flat_map(|change| {
            let Change {
                hash,
                content,
                actor,
                time,
                puts,
                ..
            } = change;
            puts.into_iter().map(move |put| Event {
                key: put.key,
                value: put.value,
                change: hash,
                time,
                actor,
                content,
            })
        });
        Ok(events.collect())
    }

    /// The state of admitted changes, nothing set aside.
    fn of(changes: &[(Change, &[u8])]) -> Result<Self, DocumentError> {
        if changes.is_empty() {
            return Ok(Self::empty());
        }
        let mut view = View::default();
        let mut heads = BTreeSet::new();
        for (change, _) in changes {
            view.take(change);
            change.deps.iter().for_each(|dep| {
                heads.remove(dep);
            });
            heads.insert(change.hash);
        }
        let heads: Vec<ChangeHash> = heads.into_iter().collect();
        guarded(|| {
            let mut document = Document::load(&[])?;
            document.apply(changes.iter().map(|(_, raw)| *raw))?;
            let (saved, document) = document.saved(&heads)?;
            view.agrees_wholly(&document)?;
            Ok(Self {
                saved,
                heads,
                view,
                aside: Vec::new(),
                parked: None,
                frontier: None,
            })
        })
    }

    /// The fast way of [`Self::add`]; `None` where a rebuild has to decide.
    fn try_add(&self, arrived: &[(DeviceId, &[u8])]) -> Result<Option<Self>, DocumentError> {
        let mut aside: BTreeSet<Aside> = self.aside.iter().cloned().collect();
        let mut changes = BTreeMap::new();
        for &(device, raw) in arrived {
            match read(device, raw) {
                Ok(change) => {
                    changes.insert((change.start_op, change.hash), (change, device, raw));
                }
                Err(refused) => {
                    aside.insert(refused);
                }
            }
        }
        // What is set aside may wait for a change, be kept for it, or be the change itself. A copy from
        // the wrong device says nothing about the change.
        let concerned = |change: &Change, device: DeviceId| {
            self.aside.iter().any(|aside| match aside.why {
                AsideReason::Invalid(BadChange::Device) => false,
                AsideReason::Waiting { missing } if missing == change.hash => true,
                // Nothing that rests on admitted changes alone has another device's counted.
                AsideReason::Crowded => aside.device == device,
                _ => aside.change == change.hash,
            })
        };
        if (changes.values()).any(|(change, device, _)| concerned(change, *device)) {
            return Ok(None);
        }
        let mut state = self.clone();
        if !changes.is_empty() {
            let mut step = Step::on(self)?;
            for (change, device, raw) in changes.into_values() {
                if step.graph.has(&change.hash) {
                    continue;
                }
                match step.check(&change)? {
                    Judged::Admitted if step.may_be_over(device, &change) => return Ok(None),
                    Judged::Admitted => step.take(&change, raw)?,
                    Judged::Invalid(reason) => {
                        aside.insert(Aside {
                            change: change.hash,
                            device,
                            why: AsideReason::Invalid(reason),
                        });
                    }
                    Judged::Unclear => return Ok(None),
                }
            }
            state = step.finish(self)?;
        }
        state.aside = aside.into_iter().collect();
        Ok(Some(state))
    }

    fn try_write(
        &self,
        device: DeviceId,
        seen: &[ChangeHash],
        puts: &BTreeMap<&Key, &Value>,
        time: i64,
    ) -> Result<Option<(Vec<u8>, RecordState)>, WriteError> {
        let mut step = Step::on(self)?;
        // What was set aside since the form opened, as one of too many, is nothing to rest on.
        let is_aside = |seen: &ChangeHash| self.aside.iter().any(|aside| aside.change == *seen);
        let seen: Vec<ChangeHash> = seen.iter().copied().filter(|it| !is_aside(it)).collect();
        let seen = step.rested_on(device, &seen).ok_or(WriteError::Unseen)?;
        let past = step.graph.past(&seen).ok_or(WriteError::Unseen)?;
        let mut made = Vec::new();
        for (key, value) in puts {
            let visible = if past.whole {
                let slot = self.view.get(key).into_iter().flat_map(MultiValue::values);
                slot.map(|written| (written.op, written.value.clone()))
                    .collect()
            } else {
                step.document.values(key, Some(&seen))?
            };
            let same = match visible.first() {
                Some(_) => visible.iter().all(|(_, old)| old == *value),
                None => value.is_null(),
            };
            if !same {
                let preds = visible.into_iter().map(|(op, _)| op).collect();
                made.push(Put {
                    key: (*key).clone(),
                    value: (*value).clone(),
                    preds,
                });
            }
        }
        if made.is_empty() {
            return Ok(None);
        }
        if made.len() > CHANGE_OPS_MAX {
            return Err(WriteError::TooLarge);
        }
        if step.is_full(device, made.len()) {
            return Err(WriteError::Full);
        }
        let start_op = past.end.saturating_add(1);
        // The same edit again, on the same and in the same second, would be the same change.
        let is_known = |change: &Change| {
            let mut aside = self.aside.iter();
            step.graph.has(&change.hash) || aside.any(|aside| aside.change == change.hash)
        };
        let make = |time| Change::make(seen.clone(), device, start_op, time, made.clone());
        let mut times = time.clamp(0, TIME_MAX)..=TIME_MAX;
        let found = times.find_map(|time| Some(make(time)).filter(|(change, _)| !is_known(change)));
        let (change, raw) = found.ok_or(WriteError::Invalid(BadChange::Time))?;
        match Change::parse(&raw) {
            Ok(read) if read == change => {}
            Ok(_) => return Err(WriteError::Invalid(BadChange::NotCanonical)),
            Err(BadChange::TooLong | BadChange::Dependencies | BadChange::Predecessors) => {
                return Err(WriteError::TooLarge);
            }
            Err(reason) => return Err(WriteError::Invalid(reason)),
        }
        match step.check(&change)? {
            Judged::Admitted => {}
            Judged::Invalid(reason) => return Err(WriteError::Invalid(reason)),
            Judged::Unclear => return Err(WriteError::Unseen),
        }
        step.take(&change, &raw)?;
        let state = step.finish(self)?;
        let frontier = state.frontier.filter(|_| self.frontier.is_some());
        Ok(Some((raw, Self { frontier, ..state })))
    }
}

/// Changes of its own beside what its form showed, from which on a writer rests on them too.
const OWN_BESIDE_MAX: usize = BESIDE_MAX / 4;

/// What a change of a writer rests on, at most: 2 KiB of the 8 of a batch.
const RESTED_ON_MAX: usize = 64;

/// A state on its way to the next one: the document is loaded, changes go in one by one.
struct Step {
    document: Document,
    graph: Graph,
    view: View,
    touched: BTreeSet<Key>,
}

/// What can be said of a change without looking at what else is held.
enum Judged {
    Admitted,
    Invalid(BadChange),
    Unclear,
}

impl Step {
    fn on(state: &RecordState) -> Result<Self, DocumentError> {
        let document = Document::load(&state.saved)?;
        let graph = document.graph();
        Ok(Self {
            document,
            graph,
            view: state.view.clone(),
            touched: BTreeSet::new(),
        })
    }

    /// What a change of `device` rests on, whose writer saw `seen`: that, and what the device itself
    /// wrote beside it where that is much, so that it never has too many changes side by side. Of very
    /// many the newest, so that a change fits a batch however wide others made the record; the rest stays
    /// beside it. `None` if something seen is not admitted.
    fn rested_on(&self, device: DeviceId, seen: &[ChangeHash]) -> Option<Vec<ChangeHash>> {
        let all = self.seen_and_own(device, seen)?;
        Some(match all.len() > RESTED_ON_MAX {
            true => self.graph.newest(all, RESTED_ON_MAX),
            false => all,
        })
    }

    fn seen_and_own(&self, device: DeviceId, seen: &[ChangeHash]) -> Option<Vec<ChangeHash>> {
        if self.graph.past(seen)?.whole {
            return Some(seen.to_vec());
        }
        let is_own = |hash: &ChangeHash| {
            let change = self.document.change(hash);
            change.is_some_and(|raw| Change::parse(&raw).is_ok_and(|it| it.is_of(device)))
        };
        let beside = self.graph.beside(seen);
        if beside.len() < OWN_BESIDE_MAX {
            return Some(seen.to_vec());
        }
        let own = self
            .graph
            .tops(&beside.into_iter().filter(is_own).collect());
        if own.len() < OWN_BESIDE_MAX {
            return Some(seen.to_vec());
        }
        let all = seen.iter().copied().chain(own).collect();
        Some(self.graph.tops(&all))
    }

    /// Whether a device may have too many changes side by side with this one, or too much in all:
    /// everything held has to be looked at then.
    fn may_be_over(&self, device: DeviceId, change: &Change) -> bool {
        let (deps, start_op) = (&change.deps, change.start_op);
        self.graph.is_wide(deps, start_op, BESIDE_MAX) || self.is_full(device, change.puts.len())
    }

    /// Whether so many operations more are too many for one device.
    fn is_full(&self, device: DeviceId, more: usize) -> bool {
        if self.graph.ops() + more <= OPS_OF_DEVICE_MAX {
            return false;
        }
        let own = |raw: &Vec<u8>| {
            let change = Change::parse(raw).ok()?;
            change.is_of(device).then_some(change.puts.len())
        };
        let own: usize = self.document.changes().iter().filter_map(own).sum();
        own + more > OPS_OF_DEVICE_MAX
    }

    /// The rules of [`crate::admit`], in its order, for a change whose whole past is admitted.
    fn check(&self, change: &Change) -> Result<Judged, DocumentError> {
        let Some(past) = self.graph.past(&change.deps) else {
            return Ok(Judged::Unclear);
        };
        if change.start_op != past.end + 1 {
            return Ok(Judged::Invalid(BadChange::StartOp));
        }
        for put in &change.puts {
            let visible = if past.whole {
                self.view
                    .get(&put.key)
                    .map_or_else(Vec::new, MultiValue::ops)
            } else {
                let values = self.document.values(&put.key, Some(&change.deps))?;
                values.into_iter().map(|(op, _)| op).collect()
            };
            if visible != put.preds {
                return Ok(Judged::Invalid(BadChange::NotVisible));
            }
        }
        Ok(Judged::Admitted)
    }

    fn take(&mut self, change: &Change, raw: &[u8]) -> Result<(), DocumentError> {
        self.document.apply([raw])?;
        self.graph.add(change);
        self.view.take(change);
        self.touched
            .extend(change.puts.iter().map(|put| put.key.clone()));
        Ok(())
    }

    fn finish(self, before: &RecordState) -> Result<RecordState, DocumentError> {
        if self.touched.is_empty() {
            return Ok(before.clone());
        }
        let heads = self.graph.heads();
        let (saved, document) = self.document.saved(&heads)?;
        if before.has_appended() {
            self.view.agrees_wholly(&document)?;
        } else {
            self.touched
                .iter()
                .try_for_each(|key| self.view.agrees(&document, key))?;
        }
        let aside = before.aside.clone();
        Ok(RecordState {
            saved,
            heads,
            view: self.view,
            aside,
            parked: None,
            frontier: Some(Frontier::of(&self.graph)),
        })
    }
}

#[cfg(test)]
mod tests;
