use automerge::transaction::Transactable;
use automerge::{ObjType, ROOT, ScalarValue};
use proptest::prelude::*;

use super::*;
use crate::document::peer::{Peer, apply_unchecked};
use crate::value::VALUE_BYTES_MAX;

fn actor(number: u8) -> ActorId {
    ActorId([number; ActorId::LEN])
}

/// The actor of a peer's `nth` change.
fn later(number: u8, nth: u8) -> ActorId {
    let mut actor = actor(number);
    actor.0[ActorId::LEN - 1] += nth;
    actor
}

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

fn put(text: &str, value: Value) -> Put {
    Put {
        key: key(text),
        value,
        preds: vec![],
    }
}

/// The chunk around a body, with the checksum that belongs to it: what a hostile device can do.
fn seal(body: &[u8]) -> Vec<u8> {
    let mut raw = MAGIC.to_vec();
    raw.extend_from_slice(&hash_of(body).0[..4]);
    raw.push(CHUNK_CHANGE);
    put_unsigned(&mut raw, body.len() as u64);
    raw.extend_from_slice(body);
    raw
}

fn body_of(raw: &[u8]) -> Vec<u8> {
    let mut input = Reader(&raw[9..]);
    input.unsigned().unwrap();
    input.0.to_vec()
}

/// A change of Automerge's own making that uses all that ours can have.
fn rich() -> Vec<u8> {
    let mut first = Peer::new(actor(1));
    first.put(
        &[
            ("identity.name", "高娃".into()),
            ("identity.sex", "2".into()),
        ],
        1_700_000_000,
    );
    let mut second = first.fork(actor(2));
    second.put(&[("identity.name", "Гуа".into())], 1_700_000_100);
    first.put(&[("identity.name", "高娃娃".into())], 1_700_000_200);
    first.merge(&mut second);
    first.put(
        &[
            ("identity.name", "高娃".into()),
            ("identity.phone", Value::Null),
            ("care_needs#a1.needs/06", true.into()),
            ("care_needs#a1.needs/07", false.into()),
            ("household.resident_population", (-300).into()),
            ("household.resident_female", i64::MAX.into()),
        ],
        1_700_000_300,
    )
}

#[test]
fn what_automerge_writes_reads_back_as_what_was_written() {
    let change = Change::parse(&rich()).unwrap();
    assert_eq!(
        (change.actor, change.start_op, change.time),
        (later(1, 3), 4, 1_700_000_300)
    );
    assert_eq!(change.ops_end(), 9);
    assert_eq!(change.deps.len(), 2);
    let expected = OpId {
        counter: 3,
        actor: later(1, 2),
    };
    let other = OpId {
        counter: 3,
        actor: later(2, 1),
    };
    assert_eq!(change.puts[0].preds, [expected, other]);
    let values: Vec<_> = change.puts.iter().map(|put| put.value.clone()).collect();
    assert_eq!(
        values,
        [
            "高娃".into(),
            Value::Null,
            true.into(),
            false.into(),
            (-300).into(),
            i64::MAX.into()
        ]
    );
    let theirs = automerge::Change::try_from(rich().as_slice()).unwrap();
    assert_eq!(theirs.hash().0, change.hash.0);
}

#[test]
fn what_we_make_is_byte_for_byte_what_automerge_writes() {
    let change = Change::parse(&rich()).unwrap();
    let Change {
        deps,
        actor,
        start_op,
        time,
        puts,
        ..
    } = change.clone();
    let (made, raw) = Change::forge(deps, actor, start_op, time, puts);
    assert_eq!(made, change);
    assert_eq!(raw, rich());
}

#[test]
fn no_flipped_bit_goes_unseen() {
    let raw = rich();
    for bit in 0..raw.len() * 8 {
        let mut flipped = raw.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Change::parse(&flipped).is_err(), "bit {bit}");
    }
}

#[test]
fn no_end_cut_off_and_no_byte_added_goes_unseen() {
    let raw = rich();
    for length in 0..raw.len() {
        assert!(Change::parse(&raw[..length]).is_err(), "{length}");
    }
    let mut longer = raw;
    longer.push(0);
    assert_eq!(Change::parse(&longer), Err(BadChange::Header));
}

