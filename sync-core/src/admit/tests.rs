use proptest::prelude::*;

use super::world::{
    Dice, HeldChanges, admit_naively, borrowed, device, history, key, wide_history,
};
use super::*;
use crate::change::Put;
use crate::id::ActorId;
use crate::value::Value;

fn make(
    deps: &[&Change],
    who: DeviceId,
    start_op: u32,
    put: (&str, i64, &[OpId]),
) -> (Change, Vec<u8>) {
    let (text, value, preds) = put;
    let put = Put {
        key: key(text),
        value: Value::Int(value),
        preds: preds.to_vec(),
    };
    let deps = deps.iter().map(|dep| dep.hash).collect();
    Change::make(deps, who, start_op, 0, vec![put])
}

/// The first operation of a change.
fn op(change: &Change) -> OpId {
    OpId {
        counter: change.start_op,
        actor: change.actor,
    }
}

fn hashes(admitted: &Admitted<'_>) -> Vec<ChangeHash> {
    admitted
        .changes
        .iter()
        .map(|(change, _)| change.hash)
        .collect()
}

#[test]
fn a_change_waits_for_what_it_depends_on_and_so_does_what_follows_it() {
    let d = device(1);
    let (one, raw_one) = make(&[], d, 1, ("s.f", 1, &[]));
    let (two, raw_two) = make(&[&one], d, 2, ("s.f", 2, &[op(&one)]));
    let (three, raw_three) = make(&[&two], d, 3, ("s.f", 3, &[op(&two)]));
    let part = admit(&[(d, &raw_three), (d, &raw_two)]);
    assert!(part.changes.is_empty());
    let waiting = AsideReason::Waiting { missing: one.hash };
    assert!(
        part.aside
            .iter()
            .all(|aside| aside.why == waiting && aside.device == d)
    );
    let all = admit(&[(d, &raw_three), (d, &raw_two), (d, &raw_one), (d, &raw_two)]);
    assert_eq!(hashes(&all), [one.hash, two.hash, three.hash]);
    assert!(all.aside.is_empty());
}

#[test]
fn what_a_device_writes_later_where_it_wrote_before_unseats_neither_that_nor_what_is_built_on_it() {
    let (bad, honest) = (device(1), device(2));
    let (first, raw_first) = make(&[], bad, 1, ("s.f", 1, &[]));
    let (edit, raw_edit) = make(&[&first], honest, 2, ("s.f", 2, &[op(&first)]));
    let mut held = vec![(bad, raw_first), (honest, raw_edit)];
    for value in 10..20 {
        held.push((bad, make(&[], bad, 1, ("s.f", value, &[])).1));
    }
    for _ in 0..2 {
        let refs = borrowed(&held);
        let admitted = admit(&refs);
        assert!(admitted.aside.is_empty());
        assert!(hashes(&admitted).contains(&first.hash));
        assert!(hashes(&admitted).contains(&edit.hash));
        held.reverse();
    }
}

#[test]
fn a_device_leaves_at_most_sixteen_changes_side_by_side_and_nobody_elses_is_touched() {
    let (bad, honest) = (device(1), device(2));
    let (first, raw_first) = make(&[], honest, 1, ("s.f", 1, &[]));
    let beside = |value| make(&[&first], bad, 2, ("s.g", value, &[]));
    let mut heaped: Vec<_> = (0..240).map(beside).collect();
    heaped.sort_by_key(|(change, _)| change.hash);
    let mut held = vec![(honest, raw_first)];
    held.extend(heaped.iter().map(|(_, raw)| (bad, raw.clone())));
    let refs = borrowed(&held);
    let admitted = admit(&refs);
    assert_eq!(admitted.changes.len(), 1 + BESIDE_MAX);
    assert_eq!(admitted.aside.len(), 240 - BESIDE_MAX);
    assert!(
        admitted
            .aside
            .iter()
            .all(|of| of.why == AsideReason::Crowded)
    );

    // Somebody who held fewer of them has built on what would be the last. It stays, and that edit.
    let (last, _) = &heaped[239];
    let (edit, raw_edit) = make(&[last], honest, 3, ("s.f", 2, &[op(&first)]));
    held.push((honest, raw_edit));
    for _ in 0..2 {
        let refs = borrowed(&held);
        let admitted = admit(&refs);
        assert_eq!(admitted.changes.len(), 1 + BESIDE_MAX + 2);
        let found = hashes(&admitted);
        assert!(found.contains(&edit.hash) && found.contains(&last.hash));
        held.reverse();
    }
}

