//! A phone whose rows are in memory: the real replica, real keys, real signatures, no disk.
//!
//! For loads of many phones: the sample banner, benches of the server, recorded stories. It says at every
//! step what time it is, so that years pass in moments. The crate `phone` over its store in memory would take
//! four times as long for a save, since it seals all rows and a copy for the outbox.

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use sync_core::batch::{Reference, ReferencedBatch};
use sync_core::control::{BadEntry, Control};
use sync_core::date::date_in_china;
use sync_core::enrol::{EnrolAnswer, EnrolRequest, EnrolmentLink};
use sync_core::exchange::{Budget, ExchangeError, Outgoing, Received};
use sync_core::id::{AuthorId, DeviceId, NetworkId, RecordId, Subject};
use sync_core::replica::{
    Context, DeviceIdentity, Edit, EditError, OpenError, OpenReport, Prepared, Replica, ServerState,
};
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

/// The rows of a store by table and logical key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows(pub BTreeMap<(Table, Vec<u8>), Vec<u8>>);

impl Rows {
    fn write(&mut self, rows: impl IntoIterator<Item = Row>) {
        for Row {
            table, key, value, ..
        } in rows
        {
            match value {
                Some(value) => drop(self.0.insert((table, key), value)),
                None => drop(self.0.remove(&(table, key))),
            }
        }
    }

    /// The values of a table, in ascending order of keys.
    pub fn of(&self, table: Table) -> impl Iterator<Item = &Vec<u8>> {
        let from = (table, Vec::new());
        let of_table = self
            .0
            .range(from..)
            .take_while(move |((of, _), _)| *of == table);
        of_table.map(|(_, value)| value)
    }

    /// Opens the replica that the rows are.
    pub fn open(&self) -> Result<(Replica, OpenReport), OpenError> {
        Replica::open(self, &mut |table, each| {
            self.of(table).for_each(|value| each(value.clone()));
            Ok(())
        })
    }
}

impl ReadRows for Rows {
    fn read(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(self.0.get(&(table, key.to_vec())).cloned())
    }
}

/// A device that was let in: what it holds, the rows that this is, and its keys.
pub struct Device {
    /// What it holds.
    pub replica: Replica,
    /// What it has on disk.
    pub rows: Rows,
    /// Its signing key.
    pub key: SigningKey,
    /// Its sealing key.
    pub sealing: SealingKey,
    /// All chance that it has.
    pub rng: ChaCha20Rng,
    /// It is never opened again. Rows that only an opening reads would hold every record a second time.
    never_reopened: bool,
}

impl Device {
    /// The device that the server's answer to its enrolment lets in at `now`.
    pub fn let_in(
        network: NetworkId,
        (key, sealing): (SigningKey, SealingKey),
        rng: ChaCha20Rng,
        now: i64,
        answer: &EnrolAnswer,
    ) -> Result<Self, BadEntry> {
        let mut control = Control::new(network);
        for bytes in &answer.control {
            if let Some(entry) = control.check(bytes)? {
                control.apply(entry);
            }
        }
        let me = DeviceIdentity {
            network,
            device: DeviceId::of_key(&key.public().bytes),
        };
        let hub = ServerState::enrolled(answer.incarnation, answer.nonce, now, answer.time);
        let replica = Replica::new(me, control, hub);
        let mut rows = Rows::default();
        rows.write(replica.first_rows());
        Ok(Self {
            replica,
            rows,
            key,
            sealing,
            rng,
            never_reopened: false,
        })
    }

    /// A new record's id.
    pub fn draw(&mut self, now: i64, subject: Subject) -> RecordId {
        let random = in_context(&mut self.rng, now, |context| context.random());
        RecordId::draw(subject, now.saturating_mul(1000), random)
    }

