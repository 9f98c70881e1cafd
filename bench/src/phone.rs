//! A phone whose rows are in memory: the real replica, real signatures, no disk. For loads of many
//! phones and for benches of the server, where the phone's own cost would be in the way.

use std::collections::BTreeMap;

use plan::Package;
use plan::dictionary::{Kind, Repeating};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use sync_core::control::Control;
use sync_core::enrol::{EnrolAnswer, EnrolRequest, Link};
use sync_core::exchange::{Budget, Outgoing, Received};
use sync_core::id::{AuthorId, NetworkId, RecordId, Subject};
use sync_core::replica::{Context, Edit, HubState, Me, Replica};
use sync_core::row::{ReadRows, Row, Table, Unreadable};
use sync_core::seal::SigningKey;
use sync_core::value::{Key, Value};

use crate::workload::{self, Sets};

/// Any time after all dates of the workload.
pub(crate) const NOW: i64 = 1_795_000_000;
const TODAY: &str = "2026-11-18";

/// The rows of a store.
#[derive(Default)]
struct Rows(BTreeMap<(Table, Vec<u8>), Vec<u8>>);

impl Rows {
    fn write(&mut self, rows: &[Row]) {
        for row in rows {
            let key = (row.table, row.key.clone());
            match &row.value {
                Some(value) => drop(self.0.insert(key, value.clone())),
                None => drop(self.0.remove(&key)),
            }
        }
    }
}

impl ReadRows for Rows {
    fn read(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(self.0.get(&(table, key.to_vec())).cloned())
    }
}

/// A phone in memory.
pub(crate) struct MemoryPhone {
    replica: Replica,
    rows: Rows,
    key: SigningKey,
    rng: ChaCha20Rng,
    author: AuthorId,
    unit: String,
}

/// Redeeming a link: the request's bytes, and what is needed to read the answer.
pub(crate) struct Enrolling {
    key: SigningKey,
    rng: ChaCha20Rng,
    network: NetworkId,
    /// The body to post.
    pub(crate) request: Vec<u8>,
}

impl Enrolling {
    /// Makes the device numbered `seed`.
    pub(crate) fn new(link: &Link, seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let key = SigningKey::generate(&mut rng);
        let request = EnrolRequest {
            code: link.code.clone(),
            signing_key: key.public().bytes,
            sealing_key: [7; 32],
            strong_secret: true,
        };
        let request = request.encode(link.network, &|message| key.sign(message));
        Self {
            key,
            rng,
            network: link.network,
            request,
        }
    }

    /// The phone, from the server's answer.
    pub(crate) fn finish(self, answer: &[u8]) -> MemoryPhone {
        let answer = EnrolAnswer::decode(answer).unwrap_or_else(|bad| panic!("enrolment: {bad}"));
        let mut control = Control::new(self.network);
        for bytes in &answer.control {
            match control.check(bytes) {
                Ok(Some(entry)) => control.apply(entry),
                other => panic!("control entry: {other:?}"),
            }
        }
        let device = sync_core::id::DeviceId::of_key(&self.key.public().bytes);
        let me = Me {
            network: self.network,
            device,
        };
        let hub = HubState::enrolled(answer.incarnation, answer.nonce, NOW, answer.time);
        let replica = Replica::new(me, control, hub);
        let unit = replica
            .units()
            .into_iter()
            .next()
            .unwrap_or_default()
            .to_owned();
        let mut rows = Rows::default();
        rows.write(&replica.first_rows());
        MemoryPhone {
            replica,
            rows,
            key: self.key,
            rng: self.rng,
            author: answer.author,
            unit,
        }
    }
}

impl MemoryPhone {
    /// The replica.
    pub(crate) fn replica(&self) -> &Replica {
        &self.replica
    }

    /// A new record's id.
    pub(crate) fn draw(&mut self, kind: workload::Kind) -> RecordId {
        let subject = match kind {
            workload::Kind::Household => Subject::Household,
            workload::Kind::Woman => Subject::Person,
        };
        let mut context = Context {
            now: NOW,
            today: TODAY,
            rng: &mut self.rng,
        };
        RecordId::draw(subject, NOW * 1000, context.random())
    }

