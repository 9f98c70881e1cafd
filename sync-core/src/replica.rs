//! The phone's side: everything one device holds, as a state machine without I/O.
//!
//! Every step is *prepare* then *apply*. `prepare_…` may fail and changes nothing; it gives a
//! [`Prepared`] with the rows to persist. The host writes them in one transaction and then calls
//! [`Replica::apply`], which can't fail and hands out the outcome (the bytes to send, for an
//! exchange). If persisting fails the outcome is unknown: drop the replica and open it again (R8).

mod cache;
mod edit;
mod open;
mod shown;

use std::collections::{BTreeMap, BTreeSet};

use plan::Package;

use crate::batch::{self, Batch, Entry};
use crate::check::{self, Problem};
use crate::control::Control;
use crate::control_repair::EntriesToShow;
use crate::feed::{Feed, Node, Vector};
use crate::id::{AuthorId, BatchHash, ChangeHash, Class, DeviceId, RecordId, Space, Subject};
use crate::quarantine::{HeldChange, Quarantine, effective_changes};
use crate::record::{RecordState, WriteError};
use crate::renew::Renewal;
use crate::row::{ReadRows, Row, Table, Unreadable};
use crate::state::Staged;
use crate::stored;
use crate::value::{Key, Value};

pub use crate::state::{DeviceIdentity, ServerState};
pub use crate::view::{RecordValues, values_of_class};
use cache::Cache;
pub use edit::{Edit, EditError, Edited};
pub use open::{EachRow, OpenError, OpenReport};

/// What the host knows and the core must not fetch: the time and randomness.
pub struct Context<'a> {
    /// Unix seconds by the device's clock; for display only (R27).
    pub now: i64,
    /// The last day that is not in the future, `YYYY-MM-DD` ([`ServerState::not_future_before`]).
    pub today: &'a str,
    /// The operating system's randomness, or a seeded one in the simulator.
    pub rng: &'a mut dyn rand_core::CryptoRng,
}

impl Context<'_> {
    /// `N` fresh random bytes.
    pub fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }
}

/// A step that is ready: rows for the host to persist, then [`Replica::apply`].
#[derive(Default)]
#[must_use = "a prepared step does nothing until its rows are durable and it is applied"]
pub struct Prepared<T> {
    /// What to persist, in one transaction.
    pub rows: Vec<Row>,
    pub(crate) steps: Vec<Step>,
    pub(crate) outcome: T,
}

impl<T> Prepared<T> {
    /// Adds a row with the change of memory that it stands for.
    pub(crate) fn put(&mut self, row: Row, step: Step) {
        self.rows.push(row);
        self.steps.push(step);
    }

    /// The same step with another outcome.
    pub(crate) fn with<U>(self, outcome: U) -> Prepared<U> {
        Prepared {
            rows: self.rows,
            steps: self.steps,
            outcome,
        }
    }

    /// The records that were merged to prepare it.
    pub fn merged(&self) -> impl Iterator<Item = (&Space, RecordId)> {
        self.steps.iter().filter_map(|step| match step {
            Step::Merged(space, record, _) => Some((space, *record)),
            _ => None,
        })
    }

    /// Whether the step takes something out of the store for good: once its rows are durable the host
    /// leaves no trace of what they replace, in logs and free pages neither (R30).
    pub fn erases(&self) -> bool {
        let erases = |step: &Step| match step {
            Step::Forget(..) => true,
            Step::Orphan(_, _, changes) => changes.is_empty(),
            _ => false,
        };
        self.steps.iter().any(erases)
    }
}

/// A change of memory that can't fail.
pub(crate) enum Step {
    /// An edit was made in a record.
    Record(Space, RecordId, Box<RecordState>),
    /// All that is held of a record is in its state.
    Merged(Space, RecordId, Box<RecordState>),
    /// A merge of the record ended the program.
    Parked(Space, RecordId, Box<RecordState>),
    /// Changes of a record are held that are not in its state yet: of one message, or of several.
    Behind(Space, RecordId, Waits),
    Stage(Space, u64, Staged),
    Unstage(Space, u64),
    Hold {
        space: Space,
        device: DeviceId,
        node: Node,
        records: BTreeSet<RecordId>,
    },
    Stash(Space, BatchHash, Vec<u8>),
    Unstash(Space, BatchHash),
    Control(Box<Control>),
    Base(Space, (u64, Vector)),
    Locators(Space, BTreeSet<DeviceId>),
    Server(ServerState),
    Refused(BatchHash),
    Receipt(Space, Vec<u8>),
    Plain(bool),
    /// A record was erased.
    Forget(Space, RecordId),
    /// What is kept of an erased record; nothing any more if there are none.
    Orphan(Space, RecordId, Vec<Vec<u8>>),
    EntriesToShow(EntriesToShow),
    Safe(Space, Vector),
    Identity(DeviceIdentity),
}

