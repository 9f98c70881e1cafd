//! The story of the village. The small story has one of each thing in as few bytes as possible; the
//! busy one has a plan as it is used, and a week of work.

use plan::dictionary::{Kind, Section};
use rand_chacha::rand_core::Rng;
use sync_core::batch::{Batch, Entry, Header};
use sync_core::control::{ControlEntry, CountedElsewhere};
use sync_core::feed::Feed;
use sync_core::figure::Absence;
use sync_core::id::{Class, RecordId, Space, Subject};
use sync_core::row::Table;
use sync_core::value::Value;
use sync_core::wire::{Answer, Request};

use super::vault::Vault;
use super::*;

/// An enrolment code that opens nothing.
const CODE: &str = "0abcdefghijklmnopqrstuvwxy";
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// What the small story's plan asks.
const FIELDS: [&str; 7] = [
    "identity.name",
    "identity.sex",
    "identity.birth_date",
    "household.head_name",
    "household.phone",
    "household.resident_population",
    "condition.serious_illness",
];

/// A plan of a few fields, so that its bytes can be read by a person.
pub(super) fn small_plan() -> Package {
    let mut plan = Package::builtin();
    let asked =
        |section: &str, field: &str| FIELDS.contains(&format!("{section}.{field}").as_str());
    for subject in &mut plan.subjects {
        for section in &mut subject.sections {
            let Section { key, fields, .. } = section;
            fields.retain(|field| asked(key, &field.key));
            section.checks.clear();
        }
        subject
            .sections
            .retain(|section| !section.fields.is_empty());
    }
    plan.subjects.retain(|subject| !subject.sections.is_empty());
    let fields = plan.subjects.iter().flat_map(|subject| &subject.sections);
    let lists: BTreeSet<String> = fields
        .flat_map(|section| &section.fields)
        .filter_map(|field| match &field.kind {
            Kind::Choice { codes, .. } => Some(codes.clone()),
            _ => None,
        })
        .collect();
    plan.codes.retain(|list| lists.contains(&list.key));
    plan.settings.truncate(1);
    plan.computed.truncate(1);
    plan.registers.truncate(1);
    plan.indicators.truncate(1);
    plan.units.retain(|unit| UNIT.starts_with(&unit.code));
    // Those of the whole plan.
    plan.expressions.clear();
    plan
}

