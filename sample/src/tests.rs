//! The plan's expressions and the phones' tasks over made-up records.

use std::collections::{BTreeMap, BTreeSet};

use plan::Package;
use plan::expression::{Datum, ExpressionError, Facts, Scope};
use plan::indicator::Period;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use sync_core::bundle::{Content, Padding, seal};
use sync_core::bundle_exchange::BundleOptions;
use sync_core::control::{ControlEntry, Cut, Enrolment, Order, OrderKind, RootStatement};
use sync_core::enrol::EnrolAnswer;
use sync_core::facts::facts;
use sync_core::feed::Vector;
use sync_core::id::{AuthorId, Class, Incarnation, NetworkId, RecordId, Space};
use sync_core::replica::Edit;
use sync_core::seal::{PublicKey, SealingKey, SigningKey};
use sync_core::value::{Key, Value};

use crate::day::Day;
use crate::diary;
use crate::names::Names;
use crate::phone::Device;
use crate::recording_unit::places;

type Answers = Vec<Result<Datum, ExpressionError>>;

/// What every expression says of a record as of the end of a year, of items as of each item.
fn answers(package: &Package, subject: &str, facts: &Facts, home: Option<&Facts>) -> Answers {
    let span = Period::YearEnd.of(2026).unwrap();
    let scope = Scope::for_period(package, subject, facts, home, &span).unwrap();
    let mut answers: Answers = package
        .sources()
        .map(|source| scope.value(source))
        .collect();
    for (section, items) in &facts.items {
        let (_, section) = package.section(section).unwrap();
        let asked = section
            .fields
            .iter()
            .filter_map(|field| field.ask_if.as_deref());
        let checks = section.checks.iter().map(|check| check.rule.as_str());
        for source in asked.chain(checks) {
            answers.extend(items.iter().map(|item| {
                let holds = scope.item_holds(source, &section.key, &item.id);
                holds.map(Datum::Bool)
            }));
        }
    }
    answers
}

#[test]
fn parsed_expressions_and_their_sources_say_the_same_of_every_record() {
    let bytes = Package::builtin().to_cbor();
    let parsed = Package::from_cbor(&bytes).unwrap();
    let mut source = Package::from_cbor(&bytes).unwrap();
    source.expressions.clear();
    assert!(!parsed.expressions.is_empty());
    let names = Names::new();
    let until = Day::of(2026, 12, 31);
    let (mut records, mut known) = (0, 0);
    for place in places(&parsed, 400, 11).iter().take(12) {
        let written = diary::write(11, place, &names, until);
        let mut values: BTreeMap<RecordId, BTreeMap<Key, Value>> = BTreeMap::new();
        for entry in written.entries {
            let puts = entry.puts.0.into_iter();
            let puts = puts.map(|(key, value)| (Key::parse(&key).unwrap(), value));
            values.entry(entry.record).or_default().extend(puts);
        }
        let facts_of = |values: &BTreeMap<Key, Value>| facts(&parsed, values);
        let all: BTreeMap<RecordId, Facts> =
            values.iter().map(|(id, of)| (*id, facts_of(of))).collect();
        let home = all.iter().find(|(id, _)| id.subject.key() == "household");
        let home = home.map(|(_, facts)| facts);
        for (id, facts) in &all {
            let subject = id.subject.key();
            let by_tree = answers(&parsed, subject, facts, home);
            assert_eq!(by_tree, answers(&source, subject, facts, home), "{id}");
            records += 1;
            known += by_tree.iter().filter(|answer| answer.is_ok()).count();
        }
    }
    assert!(
        records > 50 && known > records * 20,
        "{records} records, {known} answers"
    );
}

const PERSON: [u8; 32] = [7; 32];
const AUTHOR: AuthorId = AuthorId([5; 8]);

/// Two devices of a unit, in a network whose keys are known here.
fn devices(package: &Package, unit: &str) -> [Known; 2] {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let [root, node, person] = [[1; 32], [2; 32], PERSON].map(|seed| SigningKey::from_bytes(&seed));
    let statement = RootStatement {
        version: 1,
        root_keys: vec![root.public().bytes],
        threshold: 1,
        node_keys: vec![node.public().bytes],
        order_keys: vec![person.public().bytes],
        tls_keys: vec![],
    };
    let network = statement.network();
    let by_root = |message: &[u8]| root.sign(message);
    let by_node = |message: &[u8]| node.sign(message);
    let mut entries = vec![
        ControlEntry::root(network, &statement, (root.public().bytes, &by_root)),
        ControlEntry::package(network, package, (node.public().bytes, &by_node)),
    ];
    let spaces = Class::CADRE.map(|class| Space::new(unit, class).unwrap());
    let keys = [(); 2].map(|()| {
        let keys = (
            SigningKey::generate(&mut rng),
            SealingKey::generate(&mut rng),
        );
        let enrolment = Enrolment {
            signing_key: keys.0.public().bytes,
            sealing_key: keys.1.public().bytes,
            spaces: spaces.iter().cloned().collect(),
            authors: BTreeSet::from([AUTHOR]),
            renews: None,
        };
        let signer = (node.public().bytes, &by_node as &dyn Fn(&[u8]) -> [u8; 64]);
        entries.push(ControlEntry::enrol(network, &enrolment, signer));
        keys
    });
    let answer = EnrolAnswer {
        pending: false,
        pin_only: false,
        author: AUTHOR,
        incarnation: Incarnation([1; 8]),
        nonce: [2; 16],
        time: 0,
        control: entries,
    };
    keys.map(|keys| {
        let rng = ChaCha20Rng::from_seed(*keys.0.to_bytes());
        Known(Device::let_in(network, keys, rng, 0, &answer).unwrap())
    })
}

