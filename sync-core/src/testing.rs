//! A device without a server for unit tests: a network whose keys the test holds, rows in memory.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use plan::Package;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::batch::{Batch, Entry, Header};
use crate::change::{Change, Put};
use crate::control::{
    Control, ControlEntry, Cut, Enrolment, Order, OrderKind, RootStatement, Signer,
};
use crate::exchange::{Arrival, Budget, Outgoing, Received, Slice, Work};
use crate::feed::Vector;
use crate::id::{
    AuthorId, BatchHash, ChangeHash, Class, DeviceId, Incarnation, NetworkId, RecordId, Space,
    Subject,
};
use crate::replica::{
    Context, DeviceIdentity, Edit, EditError, Edited, OpenReport, Replica, ServerState,
};
use crate::row::{ReadRows, Row, Table, Unreadable};
use crate::seal::SigningKey;
use crate::value::{Key, Value};
use crate::wire::Answer;

pub(crate) const UNIT: &str = "152522100200";
pub(crate) const TODAY: &str = "2026-11-25";

/// The key of a person who may order.
pub(crate) fn person() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

/// Rows in memory.
#[derive(Default)]
pub(crate) struct Rows {
    held: BTreeMap<(Table, Vec<u8>), Vec<u8>>,
    /// How many were read.
    pub(crate) reads: Cell<usize>,
}

impl Rows {
    pub(crate) fn write(&mut self, rows: &[Row]) {
        for row in rows {
            let key = (row.table, row.key.clone());
            match &row.value {
                Some(value) => drop(self.held.insert(key, value.clone())),
                None => drop(self.held.remove(&key)),
            }
        }
    }
}

impl Rows {
    /// Whether some row holds these bytes.
    pub(crate) fn contain(&self, part: &[u8]) -> bool {
        let holds = |value: &Vec<u8>| value.windows(part.len()).any(|window| window == part);
        self.held.values().any(holds)
    }

    /// All values of a table.
    pub(crate) fn of(&self, table: Table) -> impl Iterator<Item = &Vec<u8>> {
        let rows = self.held.iter().filter(move |((of, _), _)| *of == table);
        rows.map(|(_, value)| value)
    }
}

impl ReadRows for Rows {
    fn read(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Unreadable> {
        self.reads.set(self.reads.get() + 1);
        Ok(self.held.get(&(table, key.to_vec())).cloned())
    }
}

/// A device enrolled for some classes of one unit.
pub(crate) struct TestDevice {
    pub(crate) replica: Replica,
    pub(crate) rows: Rows,
    pub(crate) rng: ChaCha20Rng,
}

impl TestDevice {
    pub(crate) fn new(seed: u64, classes: &[Class]) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let (root, node) = (
            SigningKey::from_bytes(&[1; 32]),
            SigningKey::from_bytes(&[2; 32]),
        );
        let device = SigningKey::generate(&mut rng);
        let statement = RootStatement {
            version: 1,
            root_keys: vec![root.public().bytes],
            threshold: 1,
            node_keys: vec![node.public().bytes],
            order_keys: vec![person().public().bytes],
            tls_keys: vec![],
        };
        let network = statement.network();
        let enrolment = Enrolment {
            signing_key: device.public().bytes,
            sealing_key: [3; 32],
            spaces: classes
                .iter()
                .map(|class| Space::new(UNIT, *class).unwrap())
                .collect(),
            authors: BTreeSet::from([AuthorId([5; 8])]),
            renews: None,
        };
        let by_root = |message: &[u8]| root.sign(message);
        let by_node = |message: &[u8]| node.sign(message);
        let node = (node.public().bytes, &by_node as &dyn Fn(&[u8]) -> [u8; 64]);
        let mut control = Control::new(network);
        for entry in [
            ControlEntry::root(network, &statement, (root.public().bytes, &by_root)),
            ControlEntry::enrol(network, &enrolment, node),
            ControlEntry::package(network, &Package::builtin(), node),
        ] {
            let entry = control.check(&entry).unwrap().unwrap();
            control.apply(entry);
        }
        let me = DeviceIdentity {
            network,
            device: enrolment.device(),
        };
        let hub = ServerState::enrolled(Incarnation([1; 8]), [2; 16], 0, 0);
        Self {
            replica: Replica::new(me, control, hub),
            rows: Rows::default(),
            rng,
        }
    }