#[test]
fn what_a_device_writes_beyond_its_share_of_a_record_does_not_count_unless_others_built_on_it() {
    let (bad, honest) = (device(1), device(2));
    let many = |deps: Vec<ChangeHash>, start_op: u32, form: usize| {
        let puts = (0..2048).map(|n| Put {
            key: key(&format!("s.f{form}_{n}")),
            value: Value::Int(1),
            preds: Vec::new(),
        });
        Change::make(deps, bad, start_op, 0, puts.collect())
    };
    let mut held = HeldChanges::new();
    let (mut made, mut deps, mut start) = (Vec::new(), Vec::new(), 1);
    for form in 0..6 {
        let (change, raw) = many(deps, start, form);
        (deps, start) = (vec![change.hash], change.ops_end() + 1);
        held.push((bad, raw));
        made.push(change);
    }
    let refs = borrowed(&held);
    let admitted = admit(&refs);
    let counted = OPS_OF_DEVICE_MAX / 2048;
    let found: Vec<ChangeHash> = made.iter().map(|change| change.hash).collect();
    assert_eq!(hashes(&admitted), found[..counted]);
    assert_eq!(admitted.aside.len(), made.len() - counted);

    // Somebody who held them in another order has built on the fifth. It stays, and that edit.
    let (edit, raw) = make(&[&made[4]], honest, made[4].ops_end() + 1, ("s.g", 2, &[]));
    held.push((honest, raw));
    for _ in 0..2 {
        let refs = borrowed(&held);
        let admitted = admit(&refs);
        let expected = [&found[..=counted], &[edit.hash]].concat();
        assert_eq!(hashes(&admitted), expected);
        held.reverse();
    }
}

#[test]
fn what_follows_a_change_that_is_one_too_many_is_aside_with_it() {
    let bad = device(1);
    let mut heaped: Vec<_> = (0..20)
        .map(|n| make(&[], bad, 1, ("s.f", n, &[])))
        .collect();
    heaped.sort_by_key(|(change, _)| change.hash);
    let (last, _) = &heaped[19];
    let (next, raw) = make(&[last], bad, 2, ("s.f", 99, &[op(last)]));
    let mut held: HeldChanges = heaped.iter().map(|(_, raw)| (bad, raw.clone())).collect();
    held.push((bad, raw));
    let refs = borrowed(&held);
    let admitted = admit(&refs);
    let why = |hash| {
        let found = admitted.aside.iter().find(|aside| aside.change == hash);
        found.unwrap().why.clone()
    };
    assert_eq!(why(last.hash), AsideReason::Crowded);
    assert_ne!(why(next.hash), AsideReason::Waiting { missing: last.hash });
    assert_eq!(hashes(&admitted).len(), BESIDE_MAX);
}

#[test]
fn what_does_not_follow_from_the_past_is_invalid() {
    let (a, b) = (device(1), device(2));
    let (one, raw_one) = make(&[], a, 1, ("s.f", 1, &[]));
    let first = op(&one);
    let unknown = OpId {
        counter: 1,
        actor: ActorId([7; ActorId::LEN]),
    };
    let cases = [
        (
            make(&[&one], b, 3, ("s.f", 2, &[first])),
            BadChange::StartOp,
        ),
        (make(&[&one], b, 1, ("s.f", 2, &[])), BadChange::StartOp),
        (
            make(&[&one], b, 1 << 30, ("s.f", 2, &[first])),
            BadChange::StartOp,
        ),
        (make(&[], b, 2, ("s.f", 2, &[])), BadChange::StartOp),
        (make(&[&one], b, 2, ("s.f", 2, &[])), BadChange::NotVisible),
        (
            make(&[&one], b, 2, ("s.g", 2, &[first])),
            BadChange::NotVisible,
        ),
        (
            make(&[&one], b, 2, ("s.f", 2, &[unknown])),
            BadChange::NotVisible,
        ),
    ];
    for ((_, raw), reason) in cases {
        let admitted = admit(&[(b, &raw), (a, &raw_one)]);
        assert_eq!(hashes(&admitted), [one.hash]);
        assert_eq!(admitted.aside[0].why, AsideReason::Invalid(reason));
    }
}

