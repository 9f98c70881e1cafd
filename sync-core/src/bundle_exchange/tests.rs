use super::*;
use crate::bundle::{Receipt, Unsealed};
use crate::id::{Class, Incarnation, RecordId};
use crate::ingest::Work;
use crate::record::RecordState;
use crate::seal::SigningKey;
use crate::testing::{TestDevice, UNIT, two_devices};
use crate::wire::{Answer, SpaceState};

/// The life of the server that a station knows from its enrolment, and the next one.
const LIVES: [Incarnation; 2] = [Incarnation([1; 8]), Incarnation([2; 8])];

fn space() -> Space {
    Space::new(UNIT, Class::General).unwrap()
}

/// An answer to everything that was sent, with the receipt that was asked for.
fn answer(station: &TestDevice, life: Incarnation, counter: u64) -> Answer {
    let node = SigningKey::from_bytes(&[2; 32]);
    let vector = station.replica.vector(&space());
    let receipt = Receipt {
        node: DeviceId::of_key(&node.public().bytes),
        incarnation: life,
        space: space(),
        counter,
        vector: vector.clone(),
    };
    let network = station.replica.me().network;
    Answer {
        spaces: vec![SpaceState {
            space: space(),
            counter,
            changes: vector.changes_from(&Default::default()),
            ladders_wanted: Vec::new(),
        }],
        receipts: vec![receipt.sign(network, &|message| node.sign(message))],
        ..Answer::at(100)
    }
}

fn relaying() -> TestDevice {
    let mut station = TestDevice::new(1, &[Class::General]);
    let record = station.person();
    station
        .save(record, &[("identity.name", "其其格".into())])
        .unwrap();
    station.replica.server.relays = true;
    station
}

fn receipt(station: &TestDevice) -> Option<Vec<u8>> {
    station.replica.spaces[&space()].receipt.clone()
}

#[test]
fn a_receipt_is_asked_for_until_it_has_come() {
    let mut station = relaying();
    let outgoing = station.ask();
    let mut without = answer(&station, LIVES[0], 1);
    without.receipts.clear();
    station.hear_of(&outgoing, &without);
    assert!(station.replica.hub().relays);

    // What the phone has heard of by the answer itself can be passed on all the same.
    let outgoing = station.ask();
    let with = answer(&station, LIVES[0], 1);
    station.hear_of(&outgoing, &with);
    assert_eq!(receipt(&station), with.receipts.first().cloned());
    assert!(!station.replica.hub().relays);
}

#[test]
fn a_receipt_of_a_life_that_is_not_known_yet_is_asked_for_again() {
    let mut station = relaying();
    let outgoing = station.ask();
    let mut reset = answer(&station, LIVES[1], 1);
    (reset.reset, reset.incarnation) = (true, Some(LIVES[1]));
    station.hear_of(&outgoing, &reset);
    assert_eq!(receipt(&station), None);
    assert!(station.replica.hub().relays, "nothing to pass on has come");

    let outgoing = station.ask();
    let again = answer(&station, LIVES[1], 1);
    station.hear_of(&outgoing, &again);
    assert_eq!(receipt(&station), again.receipts.first().cloned());
    assert!(!station.replica.hub().relays);
}

#[test]
fn a_receipt_that_no_node_signed_acknowledges_nothing() {
    let mut station = relaying();
    let outgoing = station.ask();
    let mut forged = answer(&station, LIVES[0], 1);
    let stranger = SigningKey::from_bytes(&[9; 32]);
    let network = station.replica.me().network;
    let mut receipt_of = |node: DeviceId| {
        let receipt = Receipt {
            node,
            incarnation: LIVES[0],
            space: space(),
            counter: 7,
            vector: station.replica.vector(&space()),
        };
        forged.receipts = vec![receipt.sign(network, &|message| stranger.sign(message))];
        forged.clone()
    };
    let own_name = receipt_of(DeviceId::of_key(&stranger.public().bytes));
    let nodes_name = receipt_of(DeviceId::of_key(
        &SigningKey::from_bytes(&[2; 32]).public().bytes,
    ));
    for forged in [own_name, nodes_name] {
        station.hear_of(&outgoing, &forged);
        assert_eq!(receipt(&station), None);
        assert!(station.replica.hub().relays);
    }
}

