//! Orders: required signatures and numbers.

use super::*;

const PERSON: u8 = 11;
const OTHER: u8 = 12;

fn with_persons() -> RootStatement {
    RootStatement {
        order_keys: vec![public(PERSON), public(OTHER)],
        ..statement()
    }
}

fn network_with_persons() -> NetworkId {
    with_persons().network()
}

fn founded_with_persons() -> Control {
    let mut control = Control::new(network_with_persons());
    let sign = |message: &[u8]| key(ROOT).sign(message);
    let root = ControlEntry::root(
        network_with_persons(),
        &with_persons(),
        (public(ROOT), &sign),
    );
    take(&mut control, &root);
    control
}

fn order(issuer: u8, number: u32, names: usize) -> Order {
    Order {
        issuer: public(issuer),
        number,
        names: (0..names as u32)
            .map(|n| n.to_be_bytes().to_vec())
            .collect(),
        content: vec![7],
    }
}

fn signed(kind: OrderKind, order: &Order, signer: u8) -> Vec<u8> {
    let sign = |message: &[u8]| key(signer).sign(message);
    let scope = BTreeSet::from([space(Class::General)]);
    let signer: Signer<'_> = (public(signer), &sign);
    ControlEntry::order(network_with_persons(), kind, &scope, order, signer)
}

fn signed_again(bytes: &[u8], signer: u8) -> Vec<u8> {
    let sign = |message: &[u8]| key(signer).sign(message);
    ControlEntry::sign_again(network_with_persons(), bytes, (public(signer), &sign)).unwrap()
}

#[test]
fn a_stolen_node_key_erases_and_wipes_nothing() {
    let control = founded_with_persons();
    for kind in [OrderKind::Erase, OrderKind::Wipe] {
        for thief in [NODE, ROOT, DEVICE] {
            let alone = signed(kind, &order(thief, 1, 1), thief);
            assert_eq!(control.check(&alone), Err(BadEntry::Signature));
            // In a person's name, but without the person.
            let borrowed = signed(kind, &order(PERSON, 1, 1), thief);
            assert_eq!(control.check(&borrowed), Err(BadEntry::Signature));
        }
        let good = signed(kind, &order(PERSON, 1, 1), PERSON);
        let taken = control.check(&good).unwrap().unwrap();
        assert_eq!(taken.as_order(), Some((kind, &order(PERSON, 1, 1))));
    }
}

#[test]
fn above_the_limit_two_persons_must_sign_the_same_bytes() {
    for kind in [OrderKind::Erase, OrderKind::Verdict, OrderKind::Wipe] {
        let control = founded_with_persons();
        let at_limit = signed(kind, &order(PERSON, 1, kind.alone_max()), PERSON);
        assert!(control.check(&at_limit).is_ok());
        let above = signed(kind, &order(PERSON, 1, kind.alone_max() + 1), PERSON);
        let needs_second = Err(BadEntry::SecondSignature);
        assert_eq!(control.check(&above), needs_second);
        for no_person in [PERSON, NODE, ROOT] {
            let twice = signed_again(&above, no_person);
            assert_eq!(control.check(&twice), needs_second, "{no_person}");
        }
        let both = signed_again(&above, OTHER);
        assert!(control.check(&both).unwrap().is_some());
        let read = OrderFile::read(network_with_persons(), &both).unwrap();
        assert_eq!(
            read.signers,
            BTreeSet::from([public(PERSON), public(OTHER)])
        );
        assert_eq!((read.kind, read.order.number), (kind, 1));
    }
}

#[test]
fn a_node_decides_on_few_batches_and_not_on_many() {
    let control = founded_with_persons();
    let few = signed(OrderKind::Verdict, &order(NODE, 1, VERDICT_NODE_MAX), NODE);
    assert!(control.check(&few).is_ok());
    let many = order(NODE, 1, VERDICT_NODE_MAX + 1);
    let many = signed(OrderKind::Verdict, &many, NODE);
    assert_eq!(control.check(&many), Err(BadEntry::Signature));
    // A person's signature beside it does not make it the person's order.
    let lent = signed_again(&many, PERSON);
    assert_eq!(control.check(&lent), Err(BadEntry::Signature));
}

#[test]
fn a_number_used_twice_is_seen_and_both_orders_stand() {
    let first = signed(OrderKind::Erase, &order(PERSON, 1, 1), PERSON);
    let second = signed(OrderKind::Erase, &order(PERSON, 1, 2), PERSON);
    let third = signed(OrderKind::Wipe, &order(PERSON, 4, 1), PERSON);
    for way in [[&first, &second, &third], [&third, &second, &first]] {
        let mut control = founded_with_persons();
        assert_eq!(control.next_order_number(public(PERSON)), 1);
        way.into_iter().for_each(|entry| take(&mut control, entry));
        assert_eq!(control.orders().count(), 3);
        assert_eq!(control.order_numbers_used_twice().len(), 2);
        assert_eq!(control.next_order_number(public(PERSON)), 5);
        assert_eq!(control.next_order_number(public(OTHER)), 1);
    }
}

#[test]
fn an_order_names_something_somewhere_and_has_a_number() {
    let control = founded_with_persons();
    let unnumbered = signed(OrderKind::Erase, &order(PERSON, 0, 1), PERSON);
    let about_nothing = signed(OrderKind::Erase, &order(PERSON, 1, 0), PERSON);
    let too_much = order(PERSON, 1, ORDER_NAMES_MAX + 1);
    let too_much = signed_again(&signed(OrderKind::Erase, &too_much, PERSON), OTHER);
    let sign = |message: &[u8]| key(PERSON).sign(message);
    let nowhere = ControlEntry::order(
        network_with_persons(),
        OrderKind::Erase,
        &BTreeSet::new(),
        &order(PERSON, 1, 1),
        (public(PERSON), &sign),
    );
    for bad in [unnumbered, about_nothing, too_much, nowhere] {
        assert_eq!(control.check(&bad), Err(BadEntry::Envelope));
    }
    let most = order(PERSON, 1, ORDER_NAMES_MAX);
    let most = signed_again(&signed(OrderKind::Erase, &most, PERSON), OTHER);
    assert!(control.check(&most).is_ok());
}

#[test]
fn an_order_key_that_a_later_statement_leaves_out_keeps_its_orders() {
    let mut control = founded_with_persons();
    let newer = RootStatement {
        version: 2,
        order_keys: vec![public(OTHER)],
        ..with_persons()
    };
    let sign = |message: &[u8]| key(ROOT).sign(message);
    let renewed = ControlEntry::root(network_with_persons(), &newer, (public(ROOT), &sign));
    take(&mut control, &renewed);
    let late = signed(OrderKind::Erase, &order(PERSON, 1, 1), PERSON);
    take(&mut control, &late);
    assert!(control.is_order_key(&public(PERSON)));
}

#[test]
fn a_kind_of_a_newer_version_may_be_a_persons_order() {
    let mut control = founded_with_persons();
    let sign = |message: &[u8]| key(PERSON).sign(message);
    let of_kind = |number| {
        let signer: Signer<'_> = (public(PERSON), &sign);
        seal_entry(network_with_persons(), number, None, vec![1], signer)
    };
    take(&mut control, &of_kind(999));
    // A kind that we know is a node's stays one.
    assert_eq!(
        control.check(&of_kind(kind::ELSEWHERE)),
        Err(BadEntry::Signature)
    );
}