fn person(name: &str) -> [(&'static str, Value); 3] {
    [
        ("identity.name", Value::from(name)),
        ("identity.sex", Value::from("2")),
        ("identity.birth_date", Value::from("1985-06-07")),
    ]
}

/// One of each message, row and entry that version 1 has.
pub fn small() -> (Village, Vec<Recorded>) {
    let plan = small_plan();
    let mut village = Village::found(&plan);
    let first = village.enrol("first-phone");
    village.keep_pending();
    village.later(HOUR);
    village.sync(first, "nothing-yet");

    let household = village.phones[first].draw(village.now, Subject::Household);
    let woman = village.phones[first].draw(village.now, Subject::Person);
    village.save(
        first,
        household,
        &[
            ("household.head_name", Value::from("苏和")),
            ("household.resident_population", Value::Int(3)),
        ],
    );
    village.save(first, woman, &person("其其格"));
    village.save(
        first,
        woman,
        &[("condition.serious_illness", Value::Bool(false))],
    );
    village.sync(first, "first-edits");
    village.later(HOUR);
    village.sync(first, "nothing-new");

    let second = village.enrol("second-phone");
    village.later(HOUR);
    village.sync(second, "everything-down");
    village.disagree(first, second, household);
    village.fork(first, household);
    village.count_elsewhere(woman);
    village.sync(first, "counts-elsewhere");
    village.write_nonsense(second, woman);
    village.sync(first, "nonsense-down");
    village.be_refused(second);

    village.later(40 * DAY);
    village.round(first, "nonce-too-old");
    village.sync(first, "nonce-renewed");
    village.set_back_the_server(first, household);
    village.miss_a_parent(second, first, household);

    village.save(second, woman, &[("identity.name", Value::Null)]);
    village.keep_control(&["", "package", "enrolment", "", "elsewhere"]);
    village.keep("package", "small", plan.to_cbor());
    village.keep_rows(second);
    village.keep_contributions(first, &Package::builtin());
    let sealed = Vault::new().recorded();
    village.recorded.extend(sealed);
    village.keep_texts(&woman.to_string());
    village.carry(first, second, household);
    village.decide(second, household);
    village.keep_files();
    let recorded = std::mem::take(&mut village.recorded);
    (village, recorded)
}

impl Village {
    pub(super) fn save(&mut self, phone: usize, record: RecordId, puts: &[(&str, Value)]) {
        let now = self.now;
        self.phones[phone].save(now, record, puts);
    }

    /// An answer to somebody whom the administrator has not let in yet.
    fn keep_pending(&mut self) {
        let answer = self.recorded.iter().find(|r| r.kind == "enrol_answer");
        let answer = answer
            .map(|answer| answer.bytes.clone())
            .unwrap_or_default();
        let answer = sync_core::enrol::EnrolAnswer::decode(&answer);
        let mut answer = answer.expect("the server's answer decodes");
        answer.pending = true;
        answer.control.clear();
        self.keep("enrol_answer", "pending", answer.encode());
    }

    /// Ids, keys and a link as they are written.
    fn keep_texts(&mut self, record: &str) {
        let network = self.network();
        let device = self.phones[0].device();
        let link = format!("ortoo://enrol?server=https://127.0.0.1:4443&net={network}#{CODE}");
        let texts = [
            ("link", link),
            ("network", network.to_string()),
            ("device", device.to_string()),
            ("record", record.to_owned()),
            ("space", format!("{UNIT}.general")),
            ("key", "water#2026-02-25.source/03".to_owned()),
        ];
        for (name, text) in texts {
            self.keep("text", name, text.into_bytes());
        }
    }

    /// Two phones write different numbers under one key; then the first decides.
    fn disagree(&mut self, first: usize, second: usize, household: RecordId) {
        for (phone, number) in [(first, "10012345670"), (second, "10012345671")] {
            let number = Value::from(number);
            self.save(phone, household, &[("household.phone", number)]);
        }
        self.later(HOUR);
        self.sync(first, "one-opinion");
        self.sync(second, "another-opinion");
        self.sync(first, "both-opinions");
        let number = Value::from("10012345679");
        self.save(first, household, &[("household.phone", number)]);
        self.later(HOUR);
        self.sync(first, "settled");
    }

    /// A phone is set back after it has sent a batch; its feed forks and is joined.
    fn fork(&mut self, phone: usize, household: RecordId) {
        let before = self.phones[phone].rows.clone();
        let people = |number| ("household.resident_population", Value::Int(number));
        self.save(phone, household, &[people(4)]);
        self.sync(phone, "before-the-fork");
        self.phones[phone].rows = before;
        self.phones[phone].reopen();
        self.save(phone, household, &[people(5)]);
        self.later(HOUR);
        self.sync(phone, "forked");
        self.save(phone, household, &[people(6)]);
        self.sync(phone, "joined");
        let request = self.recorded.iter().rev().find(|r| r.kind == "request");
        let request = request.map(|request| request.bytes.clone());
        self.keep_compact("joined", &request.unwrap_or_default());
    }

    fn count_elsewhere(&mut self, woman: RecordId) {
        let span = ("2024-12-31".to_owned(), "2025-12-31".to_owned());
        let statement = CountedElsewhere {
            record: woman,
            away: Absence::of(vec![span]),
        };
        let space = Space::new(UNIT, Class::General).expect("twelve digits are a unit");
        let entry = self.hub.signed(|network, signer| {
            ControlEntry::elsewhere(network, &space, &statement, 1, signer)
        });
        self.hub.add_control(&entry);
    }

    /// The feed of a phone in the space of most records, from its own rows.
    fn feed(&self, phone: usize) -> (Header, Feed) {
        let phone = &self.phones[phone];
        let batches = phone.rows.of(Table::Batch).filter_map(|bytes| {
            let batch = Batch::from_store(self.network(), bytes).ok()?;
            let own = batch.header.device == phone.device();
            (own && batch.header.space.class == Class::General).then_some(batch)
        });
        let mut feed = Feed::default();
        let mut last = None;
        for batch in batches {
            feed.insert(batch.node());
            last = Some(batch.header);
        }
        (last.expect("the phone has written"), feed)
    }

    /// A request of this phone with this batch in it.
    fn request_with(&mut self, phone: usize, name: &str, batch: Vec<u8>) -> Vec<u8> {
        let network = self.network();
        let outgoing = self.phones[phone].request(self.now);
        let (mut request, _) =
            Request::decode(network, &outgoing.bytes).expect("our own request decodes");
        request.batches.push(batch);
        let key = &self.phones[phone].key;
        let bytes = request.encode(network, &|message| key.sign(message));
        self.keep("request", name, bytes.clone());
        self.keep_compact(name, &bytes);
        bytes
    }

    /// A phone that is not honest sends what is no change: held, and set aside.
    fn write_nonsense(&mut self, phone: usize, woman: RecordId) {
        let (header, feed) = self.feed(phone);
        let (seq, prev) = feed.next();
        let entry = Entry {
            record: woman,
            change: b"no change at all".to_vec(),
        };
        let header = Header {
            seq,
            prev,
            ..header
        };
        let key = &self.phones[phone].key;
        let network = self.network();
        let sign = |message: &[u8]| key.sign(message);
        let batch = Batch::sign(network, header, vec![entry], [0xee; 16], &sign);
        self.keep("batch", "nonsense", batch.bytes().to_vec());
        let request = self.request_with(phone, "nonsense", batch.bytes().to_vec());
        self.serve(&request);
        self.sync(phone, "own-nonsense-down");
    }

    /// A batch whose signature is broken.
    fn be_refused(&mut self, phone: usize) {
        let batch = self.phones[phone].rows.of(Table::Batch).next();
        let mut batch = batch.cloned().expect("the phone holds batches");
        if let Some(last) = batch.last_mut() {
            *last ^= 1;
        }
        let request = self.request_with(phone, "broken-signature", batch);
        let answer = self.serve(&request);
        self.keep("answer", "refused", answer);
    }

    /// The server comes back from an older state and is told what it lacks.
    fn set_back_the_server(&mut self, phone: usize, household: RecordId) {
        let before = self.hub.state.clone();
        for number in [7, 8, 9] {
            let people = Value::Int(number);
            self.save(
                phone,
                household,
                &[("household.resident_population", people)],
            );
            self.later(HOUR);
            self.sync(phone, &format!("lost-{number}"));
        }
        self.hub.state = before;
        self.sync(phone, "server-set-back");
    }

    /// An answer comes without the batch that the next one follows: that one waits.
    fn miss_a_parent(&mut self, phone: usize, writer: usize, household: RecordId) {
        self.sync(phone, "up-to-date");
        for number in [1, 2] {
            let people = Value::Int(number);
            self.save(
                writer,
                household,
                &[("household.resident_population", people)],
            );
            self.sync(writer, &format!("writer-{number}"));
        }
        let network = self.network();
        let outgoing = self.ask(phone, "before-a-gap");
        let answer = self.serve(&outgoing.bytes);
        let mut answer = Answer::decode(network, &answer).expect("the server's answer decodes");
        answer.batches.remove(0);
        let answer = answer.encode(network);
        let now = self.now;
        self.phones[phone].take(now, &outgoing, &answer);
        self.keep("answer", "with-a-gap", answer);
    }
}

/// How many households the busy story has.
const HOUSEHOLDS: usize = 12;

/// A week of work under the plan as it is used: the larger messages of the fuzzer's corpus.
pub fn busy() -> Vec<Recorded> {
    let plan = Package::builtin();
    let mut village = Village::found(&plan);
    let phones = [village.enrol("first-phone"), village.enrol("second-phone")];
    let mut records = Vec::new();
    for day in 0..7 {
        for phone in phones {
            while records.len() < (day + 1) * HOUSEHOLDS / 7 {
                let now = village.now;
                records.push(village.phones[phone].draw(now, Subject::Household));
            }
            for record in records.clone() {
                if village.phones[phone].rng.next_u32().is_multiple_of(3) {
                    village.visit(phone, record);
                }
            }
            village.later(6 * HOUR);
            village.sync(phone, &format!("day-{day}-phone-{phone}"));
        }
    }
    let late = village.enrol("late-phone");
    village.sync(late, "late");
    village.keep_rows(late);
    village.keep_contributions(late, &plan);
    village.keep("package", "builtin", plan.to_cbor());
    if let Some(household) = records.first() {
        village.carry(phones[0], phones[1], *household);
        village.decide(phones[1], *household);
    }
    village.recorded
}

impl Village {
    /// What a cadre writes on a visit.
    fn visit(&mut self, phone: usize, household: RecordId) {
        let now = self.now;
        let drawn = self.phones[phone].rng.next_u32();
        let people = i64::from(drawn % 7);
        let text = |text: String| Value::from(text.as_str());
        let water = |field: &str| format!("water#{}.{field}", sync_core::date::date_in_china(now));
        let puts = [
            ("household.head_name".to_owned(), Value::from("朝鲁")),
            (
                "household.resident_population".to_owned(),
                Value::Int(people),
            ),
            (
                "household.household_no".to_owned(),
                text(format!("{:04}", drawn % 10_000)),
            ),
            ("household.main_camp".to_owned(), Value::from("1")),
            ("household.area_type".to_owned(), Value::from("1")),
            ("household.residence_status".to_owned(), Value::from("1")),
            ("household.status_since".to_owned(), Value::from("2021-03")),
            (water("camp"), Value::from("1")),
            (
                water("observed_on"),
                text(sync_core::date::date_in_china(now)),
            ),
            (water("source"), Value::from("03")),
            (water("users"), Value::Int(people)),
        ];
        let count = 1 + drawn as usize % puts.len();
        let puts: Vec<(&str, Value)> = (puts[..count].iter())
            .map(|(key, value)| (key.as_str(), value.clone()))
            .collect();
        self.save(phone, household, &puts);
    }
}
