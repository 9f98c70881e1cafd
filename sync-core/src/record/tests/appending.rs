use super::*;

/// Nine edits of one record, each on the one before, with the state after each.
fn nine_edits() -> (HeldChanges, Vec<RecordState>) {
    let mut held = HeldChanges::new();
    let mut states = vec![RecordState::empty()];
    for number in 0..9 {
        let (raw, state) = write(
            &states[number],
            device(1),
            &[(NAME, (number as i64).into())],
        );
        held.push((device(1), raw));
        states.push(state);
    }
    (held, states)
}

#[test]
fn plain_changes_stand_behind_the_document_and_the_ninth_has_all_of_them_joined() {
    let (held, states) = nine_edits();
    let mut appended = RecordState::empty();
    for (at, change) in held.iter().enumerate() {
        appended = append(
            &appended,
            std::slice::from_ref(change),
            &held[..=at].to_vec(),
        );
        appended = RecordState::from_cbor(&appended.to_cbor()).unwrap();
        assert_eq!(appended, states[at + 1]);
        assert_eq!(appended.saved.ends_with(&change.1), at < 8, "change {at}");
        assert_eq!(appended.history(), states[at + 1].history());
    }
    assert_eq!(appended.saved, RecordState::rebuild(&borrowed(&held)).saved);
}

#[test]
fn what_is_appended_in_front_of_a_write_is_in_its_past() {
    let (held, states) = nine_edits();
    let appended = append(&RecordState::empty(), &held[..3], &held[..3].to_vec());
    let (ours, mine) = write(&appended, device(2), &[(PHONE, "1".into())]);
    let (theirs, written) = write(&states[3], device(2), &[(PHONE, "1".into())]);
    assert_eq!((ours, &mine), (theirs, &written));
}

#[test]
fn a_record_with_an_appended_change_on_which_automerge_fails_is_parked_like_everywhere_when_joined()
{
    let (held, states) = nine_edits();
    POISON.set(states[3].heads().first().copied());
    let appended = append(&RecordState::empty(), &held[..8], &held[..8].to_vec());
    let joined = append(&appended, &held[8..], &held);
    let rebuilt = RecordState::rebuild(&borrowed(&held));
    POISON.set(None);
    assert_eq!(appended, states[8]);
    assert_eq!(joined, rebuilt);
    assert_eq!(joined.parked(), Some(DocumentError::Panicked));
    assert_eq!(joined.view(), states[2].view());
}

#[test]
fn who_has_written_his_share_of_a_record_is_told_so_and_others_go_on() {
    let (busy, other) = (device(1), device(2));
    let mut state = RecordState::empty();
    for form in 0..OPS_OF_DEVICE_MAX / 2048 {
        let puts: Vec<(Key, Value)> = (0..2048)
            .map(|n| (key(&format!("s.f{form}_{n}")), Value::Int(1)))
            .collect();
        let written = state.write(busy, state.heads(), &puts, 0).unwrap();
        state = written.unwrap().1;
    }
    let puts = [(key("s.f0_0"), Value::Int(2))];
    let full = state.write(busy, state.heads(), &puts, 0);
    assert!(matches!(full, Err(WriteError::Full)), "{full:?}");
    let (raw, after) = state
        .write(other, state.heads(), &puts, 0)
        .unwrap()
        .unwrap();
    assert_eq!(shown(&after, "s.f0_0"), Value::Int(2));
    let appended = append(&state, &[(other, raw.clone())], &vec![(other, raw)]);
    assert_eq!(appended, after);
}
