//! The end of a run: the faults stop, everybody exchanges, and then the oracle asks.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::batch::Batch;
use sync_core::exchange::{Budget, Received};
use sync_core::feed::Vector;
use sync_core::id::{BatchHash, ChangeHash, Space};
use sync_core::record::RecordState;
use sync_core::row::Table;
use sync_core::value::{Key, Value};

use super::agree::states;
use super::held::{SpaceStore, changes_of};
use super::network::To;
use super::oracle::{
    self, Broken, ChangeHead, Checked, broken, check_aside, check_branches, check_numbers,
    check_view, require,
};
use super::phone::Phone;
use super::users::touch;
use super::world::World;

/// Rounds in which every phone exchanges; by then all must be quiet.
pub(super) const ROUNDS_MAX: u32 = 12;
/// Exchanges after which a phone has nothing unsent.
const EXCHANGES_MAX: u32 = 3;
/// Round trips of one exchange, with a budget that takes everything.
const ROUND_TRIPS_MAX: u32 = 12;

impl World {
    pub(super) fn finish(&mut self) -> Checked {
        self.peace()?;
        self.check_promptness()?;
        self.gather()?;
        self.settle()?;
        if self.is_to_confirm() {
            // Somebody has shown an enrolment since that was lost.
            self.confirm()?;
            self.settle()?;
        }
        self.office_decides();
        self.grant_again()?;
        self.settle()?;
        self.check_all()?;
        self.heal_forks()?;
        self.settle()?;
        self.check_all()?;
        self.check_reopened()?;
        let Some(real) = &self.hub.real else {
            return Ok(());
        };
        let verified = real.verify();
        self.cells = verified.map_err(|(rule, what)| broken(rule, what))?;
        Ok(())
    }

    /// The faults stop; every phone runs and is enrolled.
    fn peace(&mut self) -> Checked {
        self.say(|_| "the faults stop".into());
        self.network.clear();
        let config = &mut self.config;
        config.lose = 0;
        config.repeat = 0;
        config.cut = 0;
        config.overtake = 0;
        config.persist = 0;
        config.hub_crash = 0;
        config.untidy = 0;
        config.between = 0;
        config.budget = None;
        for p in self.alive() {
            self.phones[p].stale = None;
            if !self.phones[p].enrolled {
                self.enrol(p)?;
            } else if self.phones[p].process.is_none() {
                self.open(p)?;
            }
            if let Some(process) = &mut self.phones[p].process {
                process.outgoing.clear();
                process.budget = Budget::DEFAULT;
            }
        }
        Ok(())
    }

    pub(super) fn alive(&self) -> Vec<usize> {
        (0..self.phones.len())
            .filter(|p| !self.phones[*p].lost)
            .collect()
    }

    /// Whatever a hostile device has signed, a phone that finds the server in peace is rid of all that it has in
    /// three exchanges. A server that was restored and sends nothing yet may leave it in doubt.
    fn check_promptness(&mut self) -> Checked {
        let mut served = self.alive();
        served.retain(|p| !self.hub.state.holds_back(self.phones[*p].device));
        for p in served {
            for _ in 0..EXCHANGES_MAX {
                self.exchange(p)?;
            }
            let process = self.phones[p].process.as_ref();
            let unsent = process.map_or(0, |process| process.replica.unsent());
            require("Prompt", unsent == 0, || {
                format!(
                    "{} has {unsent} unsent edits after {EXCHANGES_MAX} exchanges: {}",
                    self.name(p),
                    self.blockers().join("; ")
                )
            })?;
        }
        Ok(())
    }

    /// Everybody exchanges until nothing moves.
    fn settle(&mut self) -> Checked {
        for round in 1..=ROUNDS_MAX {
            let before = self.vectors();
            let mut moved = false;
            for p in self.alive() {
                moved |= self.exchange(p)?;
            }
            if !moved && before == self.vectors() {
                self.rounds = self.rounds.max(round);
                return Ok(());
            }
        }
        let busy: Vec<_> = self.blockers();
        Err(broken(
            "Progress",
            format!("after {ROUNDS_MAX} rounds: {}", busy.join("; ")),
        ))
    }

    pub(super) fn vectors(&self) -> Vec<(Space, Vector)> {
        let spaces = self.hub.state.spaces.iter();
        spaces
            .map(|(space, store)| (space.clone(), store.vector()))
            .collect()
    }

