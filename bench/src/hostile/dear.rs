//! The dearest requests that were found, one a function.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use sync_core::batch::{BATCH_BYTES_MAX, Entry, Reference, ReferencedBatch};
use sync_core::bundle::{BUNDLE_BYTES_MAX, Content, Padding, seal};
use sync_core::change::{Change, Put};
use sync_core::enrol::EnrolRequest;
use sync_core::feed::Tip;
use sync_core::id::{BatchHash, ChangeHash, DeviceId, RecordId, Short, Subject};
use sync_core::value::{Key, Value};
use sync_core::wire::{BATCHES_MAX, MESSAGE_BYTES_MAX, UPLOAD_BATCHES_MAX, UPLOAD_BYTES_MAX, pack};

use ortoo_tests::hostile_device::{HostileDevice, claim};

/// Batches of one request.
const BATCHES: usize = UPLOAD_BATCHES_MAX;
/// Changes of one batch: as many as fit.
const CHANGES: usize = 200;
/// Batches of so many changes in one request.
const FULL_BATCHES: usize = UPLOAD_BYTES_MAX / BATCH_BYTES_MAX;

/// Who sends a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Stranger,
    Enrolled,
    /// Somebody honest, after what a device has done.
    Beside,
}

impl Who {
    /// In the table.
    pub(super) fn word(self) -> &'static str {
        match self {
            Who::Stranger => "a stranger",
            Who::Enrolled => "a device",
            Who::Beside => "another device",
        }
    }
}

/// A dear request.
pub(super) struct Dear {
    pub(super) who: Who,
    pub(super) what: &'static str,
    pub(super) path: &'static str,
    /// What its device sends before, which is not measured.
    pub(super) before: fn(&mut HostileDevice) -> Vec<Vec<u8>>,
    /// Makes another one each time.
    pub(super) make: fn(&mut HostileDevice) -> Vec<u8>,
}

impl Dear {
    /// The seed of its device's keys: one for each request.
    pub(super) fn seed(&self) -> u8 {
        let place = all().iter().position(|dear| dear.what == self.what);
        place
            .and_then(|place| u8::try_from(place + 1).ok())
            .unwrap_or(0)
    }
}

/// All of them.
pub(super) fn all() -> Vec<Dear> {
    let stranger = |what, path, make| Dear {
        who: Who::Stranger,
        before: |_| Vec::new(),
        what,
        path,
        make,
    };
    let enrolled = |what, make| Dear {
        who: Who::Enrolled,
        before: |_| Vec::new(),
        what,
        path: "/v1/exchange",
        make,
    };
    vec![
        stranger("noise", "/v1/exchange", |_| vec![0x5a; MESSAGE_BYTES_MAX]),
        stranger("zeros, packed", "/v1/exchange", |_| {
            pack(&vec![0; MESSAGE_BYTES_MAX])
        }),
        stranger("many claims", "/v1/exchange", |device| {
            let device = stranger_like(device);
            device.encode_claims()
        }),
        stranger("entries with signatures", "/v1/exchange", |device| {
            let device = stranger_like(device);
            device.encode_shown()
        }),
        stranger("batches of nobody", "/v1/exchange", |device| {
            let mut device = stranger_like(device);
            many_batches(&mut device.0)
        }),
        stranger("noise to enrol", "/v1/enrol", |_| {
            vec![0x5a; MESSAGE_BYTES_MAX]
        }),
        stranger("an unknown code", "/v1/enrol", unknown_code),
        stranger("noise as a bundle", "/v1/bundles", |_| {
            vec![0x5a; BUNDLE_BYTES_MAX]
        }),
        stranger("a bundle of zeros", "/v1/bundles", |device| {
            sealed(device, &vec![0; 60 * 1024 * 1024])
        }),
        stranger(
            "a bundle of small envelopes",
            "/v1/bundles",
            small_envelopes,
        ),
        stranger("a bundle of nobody's batches", "/v1/bundles", |device| {
            let mut device = stranger_like(device);
            let batches = (0..BATCHES_MAX).map(|_| a_batch(&mut device.0)).collect();
            bundle_of(&device.0, batches)
        }),
        stranger("a bundle of forged entries", "/v1/bundles", |device| {
            let content = Content {
                control: forged_entries(device),
                ..nothing()
            };
            sealed(device, &content.encode(device.network))
        }),
        enrolled("nothing", |device| device.request(Vec::new())),
        enrolled("many small batches", many_batches),
        enrolled("forged signatures", forged),
        enrolled("one record, one upon another", chained),
        enrolled("one record, side by side", side_by_side),
        enrolled("batches without parents", orphans),
        enrolled("changes with many parents", many_deps),
        enrolled("many small changes", many_changes),
        enrolled("tips of nobody", tips),
        enrolled("references", references),
        enrolled("everything", everything),
        Dear {
            who: Who::Beside,
            before: |device| {
                let record = common_record();
                let (mut deps, mut counter) = (Vec::new(), 1);
                let mut request = || chain(device, record, &mut deps, &mut counter);
                (0..8).map(|_| request()).collect()
            },
            ..enrolled("an edit of a record that it made long", edit_of_common)
        },
        Dear {
            who: Who::Beside,
            before: |device| (0..8).map(|_| heap(device, common_record())).collect(),
            ..enrolled("an edit of a record that it crowded", edit_of_common)
        },
        Dear {
            who: Who::Enrolled,
            before: |_| Vec::new(),
            what: "a bundle of small batches",
            path: "/v1/bundles",
            make: |device| {
                let batches = (0..BATCHES_MAX).map(|_| a_batch(device)).collect();
                bundle_of(device, batches)
            },
        },
    ]
}

