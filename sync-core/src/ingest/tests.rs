use super::stash::{STASHED_OF_FEED_MAX, STASHED_OF_STRANGERS_MAX};
use super::*;
use crate::control::{ControlEntry, Exclusion, Revocation, RevokeReason};
use crate::document::DocumentError;
use crate::document::peer::POISON;
use crate::feed::Vector;
use crate::id::{Class, Subject};
use crate::testing::{OtherDevice, TestDevice, by_node, erasure_order, general};
use crate::wire::{Answer, RejectedBatch};

/// A phone that has heard of these devices.
fn phone(others: &[&OtherDevice]) -> TestDevice {
    let mut station = TestDevice::new(1, &[Class::General]);
    station.rows.write(&station.replica.first_rows());
    let network = station.replica.me().network;
    let enrol = |other: &&OtherDevice| {
        by_node(|node| ControlEntry::enrol(network, &other.enrolment(), node))
    };
    let control = others.iter().map(enrol).collect();
    hear(&mut station, control, &[]);
    station
}

/// That a device has lost everything, and that the office held nothing of it.
fn revocation(station: &TestDevice, other: &OtherDevice) -> Vec<u8> {
    let revocation = Revocation {
        device: other.device(),
        whole: true,
        cut: BTreeMap::from([(general(), BTreeSet::new())]),
        reason: RevokeReason::Lost,
    };
    by_node(|node| ControlEntry::revoke(station.replica.me().network, &revocation, node))
}

fn hear(station: &mut TestDevice, control: Vec<Vec<u8>>, batches: &[&Batch]) {
    let outgoing = station.ask();
    let answer = Answer {
        control,
        batches: batches.iter().map(|batch| batch.bytes().to_vec()).collect(),
        ..Answer::at(100)
    };
    let received = station.hear_of(&outgoing, &answer);
    assert_eq!(received.not_held, [""; 0]);
}

#[test]
fn what_a_revoked_device_wrote_late_counts_also_when_it_comes_after_what_was_built_on_it() {
    let (live, revoked) = (OtherDevice::new(11), OtherDevice::new(12));
    let mut shown = Vec::new();
    for live_first in [true, false] {
        let mut station = phone(&[&live, &revoked]);
        let record = station.person();
        let entry = revocation(&station, &revoked);
        hear(&mut station, vec![entry], &[]);
        let (late, by_revoked) = revoked.writes(&station, record, "identity.name", &[]);
        let (_, by_live) = live.writes(&station, record, "identity.aliases", &[(late, 1)]);
        let mut batches = [&by_revoked, &by_live];
        if live_first {
            batches.reverse();
        }
        for batch in batches {
            hear(&mut station, Vec::new(), &[batch]);
        }
        let state = station.replica.record(&general(), record).unwrap().clone();
        assert_eq!(state.aside(), [], "nothing waits");
        shown.push(state);
    }
    assert_eq!(shown[0], shown[1]);
    assert_eq!(shown[0].history().unwrap().len(), 2);
}

#[test]
fn a_parked_record_comes_back_when_the_server_has_the_change_left_out_whichever_comes_first() {
    let (one, two) = (OtherDevice::new(11), OtherDevice::new(12));
    let mut shown = Vec::new();
    for verdict_first in [true, false] {
        let mut station = phone(&[&one, &two]);
        let record = station.person();
        let (good, first) = one.writes(&station, record, "identity.name", &[]);
        let (bad, second) = two.writes(&station, record, "identity.aliases", &[(good, 1)]);
        let verdict = Exclusion {
            record,
            changes: BTreeSet::from([bad]),
        };
        let network = station.replica.me().network;
        let verdict = by_node(|node| ControlEntry::exclude(network, &general(), &verdict, node));
        let parked = |station: &TestDevice| {
            let state = station.replica.record(&general(), record);
            state.is_some_and(|state| state.parked().is_some())
        };
        POISON.set(Some(bad));
        hear(&mut station, Vec::new(), &[&first]);
        if verdict_first {
            hear(&mut station, vec![verdict], &[]);
            hear(&mut station, Vec::new(), &[&second]);
        } else {
            hear(&mut station, Vec::new(), &[&second]);
            assert!(parked(&station), "Automerge panics on it");
            let held = [&first, &second]
                .map(|batch| (batch.header.device, batch.entries[0].change.as_slice()));
            assert_eq!(RecordState::first_bad(&held), Some(bad));
            hear(&mut station, vec![verdict], &[]);
        }
        POISON.set(None);
        assert!(!parked(&station));
        let state = station.replica.record(&general(), record).unwrap();
        assert_eq!(state.heads(), [good]);
        shown.push(state.clone());
    }
    assert_eq!(shown[0], shown[1]);
}

#[test]
fn a_revocation_that_comes_with_an_order_of_erasure_takes_effect_on_what_is_left() {
    let revoked = OtherDevice::new(12);
    let mut station = phone(&[&revoked]);
    let (left, erased) = (station.person(), station.person());
    station
        .save(erased, &[("identity.name", "斯琴".into())])
        .unwrap();
    let (_, late) = revoked.writes(&station, left, "identity.name", &[]);
    hear(&mut station, Vec::new(), &[&late]);
    let shown = |station: &TestDevice| {
        let state = station.replica.record(&general(), left);
        state.map_or(0, |state| state.view().len())
    };
    assert_eq!(shown(&station), 1);

    let network = station.replica.me().network;
    let control = vec![
        revocation(&station, &revoked),
        erasure_order(network, erased, Vector::default()),
    ];
    hear(&mut station, control, &[]);
    assert!(station.replica.control().is_erased(erased));
    assert_eq!(station.replica.record(&general(), erased), None);
    assert_eq!(
        shown(&station),
        0,
        "what it signed beside its cut does not count"
    );
}

