//! A browser's host, by chance: it commits into memory and makes that durable before it says anything, its
//! writes fail or it dies with them, and one record ends it whenever that is merged.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sync_core::bundle_exchange::BundleOptions;
use sync_core::exchange::Work;
use sync_core::record::{DocumentError, RecordState};
use sync_core::replica::Context;
use sync_core::seal::StoreKey;
use sync_core::wire;

use super::*;
use crate::bundle::Import;
use crate::keys::DeviceKeys;
use crate::merging::{Mark, Proof};
use crate::sync::ExchangeSession;
use crate::system::Randomness;
use crate::testing::{Buffered, Flush, Network};
use crate::walk::{Answer, Next, Request, Walk as _};

/// Steps under faults.
const STEPS: usize = 24;
/// Openings after the faults that bring everything across: one for the end of the program with others, one
/// for the end with the record alone, one more that goes through.
const TRIES_MAX: usize = 3;

/// A mistake in the host, to see that it is found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plant {
    /// It says that something is saved before it is durable.
    AnswersBeforeFlush,
    /// It marks nothing before it merges, as if it caught panics.
    ForgetsTheMark,
}

/// The program ended.
struct Ended;

struct World {
    rng: ChaCha8Rng,
    plant: Option<Plant>,
    /// Faults happen.
    bad: bool,
    neighbour: Phone,
    theirs: Vec<String>,
    /// The record of the neighbour's that ends the program.
    poison: RecordId,
    disk: Database,
    place: Buffered,
    system: Arc<dyn System>,
    phone: Phone,
    /// The names of records that somebody was told are saved.
    saved: BTreeMap<String, String>,
    /// What was being saved when the program ended.
    doubtful: BTreeSet<(String, String)>,
    /// A record that was said to be saved and could not be edited.
    lost: Option<String>,
    /// Records that were merged alone when the program ended for another reason.
    unlucky: BTreeSet<RecordId>,
    names: usize,
}

