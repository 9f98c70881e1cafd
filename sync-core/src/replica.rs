//! The phone's side: everything one device holds, as a state machine without I/O.
//!
//! Every step is *prepare* then *apply*. `prepare_…` may fail and changes nothing; it gives a
//! [`Prepared`] with the rows to persist. The host writes them in one transaction and then calls
//! [`Replica::apply`], which can't fail and hands out the outcome (the bytes to send, for an
//! exchange). If persisting fails the outcome is unknown: drop the replica and open it again (R8).

use std::collections::{BTreeMap, BTreeSet};

use plan::Package;

use crate::batch::{self, Batch, Entry};
use crate::check::{self, Problem};
use crate::control::Control;
use crate::feed::{Feed, Node, Vector};
use crate::id::{
    ActorId, AuthorId, BatchHash, ChangeHash, Class, DeviceId, Incarnation, NetworkId, RecordId,
    Space,
};
use crate::record::{RecordState, Slot, WriteError};
use crate::row::{ReadRows, Row, Table, Unreadable};
use crate::stored;
use crate::value::{Key, Value};

/// Who a replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Me {
    /// The installation.
    pub network: NetworkId,
    /// This device.
    pub device: DeviceId,
}

/// What the host knows and the core must not fetch: the time and randomness.
pub struct Context<'a> {
    /// Unix seconds by the device's clock; for display only (R27).
    pub now: i64,
    /// Today by the device's clock, `YYYY-MM-DD`; for the check against future dates.
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
#[must_use = "a prepared step does nothing until its rows are durable and it is applied"]
pub struct Prepared<T> {
    /// What to persist, in one transaction.
    pub rows: Vec<Row>,
    pub(crate) steps: Vec<Step>,
    pub(crate) outcome: T,
}

/// A change of memory that can't fail.
pub(crate) enum Step {
    Actor([u8; 8]),
    Record(Space, RecordId, Box<RecordState>),
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
    Ladders(Space, BTreeSet<DeviceId>),
    Hub(HubState),
    Refused(BatchHash),
}

/// What a replica remembers of its server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HubState {
    /// The server database's life whose counters are known.
    pub incarnation: Option<Incarnation>,
    /// The nonce for the next request.
    pub nonce: [u8; 16],
    /// When an exchange last came through, by the device's clock, Unix seconds.
    pub last_exchange: Option<i64>,
    /// How many seconds the device's clock was ahead of the server's when that was last heard.
    pub clock_ahead: i64,
    /// The server's clock when it was last heard, Unix seconds; 0 if never.
    pub heard: i64,
}

/// A date after every other, for a device that can't tell which day it is.
const NO_DAY_IS_FUTURE: i64 = i64::MAX;

impl HubState {
    /// What is known of the server right after it has let this device in. `now` is the device's
    /// clock, `time` the server's, in Unix seconds.
    pub fn enrolled(incarnation: Incarnation, nonce: [u8; 16], now: i64, time: i64) -> Self {
        Self {
            incarnation: Some(incarnation),
            nonce,
            last_exchange: None,
            clock_ahead: now.saturating_sub(time),
            heard: time,
        }
    }

    /// The true time as far as it is known here, Unix seconds: the device's clock, set right by
    /// what the server's showed, and never before what that has shown already.
    pub fn true_time(&self, now: i64) -> i64 {
        now.saturating_sub(self.clock_ahead).max(self.heard)
    }

    /// The latest moment of which it may be said that it is not in the future: the true time, or
    /// the end of all days if the clock was set back since (an empty battery): a date typed by
    /// somebody who knows the day is not refused by a phone that doesn't (R27).
    pub fn not_future_before(&self, now: i64) -> i64 {
        if now.saturating_sub(self.clock_ahead) < self.heard {
            NO_DAY_IS_FUTURE
        } else {
            self.true_time(now)
        }
    }
}

/// A saved edit that no batch holds yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Staged {
    pub(crate) entry: Entry,
    pub(crate) author: AuthorId,
    pub(crate) dictionary: u32,
}

/// What is held of one space.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) feeds: BTreeMap<DeviceId, Feed>,
    pub(crate) records: BTreeMap<RecordId, RecordState>,
    /// The batches that carry changes of a record: where a rebuild finds them.
    pub(crate) touched: BTreeMap<RecordId, BTreeSet<BatchHash>>,
    pub(crate) staged: BTreeMap<u64, Staged>,
    pub(crate) stash: BTreeMap<BatchHash, Vec<u8>>,
    /// The server's counter and vector when it last told them.
    pub(crate) base: (u64, Vector),
    /// Feeds of which the server knew none of our tips in its last answer (R3).
    pub(crate) ladders_wanted: BTreeSet<DeviceId>,
}

