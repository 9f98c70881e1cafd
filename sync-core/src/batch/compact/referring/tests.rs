use proptest::prelude::*;

use super::super::tests::{NETWORK, Writer as Device, history, random, space};
use super::*;
use crate::seal::SigningKey;
use crate::wire::{BATCHES_MAX, MESSAGE_BYTES_MAX};

const LIMITS: (usize, usize) = (BATCHES_MAX, MESSAGE_BYTES_MAX);

fn spaces() -> Vec<Space> {
    Class::ALL.map(space).to_vec()
}

fn frame(spaces: &[Space]) -> Frame<'_> {
    Frame {
        network: NETWORK,
        device: Device::new(1).device(),
        spaces,
    }
}

/// Batches as both ends hold them.
fn known(batches: &[Vec<u8>]) -> Vec<ReferencedBatch> {
    let known = batches.iter().map(|bytes| {
        let batch = Batch::from_store(NETWORK, bytes).unwrap();
        ReferencedBatch {
            reference: Reference::to(&batch.header.space, batch.header.device, batch.header.seq),
            hash: batch.hash,
            bytes: bytes.clone(),
        }
    });
    known.collect()
}

fn read(packed: &[u8], known: &[ReferencedBatch]) -> Result<Vec<Vec<u8>>, BadCompact> {
    let spaces = spaces();
    let mut find = |reference: &Reference| {
        let mut found = known.iter().filter(|known| known.reference == *reference);
        found.next().cloned()
    };
    decode(&frame(&spaces), packed, &mut find, LIMITS)
}

fn written(batches: &[Vec<u8>], known: &[ReferencedBatch]) -> Vec<u8> {
    encode(&frame(&spaces()), batches, known)
}

#[test]
fn an_edit_of_what_the_receiver_holds_is_little_beyond_its_signature() {
    let batches = history(&mut Device::new(1), 10);
    let (held, new) = batches.split_at(10);
    let known = known(held);
    let packed = written(new, &known);
    assert_eq!(read(&packed, &known).as_deref(), Ok(new));
    // Signature and seed are 80 bytes, the name 10.
    assert!(packed.len() < 115, "{}", packed.len());
    let plain = super::super::encode(NETWORK, new);
    assert!(packed.len() + 64 < plain.len(), "{}", plain.len());
}

#[test]
fn nothing_is_one_byte_and_comes_back_as_nothing() {
    let nothing = written(&[], &[]);
    assert_eq!(nothing, [2]);
    assert_eq!(read(&nothing, &[]), Ok(Vec::new()));
    assert_eq!(read_list(&nothing), Vec::new());
}

#[test]
fn without_anything_known_a_message_explains_itself() {
    let batches = history(&mut Device::new(1), 50);
    let packed = written(&batches, &[]);
    assert_eq!(read(&packed, &[]).as_deref(), Ok(batches.as_slice()));
    assert!(packed.len() < super::super::encode(NETWORK, &batches).len());
}

#[test]
fn a_receiver_without_what_is_referred_to_says_so() {
    let batches = history(&mut Device::new(1), 10);
    let (held, new) = batches.split_at(10);
    let packed = written(new, &known(held));
    assert_eq!(read(&packed, &[]), Err(BadCompact::Unresolved));
    assert_eq!(
        read(&packed, &known(&held[..9])),
        Err(BadCompact::Unresolved)
    );
    // A batch that does not read any more explains nothing.
    let mut damaged = known(held);
    damaged.iter_mut().for_each(|known| known.bytes.truncate(9));
    assert_eq!(read(&packed, &damaged), Err(BadCompact::Unresolved));
}

#[test]
fn what_is_referred_to_in_another_sense_never_passes_for_the_signed_bytes() {
    let batches = history(&mut Device::new(1), 10);
    let (held, new) = batches.split_at(10);
    let packed = written(new, &known(held));
    // Another batch stands in each place, as after a fork.
    let mut others = known(held);
    let bytes: Vec<_> = others
        .iter()
        .map(|known| known.bytes.clone())
        .rev()
        .collect();
    for (other, bytes) in others.iter_mut().zip(bytes) {
        other.bytes = bytes;
    }
    let key = SigningKey::from_bytes(&[1; 32]).public().bytes;
    for bytes in read(&packed, &others).unwrap_or_default() {
        assert!(Batch::verify(NETWORK, &bytes, |_, _| Some(key)).is_err());
    }
}