    /// Prepares a step, writes its rows and applies it.
    pub fn step<T, E>(
        &mut self,
        now: i64,
        prepare: impl FnOnce(&Self, &mut Context<'_>) -> Result<Prepared<T>, E>,
    ) -> Result<T, E> {
        let mut rng = self.rng.clone();
        let prepared = in_context(&mut rng, now, |context| prepare(self, context));
        self.rng = rng;
        let mut prepared = prepared?;
        let rows = std::mem::take(&mut prepared.rows).into_iter();
        let only = self.never_reopened;
        self.rows
            .write(rows.filter(|row| !only || row.table == READ_BACK));
        Ok(self.replica.apply(prepared))
    }

    /// What the device sends.
    pub fn request(&mut self, now: i64, budget: Budget) -> Result<Outgoing, ExchangeError> {
        self.step(now, |device, context| {
            let sign = |message: &[u8]| device.key.sign(message);
            let replica = &device.replica;
            replica.prepare_exchange(context, &device.rows, &sign, budget)
        })
    }
}

/// What a running replica reads back.
const READ_BACK: Table = Table::Batch;

/// Redeeming a link: the request's bytes, and what is needed to read the answer.
pub struct Enrolling {
    keys: (SigningKey, SealingKey),
    rng: ChaCha20Rng,
    network: NetworkId,
    request: Vec<u8>,
}

impl Enrolling {
    /// Makes the device numbered `seed`, whose keys follow from that number: for made-up data only.
    pub fn new(link: &EnrolmentLink, seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let key = SigningKey::generate(&mut rng);
        let sealing = SealingKey::generate(&mut rng);
        let request = EnrolRequest {
            code: link.code.clone(),
            signing_key: key.public().bytes,
            sealing_key: sealing.public().bytes,
            strong_secret: true,
        };
        let request = request.encode(link.network, &|message| key.sign(message));
        Self {
            keys: (key, sealing),
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
        let mut device = Device::let_in(self.network, self.keys, self.rng, now, &answer)?;
        device.rows = Rows::default();
        device.never_reopened = true;
        let unit = device
            .replica
            .units()
            .first()
            .map(|unit| (*unit).to_owned());
        Ok(Phone {
            unit: unit.ok_or(PhoneError::NotLetIn)?,
            device,
            author: answer.author,
        })
    }
}

/// Carries a request's bytes to the server and its answer back.
pub type Post<'a, E> = dyn FnMut(&[u8]) -> Result<Vec<u8>, E> + 'a;

/// A phone in memory, enrolled for one unit.
pub struct Phone {
    device: Device,
    author: AuthorId,
    unit: String,
}

impl Phone {
    /// What it holds.
    pub fn replica(&self) -> &Replica {
        &self.device.replica
    }

    /// A new record's id.
    pub fn draw(&mut self, now: i64, subject: Subject) -> RecordId {
        self.device.draw(now, subject)
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
        let edited = self.device.step(now, |device, context| {
            device.replica.prepare_edit(context, &edit)
        })?;
        Ok(edited.changes)
    }

    /// What the phone sends.
    pub fn request(&mut self, now: i64, budget: Budget) -> Result<Outgoing, PhoneError> {
        Ok(self.device.request(now, budget)?)
    }

    /// The batch that a reference of the phone's own names.
    pub fn held_at(&self, reference: &Reference) -> Option<ReferencedBatch> {
        let Device { replica, rows, .. } = &self.device;
        replica.held_at(rows, reference).ok()?
    }

    /// What an answer changes.
    pub fn take(
        &mut self,
        now: i64,
        outgoing: &Outgoing,
        answer: &[u8],
    ) -> Result<Received, PhoneError> {
        let received = self.device.step(now, |device, context| {
            let Device { replica, rows, .. } = device;
            replica.prepare_answer(context, rows, outgoing, answer)
        })?;
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

/// Does something at `now`.
pub fn in_context<T>(
    rng: &mut ChaCha20Rng,
    now: i64,
    step: impl FnOnce(&mut Context<'_>) -> T,
) -> T {
    let today = date_in_china(now);
    step(&mut Context {
        now,
        today: &today,
        rng,
    })
}
