//! Batches and the changes in them.

use sync_core::batch::Batch;
use sync_core::change::Change;
use sync_core::id::{DeviceId, NetworkId};
use sync_core::record::RecordState;

use super::{Checked, Ground, Input, about, broken, require};

/// A batch that verifies is what was signed, byte for byte as received.
pub(super) fn batch(ground: &Ground, input: Input<'_>) -> Checked {
    let network = ground.network();
    let verified = Batch::verify(network, input.bytes, |device, space| {
        ground.control().writer_key(device, space)
    });
    let stored = Batch::from_store(network, input.bytes);
    let batch = match (verified, stored) {
        (Ok(batch), Ok(stored)) => {
            require(batch == stored, "the store reads another batch")?;
            batch
        }
        (Ok(_), Err(unfit)) => return broken(format!("the store does not read it: {unfit}")),
        (Err(unfit), stored) => return Ok(format!("{} {}", unfit.code(), stored.is_ok())),
    };
    require(batch.bytes() == input.bytes, "other bytes are kept")?;
    if !input.mended {
        require(
            ground.was_signed(batch.hash.0),
            "it verifies and was never signed",
        )?;
        require(
            same_content(ground, network, &batch),
            "its content is not what was signed",
        )?;
    }
    for entry in &batch.entries {
        state(&[(batch.header.device, entry.change.as_slice())])?;
    }
    let sizes = [batch.entries.len(), batch.header.prev.len()].map(about);
    Ok(format!("verified {sizes:?}"))
}

/// Whether header and entries are those of the recorded batch of this name.
fn same_content(ground: &Ground, network: NetworkId, batch: &Batch) -> bool {
    let recorded = ground.of("batch");
    let mut read = recorded.filter_map(|kept| Batch::from_store(network, &kept.bytes).ok());
    read.any(|kept| {
        let content = (&kept.header, &kept.entries) == (&batch.header, &batch.entries);
        kept.hash == batch.hash && content
    })
}

/// A valid change has one encoding; the merge engine takes it, alone and among others, in any order.
pub(super) fn change(ground: &Ground, input: Input<'_>) -> Checked {
    let change = match Change::parse(input.bytes) {
        Ok(change) => change,
        Err(invalid) => {
            state(&[(DeviceId([3; 8]), input.bytes)])?;
            return Ok(invalid.code().into());
        }
    };
    let same = change.clone();
    let (_, raw) = Change::forge(same.deps, same.actor, same.start_op, same.time, same.puts);
    require(raw == input.bytes, "it has another encoding")?;
    let writers: Vec<DeviceId> = ground
        .control()
        .devices()
        .map(|(device, _)| device)
        .collect();
    let of = |change: &Change| {
        let writer = writers.iter().find(|device| change.is_of(**device));
        writer.copied().unwrap_or(DeviceId([3; 8]))
    };
    state(&[(of(&change), input.bytes)])?;
    let others = ground.of("change").filter_map(|kept| {
        let other = Change::parse(&kept.bytes).ok()?;
        Some((of(&other), kept.bytes.as_slice()))
    });
    let mut held: Vec<(DeviceId, &[u8])> = others.take(COMPANY).collect();
    held.push((of(&change), input.bytes));
    let among = state(&held)?;
    held.reverse();
    require(state(&held)? == among, "the order of arrival matters")?;
    let sizes = [change.deps.len(), change.puts.len()].map(about);
    Ok(format!("valid {sizes:?} {}", among.aside().len()))
}

/// How many other changes stand beside the one in question.
const COMPANY: usize = 12;

/// The state that changes make: never parked, and as a row it reads back.
fn state(held: &[(DeviceId, &[u8])]) -> Result<RecordState, String> {
    let state = RecordState::rebuild(held);
    if let Some(reason) = state.parked() {
        return broken(format!("the merge engine fails: {reason}"));
    }
    match RecordState::from_cbor(&state.to_cbor()) {
        Ok(read) => require(read == state, "its row reads back as another")?,
        Err(error) => return broken(format!("its row does not read: {error}")),
    }
    Ok(state)
}