impl Step {
    /// A batch becomes one of its feed.
    pub(crate) fn hold(batch: &Batch) -> Self {
        Self::Hold {
            space: batch.header.space.clone(),
            device: batch.header.device,
            node: batch.node(),
            records: batch.entries.iter().map(|entry| entry.record).collect(),
        }
    }
}

/// How a record that is behind comes up to what is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waits {
    /// The message that brought its changes goes on with them.
    ForItsMessage,
    /// It is made again from all that is held.
    ForRebuild,
}

/// What is held of one space.
#[derive(Debug, Default)]
pub(crate) struct SpaceReplica {
    pub(crate) feeds: BTreeMap<DeviceId, Feed>,
    pub(crate) records: BTreeMap<RecordId, RecordState>,
    /// Records of which changes are held that their states lack. They have no row, and whoever opens the
    /// store makes them again; or one that is suspected ([`Replica::mark_merges`]).
    pub(crate) behind: BTreeMap<RecordId, Waits>,
    /// The batches that carry changes of a record: where a rebuild finds them.
    pub(crate) touched: BTreeMap<RecordId, BTreeSet<BatchHash>>,
    pub(crate) staged: BTreeMap<u64, Staged>,
    pub(crate) stash: BTreeMap<BatchHash, Vec<u8>>,
    /// The server's counter and vector when it last told them.
    pub(crate) base: (u64, Vector),
    /// Feeds of which the server knew none of our tips in its last answer (R3).
    pub(crate) locators_wanted: BTreeSet<DeviceId>,
    /// The server's newest acknowledgement that can be passed on.
    pub(crate) receipt: Option<Vec<u8>>,
    /// Changes of erased records that their author decides on.
    pub(crate) orphaned: BTreeMap<RecordId, Vec<Vec<u8>>>,
    /// What survives the loss of the server, as it has told (R23).
    pub(crate) safe: Vector,
}

impl SpaceReplica {
    pub(crate) fn vector(&self) -> Vector {
        Vector::of(&self.feeds)
    }

    fn insert(&mut self, device: DeviceId, node: Node, records: BTreeSet<RecordId>) {
        for record in records {
            self.touched.entry(record).or_default().insert(node.hash);
        }
        self.feeds.entry(device).or_default().insert(node);
    }
}

/// Everything one device holds.
#[derive(Debug)]
pub struct Replica {
    pub(crate) me: DeviceIdentity,
    pub(crate) control: Control,
    pub(crate) spaces: BTreeMap<Space, SpaceReplica>,
    pub(crate) server: ServerState,
    /// Batches that the server would not hold; not offered again before the next opening.
    pub(crate) refused: BTreeSet<BatchHash>,
    /// References did not resolve lately: messages refer to nothing, both ways.
    pub(crate) plain: bool,
    /// What the server seems to have lost of the control feed.
    pub(crate) entries_to_show: EntriesToShow,
    /// New keys that the server is asked to let in.
    pub(crate) renewal: Option<Renewal>,
    /// The host marks what it is about to merge ([`Replica::mark_merges`]).
    pub(crate) marks_merges: bool,
    cache: Cache,
}

/// Batches that don't count by themselves.
pub(crate) type Quarantined = BTreeMap<BatchHash, Quarantine>;

impl Replica {
    /// A replica of a device that has just been enrolled: the control entries it was given, and
    /// what its server's answer said ([`ServerState::enrolled`]).
    pub fn new(me: DeviceIdentity, control: Control, hub: ServerState) -> Self {
        Self::with(me, control, hub)
    }

