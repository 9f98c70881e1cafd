use super::*;
use crate::id::Subject;
use crate::seal::SigningKey;

const NETWORK: NetworkId = NetworkId([7; 32]);

fn key() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

fn record(n: u8) -> RecordId {
    RecordId::draw(Subject::Person, 1, [n; 10])
}

fn entry(n: u8, change: &str) -> Entry {
    Entry {
        record: record(n),
        change: change.into(),
    }
}

fn batch(entries: Vec<Entry>) -> Batch {
    let header = Header {
        space: Space::new("152522100200", Class::General).unwrap(),
        device: DeviceId::of_key(&key().public().bytes),
        author: AuthorId([3; 8]),
        seq: 1,
        prev: vec![],
        dictionary: 1,
        time: 1_790_000_000,
    };
    Batch::sign(NETWORK, header, entries, [5; 16], &|m| key().sign(m))
}

fn three() -> Batch {
    let entries = vec![
        entry(1, "her name"),
        entry(2, "another"),
        entry(1, "her number"),
    ];
    batch(entries)
}

fn verify(bytes: &[u8]) -> Result<Batch, BadBatch> {
    Batch::verify(NETWORK, bytes, |_, _| Some(key().public().bytes))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_blotted_batch_keeps_name_signature_and_the_other_entries() {
    let whole = three();
    let name = whole.hash;
    let redacted = whole.redact(|id| id == record(1)).unwrap();
    assert_eq!(
        (redacted.hash, &redacted.entries),
        (name, &vec![entry(2, "another")])
    );
    assert_eq!(redacted.redacted, BTreeSet::from([record(1)]));
    assert_eq!(verify(redacted.bytes()).unwrap(), redacted);
    assert!(!contains(redacted.bytes(), b"her n"));
}

#[test]
fn the_seed_goes_with_the_first_entry_and_nothing_tells_the_salt_of_what_is_gone() {
    let redacted = three().redact(|id| id == record(1)).unwrap();
    assert!(!contains(redacted.bytes(), &[5; 16]));
    for gone in [0, 2] {
        assert!(!contains(redacted.bytes(), &salt(&[5; 16], gone)));
    }
}

#[test]
fn blotting_twice_is_blotting_both() {
    let at_once = three().redact(|_| true).unwrap();
    let first = three().redact(|id| id == record(2)).unwrap();
    let then = first.redact(|id| id == record(1)).unwrap();
    assert_eq!(then, at_once);
    assert_eq!(then.clone().redact(|_| true).unwrap(), then);
    assert!(verify(then.bytes()).unwrap().entries.is_empty());
}

#[test]
fn a_blotted_entry_proves_of_which_record_it_was() {
    let redacted = three().redact(|id| id == record(2)).unwrap();
    let mut envelope: Envelope = minicbor::decode(redacted.bytes()).unwrap();
    let other = record(1).to_bytes().to_vec();
    envelope.entries.0[1].record = Some(other.into());
    assert_eq!(verify(&cbor::encode(&envelope)), Err(BadBatch::Signature));
}

#[test]
fn every_flipped_bit_of_a_blotted_batch_is_noticed() {
    let redacted = three().redact(|id| id == record(1)).unwrap();
    for at in 0..redacted.bytes().len() {
        for bit in 0..8 {
            let mut bytes = redacted.bytes().to_vec();
            bytes[at] ^= 1 << bit;
            assert!(verify(&bytes).is_err(), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn a_batch_without_its_seed_of_which_nothing_is_blotted_out_is_refused() {
    let whole = three();
    let mut envelope: Envelope = minicbor::decode(whole.bytes()).unwrap();
    envelope.seed = None;
    for (entry, index) in envelope.entries.0.iter_mut().zip(0..) {
        entry.salt = Some(salt(&[5; 16], index).into());
    }
    assert_eq!(verify(&cbor::encode(&envelope)), Err(BadBatch::Redacted));
}

#[test]
fn the_largest_batch_can_be_blotted() {
    let small: Vec<Entry> = (0..BATCH_ENTRIES_MAX)
        .map(|n| entry((n % 2) as u8, ""))
        .collect();
    let whole = batch(small);
    assert!(whole.bytes().len() <= BATCH_BYTES_MAX);
    let redacted = whole.redact(|id| id == record(1)).unwrap();
    assert_eq!(verify(redacted.bytes()).unwrap(), redacted);
}
