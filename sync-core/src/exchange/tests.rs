use super::*;
use crate::id::Class;
use crate::station::{Station, UNIT};
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
    let mut station = Station::new(1, &[Class::General]);
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
