use super::*;
use crate::batch::BadBatch;
use crate::exchange::{Outgoing, References};
use crate::feed::{Node, Tip};
use crate::id::Class;
use crate::testing::{TestDevice, UNIT};
use crate::value::Value;
use crate::wire::{Answer, RejectedBatch, Request, SpaceState};

fn space() -> Space {
    Space::new(UNIT, Class::General).unwrap()
}

impl TestDevice {
    /// The batches of a request of its own.
    fn sent(&self, outgoing: &Outgoing) -> Vec<Vec<u8>> {
        let mut find = |reference: &Reference| self.replica.held_at(&self.rows, reference).unwrap();
        let network = self.replica.me().network;
        let read = Request::decode_with(network, &outgoing.bytes, &mut find);
        read.unwrap().0.batches
    }
}

/// A server that holds what was sent and says so.
fn all_taken(counter: u64) -> Answer {
    let mut answer = Answer::at(100);
    answer.spaces = vec![SpaceState {
        space: space(),
        counter,
        changes: Vec::new(),
        ladders_wanted: Vec::new(),
    }];
    answer
}

/// A phone whose server holds a person's first values.
fn phone() -> (TestDevice, crate::id::RecordId) {
    let mut phone = TestDevice::new(1, &[Class::General]);
    let record = phone.person();
    let first = [
        ("identity.name", Value::from("其其格")),
        ("identity.sex", Value::from("2")),
    ];
    phone.save(record, &first).unwrap();
    let outgoing = phone.ask();
    phone.hear_of(&outgoing, &all_taken(1));
    (phone, record)
}

#[test]
fn an_edit_of_what_the_server_holds_refers_to_it() {
    let (mut phone, record) = phone();
    let named = [("identity.name", Value::from("乌云"))];
    phone.save(record, &named).unwrap();
    let outgoing = phone.ask();
    assert!(outgoing.refers);
    let network = phone.replica.me().network;
    let blind = Request::decode(network, &outgoing.bytes);
    assert_eq!(blind.err(), Some(crate::wire::BadMessage::Reference));
    assert_eq!(phone.sent(&outgoing).len(), 1);
}

#[test]
fn what_the_server_could_not_read_goes_again_referring_to_nothing_until_the_exchange_is_over() {
    let (mut phone, record) = phone();
    let named = [("identity.name", Value::from("乌云"))];
    phone.save(record, &named).unwrap();
    let outgoing = phone.ask();
    let sent = phone.sent(&outgoing);
    let mut answer = all_taken(1);
    answer.refused = vec![RejectedBatch {
        index: 0,
        code: BadBatch::Reference.code().into(),
    }];
    let received = phone.hear_of(&outgoing, &answer);
    assert!(received.references == References::UnresolvedAtServer && received.again);
    assert_eq!(received.refused, Vec::<String>::new());
    assert_eq!(phone.replica.unsent(), 1, "it does not count as held there");

    let again = phone.ask();
    assert!(!again.refers);
    assert_eq!(phone.sent(&again), sent);
    let more = Answer {
        more: true,
        ..all_taken(2)
    };
    phone.hear_of(&again, &more);
    assert_eq!(phone.replica.unsent(), 0);
    let rest = phone.ask();
    assert!(!rest.refers, "the exchange goes on");
    phone.hear_of(&rest, &Answer::at(100));
    assert!(phone.ask().refers, "the exchange is over");
}

#[test]
fn what_a_phone_could_not_read_leaves_the_rest_of_the_answer_standing() {
    let (mut phone, record) = phone();
    let mut other = TestDevice::new(2, &[Class::General]);
    let person = other.person();
    let values = [("identity.name", Value::from("高娃"))];
    other.save(person, &values).unwrap();
    let others = other.ask();
    let bytes = other.sent(&others).pop().unwrap();
    let network = phone.replica.me().network;
    let batch = Batch::from_store(network, &bytes).unwrap();
    let named = [("identity.name", Value::from("乌云"))];
    phone.save(record, &named).unwrap();
    let outgoing = phone.ask();
    // The batch follows one that this phone does not hold, and the answer refers to that.
    let header = crate::batch::Header {
        seq: 2,
        prev: vec![batch.hash],
        ..batch.header.clone()
    };
    let next = Batch::sign(network, header, vec![], [1; 16], &|_| [7; 64]);
    let known = ReferencedBatch {
        reference: Reference::to(&space(), batch.header.device, 1),
        hash: batch.hash,
        bytes,
    };
    let mut answer = all_taken(2);
    answer.batches = vec![next.bytes().to_vec()];
    answer.refer = Some(crate::wire::Refer {
        device: phone.replica.me().device,
        spaces: outgoing.spaces().cloned().collect(),
        known: vec![known],
    });
    let received = phone.hear_of(&outgoing, &answer);
    assert!(received.references == References::UnresolvedHere && received.again);
    assert_eq!(received.batches, 0);
    assert_eq!(phone.replica.unsent(), 0, "the acknowledgement counts");
    assert!(!phone.ask().refers);
}

#[test]
fn what_lies_above_a_number_that_was_used_twice_is_not_referred_to() {
    let mut feed = crate::feed::Feed::default();
    let hash = |n: u8| BatchHash([n; 32]);
    for (name, seq, prev) in [
        (1, 1, vec![]),
        (2, 2, vec![1]),
        (3, 2, vec![1]),
        (4, 3, vec![2]),
    ] {
        feed.insert(Node {
            hash: hash(name),
            seq,
            prev: prev.into_iter().map(hash).collect(),
        });
    }
    let device = DeviceId([5; 8]);
    let mut vector = Vector::default();
    vector.set(device, feed.tips().map(Tip::of));
    let held = SpaceReplica {
        feeds: BTreeMap::from([(device, feed)]),
        ..SpaceReplica::default()
    };
    let shared = SharedBatches::with(&held, device, &vector);
    assert_eq!(shared.batches.into_keys().collect::<Vec<_>>(), [hash(1)]);
}

#[test]
fn of_a_long_history_the_newest_and_the_oldest_are_looked_at() {
    let numbers: Vec<u32> = (0..100).collect();
    let worth = reference_candidates(&numbers);
    assert_eq!(
        worth,
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 96, 97, 98, 99]
    );
    assert_eq!(reference_candidates(&numbers[..14]), &numbers[..14]);
    assert_eq!(reference_candidates::<u32>(&[]), Vec::<u32>::new());
}

#[test]
fn a_device_that_is_named_like_the_phone_is_not_referred_to_even_before_the_phone_has_written() {
    let me = DeviceId([0xb3, 0x2b, 0xc0, 0, 0, 0, 0, 1]);
    let named_like_it = DeviceId([0xb3, 0x2b, 0xdc, 0, 0, 0, 0, 2]);
    let other = DeviceId([0xef, 0x97, 0x8d, 0, 0, 0, 0, 3]);
    let mut held = SpaceReplica::default();
    let mut vector = Vector::default();
    for (device, name) in [(named_like_it, 1), (other, 2)] {
        let node = Node {
            hash: BatchHash([name; 32]),
            seq: 1,
            prev: Vec::new(),
        };
        vector.set(device, [Tip::of(&node)]);
        held.feeds.entry(device).or_default().insert(node);
    }
    let shared = SharedBatches::with(&held, me, &vector);
    let devices: Vec<DeviceId> = shared.batches.values().map(|shared| shared.0).collect();
    assert_eq!(devices, [other]);
}
