//! The phones of the village: devices of the sample whose keys and chance are constant, so that their bytes are.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use sample::phone::{Device, in_context};
use sync_core::bundle_exchange::BundleOptions;
use sync_core::enrol::{EnrolAnswer, EnrolRequest};
use sync_core::exchange::{Budget, ExchangeError, Outgoing, Received};
use sync_core::id::{DeviceId, NetworkId, RecordId, Space};
use sync_core::replica::{Edit, EditError, OpenReport, Prepared};
use sync_core::seal::{SealingKey, SigningKey};
use sync_core::value::{Key, Value};

use super::{AUTHOR, UNIT};

/// A phone.
pub struct Phone(Device);

impl Deref for Phone {
    type Target = Device;

    fn deref(&self) -> &Device {
        &self.0
    }
}

impl DerefMut for Phone {
    fn deref_mut(&mut self) -> &mut Device {
        &mut self.0
    }
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
        let rng = ChaCha20Rng::from_seed(*key.to_bytes());
        let sealing = sealing_key(&key);
        let device = Device::let_in(network, (key, sealing), rng, now, &answer);
        Self(device.expect("the server's entries check"))
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

    /// Saves values to a record.
    pub(super) fn save(&mut self, now: i64, record: RecordId, puts: &[(&str, Value)]) {
        let edit = edit(record, puts);
        let saved = self.step(now, |device, context| {
            device.replica.prepare_edit(context, &edit)
        });
        saved.unwrap_or_else(|error| panic!("{puts:?}: {error:?}"));
    }

    /// Saves values with a copy for the server in the outbox.
    pub(super) fn save_with_copy(&mut self, now: i64, record: RecordId, puts: &[(&str, Value)]) {
        let edit = edit(record, puts);
        let saved = self.step(now, |device, context| {
            let mut prepared = device.replica.prepare_edit(context, &edit)?;
            let sign = |message: &[u8]| device.key.sign(message);
            device.replica.add_outbox(&mut prepared, context, &sign);
            Ok::<_, EditError>(prepared)
        });
        saved.unwrap_or_else(|error| panic!("{puts:?}: {error:?}"));
    }

    /// A bundle of what the server lacks.
    pub(super) fn bundle(&mut self, now: i64, options: BundleOptions) -> Vec<u8> {
        let bundle = self.step(now, |device, context| {
            let sign = |message: &[u8]| device.key.sign(message);
            let Device { replica, rows, .. } = device;
            replica.prepare_bundle(context, rows, &sign, options)
        });
        bundle.expect("a key of the server is known").bytes
    }

    /// Takes a bundle.
    pub(super) fn import(&mut self, now: i64, file: &[u8]) {
        let imported = self.step(now, |device, context| {
            let Device {
                replica,
                rows,
                sealing,
                ..
            } = device;
            replica.prepare_import(context, rows, sealing, file)
        });
        imported.expect("the bundle is for this phone");
    }

    /// What the phone sends.
    pub(super) fn request(&mut self, now: i64) -> Outgoing {
        // What is recorded reads without anybody's store beside it.
        self.replica.refer_to_nothing();
        self.referring_request(now)
    }

    /// What the phone sends, referring to what its server holds.
    pub(super) fn referring_request(&mut self, now: i64) -> Outgoing {
        let outgoing = self.0.request(now, Budget::DEFAULT);
        outgoing.expect("rows in memory are read")
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
        in_context(&mut rng, now, |context| {
            replica.prepare_answer(context, rows, outgoing, answer)
        })
    }

    /// Takes an answer.
    pub(super) fn take(&mut self, now: i64, outgoing: &Outgoing, answer: &[u8]) -> Received {
        let received = self.step(now, |device, context| {
            let Device { replica, rows, .. } = device;
            replica.prepare_answer(context, rows, outgoing, answer)
        });
        received.expect("the server's answer is taken")
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
