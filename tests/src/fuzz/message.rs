//! Messages: exchange, enrolment, and the batches inside.

use sha2::{Digest, Sha256};
use sync_core::batch::Batch;
use sync_core::change::Change;
use sync_core::enrol::{EnrolAnswer, EnrolRequest};
use sync_core::id::DeviceId;
use sync_core::row::Table;
use sync_core::seal;
use sync_core::wire::{Answer, BATCHES_MAX, MESSAGE_BYTES_MAX, Request};

use super::mutate::leb128;
use super::{Checked, Ground, Input, about, broken, require};
use crate::cbor::{Item, NULL};
use crate::sim::village::{PHONES, key};

/// A request reads back as it was written; it verifies only as it was signed; and the server can
/// serve it, whatever is in it.
pub(super) fn request(ground: &Ground, input: Input<'_>) -> Checked {
    let network = ground.network();
    let (request, signed) = match Request::decode(network, input.bytes) {
        Ok(read) => read,
        Err(bad) => {
            // The batches of a request with an old nonce are not looked at.
            let asked_again = |answer: &[u8]| {
                Answer::decode(network, answer).is_ok_and(|answer| answer.stale_nonce)
            };
            let refused = match ground.village.would_serve(input.bytes) {
                Ok((_, answer)) => asked_again(&answer),
                Err(_) => true,
            };
            require(refused, "what does not decode is served")?;
            return Ok(bad.code().into());
        }
    };
    let again = request.encode(network, &|_| signed.signature);
    match Request::decode(network, &again) {
        Ok((read, _)) => require(read == request, "it reads back as another request")?,
        Err(bad) => return broken(format!("written again it does not read: {bad}")),
    }
    let verifies = PHONES.map(key).iter().any(|key| {
        DeviceId::of_key(&key.public().bytes) == request.device
            && seal::verify(&key.public().bytes, &signed.message, &signed.signature)
    });
    let hash = Sha256::digest(&signed.message).into();
    if verifies && !input.mended {
        require(ground.was_signed(hash), "it verifies and was never signed")?;
    }
    let sizes = [request.spaces.len(), request.batches.len()].map(about);
    match ground.village.would_serve(input.bytes) {
        Ok((refused, answer)) => {
            require(verifies, "it is served and does not verify")?;
            let answer = Answer::decode(network, &answer);
            require(answer.is_ok(), "the answer does not decode")?;
            Ok(format!("served {sizes:?} {}", about(refused)))
        }
        Err(code) => Ok(format!("{code} {sizes:?}")),
    }
}

/// An answer reads back as it was written, and a phone that takes it holds nothing that its author
/// did not sign.
pub(super) fn answer(ground: &Ground, input: Input<'_>) -> Checked {
    let network = ground.network();
    let answer = match Answer::decode(network, input.bytes) {
        Ok(answer) => answer,
        Err(bad) => return Ok(bad.code().into()),
    };
    match Answer::decode(network, &answer.encode(network)) {
        Ok(read) => require(read == answer, "it reads back as another answer")?,
        Err(bad) => return broken(format!("written again it does not read: {bad}")),
    }
    let (phone, outgoing) = &ground.asked;
    let prepared = match phone.would_take(ground.village.now(), outgoing, input.bytes) {
        Ok(prepared) => prepared,
        Err(error) => return Ok(format!("{error}")),
    };
    let held = prepared.rows.iter().filter(|row| row.table == Table::Batch);
    for row in held.clone() {
        let bytes = row.value.clone().unwrap_or_default();
        let verified = Batch::verify(network, &bytes, |device, space| {
            ground.control().writer_key(device, space)
        });
        match verified {
            Ok(batch) => require(
                ground.was_signed(batch.hash.0),
                "a batch that nobody signed",
            )?,
            Err(unfit) => return broken(format!("a batch is held: {unfit}")),
        }
    }
    let sizes = [answer.spaces.len(), answer.control.len(), held.count()].map(about);
    Ok(format!("taken {sizes:?} {}", prepared.rows.len()))
}

/// The streams of compact batches as an array, so that a change of one leaves the others' lengths
/// right: form, then a byte string for each stream.
pub(super) fn streams(compact: &[u8]) -> Option<Vec<u8>> {
    let (form, rest) = compact.split_first()?;
    let (numbers, rest) = length(rest)?;
    let (random, rest) = length(rest)?;
    let (numbers, rest) = rest.split_at_checked(numbers)?;
    let (random, texts) = rest.split_at_checked(random)?;
    let mut items = vec![Item::Unsigned(u64::from(*form))];
    items.extend([numbers, random, texts].map(|stream| Item::Bytes(stream.to_vec())));
    Some(Item::Array(items).write())
}