/// Flips under a valid checksum: some give another valid change, which is what a device may write
/// anyway; none gives one that Automerge can't hold.
#[test]
fn a_resealed_bit_flip_is_refused_or_a_change_that_automerge_reads_alike() {
    let raw = rich();
    let body = body_of(&raw);
    let mut accepted = 0;
    for bit in 0..body.len() * 8 {
        let mut flipped = body.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let flipped = seal(&flipped);
        let Ok(change) = Change::parse(&flipped) else {
            continue;
        };
        accepted += 1;
        let theirs = automerge::Change::try_from(flipped.as_slice()).unwrap();
        assert_eq!(theirs.hash().0, change.hash.0);
        assert_eq!(theirs.len(), change.puts.len());
        assert_eq!(theirs.start_op().get(), u64::from(change.start_op));
        if change.deps.is_empty() && change.puts.iter().all(|put| put.preds.is_empty()) {
            assert!(apply_unchecked(&[flipped]), "bit {bit}");
        }
    }
    assert!(accepted > 0);
}

#[test]
fn a_first_change_that_is_accepted_can_be_applied_saved_and_loaded() {
    let raw = Peer::new(actor(1)).put(
        &[("identity.name", "高娃".into()), ("identity.sex", 2.into())],
        5,
    );
    let body = body_of(&raw);
    for at in 0..body.len() {
        for byte in 0..=255 {
            let mut other = body.clone();
            other[at] = byte;
            let other = seal(&other);
            if let Ok(change) = Change::parse(&other)
                && change.deps.is_empty()
                && change.start_op == 1
            {
                assert!(apply_unchecked(&[other]), "byte {at} = {byte}");
            }
        }
    }
}

#[test]
fn ten_million_operations_in_a_few_bytes_are_refused_before_they_are_decoded() {
    let mut body = vec![0];
    put_bytes(&mut body, &actor(1).0);
    body.extend_from_slice(&[1, 1, 0, 0, 0]);
    let mut run = Vec::new();
    put_signed(&mut run, 10_000_000);
    let mut insert = Vec::new();
    put_unsigned(&mut insert, 10_000_000);
    let column = |tail: &[u8]| [run.as_slice(), tail].concat();
    let columns = [
        (KEY, column(&[3, b'a', b'.', b'b'])),
        (INSERT, insert),
        (ACTION, column(&[1])),
        (VALUE_META, column(&[0])),
        (PRED_COUNT, column(&[0])),
    ];
    put_unsigned(&mut body, columns.len() as u64);
    for (number, data) in &columns {
        put_unsigned(&mut body, *number);
        put_unsigned(&mut body, data.len() as u64);
    }
    columns
        .iter()
        .for_each(|(_, data)| body.extend_from_slice(data));
    let raw = seal(&body);
    assert!(raw.len() < 80);
    assert_eq!(Change::parse(&raw), Err(BadChange::Operations));
}

#[test]
fn under_one_key_each_predecessor_is_another_change() {
    let replaces = |preds: &[(u8, u32)]| {
        let of = |(of, counter): &(u8, u32)| OpId {
            counter: *counter,
            actor: actor(*of),
        };
        let replacing = Put {
            preds: preds.iter().map(of).collect(),
            ..put("a.b", 5.into())
        };
        let raw = Change::forge(vec![], actor(1), 5000, 0, vec![replacing]).1;
        Change::parse(&raw).map(|change| change.puts[0].preds.len())
    };
    assert_eq!(replaces(&[(2, 1), (3, 1), (4, 2)]), Ok(3));
    assert_eq!(
        replaces(&[(2, 1), (2, 2)]),
        Err(BadChange::Predecessors),
        "a change writes a key once"
    );
    // A run of them is a few bytes.
    let run: Vec<(u8, u32)> = (1..4096).map(|counter| (2, counter)).collect();
    assert_eq!(replaces(&run), Err(BadChange::Predecessors));
}

