//! A phone of the village: the real replica over rows in memory.

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use sync_core::bundle_exchange::BundleOptions;
use sync_core::control::Control;
use sync_core::date::date_in_china;
use sync_core::enrol::{EnrolAnswer, EnrolRequest};
use sync_core::exchange::{Budget, ExchangeError, Outgoing, Received};
use sync_core::id::{DeviceId, NetworkId, RecordId, Space, Subject};
use sync_core::replica::{
    Context, DeviceIdentity, Edit, OpenError, OpenReport, Prepared, Replica, ServerState,
};
use sync_core::row::{ReadRows, Row, Table, Unreadable};
use sync_core::seal::{SealingKey, SigningKey};
use sync_core::value::{Key, Value};

use super::{AUTHOR, UNIT};

/// The rows of a store by table and logical key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows(pub BTreeMap<(Table, Vec<u8>), Vec<u8>>);

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

/// A phone.
pub struct Phone {
    /// What it holds.
    pub replica: Replica,
    /// What it has on disk.
    pub rows: Rows,
    /// Its signing key.
    pub key: SigningKey,
    pub(super) rng: ChaCha20Rng,
}

/// The request that redeems `code`, of a device with this key.
pub(super) fn enrolment(network: NetworkId, key: &SigningKey, code: &str) -> Vec<u8> {
    let request = EnrolRequest {
        code: code.to_owned(),
        signing_key: key.public().bytes,
        sealing_key: sealing_key(key).public().bytes,
        strong_secret: true,
    };
    request.encode(network, &|message| key.sign(message))
}

/// The sealing key of the device with this signing key.
pub fn sealing_key(key: &SigningKey) -> SealingKey {
    SealingKey::generate(&mut ChaCha20Rng::from_seed(*key.to_bytes()))
}

impl Phone {
    /// The phone that the server let in.
    pub(super) fn new(network: NetworkId, key: SigningKey, now: i64, answer: &[u8]) -> Self {
        let answer = EnrolAnswer::decode(answer).expect("the server's answer decodes");
        let mut control = Control::new(network);
        for bytes in &answer.control {
            let entry = control.check(bytes).expect("the server's entries check");
            entry.into_iter().for_each(|entry| control.apply(entry));
        }
        let device = DeviceId::of_key(&key.public().bytes);
        let hub = ServerState::enrolled(answer.incarnation, answer.nonce, now, answer.time);
        let replica = Replica::new(DeviceIdentity { network, device }, control, hub);
        let mut rows = Rows::default();
        rows.write(&replica.first_rows());
        let rng = ChaCha20Rng::from_seed(*key.to_bytes());
        Self {
            replica,
            rows,
            key,
            rng,
        }
    }

    /// The device.
    pub fn device(&self) -> DeviceId {
        self.replica.me().device
    }

    /// The phone from the rows on its disk, as after a restart.
    pub(super) fn reopen(&mut self) {
        let (replica, report) = self.rows.open().expect("the phone's own rows open");
        assert_eq!(report, OpenReport::default());
        self.replica = replica;
    }

    fn done<T>(&mut self, prepared: Prepared<T>) -> T {
        self.rows.write(&prepared.rows);
        self.replica.apply(prepared)
    }

    pub(super) fn draw(&mut self, now: i64, subject: Subject) -> RecordId {
        let random = context(now, &mut self.rng, |context| context.random());
        RecordId::draw(subject, now * 1000, random)
    }

    /// Saves values to a record.
    pub(super) fn save(&mut self, now: i64, record: RecordId, puts: &[(&str, Value)]) {
        let edit = edit(record, puts);
        let replica = &self.replica;
        let prepared = context(now, &mut self.rng, |context| {
            replica.prepare_edit(context, &edit)
        });
        let prepared = prepared.unwrap_or_else(|error| panic!("{puts:?}: {error:?}"));
        self.done(prepared);
    }

