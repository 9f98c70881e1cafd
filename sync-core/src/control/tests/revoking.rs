//! Revocations and verdicts as a join.

use super::*;
use crate::id::Short;

fn tip(n: u8) -> Tip {
    Tip {
        seq: u32::from(n),
        hash: Short([n; 16]),
    }
}

fn revocation(whole: bool, classes: &[Class], tips: &[u8]) -> Revocation {
    let tips: BTreeSet<Tip> = tips.iter().copied().map(tip).collect();
    Revocation {
        device: enrolment(&[]).device(),
        whole,
        cut: (classes.iter())
            .map(|class| (space(*class), tips.clone()))
            .collect(),
        reason: RevokeReason::Lost,
    }
}

fn revoke(revocation: &Revocation, signer: u8) -> Vec<u8> {
    let sign = |message: &[u8]| key(signer).sign(message);
    ControlEntry::revoke(network(), revocation, (public(signer), &sign))
}

fn verdict(batch: u8, number: u32, accepted: bool) -> Vec<u8> {
    let order = Order {
        issuer: public(NODE),
        number: 1,
        names: BTreeSet::from([vec![batch; 32]]),
        content: Verdict { number, accepted }.encode(),
    };
    let sign = |message: &[u8]| key(NODE).sign(message);
    let scope = BTreeSet::from([space(Class::General)]);
    let signer: Signer<'_> = (public(NODE), &sign);
    ControlEntry::order(network(), OrderKind::Verdict, &scope, &order, signer)
}

/// Every order of these entries, each taken into a network that has just been founded.
fn in_every_order(entries: &[Vec<u8>]) -> Vec<Control> {
    if entries.is_empty() {
        return vec![founded()];
    }
    let mut states = Vec::new();
    for at in 0..entries.len() {
        let mut others = entries.to_vec();
        let last = others.remove(at);
        for mut state in in_every_order(&others) {
            take(&mut state, &last);
            states.push(state);
        }
    }
    states
}

#[test]
fn a_revocation_wins_over_every_enrolment_in_whatever_order_they_come() {
    let device = enrolment(&[]).device();
    let entries = [
        enrol(&enrolment(&[Class::General]), NODE),
        enrol(&enrolment(&[Class::Health]), NODE),
        revoke(&revocation(true, &[Class::General], &[7]), NODE),
    ];
    for control in in_every_order(&entries) {
        assert_eq!(control.grants(device), Some(BTreeSet::new()));
        assert_eq!(control.revoked(device), Some(RevokeReason::Lost));
        assert!(!control.holds(device, &space(Class::Health)));
        assert_eq!(control.holders(&space(Class::General)).count(), 0);
        // What it signed before can still be checked.
        let key = control.writer_key(device, &space(Class::General));
        assert_eq!(key, Some(public(DEVICE)));
        let cut = control.cut(device, &space(Class::General)).unwrap();
        assert_eq!(*cut, BTreeSet::from([tip(7)]));
        let nothing = control.cut(device, &space(Class::Health)).unwrap();
        assert!(nothing.is_empty(), "the office held nothing there");
    }
}

#[test]
fn a_device_that_loses_one_space_keeps_the_others() {
    let device = enrolment(&[]).device();
    let entries = [
        enrol(&enrolment(&[Class::General, Class::Care]), NODE),
        revoke(&revocation(false, &[Class::Care], &[1]), NODE),
        revoke(&revocation(false, &[Class::Care], &[2]), NODE),
    ];
    for control in in_every_order(&entries) {
        let left = BTreeSet::from([space(Class::General)]);
        assert_eq!(control.grants(device), Some(left));
        assert_eq!(control.revoked(device), None);
        let cut = control.cut(device, &space(Class::Care)).unwrap();
        assert_eq!(*cut, BTreeSet::from([tip(1), tip(2)]), "both cuts hold");
        assert!(control.cut(device, &space(Class::General)).is_none());
        // It hears that it lost a space, and of that space nothing else.
        assert_eq!(control.for_device(device).count(), 4);
        assert_eq!(control.only_for(device).position(), control.position());
    }
}

#[test]
fn only_a_node_revokes() {
    let control = founded();
    for signer in [ROOT, DEVICE] {
        let entry = revoke(&revocation(true, &[Class::General], &[]), signer);
        assert_eq!(control.check(&entry), Err(BadEntry::Signature));
    }
}

#[test]
fn the_highest_number_decides_what_becomes_of_a_batch() {
    let entries = [
        verdict(1, 1, true),
        verdict(1, 2, false),
        verdict(2, 1, false),
        verdict(2, 1, true),
    ];
    for control in in_every_order(&entries) {
        let said = |batch| control.verdict(BatchHash([batch; 32])).unwrap();
        assert!(!said(1).accepted, "the later decision");
        assert!(said(2).accepted, "of two at once nothing is lost");
    }
}

#[test]
fn a_cut_names_so_many_branches_and_no_more() {
    let tips: Vec<u8> = (0..=40).collect();
    let entry = revoke(&revocation(true, &[Class::General], &tips), NODE);
    let mut control = founded();
    take(&mut control, &entry);
    let device = enrolment(&[]).device();
    let cut = control.cut(device, &space(Class::General)).unwrap();
    assert_eq!(cut.len(), 32, "what is beside them waits for the office");
}

#[test]
fn new_keys_get_what_the_device_holds_now_and_nothing_of_what_was_taken_from_it() {
    let device = enrolment(&[]).device();
    let new = key(77);
    let sign = |message: &[u8]| new.sign(message);
    let keys = (new.public().bytes, [7; 32]);
    let renewal = crate::renew::Renewal::of(network(), device, keys, &sign);
    let mut control = founded();
    let held = enrolment(&[Class::General, Class::Care]);
    take(&mut control, &enrol(&held, NODE));
    let all = renewal.enrolment(&control, device).unwrap();
    assert_eq!(all.spaces.len(), 2);

    take(
        &mut control,
        &revoke(&revocation(false, &[Class::Care], &[]), NODE),
    );
    let narrowed = renewal.enrolment(&control, device).unwrap();
    assert_eq!(narrowed.spaces, BTreeSet::from([space(Class::General)]));

    take(&mut control, &revoke(&revocation(true, &[], &[]), NODE));
    assert_eq!(renewal.enrolment(&control, device), None);
}