    /// One exchange of a phone: round trips until both sides have nothing more to say. True if
    /// batches moved.
    pub(super) fn exchange(&mut self, p: usize) -> Result<bool, Broken> {
        let mut moved = false;
        for _ in 0..ROUND_TRIPS_MAX {
            let received = self.round_trip(p)?;
            moved |= received.batches > 0;
            if !received.again {
                return Ok(moved);
            }
        }
        Err(broken(
            "Progress",
            format!(
                "{} is never done: {}",
                self.name(p),
                self.blockers().join("; ")
            ),
        ))
    }

    fn round_trip(&mut self, p: usize) -> Result<Received, Broken> {
        // Once more for a phone that the server did not know, and for one that is to wipe itself.
        let mut tries = 3;
        while tries > 0 {
            if self.phones[p].lost {
                return Ok(Received::default());
            }
            if self.phones[p].process.is_none() {
                // A merge has ended it, which happens a bounded number of times (R15).
                self.open(p)?;
                continue;
            }
            self.begin_exchange(p)?;
            while let Some((packet, _)) = self.network.next(&mut self.dice, &self.config) {
                match packet.to {
                    To::Hub => self.hub_hears(packet)?,
                    To::Phone => {
                        let is_ours = packet.phone == p;
                        if let Some(received) = self.phone_hears(packet)?
                            && is_ours
                        {
                            return Ok(received);
                        }
                    }
                }
            }
            tries -= i32::from(self.phones[p].process.is_some());
        }
        Err(broken(
            "Progress",
            format!("{} got no answer", self.name(p)),
        ))
    }

    /// What still waits, in words.
    fn blockers(&self) -> Vec<String> {
        let mut blockers = Vec::new();
        for phone in &self.phones {
            let Some(process) = &phone.process else {
                continue;
            };
            let replica = &process.replica;
            if replica.has_unsent() || replica.unsent() > 0 {
                blockers.push(format!(
                    "{}: unsent {} (lacking at server: {})",
                    phone.name,
                    replica.unsent(),
                    replica.has_unsent()
                ));
            }
            for space in &phone.grants {
                let ours = replica.vector(space);
                let store = self.hub.state.spaces.get(space);
                let theirs = store.map(|store| store.vector()).unwrap_or_default();
                if ours != theirs {
                    let (name, ours, theirs) = (
                        &phone.name,
                        ours.changes_from(&theirs),
                        theirs.changes_from(&ours),
                    );
                    blockers.push(format!(
                        "{name}: {space} has {ours:?}, the server {theirs:?}"
                    ));
                }
            }
        }
        blockers
    }

    fn check_all(&self) -> Checked {
        let blockers = self.blockers();
        require("Progress", blockers.is_empty(), || blockers.join("; "))?;
        self.check_phones()?;
        let hostile = self.hostile.as_ref().map(|hostile| hostile.device);
        let none = BTreeMap::new();
        let mut heads: BTreeMap<&Space, BTreeMap<ChangeHash, ChangeHead>> = BTreeMap::new();
        for (space, store) in &self.hub.state.spaces {
            check_numbers(space, store, hostile)?;
            check_branches(space, store)?;
            check_randomness(space, store)?;
            for phone in self.phones.iter().filter(|phone| !phone.rolled_back) {
                let forks = oracle::forks(store, phone.device);
                require("R1", forks == 0, || {
                    format!(
                        "{} was never set back and has {forks} forks in {space}",
                        phone.name
                    )
                })?;
            }
            heads.insert(space, oracle::heads_of(store));
        }
        for ((space, record), state) in &self.hub.state.records {
            check_aside(state, hostile, &self.ledger)?;
            let heads = heads.get(space).unwrap_or(&none);
            check_view("the server", *record, state, heads)?;
        }
        self.check_moved()?;
        self.check_accepted_part()?;
        self.check_durability(&heads)
    }