/// A phone, and what is in two parts of a bundle with another device's batches of six records, children
/// first, and with its enrolment in the last.
fn delivered() -> (TestDevice, Unsealed) {
    let (station, brought) = two_devices();
    let batches = brought.batches;
    let receipts = answer(&station, LIVES[0], 3).receipts;
    let contents = vec![
        Content {
            batches: batches[2..].to_vec(),
            receipts,
            ..Content::default()
        },
        Content {
            batches: batches[..2].to_vec(),
            control: vec![brought.enrolment],
            ..Content::default()
        },
    ];
    let unsealed = Unsealed {
        contents,
        ..Unsealed::default()
    };
    (station, unsealed)
}

fn states(station: &TestDevice) -> Vec<(RecordId, RecordState)> {
    let space = space();
    let records = station.replica.records(&space);
    records.map(|(id, state)| (id, state.clone())).collect()
}

/// Takes a bundle as `work` allows, at most so many slices of it. What came of it, and in how many.
fn take(
    station: &mut TestDevice,
    unsealed: Unsealed,
    work: &Work,
    most: usize,
) -> (Option<Imported>, usize) {
    let mut delivery = Box::new(Delivery::of(unsealed));
    for slice in 1..=most {
        let mut context = Context {
            now: 100,
            today: "2026-06-01",
            rng: &mut station.rng,
        };
        let replica = &station.replica;
        let prepared =
            replica.prepare_delivery(&mut context, &station.rows, &delivery, work.clone());
        let prepared = prepared.unwrap();
        station.rows.write(&prepared.rows);
        match station.replica.apply(prepared) {
            DeliverySlice::Whole(imported) => return (Some(imported), slice),
            DeliverySlice::More(rest) => delivery = rest,
        }
    }
    (None, most)
}

#[test]
fn a_bundle_in_slices_leaves_what_it_leaves_in_one_piece() {
    let (mut whole, unsealed) = delivered();
    let at_once = take(&mut whole, unsealed, &Work::ALL, 1).0;
    let (mut sliced, unsealed) = delivered();
    let (imported, slices) = take(&mut sliced, unsealed, &Work::LEAST, usize::MAX);
    assert!(slices > 6, "{slices}");
    assert_eq!(imported, at_once);
    let imported = imported.unwrap();
    let counts = (imported.batches, imported.acknowledged, imported.waiting);
    assert_eq!(counts, (6, 1, 0), "{imported:?}");
    assert_eq!(states(&sliced), states(&whole));
    assert!(states(&whole).len() == 6 && receipt(&sliced) == receipt(&whole));
    assert!(sliced.replica.hub().relays);
    assert_eq!(sliced.reopen().rebuilt, 0);
    assert_eq!(states(&sliced), states(&whole));
}

#[test]
fn a_bundle_that_is_left_between_two_slices_loses_nothing_and_may_come_again() {
    let (mut whole, unsealed) = delivered();
    take(&mut whole, unsealed, &Work::ALL, 1);
    let (mut sliced, unsealed) = delivered();
    let (_, slices) = take(&mut sliced, unsealed, &Work::LEAST, usize::MAX);
    for cut in 1..slices {
        let (mut station, unsealed) = delivered();
        let again = Unsealed {
            contents: unsealed.contents.clone(),
            ..Unsealed::default()
        };
        assert_eq!(take(&mut station, unsealed, &Work::LEAST, cut).0, None);
        let held = station.replica.vector(&space());
        station.reopen();
        assert_eq!(station.replica.vector(&space()), held);
        let (imported, _) = take(&mut station, again, &Work::LEAST, usize::MAX);
        assert_eq!(imported.map(|imported| imported.waiting), Some(0));
        assert_eq!(states(&station), states(&whole), "{cut}");
        assert_eq!(receipt(&station), receipt(&whole), "{cut}");
        assert_eq!(station.reopen().rebuilt, 0, "{cut}");
        assert_eq!(states(&station), states(&whole), "{cut}");
    }
}