impl World {
    fn new(seed: u64, plant: Option<Plant>) -> Self {
        let system: Arc<dyn System> = match plant {
            Some(Plant::ForgetsTheMark) => Arc::new(TestSystem::seeded(seed)),
            _ => Arc::new(TestSystem::of_a_browser(seed)),
        };
        let mut network = Network::new(&*system);
        let keys = [(); 2].map(|()| DeviceKeys::generate(&mut Randomness(&*system)));
        keys.iter().for_each(|keys| network.enrol(keys, &[UNIT]));
        let key = Arc::new(StoreKey::generate(&mut Randomness(&*system)));
        let disks = [(); 2].map(|()| Database::default());
        let made = |of: usize| {
            let unlock = Unlock::Key(key.clone());
            let place = Memory::new(disks[of].clone(), unlock, system.clone());
            network.phone(&keys[of], Box::new(place), system.clone())
        };
        let mut neighbour = made(0);
        let poison = neighbour.add(Subject::Person, None, &sets(&WOMAN)).unwrap();
        drop(made(1));
        let place = Buffered::new(disks[1].clone(), key.clone(), system.clone());
        let phone = Phone::open(Box::new(place.clone()), system.clone()).unwrap();
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            plant,
            bad: true,
            neighbour,
            theirs: Vec::new(),
            poison,
            disk: disks[1].clone(),
            place,
            system,
            phone,
            saved: BTreeMap::new(),
            doubtful: BTreeSet::new(),
            lost: None,
            unlucky: BTreeSet::new(),
            names: 0,
        }
    }

    fn below(&mut self, n: u64) -> u64 {
        self.rng.next_u64() % n
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("名{}", self.names)
    }

    /// The program ends, and is started again.
    fn restart(&mut self) {
        self.phone = Phone::unopened(Box::new(self.place.clone()), self.system.clone());
    }

    /// Makes durable what was committed; memory is dropped if that fails.
    fn flush(&mut self) -> Result<bool, Ended> {
        let how = match (self.bad, self.below(12)) {
            (true, 0) => Flush::Failed,
            (true, 1) => Flush::DiedBefore,
            (true, 2) => Flush::DiedAfter,
            _ => Flush::Done,
        };
        let done = self.place.flush(how).is_ok();
        if !done {
            self.restart();
        }
        match how {
            Flush::Done | Flush::Failed => Ok(done),
            Flush::DiedBefore | Flush::DiedAfter => Err(Ended),
        }
    }

    /// Somebody saves a record, new or old.
    fn save(&mut self) -> Result<(), Ended> {
        let name = self.name();
        let typed = sets(&[&format!("identity.name={name}")]);
        let old = self.saved.keys().next().cloned();
        let id = match old.filter(|_| self.names.is_multiple_of(2)) {
            Some(id) => {
                if self.phone.edit(&id, &typed).is_err() {
                    self.lost = Some(id);
                    return Ok(());
                }
                id
            }
            None => {
                let id = self.phone.add(Subject::Person, None, &typed).unwrap();
                id.to_string()
            }
        };
        if self.plant == Some(Plant::AnswersBeforeFlush) {
            self.saved.insert(id, name);
            return self.flush().map(drop);
        }
        match self.flush() {
            Ok(true) => {
                self.saved.insert(id, name);
            }
            // Somebody was told that this is not saved.
            Ok(false) => {
                let shown = self.phone.show(&id).ok();
                let name = text(&name);
                assert!(shown.is_none_or(|shown| shown.fields["identity.name"] != name));
            }
            // Nobody was told anything: it may be there or not.
            Err(Ended) => {
                self.doubtful.insert((id, name));
                return Err(Ended);
            }
        }
        Ok(())
    }

    /// The neighbour writes something more.
    fn neighbour_writes(&mut self) {
        let name = self.name();
        let typed = sets(&[&format!("identity.name={name}")]);
        match self.below(3) {
            0 => drop(
                self.neighbour
                    .edit(&self.poison.to_string(), &typed)
                    .unwrap(),
            ),
            _ => {
                let id = self.neighbour.add(Subject::Person, None, &typed).unwrap();
                self.theirs.push(id.to_string());
            }
        }
    }

    /// Whether the next step of an import merges the record that ends the program.
    fn is_deadly(&mut self, import: &Import<'_>) -> bool {
        let poison = self.poison;
        let marked = import.marked();
        let marks = !self.system.catches_panics();
        if marks && marked.is_empty() {
            return false;
        }
        if import.is_proving() {
            return marked.iter().any(|(_, record)| *record == poison);
        }
        let Some(delivery) = import.delivery() else {
            return false;
        };
        let open = self.phone.opened().unwrap();
        let mut context = Context {
            now: 0,
            today: "",
            rng: &mut open.rng(),
        };
        let work = match marks {
            true => Work::slice_of(marked),
            false => Work::SLICE,
        };
        let slice = open
            .replica
            .prepare_delivery(&mut context, &open.store, delivery, work)
            .unwrap();
        slice.merged().any(|(_, record)| record == poison)
    }

    /// The neighbour's bundle is taken, step by step.
    fn import(&mut self) -> Result<(), Ended> {
        let options = BundleOptions {
            bytes_max: None,
            short: false,
            everything: true,
        };
        let file = self.neighbour.export_bundle(options).unwrap().bytes;
        let mut import = Import::of(&file);
        loop {
            if self.is_deadly(&import) {
                self.restart();
                return Err(Ended);
            }
            let before = import.marked();
            let done = import.step(&mut self.phone).unwrap().is_some();
            let flushed = self.flush();
            if !matches!(flushed, Ok(true)) && import.is_proving() {
                let marked = before.into_iter().chain(import.marked());
                self.unlucky.extend(marked.map(|(_, record)| record));
            }
            if !flushed? || done {
                return Ok(());
            }
        }
    }

    fn run(&mut self) -> Result<(), String> {
        for _ in 0..STEPS {
            let ended = match self.below(4) {
                0 => {
                    self.neighbour_writes();
                    Ok(())
                }
                1 => self.import(),
                _ => self.save(),
            };
            if ended.is_err() {
                self.restart();
            }
        }
        self.bad = false;
        let mut tries = 0;
        while self.import().is_err() {
            tries += 1;
            if tries > TRIES_MAX {
                return Err("R15: the same bundle ends the program again and again".into());
            }
        }
        self.restart();
        if let Some(id) = &self.lost {
            return Err(format!("R5: {id} was said to be saved"));
        }
        for (id, name) in &self.saved {
            let shown = self.phone.show(id);
            let shown = shown.map_err(|_| format!("R5: {name} is not there"))?;
            let mut names: Vec<&String> = vec![name];
            let doubtful = self.doubtful.iter().filter(|(of, _)| of == id);
            names.extend(doubtful.map(|(_, name)| name));
            let shown = &shown.fields["identity.name"];
            if !names.iter().any(|name| *shown == text(name)) {
                return Err(format!("R5: {name} was said to be saved: {shown:?}"));
            }
        }
        let replica = &self.phone.opened().unwrap().replica;
        for space in replica.spaces() {
            for (record, state) in replica.records(space) {
                match state.parked() {
                    None => {}
                    Some(DocumentError::Ended)
                        if record == self.poison || self.unlucky.contains(&record) => {}
                    Some(why) => return Err(format!("R15: {record} is parked: {why}")),
                }
            }
        }
        for id in &self.theirs {
            let shown = self.phone.show(id);
            shown.map_err(|_| format!("R15: {id} did not come across"))?;
        }
        Ok(())
    }
}