    fn check_phones(&self) -> Checked {
        let hostile = self.hostile.as_ref().map(|hostile| hostile.device);
        for (p, phone) in self.phones.iter().enumerate() {
            let Some(process) = &phone.process else {
                continue;
            };
            let replica = &process.replica;
            let name = &phone.name;
            let order = self.hub.state.control.wipe_order(phone.device);
            require("Progress", order.is_none(), || {
                format!("{name} has not wiped itself")
            })?;
            for space in &phone.grants {
                let held = replica.spaces().any(|held| held == space);
                require("Progress", held, || format!("{name} does not hold {space}"))?;
                self.same_as_hub(p, replica, space)?;
            }
            self.check_kept_apart(p, replica)?;
            let strange = phone
                .disk
                .spaces()
                .find(|space| !phone.grants.contains(space));
            require("Secrecy", strange.is_none(), || {
                format!("{name} stores rows of {strange:?}")
            })?;
            let staged = phone.disk.table(Table::Staged).count();
            require("Progress", staged == 0, || {
                format!("{name} has {staged} staged rows")
            })?;
            for (_, bytes) in phone.disk.table(Table::Stash) {
                let batch = Batch::from_store(self.hub.network(), bytes);
                let batch = batch.map_err(|unfit| broken("R5", unfit.to_string()))?;
                let waits =
                    Some(batch.header.device) == hostile || self.waits_for_what_is_gone(&batch);
                require("Progress", waits, || {
                    format!(
                        "{name} keeps a batch of {} in its stash",
                        batch.header.device
                    )
                })?;
            }
            let version = replica.package().map(|package| package.version);
            require("Progress", version == Some(self.package.version), || {
                format!("{name} has package {version:?}")
            })?;
        }
        Ok(())
    }

    /// Whether a batch follows one that went with a phone that was set back, or with its space, and that nobody
    /// holds.
    fn waits_for_what_is_gone(&self, batch: &Batch) -> bool {
        let network = self.hub.network();
        let mut authors = self.phones.iter();
        let lost = authors.any(|author| {
            let space = &batch.header.space;
            let has_lost = author.rolled_back || author.lost || author.taken.contains(space);
            author.device == batch.header.device && has_lost
        });
        let store = self.hub.state.spaces.get(&batch.header.space);
        let held = |parent: &BatchHash| {
            let rows = |phone: &Phone| {
                let mut rows = phone.disk.table(Table::Batch);
                rows.any(|(_, bytes)| {
                    Batch::from_store(network, bytes).is_ok_and(|held| held.hash == *parent)
                })
            };
            store.is_some_and(|store| store.get(*parent).is_some()) || self.phones.iter().any(rows)
        };
        lost && !batch.header.prev.iter().all(held)
    }

    /// Every edit that a user was told is saved is in the history, with all its values.
    fn check_durability(
        &self,
        heads: &BTreeMap<&Space, BTreeMap<ChangeHash, ChangeHead>>,
    ) -> Checked {
        type History = BTreeMap<ChangeHash, Vec<(Key, Value)>>;
        let mut histories: BTreeMap<(&Space, _), History> = BTreeMap::new();
        for ((space, record), state) in &self.hub.state.records {
            let events = state
                .history()
                .map_err(|error| broken("R14", error.to_string()))?;
            let mut history = History::new();
            for event in events {
                history
                    .entry(event.change)
                    .or_default()
                    .push((event.key, event.value));
            }
            histories.insert((space, *record), history);
        }
        self.check_erased()?;
        let exempt = self.hub.exempt();
        let signed: BTreeMap<&Space, _> = self
            .hub
            .state
            .spaces
            .iter()
            .map(|(space, store)| (space, oracle::signed_for(store)))
            .collect();
        let saved = self.ledger.saved.iter();
        let honest: BTreeSet<ChangeHash> = saved.map(|saved| saved.change).collect();
        for saved in self.ledger.saved.iter().filter(|saved| !saved.gone) {
            let what = || {
                let phone = self.name(saved.phone);
                format!(
                    "{phone} saved {:?} of {} at step {}",
                    saved.puts, saved.record, saved.step
                )
            };
            if self.hub.state.control.is_erased(saved.record) {
                continue;
            }
            let key = (saved.space.clone(), saved.record);
            let state = self.hub.state.records.get(&key);
            let aside = state.is_some_and(|state| {
                state
                    .aside()
                    .iter()
                    .any(|aside| aside.change == saved.change)
            });
            // It follows what the hostile device wrote twice; `check_aside` has looked at why.
            if aside {
                continue;
            }
            let history = histories.get(&(&saved.space, saved.record));
            let written = history.and_then(|history| history.get(&saved.change));
            // It waits for the office, or the office has refused it.
            if written.is_none() && exempt.contains(&saved.change) {
                continue;
            }
            require("Durability", written.is_some(), || {
                format!("{}: lost", what())
            })?;
            let all = saved
                .puts
                .iter()
                .all(|put| written.is_some_and(|w| w.contains(put)));
            require("Durability", all, || {
                format!("{}: history has {written:?}", what())
            })?;
            let sign = (saved.change, saved.author, saved.dictionary);
            let right = signed
                .get(&saved.space)
                .is_some_and(|signed| signed.contains(&sign));
            require("Durability", right, || {
                format!("{}: another author or plan", what())
            })?;
            if let Some(seen) = &saved.seen {
                let head = heads
                    .get(&saved.space)
                    .and_then(|heads| heads.get(&saved.change));
                // What the hostile device has too much of may have been set aside since.
                let rests = |dep: &ChangeHash| head.is_some_and(|head| head.deps.contains(dep));
                let left = seen.iter().filter(|seen| !rests(seen));
                let all = head.is_some_and(|head| head.deps.iter().all(|dep| seen.contains(dep)));
                require(
                    "R39",
                    all && left.clone().all(|left| !honest.contains(left)),
                    || format!("{}: saw {seen:?}", what()),
                )?;
            }
        }
        Ok(())
    }

