//! An enrolled device that has turned hostile: it signs well and means ill.

use std::collections::BTreeMap;

use ed25519_dalek::{Signer, SigningKey};
use sync_core::admit::BESIDE_MAX;
use sync_core::batch::{Batch, Entry, Header, ReferencedBatch};
use sync_core::change::{Change, Put};
use sync_core::control::ControlPosition;
use sync_core::feed::{BRANCHES_BROUGHT_MAX, Feed};
use sync_core::id::{
    ActorId, AuthorId, BatchHash, ChangeHash, Class, DeviceId, NetworkId, RecordId, Short, Space,
    Subject,
};
use sync_core::value::{Key, Value};
use sync_core::wire::{Request, SpaceClaim};

use super::fault::Dice;
use super::held::known;
use super::hub::HubState;
use super::taking::STASH_MAX;

/// What it does in one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trick {
    Honest,
    OthersChange,
    HugeStartOp,
    Twins,
    OrphanChange,
    LateParentChange,
    Gap,
    Gaps,
    UsedNumber,
    Branches,
    Heap,
    Replay,
    UngrantedBatch,
    UngrantedClaim,
    WrongNumber,
    BadSignature,
    NoChange,
    OthersName,
    WrongPreds,
    WrongClass,
    Redacted,
}

const TRICKS: [Trick; 21] = [
    Trick::Honest,
    Trick::OthersChange,
    Trick::HugeStartOp,
    Trick::Twins,
    Trick::OrphanChange,
    Trick::LateParentChange,
    Trick::Gap,
    Trick::Gaps,
    Trick::UsedNumber,
    Trick::Branches,
    Trick::Heap,
    Trick::Replay,
    Trick::UngrantedBatch,
    Trick::UngrantedClaim,
    Trick::WrongNumber,
    Trick::BadSignature,
    Trick::NoChange,
    Trick::OthersName,
    Trick::WrongPreds,
    Trick::WrongClass,
    Trick::Redacted,
];

/// The hostile device.
pub(super) struct Hostile {
    signing: SigningKey,
    /// Its id.
    pub(super) device: DeviceId,
    /// Where it may write.
    pub(super) spaces: Vec<Space>,
    /// Its enrolment code.
    pub(super) code: String,
    /// The nonce of its enrolment.
    pub(super) nonce: [u8; 16],
    feeds: BTreeMap<Space, Feed>,
    withheld: Vec<Vec<u8>>,
    sent: Vec<Vec<u8>>,
}

