use super::*;
use crate::id::{Class, RecordId};
use crate::record::RecordState;
use crate::testing::{OtherDevice, TestDevice, UNIT, by_node, general, two_devices};
use crate::value::Value;
use crate::wire::{Answer, SpaceState};

/// The server holds all that the request carried.
fn all_taken(counter: u64) -> Answer {
    let mut answer = Answer::at(100);
    answer.spaces = vec![SpaceState {
        space: Space::new(UNIT, Class::General).unwrap(),
        counter,
        changes: Vec::new(),
        ladders_wanted: Vec::new(),
    }];
    answer
}

#[test]
fn a_long_upload_reads_every_batch_once() {
    let mut station = TestDevice::new(1, &[Class::General]);
    for _ in 0..1500 {
        let record = station.person();
        let name = ("identity.name", Value::from("其其格"));
        station.save(record, &[name]).unwrap();
    }
    assert_eq!(station.replica.unsent(), 1500);
    let (mut rounds, mut batches) = (0, 0);
    loop {
        let outgoing = station.ask();
        rounds += 1;
        batches += outgoing.batches;
        let received = station.hear_of(&outgoing, &all_taken(rounds));
        if !received.again {
            break;
        }
    }
    assert_eq!(station.replica.unsent(), 0);
    assert!(rounds > 2, "{rounds}");
    // The first round signs them; what it sends is not read, and what others send is read once.
    let reads = station.rows.reads.get();
    assert!(reads <= batches, "{reads} reads of {batches} batches");
}

/// A phone, the other device's batches of these records, and the answer that brings them with its
/// enrolment.
fn village() -> (TestDevice, Vec<RecordId>, Answer) {
    let (station, brought) = two_devices();
    let answer = Answer {
        batches: brought.batches,
        control: vec![brought.enrolment],
        ..all_taken(1)
    };
    (station, brought.records, answer)
}

fn arrival(station: &TestDevice, outgoing: &Outgoing, answer: &Answer) -> Arrival {
    let bytes = answer.encode(station.replica.me().network);
    let unopened = station.replica.read_answer(&station.rows, outgoing, &bytes);
    unopened.unwrap().open().unwrap()
}

/// Takes an answer in the smallest slices; `between` may break it off.
fn in_slices(
    station: &mut TestDevice,
    answer: &Answer,
    mut between: impl FnMut(&mut TestDevice, usize) -> bool,
) -> Option<(Received, usize)> {
    let outgoing = station.ask();
    let mut arrival = Box::new(arrival(station, &outgoing, answer));
    for slices in 1.. {
        match station.hear_slice(&outgoing, &arrival, Work::LEAST) {
            Slice::Whole(received) => return Some((received, slices)),
            Slice::More(rest) => arrival = rest,
        }
        if !between(station, slices) {
            return None;
        }
    }
    None
}

fn states(station: &TestDevice) -> Vec<(RecordId, RecordState)> {
    let space = general();
    let records = station.replica.records(&space);
    records.map(|(id, state)| (id, state.clone())).collect()
}

/// What a phone shows that took the answer at once.
fn at_once() -> (Received, Vec<(RecordId, RecordState)>) {
    let (mut station, _, answer) = village();
    let outgoing = station.ask();
    let received = station.hear_of(&outgoing, &answer);
    (received, states(&station))
}

#[test]
fn an_answer_taken_in_slices_is_the_answer_taken_at_once() {
    let (mut station, _, answer) = village();
    let (received, slices) = in_slices(&mut station, &answer, |_, _| true).unwrap();
    assert_eq!((received, states(&station)), at_once());
    assert!(slices > 6, "{slices}");
    assert_eq!(station.replica.behind(&general()).count(), 0);
    assert_eq!(station.reopen().rebuilt, 0);
    assert_eq!(states(&station), at_once().1);
}

#[test]
fn cut_between_any_two_slices_nothing_is_lost_and_the_answer_may_come_again() {
    let (mut whole, _, answer) = village();
    let (_, slices) = in_slices(&mut whole, &answer, |_, _| true).unwrap();
    for cut in 1..slices {
        for reopened in [true, false] {
            let (mut station, _, answer) = village();
            assert!(in_slices(&mut station, &answer, |_, slice| slice < cut).is_none());
            let held = station.replica.vector(&general());
            if reopened {
                station.reopen();
                assert_eq!(station.replica.vector(&general()), held);
                let touched = station.replica.spaces[&general()].touched.keys();
                let space = general();
                let shown = station.replica.records(&space).map(|(id, _)| id);
                assert!(touched.copied().eq(shown), "what is held is shown");
            }
            let outgoing = station.ask();
            station.hear_of(&outgoing, &answer);
            assert_eq!(states(&station), at_once().1, "{cut}");
            assert_eq!(station.reopen().rebuilt, 0, "{cut}");
            assert_eq!(states(&station), at_once().1, "{cut}");
        }
    }
}