impl Held {
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
    pub(crate) me: Me,
    pub(crate) control: Control,
    pub(crate) spaces: BTreeMap<Space, Held>,
    pub(crate) hub: HubState,
    pub(crate) actor: Option<[u8; 8]>,
    /// Batches that the server would not hold; not offered again before the next opening.
    pub(crate) refused: BTreeSet<BatchHash>,
}

/// What was wrong with a store that could be opened all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// Rows that did not read; what they held is fetched again or rebuilt where possible.
    pub unreadable_rows: usize,
    /// Records rebuilt from their batches.
    pub rebuilt: usize,
}

/// How a host hands out all values of a table, in any order.
pub type EachRow<'a> = dyn FnMut(Table, &mut dyn FnMut(Vec<u8>)) -> Result<(), Unreadable> + 'a;

/// What an edit is made of.
#[derive(Clone, Debug)]
pub struct Edit {
    /// The record to write to; drawn when the form opened, so that saving twice is one record (R41).
    pub record: RecordId,
    /// The org unit whose spaces take it.
    pub unit: String,
    /// The person who writes.
    pub author: AuthorId,
    /// What was set; unchanged values are left out when the edit is made.
    pub puts: Vec<(Key, Value)>,
    /// The heads that the form showed, by class; what is not named was seen as it is now (R39).
    pub seen: BTreeMap<Class, Vec<ChangeHash>>,
}

/// Why an edit was not saved. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// Values break the dictionary; the person who typed them can mend it.
    #[error("the values break the dictionary")]
    Problems(Vec<Problem>),
    /// No plan package has reached this device yet.
    #[error("the device has no plan package yet")]
    NoPackage,
    /// The device holds no space for this unit and class.
    #[error("the device does not hold {} of {unit}", class.key())]
    NotGranted {
        /// The org unit.
        unit: String,
        /// The class.
        class: Class,
    },
    /// The edit is over the size that one batch takes.
    #[error("the edit is too large to be sent")]
    TooLarge,
    /// The record could not be written; reopening the store rebuilds it.
    #[error("the record could not be written")]
    Record(#[source] WriteError),
    /// The host could not read a row.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// The values of a record over its classes, by key.
pub type Shown<'a> = BTreeMap<&'a Key, &'a Slot>;

/// What a record shows in the space of one class. Keys of sections that the plan puts into another
/// class are left out: no honest device writes them here, and a hostile one must not stand in
/// another space's place. Keys that the plan does not know are kept.
pub fn shown_of<'a>(
    package: Option<&'a Package>,
    class: Class,
    state: &'a RecordState,
) -> impl Iterator<Item = (&'a Key, &'a Slot)> {
    let belongs = move |key: &Key| {
        let of = package.and_then(|package| check::class_of(package, key));
        of.is_none_or(|of| of == class)
    };
    state.view().iter().filter(move |(key, _)| belongs(key))
}

/// What saving changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edited {
    /// Changes staged; 0 when every value stood there already.
    pub changes: usize,
}

impl Replica {
    /// A replica of a device that has just been enrolled: the control entries it was given, and
    /// what its server's answer said ([`HubState::enrolled`]).
    pub fn new(me: Me, control: Control, hub: HubState) -> Self {
        Self::with(me, control, hub)
    }

