mod appending;

use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::admit::world::{
    Dice, HeldChanges, admit_naively, borrowed, device, history, key, wide_history,
};
use crate::change::COUNTER_MAX;
use crate::document::peer::{POISON, Peer};

/// Adds what arrived where nothing but that may be asked for.
fn add_plainly(state: &RecordState, of: u8, raw: &[u8]) -> RecordState {
    let asked = || -> Result<HeldChanges, &str> { Err("asked for everything") };
    state.add(&[(device(of), raw)], asked).unwrap()
}

/// Adds what arrived, with everything held at hand.
fn add(state: &RecordState, arrived: &[(DeviceId, Vec<u8>)], held: &HeldChanges) -> RecordState {
    let Ok(state) = state.add(&borrowed(arrived), || Ok::<_, Infallible>(held.clone()));
    state
}

/// The same, appended where that is plain.
fn append(state: &RecordState, arrived: &[(DeviceId, Vec<u8>)], held: &HeldChanges) -> RecordState {
    let Ok(state) = state.append(&borrowed(arrived), || Ok::<_, Infallible>(held.clone()));
    state
}

fn write(state: &RecordState, who: DeviceId, puts: &[(&str, Value)]) -> (Vec<u8>, RecordState) {
    write_at(state, who, state.heads(), puts)
}

fn write_at(
    state: &RecordState,
    who: DeviceId,
    seen: &[ChangeHash],
    puts: &[(&str, Value)],
) -> (Vec<u8>, RecordState) {
    let puts: Vec<(Key, Value)> = puts
        .iter()
        .map(|(text, v)| (key(text), v.clone()))
        .collect();
    state
        .write(who, seen, &puts, 1_700_000_000)
        .unwrap()
        .unwrap()
}

fn shown(state: &RecordState, text: &str) -> Value {
    state.view().get(&key(text)).unwrap().winner().clone()
}

fn conflict(state: &RecordState, text: &str) -> Option<Vec<Value>> {
    let conflict = state.view().get(&key(text))?.conflict()?;
    Some(
        conflict
            .into_iter()
            .map(|written| written.value.clone())
            .collect(),
    )
}

const NAME: &str = "identity.name";
const PHONE: &str = "identity.phone";

/// A record that phones 1 and 2 edited apart, and that phone 3 has both edits of.
fn edited_apart() -> (RecordState, RecordState, RecordState) {
    let (raw, base) = write(&RecordState::empty(), device(1), &[(NAME, "高娃".into())]);
    let (one, p) = write(&base, device(1), &[(NAME, "高娃娃".into())]);
    let (two, q) = write(
        &add_plainly(&RecordState::empty(), 1, &raw),
        device(2),
        &[(NAME, "Гуа".into())],
    );
    let both = add_plainly(&add_plainly(&base, 2, &two), 1, &one);
    (p, q, both)
}

#[test]
fn edits_of_different_keys_stand_side_by_side() {
    let (_, base) = write(&RecordState::empty(), device(1), &[(NAME, "高娃".into())]);
    let (one, p) = write(&base, device(1), &[(NAME, "高娃娃".into())]);
    let (two, q) = write(&base, device(2), &[(PHONE, "139".into())]);
    let (p, q) = (add_plainly(&p, 2, &two), add_plainly(&q, 1, &one));
    assert_eq!(p, q);
    assert_eq!(
        (shown(&p, NAME), shown(&p, PHONE)),
        ("高娃娃".into(), "139".into())
    );
    assert_eq!(conflict(&p, NAME), None);
}

#[test]
fn a_conflict_shows_every_value_and_the_next_write_that_saw_them_settles_it() {
    let (p, q, both) = edited_apart();
    let found = conflict(&both, NAME).unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[0], shown(&both, NAME));
    // Also with the value that shows already.
    let (_, settled) = write(&both, device(3), &[(NAME, found[0].clone())]);
    assert_eq!(
        (conflict(&settled, NAME), shown(&settled, NAME)),
        (None, found[0].clone())
    );
    assert_eq!(
        (p.heads().len(), q.heads().len(), both.heads().len()),
        (1, 1, 2)
    );
    assert_eq!(settled.heads().len(), 1);
}

