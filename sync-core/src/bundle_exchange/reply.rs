//! The server's side of an exchange by mail: claims as a request, and the letters that go back.

use std::collections::{BTreeMap, BTreeSet};

use super::{audiences, portions};
use crate::batch::Batch;
use crate::bundle::{self, Claims, Content, Padding};
use crate::control::{Control, ControlEntry};
use crate::feed::Vector;
use crate::hub::{self, NodeIdentity, SpaceHeld};
use crate::id::{DeviceId, NetworkId, RecordId, Short, Space};
use crate::seal::{PublicKey, SigningKey};
use crate::wire::{Answer, Request, SpaceClaim};

/// Claims as the exchange would have them, with room for `budget` bytes of batches in the answer.
/// Without claims nothing is asked for.
pub fn as_request(claims: Option<&Claims>, budget: usize) -> Request {
    let spaces = claims.into_iter().flat_map(|claims| &claims.spaces);
    Request {
        device: claims.map_or(DeviceId([0; 8]), |claims| claims.device),
        nonce: [0; 16],
        control: claims.map(|claims| claims.control).unwrap_or_default(),
        base: Short([0; 16]),
        spaces: spaces
            .map(|(space, vector)| SpaceClaim {
                space: space.clone(),
                counter: 0,
                changes: vector.changes_from(&Vector::default()),
                locators: Vec::new(),
            })
            .collect(),
        batches: Vec::new(),
        budget: u32::try_from(budget).unwrap_or(u32::MAX),
        receipts: true,
        shown: Vec::new(),
        renewal: None,
        wipe_report: None,
        refer: None,
    }
}

/// What such a request is compared with: nothing, for its vectors are whole.
pub fn bases(request: &Request) -> BTreeMap<Space, Vector> {
    let spaces = request.spaces.iter().map(|claim| &claim.space);
    spaces
        .map(|space| (space.clone(), Vector::default()))
        .collect()
}

/// What goes back to the readers of some spaces, before it is sealed.
#[derive(Clone, Debug)]
pub struct PlainEnvelope {
    readers: Vec<PublicKey>,
    content: Content,
}

/// The letters back: for each set of spaces that the same devices hold, what an answer has for them and
/// what is held of them now. Nothing else is in a letter, for all its readers read it; `held_back` are
/// no readers.
pub fn reply_envelopes(
    me: &NodeIdentity,
    node: &SigningKey,
    control: &Control,
    held: &BTreeMap<Space, SpaceHeld>,
    held_back: &BTreeSet<DeviceId>,
    answer: Answer,
) -> Vec<PlainEnvelope> {
    let told: BTreeSet<&[u8]> = answer.control.iter().map(Vec::as_slice).collect();
    let server = control.seal_key().map(|server| server.key);
    let not_to = keys_of(control, held_back).chain(server).collect();
    let entry = |bytes: &[u8]| told.contains(bytes);
    write(me, node, control, held, &not_to, entry, answer.batches)
}

/// A snapshot: all that is held of some spaces, for whoever holds them and lacks any of it, or for this
/// server when it was restored from an older backup. It states what it holds (the receipts) under which
/// control state, and its batches prove themselves: who takes it need not trust who hands it on (R53).
pub fn snapshot(
    me: &NodeIdentity,
    node: &SigningKey,
    control: &Control,
    held: &BTreeMap<Space, SpaceHeld>,
    held_back: &BTreeSet<DeviceId>,
    batches: Vec<Vec<u8>>,
) -> Vec<PlainEnvelope> {
    let not_to = keys_of(control, held_back).collect();
    write(me, node, control, held, &not_to, |_| true, batches)
}

fn keys_of<'a>(
    control: &'a Control,
    devices: &'a BTreeSet<DeviceId>,
) -> impl Iterator<Item = PublicKey> + 'a {
    let enrolments = devices
        .iter()
        .filter_map(|device| control.enrolment(*device));
    enrolments.map(|enrolment| PublicKey::of_suite_1(enrolment.sealing_key))
}

