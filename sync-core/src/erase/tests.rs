use super::*;
use crate::exchange::Received;
use crate::feed::Vector;
use crate::id::Class;
use crate::row::Table;
use crate::testing::{TestDevice, UNIT, erasure_order, general};
use crate::wire::{Answer, SpaceState};

const NAME: &str = "斯琴高娃";
const SECOND: &str = "她的第二个名字";

fn order(station: &TestDevice, record: RecordId, cut: Vector) -> Vec<u8> {
    erasure_order(station.replica.me().network, record, cut)
}

/// An answer that acknowledges everything sent.
fn all_held(station: &TestDevice, counter: u64) -> Answer {
    let vector = station.replica.vector(&general());
    Answer {
        spaces: vec![SpaceState {
            space: general(),
            counter,
            changes: vector.changes_from(&Vector::default()),
            ladders_wanted: Vec::new(),
        }],
        ..Answer::at(100)
    }
}

fn hear_order(station: &mut TestDevice, order: Vec<u8>) -> Received {
    let outgoing = station.ask();
    let answer = Answer {
        control: vec![order],
        ..all_held(station, 9)
    };
    station.hear_of(&outgoing, &answer)
}

fn reopened(station: &TestDevice) -> Replica {
    let each = &mut |table: Table, each: &mut dyn FnMut(Vec<u8>)| {
        station.rows.of(table).cloned().for_each(each);
        Ok(())
    };
    Replica::open(&station.rows, each).unwrap().0
}

/// A phone with two records in one batch, which the server has.
fn village() -> (TestDevice, RecordId, RecordId) {
    let mut station = TestDevice::new(1, &[Class::General]);
    station.rows.write(&station.replica.first_rows());
    let (her, other) = (station.person(), station.person());
    station
        .save(her, &[("identity.name", NAME.into())])
        .unwrap();
    station
        .save(other, &[("identity.name", "其其格".into())])
        .unwrap();
    let outgoing = station.ask();
    let answer = all_held(&station, 1);
    station.hear_of(&outgoing, &answer);
    (station, her, other)
}

#[test]
fn an_order_takes_a_record_out_of_every_row_and_leaves_the_others() {
    let (mut station, her, other) = village();
    assert!(station.rows.contain(NAME.as_bytes()));
    let cut = station.replica.vector(&general());
    let vector = cut.clone();
    let order = order(&station, her, cut);
    let received = hear_order(&mut station, order);
    assert_eq!((received.erased, received.again), (1, true));
    assert!(!station.rows.contain(NAME.as_bytes()));
    assert!(station.replica.record(&general(), her).is_none());
    assert!(station.replica.record(&general(), other).is_some());
    // What is held is the same, by name.
    assert_eq!(station.replica.vector(&general()), vector);
    assert!(
        station.replica.orphans().is_empty(),
        "the office saw all of it"
    );
}

#[test]
fn a_store_opens_after_an_erasure_as_it_was() {
    let (mut station, her, other) = village();
    let cut = station.replica.vector(&general());
    let order = order(&station, her, cut);
    hear_order(&mut station, order);
    let replica = reopened(&station);
    assert!(replica.record(&general(), her).is_none());
    assert_eq!(
        replica.record(&general(), other),
        station.replica.record(&general(), other)
    );
    assert_eq!(
        replica.vector(&general()),
        station.replica.vector(&general())
    );
}

#[test]
fn what_the_office_never_saw_is_kept_for_its_author_who_registers_it_anew() {
    let (mut station, her, _) = village();
    let cut = station.replica.vector(&general());
    let order = order(&station, her, cut);
    // One edit in a batch that goes out with the request that brings the order back, one after it.
    station
        .save(her, &[("identity.name", SECOND.into())])
        .unwrap();
    let outgoing = station.ask();
    station
        .save(her, &[("identity.aliases", "随后".into())])
        .unwrap();
    let answer = Answer {
        control: vec![order],
        ..all_held(&station, 2)
    };
    station.hear_of(&outgoing, &answer);
    let kept = station.replica.orphans();
    assert_eq!(kept, reopened(&station).orphans());
    let [kept] = kept.as_slice() else {
        panic!("{kept:?}")
    };
    let values: Vec<_> = kept.values.values().cloned().collect();
    assert_eq!(values, [Value::from("随后"), Value::from(SECOND)]);
    assert_eq!((kept.record, kept.unit.as_str()), (her, UNIT));
    assert!(station.replica.record(&general(), her).is_none());

    let anew = station.person();
    let mut context = Context {
        now: 0,
        today: crate::testing::TODAY,
        rng: &mut station.rng,
    };
    let author = AuthorId([5; 8]);
    let prepared = station
        .replica
        .prepare_register_kept(&mut context, her, anew, author);
    let prepared = prepared.unwrap().unwrap();
    assert!(prepared.erases());
    station.rows.write(&prepared.rows);
    station.replica.apply(prepared);
    assert!(station.replica.record(&general(), anew).is_some());
    assert!(station.replica.orphans().is_empty());
    assert!(reopened(&station).orphans().is_empty());
}

#[test]
fn what_is_kept_can_be_dropped_and_then_nothing_is_left_of_it() {
    let (mut station, her, _) = village();
    let cut = station.replica.vector(&general());
    let order = order(&station, her, cut);
    station
        .save(her, &[("identity.name", SECOND.into())])
        .unwrap();
    hear_order(&mut station, order);
    assert!(station.rows.contain(SECOND.as_bytes()));
    let prepared = station.replica.prepare_drop_kept(her);
    station.rows.write(&prepared.rows);
    station.replica.apply(prepared);
    assert!(!station.rows.contain(SECOND.as_bytes()));
    assert!(station.replica.prepare_drop_kept(her).rows.is_empty());
}

#[test]
fn nobody_writes_to_an_erased_record_any_more() {
    let (mut station, her, _) = village();
    let cut = station.replica.vector(&general());
    let order = order(&station, her, cut);
    hear_order(&mut station, order);
    let again = station.save(her, &[("identity.name", NAME.into())]);
    assert!(matches!(again, Err(EditError::Erased)), "{again:?}");
}

#[test]
fn a_batch_that_comes_late_is_held_without_what_is_erased() {
    let (mut station, her, _) = village();
    let mut late = TestDevice::new(1, &[Class::General]);
    // One seed, one row of ids: the first two are those of the village.
    let other = [late.person(), late.person(), late.person()][2];
    late.save(her, &[("identity.name", SECOND.into())]).unwrap();
    late.save(other, &[("identity.name", "乌云".into())])
        .unwrap();
    let outgoing = late.ask();
    let batch = late.rows.of(Table::Batch).next().cloned().unwrap();
    drop(outgoing);
    let cut = station.replica.vector(&general());
    let entry = order(&station, her, cut);
    hear_order(&mut station, entry);
    let control = station.replica.control();
    // Its author is the same device in another life; here only the door is looked at.
    let batch = Batch::from_store(control.network(), &batch).unwrap();
    let held = batch.redact(|record| control.is_erased(record)).unwrap();
    assert_eq!(held.entries.len(), 1);
    assert_eq!(held.redacted, BTreeSet::from([her]));
}