    fn with(me: Me, control: Control, hub: HubState) -> Self {
        let mut replica = Self {
            me,
            control,
            spaces: BTreeMap::new(),
            hub,
            actor: None,
            refused: BTreeSet::new(),
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
        rows.push(stored::hub_row(&self.hub));
        rows
    }

    /// Opens a replica from all rows of its store (any order within a table).
    ///
    /// Rows that don't read are counted, not fatal: a record is rebuilt from its batches, a batch
    /// comes again with the next exchange. Without the row that says who this is there is nothing
    /// to open.
    pub fn open(
        rows: &dyn ReadRows,
        each: &mut EachRow<'_>,
    ) -> Result<(Self, OpenReport), OpenError> {
        let mut report = OpenReport::default();
        let me = rows
            .read(Table::Meta, stored::ME)?
            .ok_or(OpenError::NotEnrolled)?;
        let me = stored::read_me(&me).ok_or(OpenError::NotEnrolled)?;
        let hub = rows.read(Table::Meta, stored::HUB)?;
        let hub = hub
            .and_then(|bytes| stored::read_hub(&bytes))
            .unwrap_or_default();
        let mut replica = Self::with(me, Control::new(me.network), hub);

        let mut entries = BTreeMap::new();
        each(
            Table::Control,
            &mut |value| match stored::read_control(&value) {
                Some((arrival, bytes)) => drop(entries.insert(arrival, bytes)),
                None => report.unreadable_rows += 1,
            },
        )?;
        for bytes in entries.into_values() {
            match replica.control.check(&bytes) {
                Ok(Some(entry)) => replica.control.apply(entry),
                Ok(None) => {}
                Err(_) => report.unreadable_rows += 1,
            }
        }
        replica.make_spaces();

        each(
            Table::Batch,
            &mut |value| match Batch::from_store(me.network, &value) {
                Ok(batch) => {
                    let held = replica
                        .spaces
                        .entry(batch.header.space.clone())
                        .or_default();
                    let records = batch.entries.iter().map(|entry| entry.record).collect();
                    held.insert(batch.header.device, batch.node(), records);
                }
                Err(_) => report.unreadable_rows += 1,
            },
        )?;
        replica.mend_feeds();
        each(
            Table::Record,
            &mut |value| match stored::read_record(&value) {
                Some((space, record, state)) => {
                    replica
                        .spaces
                        .entry(space)
                        .or_default()
                        .records
                        .insert(record, state);
                }
                None => report.unreadable_rows += 1,
            },
        )?;
        each(
            Table::Staged,
            &mut |value| match stored::read_staged(&value) {
                Some((space, number, staged)) => {
                    replica
                        .spaces
                        .entry(space)
                        .or_default()
                        .staged
                        .insert(number, staged);
                }
                None => report.unreadable_rows += 1,
            },
        )?;
        each(
            Table::Stash,
            &mut |value| match Batch::from_store(me.network, &value) {
                Ok(batch) => {
                    let held = replica
                        .spaces
                        .entry(batch.header.space.clone())
                        .or_default();
                    held.stash.insert(batch.hash, value);
                }
                Err(_) => report.unreadable_rows += 1,
            },
        )?;
        each(Table::Meta, &mut |value| {
            if let Some((space, base)) = stored::read_base(&value)
                && let Some(held) = replica.spaces.get_mut(&space)
            {
                held.base = base;
            }
        })?;
        report.rebuilt = replica.rebuild_lost_records(rows)?;
        Ok((replica, report))
    }

    /// Batches come from the store in any order, and one that did not read leaves a gap: nodes
    /// whose parents are gone count as not held, so that they are fetched again.
    fn mend_feeds(&mut self) {
        for held in self.spaces.values_mut() {
            for feed in held.feeds.values_mut() {
                feed.mend();
            }
        }
    }

    /// Records whose cache row is lost are made again from batches and staged edits.
    fn rebuild_lost_records(&mut self, rows: &dyn ReadRows) -> Result<usize, Unreadable> {
        let mut rebuilt = Vec::new();
        for (space, held) in &self.spaces {
            let staged = held.staged.values().map(|staged| staged.entry.record);
            let known: BTreeSet<RecordId> = held.touched.keys().copied().chain(staged).collect();
            for record in known
                .into_iter()
                .filter(|record| !held.records.contains_key(record))
            {
                let changes = self.changes_of(rows, space, record, &[])?;
                let refs: Vec<(DeviceId, &[u8])> = changes
                    .iter()
                    .map(|(device, raw)| (*device, raw.as_slice()))
                    .collect();
                rebuilt.push((space.clone(), record, RecordState::rebuild(&refs)));
            }
        }
        let count = rebuilt.len();
        for (space, record, state) in rebuilt {
            self.spaces
                .entry(space)
                .or_default()
                .records
                .insert(record, state);
        }
        Ok(count)
    }

    /// All changes held of a record: of its batches, of `fresh` batches that are not rows yet, and
    /// of staged edits.
    pub(crate) fn changes_of(
        &self,
        rows: &dyn ReadRows,
        space: &Space,
        record: RecordId,
        fresh: &[&Batch],
    ) -> Result<Vec<(DeviceId, Vec<u8>)>, Unreadable> {
        let mut changes = BTreeSet::new();
        let mut take = |batch: &Batch| {
            for entry in batch.entries.iter().filter(|entry| entry.record == record) {
                changes.insert((batch.header.device, entry.change.clone()));
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
                changes.insert((self.me.device, staged.entry.change.clone()));
            }
        }
        Ok(changes.into_iter().collect())
    }

    /// Makes room for every space of this device's grants.
    pub(crate) fn make_spaces(&mut self) {
        if let Some(enrolment) = self.control.enrolment(self.me.device) {
            for space in &enrolment.spaces {
                self.spaces.entry(space.clone()).or_default();
            }
        }
    }

    /// Prepares to save an edit: checks it against the dictionary, makes the changes and stages
    /// them for the next batch. What is accepted here no server refuses (R5).
    pub fn prepare_edit(
        &self,
        context: &mut Context<'_>,
        edit: &Edit,
    ) -> Result<Prepared<Edited>, EditError> {
        let package = self.control.package().ok_or(EditError::NoPackage)?;
        let problems = check::check_edit(package, self, edit, context.today);
        if !problems.is_empty() {
            return Err(EditError::Problems(problems));
        }
        let mut by_class: BTreeMap<Class, Vec<(Key, Value)>> = BTreeMap::new();
        for (key, value) in &edit.puts {
            // The check above knows every section, and its class.
            if let Some(class) = check::class_of(package, key) {
                by_class
                    .entry(class)
                    .or_default()
                    .push((key.clone(), value.clone()));
            }
        }
        let mut rows = Vec::new();
        let mut steps = Vec::new();
        for (class, puts) in by_class {
            let space = Space::new(&edit.unit, class)
                .ok()
                .filter(|space| self.spaces.contains_key(space))
                .ok_or_else(|| EditError::NotGranted {
                    unit: edit.unit.clone(),
                    class,
                })?;
            let Some(written) = self.write(context, &space, edit, &puts, &mut steps)? else {
                continue;
            };
            let (change, state) = written;
            let entry = Entry {
                record: edit.record,
                change,
            };
            if batch::entry_bytes(&entry) > batch::ENTRY_BYTES_MAX {
                return Err(EditError::TooLarge);
            }
            let staged = Staged {
                entry,
                author: edit.author,
                dictionary: package.version,
            };
            let number = self.next_staged(&space);
            rows.push(stored::staged_row(&space, number, &staged));
            rows.push(stored::record_row(&space, edit.record, &state));
            steps.push(Step::Stage(space.clone(), number, staged));
            steps.push(Step::Record(space, edit.record, Box::new(state)));
        }
        let changes = rows.len() / 2;
        Ok(Prepared {
            rows,
            steps,
            outcome: Edited { changes },
        })
    }

    fn write(
        &self,
        context: &mut Context<'_>,
        space: &Space,
        edit: &Edit,
        puts: &[(Key, Value)],
        steps: &mut Vec<Step>,
    ) -> Result<Option<(Vec<u8>, RecordState)>, EditError> {
        let empty = RecordState::empty();
        let state = self.record(space, edit.record).unwrap_or(&empty);
        let seen = edit
            .seen
            .get(&space.class)
            .map_or(state.heads(), Vec::as_slice);
        let same = seen == state.heads();
        let random = match self.actor {
            // One actor from opening to opening: its changes follow each other in every document.
            Some(random) if same => random,
            // A change beside what came in since the form opened needs an actor of its own (R39).
            _ => context.random(),
        };
        if same && self.actor.is_none() && !steps.iter().any(|step| matches!(step, Step::Actor(_)))
        {
            steps.push(Step::Actor(random));
        }
        let actor = ActorId::new(self.me.device, random);
        let mut written = state.write(actor, seen, puts, context.now);
        if let Err(WriteError::ActorUsed) = written {
            // A change of ours was set aside with a hostile one that it followed. Its number is
            // taken for good (R8), so another actor of this device writes.
            let actor = ActorId::new(self.me.device, context.random());
            written = state.write(actor, seen, puts, context.now);
        }
        written.map_err(|error| match error {
            WriteError::TooLarge => EditError::TooLarge,
            other => EditError::Record(other),
        })
    }

    fn next_staged(&self, space: &Space) -> u64 {
        let last = self
            .spaces
            .get(space)
            .and_then(|held| held.staged.last_key_value());
        last.map_or(0, |(number, _)| number + 1)
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
            Step::Actor(random) => self.actor = Some(random),
            Step::Record(space, record, state) => {
                self.spaces
                    .entry(space)
                    .or_default()
                    .records
                    .insert(record, *state);
            }
            Step::Stage(space, number, staged) => {
                self.spaces
                    .entry(space)
                    .or_default()
                    .staged
                    .insert(number, staged);
            }
            Step::Unstage(space, number) => {
                self.spaces.entry(space).or_default().staged.remove(&number);
            }
            Step::Hold {
                space,
                device,
                node,
                records,
            } => {
                self.spaces
                    .entry(space)
                    .or_default()
                    .insert(device, node, records);
            }
            Step::Stash(space, hash, bytes) => {
                self.spaces
                    .entry(space)
                    .or_default()
                    .stash
                    .insert(hash, bytes);
            }
            Step::Unstash(space, hash) => {
                self.spaces.entry(space).or_default().stash.remove(&hash);
            }
            Step::Control(control) => {
                self.control = *control;
                self.make_spaces();
            }
            Step::Base(space, base) => self.spaces.entry(space).or_default().base = base,
            Step::Ladders(space, wanted) => {
                self.spaces.entry(space).or_default().ladders_wanted = wanted;
            }
            Step::Hub(hub) => self.hub = hub,
            Step::Refused(hash) => drop(self.refused.insert(hash)),
        }
    }

