mod moves;
mod orders;
mod revoking;
mod same_person;

use super::entry::seal_entry;
use super::*;
use crate::id::{AuthorId, Class};
use crate::seal::SigningKey;
use sha2::{Digest, Sha256};

fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

fn public(n: u8) -> [u8; 32] {
    key(n).public().bytes
}

const ROOT: u8 = 1;
const NODE: u8 = 2;
const DEVICE: u8 = 3;

fn statement() -> RootStatement {
    RootStatement {
        version: 1,
        root_keys: vec![public(ROOT)],
        threshold: 1,
        node_keys: vec![public(NODE)],
        order_keys: vec![],
        tls_keys: vec![[9; 32]],
    }
}

fn network() -> NetworkId {
    statement().network()
}

fn root(statement: &RootStatement, signer: u8) -> Vec<u8> {
    let sign = |message: &[u8]| key(signer).sign(message);
    ControlEntry::root(network(), statement, (public(signer), &sign))
}

fn space(class: Class) -> Space {
    Space::new("152522100200", class).unwrap()
}

fn enrolment(classes: &[Class]) -> Enrolment {
    Enrolment {
        signing_key: public(DEVICE),
        sealing_key: [4; 32],
        spaces: classes.iter().map(|class| space(*class)).collect(),
        authors: BTreeSet::from([AuthorId([5; 8])]),
        renews: None,
    }
}

fn enrol(enrolment: &Enrolment, signer: u8) -> Vec<u8> {
    let sign = |message: &[u8]| key(signer).sign(message);
    ControlEntry::enrol(network(), enrolment, (public(signer), &sign))
}

/// An entry of a kind that does not exist yet.
fn of_next_year() -> Vec<u8> {
    let sign = |message: &[u8]| key(NODE).sign(message);
    seal_entry(network(), 999, None, vec![1, 2, 3], (public(NODE), &sign))
}

fn founded() -> Control {
    let mut control = Control::new(network());
    take(&mut control, &root(&statement(), ROOT));
    control
}

fn take(control: &mut Control, bytes: &[u8]) {
    let entry = control.check(bytes).unwrap().unwrap();
    control.apply(entry);
}

#[test]
fn a_root_statement_founds_the_network_whose_id_is_its_hash() {
    let control = founded();
    assert_eq!(control.root(), Some(&statement()));
    let mut other = statement();
    other.tls_keys = vec![[8; 32]];
    let mut empty = Control::new(network());
    assert_eq!(
        empty.check(&root(&other, ROOT)),
        Err(BadEntry::OtherNetwork)
    );
    assert_eq!(
        empty.check(&root(&statement(), NODE)),
        Err(BadEntry::OtherNetwork)
    );
    take(&mut empty, &root(&statement(), ROOT));
}

#[test]
fn a_newer_root_statement_needs_the_keys_of_the_one_before() {
    let mut control = founded();
    let newer = RootStatement {
        version: 2,
        tls_keys: vec![[8; 32]],
        ..statement()
    };
    assert_eq!(control.check(&root(&newer, NODE)), Err(BadEntry::Signature));
    take(&mut control, &root(&newer, ROOT));
    assert_eq!(control.root(), Some(&newer));
    // The old one again changes nothing.
    assert_eq!(control.check(&root(&statement(), ROOT)), Ok(None));
}

#[test]
fn only_nodes_let_devices_in() {
    let mut control = founded();
    let wanted = enrolment(&[Class::General]);
    let device = wanted.device();
    assert_eq!(
        control.check(&enrol(&wanted, DEVICE)),
        Err(BadEntry::Signature)
    );
    assert_eq!(
        control.check(&enrol(&wanted, ROOT)),
        Err(BadEntry::Signature)
    );
    take(&mut control, &enrol(&wanted, NODE));
    assert_eq!(control.enrolment(device), Some(&wanted));
    assert_eq!(
        control.writer_key(device, &space(Class::General)),
        Some(public(DEVICE))
    );
    assert_eq!(control.writer_key(device, &space(Class::Health)), None);
}

#[test]
fn the_state_does_not_depend_on_the_order_of_entries() {
    let entries = [
        enrol(&enrolment(&[Class::General]), NODE),
        enrol(&enrolment(&[Class::Care, Class::Referral]), NODE),
        of_next_year(),
    ];
    let states: Vec<Control> = [[0, 1, 2], [2, 1, 0], [1, 0, 2]]
        .iter()
        .map(|order| {
            let mut control = founded();
            order
                .iter()
                .for_each(|at| take(&mut control, &entries[*at]));
            control
        })
        .collect();
    let device = enrolment(&[]).device();
    for state in &states {
        assert_eq!(state.enrolment(device).unwrap().spaces.len(), 3);
        assert_eq!(state.position(), states[0].position());
    }
}

#[test]
fn an_entry_of_an_unknown_kind_is_kept_and_passed_on() {
    let mut control = founded();
    let bytes = of_next_year();
    take(&mut control, &bytes);
    let spaces = BTreeSet::from([space(Class::General)]);
    let passed: Vec<&[u8]> = control
        .for_spaces(&spaces)
        .map(ControlEntry::bytes)
        .collect();
    assert!(passed.contains(&bytes.as_slice()));
}