/// One letter or more for each set of spaces with the same readers, but for those who are `not_to` read:
/// those of its control entries that `says` lets in, receipts, and its batches.
fn write(
    me: &NodeIdentity,
    node: &SigningKey,
    control: &Control,
    held: &BTreeMap<Space, SpaceHeld>,
    not_to: &BTreeSet<PublicKey>,
    says: impl Fn(&[u8]) -> bool,
    batches: Vec<Vec<u8>>,
) -> Vec<PlainEnvelope> {
    let mut by_space: BTreeMap<Space, Vec<Vec<u8>>> = BTreeMap::new();
    let mut redacted: BTreeSet<RecordId> = BTreeSet::new();
    for bytes in batches {
        if let Ok(batch) = Batch::from_store(me.network, &bytes) {
            redacted.extend(&batch.redacted);
            by_space.entry(batch.header.space).or_default().push(bytes);
        }
    }
    // Whoever reads a batch that an order has blotted out must hold the order (R29).
    let explains = |entry: &ControlEntry| entry.erases().any(|record| redacted.contains(&record));
    let mut envelopes = Vec::new();
    for (mut readers, spaces) in audiences(control, held.keys(), None) {
        readers.retain(|reader| !not_to.contains(reader));
        let of_these = held.iter().filter(|(space, _)| spaces.contains(*space));
        let entries = control.for_spaces(&spaces);
        let mut content = Content {
            control: entries
                .filter(|entry| says(entry.bytes()) || explains(entry))
                .map(|entry| entry.bytes().to_vec())
                .collect(),
            receipts: hub::receipts(me, of_these, node),
            ..Content::default()
        };
        let batches = spaces.iter().filter_map(|space| by_space.remove(space));
        for batches in portions(batches.flatten().collect()) {
            content.batches = batches;
            envelopes.push(PlainEnvelope {
                readers: readers.clone(),
                content: std::mem::take(&mut content),
            });
        }
    }
    envelopes
}

/// The bundle of these letters. A space that nobody holds any more has no readers; nothing goes back
/// there.
pub fn seal(
    rng: &mut dyn rand_core::CryptoRng,
    network: NetworkId,
    envelopes: &[PlainEnvelope],
) -> Vec<u8> {
    let mut file = Vec::new();
    for PlainEnvelope { readers, content } in envelopes {
        let message = content.encode(network);
        let sealed = bundle::seal(rng, network, readers, Padding::Rounded, &message);
        file.extend(sealed.unwrap_or_default());
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Incarnation;
    use crate::testing::{OtherDevice, TestDevice, by_node, erasure_order, general};

    #[test]
    fn a_letter_carries_the_order_that_blotted_its_batches_whoever_else_holds_it() {
        let mut station = TestDevice::new(1, &[crate::id::Class::General]);
        let network = station.replica.me().network;
        let (other, record) = (OtherDevice::new(11), station.person());
        let mut control = station.replica.control().clone();
        let enrolment = by_node(|node| ControlEntry::enrol(network, &other.enrolment(), node));
        let order = erasure_order(network, record, Vector::default());
        for entry in [&enrolment, &order] {
            let entry = control.check(entry).unwrap().unwrap();
            control.apply(entry);
        }
        let (_, batch) = other.writes(&station, record, "identity.name", &[]);
        let me = NodeIdentity {
            network,
            incarnation: Incarnation([1; 8]),
            nonce_key: [0; 32],
        };
        let node = SigningKey::from_bytes(&[2; 32]);
        let held = BTreeMap::from([(general(), SpaceHeld::default())]);
        let orders = |batch: &Batch| {
            // The maker holds every entry, so none is told.
            let answer = Answer {
                batches: vec![batch.bytes().to_vec()],
                ..Answer::at(100)
            };
            let envelopes = reply_envelopes(&me, &node, &control, &held, &BTreeSet::new(), answer);
            let told = envelopes
                .iter()
                .flat_map(|envelope| &envelope.content.control);
            told.filter(|entry| **entry == order).count()
        };
        assert_eq!(orders(&batch), 0);
        assert_eq!(orders(&batch.redact(|_| true).unwrap()), 1);
    }
}