    fn with(me: DeviceIdentity, control: Control, hub: ServerState) -> Self {
        let mut replica = Self {
            me,
            control,
            spaces: BTreeMap::new(),
            server: hub,
            refused: BTreeSet::new(),
            plain: false,
            entries_to_show: EntriesToShow::default(),
            renewal: None,
            marks_merges: false,
            cache: Cache::default(),
        };
        replica.make_spaces();
        replica
    }

    /// The rows of a new replica, to be persisted before it is used.
    pub fn first_rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = self
            .control
            .entries()
            .zip(0u64..)
            .map(|(entry, arrival)| stored::control_row(arrival, entry))
            .collect();
        rows.push(stored::me_row(&self.me));
        rows.push(stored::hub_row(&self.server));
        rows
    }

    /// All changes held of a record: of its batches, of `fresh` batches that are not rows yet, and
    /// of staged edits.
    pub(crate) fn changes_of(
        &self,
        rows: &dyn ReadRows,
        space: &Space,
        record: RecordId,
        fresh: &[&Batch],
        quarantined: &Quarantined,
        control: &Control,
    ) -> Result<Vec<(DeviceId, Vec<u8>)>, Unreadable> {
        let mut changes = BTreeSet::new();
        let mut take = |batch: &Batch| {
            let counts = !quarantined.contains_key(&batch.hash);
            for entry in batch.entries.iter().filter(|entry| entry.record == record) {
                changes.insert((batch.header.device, counts, entry.change.clone()));
            }
        };
        let held = self.spaces.get(space);
        for hash in held
            .and_then(|held| held.touched.get(&record))
            .into_iter()
            .flatten()
        {
            let bytes = rows.read(Table::Batch, &stored::batch_key(space, *hash))?;
            if let Some(batch) = bytes.and_then(|b| Batch::from_store(self.me.network, &b).ok()) {
                take(&batch);
            }
        }
        fresh.iter().for_each(|batch| take(batch));
        for staged in held.into_iter().flat_map(|held| held.staged.values()) {
            if staged.entry.record == record {
                changes.insert((self.me.device, true, staged.entry.change.clone()));
            }
        }
        let held = changes
            .into_iter()
            .map(|(device, counts, change)| HeldChange {
                device,
                in_effect: counts,
                change,
            });
        Ok(effective_changes(
            held.collect(),
            control.excluded_changes(space, record),
        ))
    }

    /// The batches held of a space that don't count by themselves, as `control` says, once `fresh` nodes
    /// are held too.
    pub(crate) fn quarantined(
        &self,
        control: &Control,
        space: &Space,
        fresh: &BTreeMap<(Space, DeviceId), BTreeMap<BatchHash, Node>>,
    ) -> Quarantined {
        let mut quarantined = Quarantined::new();
        for device in control.cut_devices() {
            let held = self.spaces.get(space);
            let held = held.and_then(|held| held.feeds.get(&device));
            let mut feed = held.cloned().unwrap_or_default();
            let fresh = fresh.get(&(space.clone(), device));
            for node in fresh.into_iter().flat_map(BTreeMap::values) {
                feed.insert(node.clone());
            }
            quarantined.extend(control.quarantined(space, device, &feed));
        }
        quarantined
    }

    /// The spaces that are held here and were taken from this device: the host erases what is sealed
    /// under their keys, then calls [`Replica::forget`]. A device that has lost everything keeps what
    /// it has, since it is not served and may hold what nobody else has. So does one whose enrolment is
    /// not known: the row was lost, and an exchange brings it back.
    pub fn lost_spaces(&self) -> Vec<Space> {
        let enrolment = self.control.enrolment(self.me.device);
        if enrolment.is_none() || self.control.revoked(self.me.device).is_some() {
            return Vec::new();
        }
        let lost = |space: &&Space| !self.control.holds(self.me.device, space);
        self.spaces.keys().filter(lost).cloned().collect()
    }

    /// Forgets a space whose rows are gone.
    pub fn forget(&mut self, space: &Space) {
        self.spaces.remove(space);
        self.cache.forget(space.unit());
    }

    /// What is held of a space, from now on if nothing was.
    fn held_mut(&mut self, space: Space) -> &mut SpaceReplica {
        self.spaces.entry(space).or_default()
    }

    /// Makes room for every space of this device's grants.
    pub(crate) fn make_spaces(&mut self) {
        for space in self.control.grants(self.me.device).unwrap_or_default() {
            self.spaces.entry(space).or_default();
        }
    }

    /// Does what was prepared; its rows must be durable.
    pub fn apply<T>(&mut self, prepared: Prepared<T>) -> T {
        for step in prepared.steps {
            self.step(step);
        }
        prepared.outcome
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Record(space, record, state) => {
                self.cache.touched(space.unit(), record);
                self.held_mut(space).records.insert(record, *state);
            }
            Step::Merged(space, record, state) | Step::Parked(space, record, state) => {
                self.cache.touched(space.unit(), record);
                let held = self.held_mut(space);
                held.records.insert(record, *state);
                held.behind.remove(&record);
            }
            Step::Behind(space, record, waits) => {
                self.held_mut(space).behind.insert(record, waits);
            }
            Step::Stage(space, number, staged) => {
                self.held_mut(space).staged.insert(number, staged);
            }
            Step::Unstage(space, number) => {
                self.held_mut(space).staged.remove(&number);
            }
            Step::Hold {
                space,
                device,
                node,
                records,
            } => {
                self.held_mut(space).insert(device, node, records);
            }
            Step::Stash(space, hash, bytes) => {
                self.held_mut(space).stash.insert(hash, bytes);
            }
            Step::Unstash(space, hash) => {
                self.held_mut(space).stash.remove(&hash);
            }
            Step::Control(control) => {
                self.control = *control;
                self.cache.clear();
                self.make_spaces();
            }
            Step::Base(space, base) => self.held_mut(space).base = base,
            Step::Locators(space, wanted) => {
                self.held_mut(space).locators_wanted = wanted;
            }
            Step::Server(hub) => self.server = hub,
            Step::Refused(hash) => drop(self.refused.insert(hash)),
            Step::Receipt(space, receipt) => self.held_mut(space).receipt = Some(receipt),
            Step::Plain(plain) => self.plain = plain,
            Step::Forget(space, record) => {
                self.cache.touched(space.unit(), record);
                let held = self.held_mut(space);
                held.records.remove(&record);
                held.touched.remove(&record);
                held.behind.remove(&record);
            }
            Step::Orphan(space, record, changes) => {
                let kept = &mut self.held_mut(space).orphaned;
                match changes.is_empty() {
                    true => drop(kept.remove(&record)),
                    false => drop(kept.insert(record, changes)),
                }
            }
            Step::EntriesToShow(entries_to_show) => self.entries_to_show = entries_to_show,
            Step::Safe(space, safe) => self.held_mut(space).safe = safe,
            Step::Identity(me) => {
                self.me = me;
                self.renewal = None;
                self.make_spaces();
            }
        }
    }

    /// The server does not know this device: the next request shows its enrolment (R21).
    pub fn show_enrolment(&mut self) {
        self.entries_to_show.unknown_to_server = true;
    }

    /// Asks for these new keys with every request, until [`Replica::prepare_renewal`].
    pub fn ask_for_renewal(&mut self, renewal: Renewal) {
        self.renewal = Some(renewal);
    }

    /// Prepares that this replica is another device from now on, once the server has let in the new
    /// keys and has everything that was written with the old ones. Until then nothing is to be done.
    pub fn prepare_renewal(&self) -> Prepared<Option<DeviceId>> {
        let renewed = self.renewal.as_ref().map(Renewal::device);
        let ready =
            |device: &DeviceId| self.control.enrolment(*device).is_some() && !self.has_unsent();
        let outcome = renewed.filter(ready);
        let me = outcome.map(|device| DeviceIdentity { device, ..self.me });
        Prepared {
            rows: me.iter().map(stored::me_row).collect(),
            steps: me.into_iter().map(Step::Identity).collect(),
            outcome,
        }
    }

    /// What of a space survives the loss of the server, as far as it has told: it stands in a
    /// verified backup or in the journal. Nothing beyond it may be pruned here (R54).
    pub fn safe(&self, space: &Space) -> Vector {
        let held = self.spaces.get(space);
        held.map(|held| held.safe.clone()).unwrap_or_default()
    }

    /// Whether all that is held here stands in a verified backup of the server or in its journal too, as far
    /// as is known (R23).
    pub fn all_is_safe(&self) -> bool {
        let mut held = self.spaces.values();
        held.all(|held| held.staged.is_empty() && held.vector() == held.safe)
    }

    /// What is held of each space and how many edits are staged there: whether anything came since.
    pub fn holdings(&self) -> Vec<(Space, Vector, usize)> {
        let spaces = self.spaces.iter();
        spaces
            .map(|(space, held)| (space.clone(), held.vector(), held.staged.len()))
            .collect()
    }

    /// Puts a record's state in, as an exchange would: for tests of what merges leave behind.
    #[cfg(test)]
    pub(crate) fn put_record(&mut self, space: &Space, record: RecordId, state: RecordState) {
        self.step(Step::Record(space.clone(), record, Box::new(state)));
    }

    /// Who this is.
    pub fn me(&self) -> DeviceIdentity {
        self.me
    }

    /// The control state held.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// The newest plan package held.
    pub fn package(&self) -> Option<&Package> {
        self.control.package()
    }

    /// What is remembered of the server.
    pub fn hub(&self) -> &ServerState {
        &self.server
    }

    /// The spaces this device holds.
    pub fn spaces(&self) -> impl Iterator<Item = &Space> {
        self.spaces.keys()
    }

    /// The vector of a space.
    pub fn vector(&self, space: &Space) -> Vector {
        self.spaces
            .get(space)
            .map(SpaceReplica::vector)
            .unwrap_or_default()
    }

    /// A record's state in one space.
    pub fn record(&self, space: &Space, record: RecordId) -> Option<&RecordState> {
        self.spaces.get(space)?.records.get(&record)
    }

    /// The records of a space of which changes are held that they do not show yet, while what brought them
    /// is merged slice by slice; and those that were made again at the opening and have no row yet.
    pub fn behind(&self, space: &Space) -> impl Iterator<Item = RecordId> {
        let held = self.spaces.get(space);
        held.into_iter()
            .flat_map(|held| held.behind.keys().copied())
    }

    pub(crate) fn is_behind(&self, space: &Space, record: RecordId) -> bool {
        let held = self.spaces.get(space);
        held.is_some_and(|held| held.behind.contains_key(&record))
    }

    /// All records of a space.
    pub fn records(&self, space: &Space) -> impl Iterator<Item = (RecordId, &RecordState)> {
        let records = self.spaces.get(space).map(|held| &held.records);
        records
            .into_iter()
            .flatten()
            .map(|(record, state)| (*record, state))
    }

    /// The batches held that carry changes of a record, in any order. What does not read is left out.
    pub fn batches_of(
        &self,
        rows: &dyn ReadRows,
        record: RecordId,
    ) -> Result<Vec<Batch>, Unreadable> {
        let mut batches = Vec::new();
        for (space, held) in &self.spaces {
            for hash in held.touched.get(&record).into_iter().flatten() {
                let bytes = rows.read(Table::Batch, &stored::batch_key(space, *hash))?;
                let batch = bytes.and_then(|bytes| Batch::from_store(self.me.network, &bytes).ok());
                batches.extend(batch);
            }
        }
        Ok(batches)
    }

    /// Saved changes that the server is not known to hold.
    pub fn unsent(&self) -> usize {
        let of_space = |held: &SpaceReplica| {
            let feed = held.feeds.get(&self.me.device);
            let missing = feed.map(|feed| feed.missing(held.base.1.tips(self.me.device)));
            let missing: BTreeSet<BatchHash> = missing
                .into_iter()
                .flatten()
                .map(|node| node.hash)
                .collect();
            let changes = match missing.is_empty() {
                true => 0,
                false => {
                    let of_records = held.touched.values().flatten();
                    of_records.filter(|hash| missing.contains(hash)).count()
                }
            };
            changes + held.staged.len()
        };
        self.spaces.values().map(of_space).sum()
    }

    /// Changes and batches that are held and wait for something that has not come yet.
    pub fn waiting(&self) -> usize {
        self.spaces
            .values()
            .map(|held| {
                let aside: usize = held.records.values().map(|state| state.aside().len()).sum();
                aside + held.stash.len()
            })
            .sum()
    }
}

#[cfg(test)]
mod tests;
