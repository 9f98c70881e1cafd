use super::*;
use crate::bundle::Receipt;
use crate::id::{Class, Incarnation};
use crate::seal::SigningKey;
use crate::testing::{TestDevice, UNIT};
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