    /// The author's next batch names all tips: within two exchanges every fork is one path again.
    fn heal_forks(&mut self) -> Checked {
        for p in self.alive() {
            let device = self.phones[p].device;
            let forked: Vec<Space> = self
                .hub
                .state
                .spaces
                .iter()
                .filter(|(_, store)| store.vector().tips(device).count() > 1)
                .map(|(space, _)| space.clone())
                .collect();
            for space in forked {
                self.say(|w| format!("{} writes to {space}, where its feed is forked", w.name(p)));
                let saved = self.saved();
                if let Some(form) = touch(&mut self.dice, &space) {
                    self.save(p, form)?;
                }
                if self.saved() == saved {
                    // Nothing to join the branches with: the dictionary refused the form.
                    continue;
                }
                self.exchange(p)?;
                self.exchange(p)?;
                let store = self.hub.state.spaces.get(&space);
                let tips = store.map(|store| store.vector().tips(device).count());
                require("R4", tips == Some(1), || {
                    format!(
                        "{}: {tips:?} tips in {space} after two exchanges",
                        self.name(p)
                    )
                })?;
            }
        }
        Ok(())
    }

    /// Rows, batches in any order, and memory say the same.
    fn check_reopened(&mut self) -> Checked {
        for p in self.alive() {
            let Some(process) = &self.phones[p].process else {
                continue;
            };
            let spaces = process.replica.spaces();
            let behind = spaces
                .flat_map(|space| process.replica.behind(space))
                .count();
            require("Progress", behind == 0, || {
                format!("{}: {behind} records are behind at the end", self.name(p))
            })?;
            self.phones[p].expected = Some(states(&process.replica));
            self.open(p)?;
        }
        for ((space, record), state) in &self.hub.state.records {
            let hub = &self.hub.state;
            let mut changes = changes_of(&hub.control, space, hub.spaces.get(space), *record);
            self.dice.shuffle(&mut changes);
            let changes: Vec<_> = changes
                .iter()
                .map(|(device, raw)| (*device, raw.as_slice()))
                .collect();
            let rebuilt = RecordState::rebuild(&changes);
            require("R10", rebuilt == **state, || {
                format!(
                    "{record} of {space} depends on the order of arrival: {rebuilt:#?}\n{state:#?}"
                )
            })?;
        }
        Ok(())
    }
}

/// No two batches bear one salt seed: whoever draws his randomness twice seals twice with one key too.
fn check_randomness(space: &Space, store: &SpaceStore) -> Checked {
    let mut drawn = BTreeSet::new();
    for stored in &store.arrivals {
        let seed = oracle::salt_seed(stored.batch.bytes());
        let is_new = seed.is_none_or(|seed| drawn.insert(seed));
        require("R8", is_new, || {
            format!("two batches of {space} bear one salt seed")
        })?;
    }
    Ok(())
}