#[test]
fn the_limits_are_where_they_are_said_to_be() {
    let parse = |deps: Vec<ChangeHash>, start_op, time, puts| {
        Change::parse(&Change::forge(deps, actor(1), start_op, time, puts).1)
    };
    let ops = |count| {
        (0..count)
            .map(|n| put(&format!("a.f{n}"), Value::Null))
            .collect::<Vec<_>>()
    };
    assert!(parse(vec![], 1, 0, ops(CHANGE_OPS_MAX)).is_ok());
    assert_eq!(
        parse(vec![], 1, 0, ops(CHANGE_OPS_MAX + 1)),
        Err(BadChange::Operations)
    );
    assert_eq!(parse(vec![], 1, 0, vec![]), Err(BadChange::Operations));

    let deps = |count: usize| {
        (0..count)
            .map(|n| {
                let mut hash = [0; 32];
                hash[..8].copy_from_slice(&(n as u64).to_be_bytes());
                ChangeHash(hash)
            })
            .collect::<Vec<_>>()
    };
    assert!(parse(deps(CHANGE_DEPS_MAX), 1, 0, ops(1)).is_ok());
    assert_eq!(
        parse(deps(CHANGE_DEPS_MAX + 1), 1, 0, ops(1)),
        Err(BadChange::Dependencies)
    );

    let text = |length| vec![put("a.b", Value::Text("x".repeat(length)))];
    assert!(parse(vec![], 1, 0, text(VALUE_BYTES_MAX)).is_ok());
    assert_eq!(
        parse(vec![], 1, 0, text(VALUE_BYTES_MAX + 1)),
        Err(BadChange::Value)
    );

    assert!(parse(vec![], COUNTER_MAX - 1, 0, ops(1)).is_ok());
    assert_eq!(
        parse(vec![], COUNTER_MAX, 0, ops(1)),
        Err(BadChange::Counter)
    );
    assert_eq!(
        parse(vec![], u32::MAX - 1, 0, ops(1)),
        Err(BadChange::Counter)
    );
    assert_eq!(parse(vec![], 0, 0, ops(1)), Err(BadChange::Counter));

    assert!(parse(vec![], 1, TIME_MAX, ops(1)).is_ok());
    assert_eq!(parse(vec![], 1, TIME_MAX + 1, ops(1)), Err(BadChange::Time));
    assert_eq!(parse(vec![], 1, -1, ops(1)), Err(BadChange::Time));

    // Of 64 changes under as many keys as it takes.
    let preds = |count: u32| {
        let all: Vec<u32> = (0..count).collect();
        let pred = |n: &u32| OpId {
            counter: 1 + n % 64,
            actor: actor((n % 64) as u8),
        };
        let puts = all.chunks(64).zip(0..).map(|(preds, n)| Put {
            key: key(&format!("a.f{n}")),
            value: Value::Null,
            preds: preds.iter().map(pred).collect(),
        });
        puts.collect::<Vec<_>>()
    };
    assert!(parse(vec![], 9000, 0, preds(CHANGE_PREDS_MAX as u32)).is_ok());
    assert_eq!(
        parse(vec![], 9000, 0, preds(CHANGE_PREDS_MAX as u32 + 1)),
        Err(BadChange::Predecessors)
    );

    // 16 texts of the longest kind are over the size of a change, 15 are not.
    let texts = |count| {
        (0..count)
            .map(|n| put(&format!("a.f{n}"), Value::Text("x".repeat(VALUE_BYTES_MAX))))
            .collect()
    };
    assert!(parse(vec![], 1, 0, texts(15)).is_ok());
    assert_eq!(parse(vec![], 1, 0, texts(16)), Err(BadChange::TooLong));
}

#[test]
fn what_our_documents_dont_have_is_refused() {
    let refused = |work: &dyn Fn(&mut automerge::transaction::Transaction<'_>)| {
        Change::parse(&Peer::new(actor(1)).edit(0, work)).unwrap_err()
    };
    assert_eq!(
        refused(&|tx| tx.put(ROOT, "name", "x").unwrap()),
        BadChange::Key
    );
    assert_eq!(
        refused(&|tx| tx.put(ROOT, "a.b", 1u64).unwrap()),
        BadChange::Value
    );
    assert_eq!(
        refused(&|tx| tx.put(ROOT, "a.b", 1.5).unwrap()),
        BadChange::Value
    );
    assert_eq!(
        refused(&|tx| tx.put(ROOT, "a.b", vec![1u8]).unwrap()),
        BadChange::Value
    );
    assert_eq!(
        refused(&|tx| tx.put(ROOT, "a.b", ScalarValue::counter(1)).unwrap()),
        BadChange::Value
    );
    assert_eq!(
        refused(&|tx| tx.put(ROOT, "a.b", ScalarValue::Timestamp(1)).unwrap()),
        BadChange::Value
    );
    assert_eq!(
        refused(&|tx| {
            tx.put_object(ROOT, "a.b", ObjType::Map).unwrap();
        }),
        BadChange::Action
    );
    assert_eq!(
        refused(&|tx| {
            let list = tx.put_object(ROOT, "a.b", ObjType::List).unwrap();
            tx.insert(&list, 0, "x").unwrap();
        }),
        BadChange::Extra
    );
    assert_eq!(
        refused(&|tx| {
            let text = tx.put_object(ROOT, "a.b", ObjType::Text).unwrap();
            tx.splice_text(&text, 0, 0, "abc").unwrap();
        }),
        BadChange::Extra
    );
    assert_eq!(
        refused(&|tx| {
            tx.put(ROOT, "a.b", "x").unwrap();
            tx.put(ROOT, "a.c", "x").unwrap();
            tx.delete(ROOT, "a.b").unwrap();
        }),
        BadChange::Action
    );
    assert_eq!(
        refused(&|tx| {
            tx.put(ROOT, "a.b", "x").unwrap();
            tx.put(ROOT, "a.b", "y").unwrap();
        }),
        BadChange::Predecessors
    );
    assert_eq!(
        Change::parse(&Peer::new(actor(1)).empty_change()),
        Err(BadChange::Operations)
    );

    let put = |document: &mut automerge::Automerge, value: &str| {
        let mut tx = document.transaction();
        tx.put(ROOT, "a.b", value).unwrap();
        tx.commit();
        let change = document.get_last_local_change().unwrap();
        change.raw_bytes().to_vec()
    };
    let short = automerge::ActorId::from([7u8; 12]);
    let mut document = automerge::Automerge::new().with_actor(short);
    assert_eq!(
        Change::parse(&put(&mut document, "x")),
        Err(BadChange::Actor)
    );

    let mut document = automerge::Automerge::new().with_actor(actor(1).0.into());
    assert!(Change::parse(&put(&mut document, "x")).is_ok());
    let second = put(&mut document, "y");
    assert_eq!(Change::parse(&second), Err(BadChange::Sequence));
}

