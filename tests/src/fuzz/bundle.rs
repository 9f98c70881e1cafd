//! Bundles, which anybody may hand in, and what is inside them; and messages that refer to what their
//! receiver holds.

use sha2::{Digest, Sha256};
use sync_core::batch::{Batch, Reference, ReferencedBatch};
use sync_core::bundle::{BadBundle, Claims, Content, Receipt, envelopes, unseal};
use sync_core::id::{NetworkId, Space};
use sync_core::seal::SealingKey;
use sync_core::wire::{BATCHES_MAX, MESSAGE_BYTES_MAX, Request};

use super::{Checked, Ground, Input, about, broken, require};
use crate::cbor::Item;
use crate::sim::village::{NODE, key, opening_keys};

/// What the envelopes of a file open to that are for one of these keys, each as a hash.
pub(super) fn opened(network: NetworkId, keys: &[SealingKey], file: &[u8]) -> Vec<[u8; 32]> {
    let envelopes = envelopes(file).unwrap_or_default();
    let opened = envelopes
        .iter()
        .filter_map(|one| one.open(network, keys).ok());
    opened
        .map(|message| Sha256::digest(message).into())
        .collect()
}

/// A file opens only as it was sealed.
pub(super) fn bundle(ground: &Ground, input: Input<'_>) -> Checked {
    let (network, keys) = (ground.network(), opening_keys());
    let shape = match envelopes(input.bytes) {
        Ok(envelopes) => {
            let names = envelopes.iter().map(|one| one.names().count()).sum();
            [envelopes.len(), names].map(about)
        }
        Err(bad) => {
            let refused = unseal(network, &keys, input.bytes).is_err();
            require(refused, "what has no shape is opened")?;
            return Ok(bad.code().into());
        }
    };
    for hash in opened(network, &keys, input.bytes) {
        require(ground.was_sealed(hash), "it opens and was never sealed")?;
    }
    match unseal(network, &keys, input.bytes) {
        Ok(unsealed) => {
            let of = [unsealed.contents.len(), unsealed.others, unsealed.bad.len()];
            require(of.iter().sum::<usize>() > 0, "nothing came of it")?;
            Ok(format!("opened {shape:?} {:?}", of.map(about)))
        }
        Err(BadBundle::NotForUs) => Ok(format!("others {shape:?}")),
        Err(bad) => Ok(format!("{} {shape:?}", bad.code())),
    }
}

/// What is inside reads back as it was written, within the limits.
pub(super) fn content(ground: &Ground, input: Input<'_>) -> Checked {
    let network = ground.network();
    let content = match Content::decode(network, input.bytes) {
        Ok(content) => content,
        Err(bad) => return Ok(bad.code().into()),
    };
    let bytes: usize = content.batches.iter().map(Vec::len).sum();
    require(content.batches.len() <= BATCHES_MAX, "too many batches")?;
    let most = MESSAGE_BYTES_MAX + content.batches.len() * 4096;
    require(bytes <= most, "too many bytes")?;
    match Content::decode(network, &content.encode(network)) {
        Ok(read) => require(read == content, "it reads back as another content")?,
        Err(bad) => return broken(format!("written again it does not read: {bad}")),
    }
    let batches = content.batches.iter();
    let read = batches.filter(|bytes| Batch::from_store(network, bytes).is_ok());
    let sizes = [
        read.count(),
        content.batches.len(),
        content.control.len(),
        content.receipts.len(),
    ];
    let claims = content.claims.is_some();
    Ok(format!("content {:?} {claims}", sizes.map(about)))
}