    /// Puts a record's state in, as an exchange would: for tests of what merges leave behind.
    #[cfg(test)]
    pub(crate) fn put_record(&mut self, space: &Space, record: RecordId, state: RecordState) {
        self.step(Step::Record(space.clone(), record, Box::new(state)));
    }

    /// Who this is.
    pub fn me(&self) -> Me {
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
    pub fn hub(&self) -> &HubState {
        &self.hub
    }

    /// The spaces this device holds.
    pub fn spaces(&self) -> impl Iterator<Item = &Space> {
        self.spaces.keys()
    }

    /// The vector of a space.
    pub fn vector(&self, space: &Space) -> Vector {
        self.spaces.get(space).map(Held::vector).unwrap_or_default()
    }

    /// A record's state in one space.
    pub fn record(&self, space: &Space, record: RecordId) -> Option<&RecordState> {
        self.spaces.get(space)?.records.get(&record)
    }

    /// All records of a space.
    pub fn records(&self, space: &Space) -> impl Iterator<Item = (RecordId, &RecordState)> {
        let records = self.spaces.get(space).map(|held| &held.records);
        records
            .into_iter()
            .flatten()
            .map(|(record, state)| (*record, state))
    }

    /// The unit that holds a record, if any.
    pub fn unit_of(&self, record: RecordId) -> Option<&str> {
        self.spaces
            .iter()
            .find(|(_, held)| held.records.contains_key(&record))
            .map(|(space, _)| space.unit())
    }

    /// What a record shows, over all classes held of its unit.
    pub fn view(&self, unit: &str, record: RecordId) -> Shown<'_> {
        let package = self.control.package();
        self.spaces
            .iter()
            .filter(|(space, _)| space.unit() == unit)
            .filter_map(|(space, held)| Some((space.class, held.records.get(&record)?)))
            .flat_map(|(class, state)| shown_of(package, class, state))
            .collect()
    }