/// An unsigned LEB128 number, and what follows it.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let last = bytes.iter().take(4).position(|byte| byte & 0x80 == 0)?;
    let (number, rest) = bytes.split_at(last + 1);
    let number = number
        .iter()
        .rev()
        .fold(0, |n, byte| n << 7 | usize::from(byte & 0x7f));
    Some((number, rest))
}

/// Compact batches of such an array.
fn of_streams(bytes: &[u8]) -> Option<Vec<u8>> {
    let item = Item::read(bytes)?;
    let stream = |place| item.field(place)?.bytes();
    let (numbers, random, texts) = (stream(1)?, stream(2)?, stream(3)?);
    let mut out = match item.field(0)? {
        Item::Unsigned(form) => leb128(*form),
        _ => return None,
    };
    out.extend(leb128(numbers.len() as u64));
    out.extend(leb128(random.len() as u64));
    Some([out, numbers, random, texts].concat())
}

/// Batches in a message: those rebuilt are told again and rebuilt as the same, within the limits.
pub(super) fn compact(ground: &Ground, input: Input<'_>) -> Checked {
    let network = ground.network();
    let mut fields = vec![Item::Unsigned(1), Item::Unsigned(0)];
    fields.extend(std::iter::repeat_n(NULL, 5));
    // No form has the number that an array of four begins with.
    let compact = of_streams(input.bytes).unwrap_or_else(|| input.bytes.to_vec());
    fields.push(Item::Bytes(compact));
    let message = [&[0], Item::Array(fields).write().as_slice()].concat();
    let answer = match Answer::decode(network, &message) {
        Ok(answer) => answer,
        Err(bad) => return Ok(bad.code().into()),
    };
    let batches = &answer.batches;
    let bytes: usize = batches.iter().map(Vec::len).sum();
    require(batches.len() <= BATCHES_MAX, "too many batches")?;
    // The room is counted without the envelopes.
    let most = MESSAGE_BYTES_MAX + batches.len() * 4096;
    require(bytes <= most, "too many bytes")?;
    match Answer::decode(network, &answer.encode(network)) {
        Ok(read) => require(read == answer, "told again, other batches")?,
        Err(bad) => return broken(format!("told again they do not read: {bad}")),
    }
    let read = || {
        batches
            .iter()
            .filter_map(|bytes| Batch::from_store(network, bytes).ok())
    };
    let entries = || read().flat_map(|batch| batch.entries);
    let valid = entries().filter_map(|entry| Change::parse(&entry.change).ok());
    let puts: usize = valid.map(|change| change.puts.len()).sum();
    let signed = read().filter(|batch| ground.was_signed(batch.hash.0));
    let counts = [
        batches.len(),
        read().count(),
        entries().count(),
        puts,
        signed.count(),
    ];
    Ok(format!("{:?} {}", counts.map(about), about(bytes)))
}

/// An enrolment proves that the device has its key, and is what was proven.
pub(super) fn enrol_request(ground: &Ground, input: Input<'_>) -> Checked {
    let network = ground.network();
    let request = match EnrolRequest::decode(network, input.bytes) {
        Ok(request) => request,
        Err(bad) => return Ok(bad.code().into()),
    };
    if !input.mended {
        let proven = ground.of("enrol_request").any(|recorded| {
            EnrolRequest::decode(network, &recorded.bytes).is_ok_and(|proven| proven == request)
        });
        require(proven, "it decodes and was never proven")?;
    }
    Ok(format!("proven {}", request.strong_secret))
}

/// An answer to an enrolment reads back as it was written.
pub(super) fn enrol_answer(_: &Ground, input: Input<'_>) -> Checked {
    let answer = match EnrolAnswer::decode(input.bytes) {
        Ok(answer) => answer,
        Err(bad) => return Ok(bad.code().into()),
    };
    match EnrolAnswer::decode(&answer.encode()) {
        Ok(read) => require(read == answer, "it reads back as another answer")?,
        Err(bad) => return broken(format!("written again it does not read: {bad}")),
    }
    Ok(format!(
        "{} {}",
        answer.pending,
        about(answer.control.len())
    ))
}
