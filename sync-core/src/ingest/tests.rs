use super::*;
use crate::control::{ControlEntry, Exclusion, Revocation, RevokeReason};
use crate::document::peer::POISON;
use crate::feed::Vector;
use crate::id::Class;
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
