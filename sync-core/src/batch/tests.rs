use super::*;
use crate::id::Subject;
use crate::seal::SigningKey;

const NETWORK: NetworkId = NetworkId([7; 32]);

fn key() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

fn header(prev: Vec<BatchHash>) -> Header {
    Header {
        space: Space::new("152522100200", Class::General).unwrap(),
        device: DeviceId::of_key(&key().public().bytes),
        author: AuthorId([3; 8]),
        seq: 9,
        prev,
        dictionary: 4,
        time: 1_790_000_000,
    }
}

fn entry(n: u8, bytes: usize) -> Entry {
    Entry {
        record: RecordId::draw(Subject::Person, 1, [n; 10]),
        change: vec![n; bytes],
    }
}

fn batch(prev: Vec<BatchHash>, entries: Vec<Entry>) -> Batch {
    Batch::sign(NETWORK, header(prev), entries, [5; 16], &|message| {
        key().sign(message)
    })
}

fn verify(bytes: &[u8]) -> Result<Batch, BadBatch> {
    Batch::verify(NETWORK, bytes, |_, _| Some(key().public().bytes))
}

#[test]
fn a_batch_reads_back_as_it_was_signed() {
    let batch = batch(vec![BatchHash([2; 32])], vec![entry(1, 100), entry(2, 0)]);
    assert_eq!(verify(batch.bytes()).unwrap(), batch);
    assert_eq!(Batch::from_store(NETWORK, batch.bytes()).unwrap(), batch);
    assert_eq!((batch.node().seq, batch.node().prev.len()), (9, 1));
}

#[test]
fn what_nobody_signed_is_not_taken_with_a_batch() {
    let good = batch(vec![], vec![entry(1, 40)]);
    // One more field, behind the four that there are.
    let mut longer = good.bytes().to_vec();
    assert_eq!(longer[0], 0x84);
    longer[0] = 0x85;
    longer.extend_from_slice(&[0x43, 1, 2, 3]);
    assert_eq!(verify(&longer), Err(BadBatch::Envelope));
    // The same number of fields, told in two bytes.
    let mut wide = good.bytes().to_vec();
    wide.splice(..1, [0x98, 0x04]);
    assert_eq!(verify(&wide), Err(BadBatch::Envelope));
    assert_eq!(verify(good.bytes()).unwrap(), good);
}

#[test]
fn every_flipped_bit_is_noticed() {
    let good = batch(vec![], vec![entry(1, 40)]);
    for at in 0..good.bytes().len() {
        for bit in 0..8 {
            let mut bytes = good.bytes().to_vec();
            bytes[at] ^= 1 << bit;
            assert!(verify(&bytes).is_err(), "byte {at}, bit {bit}");
        }
    }
    for end in 0..good.bytes().len() {
        assert!(verify(&good.bytes()[..end]).is_err(), "cut at {end}");
    }
    let longer = [good.bytes(), &[0]].concat();
    assert_eq!(verify(&longer), Err(BadBatch::Envelope));
}

#[test]
fn a_batch_of_another_network_author_or_key_is_refused() {
    let good = batch(vec![], vec![entry(1, 40)]);
    let other = NetworkId([8; 32]);
    let key_of = |_: DeviceId, _: &Space| Some(key().public().bytes);
    assert_eq!(
        Batch::verify(other, good.bytes(), key_of),
        Err(BadBatch::Signature)
    );
    let nobody = |_: DeviceId, _: &Space| None;
    assert_eq!(
        Batch::verify(NETWORK, good.bytes(), nobody),
        Err(BadBatch::Author)
    );
    let stranger = |_: DeviceId, _: &Space| Some(SigningKey::from_bytes(&[2; 32]).public().bytes);
    assert_eq!(
        Batch::verify(NETWORK, good.bytes(), stranger),
        Err(BadBatch::Signature)
    );
}

#[test]
fn size_is_taken_at_the_limit_and_refused_above_it() {
    let frame = batch(vec![], vec![entry(1, 30_000)]).bytes().len() - 30_000;
    let at_limit = batch(vec![], vec![entry(1, BATCH_BYTES_MAX - frame)]);
    assert_eq!(at_limit.bytes().len(), BATCH_BYTES_MAX);
    assert!(verify(at_limit.bytes()).is_ok());
    let over = batch(vec![], vec![entry(1, BATCH_BYTES_MAX - frame + 1)]);
    assert_eq!(verify(over.bytes()), Err(BadBatch::TooLarge));
}