fn text(text: &str) -> ShownValue {
    ShownValue::Text(text.into())
}

/// The seeds of a mistake.
fn found(plant: Plant, seeds: u64) -> String {
    let mut broken = (0..seeds).filter_map(|seed| World::new(seed, Some(plant)).run().err());
    broken.next().expect("the mistake is found")
}

#[test]
fn a_browser_keeps_what_it_said_is_saved_and_takes_all_but_the_record_that_ends_it() {
    for seed in 0..60 {
        let ended = World::new(seed, None).run();
        assert_eq!(ended, Ok(()), "seed {seed}");
    }
}

#[test]
fn a_host_that_answers_before_it_is_durable_is_found() {
    assert!(found(Plant::AnswersBeforeFlush, 20).starts_with("R5"));
}

#[test]
fn a_host_that_forgets_the_mark_is_found() {
    assert!(found(Plant::ForgetsTheMark, 20).starts_with("R15"));
}

/// A conversation up to its next request.
fn asked(session: &mut ExchangeSession, phone: &mut Phone) -> Request {
    loop {
        match session.next(phone).unwrap() {
            Next::More => {}
            Next::Ask(request) => return request,
            next => panic!("{next:?}"),
        }
    }
}

#[test]
fn a_browser_holds_what_an_answer_brings_then_marks_the_records_of_a_slice_then_merges_them() {
    let mut world = World::new(1, None);
    world
        .neighbour
        .add(Subject::Person, None, &sets(&WOMAN))
        .unwrap();
    let network = world.neighbour.opened().unwrap().replica.me().network;
    let mut theirs = ExchangeSession::begin(&mut world.neighbour).unwrap();
    let sent = asked(&mut theirs, &mut world.neighbour).body.unwrap();
    let (sent, _) = wire::Request::decode(network, &sent).unwrap();
    let answer = wire::Answer {
        batches: sent.batches,
        ..wire::Answer::at(world.system.now())
    };
    let mut session = ExchangeSession::begin(&mut world.phone).unwrap();
    asked(&mut session, &mut world.phone);
    let answer = Answer {
        body: answer.encode(network),
        presented: None,
    };
    let mut next = session.heard(&mut world.phone, Ok(answer)).unwrap();
    let mut steps = Vec::new();
    while matches!(next, Next::More) {
        next = session.next(&mut world.phone).unwrap();
        let open = world.phone.opened().unwrap();
        let marked = open.store.row(Table::Meta, Mark::KEY).unwrap().is_some();
        let spaces: Vec<_> = open.replica.spaces().collect();
        let behind = spaces.iter().flat_map(|space| open.replica.behind(space));
        steps.push((marked, behind.count()));
    }
    let done = matches!(next, Next::Done(report) if report.batches_down > 0);
    assert!(done);
    assert_eq!(steps, [(false, 2), (true, 2), (false, 0), (false, 0)]);
    let listed = world.phone.list(Subject::Person, None, None).unwrap();
    assert_eq!(listed.len(), 2);
}

#[test]
fn a_record_whose_row_is_lost_is_merged_after_its_mark_and_not_at_the_opening() {
    let mut world = World::new(1, None);
    let id = world
        .phone
        .add(Subject::Person, None, &sets(&WOMAN))
        .unwrap();
    world.place.flush(Flush::Done).unwrap();
    let replica = &world.phone.opened().unwrap().replica;
    let (space, state) = replica
        .spaces()
        .find_map(|space| Some((space.clone(), replica.record(space, id)?.clone())))
        .unwrap();
    world.disk.values().keys().for_each(|name| {
        if name[0] == Table::Record as u8 {
            let changes = [(*name, None)].into();
            world.disk.write(world.disk.fence(), changes).unwrap();
        }
    });
    world.restart();
    let replica = &world.phone.opened().unwrap().replica;
    let lost = replica.record(&space, id).and_then(RecordState::parked);
    assert_eq!(lost, Some(DocumentError::Suspected));
    assert_eq!(world.phone.opened().unwrap().report.rebuilt, 0);
    let mut proof = Proof::default();
    let mut marked = Vec::new();
    while proof.step(&mut world.phone).unwrap() {
        let open = world.phone.opened().unwrap();
        let mark = open.store.row(Table::Meta, Mark::KEY).unwrap();
        marked.push(mark.is_some());
        world.place.flush(Flush::Done).unwrap();
    }
    assert_eq!(marked, [true, false]);
    world.restart();
    let replica = &world.phone.opened().unwrap().replica;
    assert_eq!(replica.record(&space, id), Some(&state));
}
