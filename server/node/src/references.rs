//! References: the batches that a request refers to, and those that an answer may refer to.

use std::collections::{BTreeMap, BTreeSet};

use store::{Conn, StoreError, feed, record};
use sync_core::batch::{Batch, Reference, ReferencedBatch, records_of};
use sync_core::hub::Plan;
use sync_core::id::{DeviceId, NetworkId, RecordId, Space};
use sync_core::references::{LOOKED_UP_MAX, reference_candidates};

/// Looks up what a request refers to. What is not held, or not alone in its place, is left out.
pub(crate) async fn resolve(
    conn: &mut Conn,
    references: &[Reference],
) -> Result<BTreeMap<Reference, ReferencedBatch>, StoreError> {
    let spaces: BTreeSet<&Space> = references.iter().map(|one| &one.space).collect();
    let mut feeds = BTreeMap::new();
    for space in spaces {
        feeds.insert(
            space,
            Reference::nameable(feed::devices(conn, space).await?),
        );
    }
    let numbers: BTreeSet<(&Space, DeviceId, u32)> = references
        .iter()
        .filter_map(|one| {
            let device = feeds.get(&one.space)?.get(&one.feed)?;
            Some((&one.space, *device, one.seq))
        })
        .collect();
    let numbers: Vec<_> = numbers.into_iter().collect();
    let alone = feed::numbered(conn, &numbers).await?.into_iter();
    Ok(alone
        .map(|known| (known.reference.clone(), known))
        .collect())
}

/// Batches that may explain those on their way down: the phone holds them too.
pub(crate) async fn known_at_phone(
    conn: &mut Conn,
    network: NetworkId,
    plan: &Plan,
    sent: &[(Space, Vec<u8>)],
) -> Result<Vec<ReferencedBatch>, StoreError> {
    let mut known = Vec::new();
    let spaces: BTreeSet<&Space> = sent.iter().map(|(space, _)| space).collect();
    for space in spaces {
        let batches = sent.iter().filter(|(of, _)| of == space);
        let batches: Vec<&[u8]> = batches.map(|(_, bytes)| bytes.as_slice()).collect();
        let mut arrivals = arrivals_of_parents(conn, network, space, &batches).await?;
        let records: BTreeSet<RecordId> =
            batches.iter().flat_map(|bytes| records_of(bytes)).collect();
        arrivals.extend(arrivals_worth_a_look(conn, space, records).await?);
        let mut seen = BTreeSet::new();
        arrivals.retain(|arrival| seen.insert(*arrival));
        arrivals.truncate(LOOKED_UP_MAX.saturating_sub(known.len()));
        let branches = feed::branches(conn, space).await?;
        let held = feed::at(conn, space, &arrivals).await?.into_iter();
        known.extend(held.filter_map(|(device, known)| {
            let seq = known.reference.seq;
            let on_path = branches.get(&device).is_none_or(|first| seq < *first);
            (on_path && plan.phone_holds(space, device, seq)).then_some(known)
        }));
    }
    Ok(known)
}

async fn arrivals_of_parents(
    conn: &mut Conn,
    network: NetworkId,
    space: &Space,
    batches: &[&[u8]],
) -> Result<Vec<u64>, StoreError> {
    let opened = batches
        .iter()
        .filter_map(|bytes| Batch::from_store(network, bytes).ok());
    let parents: BTreeSet<_> = opened.flat_map(|batch| batch.header.prev).collect();
    let parents: Vec<_> = parents.into_iter().collect();
    let placed = feed::named(conn, space, &parents).await?;
    Ok(placed.into_iter().map(|placed| placed.arrival).collect())
}

async fn arrivals_worth_a_look(
    conn: &mut Conn,
    space: &Space,
    records: BTreeSet<RecordId>,
) -> Result<Vec<u64>, StoreError> {
    let records: Vec<RecordId> = records.into_iter().collect();
    let mut of_record: BTreeMap<RecordId, Vec<u64>> = BTreeMap::new();
    for (record, arrival) in record::touching(conn, space, &records).await? {
        of_record.entry(record).or_default().push(arrival);
    }
    let worth = of_record.into_values().flat_map(|mut arrivals| {
        arrivals.sort_unstable_by(|a, b| b.cmp(a));
        reference_candidates(&arrivals)
    });
    Ok(worth.collect())
}
