use super::*;
use crate::control::SealKey;
use crate::exchange::WipeTurn;
use crate::feed::Vector;
use crate::id::Class;
use crate::row::Table;
use crate::seal::PublicKey;
use crate::testing::{TestDevice, by_node, erasure_order, order};

/// The order of the person that the station's device wipe itself.
fn wipe_order(station: &TestDevice) -> Vec<u8> {
    let me = station.replica.me();
    order(me.network, OrderKind::Wipe, me.device.0.to_vec(), vec![])
}

/// What the phone does that hears this, or why it does not read it.
fn called(station: &mut TestDevice, call: WipeCommand) -> Option<WipeTurn> {
    let answer = Answer {
        wipe: Some(call),
        ..Answer::at(100)
    };
    let outgoing = station.ask();
    station.hear_of(&outgoing, &answer).wipe
}

#[test]
fn a_phone_that_is_to_wipe_itself_takes_the_key_to_seal_to_and_shows_it() {
    let mut station = TestDevice::new(1, &[Class::General]);
    let network = station.replica.me().network;
    let key = SealKey {
        month: 24_323,
        key: PublicKey::of_suite_1([4; 32]),
    };
    let told = by_node(|signer| ControlEntry::seal_key(network, &key, signer));
    let call = WipeCommand {
        order: wipe_order(&station),
        roots: Vec::new(),
        taken: false,
        seal_key: Some(told.clone()),
    };
    assert_eq!(called(&mut station, call), Some(WipeTurn::HandOver));
    assert_eq!(station.replica.control().seal_key(), Some(key));
    assert!(
        station
            .rows
            .of(Table::Control)
            .any(|row| row.ends_with(&told))
    );
    let request = station
        .replica
        .wipe_request(&|_| [7; 64], WipeReport::default());
    let (request, _) = Request::decode(network, &request).unwrap();
    assert_eq!(request.shown.last(), Some(&told));
}

#[test]
fn an_order_of_erasure_in_a_call_to_wipe_erases_nothing() {
    let mut station = TestDevice::new(1, &[Class::General]);
    let network = station.replica.me().network;
    let record = station.person();
    let erases = erasure_order(network, record, Vector::default());
    let call = WipeCommand {
        order: wipe_order(&station),
        roots: vec![erases.clone()],
        taken: false,
        seal_key: Some(erases),
    };
    assert_eq!(called(&mut station, call), Some(WipeTurn::HandOver));
    assert!(!station.replica.control().is_erased(record));
}
