//! Repair of a changed input: what a hostile but enrolled device would send. Checksums and
//! signatures are made by code of its own.

use sha2::{Digest, Sha256};
use sync_core::id::{DeviceId, NetworkId};
use sync_core::seal::SigningKey;

use super::Ground;
use crate::cbor::Item;
use crate::sim::village::{NODE, PERSON, PHONES, ROOT, key};

/// An algorithm byte, then the message.
fn unpacked(input: &[u8]) -> Option<Item> {
    match input.split_first() {
        Some((0, message)) => Item::read(message),
        _ => None,
    }
}

fn packed(message: &Item) -> Vec<u8> {
    [&[0], message.write().as_slice()].concat()
}

/// The key of a phone of the village; of the first for a device that is none.
fn key_of(device: Option<Vec<u8>>) -> SigningKey {
    let keys = PHONES.map(key);
    let is_it = |key: &SigningKey| {
        Some(DeviceId::of_key(&key.public().bytes).0.as_slice()) == device.as_deref()
    };
    let found = keys.iter().position(is_it).unwrap_or(0);
    key(PHONES[found])
}

fn replace(message: &mut Item, place: usize, item: Item) {
    if let Item::Array(items) = message
        && let Some(field) = items.get_mut(place)
    {
        *field = item;
    }
}

/// Signs a request again, as the device that it names.
pub(super) fn request(ground: &Ground, input: Vec<u8>) -> Vec<u8> {
    let Some(mut message) = unpacked(&input) else {
        return input;
    };
    let Some(body) = message.field(0).and_then(Item::bytes) else {
        return input;
    };
    let device = message.field(0).and_then(|body| body.field(1));
    let key = key_of(device.and_then(Item::bytes));
    let signed = [b"ortoo request v1\0", ground.network().as_bytes(), &body].concat();
    replace(&mut message, 1, Item::Bytes(key.sign(&signed).to_vec()));
    packed(&message)
}

/// Proves the key of an enrolment again.
pub(super) fn enrol_request(ground: &Ground, input: Vec<u8>) -> Vec<u8> {
    let Some(mut message) = unpacked(&input) else {
        return input;
    };
    let key = key_of(None);
    let public = [&[1], key.public().bytes.as_slice()].concat();
    replace(&mut message, 2, Item::Bytes(public));
    let text = |place| match message.field(place) {
        Some(Item::Text(text)) => text.clone(),
        Some(item) => item.bytes().unwrap_or_default(),
        None => Vec::new(),
    };
    let plain = |place| text(place).get(1..).unwrap_or_default().to_vec();
    let strong = u8::from(message.field(5) == Some(&Item::Simple(21)));
    let signed = [
        b"ortoo enrol v1\0".as_slice(),
        ground.network().as_bytes(),
        &text(1),
        &plain(2),
        &plain(3),
        &[strong],
    ]
    .concat();
    replace(&mut message, 4, Item::Bytes(key.sign(&signed).to_vec()));
    packed(&message)
}

/// Signs a batch again, as the device that its header names.
pub(super) fn batch(ground: &Ground, input: Vec<u8>) -> Vec<u8> {
    let again = || {
        let mut envelope = Item::read(&input)?;
        let header = envelope.field(0)?;
        let device = header.field(3).and_then(Item::bytes);
        let header = header.bytes()?;
        let seed = envelope.field(2)?.bytes()?;
        let Item::Array(entries) = envelope.field(3)? else {
            return None;
        };
        let message = batch_message(ground.network(), &header, &seed, entries);
        let signature = key_of(device).sign(&message);
        replace(&mut envelope, 1, Item::Bytes(signature.to_vec()));
        Some(envelope.write())
    };
    again().unwrap_or(input)
}