    /// A new person's id.
    pub(crate) fn person(&mut self) -> RecordId {
        self.draw(Subject::Person)
    }

    pub(crate) fn draw(&mut self, subject: Subject) -> RecordId {
        let mut context = Context {
            now: 0,
            today: TODAY,
            rng: &mut self.rng,
        };
        RecordId::draw(subject, 1, context.random())
    }

    pub(crate) fn edit(record: RecordId, puts: &[(&str, Value)]) -> Edit {
        let puts = puts
            .iter()
            .map(|(key, value)| (Key::parse(key).unwrap(), value.clone()));
        Edit {
            record,
            unit: UNIT.to_owned(),
            author: AuthorId([5; 8]),
            puts: puts.collect(),
            seen: BTreeMap::new(),
        }
    }

    /// Saves, or says why not.
    pub(crate) fn save(
        &mut self,
        record: RecordId,
        puts: &[(&str, Value)],
    ) -> Result<Edited, EditError> {
        let edit = Self::edit(record, puts);
        let mut context = Context {
            now: 0,
            today: TODAY,
            rng: &mut self.rng,
        };
        let prepared = self.replica.prepare_edit(&mut context, &edit)?;
        self.rows.write(&prepared.rows);
        Ok(self.replica.apply(prepared))
    }

    /// Asks the server.
    pub(crate) fn ask(&mut self) -> Outgoing {
        let mut context = Context {
            now: 100,
            today: TODAY,
            rng: &mut self.rng,
        };
        let sign = |_: &[u8]| [7; 64];
        let prepared = self
            .replica
            .prepare_exchange(&mut context, &self.rows, &sign, Budget::DEFAULT)
            .unwrap();
        self.rows.write(&prepared.rows);
        self.replica.apply(prepared)
    }

    /// Opens a replica from the rows.
    pub(crate) fn reopen(&mut self) -> OpenReport {
        let mut each = |table: Table, take: &mut dyn FnMut(Vec<u8>)| {
            self.rows.of(table).cloned().for_each(take);
            Ok(())
        };
        let (replica, report) = Replica::open(&self.rows, &mut each).unwrap();
        self.replica = replica;
        report
    }

    /// Takes a slice of an answer.
    pub(crate) fn hear_slice(
        &mut self,
        outgoing: &Outgoing,
        arrival: &Arrival,
        work: Work,
    ) -> Slice {
        let mut context = Context {
            now: 100,
            today: TODAY,
            rng: &mut self.rng,
        };
        let prepared = self
            .replica
            .prepare_slice(&mut context, &self.rows, outgoing, arrival, work)
            .unwrap();
        self.rows.write(&prepared.rows);
        self.replica.apply(prepared)
    }

    /// Takes an answer.
    pub(crate) fn hear_of(&mut self, outgoing: &Outgoing, answer: &Answer) -> Received {
        let bytes = answer.encode(self.replica.me().network);
        let mut context = Context {
            now: 100,
            today: TODAY,
            rng: &mut self.rng,
        };
        let prepared = self
            .replica
            .prepare_answer(&mut context, &self.rows, outgoing, &bytes)
            .unwrap();
        self.rows.write(&prepared.rows);
        self.replica.apply(prepared)
    }
}

/// The space of the unit that everybody holds.
pub(crate) fn general() -> Space {
    Space::new(UNIT, Class::General).unwrap()
}

/// Another device of the village.
pub(crate) struct OtherDevice(SigningKey);

impl OtherDevice {
    pub(crate) fn new(seed: u8) -> Self {
        Self(SigningKey::from_bytes(&[seed; 32]))
    }

    pub(crate) fn device(&self) -> DeviceId {
        DeviceId::of_key(&self.0.public().bytes)
    }

    pub(crate) fn enrolment(&self) -> Enrolment {
        Enrolment {
            signing_key: self.0.public().bytes,
            sealing_key: [3; 32],
            spaces: BTreeSet::from([general()]),
            authors: BTreeSet::from([AuthorId([5; 8])]),
            renews: None,
        }
    }

