//! The sealed things of a store: always the same, and nobody's secret.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use sync_core::id::{Class, Space};
use sync_core::row::Table;
use sync_core::seal::{DataKey, KdfParams, KeyId, Opener, RowName, StoreId, StoreKey, seal_to};

use super::{PHONES, Recorded, UNIT, key, phone};

/// What opens the slot without a key store.
pub const PIN: &[u8] = b"246810";
/// What the key store answers to everything.
pub const MAC: [u8; 32] = [9; 32];
/// What is sealed in the row.
pub const VALUE: &[u8] = b"what a row holds";
/// What things sealed to a device are bound to.
pub const CONTEXT: &[u8] = b"ortoo golden";

/// A store's keys.
pub struct Vault {
    /// The store key.
    pub store: StoreKey,
    /// The data key of a space.
    pub data: DataKey,
    rng: ChaCha20Rng,
}

/// The number of the space's data key.
pub const DATA_KEY: KeyId = KeyId(1);

impl Vault {
    /// The vault.
    pub fn new() -> Self {
        let mut rng = ChaCha20Rng::from_seed([8; 32]);
        let store = StoreKey::generate(&mut rng);
        let data = store.new_data_key(&mut rng, DATA_KEY);
        Self { store, data, rng }
    }

    /// The store's id.
    pub fn id(&self) -> StoreId {
        self.store.id()
    }

    /// The name of the row that is sealed.
    pub fn row(&self) -> RowName {
        self.store.row_name(Table::Record, b"golden")
    }

    /// The slots, a sealed row, the wrapped data key, and something sealed to the first phone.
    pub fn recorded(&mut self) -> Vec<Recorded> {
        let rng = &mut self.rng;
        let mac = |_: &[u8]| Some(MAC);
        let openers = [
            ("passphrase", Opener::Passphrase(PIN)),
            ("key-store", Opener::KeyStore(b"", &mac)),
        ];
        let mut recorded = Vec::new();
        let mut keep = |kind, name: &str, bytes| {
            let name = name.to_owned();
            recorded.push(Recorded { kind, name, bytes });
        };
        for (name, opener) in openers {
            let slot = self.store.to_slot(rng, opener, KdfParams::FLOOR);
            keep("slot", name, slot.expect("a slot is sealed").to_bytes());
        }
        let space = Space::new(UNIT, Class::General).expect("twelve digits are a unit");
        let wrapped = self.store.wrap(rng, &self.data, &space);
        keep("wrapped_key", "general", wrapped.expect("a key is wrapped"));
        let name = self.store.row_name(Table::Record, b"golden");
        let row = self.data.seal(rng, Table::Record, name, VALUE);
        keep("sealed_row", "record", row.expect("a row is sealed"));
        let device = phone::sealing_key(&key(PHONES[0])).public();
        let sealed = seal_to(rng, &device, CONTEXT, VALUE);
        keep(
            "sealed_to",
            "first-phone",
            sealed.expect("a value is sealed"),
        );
        let row = self.data.seal(rng, Table::Record, name, &long_value());
        keep("sealed_row", "packed", row.expect("a row is sealed"));
        recorded
    }
}

/// A value that is long enough to be packed.
pub fn long_value() -> Vec<u8> {
    VALUE.repeat(40)
}

impl Default for Vault {
    fn default() -> Self {
        Self::new()
    }
}