    /// Saves values with a copy for the server in the outbox.
    pub(super) fn save_with_copy(&mut self, now: i64, record: RecordId, puts: &[(&str, Value)]) {
        let edit = edit(record, puts);
        let (replica, key) = (&self.replica, &self.key);
        let sign = |message: &[u8]| key.sign(message);
        let prepared = context(now, &mut self.rng, |context| {
            let mut prepared = replica.prepare_edit(context, &edit)?;
            replica.add_outbox(&mut prepared, context, &sign);
            Ok::<_, sync_core::replica::EditError>(prepared)
        });
        let prepared = prepared.unwrap_or_else(|error| panic!("{puts:?}: {error:?}"));
        self.done(prepared);
    }

    /// A bundle of what the server lacks.
    pub(super) fn bundle(&mut self, now: i64, options: BundleOptions) -> Vec<u8> {
        let (replica, rows, key) = (&self.replica, &self.rows, &self.key);
        let sign = |message: &[u8]| key.sign(message);
        let prepared = context(now, &mut self.rng, |context| {
            replica.prepare_bundle(context, rows, &sign, options)
        });
        let prepared = prepared.expect("a key of the server is known");
        self.done(prepared).bytes
    }

    /// Takes a bundle.
    pub(super) fn import(&mut self, now: i64, file: &[u8]) {
        let opener = sealing_key(&self.key);
        let (replica, rows) = (&self.replica, &self.rows);
        let prepared = context(now, &mut self.rng, |context| {
            replica.prepare_import(context, rows, &opener, file)
        });
        let prepared = prepared.expect("the bundle is for this phone");
        self.done(prepared);
    }

    /// What the phone sends.
    pub(super) fn request(&mut self, now: i64) -> Outgoing {
        // What is recorded reads without anybody's store beside it.
        self.replica.refer_to_nothing();
        self.referring_request(now)
    }

    /// What the phone sends, referring to what its server holds.
    pub(super) fn referring_request(&mut self, now: i64) -> Outgoing {
        let (replica, rows, key) = (&self.replica, &self.rows, &self.key);
        let sign = |message: &[u8]| key.sign(message);
        let prepared = context(now, &mut self.rng, |context| {
            replica.prepare_exchange(context, rows, &sign, Budget::DEFAULT)
        });
        let prepared = prepared.expect("rows in memory are read");
        self.done(prepared)
    }

    /// What an answer would change; nothing does.
    pub fn would_take(
        &self,
        now: i64,
        outgoing: &Outgoing,
        answer: &[u8],
    ) -> Result<Prepared<Received>, ExchangeError> {
        let (replica, rows) = (&self.replica, &self.rows);
        let mut rng = self.rng.clone();
        context(now, &mut rng, |context| {
            replica.prepare_answer(context, rows, outgoing, answer)
        })
    }

    /// Takes an answer.
    pub(super) fn take(&mut self, now: i64, outgoing: &Outgoing, answer: &[u8]) -> Received {
        let prepared = self.would_take(now, outgoing, answer);
        let prepared = prepared.expect("the server's answer is taken");
        self.done(prepared)
    }

    /// Its spaces.
    pub fn spaces(&self) -> impl Iterator<Item = &Space> {
        self.replica.spaces()
    }
}

fn edit(record: RecordId, puts: &[(&str, Value)]) -> Edit {
    let key = |text: &str| Key::parse(text).expect("keys of the plan are keys");
    Edit {
        record,
        unit: UNIT.to_owned(),
        author: AUTHOR,
        puts: (puts.iter())
            .map(|(text, value)| (key(text), value.clone()))
            .collect(),
        seen: BTreeMap::new(),
    }
}

fn context<T>(now: i64, rng: &mut ChaCha20Rng, step: impl FnOnce(&mut Context<'_>) -> T) -> T {
    let today = date_in_china(now);
    step(&mut Context {
        now,
        today: &today,
        rng,
    })
}