/// A device that was let in nowhere.
struct Stranger(HostileDevice);

fn stranger_like(device: &HostileDevice) -> Stranger {
    let mut stranger = device.clone();
    let mut key = [0x77; 32];
    key[0] = 0x78;
    stranger.key = ed25519_dalek::SigningKey::from_bytes(&key);
    Stranger(stranger)
}

impl Stranger {
    fn encode_claims(&self) -> Vec<u8> {
        let mut request = self.0.asking();
        request.spaces = vec![claim(&self.0.space)];
        request.spaces[0].changes = many_tips();
        self.0.encode(request)
    }

    /// As many as one may show.
    fn encode_shown(&self) -> Vec<u8> {
        let mut request = self.0.asking();
        request.shown = forged_entries(&self.0);
        self.0.encode(request)
    }
}

/// The root statement again and again, each time with another change of which the signature does not verify.
fn forged_entries(device: &HostileDevice) -> Vec<Vec<u8>> {
    let forged = |n: usize| {
        let mut entry = device.entries[0].clone();
        // Within the network's name of the statement's body, or near it.
        let at = entry.len() / 2 + n % 8;
        entry[at] ^= u8::try_from(n / 8 + 1).unwrap_or(255);
        entry
    };
    (0..1024).map(forged).collect()
}

fn put(key: &str, value: Value) -> Put {
    Put {
        key: Key::parse(key).unwrap_or_else(|_| panic!("no key: {key}")),
        value,
        preds: Vec::new(),
    }
}

/// A change of the device, each time another.
fn a_change(device: &mut HostileDevice, deps: Vec<ChangeHash>, start_op: u32) -> (Change, Vec<u8>) {
    let number = device.number();
    let put = put("household.head_name", Value::Text(format!("敌{number}")));
    Change::make(deps, device.id(), start_op, 0, vec![put])
}

fn a_batch(device: &mut HostileDevice) -> Vec<u8> {
    let change = a_change(device, Vec::new(), 1).1;
    device.batch(change)
}

fn many_batches(device: &mut HostileDevice) -> Vec<u8> {
    let batches = (0..BATCHES).map(|_| a_batch(device)).collect();
    device.request(batches)
}

fn forged(device: &mut HostileDevice) -> Vec<u8> {
    let batches = (0..BATCHES).map(|_| {
        let mut batch = a_batch(device);
        let last = batch.len() - 1;
        batch[last] ^= 1;
        batch
    });
    let batches = batches.collect();
    device.request(batches)
}

/// The record on which somebody else writes too.
fn common_record() -> RecordId {
    RecordId::draw(Subject::Person, 1, [9; 10])
}

fn edit_of_common(device: &mut HostileDevice) -> Vec<u8> {
    let change = a_change(device, Vec::new(), 1).1;
    let batch = device.batch_of(common_record(), vec![change]);
    device.request(vec![batch])
}

fn chained(device: &mut HostileDevice) -> Vec<u8> {
    let record = device.record();
    chain(device, record, &mut Vec::new(), &mut 1)
}

/// Changes that follow each other, from these on.
fn chain(
    device: &mut HostileDevice,
    record: RecordId,
    deps: &mut Vec<ChangeHash>,
    counter: &mut u32,
) -> Vec<u8> {
    let mut batches = Vec::new();
    for _ in 0..FULL_BATCHES {
        let mut changes = Vec::new();
        for _ in 0..CHANGES {
            let (change, raw) = a_change(device, deps.clone(), *counter);
            *deps = vec![change.hash];
            *counter += 1;
            changes.push(raw);
        }
        batches.push(device.batch_of(record, changes));
    }
    device.request(batches)
}

fn side_by_side(device: &mut HostileDevice) -> Vec<u8> {
    let record = device.record();
    heap(device, record)
}