#[test]
fn equal_values_written_apart_are_no_conflict_and_writing_them_again_is_nothing() {
    let (raw, p) = write(&RecordState::empty(), device(1), &[(NAME, "高娃".into())]);
    let (_, q) = write(&RecordState::empty(), device(2), &[(NAME, "高娃".into())]);
    let both = add_plainly(&q, 1, &raw);
    assert_eq!(both.view().get(&key(NAME)).unwrap().values().count(), 2);
    assert_eq!(conflict(&both, NAME), None);
    assert_eq!(
        both.write(device(3), both.heads(), &[(key(NAME), "高娃".into())], 0),
        Ok(None)
    );
    let (_, after) = write(
        &p,
        device(1),
        &[(NAME, "高娃".into()), (PHONE, "139".into())],
    );
    assert_eq!(after.history().unwrap().len(), 2);
}

#[test]
fn only_what_differs_is_written_and_an_empty_field_left_empty_is_nothing() {
    let empty = RecordState::empty();
    assert_eq!(
        empty.write(device(1), &[], &[(key(NAME), Value::Null)], 0),
        Ok(None)
    );
    assert_eq!(empty.write(device(1), &[], &[], 0), Ok(None));
    let (_, one) = write(
        &empty,
        device(1),
        &[(NAME, "高娃".into()), (PHONE, "139".into())],
    );
    let (raw, two) = write(
        &one,
        device(1),
        &[(NAME, "高娃".into()), (PHONE, Value::Null)],
    );
    assert_eq!(Change::parse(&raw).unwrap().puts.len(), 1);
    assert_eq!(shown(&two, PHONE), Value::Null);
    let last = [(key(NAME), "x".into()), (key(NAME), "y".into())];
    let (_, three) = two
        .write(device(1), two.heads(), &last, 0)
        .unwrap()
        .unwrap();
    assert_eq!(shown(&three, NAME), "y".into());
}

#[test]
fn a_record_that_others_made_very_wide_can_be_edited_all_the_same() {
    let mut held = HeldChanges::new();
    for of in 2..=9 {
        for value in 0..16 {
            let put = Put {
                key: key(NAME),
                value: Value::Int(value),
                preds: vec![],
            };
            held.push((
                device(of),
                Change::make(vec![], device(of), 1, 0, vec![put]).1,
            ));
        }
    }
    let mut state = RecordState::rebuild(&borrowed(&held));
    assert_eq!(state.heads().len(), 128);
    // Each edit rests on 64 of them, shows, and settles as many.
    for left in [128 - 64 + 1, 65 - 64 + 1, 1] {
        let (raw, next) = write(
            &state,
            device(1),
            &[(NAME, "好".into()), (PHONE, "1".into())],
        );
        assert!(Change::parse(&raw).unwrap().deps.len() <= 64 && raw.len() < 6000);
        held.push((device(1), raw));
        state = next;
        assert_eq!(shown(&state, NAME), "好".into());
        assert_eq!(state, RecordState::rebuild(&borrowed(&held)));
        assert_eq!(state.heads().len(), left);
    }
    assert_eq!(conflict(&state, NAME), None);
}

#[test]
fn a_form_that_is_saved_again_in_the_same_second_is_a_change_of_its_own() {
    let (_, base) = write(&RecordState::empty(), device(1), &[(NAME, "高娃".into())]);
    let name = |text: &str| [(NAME, Value::from(text))];
    let (one, after) = write_at(&base, device(1), base.heads(), &name("一"));
    let (_, later) = write_at(&after, device(2), after.heads(), &name("二"));
    let (two, both) = write_at(&later, device(1), base.heads(), &name("一"));
    let [one, two] = [one, two].map(|raw| Change::parse(&raw).unwrap());
    assert_eq!((one.puts, one.time + 1), (two.puts, two.time));
    assert_eq!(conflict(&both, NAME).map(|values| values.len()), Some(2));
}