fn batch_message(network: NetworkId, header: &[u8], seed: &[u8], entries: &[Item]) -> Vec<u8> {
    let mut message = [
        b"ortoo batch v1\0",
        network.as_bytes(),
        &(header.len() as u32).to_be_bytes(),
        header,
    ]
    .concat();
    for (entry, index) in entries.iter().zip(0u32..) {
        let salt = Sha256::new()
            .chain_update(b"ortoo salt v1\0")
            .chain_update(seed)
            .chain_update(index.to_be_bytes())
            .finalize();
        let part = |place| entry.field(place).and_then(Item::bytes).unwrap_or_default();
        let bound = Sha256::new()
            .chain_update(b"ortoo entry v1 change\0")
            .chain_update(&salt[..16])
            .chain_update(part(1))
            .finalize();
        let commitment = Sha256::new()
            .chain_update(b"ortoo entry v1\0")
            .chain_update(part(0))
            .chain_update(bound)
            .finalize();
        message.extend_from_slice(&commitment);
    }
    message
}

/// Signs a control entry again, as a root statement or as what a node says.
pub(super) fn control(ground: &Ground, input: Vec<u8>) -> Vec<u8> {
    sign_entry(ground, input, |kind| {
        key(if kind == 0 { ROOT } else { NODE })
    })
}

/// Signs a decision again: orders as the person, all else as the node.
pub(super) fn decision(ground: &Ground, input: Vec<u8>) -> Vec<u8> {
    sign_entry(ground, input, |kind| match kind {
        6..=8 => key(PERSON),
        _ => key(NODE),
    })
}

fn sign_entry(ground: &Ground, input: Vec<u8>, signer: impl FnOnce(u64) -> SigningKey) -> Vec<u8> {
    let Some(mut entry) = Item::read(&input) else {
        return input;
    };
    let Some(body) = entry.field(0).and_then(Item::bytes) else {
        return input;
    };
    let kind = match entry.field(0).and_then(|body| body.field(1)) {
        Some(Item::Unsigned(kind)) => *kind,
        _ => u64::MAX,
    };
    let key = signer(kind);
    let signed = [b"ortoo control v1\0", ground.network().as_bytes(), &body].concat();
    let public = [&[1], key.public().bytes.as_slice()].concat();
    let signature = Item::Array(vec![
        Item::Bytes(public),
        Item::Bytes(key.sign(&signed).to_vec()),
    ]);
    replace(&mut entry, 1, Item::Array(vec![signature]));
    entry.write()
}

/// Signs what a maker holds again, as the device that it names.
pub(super) fn claims(ground: &Ground, input: Vec<u8>) -> Vec<u8> {
    signed_body(ground, input, b"ortoo claims v1\0", |body| {
        key_of(body.field(0).and_then(Item::bytes))
    })
}

/// Signs an acknowledgement again, as the node.
pub(super) fn receipt(ground: &Ground, input: Vec<u8>) -> Vec<u8> {
    signed_body(ground, input, b"ortoo receipt v1\0", |_| key(NODE))
}

/// Signs `[body, signature]` again.
fn signed_body(
    ground: &Ground,
    input: Vec<u8>,
    label: &[u8],
    signer: impl FnOnce(&Item) -> SigningKey,
) -> Vec<u8> {
    let Some(mut signed) = Item::read(&input) else {
        return input;
    };
    let Some((inside, body)) = signed.field(0).and_then(|item| Some((item, item.bytes()?))) else {
        return input;
    };
    let message = [label, ground.network().as_bytes(), &body].concat();
    let signature = signer(inside).sign(&message);
    replace(&mut signed, 1, Item::Bytes(signature.to_vec()));
    signed.write()
}

/// Length of magic, checksum and type of a change chunk.
const CHUNK_HEAD: usize = 9;

/// Returns a change chunk the length and the checksum of its content.
pub(super) fn change(_: &Ground, input: Vec<u8>) -> Vec<u8> {
    let Some(rest) = input.get(CHUNK_HEAD..) else {
        return input;
    };
    let length = rest.iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
    let body = rest.get(length..).unwrap_or_default();
    let mut hashed = vec![1];
    let mut left = body.len();
    while left >= 0x80 {
        hashed.push(left as u8 | 0x80);
        left >>= 7;
    }
    hashed.push(left as u8);
    hashed.extend_from_slice(body);
    let hash = Sha256::digest(&hashed);
    [&[0x85, 0x6f, 0x4a, 0x83], &hash[..4], &hashed].concat()
}