#[test]
fn messages_footers_and_other_chunks_are_refused() {
    let mut document = automerge::Automerge::new().with_actor(actor(1).0.into());
    let mut tx = document.transaction();
    tx.put(ROOT, "a.b", "x").unwrap();
    tx.commit_with(automerge::transaction::CommitOptions::default().with_message("hello"));
    let change = document.get_last_local_change().unwrap();
    assert_eq!(Change::parse(change.raw_bytes()), Err(BadChange::Extra));
    assert_eq!(Change::parse(&document.save()), Err(BadChange::Header));

    let author = automerge::Author::from(b"author".as_slice());
    let signed = automerge::Automerge::new().with_author(Some(author));
    let mut signed = Peer(signed.with_actor(actor(1).0.into()));
    assert_eq!(
        Change::parse(&signed.put(&[("a.b", 1.into())], 0)),
        Err(BadChange::Extra)
    );

    let mut peer = Peer::new(actor(1));
    let raw = peer.put(&[("a.b", Value::Text("long ".repeat(200)))], 0);
    assert!(Change::parse(&raw).is_ok());
    let mut deflated = automerge::Change::try_from(raw.as_slice()).unwrap();
    assert_eq!(Change::parse(&deflated.bytes()), Err(BadChange::Header));
}

#[test]
fn another_encoding_of_the_same_content_is_refused() {
    let (_, raw) = Change::forge(vec![], actor(1), 1, 0, vec![put("a.b", 5.into())]);
    let body = body_of(&raw);
    // The number of the first operation, 1, in two bytes.
    let at = 1 + 1 + 16 + 1;
    assert_eq!(body[at], 1);
    let mut long = body.clone();
    long.splice(at..=at, [0x81, 0x00]);
    assert_eq!(Change::parse(&seal(&long)), Err(BadChange::NotCanonical));
    // An actor in the list that nobody refers to.
    let at = at + 3;
    assert_eq!(body[at], 0);
    let mut more = body.clone();
    more.splice(at..=at, [&[1, 16][..], &[9; 16]].concat());
    assert_eq!(Change::parse(&seal(&more)), Err(BadChange::NotCanonical));
}

#[test]
fn a_change_is_of_the_device_that_made_it_and_replaces_nothing_of_its_own() {
    let (one, two) = (DeviceId([1; 8]), DeviceId([2; 8]));
    let puts = || vec![put("a.b", 5.into())];
    let (change, raw) = Change::make(vec![], one, 1, 0, puts());
    assert!(change.is_of(one) && !change.is_of(two));
    assert_eq!(Change::parse(&raw).unwrap(), change);
    // The same content of another device, and other content of the same, have other actors.
    let other = Change::make(vec![], two, 1, 0, puts()).0;
    let later = Change::make(vec![], one, 1, 1, puts()).0;
    assert_eq!(
        BTreeSet::from([change.actor, other.actor, later.actor]).len(),
        3
    );
    assert_eq!(
        (change.content, change.content == later.content),
        (other.content, false)
    );
    let own = OpId {
        counter: 1,
        actor: actor(1),
    };
    let mut replacing = puts();
    replacing[0].preds.push(own);
    let raw = Change::forge(vec![], actor(2), 2, 0, replacing).1;
    assert!(Change::parse(&raw).is_ok());
    let mut body = body_of(&raw);
    // The list of others emptied: the place of the predecessor's actor is then the change's own.
    let at = 1 + 17 + 4;
    assert_eq!(body[at..at + 2], [1, 16]);
    body.splice(at..at + 18, [0]);
    let place = body.len() - 3;
    assert_eq!(body[place - 3..], [0x7f, 1, 0x7f, 1, 0x7f, 1]);
    body[place] = 0;
    assert_eq!(Change::parse(&seal(&body)), Err(BadChange::Predecessors));
}