#[test]
fn every_cut_and_every_flipped_bit_is_an_error_or_another_batch_than_the_signed_one() {
    let batches = history(&mut Device::new(1), 6);
    let (held, new) = batches.split_at(3);
    let known = known(held);
    let packed = written(new, &known);
    let key = SigningKey::from_bytes(&[1; 32]).public().bytes;
    let check = |bytes: &[u8]| {
        for read in read(bytes, &known).unwrap_or_default() {
            let verified = Batch::verify(NETWORK, &read, |_, _| Some(key)).is_ok();
            assert!(!verified || new.contains(&read));
        }
    };
    for end in 0..packed.len() {
        let cut = &packed[..end];
        check(cut);
        assert_ne!(read(cut, &known).as_deref(), Ok(new), "cut at {end}");
    }
    for at in 0..packed.len() {
        for bit in 0..8 {
            let mut changed = packed.clone();
            changed[at] ^= 1 << bit;
            check(&changed);
            assert_ne!(read(&changed, &known).as_deref(), Ok(new), "{at}, {bit}");
        }
    }
    let longer = [packed.as_slice(), &[0]].concat();
    assert_eq!(read(&longer, &known), Err(BadCompact::Shape));
}

#[test]
fn a_message_has_a_bounded_number_of_things_looked_up() {
    let space = space(Class::General);
    let spaces = [space.clone()];
    let references: Vec<Reference> = (1..=REFERENCES_MAX as u32 + 1)
        .map(|seq| Reference::to(&space, DeviceId([9; 8]), seq))
        .collect();
    let write = |references: &[Reference]| {
        let mut stream = Writer::after(vec![FORM as u8]);
        let references: Vec<&Reference> = references.iter().collect();
        let written = list(&frame(&spaces), &mut stream, &references).map(drop);
        written.map(|()| stream.finish())
    };
    let most = write(&references[..REFERENCES_MAX]).unwrap();
    assert_eq!(
        super::references(&frame(&spaces), &most).as_deref(),
        Ok(&references[..REFERENCES_MAX])
    );
    assert_eq!(write(&references), Err(BadCompact::Shape));
    // Whoever writes the number all the same is refused before anything is looked up.
    let mut stream = Writer::after(vec![FORM as u8]);
    let count = REFERENCES_MAX as u64 + 1;
    stream
        .number(&mut ListModels::default().count, count)
        .unwrap();
    let many = stream.finish();
    let mut looked_up = 0;
    let mut find = |_: &Reference| {
        looked_up += 1;
        None
    };
    let read = decode(&frame(&spaces), &many, &mut find, LIMITS);
    assert_eq!((read, looked_up), (Err(BadCompact::Shape), 0));
    // Nor does an honest writer go beyond it.
    let mut device = Device::new(1);
    let held: Vec<Vec<u8>> = (0..REFERENCES_MAX + 9)
        .map(|_| device.batch(space.clone(), 1, vec![]))
        .collect();
    let new: Vec<Vec<u8>> = held
        .iter()
        .map(|bytes| {
            let header = Batch::from_store(NETWORK, bytes).unwrap();
            let mut other = Device::new(1);
            other
                .feeds
                .insert(space.clone(), (header.header.seq + 1, vec![header.hash]));
            other.batch(space.clone(), 2, vec![])
        })
        .collect();
    let known = known(&held);
    let packed = written(&new, &known);
    assert_eq!(read_list(&packed).len(), REFERENCES_MAX);
    assert_eq!(self::read(&packed, &known).as_deref(), Ok(new.as_slice()));
}

fn read_list(packed: &[u8]) -> Vec<Reference> {
    super::references(&frame(&spaces()), packed).unwrap()
}

#[test]
fn spaces_that_the_exchange_is_not_about_are_not_referred_to() {
    let batches = history(&mut Device::new(1), 10);
    let (held, new) = batches.split_at(10);
    let others = [space(Class::Care)];
    let packed = encode(&frame(&others), new, &known(held));
    assert_eq!(super::references(&frame(&others), &packed), Ok(Vec::new()));
    let again = decode(&frame(&others), &packed, &mut |_| None, LIMITS);
    assert_eq!(again.as_deref(), Ok(new));
}

