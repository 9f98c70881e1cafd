//! The phone of the benches: that of the sample at one moment, which stops at the first mistake.

use plan::Package;
use plan::dictionary::{Kind, Repeating};
use sync_core::batch::{Batch, Reference};
use sync_core::enrol::EnrolmentLink;
use sync_core::exchange::{Budget, Outgoing, Received};
use sync_core::id::{NetworkId, RecordId, Subject};
use sync_core::replica::Replica;
use sync_core::value::{Key, Value};
use sync_core::wire::Request;

use crate::workload::{self, Sets};

/// Any time after all dates of the workload.
const NOW: i64 = 1_795_000_000;

/// A phone in memory.
pub(crate) struct MemoryPhone(sample::phone::Phone);

impl MemoryPhone {
    /// Enrols the device numbered `seed`; `post` carries its request.
    pub(crate) fn enrol(
        link: &EnrolmentLink,
        seed: u64,
        post: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Self {
        let enrolling = sample::phone::Enrolling::new(link, seed);
        let answer = post(enrolling.request());
        let phone = enrolling.finish(NOW, &answer);
        Self(phone.unwrap_or_else(|error| panic!("enrolment: {error}")))
    }

    /// The replica.
    pub(crate) fn replica(&self) -> &Replica {
        self.0.replica()
    }

    /// A new record's id.
    pub(crate) fn draw(&mut self, kind: workload::Kind) -> RecordId {
        let subject = match kind {
            workload::Kind::Household => Subject::Household,
            workload::Kind::Woman => Subject::Person,
        };
        self.0.draw(NOW, subject)
    }

    /// Saves values to a record.
    pub(crate) fn save(&mut self, record: RecordId, sets: &Sets) {
        let package = self.replica().package();
        let puts = puts(package.unwrap_or_else(|| panic!("no package")), sets);
        let saved = self.0.save(NOW, record, puts);
        saved.unwrap_or_else(|error| panic!("{sets:?}: {error}"));
    }

    /// What the phone sends.
    pub(crate) fn request(&mut self) -> Outgoing {
        let outgoing = self.0.request(NOW, Budget::LARGEST);
        outgoing.unwrap_or_else(|error| panic!("request: {error}"))
    }

    /// The changes that a request of its own carries.
    pub(crate) fn changes_in(&self, network: NetworkId, packed: &[u8]) -> Vec<(RecordId, Vec<u8>)> {
        let mut find = |reference: &Reference| self.0.held_at(reference);
        let request = Request::decode_with(network, packed, &mut find);
        let (request, _) = request.unwrap_or_else(|bad| panic!("{bad}"));
        let batches = request.batches.iter().map(|bytes| {
            Batch::from_store(network, bytes).unwrap_or_else(|unfit| panic!("{unfit}"))
        });
        let entries = batches.flat_map(|batch| batch.entries);
        entries.map(|entry| (entry.record, entry.change)).collect()
    }

    /// What an answer changes.
    pub(crate) fn take(&mut self, outgoing: &Outgoing, answer: &[u8]) -> Received {
        let received = self.0.take(NOW, outgoing, answer);
        received.unwrap_or_else(|error| panic!("answer: {error}"))
    }

    /// Exchanges until both sides hold the same.
    pub(crate) fn sync(&mut self, post: &mut dyn FnMut(&[u8]) -> Vec<u8>) {
        let synced = self.0.sync(NOW, &mut |body| {
            Ok::<_, sample::phone::PhoneError>(post(body))
        });
        synced.unwrap_or_else(|error| panic!("exchange: {error}"));
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