#[test]
fn a_copy_signed_by_another_device_is_set_aside_and_the_true_one_is_admitted() {
    let (one, raw) = make(&[], device(1), 1, ("s.f", 1, &[]));
    let copied = admit(&[(device(2), &raw)]);
    assert!(copied.changes.is_empty());
    assert_eq!(copied.aside[0].why, AsideReason::Invalid(BadChange::Device));
    let both = admit(&[(device(2), &raw), (device(1), &raw)]);
    assert_eq!(hashes(&both), [one.hash]);
    assert_eq!((both.aside.len(), both.aside[0].device), (1, device(2)));
}

#[test]
fn an_actor_that_is_not_the_changes_own_is_no_change_of_anybody() {
    let (one, raw) = make(&[], device(1), 1, ("s.f", 1, &[]));
    let put = Put {
        key: key("s.f"),
        value: Value::Int(2),
        preds: Vec::new(),
    };
    let (forged, raw_forged) = Change::forge(Vec::new(), one.actor, 1, 0, vec![put]);
    for signer in [device(1), device(2)] {
        let admitted = admit(&[(signer, &raw_forged), (device(1), &raw)]);
        assert_eq!(hashes(&admitted), [one.hash]);
        let aside = &admitted.aside[0];
        assert_eq!(aside.change, forged.hash);
        assert_eq!(aside.why, AsideReason::Invalid(BadChange::Device));
    }
}

#[test]
fn bytes_that_are_no_change_are_named_by_their_hash() {
    let admitted = admit(&[(device(1), b"nonsense")]);
    assert_eq!(
        admitted.aside[0].change.0[..],
        Sha256::digest(b"nonsense")[..]
    );
}

#[test]
fn reasons_survive_the_store() {
    let hash = ChangeHash([7; 32]);
    let whys = [
        AsideReason::Waiting { missing: hash },
        AsideReason::Invalid(BadChange::NotVisible),
        AsideReason::Follows { dep: hash },
        AsideReason::Crowded,
    ];
    for why in whys {
        let aside = Aside {
            change: hash,
            device: device(3),
            why,
        };
        let bytes = minicbor::to_vec(&aside).unwrap();
        assert_eq!(minicbor::decode::<Aside>(&bytes).unwrap(), aside);
        for length in 0..bytes.len() {
            assert!(minicbor::decode::<Aside>(&bytes[..length]).is_err());
        }
    }
}

/// As long as a hostile device may send: what took quadratic time or recursion would not come back.
#[test]
fn long_chains_and_wide_fans_are_judged() {
    let d = device(1);
    let mut chain = HeldChanges::new();
    let mut last: Option<Change> = None;
    for start in 1..=5_000 {
        let deps: Vec<&Change> = last.iter().collect();
        let preds: Vec<OpId> = last.iter().map(op).collect();
        let (change, raw) = make(&deps, d, start, ("s.f", 1, &preds));
        chain.push((d, raw));
        last = Some(change);
    }
    chain.reverse();
    assert_eq!(admit(&borrowed(&chain)).changes.len(), 5_000);

    let fan = (0..5_000).map(|value| (d, make(&[], d, 1, ("s.f", value, &[])).1));
    let fan: HeldChanges = fan.collect();
    assert_eq!(admit(&borrowed(&fan)).changes.len(), BESIDE_MAX);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn admission_is_what_the_rules_say_in_any_order(seed in any::<u64>(), faults in 0usize..20, wide in 0usize..3) {
        let mut dice = Dice(seed);
        let length = 1 + dice.below(25);
        let mut held = match wide {
            0 => wide_history(&mut dice, length + 25),
            _ => history(&mut dice, length, faults),
        };
        let expected = admit_naively(&held);
        let first = borrowed(&held);
        let first = admit(&first);
        prop_assert_eq!(hashes(&first).into_iter().collect::<BTreeSet<_>>(), expected);
        let mut seen = BTreeSet::new();
        for (change, _) in &first.changes {
            prop_assert!(change.deps.iter().all(|dep| seen.contains(dep)));
            seen.insert(change.hash);
        }
        let (order, aside) = (hashes(&first), first.aside.clone());
        dice.shuffle(&mut held);
        held.extend(held.first().cloned());
        let again = borrowed(&held);
        let again = admit(&again);
        prop_assert_eq!(hashes(&again), order);
        prop_assert_eq!(again.aside, aside);
    }
}