/// A device whose tasks are asked for.
struct Known(Device);

impl Known {
    fn save(&mut self, day: Day, unit: &str, record: RecordId, puts: Vec<(String, Value)>) {
        let puts = puts.into_iter();
        let puts = puts.map(|(key, value)| (Key::parse(&key).unwrap(), value));
        let edit = Edit {
            record,
            unit: unit.to_owned(),
            author: AUTHOR,
            puts: puts.collect(),
            seen: BTreeMap::new(),
        };
        let saved = self.0.step(day.noon(), |device, context| {
            device.replica.prepare_edit(context, &edit)
        });
        saved.unwrap();
    }

    fn bundle(&mut self, day: Day) -> Vec<u8> {
        let options = BundleOptions {
            bytes_max: None,
            short: false,
            everything: true,
        };
        let made = self.0.step(day.noon(), |device, context| {
            let sign = |message: &[u8]| device.key.sign(message);
            let Device { replica, rows, .. } = device;
            replica.prepare_bundle(context, rows, &sign, options)
        });
        made.unwrap().bytes
    }

    fn import(&mut self, day: Day, file: &[u8]) {
        let imported = self.0.step(day.noon(), |device, context| {
            let Device {
                replica,
                rows,
                sealing,
                ..
            } = device;
            replica.prepare_import(context, rows, sealing, file)
        });
        imported.unwrap();
    }

    /// How many tasks there are on some days. A replica that remembers nothing says the same.
    fn tasks(&self, unit: &str) -> [usize; 3] {
        ["2023-01-01", "2026-12-31", "2028-06-01"].map(|today| {
            let (fresh, _) = self.0.rows.open().unwrap();
            let anew = fresh.due(unit, today, "2027-03-01").unwrap();
            for _ in 0..2 {
                let known = self.0.replica.due(unit, today, "2027-03-01");
                assert_eq!(known.unwrap(), anew);
            }
            anew.len()
        })
    }
}

/// A bundle with the order of the person to erase a record of which `held` holds all there is.
fn order_to_erase(held: &mut Known, record: RecordId, to: PublicKey) -> Vec<u8> {
    let key = SigningKey::from_bytes(&PERSON);
    let network: NetworkId = held.0.replica.me().network;
    let scope: BTreeSet<Space> = held.0.replica.spaces().cloned().collect();
    let vector = |space: &Space| (space.clone(), held.0.replica.vector(space));
    let vectors: Vec<(Space, Vector)> = scope.iter().map(vector).collect();
    let cut = Cut::of(vectors.iter().map(|(space, vector)| (space, vector)));
    let order = Order {
        issuer: key.public().bytes,
        number: 1,
        names: BTreeSet::from([record.to_bytes().to_vec()]),
        content: cut.encode(),
    };
    let sign = |message: &[u8]| key.sign(message);
    let signer = (order.issuer, &sign as &dyn Fn(&[u8]) -> [u8; 64]);
    let entry = ControlEntry::order(network, OrderKind::Erase, &scope, &order, signer);
    let content = Content {
        control: vec![entry],
        ..Content::default()
    };
    let content = content.encode(network);
    seal(&mut held.0.rng, network, &[to], Padding::None, &content).unwrap()
}

#[test]
fn tasks_that_are_remembered_are_those_of_a_phone_that_has_just_been_opened() {
    let package = Package::from_cbor(&Package::builtin().to_cbor()).unwrap();
    let names = Names::new();
    let until = Day::of(2026, 11, 30);
    let places = places(&package, 2000, 11);
    let place = places.iter().find(|place| place.people > 20).unwrap();
    let unit = place.unit.code.as_str();
    let [mut one, mut other] = devices(&package, unit);
    let entries = diary::write(11, place, &names, until).entries;
    let half = entries.len() / 2;
    let mut seen = BTreeSet::new();
    let mut people = BTreeSet::new();
    for (at, entry) in entries.into_iter().enumerate() {
        people.insert(entry.record);
        one.save(entry.day, unit, entry.record, entry.puts.0);
        if at == half || at % 60 == 0 {
            seen.insert(one.tasks(unit));
        }
    }
    // What one phone wrote is merged on the other, and what that one writes on the first.
    let file = one.bundle(until);
    other.import(until, &file);
    assert_eq!(other.tasks(unit), one.tasks(unit));
    for record in people
        .iter()
        .filter(|id| id.subject.key() == "person")
        .take(3)
    {
        let died = [("identity.deceased_on", "2026-11-01")];
        let died = died.map(|(key, value)| (key.to_owned(), Value::from(value)));
        other.save(until, unit, *record, died.to_vec());
        seen.insert(other.tasks(unit));
    }
    let file = other.bundle(until);
    one.import(until, &file);
    assert_eq!(other.tasks(unit), one.tasks(unit));
    seen.insert(one.tasks(unit));

    let due = one.0.replica.due(unit, "2026-12-31", "2027-03-01").unwrap();
    let record = due.first().unwrap().record;
    let reader = one.0.sealing.public();
    let file = order_to_erase(&mut one, record, reader);
    let before = one.tasks(unit);
    one.import(until, &file);
    assert!(one.tasks(unit)[1] < before[1]);
    assert!(seen.len() > 5, "{seen:?}");
}