/// Takes an answer as a host does that marks its merges, one record at a time; `cut` breaks it off. Whether
/// it was not.
fn marking(station: &mut TestDevice, answer: &Answer, cut: usize) -> bool {
    station.replica.mark_merges();
    let outgoing = station.ask();
    let mut arrival = Box::new(arrival(station, &outgoing, answer));
    for _ in 0..cut {
        let marked: BTreeSet<_> = arrival.merges().into_iter().take(1).collect();
        let before = states(station);
        let slice = station.hear_slice(&outgoing, &arrival, Work::slice_of(marked.clone()));
        for state in states(station) {
            let merged = !before.contains(&state);
            assert_eq!(merged, marked.contains(&(general(), state.0)));
        }
        match slice {
            Slice::Whole(_) => return true,
            Slice::More(rest) => arrival = rest,
        }
    }
    false
}

#[test]
fn a_host_that_marks_merges_what_it_marked_and_nothing_at_an_opening() {
    for cut in 1.. {
        let (mut station, records, answer) = village();
        let whole = marking(&mut station, &answer, cut);
        assert_eq!(station.reopen().rebuilt, 0, "{cut}");
        let known = crate::value::Key::parse("identity.phone").unwrap();
        assert!(station.replica.view(UNIT, records[0]).contains_key(&known));
        let suspects: Vec<_> = station.replica.suspects().collect();
        assert_eq!(suspects.len(), (records.len() + 1).saturating_sub(cut));
        for place in &suspects {
            let rebuilt = station.replica.prepare_rebuild(&station.rows, place);
            let rebuilt = rebuilt.unwrap();
            station.rows.write(&rebuilt.rows);
            station.replica.apply(rebuilt);
        }
        assert_eq!(states(&station), at_once().1, "{cut}");
        if whole {
            assert_eq!(cut, records.len() + 1);
            break;
        }
    }
}

/// An answer that brings what a further device wrote of a record.
fn another_answer(station: &TestDevice, record: RecordId) -> Answer {
    let (network, device) = (station.replica.me().network, OtherDevice::new(12));
    let (_, batch) = device.writes(station, record, "identity.aliases", &[]);
    Answer {
        batches: vec![batch.bytes().to_vec()],
        control: vec![by_node(|node| {
            ControlEntry::enrol(network, &device.enrolment(), node)
        })],
        ..all_taken(2)
    }
}

#[test]
fn what_another_answer_leaves_half_done_between_two_slices_is_merged_with_the_first() {
    let (mut station, records, answer) = village();
    let another = another_answer(&station, records[5]);
    for answer in [&answer, &another] {
        let outgoing = station.ask();
        station.hear_of(&outgoing, answer);
    }
    let expected = states(&station);

    let (mut station, records, answer) = village();
    let mut broken_off = 0;
    let whole = in_slices(&mut station, &answer, |station, _| {
        if station.replica.is_behind(&general(), records[5]) && broken_off == 0 {
            let outgoing = station.ask();
            let another = arrival(station, &outgoing, &another);
            let slice = station.hear_slice(&outgoing, &another, Work::LEAST);
            broken_off += usize::from(matches!(slice, Slice::More(_)));
        }
        true
    });
    assert_eq!((whole.is_some(), broken_off), (true, 1));
    assert_eq!(states(&station), expected);
    assert_eq!(station.replica.behind(&general()).count(), 0);
    assert_eq!(station.reopen().rebuilt, 0);
}

#[test]
fn what_is_saved_between_two_slices_stands_beside_what_comes() {
    for (reopened, marks) in [(true, false), (false, false), (true, true)] {
        let (mut station, records, answer) = village();
        if marks {
            station.replica.mark_merges();
        }
        let record = records[0];
        let mut saved = 0;
        let whole = in_slices(&mut station, &answer, |station, _| {
            if station.replica.is_behind(&general(), record) && saved == 0 {
                let aliases = ("identity.aliases", Value::from("小其"));
                saved += station.save(record, &[aliases]).unwrap().changes;
                return !reopened;
            }
            true
        });
        assert_eq!((saved, whole.is_none()), (1, reopened));
        if reopened {
            station.reopen();
        }
        let shown = station.replica.view(UNIT, record);
        for key in ["identity.phone", "identity.name", "identity.aliases"] {
            // A host that marks its merges makes nothing again at an opening.
            let comes_later = marks && key == "identity.name";
            let key = crate::value::Key::parse(key).unwrap();
            assert_eq!(shown.contains_key(&key), !comes_later, "{key}");
        }
    }
}
