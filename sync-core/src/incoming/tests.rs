use super::*;
use crate::control::{ControlEntry, Cut, LeftOut, Order, OrderKind, Revocation, RevokeReason};
use crate::document::peer::POISON;
use crate::id::Class;
use crate::seal::SigningKey;
use crate::station::{Other, Station, general, person};
use crate::wire::Answer;

fn hear(station: &mut Station, control: Vec<Vec<u8>>, batches: &[&Batch]) {
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
    let (live, revoked) = (Other::new(11), Other::new(12));
    let node = SigningKey::from_bytes(&[2; 32]);
    let by_node = |message: &[u8]| node.sign(message);
    let signer = (node.public().bytes, &by_node as &dyn Fn(&[u8]) -> [u8; 64]);
    let mut shown = Vec::new();
    for live_first in [true, false] {
        let mut station = Station::new(1, &[Class::General]);
        station.rows.write(&station.replica.first_rows());
        let network = station.replica.me().network;
        let record = station.person();
        let revocation = Revocation {
            device: revoked.device(),
            whole: true,
            cut: BTreeMap::from([(general(), BTreeSet::new())]),
            reason: RevokeReason::Lost,
        };
        let control = vec![
            ControlEntry::enrol(network, &live.enrolment(), signer),
            ControlEntry::enrol(network, &revoked.enrolment(), signer),
            ControlEntry::revoke(network, &revocation, signer),
        ];
        hear(&mut station, control, &[]);
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
    let (one, two) = (Other::new(11), Other::new(12));
    let node = SigningKey::from_bytes(&[2; 32]);
    let by_node = |message: &[u8]| node.sign(message);
    let signer = (node.public().bytes, &by_node as &dyn Fn(&[u8]) -> [u8; 64]);
    let mut shown = Vec::new();
    for verdict_first in [true, false] {
        let mut station = Station::new(1, &[Class::General]);
        station.rows.write(&station.replica.first_rows());
        let network = station.replica.me().network;
        let record = station.person();
        let control =
            [&one, &two].map(|other| ControlEntry::enrol(network, &other.enrolment(), signer));
        hear(&mut station, control.to_vec(), &[]);
        let (good, first) = one.writes(&station, record, "identity.name", &[]);
        let (bad, second) = two.writes(&station, record, "identity.aliases", &[(good, 1)]);
        let verdict = LeftOut {
            record,
            changes: BTreeSet::from([bad]),
        };
        let verdict = ControlEntry::left_out(network, &general(), &verdict, signer);
        let parked = |station: &Station| {
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
    let revoked = Other::new(12);
    let node = SigningKey::from_bytes(&[2; 32]);
    let by_node = |message: &[u8]| node.sign(message);
    let signer = (node.public().bytes, &by_node as &dyn Fn(&[u8]) -> [u8; 64]);
    let mut station = Station::new(1, &[Class::General]);
    station.rows.write(&station.replica.first_rows());
    let network = station.replica.me().network;
    let (left, erased) = (station.person(), station.person());
    station
        .save(erased, &[("identity.name", "斯琴".into())])
        .unwrap();
    let enrolment = ControlEntry::enrol(network, &revoked.enrolment(), signer);
    hear(&mut station, vec![enrolment], &[]);
    let (_, late) = revoked.writes(&station, left, "identity.name", &[]);
    hear(&mut station, Vec::new(), &[&late]);
    let shown = |station: &Station| {
        let state = station.replica.record(&general(), left);
        state.map_or(0, |state| state.view().len())
    };
    assert_eq!(shown(&station), 1);

    let revocation = Revocation {
        device: revoked.device(),
        whole: true,
        cut: BTreeMap::from([(general(), BTreeSet::new())]),
        reason: RevokeReason::Stolen,
    };
    let key = person();
    let order = Order {
        issuer: key.public().bytes,
        number: 1,
        names: BTreeSet::from([erased.to_bytes().to_vec()]),
        content: Cut(BTreeMap::new()).encode(),
    };
    let by_person = |message: &[u8]| key.sign(message);
    let orderer = (order.issuer, &by_person as &dyn Fn(&[u8]) -> [u8; 64]);
    let scope = BTreeSet::from([general()]);
    let control = vec![
        ControlEntry::revoke(network, &revocation, signer),
        ControlEntry::order(network, OrderKind::Erase, &scope, &order, orderer),
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