impl Hostile {
    /// A device that will be enrolled for these spaces.
    pub(super) fn new(dice: &mut Dice, spaces: Vec<Space>) -> Self {
        let signing = SigningKey::from_bytes(&dice.bytes());
        Self {
            device: DeviceId::of_key(&signing.verifying_key().to_bytes()),
            signing,
            spaces,
            code: sync_core::enrol::code_from(dice.bytes()),
            nonce: [0; 16],
            feeds: BTreeMap::new(),
            withheld: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// Its public key.
    pub(super) fn key(&self) -> [u8; 32] {
        self.signing.verifying_key().to_bytes()
    }

    /// Its signature.
    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signing.sign(message).to_bytes()
    }

    /// The next request, and what it is up to.
    pub(super) fn request(
        &mut self,
        dice: &mut Dice,
        network: NetworkId,
        hub: &HubState,
        victims: &[DeviceId],
    ) -> (Vec<u8>, String) {
        let trick = *dice.pick(&TRICKS);
        let space = dice.pick(&self.spaces.clone()).clone();
        let target = target(dice, hub, &space);
        let own = self.device;
        let key = key_in(&space);
        let mut batches = Vec::new();
        let mut spaces = self.spaces.clone();
        match trick {
            Trick::Honest => {
                let entry = follow(dice, hub, &space, target, own);
                batches.push(self.next(dice, network, &space, vec![entry]));
            }
            Trick::OthersChange => {
                let victim = *dice.pick(victims);
                let entry = follow(dice, hub, &space, target, victim);
                batches.push(self.next(dice, network, &space, vec![entry]));
            }
            Trick::HugeStartOp => {
                let start = *dice.pick(&[u32::MAX, u32::MAX - 1, 1 << 31, (1 << 31) - 1, 4096]);
                let deps = heads(hub, &space, target);
                let entry = entry(dice, (target, key.clone()), deps, own, start, Vec::new());
                batches.push(self.next(dice, network, &space, vec![entry]));
            }
            Trick::Twins => {
                let (first, raw) = change(dice, key.clone(), Vec::new(), own, 1, Vec::new());
                let put = Put {
                    key: key.clone(),
                    value: Value::Int(dice.below(1 << 30) as i64),
                    preds: Vec::new(),
                };
                let second = Change::forge(Vec::new(), first.actor, 1, 0, vec![put]).1;
                let [first, second] = [raw, second].map(|change| Entry {
                    record: target,
                    change,
                });
                if dice.chance(500) {
                    batches.push(self.next(dice, network, &space, vec![first, second]));
                } else {
                    batches.push(self.next(dice, network, &space, vec![first]));
                    self.withhold(dice, network, &space, second);
                }
            }
            Trick::OrphanChange => {
                let deps = vec![ChangeHash(dice.bytes())];
                let entry = entry(dice, (target, key.clone()), deps, own, 7, Vec::new());
                batches.push(self.next(dice, network, &space, vec![entry]));
            }
            Trick::LateParentChange => {
                let (parent, raw) = change(dice, key.clone(), Vec::new(), own, 1, Vec::new());
                let end = parent.ops_end();
                let child = entry(
                    dice,
                    (target, key.clone()),
                    vec![parent.hash],
                    own,
                    end + 1,
                    Vec::new(),
                );
                batches.push(self.next(dice, network, &space, vec![child]));
                self.withhold(
                    dice,
                    network,
                    &space,
                    Entry {
                        record: target,
                        change: raw,
                    },
                );
            }
            Trick::Gap => {
                let first = follow(dice, hub, &space, target, own);
                self.withhold(dice, network, &space, first);
                let second = follow(dice, hub, &space, target, own);
                batches.push(self.next(dice, network, &space, vec![second]));
            }
            Trick::Gaps => {
                let (seq, prev) = (7, vec![BatchHash(dice.bytes())]);
                for _ in 0..STASH_MAX + 6 {
                    let entry = follow(dice, hub, &space, target, own);
                    let batch =
                        self.sign_batch(dice, network, &space, seq, prev.clone(), vec![entry]);
                    batches.push(batch.bytes().to_vec());
                }
            }
            Trick::UsedNumber => {
                let (seq, prev) = self.feeds.entry(space.clone()).or_default().next();
                for _ in 0..2 {
                    let entry = follow(dice, hub, &space, target, own);
                    let batch =
                        self.sign_batch(dice, network, &space, seq, prev.clone(), vec![entry]);
                    self.remember(&batch);
                    batches.push(batch.bytes().to_vec());
                }
            }
            Trick::Branches => {
                let (seq, prev) = self.feeds.entry(space.clone()).or_default().next();
                for branch in 0..BRANCHES_BROUGHT_MAX + 6 {
                    let entry = follow(dice, hub, &space, target, own);
                    let batch =
                        self.sign_batch(dice, network, &space, seq, prev.clone(), vec![entry]);
                    if branch == 0 {
                        self.remember(&batch);
                    }
                    batches.push(batch.bytes().to_vec());
                }
            }
            Trick::Heap => {
                let deps = heads(hub, &space, target);
                let start = start_op(hub, &space, target);
                let heaped = (0..3 * BESIDE_MAX).map(|_| {
                    let outside = key_of(&format!("identity.hostile_{}", dice.below(1_000_000)));
                    let at = (target, outside);
                    entry(dice, at, deps.clone(), own, start, Vec::new())
                });
                let heaped: Vec<Entry> = heaped.collect();
                for some in heaped.chunks(BESIDE_MAX) {
                    batches.push(self.next(dice, network, &space, some.to_vec()));
                }
            }
            Trick::Replay => batches.extend(self.sent.iter().take(3).cloned()),
            Trick::UngrantedBatch => {
                let other = ungranted(&self.spaces, &space);
                let entry = follow(dice, hub, &space, target, own);
                let batch = self.sign_batch(dice, network, &other, 1, Vec::new(), vec![entry]);
                batches.push(batch.bytes().to_vec());
            }
            Trick::UngrantedClaim => spaces.push(ungranted(&self.spaces, &space)),
            Trick::WrongNumber => {
                let (seq, prev) = self.feeds.entry(space.clone()).or_default().next();
                let seq = if dice.chance(500) { seq + 5 } else { u32::MAX };
                let entry = follow(dice, hub, &space, target, own);
                let batch = self.sign_batch(dice, network, &space, seq, prev, vec![entry]);
                batches.push(batch.bytes().to_vec());
            }
            Trick::BadSignature => {
                let (seq, prev) = self.feeds.entry(space.clone()).or_default().next();
                let entry = follow(dice, hub, &space, target, own);
                let batch = self.sign_batch(dice, network, &space, seq, prev, vec![entry]);
                let mut bytes = batch.bytes().to_vec();
                let at = dice.below(bytes.len());
                bytes[at] ^= 1 << dice.below(8);
                batches.push(bytes);
            }
            Trick::NoChange => {
                let raw: [u8; 40] = dice.bytes();
                let mut good = follow(dice, hub, &space, target, own).change;
                let at = dice.below(good.len());
                good[at] ^= 1 << dice.below(8);
                let entries = vec![
                    Entry {
                        record: target,
                        change: raw.to_vec(),
                    },
                    Entry {
                        record: target,
                        change: good,
                    },
                    Entry {
                        record: target,
                        change: Vec::new(),
                    },
                ];
                batches.push(self.next(dice, network, &space, entries));
            }
            Trick::OthersName => {
                let entry = follow(dice, hub, &space, target, own);
                let mut header = self.header(&space, 1, Vec::new());
                header.device = *dice.pick(victims);
                let sign = |message: &[u8]| self.signing.sign(message).to_bytes();
                let batch = Batch::sign(network, header, vec![entry], dice.bytes(), &sign);
                batches.push(batch.bytes().to_vec());
            }
            Trick::Redacted => {
                let (seq, prev) = self.feeds.entry(space.clone()).or_default().next();
                let entry = follow(dice, hub, &space, target, own);
                let batch = self.sign_batch(dice, network, &space, seq, prev, vec![entry]);
                let redacted = batch.redact(|_| true).expect("a batch of ours is blotted");
                batches.push(redacted.bytes().to_vec());
            }
            Trick::WrongClass => {
                let deps = heads(hub, &space, target);
                let start = start_op(hub, &space, target);
                let outside = key_outside(&space);
                let entry = entry(dice, (target, outside), deps, own, start, Vec::new());
                batches.push(self.next(dice, network, &space, vec![entry]));
            }
            Trick::WrongPreds => {
                let deps = heads(hub, &space, target);
                let start = start_op(hub, &space, target);
                let pred = sync_core::change::OpId {
                    counter: start.max(2) - 1,
                    actor: ActorId(dice.bytes()),
                };
                let entry = entry(
                    dice,
                    (target, key.clone()),
                    deps,
                    own,
                    start.max(2),
                    vec![pred],
                );
                batches.push(self.next(dice, network, &space, vec![entry]));
            }
        }
        if dice.chance(300) {
            batches.append(&mut self.withheld);
        }
        self.sent.extend(batches.iter().cloned());
        let refer = dice
            .chance(500)
            .then(|| references(dice, hub, &self.spaces));
        let request = Request {
            device: self.device,
            nonce: self.nonce,
            control: ControlPosition::default(),
            base: Short(dice.bytes()),
            spaces: spaces
                .into_iter()
                .map(|space| SpaceClaim {
                    space,
                    counter: dice.below(4) as u64,
                    changes: Vec::new(),
                    locators: Vec::new(),
                })
                .collect(),
            batches,
            refer,
            budget: dice.below(10_000) as u32,
            receipts: false,
            shown: Vec::new(),
            renewal: None,
            wipe_report: None,
        };
        let sign = |message: &[u8]| self.signing.sign(message).to_bytes();
        (
            request.encode(network, &sign),
            format!("{trick:?} on {target} in {space}"),
        )
    }

    fn header(&self, space: &Space, seq: u32, prev: Vec<BatchHash>) -> Header {
        Header {
            space: space.clone(),
            device: self.device,
            author: AuthorId([0xbd; 8]),
            seq,
            prev,
            dictionary: 1,
            time: 0,
        }
    }

    fn sign_batch(
        &self,
        dice: &mut Dice,
        network: NetworkId,
        space: &Space,
        seq: u32,
        prev: Vec<BatchHash>,
        entries: Vec<Entry>,
    ) -> Batch {
        let header = self.header(space, seq, prev);
        let sign = |message: &[u8]| self.signing.sign(message).to_bytes();
        Batch::sign(network, header, entries, dice.bytes(), &sign)
    }

    fn remember(&mut self, batch: &Batch) {
        self.feeds
            .entry(batch.header.space.clone())
            .or_default()
            .insert(batch.node());
    }

    /// The next batch of its feed.
    fn next(
        &mut self,
        dice: &mut Dice,
        network: NetworkId,
        space: &Space,
        entries: Vec<Entry>,
    ) -> Vec<u8> {
        let (seq, prev) = self.feeds.entry(space.clone()).or_default().next();
        let batch = self.sign_batch(dice, network, space, seq, prev, entries);
        self.remember(&batch);
        batch.bytes().to_vec()
    }

    /// The next batch of its feed, which it keeps for later or for ever.
    fn withhold(&mut self, dice: &mut Dice, network: NetworkId, space: &Space, entry: Entry) {
        let bytes = self.next(dice, network, space, vec![entry]);
        self.withheld.push(bytes);
    }
}

/// What its batches refer to: true places, some of them with other batches than stand there.
fn references(dice: &mut Dice, hub: &HubState, spaces: &[Space]) -> Vec<ReferencedBatch> {
    let mut known = known(&hub.spaces, spaces, |_, _, _| true);
    if dice.chance(400) && known.len() > 1 {
        let from = dice.below(known.len());
        let to = dice.below(known.len());
        let reference = known[from].reference.clone();
        known[to].reference = reference;
    }
    if dice.chance(200) {
        for known in &mut known {
            known.reference.seq += 1000;
        }
    }
    known
}

fn ungranted(granted: &[Space], near: &Space) -> Space {
    Class::ALL
        .into_iter()
        .filter_map(|class| Space::new(near.unit(), class).ok())
        .find(|space| !granted.contains(space))
        .unwrap_or_else(|| near.clone())
}

fn target(dice: &mut Dice, hub: &HubState, space: &Space) -> RecordId {
    let known: Vec<RecordId> = hub
        .records
        .keys()
        .filter(|(of, _)| of == space)
        .map(|(_, record)| *record)
        .collect();
    if known.is_empty() || dice.chance(100) {
        RecordId::draw(Subject::Person, 0, dice.bytes())
    } else {
        *dice.pick(&known)
    }
}

fn heads(hub: &HubState, space: &Space, record: RecordId) -> Vec<ChangeHash> {
    let state = hub.records.get(&(space.clone(), record));
    state
        .map(|state| state.heads().to_vec())
        .unwrap_or_default()
}

/// The counter of the next operation, as far as views tell.
fn start_op(hub: &HubState, space: &Space, record: RecordId) -> u32 {
    let state = hub.records.get(&(space.clone(), record));
    let views = state.iter().flat_map(|state| state.view().iter());
    let counters = views
        .flat_map(|(_, slot)| slot.values())
        .map(|written| written.op.counter);
    counters.max().map_or(1, |counter| counter + 1)
}

/// A change of `device` on what the server shows, valid where that is the device that signs it.
fn follow(
    dice: &mut Dice,
    hub: &HubState,
    space: &Space,
    record: RecordId,
    device: DeviceId,
) -> Entry {
    let deps = heads(hub, space, record);
    let start = start_op(hub, space, record);
    let key = format!("identity.hostile_{}", dice.below(1_000_000));
    let put = Put {
        key: key_of(&key),
        value: Value::Int(666),
        preds: Vec::new(),
    };
    let (_, raw) = Change::make(deps, device, start, 0, vec![put]);
    Entry {
        record,
        change: raw,
    }
}

fn key_of(text: &str) -> Key {
    Key::parse(text).expect("the keys here are in the grammar")
}

/// A key that the space is meant for.
fn key_in(space: &Space) -> Key {
    key_of(match space.class {
        Class::General => "identity.name",
        Class::Care => "care_needs#n1.needs/01",
        _ => "screening#C-2026.place",
    })
}

/// A key of a section that belongs to another class.
fn key_outside(space: &Space) -> Key {
    key_of(if space.class == Class::General {
        "care_needs#n1.needs/01"
    } else {
        "identity.name"
    })
}

fn change(
    dice: &mut Dice,
    key: Key,
    deps: Vec<ChangeHash>,
    device: DeviceId,
    start_op: u32,
    preds: Vec<sync_core::change::OpId>,
) -> (Change, Vec<u8>) {
    let put = Put {
        key,
        value: Value::Int(dice.below(1 << 30) as i64),
        preds,
    };
    Change::make(deps, device, start_op, 0, vec![put])
}

fn entry(
    dice: &mut Dice,
    (record, key): (RecordId, Key),
    deps: Vec<ChangeHash>,
    device: DeviceId,
    start_op: u32,
    preds: Vec<sync_core::change::OpId>,
) -> Entry {
    Entry {
        record,
        change: change(dice, key, deps, device, start_op, preds).1,
    }
}