#[test]
fn a_batch_that_a_restored_server_refuses_for_what_it_has_lost_is_offered_again() {
    for (code, reset, offered_again) in [
        (BadBatch::Redacted, true, true),
        (BadBatch::Author, true, true),
        (BadBatch::Redacted, false, false),
        (BadBatch::Signature, true, false),
    ] {
        let mut station = phone(&[]);
        let record = station.person();
        let puts = [("identity.name", "其其格".into())];
        station.save(record, &puts).unwrap();
        let outgoing = station.ask();
        let refused = RejectedBatch {
            index: 0,
            code: code.code().into(),
        };
        let answer = Answer {
            reset,
            incarnation: reset.then_some(crate::id::Incarnation([9; 8])),
            refused: vec![refused],
            ..Answer::at(100)
        };
        station.hear_of(&outgoing, &answer);
        let refused = &station.replica.refused;
        assert_eq!(refused.is_empty(), offered_again, "{code} {reset}");
    }
}

/// Batches of a device that each follow another that nobody holds.
fn flood(station: &mut TestDevice, other: &OtherDevice, count: usize) -> Vec<Vec<u8>> {
    let record = station.person();
    let missing = (0..count).map(|n| u8::try_from(n).unwrap());
    let batches = missing.map(|missing| other.behind_a_gap(station, record, missing));
    batches.map(|batch| batch.bytes().to_vec()).collect()
}

/// Has batches come, and says whether there was room for all of them to wait.
fn bring(station: &mut TestDevice, batches: Vec<Vec<u8>>) -> bool {
    let outgoing = station.ask();
    let answer = Answer {
        batches,
        ..Answer::at(100)
    };
    !station.hear_of(&outgoing, &answer).stash_full
}

#[test]
fn what_waits_of_one_device_takes_no_room_of_another_and_stays_when_more_comes() {
    let (hostile, other) = (OtherDevice::new(11), OtherDevice::new(12));
    let mut station = phone(&[&hostile, &other]);
    let flood = flood(&mut station, &hostile, STASHED_OF_FEED_MAX + 9);
    assert!(!bring(&mut station, flood.clone()));
    assert_eq!(station.replica.waiting(), STASHED_OF_FEED_MAX);
    assert!(!bring(&mut station, flood), "the rest still finds no room");
    assert_eq!(station.replica.waiting(), STASHED_OF_FEED_MAX);
    let record = station.person();
    let waits = other.behind_a_gap(&station, record, 1).bytes().to_vec();
    assert!(bring(&mut station, vec![waits]));
    assert_eq!(station.replica.waiting(), STASHED_OF_FEED_MAX + 1);
}

#[test]
fn what_waits_of_devices_that_nobody_knows_takes_no_room_of_those_that_are_known() {
    let other = OtherDevice::new(12);
    let mut station = phone(&[&other]);
    let strangers = (0..STASHED_OF_STRANGERS_MAX + 1).map(|n| {
        let record = station.draw(Subject::Person);
        let stranger = OtherDevice::new(u8::try_from(n + 20).unwrap());
        stranger.behind_a_gap(&station, record, 1).bytes().to_vec()
    });
    let strangers = strangers.collect();
    assert!(!bring(&mut station, strangers));
    assert_eq!(station.replica.waiting(), STASHED_OF_STRANGERS_MAX);
    let flood = flood(&mut station, &other, STASHED_OF_FEED_MAX);
    assert!(bring(&mut station, flood));
    let waiting = STASHED_OF_STRANGERS_MAX + STASHED_OF_FEED_MAX;
    assert_eq!(station.replica.waiting(), waiting);
}

#[test]
fn a_record_that_ended_the_program_is_merged_alone_when_a_verdict_leaves_a_change_of_it_out() {
    let (one, two) = (OtherDevice::new(11), OtherDevice::new(12));
    let mut station = phone(&[&one, &two]);
    let record = station.person();
    let (good, first) = one.writes(&station, record, "identity.name", &[]);
    let (bad, second) = two.writes(&station, record, "identity.aliases", &[(good, 1)]);
    hear(&mut station, Vec::new(), &[&first]);
    let place = (general(), record);
    let ended = DocumentError::Ended;
    let parked = station
        .replica
        .prepare_suspect(&BTreeSet::from([place.clone()]), ended);
    station.rows.write(&parked.rows);
    station.replica.apply(parked);
    hear(&mut station, Vec::new(), &[&second]);
    assert_eq!(
        station.replica.suspects().next(),
        None,
        "a change that comes is no reason"
    );

    let verdict = Exclusion {
        record,
        changes: BTreeSet::from([bad]),
    };
    let network = station.replica.me().network;
    let verdict = by_node(|node| ControlEntry::exclude(network, &general(), &verdict, node));
    hear(&mut station, vec![verdict], &[]);
    let state = station.replica.record(&general(), record).unwrap();
    assert_eq!(state.parked(), Some(DocumentError::Suspected));
    assert_eq!(state.heads(), [good], "nothing was merged with the others");
    assert!(station.replica.suspects().eq([place.clone()]));

    let alone = station.replica.prepare_rebuild(&station.rows, &place);
    let alone = alone.unwrap();
    assert_eq!(alone.merged().count(), 1);
    station.rows.write(&alone.rows);
    station.replica.apply(alone);
    let state = station.replica.record(&general(), record).unwrap();
    assert_eq!((state.parked(), state.heads()), (None, &[good][..]));
}
