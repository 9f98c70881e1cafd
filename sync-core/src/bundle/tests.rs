use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;

const NETWORK: NetworkId = NetworkId([7; 32]);

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(5)
}

fn keys(count: usize) -> Vec<SealingKey> {
    let mut rng = rng();
    (0..count).map(|_| SealingKey::generate(&mut rng)).collect()
}

fn publics(keys: &[SealingKey]) -> Vec<PublicKey> {
    keys.iter().map(SealingKey::public).collect()
}

fn sealed(keys: &[SealingKey], padding: Padding, message: &[u8]) -> Vec<u8> {
    seal(&mut rng(), NETWORK, &publics(keys), padding, message).unwrap()
}

#[test]
fn every_recipient_opens_it_and_nobody_else() {
    let [all, other] = [
        keys(3),
        vec![SealingKey::generate(&mut ChaCha20Rng::seed_from_u64(9))],
    ];
    for count in 1..=3 {
        let readers = &all[..count];
        let file = sealed(readers, Padding::Rounded, b"message");
        let [envelope] = envelopes(&file).unwrap()[..] else {
            panic!("one envelope");
        };
        assert_eq!(envelope.names().count(), count);
        for key in readers {
            assert_eq!(envelope.open(NETWORK, [key]).unwrap(), b"message");
        }
        assert_eq!(envelope.open(NETWORK, &other), Err(BadBundle::NotForUs));
        let elsewhere = NetworkId([8; 32]);
        assert_eq!(envelope.open(elsewhere, readers), Err(BadBundle::Altered));
    }
}

#[test]
fn lists_of_nothing_count_as_what_they_take_in_memory() {
    let content = Content {
        control: vec![Vec::new(); crate::wire::CONTROL_MAX],
        ..Content::default()
    };
    let readers = keys(1);
    let envelope = sealed(&readers, Padding::None, &content.encode(NETWORK));
    assert!(envelope.len() < 300);
    let open = |count: usize| {
        let file = envelope.repeat(count);
        let mut unsealing = Unsealing::of(&file)?;
        let mut opened = 0;
        while unsealing.open_next(NETWORK, &readers)? {
            opened += 1;
        }
        Ok(opened)
    };
    assert_eq!(open(15), Ok(15));
    assert_eq!(open(16), Err(BadBundle::TooLarge));
}

#[test]
fn a_key_that_cannot_be_used_keeps_nobody_else_from_reading() {
    let honest = keys(1);
    let mut readers = publics(&honest);
    // A point of small order, as a hostile device may have enrolled with.
    readers.push(PublicKey::of_suite_1([0; 32]));
    let file = seal(&mut rng(), NETWORK, &readers, Padding::None, b"message").unwrap();
    let envelope = envelopes(&file).unwrap()[0];
    assert_eq!(envelope.open(NETWORK, &honest).unwrap(), b"message");
    let none = seal(&mut rng(), NETWORK, &readers[1..], Padding::None, b"m");
    assert_eq!(none, Err(SealError::NotAKey));
}

#[test]
fn envelopes_lie_end_to_end_in_a_file() {
    let keys = keys(2);
    let one = sealed(&keys[..1], Padding::None, b"one");
    let two = sealed(&keys, Padding::Rounded, b"two");
    let file = [one, two].concat();
    let opened: Vec<_> = envelopes(&file)
        .unwrap()
        .iter()
        .map(|envelope| envelope.open(NETWORK, [&keys[0]]).unwrap())
        .collect();
    assert_eq!(opened, [b"one", b"two"]);
}

#[test]
fn a_file_that_unfolds_beyond_all_measure_is_refused() {
    let keys = keys(1);
    let content = Content {
        control: vec![vec![0; MESSAGE_BYTES_MAX - 512]],
        ..Content::default()
    };
    // A few kilobytes each, four megabytes when opened.
    let one = sealed(&keys, Padding::None, &content.encode(NETWORK));
    let most = UNSEALED_BYTES_MAX / MESSAGE_BYTES_MAX;
    let fits = unseal(NETWORK, &keys, &one.repeat(most)).unwrap();
    assert_eq!(fits.contents.len(), most);
    let bomb = unseal(NETWORK, &keys, &one.repeat(most + 1));
    assert_eq!(bomb.unwrap_err(), BadBundle::TooLarge);
}

#[test]
fn every_altered_or_missing_byte_is_noticed() {
    let keys = keys(2);
    for readers in [&keys[..1], &keys[..]] {
        let file = sealed(readers, Padding::Rounded, b"message");
        for at in 0..file.len() {
            assert!(envelopes(&file[..at]).is_err(), "cut at {at}");
            let mut altered = file.clone();
            altered[at] ^= 0x10;
            let opened = envelopes(&altered).and_then(|envelopes| {
                // Altering the first recipient's copy of the key is for the first to notice.
                let opened = readers.iter().map(|key| envelopes[0].open(NETWORK, [key]));
                opened.collect::<Result<Vec<_>, _>>()
            });
            assert!(opened.is_err(), "altered at {at}");
        }
    }
}

#[test]
fn a_file_of_a_newer_version_is_told_from_no_bundle() {
    assert_eq!(envelopes(&[0xb2, 1, 2]).unwrap_err(), BadBundle::Version);
    for no_bundle in [&b""[..], b"PK\x03\x04", &[0xb1], &[0xb1, 0], &[0xb1, 1, 2]] {
        assert_eq!(envelopes(no_bundle).unwrap_err(), BadBundle::Shape);
    }
    let many = [&[0xb1, 0x80, 0x80, 0x04][..], &[0; 64]].concat();
    assert_eq!(envelopes(&many).unwrap_err(), BadBundle::TooLarge);
}

#[test]
fn the_length_tells_little_and_costs_at_most_an_eighth() {
    let mut lengths = std::collections::BTreeSet::new();
    for length in 256..100_000 {
        let padded = rounded(length);
        assert!(
            padded >= length && padded <= length + length / 8,
            "{length}"
        );
        lengths.insert(padded);
    }
    assert!(lengths.len() < 200, "{}", lengths.len());
    assert_eq!(rounded(1), 256);
}

#[test]
fn a_short_message_costs_its_seal_and_nothing_more() {
    let keys = keys(1);
    let message = [3; 100];
    let file = sealed(&keys, Padding::None, &message);
    // Version, count, name, length; suite, encapsulated key, tag; the message's own length.
    let packed = pack(&message).len();
    assert_eq!(
        file.len(),
        1 + 1 + 8 + 1 + SEALED_TO_BYTES_MORE + 1 + packed
    );
}

proptest! {
    #[test]
    fn bytes_from_anywhere_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let keys = keys(1);
        for first in [None, Some(0xb1)] {
            let file: Vec<u8> = first.into_iter().chain(bytes.iter().copied()).collect();
            for envelope in envelopes(&file).unwrap_or_default() {
                drop(envelope.open(NETWORK, &keys));
            }
        }
        drop(Content::decode(NETWORK, &bytes));
    }
}