    /// Its first change of a record, on `deps`, and the batch with it.
    pub(crate) fn writes(
        &self,
        station: &TestDevice,
        record: RecordId,
        key: &str,
        deps: &[(ChangeHash, u32)],
    ) -> (ChangeHash, Batch) {
        let put = Put {
            key: Key::parse(key).unwrap(),
            value: Value::from("其其格"),
            preds: Vec::new(),
        };
        let start = 1 + deps.iter().map(|(_, end)| *end).max().unwrap_or(0);
        let deps = deps.iter().map(|(hash, _)| *hash).collect();
        let (made, change) = Change::make(deps, self.device(), start, 0, vec![put]);
        let entry = Entry { record, change };
        (made.hash, self.batch(station, 1, Vec::new(), entry))
    }

    /// A batch that follows one that nobody holds.
    pub(crate) fn behind_a_gap(
        &self,
        station: &TestDevice,
        record: RecordId,
        missing: u8,
    ) -> Batch {
        let (_, batch) = self.writes(station, record, "identity.name", &[]);
        let entry = batch.entries[0].clone();
        self.batch(station, 2, vec![BatchHash([missing; 32])], entry)
    }

    fn batch(&self, station: &TestDevice, seq: u32, prev: Vec<BatchHash>, entry: Entry) -> Batch {
        let header = Header {
            space: general(),
            device: self.device(),
            author: AuthorId([5; 8]),
            seq,
            prev,
            dictionary: 1,
            time: 0,
        };
        let sign = |message: &[u8]| self.0.sign(message);
        let network = station.replica.me().network;
        Batch::sign(network, header, vec![entry], [1; 16], &sign)
    }
}

/// The order of the person to erase a record of the general space, given when the office held `cut`.
pub(crate) fn erasure_order(network: NetworkId, record: RecordId, cut: Vector) -> Vec<u8> {
    let cut = Cut::of([(&general(), &cut)]).encode();
    order(network, OrderKind::Erase, record.to_bytes().to_vec(), cut)
}

/// The first order of the person about one thing in the general space.
pub(crate) fn order(
    network: NetworkId,
    kind: OrderKind,
    name: Vec<u8>,
    content: Vec<u8>,
) -> Vec<u8> {
    let key = person();
    let order = Order {
        issuer: key.public().bytes,
        number: 1,
        names: BTreeSet::from([name]),
        content,
    };
    let sign = |message: &[u8]| key.sign(message);
    let scope = BTreeSet::from([general()]);
    let signer: Signer<'_> = (order.issuer, &sign);
    ControlEntry::order(network, kind, &scope, &order, signer)
}

/// An entry that the node of the network signs.
pub(crate) fn by_node(make: impl FnOnce(Signer<'_>) -> Vec<u8>) -> Vec<u8> {
    let node = SigningKey::from_bytes(&[2; 32]);
    let sign = |message: &[u8]| node.sign(message);
    make((node.public().bytes, &sign))
}

/// What another device brings a phone, one batch a record.
pub(crate) struct Brought {
    pub(crate) records: Vec<RecordId>,
    pub(crate) batches: Vec<Vec<u8>>,
    pub(crate) enrolment: Vec<u8>,
}

/// A phone that has saved the first of six records, and what another device brings it of all six.
pub(crate) fn two_devices() -> (TestDevice, Brought) {
    let mut station = TestDevice::new(1, &[Class::General]);
    station.rows.write(&station.replica.first_rows());
    let (network, other) = (station.replica.me().network, OtherDevice::new(11));
    let records: Vec<RecordId> = (0..6).map(|_| station.person()).collect();
    let known = ("identity.phone", Value::from("10012345678"));
    station.save(records[0], &[known]).unwrap();
    let batches = records.iter().map(|record| {
        let (_, batch) = other.writes(&station, *record, "identity.name", &[]);
        batch.bytes().to_vec()
    });
    let brought = Brought {
        batches: batches.collect(),
        enrolment: by_node(|node| ControlEntry::enrol(network, &other.enrolment(), node)),
        records,
    };
    (station, brought)
}
