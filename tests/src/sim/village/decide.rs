//! Decisions of the office and of persons: entries that revoke, order and exclude, a redacted
//! batch, and an edit that was kept from it.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::control::{
    ControlEntry, Exclusion, Order, OrderKind, Revocation, RevokeReason, Verdict,
};
use sync_core::feed::Tip;
use sync_core::id::{ChangeHash, Class, RecordId, Short, Space};
use sync_core::row::Table;
use sync_core::value::Value;

use super::*;

/// The next root statement, which lists a person's key too.
pub fn second_root_entry() -> Vec<u8> {
    let statement = RootStatement {
        version: 2,
        order_keys: vec![key(PERSON).public().bytes],
        ..statement()
    };
    let root = key(ROOT);
    let sign = |message: &[u8]| root.sign(message);
    ControlEntry::root(network(), &statement, (root.public().bytes, &sign))
}

impl Village {
    /// Keeps one entry of each kind that decides something, and has a record erased that `phone` is at work on.
    pub(super) fn decide(&mut self, phone: usize, household: RecordId) {
        self.keep("control", "root-2", second_root_entry());
        self.hub.add_control(&second_root_entry());
        let space = Space::new(UNIT, Class::Care).expect("twelve digits are a unit");
        let tip = Tip {
            seq: 3,
            hash: Short([3; 16]),
        };
        let revocation = Revocation {
            device: self.phones[phone].device(),
            whole: false,
            cut: BTreeMap::from([(space.clone(), BTreeSet::from([tip]))]),
            reason: RevokeReason::Left,
        };
        let entry =
            (self.hub).signed(|network, signer| ControlEntry::revoke(network, &revocation, signer));
        self.keep("decision", "revocation", entry);
        let verdict = Exclusion {
            record: household,
            changes: BTreeSet::from([ChangeHash([4; 32]), ChangeHash([5; 32])]),
        };
        let entry = (self.hub)
            .signed(|network, signer| ControlEntry::exclude(network, &space, &verdict, signer));
        self.keep("decision", "left-out", entry);
        let device = self.phones[phone].device().0.to_vec();
        let accepted = Verdict {
            number: 1,
            accepted: true,
        };
        self.order(
            "verdict",
            OrderKind::Verdict,
            vec![6; 32],
            accepted.encode(),
        );
        self.order("wipe", OrderKind::Wipe, device, Vec::new());
        self.erase(phone, household);
    }

    /// An order of a person, which nobody follows.
    fn order(&mut self, name: &str, kind: OrderKind, thing: Vec<u8>, content: Vec<u8>) {
        let person = key(PERSON);
        let issuer = person.public().bytes;
        let order = Order {
            issuer,
            number: 1,
            names: BTreeSet::from([thing]),
            content,
        };
        let sign = |message: &[u8]| person.sign(message);
        let scope = spaces();
        let entry = ControlEntry::order(network(), kind, &scope, &order, (issuer, &sign));
        self.keep("decision", name, entry);
    }

    fn erase(&mut self, phone: usize, household: RecordId) {
        let before = self.phones[phone].rows.clone();
        self.save(
            phone,
            household,
            &[("household.phone", Value::from("10012345673"))],
        );
        self.hub.erase(UNIT, household);
        let order = self.hub.state.control.entries().last().cloned();
        let order = order.expect("an order was given").bytes().to_vec();
        self.keep("decision", "erasure", order);
        self.sync(phone, "erased");
        let rows = self.phones[phone].rows.clone();
        let redacted = rows.of(Table::Batch).find(|bytes| {
            let was = before.of(Table::Batch).any(|known| known == *bytes);
            let batch = sync_core::batch::Batch::from_store(network(), bytes);
            !was && batch.is_ok_and(|batch| !batch.redacted.is_empty())
        });
        let redacted = redacted.expect("a batch had an entry of it").clone();
        self.keep("batch", "blotted", redacted);
        let kept = rows.of(Table::Orphaned).next();
        let kept = kept.expect("an edit was kept from it");
        self.keep(
            "row",
            "kept-0",
            [&[Table::Orphaned as u8], kept.as_slice()].concat(),
        );
    }
}