/// What a maker holds counts only as it signed it.
pub(super) fn claims(ground: &Ground, input: Input<'_>) -> Checked {
    let control = ground.control();
    let Some(claims) = Claims::check(control, input.bytes) else {
        return Ok("refused".into());
    };
    if !input.mended {
        let mut signed = ground.of("claims");
        let signed = signed
            .any(|kept| Claims::check(control, &kept.bytes).is_some_and(|kept| kept == claims));
        require(signed, "they verify and were never signed")?;
    }
    let enrolment = control.enrolment(claims.device);
    let enrolment = enrolment.ok_or("a maker that is not enrolled")?;
    for (space, _) in &claims.spaces {
        let held = enrolment.spaces.contains(space);
        require(held, "a space that the maker does not hold")?;
    }
    Ok(format!("taken {}", about(claims.spaces.len())))
}

/// An acknowledgement counts only as a node signed it, and says again what it said.
pub(super) fn receipt(ground: &Ground, input: Input<'_>) -> Checked {
    let control = ground.control();
    let Some(receipt) = Receipt::check(control, input.bytes) else {
        return Ok("refused".into());
    };
    if !input.mended {
        let mut signed = ground.of("receipt");
        let signed = signed
            .any(|kept| Receipt::check(control, &kept.bytes).is_some_and(|kept| kept == receipt));
        require(signed, "it verifies and was never signed")?;
    }
    let node = key(NODE);
    let again = receipt.sign(ground.network(), &|message| node.sign(message));
    let read = Receipt::check(control, &again);
    require(read.as_ref() == Some(&receipt), "it says another thing")?;
    Ok(format!("taken {}", about(receipt.vector.devices().count())))
}

/// The batch that a reference names, among those that a receiver holds.
pub(crate) fn find(
    network: NetworkId,
    held: &[Vec<u8>],
    reference: &Reference,
) -> Option<ReferencedBatch> {
    held.iter().find_map(|bytes| {
        let batch = Batch::from_store(network, bytes).ok()?;
        let header = &batch.header;
        let place = Reference::to(&header.space, header.device, header.seq);
        (place == *reference).then(|| ReferencedBatch {
            reference: place,
            hash: batch.hash,
            bytes: bytes.clone(),
        })
    })
}

/// A recorded request with what its receiver holds: `[request, [batches]]`.
pub(crate) fn referring_parts(bytes: &[u8]) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let item = Item::read(bytes)?;
    let Item::Array(held) = item.field(1)? else {
        return None;
    };
    let held = held.iter().filter_map(Item::bytes).collect();
    Some((item.field(0)?.bytes()?, held))
}

/// A request that refers to what the server holds: the same batches come out whenever it is read, and
/// none without what it refers to.
pub(super) fn referring(ground: &Ground, input: Input<'_>) -> Checked {
    let network = ground.network();
    let Some((request, held)) = referring_parts(input.bytes) else {
        return Ok("no container".into());
    };
    let mut asked: Vec<Space> = Vec::new();
    let mut look = |reference: &Reference| {
        asked.push(reference.space.clone());
        find(network, &held, reference)
    };
    let read = Request::decode_with(network, &request, &mut look);
    let again = Request::decode_with(network, &request, &mut |of| find(network, &held, of));
    let without = Request::decode_with(network, &request, &mut |_| None);
    drop(ground.village.would_serve(&request));
    let (request, _) = match read {
        Ok(read) => read,
        Err(bad) => {
            require(again.is_err(), "another time it reads")?;
            return Ok(bad.code().into());
        }
    };
    let same = again.is_ok_and(|(again, _)| again == request);
    require(same, "another time other batches come out")?;
    let claimed = |space: &Space| request.spaces.iter().any(|claim| claim.space == *space);
    require(asked.iter().all(claimed), "a space that is not claimed")?;
    let refers = !asked.is_empty();
    require(
        !refers || without.is_err(),
        "it reads without what it refers to",
    )?;
    require(request.batches.len() <= BATCHES_MAX, "too many batches")?;
    let signed = request.batches.iter().filter(|bytes| {
        let batch = Batch::from_store(network, bytes).ok();
        batch.is_some_and(|batch| ground.was_signed(batch.hash.0))
    });
    let sizes = [asked.len(), request.batches.len(), signed.count()];
    Ok(format!("{:?}", sizes.map(about)))
}
