use proptest::prelude::*;

use super::*;
use crate::id::Subject;
use crate::seal::SigningKey;
use crate::wire::{BATCHES_MAX, MESSAGE_BYTES_MAX};

pub(super) const NETWORK: NetworkId = NetworkId([7; 32]);

pub(super) fn space(class: Class) -> Space {
    Space::new("152522100200", class).unwrap()
}

/// A device that writes batches, each after the one before.
pub(super) struct Writer {
    pub(super) key: SigningKey,
    pub(super) feeds: BTreeMap<Space, (u32, Vec<BatchHash>)>,
}

impl Writer {
    pub(super) fn new(n: u8) -> Self {
        Self {
            key: SigningKey::from_bytes(&[n; 32]),
            feeds: BTreeMap::new(),
        }
    }

    pub(super) fn device(&self) -> DeviceId {
        DeviceId::of_key(&self.key.public().bytes)
    }

    pub(super) fn batch(&mut self, space: Space, time: i64, entries: Vec<Entry>) -> Vec<u8> {
        let (seq, prev) = self.feeds.get(&space).cloned().unwrap_or((1, Vec::new()));
        let header = Header {
            space: space.clone(),
            device: self.device(),
            author: AuthorId([3; 8]),
            seq,
            prev,
            dictionary: 1,
            time,
        };
        let batch = Batch::sign(NETWORK, header, entries, [5; 16], &|m| self.key.sign(m));
        self.feeds.insert(space, (seq + 1, vec![batch.hash]));
        batch.bytes().to_vec()
    }
}

fn put(key: &str, value: Value, preds: &[OpId]) -> Put {
    Put {
        key: Key::parse(key).unwrap(),
        value,
        preds: preds.to_vec(),
    }
}

pub(super) fn record(n: u8) -> RecordId {
    RecordId::draw(Subject::Person, 1, [n; 10])
}

fn round_trip(batches: &[Vec<u8>]) -> Vec<u8> {
    let packed = encode(NETWORK, batches);
    let again = decode(NETWORK, &packed, BATCHES_MAX, MESSAGE_BYTES_MAX);
    assert_eq!(again.as_deref(), Ok(batches));
    packed
}

/// A record and then one-field edits of it, each after the one before.
pub(super) fn history(writer: &mut Writer, edits: usize) -> Vec<Vec<u8>> {
    let device = writer.device();
    let names = put("identity.name", Value::from("其其格"), &[]);
    let first = Change::make(vec![], device, 1, 100, vec![names]);
    let mut batches = Vec::new();
    let mut last = first.0.clone();
    batches.push(writer.batch(
        space(Class::General),
        120,
        vec![Entry {
            record: record(1),
            change: first.1,
        }],
    ));
    for n in 0..edits {
        let pred = OpId {
            counter: last.start_op,
            actor: last.actor,
        };
        let name = put("identity.name", Value::Text(format!("其其格{n}")), &[pred]);
        let time = 130 + n as i64;
        let (change, raw) =
            Change::make(vec![last.hash], device, last.start_op + 1, time, vec![name]);
        batches.push(writer.batch(
            space(Class::General),
            time,
            vec![Entry {
                record: record(1),
                change: raw,
            }],
        ));
        last = change;
    }
    batches
}

#[test]
fn a_history_comes_back_as_it_was_and_takes_little_beyond_signatures_and_values() {
    let batches = history(&mut Writer::new(1), 50);
    let stored: usize = batches.iter().map(Vec::len).sum();
    let packed = round_trip(&batches);
    // 80 bytes of a batch are its signature and seed; about 20 more are what it says.
    assert!(
        packed.len() < 120 * batches.len(),
        "{} of {stored}",
        packed.len()
    );
}

#[test]
fn what_the_message_does_not_explain_is_told_in_full() {
    let batches = history(&mut Writer::new(1), 10);
    // The end of a history, whose beginning the receiver has.
    let tail = &batches[8..];
    let packed = round_trip(tail);
    assert!(packed.len() > 32 + 32, "a parent and a dependency at least");
    round_trip(&[]);
}