    /// Saves values to a record.
    pub(crate) fn save(&mut self, record: RecordId, sets: &Sets) {
        let package = self
            .replica
            .package()
            .unwrap_or_else(|| panic!("no package"));
        let edit = Edit {
            record,
            unit: self.unit.clone(),
            author: self.author,
            puts: puts(package, sets),
            seen: BTreeMap::new(),
        };
        let mut context = Context {
            now: NOW,
            today: TODAY,
            rng: &mut self.rng,
        };
        let prepared = self.replica.prepare_edit(&mut context, &edit);
        let prepared = prepared.unwrap_or_else(|error| panic!("{sets:?}: {error:?}"));
        self.rows.write(&prepared.rows);
        self.replica.apply(prepared);
    }

    /// What the phone sends.
    pub(crate) fn request(&mut self, budget: Budget) -> Outgoing {
        let mut context = Context {
            now: NOW,
            today: TODAY,
            rng: &mut self.rng,
        };
        let sign = |message: &[u8]| self.key.sign(message);
        let prepared = self
            .replica
            .prepare_exchange(&mut context, &self.rows, &sign, budget);
        let prepared = prepared.unwrap_or_else(|error| panic!("request: {error}"));
        self.rows.write(&prepared.rows);
        self.replica.apply(prepared)
    }

    /// What an answer changes.
    pub(crate) fn take(&mut self, outgoing: &Outgoing, answer: &[u8]) -> Received {
        let mut context = Context {
            now: NOW,
            today: TODAY,
            rng: &mut self.rng,
        };
        let prepared = self
            .replica
            .prepare_answer(&mut context, &self.rows, outgoing, answer);
        let prepared = prepared.unwrap_or_else(|error| panic!("answer: {error}"));
        self.rows.write(&prepared.rows);
        let received = self.replica.apply(prepared);
        assert!(received.refused.is_empty(), "{:?}", received.refused);
        received
    }

    /// Exchanges until both sides hold the same.
    pub(crate) fn sync(&mut self, post: &mut dyn FnMut(&[u8]) -> Vec<u8>) {
        loop {
            let outgoing = self.request(Budget {
                up: 1 << 20,
                down: 1 << 20,
            });
            let answer = post(&outgoing.bytes);
            if !self.take(&outgoing, &answer).again {
                return;
            }
        }
    }
}

/// What the texts of the workload write: one item for each repeating section.
pub(crate) fn puts(package: &Package, sets: &Sets) -> Vec<(Key, Value)> {
    let value_of = |name: &str| {
        let found = sets
            .iter()
            .find_map(|set| set.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_default().to_owned()
    };
    let mut puts = Vec::new();
    for set in sets {
        let (name, text) = set.split_once('=').unwrap_or((set, ""));
        let (section, field) = name.split_once('.').unwrap_or((name, ""));
        let (_, of) = package
            .section(section)
            .unwrap_or_else(|| panic!("no section {section}"));
        let key = match &of.repeating {
            Repeating::No => Key::single(section, field),
            Repeating::ByKey(fields, _) => {
                let parts = fields
                    .iter()
                    .map(|field| value_of(&format!("{section}.{field}")));
                Key::item_field(section, &parts.collect::<Vec<_>>().join("-"), field)
            }
            _ => Key::item_field(section, "a1b2c3d4", field),
        };
        let key = key.unwrap_or_else(|_| panic!("no key {name}"));
        let kind = of.field(field).map(|field| &field.kind);
        puts.push(match kind.unwrap_or_else(|| panic!("no field {name}")) {
            Kind::Integer { .. } => (key, Value::Int(text.parse().unwrap_or_default())),
            Kind::Bool => (key, Value::Bool(text == "true")),
            Kind::Choices { .. } => (
                key.with_code(text)
                    .unwrap_or_else(|_| panic!("no code {text}")),
                Value::Bool(true),
            ),
            _ => (key, Value::from(text)),
        });
    }
    puts
}