#[test]
fn devices_with_the_same_first_bytes_are_not_named() {
    let device = |bytes: [u8; 3]| DeviceId([bytes[0], bytes[1], bytes[2], 0, 0, 0, 0, 0]);
    let (a, b, c) = (device([1, 1, 1]), device([1, 1, 2]), device([1, 2, 1]));
    let named: Vec<DeviceId> = Reference::nameable([a, b, c, c]).into_values().collect();
    assert_eq!(named, [c]);
    assert_eq!(Reference::nameable([a, b, a]).len(), 0);
}

#[test]
fn a_change_is_not_looked_through_twice() {
    let batches = history(&mut Device::new(1), 3);
    let (held, new) = batches.split_at(3);
    let spaces = spaces();
    let known = known(held);
    let mut plan = plan(NETWORK, &spaces, new, &known);
    for told in &mut plan.batches {
        if let OutgoingBatch::Apart(apart) = told {
            for entry in &mut apart.entries {
                let again = entry.references.clone();
                entry.references.extend(again);
            }
        }
    }
    let mut course = Transcoder::new(
        &frame(&spaces),
        Writer::after(vec![FORM as u8]),
        plan.list,
        usize::MAX,
    );
    assert_eq!(course.tell(&plan.batches), Err(BadCompact::Shape));
}

#[test]
fn puts_that_a_change_could_hold_by_the_thousand_are_counted_one_by_one() {
    // Every batch one change that writes one key 4,096 times: a run in the change, 80 bytes each.
    let mut device = Device::new(1);
    let key = Key::parse("abc.def").unwrap();
    let put = Put {
        key,
        value: Value::Null,
        preds: Vec::new(),
    };
    let (change, raw) = Change::make(vec![], device.device(), 1, 0, vec![put; CHANGE_OPS_MAX]);
    assert!(raw.len() < 100);
    let entry = Entry {
        record: RecordId::organisation("1"),
        change: raw,
    };
    let entries = vec![entry; BATCH_ENTRIES_MAX / 4];
    let stored = device.batch(space(Class::General), 1, entries);
    assert!(stored.len() < BATCH_BYTES_MAX);
    let mut plan = plan(NETWORK, &spaces(), &[stored], &[]);
    for told in &mut plan.batches {
        if let OutgoingBatch::Apart(apart) = told {
            for entry in &mut apart.entries {
                entry.change = Some(change.clone());
            }
        }
    }
    let spaces = spaces();
    let stream = Writer::after(vec![FORM as u8]);
    let mut course = Transcoder::new(&frame(&spaces), stream, plan.list, usize::MAX);
    course.tell(&plan.batches).unwrap();
    let packed = course.stream.finish();
    assert!(packed.len() < 200_000, "{}", packed.len());
    assert_eq!(read(&packed, &[]), Err(BadCompact::TooLarge));
}

#[test]
fn the_bytes_of_form_2_do_not_change() {
    let batches = history(&mut Device::new(1), 6);
    let (held, new) = batches.split_at(3);
    let packed = written(new, &known(held));
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(&packed));
    assert_eq!(
        hash,
        "46133f2adedbc6b6589eceffc4f63e5d064d2472e1cc9f076391fa472fbe37e2"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let batches = history(&mut Device::new(1), 3);
        let bytes = [&[2u8], bytes.as_slice()].concat();
        let _ = read(&bytes, &known(&batches));
        // Every reference is found.
        let any = |reference: &Reference| {
            let known = known(&batches[..1]).pop();
            known.map(|known| ReferencedBatch { reference: reference.clone(), ..known })
        };
        let _ = decode(&frame(&spaces()), &bytes, &mut { any }, LIMITS);
    }

    /// Whatever of it the receiver holds before.
    #[test]
    fn whatever_is_sent_comes_back(seed in any::<u64>(), run in 1usize..6, forget in 0usize..4) {
        let batches = random(seed);
        let mut held: Vec<ReferencedBatch> = Vec::new();
        for run in batches.chunks(run) {
            let packed = written(run, &held);
            let again = read(&packed, &held);
            prop_assert_eq!(again.as_deref(), Ok(run));
            held.extend(known(run).into_iter().skip(forget));
        }
    }
}