fn heap(device: &mut HostileDevice, record: RecordId) -> Vec<u8> {
    let batches = (0..FULL_BATCHES).map(|_| {
        let changes = (0..CHANGES).map(|_| a_change(device, Vec::new(), 1).1);
        let changes = changes.collect();
        device.batch_of(record, changes)
    });
    let batches = batches.collect();
    device.request(batches)
}

fn orphans(device: &mut HostileDevice) -> Vec<u8> {
    let batches = (0..BATCHES).map(|_| {
        let change = a_change(device, Vec::new(), 1).1;
        let number = device.number();
        let mut parent = [0x66; 32];
        parent[..8].copy_from_slice(&number.to_be_bytes());
        let batch = device.batch_at(7, vec![BatchHash(parent)], change);
        batch.bytes().to_vec()
    });
    let batches = batches.collect();
    device.request(batches)
}

fn many_deps(device: &mut HostileDevice) -> Vec<u8> {
    let record = device.record();
    let batches = (0..FULL_BATCHES).map(|_| {
        let number = device.number();
        let dep = |n: u32| {
            let mut dep = [0x66; 32];
            dep[..8].copy_from_slice(&number.to_be_bytes());
            dep[8..12].copy_from_slice(&n.to_be_bytes());
            ChangeHash(dep)
        };
        let change = a_change(device, (0..900).map(dep).collect(), 1).1;
        device.batch_of(record, vec![change])
    });
    let batches = batches.collect();
    device.request(batches)
}

fn many_changes(device: &mut HostileDevice) -> Vec<u8> {
    let batches = (0..FULL_BATCHES).map(|_| {
        let entries = (0..CHANGES).map(|_| Entry {
            record: device.record(),
            change: a_change(device, Vec::new(), 1).1,
        });
        let entries = entries.collect();
        device.next(entries)
    });
    let batches = batches.collect();
    device.request(batches)
}

fn many_tips() -> Vec<(DeviceId, Vec<Tip>)> {
    let tip = |n: u32| {
        let mut hash = [0x66; 16];
        hash[..4].copy_from_slice(&n.to_be_bytes());
        Tip {
            seq: n,
            hash: Short(hash),
        }
    };
    let device = |n: u64| (DeviceId(n.to_be_bytes()), (1..200).map(tip).collect());
    (0..700).map(device).collect()
}

fn tips(device: &mut HostileDevice) -> Vec<u8> {
    let mut request = device.asking();
    let mut claim = claim(&device.space);
    claim.counter = 1;
    claim.changes = many_tips();
    request.spaces = vec![claim];
    request.budget = u32::MAX;
    device.encode(request)
}

fn references(device: &mut HostileDevice) -> Vec<u8> {
    let mut request = device.asking();
    let batches: Vec<Vec<u8>> = (0..BATCHES).map(|_| a_batch(device)).collect();
    let known = batches
        .iter()
        .zip(1..)
        .take(256)
        .map(|(bytes, seq)| ReferencedBatch {
            reference: Reference::to(&device.space, device.id(), seq),
            hash: BatchHash([0x66; 32]),
            bytes: bytes.clone(),
        });
    request.refer = Some(known.collect());
    request.spaces = vec![claim(&device.space)];
    request.batches = batches;
    device.encode(request)
}

fn everything(device: &mut HostileDevice) -> Vec<u8> {
    let mut request = device.asking();
    request.spaces = vec![claim(&device.space)];
    request.budget = u32::MAX;
    request.receipts = true;
    device.encode(request)
}

fn unknown_code(device: &mut HostileDevice) -> Vec<u8> {
    let request = EnrolRequest {
        code: sync_core::enrol::code_from([0x66; 17]),
        signing_key: device.key.verifying_key().to_bytes(),
        sealing_key: [1; 32],
        strong_secret: true,
    };
    request.encode(device.network, &|message| device.sign(message))
}

fn sealed(device: &mut HostileDevice, content: &[u8]) -> Vec<u8> {
    let key = device
        .control
        .seal_key()
        .unwrap_or_else(|| panic!("no key to seal to"));
    let mut rng = ChaCha8Rng::seed_from_u64(device.number());
    let file = seal(&mut rng, device.network, &[key.key], Padding::None, content);
    file.unwrap_or_else(|error| panic!("{error}"))
}

fn nothing() -> Content {
    Content {
        batches: Vec::new(),
        control: Vec::new(),
        claims: None,
        receipts: Vec::new(),
    }
}

fn small_envelopes(device: &mut HostileDevice) -> Vec<u8> {
    let content = nothing().encode(device.network);
    let envelopes = (0..4096).map(|_| sealed(device, &content));
    envelopes.collect::<Vec<_>>().concat()
}

fn bundle_of(device: &HostileDevice, batches: Vec<Vec<u8>>) -> Vec<u8> {
    let content = Content {
        batches,
        ..nothing()
    };
    sealed(&mut device.clone(), &content.encode(device.network))
}