#[test]
fn batches_and_changes_that_are_not_in_our_form_travel_as_they_are() {
    let mut writer = Writer::new(1);
    let change = |bytes: Vec<u8>| Entry {
        record: record(1),
        change: bytes,
    };
    let odd = writer.batch(
        space(Class::Care),
        -5,
        vec![change(vec![]), change(vec![0x5a; 300])],
    );
    // A newer program's header has a field more.
    let mut envelope: Envelope = minicbor::decode(&odd).unwrap();
    let mut header: Vec<u8> = envelope.header.clone().into();
    header[0] += 1;
    header.push(0x01);
    envelope.header = header.into();
    let newer = cbor::encode(&envelope);
    round_trip(&[
        vec![],
        b"no batch".to_vec(),
        odd.clone(),
        newer,
        odd[..40].to_vec(),
        odd,
    ]);
}

#[test]
fn extreme_numbers_come_back_as_they_were() {
    let mut writer = Writer::new(1);
    let puts = vec![
        put("a.b", Value::Int(i64::MIN), &[]),
        put(
            "a.c",
            Value::Int(i64::MAX),
            &[OpId {
                counter: 1,
                actor: ActorId([9; ActorId::LEN]),
            }],
        ),
        put("a.d", Value::Null, &[]),
        put("a.e", Value::from(""), &[]),
        put("a.f", Value::Text("x".repeat(VALUE_BYTES_MAX)), &[]),
        put("a.g/01", Value::Bool(true), &[]),
    ];
    let deps = vec![ChangeHash([1; 32]), ChangeHash([2; 32])];
    let high = Change::make(deps, writer.device(), COUNTER_MAX - 10, 0, puts).1;
    let entry = Entry {
        record: record(1),
        change: high,
    };
    let batches: Vec<Vec<u8>> = [i64::MIN, i64::MAX, 0]
        .iter()
        .map(|time| writer.batch(space(Class::Protected), *time, vec![entry.clone()]))
        .collect();
    round_trip(&batches);
}

#[test]
fn a_change_that_names_more_predecessors_than_it_has_bytes_for_does_not_grow_in_a_message() {
    let mut writer = Writer::new(1);
    let others: Vec<ActorId> = (0..100).map(|n| ActorId([n; ActorId::LEN])).collect();
    let wide = |n: u32| {
        // Runs in the change, numbers of five bytes in a message.
        let at = (1 << 30) + n;
        let pred = |actor: &ActorId| OpId {
            counter: at,
            actor: *actor,
        };
        let preds: Vec<OpId> = others.iter().map(pred).collect();
        let puts = (0..40).map(|key| put(&format!("a.f{key}"), Value::Null, &preds));
        let made = Change::make(vec![], writer.device(), (1 << 31) - 64, 0, puts.collect());
        Entry {
            record: record(1),
            change: made.1,
        }
    };
    let entries: Vec<Entry> = (0..4).map(wide).collect();
    assert!(
        entries
            .iter()
            .all(|wide| Change::parse(&wide.change).is_ok())
    );
    let batch = writer.batch(space(Class::General), 1, entries);
    let packed = round_trip(std::slice::from_ref(&batch));
    assert!(packed.len() < batch.len() + 64, "{}", packed.len());
}

#[test]
fn counts_and_sizes_are_taken_at_the_limit_and_refused_above_it() {
    let batches = history(&mut Writer::new(1), 3);
    let packed = encode(NETWORK, &batches);
    let room: usize = batches
        .iter()
        .map(|bytes| Batch::from_store(NETWORK, bytes).unwrap())
        .map(|batch| batch.entries.iter().map(entry_bytes).sum::<usize>())
        .sum();
    assert_eq!(
        decode(NETWORK, &packed, 4, room).as_deref(),
        Ok(batches.as_slice())
    );
    assert_eq!(decode(NETWORK, &packed, 3, room), Err(BadCompact::TooLarge));
    assert_eq!(
        decode(NETWORK, &packed, 4, room - 1),
        Err(BadCompact::TooLarge)
    );
}

