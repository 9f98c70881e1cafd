use proptest::prelude::*;

use super::world::{Dice, HeldChanges, actor, admit_naively, borrowed, device, history, key};
use super::*;
use crate::change::Put;
use crate::value::Value;

fn make(
    deps: &[&Change],
    who: ActorId,
    seq: u32,
    start_op: u32,
    put: (&str, i64, &[OpId]),
) -> (Change, Vec<u8>) {
    let (text, value, preds) = put;
    let put = Put {
        key: key(text),
        value: Value::Int(value),
        preds: preds.to_vec(),
    };
    Change::make(
        deps.iter().map(|dep| dep.hash).collect(),
        who,
        seq,
        start_op,
        0,
        vec![put],
    )
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
    let a = actor(1, 0);
    let (one, raw_one) = make(&[], a, 1, 1, ("s.f", 1, &[]));
    let (two, raw_two) = make(
        &[&one],
        a,
        2,
        2,
        (
            "s.f",
            2,
            &[OpId {
                counter: 1,
                actor: a,
            }],
        ),
    );
    let (three, raw_three) = make(
        &[&two],
        a,
        3,
        3,
        (
            "s.f",
            3,
            &[OpId {
                counter: 2,
                actor: a,
            }],
        ),
    );
    let d = device(1);
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
fn the_smaller_of_two_twins_is_admitted_whichever_comes_first() {
    let a = actor(1, 0);
    let (one, raw_one) = make(&[], a, 1, 1, ("s.f", 1, &[]));
    let (two, raw_two) = make(&[], a, 1, 1, ("s.f", 2, &[]));
    let (kept, flagged) = if one.hash < two.hash {
        (&one, &two)
    } else {
        (&two, &one)
    };
    let (after, raw_after) = make(&[flagged], actor(2, 0), 1, 2, ("s.g", 3, &[]));
    let (d, e) = (device(1), device(2));
    for held in [
        [(d, raw_one.as_slice()), (d, &raw_two), (e, &raw_after)],
        [(e, &raw_after), (d, &raw_two), (d, &raw_one)],
    ] {
        let admitted = admit(&held);
        assert_eq!(hashes(&admitted), [kept.hash]);
        let why = |hash| {
            admitted
                .aside
                .iter()
                .find(|a| a.change == hash)
                .unwrap()
                .why
                .clone()
        };
        assert_eq!(why(flagged.hash), AsideReason::Twin { kept: kept.hash });
        assert_eq!(why(after.hash), AsideReason::Follows { dep: flagged.hash });
    }
}

#[test]
fn a_change_that_joins_both_twins_is_invalid() {
    let a = actor(1, 0);
    let (one, raw_one) = make(&[], a, 1, 1, ("s.f", 1, &[]));
    let (two, raw_two) = make(&[], a, 1, 1, ("s.g", 2, &[]));
    let (both, raw_both) = make(&[&one, &two], actor(2, 0), 1, 2, ("s.h", 3, &[]));
    let admitted = admit(&[
        (device(1), &raw_one),
        (device(1), &raw_two),
        (device(2), &raw_both),
    ]);
    let aside = admitted
        .aside
        .iter()
        .find(|aside| aside.change == both.hash)
        .unwrap();
    assert_eq!(aside.why, AsideReason::Invalid(BadChange::TwinsInPast));
}

#[test]
fn what_does_not_follow_from_the_past_is_invalid() {
    let (a, b) = (actor(1, 0), actor(2, 0));
    let first = OpId {
        counter: 1,
        actor: a,
    };
    let (one, raw_one) = make(&[], a, 1, 1, ("s.f", 1, &[]));
    let cases = [
        (
            make(&[&one], b, 2, 2, ("s.f", 2, &[first])),
            BadChange::Sequence,
        ),
        (
            make(&[&one], a, 1, 2, ("s.f", 2, &[first])),
            BadChange::Sequence,
        ),
        (
            make(&[&one], b, 1, 3, ("s.f", 2, &[first])),
            BadChange::StartOp,
        ),
        (make(&[&one], b, 1, 1, ("s.f", 2, &[])), BadChange::StartOp),
        (
            make(&[&one], b, 1, 1 << 30, ("s.f", 2, &[first])),
            BadChange::StartOp,
        ),
        (make(&[], b, 1, 2, ("s.f", 2, &[])), BadChange::StartOp),
        (
            make(&[&one], b, 1, 2, ("s.f", 2, &[])),
            BadChange::NotVisible,
        ),
        (
            make(&[&one], b, 1, 2, ("s.g", 2, &[first])),
            BadChange::NotVisible,
        ),
        (
            make(
                &[&one],
                b,
                1,
                2,
                (
                    "s.f",
                    2,
                    &[OpId {
                        counter: 1,
                        actor: b,
                    }],
                ),
            ),
            BadChange::NotVisible,
        ),
    ];
    for ((change, raw), reason) in cases {
        let signer = if change.actor == a {
            device(1)
        } else {
            device(2)
        };
        let admitted = admit(&[(signer, &raw), (device(1), &raw_one)]);
        assert_eq!(hashes(&admitted), [one.hash]);
        assert_eq!(admitted.aside[0].why, AsideReason::Invalid(reason));
    }
}

#[test]
fn a_forged_actor_is_set_aside_and_the_true_copy_is_admitted() {
    let (one, raw) = make(&[], actor(1, 0), 1, 1, ("s.f", 1, &[]));
    let forged = admit(&[(device(2), &raw)]);
    assert!(forged.changes.is_empty());
    assert_eq!(forged.aside[0].why, AsideReason::Invalid(BadChange::Device));
    let both = admit(&[(device(2), &raw), (device(1), &raw)]);
    assert_eq!(hashes(&both), [one.hash]);
    assert_eq!((both.aside.len(), both.aside[0].device), (1, device(2)));
}

#[test]
fn bytes_that_are_no_change_are_named_by_their_hash() {
    let admitted = admit(&[(device(1), b"nonsense")]);
    assert_eq!(
        admitted.aside[0].change.0[..],
        Sha256::digest(b"nonsense")[..]
    );
    assert_eq!(admitted.aside[0].actor, None);
}

#[test]
fn reasons_survive_the_store() {
    let hash = ChangeHash([7; 32]);
    let whys = [
        AsideReason::Waiting { missing: hash },
        AsideReason::Invalid(BadChange::NotVisible),
        AsideReason::Twin { kept: hash },
        AsideReason::Follows { dep: hash },
    ];
    for (at, why) in whys.into_iter().enumerate() {
        let actor = (at % 2 == 0).then_some(actor(1, 0));
        let aside = Aside {
            change: hash,
            device: device(3),
            actor,
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
    let a = actor(1, 0);
    let mut chain = HeldChanges::new();
    let mut last: Option<Change> = None;
    for seq in 1..=5_000 {
        let deps: Vec<&Change> = last.iter().collect();
        let preds: Vec<OpId> = last
            .iter()
            .map(|c| OpId {
                counter: c.ops_end(),
                actor: a,
            })
            .collect();
        let (change, raw) = make(&deps, a, seq, seq, ("s.f", 1, &preds));
        chain.push((device(1), raw));
        last = Some(change);
    }
    chain.reverse();
    assert_eq!(admit(&borrowed(&chain)).changes.len(), 5_000);

    let fan: HeldChanges = (0..5_000u32)
        .map(|n| {
            let mut random = [0; 8];
            random[..4].copy_from_slice(&n.to_be_bytes());
            let who = ActorId::new(device(1), random);
            (device(1), make(&[], who, 1, 1, ("s.f", 1, &[])).1)
        })
        .collect();
    assert_eq!(admit(&borrowed(&fan)).changes.len(), 5_000);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn admission_is_what_the_rules_say_in_any_order(seed in any::<u64>(), faults in 0usize..20) {
        let mut dice = Dice(seed);
        let length = 1 + dice.below(25);
        let mut held = history(&mut dice, length, faults);
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
