//! The end of the story: the server has a key, the signal is gone, and a traveller carries what was
//! written; what refers to the other end's batches is recorded with them.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use sync_core::bundle::{Content, envelopes};
use sync_core::bundle_exchange::BundleOptions;
use sync_core::control::{ControlEntry, Moved, SamePerson, SealKey};
use sync_core::id::{RecordId, Subject};
use sync_core::row::Table;
use sync_core::seal::SealingKey;
use sync_core::value::Value;

use super::*;
use crate::cbor::Item;

/// The private half of the key that the server is sealed to: no secret either.
const SEAL: [u8; 32] = [9; 32];
/// The month of that key: February 2026.
const MONTH: u32 = 2026 * 12 + 1;

/// The private halves of all keys that a bundle may be sealed to: the server's, then the phones'.
pub fn opening_keys() -> Vec<SealingKey> {
    let server = SealingKey::from_bytes(&SEAL).expect("32 bytes are a key");
    let phones = PHONES.map(|secret| sealing_key(&key(secret)));
    std::iter::once(server).chain(phones).collect()
}

pub(super) const WHOLE: BundleOptions = BundleOptions {
    bytes_max: None,
    short: false,
    everything: false,
};

impl Village {
    /// Bundles there and back. `writer` came in first and has seen whoever came in after it.
    pub(super) fn carry(&mut self, writer: usize, other: usize, household: RecordId) {
        self.tell_seal_key();
        self.tell_move();
        self.sync(writer, "seal-key");
        self.sync(other, "seal-key-too");
        self.refer(other, household);

        let number = |number: &str| [("household.phone", Value::from(number))];
        let now = self.now;
        self.phones[writer].save_with_copy(now, household, &number("10012345672"));
        let copies: Vec<Vec<u8>> = self.phones[writer]
            .rows
            .of(Table::Outbox)
            .cloned()
            .collect();
        for (at, copy) in copies.into_iter().enumerate() {
            let row = [&[Table::Outbox as u8], copy.as_slice()].concat();
            self.keep("row", format!("outbox-{at}"), row);
        }
        let short = BundleOptions {
            short: true,
            ..WHOLE
        };
        self.make_bundle(writer, "short", short);
        let bundle = self.make_bundle(writer, "whole", WHOLE);
        self.open_bundle("whole", &bundle);

        let mut rng = ChaCha8Rng::from_seed([10; 32]);
        let taken = self.hub.import(&bundle, &mut rng, self.now);
        let taken = taken.expect("our own bundle opens");
        let taken = taken.expect("it is for the server");
        self.hub.state = taken.state;
        self.keep("bundle", "reply", taken.reply.clone());
        self.open_bundle("reply", &taken.reply);
        self.phones[writer].import(self.now, &taken.reply);
    }

    pub(super) fn tell_seal_key(&mut self) {
        self.hub.seal = SEAL;
        let key = SealingKey::from_bytes(&SEAL).expect("32 bytes are a key");
        let told = SealKey {
            month: MONTH,
            key: key.public(),
        };
        let entry =
            (self.hub).signed(|network, signer| ControlEntry::seal_key(network, &told, signer));
        self.hub.add_control(&entry);
        self.keep("control", "seal-key", entry);
    }

    /// That somebody's record goes on in another unit.
    fn tell_move(&mut self) {
        let moved = Moved {
            record: RecordId::draw(Subject::Person, BEGIN * 1000, [1; 10]),
            from: UNIT.to_owned(),
            to: "152522100201".to_owned(),
            new: RecordId::draw(Subject::Person, BEGIN * 1000, [2; 10]),
            on: "2026-07-01".to_owned(),
            number: 1,
        };
        let entry =
            (self.hub).signed(|network, signer| ControlEntry::moved(network, &moved, signer));
        self.hub.add_control(&entry);
        self.keep("control", "moved", entry);
        let [old, new] = [(moved.from, moved.record), (moved.to, moved.new)];
        let said = SamePerson::of(old, new, true, 1).expect("two persons of two units");
        let entry =
            (self.hub).signed(|network, signer| ControlEntry::same_person(network, &said, signer));
        self.keep("control", "same-person", entry);
    }

    /// An edit of what the server holds, as a request that refers to it: kept with what is held.
    fn refer(&mut self, phone: usize, household: RecordId) {
        let held: Vec<Item> = (self.phones[phone].rows.of(Table::Batch))
            .map(|bytes| Item::Bytes(bytes.clone()))
            .collect();
        // Opened again it refers to what its server holds, which the recorded story does not.
        self.phones[phone].reopen();
        let people = Value::Int(4);
        self.save(
            phone,
            household,
            &[("household.resident_population", people)],
        );
        let outgoing = self.phones[phone].referring_request(self.now);
        let parts = vec![Item::Bytes(outgoing.bytes.clone()), Item::Array(held)];
        self.keep("referring", "a-reference", Item::Array(parts).write());
        let answer = self.serve(&outgoing.bytes);
        let now = self.now;
        self.phones[phone].take(now, &outgoing, &answer);
        self.sync(phone, "after-referring");
    }

    fn make_bundle(&mut self, phone: usize, name: &str, options: BundleOptions) -> Vec<u8> {
        let bundle = self.phones[phone].bundle(self.now, options);
        self.keep("bundle", name, bundle.clone());
        bundle
    }

    /// Keeps what is inside, each part by itself.
    fn open_bundle(&mut self, name: &str, file: &[u8]) {
        let (network, keys) = (self.network(), opening_keys());
        let envelopes = envelopes(file).expect("our own bundle is one");
        for (at, envelope) in envelopes.iter().enumerate() {
            let message = envelope.open(network, &keys).expect("it is for us");
            let content = Content::decode(network, &message).expect("our own content reads");
            let name = format!("{name}-{at}");
            self.keep("content", &name, message);
            if let Some(claims) = content.claims {
                self.keep("claims", &name, claims);
            }
            for (number, receipt) in content.receipts.into_iter().enumerate() {
                self.keep("receipt", format!("{name}-{number}"), receipt);
            }
        }
    }
}