#[test]
fn the_compact_bytes_of_version_1_do_not_change() {
    let packed = round_trip(&history(&mut Writer::new(1), 3));
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(&packed));
    assert_eq!(
        hash,
        "7f279f18e3d483b33cc6c61de6c4905376d707908a16a4cdbefdb9a407c54d9b"
    );
}

/// Random batches over a few records, devices and spaces.
pub(super) fn random(seed: u64) -> Vec<Vec<u8>> {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut writers = [Writer::new(1), Writer::new(2)];
    let mut known: Vec<(RecordId, Change)> = Vec::new();
    let mut batches = Vec::new();
    for _ in 0..1 + rng.next_u32() % 12 {
        let writer = &mut writers[rng.next_u32() as usize % 2];
        let mut entries = Vec::new();
        for _ in 0..rng.next_u32() % 4 {
            let record = record((rng.next_u32() % 3) as u8);
            let past: Vec<&Change> = known
                .iter()
                .filter(|(of, _)| *of == record)
                .map(|(_, change)| change)
                .collect();
            let deps: Vec<ChangeHash> = past
                .iter()
                .rev()
                .take(2)
                .map(|change| change.hash)
                .collect();
            let key = ["a.b", "a.c", "s#i.f/01"][rng.next_u32() as usize % 3];
            let preds: Vec<OpId> = past
                .iter()
                .rev()
                .take(rng.next_u32() as usize % 3)
                .map(|change| OpId {
                    counter: change.start_op,
                    actor: change.actor,
                })
                .collect();
            let mut preds = preds;
            preds.sort_unstable();
            preds.dedup();
            let value = match rng.next_u32() % 4 {
                0 => Value::Null,
                1 => Value::Bool(rng.next_u32() % 2 == 0),
                2 => Value::Int(rng.next_u64() as i64),
                _ => Value::Text("嘎查".repeat(rng.next_u32() as usize % 9)),
            };
            let op = 1 + rng.next_u32() % 50;
            let puts = vec![put(key, value, &preds)];
            let (change, raw) = match rng.next_u32() % 8 {
                0 => Change::forge(deps, ActorId([7; ActorId::LEN]), op + 50, 0, puts),
                _ => Change::make(deps, writer.device(), op + 50, 0, puts),
            };
            entries.push(Entry {
                record,
                change: raw,
            });
            known.push((record, change));
        }
        let class = Class::ALL[rng.next_u32() as usize % 5];
        batches.push(writer.batch(space(class), rng.next_u32().into(), entries));
    }
    batches
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode(NETWORK, &bytes, BATCHES_MAX, MESSAGE_BYTES_MAX);
    }

    #[test]
    fn a_flipped_bit_never_panics_and_never_passes_for_the_signed_bytes(
        at in 0usize..4000,
        bit in 0u8..8,
    ) {
        let batches = history(&mut Writer::new(1), 20);
        let mut packed = encode(NETWORK, &batches);
        let at = at % packed.len();
        packed[at] ^= 1 << bit;
        if let Ok(read) = decode(NETWORK, &packed, BATCHES_MAX, MESSAGE_BYTES_MAX) {
            let key = SigningKey::from_bytes(&[1; 32]).public().bytes;
            for bytes in read.iter().filter(|bytes| !batches.contains(bytes)) {
                prop_assert!(Batch::verify(NETWORK, bytes, |_, _| Some(key)).is_err());
            }
        }
    }

    /// In random runs of messages.
    #[test]
    fn whatever_is_sent_comes_back(seed in any::<u64>(), run in 1usize..6) {
        for run in random(seed).chunks(run) {
            let packed = encode(NETWORK, run);
            let again = decode(NETWORK, &packed, BATCHES_MAX, MESSAGE_BYTES_MAX);
            prop_assert_eq!(again.as_deref(), Ok(run));
        }
    }
}