#[test]
fn a_value_that_the_writer_had_not_seen_stays_a_conflict() {
    let (p, _, both) = edited_apart();
    // The form was opened when the record stood where phone 1 left it.
    let settle = |who| write_at(&both, who, p.heads(), &[(NAME, "第三".into())]);
    let (raw, after) = settle(device(1));
    assert_eq!(Change::parse(&raw).unwrap().deps, p.heads());
    let mut found = conflict(&after, NAME).unwrap();
    found.sort();
    let mut expected: Vec<Value> = vec!["第三".into(), "Гуа".into()];
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_write_is_byte_for_byte_what_automerge_would_make() {
    let mut peer = Peer::new(ActorId([1; ActorId::LEN]));
    let edits: [&[(&str, Value)]; 3] = [
        &[(NAME, "高娃".into()), (PHONE, "139".into())],
        &[(NAME, "高娃娃".into())],
        &[
            ("household.resident_population", 4.into()),
            (PHONE, Value::Null),
            ("toilet#a.clean", true.into()),
        ],
    ];
    let mut state = RecordState::empty();
    for puts in edits {
        let mut puts = puts.to_vec();
        puts.sort_by_key(|(text, _)| *text);
        let (ours, next) = write(&state, device(1), &puts);
        let actor = Change::parse(&ours).unwrap().actor;
        let theirs = peer.put_as(actor, &puts, 1_700_000_000);
        assert_eq!(ours, theirs);
        state = next;
    }
}

#[test]
fn what_is_too_much_is_refused_with_a_reason_and_changes_nothing() {
    let empty = RecordState::empty();
    let long = Value::Text("x".repeat(VALUE_BYTES_MAX + 1));
    let refused = empty.write(device(1), &[], &[(key(NAME), long)], 0);
    assert_eq!(refused, Err(WriteError::ValueTooLong { key: key(NAME) }));
    let many = |count| {
        (0..count)
            .map(|n| (key(&format!("a.f{n}")), Value::Int(1)))
            .collect::<Vec<_>>()
    };
    assert!(
        empty
            .write(device(1), &[], &many(CHANGE_OPS_MAX), 0)
            .is_ok()
    );
    assert_eq!(
        empty.write(device(1), &[], &many(CHANGE_OPS_MAX + 1), 0),
        Err(WriteError::TooLarge)
    );
    let text = Value::Text("x".repeat(VALUE_BYTES_MAX));
    let heavy: Vec<_> = (0..16)
        .map(|n| (key(&format!("a.f{n}")), text.clone()))
        .collect();
    assert_eq!(
        empty.write(device(1), &[], &heavy, 0),
        Err(WriteError::TooLarge)
    );
    let unseen = empty.write(device(1), &[ChangeHash([1; 32])], &many(1), 0);
    assert_eq!(unseen, Err(WriteError::Unseen));
}

#[test]
fn clocks_of_1970_and_of_the_far_future_only_change_what_is_displayed() {
    for (clock, kept) in [
        (i64::MIN, 0),
        (0, 0),
        (4_102_444_800, 4_102_444_800),
        (i64::MAX, TIME_MAX),
    ] {
        let puts = [(key(NAME), "x".into())];
        let (_, state) = RecordState::empty()
            .write(device(1), &[], &puts, clock)
            .unwrap()
            .unwrap();
        assert_eq!(state.history().unwrap()[0].time, kept);
    }
}

#[test]
fn history_tells_every_value_from_the_oldest_on() {
    let (_, _, both) = edited_apart();
    let (_, after) = write(&both, device(3), &[(NAME, "末".into())]);
    let history = after.history().unwrap();
    assert_eq!(history.len(), 4);
    assert_eq!(history[0].value, "高娃".into());
    assert!(history[0].is_of(device(1)) && !history[0].is_of(device(2)));
    assert_eq!(history[3].value, "末".into());
    assert!(history[3].is_of(device(3)) && !history[3].is_of(device(2)));
    assert_eq!(history[3].change, after.heads()[0]);
}

#[test]
fn hostile_changes_are_set_aside_in_no_time_and_honest_edits_go_on() {
    let (first, base) = write(&RecordState::empty(), device(1), &[(NAME, "高娃".into())]);
    let seen = base.view().get(&key(NAME)).unwrap().ops();
    let put = |preds: &[OpId]| {
        vec![Put {
            key: key(NAME),
            value: "坏".into(),
            preds: preds.to_vec(),
        }]
    };
    let heads = || base.heads().to_vec();
    let near_end = Change::make(heads(), device(2), COUNTER_MAX - 1, 0, put(&seen)).1;
    let over_end = Change::make(heads(), device(2), u32::MAX - 1, 0, put(&seen)).1;
    let forged = Change::make(heads(), device(1), 2, 0, put(&seen)).1;
    let beside = Change::make(vec![], device(1), 1, 0, put(&[])).1;
    let mut flipped = first.clone();
    flipped[60] ^= 1;
    let mut held: HeldChanges = vec![(device(1), first)];
    let mut state = base.clone();
    for (of, raw) in [
        (2, near_end),
        (2, over_end),
        (2, forged),
        (1, flipped),
        (2, b"garbage".to_vec()),
    ] {
        held.push((device(of), raw.clone()));
        state = add(&state, &[(device(of), raw)], &held);
        assert_eq!(state.view(), base.view());
        assert_eq!(state.aside().len(), held.len() - 1);
    }
    // None of this makes an honest edit slow: it isn't concerned.
    let (next, _) = write(&base, device(3), &[(NAME, "好".into())]);
    let state = add_plainly(&state, 3, &next);
    assert_eq!(shown(&state, NAME), "好".into());
    held.push((device(3), next));
    // Nor does what the device writes a second time, where it wrote before, unseat the first.
    held.push((device(1), beside.clone()));
    let after = add_plainly(&state, 1, &beside);
    assert_eq!(after, RecordState::rebuild(&borrowed(&held)));
    assert_eq!(after.aside(), state.aside());
    assert_eq!(conflict(&after, NAME).map(|values| values.len()), Some(2));
}

#[test]
fn a_record_on_which_automerge_fails_is_parked_with_its_last_good_view_by_everybody_alike() {
    let (one, p) = write(&RecordState::empty(), device(1), &[(NAME, "高娃".into())]);
    let (two, q) = write(&p, device(1), &[(NAME, "高娃娃".into())]);
    let (three, _) = write(&q, device(1), &[(NAME, "第三".into())]);
    POISON.set(q.heads().first().copied());
    let held: HeldChanges = [one, two.clone(), three.clone()]
        .map(|raw| (device(1), raw))
        .to_vec();
    let parked = add(&p, &[(device(1), two)], &held[..2].to_vec());
    let after = add(&parked, &[(device(1), three)], &held);
    let rebuilt = RecordState::rebuild(&borrowed(&held));
    POISON.set(None);
    assert_eq!(parked.parked(), Some(DocumentError::Panicked));
    assert_eq!((parked.view(), parked.heads()), (p.view(), p.heads()));
    assert_eq!((&after, &rebuilt), (&parked, &parked));
    let puts = [(key(PHONE), "1".into())];
    let refused = parked.write(device(1), parked.heads(), &puts, 0);
    assert_eq!(refused, Err(WriteError::Parked(DocumentError::Panicked)));
    assert_eq!(RecordState::from_cbor(&parked.to_cbor()).unwrap(), parked);
    // A later version that can: the next change, or a rebuild, brings the record back.
    assert_eq!(shown(&add(&parked, &held[2..], &held), NAME), "第三".into());
}

#[test]
fn a_saved_document_that_is_damaged_is_rebuilt_from_what_is_held() {
    let (one, p) = write(&RecordState::empty(), device(1), &[(NAME, "高娃".into())]);
    let (two, q) = write(&p, device(1), &[(NAME, "高娃娃".into())]);
    let mut damaged = p.clone();
    damaged.saved[20] ^= 1;
    assert!(damaged.history().is_err());
    let held: HeldChanges = vec![(device(1), one), (device(1), two)];
    let healed = add(&damaged, &held[1..], &held);
    assert_eq!(healed, q);
    assert_eq!(healed.history().unwrap().len(), 2);
}

#[test]
fn a_state_survives_the_store_and_other_bytes_are_refused() {
    let (_, _, both) = edited_apart();
    let all: Vec<(&str, Value)> = vec![
        (PHONE, Value::Null),
        ("household.resident_population", (-3).into()),
        ("care_needs.needs/06", true.into()),
    ];
    let (_, mut state) = write(&both, device(3), &all);
    let aside = Aside {
        change: ChangeHash([1; 32]),
        device: device(1),
        why: AsideReason::Invalid(BadChange::Header),
    };
    state.aside.push(aside);
    let (raw, _) = write(&RecordState::empty(), device(1), &all);
    let arrived = [(device(1), raw)];
    let appended = append(&RecordState::empty(), &arrived, &arrived.to_vec());
    let bytes = appended.to_cbor();
    let read = RecordState::from_cbor(&bytes).unwrap();
    assert_eq!((&read, &read.frontier), (&appended, &appended.frontier));
    for length in 0..bytes.len() {
        assert!(RecordState::from_cbor(&bytes[..length]).is_err());
    }
    let bytes = state.to_cbor();
    let read = RecordState::from_cbor(&bytes).unwrap();
    assert_eq!((&read, &read.saved), (&state, &state.saved));
    for length in 0..bytes.len() {
        assert!(RecordState::from_cbor(&bytes[..length]).is_err());
    }
    // A field of a later version, number 99, is skipped.
    let mut later = bytes.clone();
    assert_eq!(later[0], 0xa5);
    later[0] = 0xa6;
    later.extend_from_slice(&[0x18, 99, 0x01]);
    assert_eq!(RecordState::from_cbor(&later).unwrap(), state);
    assert_eq!(
        RecordState::from_cbor(&RecordState::empty().to_cbor()).unwrap(),
        RecordState::empty()
    );
}

/// The view of admitted changes by the words of the rule: of the operations on a key that no other
/// admitted change replaces, the greatest shows.
fn view_naively(
    admitted: &BTreeSet<ChangeHash>,
    held: &HeldChanges,
) -> BTreeMap<Key, Vec<(OpId, Value)>> {
    let changes: BTreeMap<ChangeHash, Change> = held
        .iter()
        .filter_map(|(_, raw)| Change::parse(raw).ok())
        .filter(|change| admitted.contains(&change.hash))
        .map(|change| (change.hash, change))
        .collect();
    let mut view: BTreeMap<Key, Vec<(OpId, Value)>> = BTreeMap::new();
    for (op, put) in changes.values().flat_map(Change::ops) {
        let replaced = changes.values().flat_map(Change::ops);
        let mut replaced = replaced.filter(|(_, other)| other.key == put.key);
        if !replaced.any(|(_, other)| other.preds.contains(&op)) {
            view.entry(put.key.clone())
                .or_default()
                .push((op, put.value.clone()));
        }
    }
    view.values_mut()
        .for_each(|values| values.sort_by_key(|(op, _)| std::cmp::Reverse(*op)));
    view
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..Default::default() })]

    /// R10, with gaps, forgeries and mistakes in the history; after every batch that comes,
    /// not only in the end.
    #[test]
    fn any_order_and_any_batching_give_the_state_of_what_is_held(
        seed in any::<u64>(),
        faults in 0usize..15,
        wide in 0usize..4,
    ) {
        let mut dice = Dice(seed);
        let length = 1 + dice.below(20);
        let held = match wide {
            0 => wide_history(&mut dice, length + 20),
            _ => history(&mut dice, length, faults),
        };
        let whole = RecordState::rebuild(&borrowed(&held));
        prop_assert_eq!(whole.parked(), None);

        let admitted = admit_naively(&held);
        let naive = view_naively(&admitted, &held);
        let ours: BTreeMap<Key, Vec<(OpId, Value)>> = whole
            .view()
            .iter()
            .map(|(key, slot)| (key.clone(), slot.values().map(|w| (w.op, w.value.clone())).collect()))
            .collect();
        prop_assert_eq!(&ours, &naive);
        let peer = Peer::load(&whole.saved);
        prop_assert_eq!(peer.heads(), whole.heads());
        for (key, values) in &naive {
            let shown = peer.get(key.as_str()).map(|(value, op)| (op, value));
            prop_assert_eq!(shown.as_ref(), values.first());
        }

        for _ in 0..3 {
            let mut order = held.clone();
            if !dice.one_in(3) {
                dice.shuffle(&mut order);
            }
            let mut state = RecordState::empty();
            let mut appended = RecordState::empty();
            let mut came = HeldChanges::new();
            while came.len() < order.len() {
                let end = (came.len() + 1 + dice.below(4)).min(order.len());
                let batch = order[came.len()..end].to_vec();
                came.extend(batch.clone());
                if dice.one_in(4) {
                    state = RecordState::from_cbor(&state.to_cbor()).unwrap();
                    appended = RecordState::from_cbor(&appended.to_cbor()).unwrap();
                }
                state = add(&state, &batch, &came);
                appended = append(&appended, &batch, &came);
                prop_assert_eq!(&state, &RecordState::rebuild(&borrowed(&came)));
                prop_assert_eq!(&appended, &state);
                prop_assert_eq!(appended.history().unwrap(), state.history().unwrap());
            }
            prop_assert_eq!(&state, &whole);
        }
    }

    /// Two phones that write what their users see, beside a device that heaps up changes: no edit of
    /// theirs is ever set aside, and the record stays narrow enough for the next one.
    #[test]
    fn a_device_that_heaps_up_changes_hinders_no_edit(seed in any::<u64>()) {
        let mut dice = Dice(seed);
        let bad = device(1);
        let mut phones = vec![(RecordState::empty(), HeldChanges::new()); 2];
        let mut seen: Vec<Vec<ChangeHash>> = vec![vec![]; 2];
        for step in 0..60i64 {
            let at = dice.below(2);
            let other = phones[1 - at].1.clone();
            let (state, held) = &mut phones[at];
            match dice.below(8) {
                0..=4 => {
                    // On whatever is there, at either phone first, and on nothing.
                    let deps = if dice.one_in(3) { state.heads().to_vec() } else { vec![] };
                    let graph = Document::load(&state.saved).unwrap().graph();
                    let start_op = graph.past(&deps).unwrap().end + 1;
                    let put = Put { key: key(&format!("s.h{step}")), value: step.into(), preds: vec![] };
                    let raw = Change::make(deps, bad, start_op, 0, vec![put]).1;
                    held.push((bad, raw.clone()));
                    *state = add(state, &[(bad, raw)], held);
                }
                5 => {
                    let new = other.into_iter().filter(|entry| !held.contains(entry));
                    let new: HeldChanges = new.collect();
                    held.extend(new.clone());
                    *state = add(state, &new, held);
                }
                _ => {
                    let stale = dice.one_in(2);
                    let heads = if stale { seen[at].clone() } else { state.heads().to_vec() };
                    let puts = [(key(&format!("s.f{}", dice.below(3))), Value::Int(step))];
                    let me = device(at as u8 + 2);
                    let (raw, next) = state.write(me, &heads, &puts, 0).unwrap().unwrap();
                    held.push((me, raw));
                    *state = next;
                }
            }
            prop_assert_eq!(&*state, &RecordState::rebuild(&borrowed(held)));
            prop_assert!(state.heads().len() <= 3 * BESIDE_MAX);
            prop_assert!(state.aside().iter().all(|aside| aside.device == bad));
            if dice.one_in(4) {
                seen[at] = phones[at].0.heads().to_vec();
            }
        }
        let all: HeldChanges = phones.iter().flat_map(|(_, held)| held.clone()).collect();
        let end = RecordState::rebuild(&borrowed(&all));
        prop_assert!(end.aside().iter().all(|aside| aside.device == bad));
        for (state, held) in &phones {
            let mut came = held.clone();
            came.extend(all.clone());
            prop_assert_eq!(&add(state, &all, &came), &end);
        }
    }

    /// Three phones that write what their users see and exchange what they like.
    #[test]
    fn phones_that_exchange_everything_agree(seed in any::<u64>()) {
        let mut dice = Dice(seed);
        let mut phones = vec![(RecordState::empty(), HeldChanges::new()); 3];
        let mut seen: Vec<Vec<ChangeHash>> = vec![vec![]; 3];
        for _ in 0..20 {
            let at = dice.below(3);
            if dice.one_in(3) {
                let from = phones[dice.below(3)].1.clone();
                let (state, held) = &mut phones[at];
                let new: HeldChanges = from.into_iter().filter(|entry| !held.contains(entry)).collect();
                held.extend(new.clone());
                *state = add(state, &new, held);
            } else {
                let (state, held) = &mut phones[at];
                // The form may have been opened a while ago.
                let stale = dice.one_in(3);
                let heads = if stale { seen[at].clone() } else { state.heads().to_vec() };
                let puts: Vec<_> = (0..=dice.below(2))
                    .map(|_| (key(&format!("s.f{}", dice.below(3))), Value::Int(dice.below(3) as i64)))
                    .collect();
                let written = state.write(device(at as u8 + 1), &heads, &puts, 0);
                if let Some((raw, next)) = written.unwrap() {
                    held.push((device(at as u8 + 1), raw));
                    *state = next;
                    prop_assert_eq!(&*state, &RecordState::rebuild(&borrowed(held)));
                }
            }
            if dice.one_in(2) {
                seen[at] = phones[at].0.heads().to_vec();
            }
        }
        let all: HeldChanges = phones.iter().flat_map(|(_, held)| held.clone()).collect();
        let end = RecordState::rebuild(&borrowed(&all));
        prop_assert!(end.aside().is_empty());
        for (state, held) in &phones {
            let mut came = held.clone();
            came.extend(all.clone());
            prop_assert_eq!(&add(state, &all, &came), &end);
        }
    }
}