#[test]
fn entries_and_parents_are_taken_at_the_limit_and_refused_above_it() {
    let entries = |count| (0..count).map(|_| entry(1, 0)).collect::<Vec<_>>();
    assert!(verify(batch(vec![], entries(BATCH_ENTRIES_MAX)).bytes()).is_ok());
    let over = batch(vec![], entries(BATCH_ENTRIES_MAX + 1));
    assert_eq!(verify(over.bytes()), Err(BadBatch::TooLarge));
    let parents = |count| {
        (0..count)
            .map(|n| BatchHash([n as u8; 32]))
            .collect::<Vec<_>>()
    };
    assert!(verify(batch(parents(BATCH_PARENTS_MAX), vec![]).bytes()).is_ok());
    let over = batch(parents(BATCH_PARENTS_MAX + 1), vec![]);
    assert_eq!(verify(over.bytes()), Err(BadBatch::TooLarge));
}

#[test]
fn an_entry_blotted_out_without_an_order_is_refused() {
    let good = batch(vec![], vec![entry(1, 40)]);
    let mut envelope: Envelope = minicbor::decode(good.bytes()).unwrap();
    envelope.entries.0[0].change = None;
    assert_eq!(verify(&cbor::encode(&envelope)), Err(BadBatch::Redacted));
    let mut envelope: Envelope = minicbor::decode(good.bytes()).unwrap();
    envelope.seed = None;
    assert_eq!(verify(&cbor::encode(&envelope)), Err(BadBatch::Redacted));
}

#[test]
fn a_commitment_hides_its_entry_behind_the_seed() {
    let entries = [entry(1, 40)];
    assert_ne!(
        commitments(&[5; 16], &entries),
        commitments(&[6; 16], &entries)
    );
    let same = [entry(1, 40), entry(1, 40)];
    let both = commitments(&[5; 16], &same);
    assert_ne!(both[0], both[1], "equal entries must not show as equal");
}

#[test]
fn the_largest_saved_edit_fits_one_batch_of_a_phone_and_is_never_split() {
    let largest = ENTRY_BYTES_MAX - entry_bytes(&entry(1, 0));
    let runs = split_for_batches(vec![entry(1, 10), entry(2, largest), entry(3, 10)]);
    assert_eq!(runs.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1]);
    let widest = Header {
        space: Space::new("152522100200", Class::Protected).unwrap(),
        seq: u32::MAX,
        dictionary: u32::MAX,
        time: i64::MIN,
        // What a cloned phone's next batch may have to join, within the room kept.
        prev: vec![BatchHash([1; 32]); 8],
        ..header(vec![])
    };
    for run in runs {
        let batch = Batch::sign(NETWORK, widest.clone(), run, [5; 16], &|m| key().sign(m));
        assert!(
            batch.bytes().len() <= PHONE_BATCH_BYTES,
            "{}",
            batch.bytes().len()
        );
    }
}

#[test]
fn the_bytes_of_version_1_do_not_change() {
    // What is signed and stored is for good: these hashes may never differ.
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(&Sha256::digest(bytes));
    let batch = batch(
        vec![BatchHash([2; 32])],
        vec![entry(1, 8), entry(2, 8), entry(1, 9)],
    );
    let name = batch.hash.to_string();
    let stored = hex(batch.bytes());
    let redacted = batch.redact(|record| record == entry(1, 0).record).unwrap();
    let expected = (
        "2185a91ba0e84ceae67b658d0994c206f20b832664c85a78a7960ffa855c7028",
        "eb7fbd291c12828e3da0cd53ee9aa452bb76f0a630fd69365a81587737fcab46",
        "5793bf676c647e1d53c5b28f91809e44b5c9131e35eea0ab758137a3a56089d6",
    );
    let is = (name.as_str(), stored.as_str(), &*hex(redacted.bytes()));
    assert_eq!(is, expected);
}