#[test]
fn reasons_keep_their_numbers_and_have_codes_of_their_own() {
    let mut codes = BTreeSet::new();
    for (number, reason) in BadChange::ALL.into_iter().enumerate() {
        assert_eq!(usize::from(reason.number()), number);
        assert_eq!(BadChange::from_number(reason.number()), Some(reason));
        assert!(codes.insert(reason.code()));
    }
    assert_eq!(BadChange::from_number(200), None);
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (-70i64..70).prop_map(Value::Int),
        "[a-c嘎查]{0,3}".prop_map(Value::Text),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_change_of_any_history_reads_as_automerge_wrote_it(
        steps in prop::collection::vec(
            (0usize..3, prop::collection::btree_map(0usize..6, any_value(), 1..5), 0usize..3, any::<bool>()),
            1..12,
        ),
    ) {
        let mut peers: Vec<Peer> = (0..3).map(|n| Peer::new(actor(n + 1))).collect();
        for (who, puts, other, merge) in steps {
            if merge && other != who {
                let mut other = peers[other].clone();
                peers[who].merge(&mut other);
            }
            let keys: Vec<String> = puts.keys().map(|n| format!("s.f{n}")).collect();
            let puts: Vec<(&str, Value)> =
                keys.iter().map(String::as_str).zip(puts.into_values()).collect();
            let heads = peers[who].heads();
            let before = peers[who].clone();
            let raw = peers[who].put(&puts, 1_700_000_000);
            if peers[who].heads() == heads {
                continue; // all the values were there already
            }
            let theirs = automerge::Change::try_from(raw.as_slice()).unwrap();
            // Automerge settles a conflict in favour of the value that shows by deleting the
            // others: a reason why our changes are of our own making.
            if theirs.decode().operations.iter().any(|op| op.action == automerge::legacy::OpType::Delete) {
                prop_assert_eq!(Change::parse(&raw), Err(BadChange::Action));
                continue;
            }
            let change = Change::parse(&raw).unwrap();
            prop_assert_eq!(change.hash.0, theirs.hash().0);
            prop_assert_eq!(change.start_op as u64, theirs.start_op().get());
            prop_assert_eq!(change.ops_end() as u64, theirs.max_op());
            prop_assert_eq!(change.time, theirs.timestamp());
            prop_assert!(heads.iter().all(|head| change.deps.contains(head)));
            let document = crate::document::Document::load(&before.0.save()).unwrap();
            let read: Vec<(&str, Value)> =
                change.puts.iter().map(|put| (put.key.as_str(), put.value.clone())).collect();
            prop_assert!(read.iter().all(|put| puts.contains(put)));
            for put in &change.puts {
                let visible = document.values(&put.key, None).unwrap();
                let visible: Vec<OpId> = visible.into_iter().map(|(op, _)| op).collect();
                prop_assert_eq!(&put.preds, &visible);
            }
            let Change { deps, actor, start_op, time, puts, .. } = change;
            prop_assert_eq!(Change::forge(deps, actor, start_op, time, puts).1, raw);
        }
    }

    #[test]
    fn mutated_changes_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..8),
        sealed in any::<bool>(),
    ) {
        let mut bytes = if sealed { body_of(&rich()) } else { rich() };
        for (at, byte, kind) in edits {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => {
                    bytes.remove(at);
                }
            }
        }
        let raw = if sealed { seal(&bytes) } else { bytes };
        if let Ok(change) = Change::parse(&raw) {
            prop_assert_eq!(automerge::Change::try_from(raw.as_slice()).unwrap().hash().0, change.hash.0);
        }
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Change::parse(&bytes);
        prop_assert!(Change::parse(&seal(&bytes)).is_err());
    }
}
