use super::*;
use crate::batch::{Binding, Entry, Header};
use crate::change::{Change, Put};
use crate::control::{ControlEntry, Enrolment, LeftOut, Revocation, RevokeReason};
use crate::document::peer::POISON;
use crate::id::{ActorId, AuthorId, ChangeHash, Class};
use crate::seal::SigningKey;
use crate::station::{Station, UNIT};
use crate::value::{Key, Value};
use crate::wire::Answer;

fn space() -> Space {
    Space::new(UNIT, Class::General).unwrap()
}

/// Another device of the village.
struct Other(SigningKey);

impl Other {
    fn new(seed: u8) -> Self {
        Self(SigningKey::from_bytes(&[seed; 32]))
    }

    fn device(&self) -> DeviceId {
        DeviceId::of_key(&self.0.public().bytes)
    }

    fn enrolment(&self) -> Enrolment {
        Enrolment {
            signing_key: self.0.public().bytes,
            sealing_key: [3; 32],
            spaces: BTreeSet::from([space()]),
            authors: BTreeSet::from([AuthorId([5; 8])]),
        }
    }

    /// Its first change of a record, on `deps`, and the batch with it.
    fn writes(
        &self,
        station: &Station,
        record: RecordId,
        key: &str,
        deps: &[(ChangeHash, u32)],
    ) -> (ChangeHash, Batch) {
        let put = Put {
            key: Key::parse(key).unwrap(),
            value: Value::from("其其格"),
            preds: Vec::new(),
        };
        let actor = ActorId::new(self.device(), [1; 8]);
        let start = 1 + deps.iter().map(|(_, end)| *end).max().unwrap_or(0);
        let deps = deps.iter().map(|(hash, _)| *hash).collect();
        let (made, change) = Change::make(deps, actor, 1, start, 0, vec![put]);
        let header = Header {
            space: space(),
            device: self.device(),
            author: AuthorId([5; 8]),
            seq: 1,
            prev: Vec::new(),
            dictionary: 1,
            time: 0,
            binding: Binding::Apart,
        };
        let entries = vec![Entry { record, change }];
        let sign = |message: &[u8]| self.0.sign(message);
        let network = station.replica.me().network;
        (
            made.hash,
            Batch::sign(network, header, entries, [1; 16], &sign),
        )
    }
}

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
            cut: BTreeMap::from([(space(), BTreeSet::new())]),
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
        let state = station.replica.record(&space(), record).unwrap().clone();
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
        let verdict = ControlEntry::left_out(network, &space(), &verdict, signer);
        let parked = |station: &Station| {
            let state = station.replica.record(&space(), record);
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
        let state = station.replica.record(&space(), record).unwrap();
        assert_eq!(state.heads(), [good]);
        shown.push(state.clone());
    }
    assert_eq!(shown[0], shown[1]);
}