#[test]
fn an_entry_is_sent_to_those_whom_it_concerns() {
    let mut control = founded();
    take(&mut control, &enrol(&enrolment(&[Class::Health]), NODE));
    let cadre = BTreeSet::from([space(Class::General)]);
    let clinic = BTreeSet::from([space(Class::General), space(Class::Health)]);
    assert_eq!(control.for_spaces(&cadre).count(), 1);
    assert_eq!(control.for_spaces(&clinic).count(), 2);
}

#[test]
fn altered_cut_and_oversized_entries_are_refused() {
    let control = founded();
    let good = enrol(&enrolment(&[Class::General]), NODE);
    for at in 0..good.len() {
        let mut altered = good.clone();
        altered[at] ^= 1;
        assert!(control.check(&altered).is_err(), "{at}");
        assert!(control.check(&good[..at]).is_err(), "cut at {at}");
    }
    let sign = |message: &[u8]| key(NODE).sign(message);
    let sized =
        |bytes: usize| seal_entry(network(), 999, None, vec![0; bytes], (public(NODE), &sign));
    let frame = sized(CONTROL_ENTRY_BYTES_MAX).len() - CONTROL_ENTRY_BYTES_MAX;
    assert!(
        control
            .check(&sized(CONTROL_ENTRY_BYTES_MAX - frame))
            .is_ok()
    );
    let over = sized(CONTROL_ENTRY_BYTES_MAX - frame + 1);
    assert_eq!(control.check(&over), Err(BadEntry::TooLarge));
}

#[test]
fn a_grant_is_taken_at_the_limit_and_refused_above_it() {
    let control = founded();
    let with = |count: usize| {
        let units = (0..count).map(|n| Space::new(&format!("1525{n:08}"), Class::General).unwrap());
        Enrolment {
            spaces: units.collect(),
            ..enrolment(&[])
        }
    };
    assert!(control.check(&enrol(&with(GRANTS_MAX), NODE)).is_ok());
    assert_eq!(
        control.check(&enrol(&with(GRANTS_MAX + 1), NODE)),
        Err(BadEntry::Envelope)
    );
}

#[test]
fn a_newer_package_replaces_the_older_one_for_everybody_in_any_order() {
    let packages: Vec<Vec<u8>> = [1, 2, 3]
        .iter()
        .map(|version| {
            let mut package = Package::builtin();
            package.version = *version;
            let sign = |message: &[u8]| key(NODE).sign(message);
            ControlEntry::package(network(), &package, (public(NODE), &sign))
        })
        .collect();
    let spaces = BTreeSet::from([space(Class::General)]);
    let mut positions = Vec::new();
    for order in [[0, 1, 2], [2, 0, 1]] {
        let mut control = founded();
        order
            .iter()
            .for_each(|at| take(&mut control, &packages[*at]));
        assert_eq!(control.package().map(|package| package.version), Some(3));
        let sent: Vec<&[u8]> = control
            .for_spaces(&spaces)
            .map(ControlEntry::bytes)
            .collect();
        assert_eq!(
            sent.iter()
                .filter(|entry| packages.contains(&entry.to_vec()))
                .count(),
            1
        );
        positions.push(control.position());
    }
    // A phone that was only ever sent the newest stands where one stands that saw them all.
    let mut control = founded();
    take(&mut control, &packages[2]);
    assert!(
        positions
            .iter()
            .all(|position| *position == control.position())
    );
}

fn elsewhere(record: RecordId, number: u32, spans: &[(&str, &str)]) -> Vec<u8> {
    let spans = spans
        .iter()
        .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()));
    let statement = CountedElsewhere {
        record,
        away: Absence::of(spans.collect()),
    };
    let sign = |message: &[u8]| key(NODE).sign(message);
    let signer: Signer<'_> = (public(NODE), &sign);
    ControlEntry::elsewhere(
        network(),
        &space(Class::General),
        &statement,
        number,
        signer,
    )
}

#[test]
fn who_counts_elsewhere_is_said_by_the_highest_number_in_whatever_order() {
    let record = RecordId::draw(crate::id::Subject::Person, 1, [1; 10]);
    let first = elsewhere(record, 1, &[("2024-12-31", "2030-12-31")]);
    let second = elsewhere(record, 2, &[]);
    for order in [[&first, &second], [&second, &first]] {
        let mut control = founded();
        order
            .into_iter()
            .for_each(|entry| take(&mut control, entry));
        let (away, number) = control.elsewhere("152522100200", record);
        assert_eq!((away.is_never(), number), (true, 2));
        let (away, number) = control.elsewhere("152522100201", record);
        assert_eq!((away.is_never(), number), (true, 0), "another unit");
    }
    let mut control = founded();
    take(&mut control, &first);
    let (away, _) = control.elsewhere("152522100200", record);
    assert!(away.holds("2026-12-31") && !away.holds("2023-12-31"));
    let of_unit = BTreeSet::from([space(Class::General)]);
    assert_eq!(control.for_spaces(&of_unit).count(), 2);
    let of_care = BTreeSet::from([space(Class::Care)]);
    assert_eq!(
        control.for_spaces(&of_care).count(),
        1,
        "only whoever holds the records"
    );
}

#[test]
fn the_bytes_of_version_1_of_who_counts_elsewhere_stay() {
    let record = RecordId::draw(crate::id::Subject::Person, 1, [1; 10]);
    let entry = elsewhere(record, 1, &[("2024-12-31", "2030-12-31")]);
    let name = data_encoding::HEXLOWER.encode(&Sha256::digest(&entry)[..8]);
    assert_eq!(name, "1351c41abd59347c");
}