    /// All records of a unit, over all classes.
    pub fn records_of(&self, unit: &str) -> BTreeSet<RecordId> {
        self.spaces
            .iter()
            .filter(|(space, _)| space.unit() == unit)
            .flat_map(|(_, held)| held.records.keys().copied())
            .collect()
    }

    /// The units of which anything is held.
    pub fn units(&self) -> BTreeSet<&str> {
        self.spaces.keys().map(Space::unit).collect()
    }

    /// A record's heads by class, for a form to remember what it showed.
    pub fn heads(&self, unit: &str, record: RecordId) -> BTreeMap<Class, Vec<ChangeHash>> {
        self.spaces
            .iter()
            .filter(|(space, _)| space.unit() == unit)
            .filter_map(|(space, held)| {
                Some((space.class, held.records.get(&record)?.heads().to_vec()))
            })
            .collect()
    }

    /// Saved changes that the server is not known to hold.
    pub fn unsent(&self) -> usize {
        self.spaces
            .values()
            .map(|held| {
                let batches: usize = held
                    .feeds
                    .get(&self.me.device)
                    .map(|feed| feed.missing(held.base.1.tips(self.me.device)))
                    .unwrap_or_default()
                    .iter()
                    .map(|node| {
                        held.touched
                            .values()
                            .filter(|hashes| hashes.contains(&node.hash))
                            .count()
                    })
                    .sum();
                batches + held.staged.len()
            })
            .sum()
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

/// Why a store is no replica.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store has never been enrolled.
    #[error("the store is not enrolled")]
    NotEnrolled,
    /// The host could not read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// At most this many batches wait in a stash, per space (R6).
pub const STASH_BATCHES_MAX: usize = 256;

#[cfg(test)]
mod tests;
