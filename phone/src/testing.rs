//! Tests of hosts share this: a system without luck, phones of a made-up network, a store that is
//! written later, and the suite that every store must pass.

mod buffered;
pub mod conformance;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use plan::Package;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sync_core::control::{Control, ControlEntry, Enrolment, RootStatement, Signer};
use sync_core::enrol::{EnrolmentLink, code_from};
use sync_core::id::{AuthorId, Class, Incarnation, NetworkId, Space};
use sync_core::replica::{DeviceIdentity, Replica, ServerState};
use sync_core::seal::SigningKey;

use crate::keys::DeviceKeys;
use crate::phone::{HostRow, Phone};
use crate::store::Place;
use crate::system::{Randomness, System};

pub use buffered::{Buffered, Flush};

/// The author of everything that is written on a phone of [`enrolled`].
pub const AUTHOR: AuthorId = AuthorId([5; 8]);

/// A system whose randomness comes from a seed, and whose clock stands until it is set.
pub struct TestSystem {
    now: AtomicI64,
    rng: Mutex<ChaCha20Rng>,
    catches_panics: bool,
}

impl TestSystem {
    /// A system of this seed, which catches panics.
    pub fn seeded(seed: u64) -> Self {
        Self {
            now: AtomicI64::new(1_780_000_000),
            rng: Mutex::new(ChaCha20Rng::seed_from_u64(seed)),
            catches_panics: true,
        }
    }

    /// The same, where a panic ends the program, as in a browser.
    pub fn of_a_browser(seed: u64) -> Self {
        Self {
            catches_panics: false,
            ..Self::seeded(seed)
        }
    }

    /// Sets the clock.
    pub fn set(&self, now: i64) {
        self.now.store(now, Ordering::SeqCst);
    }
}

impl System for TestSystem {
    fn now(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    fn fill(&self, bytes: &mut [u8]) {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        rng.fill_bytes(bytes);
    }

    fn catches_panics(&self) -> bool {
        self.catches_panics
    }
}

/// A network of which a test holds the keys.
pub struct Network {
    root: SigningKey,
    node: SigningKey,
    entries: Vec<Vec<u8>>,
    id: NetworkId,
}

impl Network {
    /// A network with the built-in plan, and nobody in it.
    pub fn new(system: &dyn System) -> Self {
        let mut rng = Randomness(system);
        let root = SigningKey::generate(&mut rng);
        let node = SigningKey::generate(&mut rng);
        let statement = RootStatement {
            version: 1,
            root_keys: vec![root.public().bytes],
            threshold: 1,
            node_keys: vec![node.public().bytes],
            order_keys: vec![],
            tls_keys: vec![[7; 32]],
        };
        let id = statement.network();
        let by_root = |message: &[u8]| root.sign(message);
        let first = ControlEntry::root(id, &statement, (root.public().bytes, &by_root));
        let mut network = Self {
            root,
            node,
            entries: vec![first],
            id,
        };
        let plan = Package::builtin();
        network.publish(|id, signer| ControlEntry::package(id, &plan, signer));
        network
    }

    fn publish(&mut self, entry: impl FnOnce(NetworkId, Signer<'_>) -> Vec<u8>) {
        let by_node = |message: &[u8]| self.node.sign(message);
        let entry = entry(self.id, (self.node.public().bytes, &by_node));
        self.entries.push(entry);
    }

    /// Lets a device in at `units`.
    pub fn enrol(&mut self, keys: &DeviceKeys, units: &[&str]) {
        let spaces = units.iter().flat_map(|unit| {
            let space = |class| Space::new(unit, class);
            Class::CADRE.map(space).into_iter().flatten()
        });
        let enrolment = Enrolment {
            signing_key: keys.signing_public().bytes,
            sealing_key: keys.sealing_public().bytes,
            spaces: spaces.collect(),
            authors: BTreeSet::from([AUTHOR]),
            renews: None,
        };
        self.publish(|id, signer| ControlEntry::enrol(id, &enrolment, signer));
    }

    /// The phone of a device that was let in, with a fresh store.
    ///
    /// # Panics
    /// If the store can't be made.
    #[expect(clippy::unwrap_used, reason = "for tests")]
    pub fn phone(
        &self,
        keys: &DeviceKeys,
        mut place: Box<dyn Place>,
        system: Arc<dyn System>,
    ) -> Phone {
        let mut control = Control::new(self.id);
        for entry in &self.entries {
            let entry = control.check(entry).unwrap().unwrap();
            control.apply(entry);
        }
        let me = DeviceIdentity {
            network: self.id,
            device: keys.device(),
        };
        let hub = ServerState::enrolled(Incarnation([1; 8]), [2; 16], 0, 0);
        let replica = Replica::new(me, control, hub);
        let link = EnrolmentLink {
            server: "https://127.0.0.1:1".into(),
            network: self.id,
            code: code_from([3; 17]),
        };
        let mut rows = replica.first_rows();
        rows.extend([keys.to_row(), HostRow::new(&link.server, &link).to_row()]);
        place.create().unwrap().commit(&rows).unwrap();
        Phone::open(place, system).unwrap()
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Network({:?}, {:?})", self.id, self.root.public())
    }
}

/// A phone as an enrolment at `units` leaves it behind, in a network of its own.
pub fn enrolled(place: Box<dyn Place>, system: Arc<dyn System>, units: &[&str]) -> Phone {
    let mut network = Network::new(&*system);
    let keys = DeviceKeys::generate(&mut Randomness(&*system));
    network.enrol(&keys, units);
    network.phone(&keys, place, system)
}
