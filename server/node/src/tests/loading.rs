//! Sufficiency of what is loaded of a space: random trees, random phones.

use std::collections::{BTreeMap, BTreeSet};

use store::feed;
use sync_core::batch::Batch;
use sync_core::feed::{Feed, Tip};
use sync_core::hub::{self, SpaceHeld, Taken};
use sync_core::id::{BatchHash, Short};
use sync_core::wire::base_digest;

use super::*;
use crate::exchange;

const SPACE: &str = "152522100200.general";

/// Everything of the space, as the contract allows too.
async fn load_all(station: &TestServer, counter: u64) -> SpaceHeld {
    let mut conn = station.app.context().store.connect().await.unwrap();
    let rows = feed::whole(&mut conn, &SPACE.parse().unwrap(), 0, u32::MAX)
        .await
        .unwrap();
    let mut held = SpaceHeld::default();
    for row in rows {
        held.hold(row.placed.device, row.placed.node.clone());
        if row.placed.arrival > counter {
            held.since.insert(0, (row.placed.device, row.placed.node));
        }
    }
    held
}

/// A batch of `phone` on a random place of its feed, or one that joins all ends.
fn grow(dice: &mut Dice, phone: &Phone, feed: &Feed, known: &[Batch]) -> Batch {
    let parents: Vec<BatchHash> = match dice.below(3) {
        0 if !known.is_empty() => vec![known[dice.below(known.len())].hash],
        _ => feed.next().1,
    };
    let highest = parents
        .iter()
        .filter_map(|hash| feed.node(*hash))
        .map(|node| node.seq)
        .max();
    let entry = phone.entry(known.len() as u8, "x");
    phone.batch_signed_by(&phone.key, highest.unwrap_or(0) + 1, parents, vec![entry])
}

#[tokio::test]
async fn what_is_loaded_gives_the_answer_that_everything_would_give() {
    let mut compared = 0;
    for seed in 0..12 {
        let dice = &mut Dice(seed);
        let station = TestServer::sample().await;
        let mut phones = Vec::new();
        for number in 1..=2 {
            phones.push(Phone::enrolled(&station, number, SPACE).await);
        }
        let asker = Phone::enrolled(&station, 3, SPACE).await;
        let mut feeds = [Feed::default(), Feed::default()];
        let mut batches: [Vec<Batch>; 2] = [vec![], vec![]];
        for _ in 0..14 {
            let which = dice.below(2);
            let batch = grow(dice, &phones[which], &feeds[which], &batches[which]);
            feeds[which].insert(batch.node());
            phones[which].exchange(&station, &[&batch]).await;
            batches[which].push(batch);
        }
        for _ in 0..25 {
            let counter = dice.below(15) as u64;
            let all = load_all(&station, counter).await;
            let base = all.vector_at(counter).unwrap();
            let mut request = asker.request(&[]);
            request.spaces[0].counter = counter;
            let bases = BTreeMap::from([(asker.space.clone(), (counter, base))]);
            request.base = base_digest(Some(asker.incarnation), &bases);
            for which in 0..2 {
                let named = (0..dice.below(3)).map(|_| match dice.below(6) {
                    0 => Tip {
                        seq: 3,
                        hash: Short([9; 16]),
                    },
                    _ if batches[which].is_empty() => Tip {
                        seq: 1,
                        hash: Short([8; 16]),
                    },
                    _ => Tip::of(&batches[which][dice.below(batches[which].len())].node()),
                });
                let named: Vec<Tip> = named.collect();
                let list = match dice.below(4) {
                    0 => &mut request.spaces[0].locators,
                    _ => &mut request.spaces[0].changes,
                };
                if !named.is_empty() {
                    list.push((phones[which].device(), named));
                }
            }
            let mut conn = station.app.context().store.connect().await.unwrap();
            let claims = &request.spaces;
            let (mut held, _) = exchange::load_all(&mut conn, claims, &[], exchange::EVERYTHING)
                .await
                .unwrap();
            let part = held.remove(&asker.space).unwrap();
            let [all, part] = [all, part].map(|held| {
                let held = BTreeMap::from([(asker.space.clone(), held)]);
                let me = &station.app.context().me;
                let bases = hub::bases(me, &request, &held);
                assert!(bases.is_some());
                let control = sync_core::control::Control::new(asker.network);
                let taken = Taken::default();
                hub::plan(me, &control, &request, bases.as_ref(), &held, taken, NOON)
            });
            assert_eq!(all.answer, part.answer, "seed {seed}");
            // A parent that is loaded for its child's sake may be sent once too often, nothing may
            // be left out.
            let sent: BTreeSet<BatchHash> = part.send.iter().map(|(_, hash)| *hash).collect();
            assert!(
                all.send.iter().all(|(_, hash)| sent.contains(hash)),
                "seed {seed}"
            );
            compared += all.send.len();
        }
    }
    assert!(compared > 500, "{compared}");
}
