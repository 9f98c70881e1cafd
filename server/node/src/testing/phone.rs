//! A phone that says what a test wants it to say: bytes and batches that no phone of the crate `phone` makes.

use std::collections::BTreeMap;

use sync_core::batch::{Batch, Entry, Header};
use sync_core::control::ControlPosition;
use sync_core::enrol::{EnrolAnswer, EnrolRequest};
use sync_core::feed::Vector;
use sync_core::id::{
    AuthorId, BatchHash, DeviceId, Incarnation, NetworkId, RecordId, Space, Subject,
};
use sync_core::record::RecordState;
use sync_core::seal::SigningKey;
use sync_core::value::{Key, Value};
use sync_core::wire::{Answer, BadMessage, Find, Request, SpaceClaim, base_digest};

use super::{Said, TestServer};

/// A device with its keys.
pub struct Phone {
    /// What it signs with.
    pub key: SigningKey,
    /// The installation that it is enrolled in.
    pub network: NetworkId,
    /// Its one space.
    pub space: Space,
    /// In whose name it writes.
    pub author: AuthorId,
    /// The nonce that it was given last.
    pub nonce: [u8; 16],
    /// The life of the server that it was answered in.
    pub incarnation: Incarnation,
    /// What it knows that the server holds: counter and vector.
    pub base: (u64, Vector),
    /// The bytes that it has an answer be.
    pub budget: u32,
    /// What bundles for it are sealed to; by default nobody's.
    pub sealing_key: [u8; 32],
    seed: u8,
}

impl Phone {
    /// A phone that is enrolled nowhere; each `seed` is another device.
    pub fn new(station: &TestServer, seed: u8, space: &str) -> Self {
        Self {
            key: SigningKey::from_bytes(&[seed; 32]),
            network: station.app.network(),
            space: space.parse().unwrap(),
            author: AuthorId([seed; 8]),
            nonce: [0; 16],
            incarnation: Incarnation([0; 8]),
            base: (0, Vector::default()),
            budget: 1 << 20,
            sealing_key: [seed; 32],
            seed,
        }
    }

    /// A phone that a sample server let in.
    pub async fn enrolled(station: &TestServer, seed: u8, space: &str) -> Self {
        let mut phone = Self::new(station, seed, space);
        phone.enrol(station).await;
        phone
    }

    /// A sample server lets it in.
    pub async fn enrol(&mut self, station: &TestServer) {
        let code = station.code(&self.space.to_string()).await;
        let request = self.enrolment(&code);
        let answer = station.enrol(request).await.body();
        assert!(!self.join(&answer).pending);
    }

    /// Its id.
    pub fn device(&self) -> DeviceId {
        DeviceId::of_key(&self.key.public().bytes)
    }

    /// A request with a code.
    pub fn enrolment(&self, code: &str) -> Vec<u8> {
        self.enrolment_by(code, true)
    }

    /// The same of a device whose secret is strong or weak.
    pub fn enrolment_by(&self, code: &str, strong_secret: bool) -> Vec<u8> {
        let request = EnrolRequest {
            code: code.into(),
            signing_key: self.key.public().bytes,
            sealing_key: self.sealing_key,
            strong_secret,
        };
        request.encode(self.network, &|message| self.key.sign(message))
    }

    /// Takes the answer to it.
    pub fn join(&mut self, answer: &[u8]) -> EnrolAnswer {
        let answer = EnrolAnswer::decode(answer).unwrap();
        self.author = answer.author;
        self.nonce = answer.nonce;
        self.incarnation = answer.incarnation;
        answer
    }

    /// A batch of this device that names these parents.
    pub fn batch(&self, seq: u32, prev: &[&Batch], entries: Vec<Entry>) -> Batch {
        self.batch_signed_by(
            &self.key,
            seq,
            prev.iter().map(|batch| batch.hash).collect(),
            entries,
        )
    }

    /// A batch in its name that any key signs.
    pub fn batch_signed_by(
        &self,
        key: &SigningKey,
        seq: u32,
        prev: Vec<BatchHash>,
        entries: Vec<Entry>,
    ) -> Batch {
        let header = Header {
            space: self.space.clone(),
            device: self.device(),
            author: self.author,
            seq,
            prev,
            dictionary: 1,
            time: super::NOON,
        };
        Batch::sign(self.network, header, entries, [self.seed; 16], &|message| {
            key.sign(message)
        })
    }

    /// An entry that writes a name into a new record.
    pub fn entry(&self, record: u8, name: &str) -> Entry {
        self.names(record_id(record), &RecordState::empty(), name)
    }

    /// An entry that goes on with a record of which `entry` is all.
    pub fn edit(&self, entry: &Entry, name: &str) -> Entry {
        let before = RecordState::rebuild(&[(self.device(), &entry.change)]);
        self.names(entry.record, &before, name)
    }

    fn names(&self, record: RecordId, before: &RecordState, name: &str) -> Entry {
        let puts = [(Key::parse("identity.name").unwrap(), Value::from(name))];
        let written = before
            .write(self.device(), before.heads(), &puts, super::NOON)
            .unwrap();
        Entry {
            record,
            change: written.unwrap().0,
        }
    }

    /// A request that brings these batches.
    pub fn request(&self, batches: &[&Batch]) -> Request {
        let bases = BTreeMap::from([(self.space.clone(), self.base.clone())]);
        Request {
            device: self.device(),
            nonce: self.nonce,
            control: ControlPosition::default(),
            base: base_digest(Some(self.incarnation), &bases),
            spaces: vec![SpaceClaim {
                space: self.space.clone(),
                counter: self.base.0,
                changes: vec![],
                locators: vec![],
            }],
            batches: batches.iter().map(|batch| batch.bytes().to_vec()).collect(),
            refer: None,
            budget: self.budget,
            receipts: false,
            shown: Vec::new(),
            renewal: None,
            wipe_report: None,
        }
    }

    /// The bytes of a request.
    pub fn encode(&self, request: &Request) -> Vec<u8> {
        request.encode(self.network, &|message| self.key.sign(message))
    }

    /// Sends these batches.
    pub async fn send(&self, station: &TestServer, batches: &[&Batch]) -> Said {
        station.exchange(self.encode(&self.request(batches))).await
    }

    /// Reads an answer that may refer to what `find` knows.
    pub fn read(&self, answer: &[u8], find: &mut Find<'_>) -> Result<Answer, BadMessage> {
        let spaces = [self.space.clone()];
        Answer::decode_with(self.network, answer, self.device(), &spaces, find)
    }

    /// An exchange that must be served; the phone remembers what it says of the server.
    pub async fn exchange(&mut self, station: &TestServer, batches: &[&Batch]) -> Answer {
        let answer =
            Answer::decode(self.network, &self.send(station, batches).await.body()).unwrap();
        let mut vector = if answer.reset {
            Vector::default()
        } else {
            self.base.1.clone()
        };
        if !answer.reset {
            batches
                .iter()
                .for_each(|batch| vector.advance(batch.header.device, &batch.node()));
        }
        for state in &answer.spaces {
            for (device, tips) in &state.changes {
                vector.set(*device, tips.iter().copied());
            }
            self.base = (state.counter, vector.clone());
        }
        answer
    }
}

/// A person's record by a number.
pub fn record_id(name: u8) -> RecordId {
    RecordId::draw(Subject::Person, 1, [name; 10])
}
