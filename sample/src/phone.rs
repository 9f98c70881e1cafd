//! A phone whose rows are in memory: the real replica, real keys, real signatures, no disk.
//!
//! For loads of many phones: the sample banner, and benches of the server, where the phone's own
//! disk would be in the way. It says at every step what time it is, so that years pass in moments.

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use sync_core::batch::{Reference, ReferencedBatch};
use sync_core::control::{BadEntry, Control};
use sync_core::date::date_in_china;
use sync_core::enrol::{EnrolAnswer, EnrolRequest, EnrolmentLink};
use sync_core::exchange::{Budget, ExchangeError, Outgoing, Received};
use sync_core::id::{AuthorId, DeviceId, NetworkId, RecordId, Subject};
use sync_core::replica::{Context, DeviceIdentity, Edit, EditError, Replica, ServerState};
use sync_core::row::{ReadRows, Row, Table, Unreadable};
use sync_core::seal::{SealingKey, SigningKey};
use sync_core::value::{Key, Value};
use sync_core::wire::BadMessage;

/// Why a phone did not do what it was asked; nothing of the step has happened.
#[derive(Debug, thiserror::Error)]
pub enum PhoneError {
    /// The server's answer to the enrolment is no message of ours.
    #[error("the answer to the enrolment does not read")]
    Message(#[from] BadMessage),
    /// The server's answer carries a control entry that does not check.
    #[error("a control entry does not check")]
    Control(#[from] BadEntry),
    /// The server did not let the device in, or for no unit.
    #[error("the device was not let in")]
    NotLetIn,
    /// The edit was not saved.
    #[error("the edit was not saved: {}", reasons(.0))]
    Edit(#[from] EditError),
    /// The exchange can't go on.
    #[error("the exchange can't go on")]
    Exchange(#[from] ExchangeError),
    /// The server would not hold batches; its codes.
    #[error("the server refused batches: {}", .0.join(", "))]
    Refused(Vec<String>),
}

/// Keys and codes of what the dictionary refuses; never a value.
fn reasons(error: &EditError) -> String {
    match error {
        EditError::Problems(problems) => {
            let named = problems
                .iter()
                .map(|problem| format!("{} {}", problem.key, problem.code));
            named.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// The rows of a store, without those that are only read when a replica is opened again: this one
/// never is, and they would hold every record a second time.
#[derive(Default)]
struct Rows(BTreeMap<Vec<u8>, Vec<u8>>);

/// What a running replica reads back.
const READ_BACK: Table = Table::Batch;

impl Rows {
    fn write(&mut self, rows: Vec<Row>) {
        for row in rows.into_iter().filter(|row| row.table == READ_BACK) {
            match row.value {
                Some(value) => drop(self.0.insert(row.key, value)),
                None => drop(self.0.remove(&row.key)),
            }
        }
    }
}

impl ReadRows for Rows {
    fn read(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Unreadable> {
        match table {
            READ_BACK => Ok(self.0.get(key).cloned()),
            other => Err(Unreadable(format!("{other:?} is not kept"))),
        }
    }
}

/// Redeeming a link: the request's bytes, and what is needed to read the answer.
pub struct Enrolling {
    key: SigningKey,
    rng: ChaCha20Rng,
    network: NetworkId,
    request: Vec<u8>,
}

impl Enrolling {
    /// Makes the device numbered `seed`, whose keys follow from that number: for made-up data only.
    pub fn new(link: &EnrolmentLink, seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let key = SigningKey::generate(&mut rng);
        let request = EnrolRequest {
            code: link.code.clone(),
            signing_key: key.public().bytes,
            sealing_key: SealingKey::generate(&mut rng).public().bytes,
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

    /// The body of `POST /v1/enrol`.
    pub fn request(&self) -> &[u8] {
        &self.request
    }

    /// The phone, from the server's answer. `now` is the phone's clock, Unix seconds.
    pub fn finish(self, now: i64, answer: &[u8]) -> Result<Phone, PhoneError> {
        let answer = EnrolAnswer::decode(answer)?;
        let mut control = Control::new(self.network);
        for bytes in &answer.control {
            if let Some(entry) = control.check(bytes)? {
                control.apply(entry);
            }
        }
        let me = DeviceIdentity {
            network: self.network,
            device: DeviceId::of_key(&self.key.public().bytes),
        };
        let hub = ServerState::enrolled(answer.incarnation, answer.nonce, now, answer.time);
        let replica = Replica::new(me, control, hub);
        let unit = replica.units().first().map(|unit| (*unit).to_owned());
        let mut rows = Rows::default();
        rows.write(replica.first_rows());
        Ok(Phone {
            unit: unit.ok_or(PhoneError::NotLetIn)?,
            replica,
            rows,
            key: self.key,
            rng: self.rng,
            author: answer.author,
        })
    }
}

/// Carries a request's bytes to the server and its answer back.
pub type Post<'a, E> = dyn FnMut(&[u8]) -> Result<Vec<u8>, E> + 'a;

/// A phone in memory, enrolled for one unit.
pub struct Phone {
    replica: Replica,
    rows: Rows,
    key: SigningKey,
    rng: ChaCha20Rng,
    author: AuthorId,
    unit: String,
}

impl Phone {
    /// What it holds.
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    /// A new record's id.
    pub fn draw(&mut self, now: i64, subject: Subject) -> RecordId {
        let random = in_context(&mut self.rng, now, |context| context.random());
        RecordId::draw(subject, now.saturating_mul(1000), random)
    }

    /// Saves values to a record of its unit; returns how many changes that made.
    pub fn save(
        &mut self,
        now: i64,
        record: RecordId,
        puts: Vec<(Key, Value)>,
    ) -> Result<usize, PhoneError> {
        let edit = Edit {
            record,
            unit: self.unit.clone(),
            author: self.author,
            puts,
            seen: BTreeMap::new(),
        };
        let replica = &self.replica;
        let mut prepared = in_context(&mut self.rng, now, |context| {
            replica.prepare_edit(context, &edit)
        })?;
        self.rows.write(std::mem::take(&mut prepared.rows));
        Ok(self.replica.apply(prepared).changes)
    }

    /// What the phone sends.
    pub fn request(&mut self, now: i64, budget: Budget) -> Result<Outgoing, PhoneError> {
        let (replica, rows, key) = (&self.replica, &self.rows, &self.key);
        let sign = |message: &[u8]| key.sign(message);
        let mut prepared = in_context(&mut self.rng, now, |context| {
            replica.prepare_exchange(context, rows, &sign, budget)
        })?;
        self.rows.write(std::mem::take(&mut prepared.rows));
        Ok(self.replica.apply(prepared))
    }

    /// The batch that a reference of the phone's own names.
    pub fn held_at(&self, reference: &Reference) -> Option<ReferencedBatch> {
        self.replica.held_at(&self.rows, reference).ok()?
    }

    /// What an answer changes.
    pub fn take(
        &mut self,
        now: i64,
        outgoing: &Outgoing,
        answer: &[u8],
    ) -> Result<Received, PhoneError> {
        let (replica, rows) = (&self.replica, &self.rows);
        let mut prepared = in_context(&mut self.rng, now, |context| {
            replica.prepare_answer(context, rows, outgoing, answer)
        })?;
        self.rows.write(std::mem::take(&mut prepared.rows));
        let received = self.replica.apply(prepared);
        if received.refused.is_empty() {
            Ok(received)
        } else {
            Err(PhoneError::Refused(received.refused))
        }
    }

    /// Exchanges until both sides hold the same; returns how many batches went out.
    pub fn sync<E: From<PhoneError>>(
        &mut self,
        now: i64,
        post: &mut Post<'_, E>,
    ) -> Result<usize, E> {
        let mut sent = 0;
        loop {
            let outgoing = self.request(now, Budget::LARGEST)?;
            sent += outgoing.batches;
            let answer = post(&outgoing.bytes)?;
            if !self.take(now, &outgoing, &answer)?.again {
                return Ok(sent);
            }
        }
    }
}

fn in_context<T>(rng: &mut ChaCha20Rng, now: i64, step: impl FnOnce(&mut Context<'_>) -> T) -> T {
    let today = date_in_china(now);
    step(&mut Context {
        now,
        today: &today,
        rng,
    })
}
