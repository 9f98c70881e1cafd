//! What tests of hosts share: a system without luck, phones of a made-up network, a store that is written
//! later, and the suite that every store must pass.

mod buffered;
pub mod conformance;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use plan::Package;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sync_core::control::{Control, ControlEntry, Enrolment, RootStatement};
use sync_core::enrol::{Link, code_from};
use sync_core::id::{AuthorId, Class, Incarnation, Space};
use sync_core::replica::{HubState, Me, Replica};
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

/// A phone as an enrolment at `units` leaves it behind, in a network whose keys nobody has.
///
/// # Panics
/// If the store can't be made.
#[expect(clippy::unwrap_used, reason = "for tests")]
pub fn enrolled(mut place: Box<dyn Place>, system: Arc<dyn System>, units: &[&str]) -> Phone {
    let mut rng = Randomness(&*system);
    let (root, node) = (
        SigningKey::generate(&mut rng),
        SigningKey::generate(&mut rng),
    );
    let statement = RootStatement {
        version: 1,
        root_keys: vec![root.public().bytes],
        threshold: 1,
        node_keys: vec![node.public().bytes],
        order_keys: vec![],
        tls_keys: vec![[7; 32]],
    };
    let network = statement.network();
    let keys = DeviceKeys::generate(&mut rng);
    let classes = |unit: &&str| Class::CADRE.map(|class| Space::new(unit, class).unwrap());
    let enrolment = Enrolment {
        signing_key: keys.signing_public().bytes,
        sealing_key: keys.sealing_public().bytes,
        spaces: units.iter().flat_map(classes).collect(),
        authors: BTreeSet::from([AUTHOR]),
    };
    let by_root = |message: &[u8]| root.sign(message);
    let by_node = |message: &[u8]| node.sign(message);
    let node = (node.public().bytes, &by_node as &dyn Fn(&[u8]) -> [u8; 64]);
    let mut control = Control::new(network);
    for entry in [
        ControlEntry::root(network, &statement, (root.public().bytes, &by_root)),
        ControlEntry::enrol(network, &enrolment, node),
        ControlEntry::package(network, &Package::builtin(), node),
    ] {
        let entry = control.check(&entry).unwrap().unwrap();
        control.apply(entry);
    }
    let me = Me {
        network,
        device: keys.device(),
    };
    let replica = Replica::new(
        me,
        control,
        HubState::enrolled(Incarnation([1; 8]), [2; 16], 0, 0),
    );
    let link = Link {
        server: "https://127.0.0.1:1".into(),
        network,
        code: code_from([3; 17]),
    };
    let mut rows = replica.first_rows();
    rows.extend([keys.to_row(), HostRow::new(&link.server, &link).to_row()]);
    let mut store = place.create().unwrap();
    store.commit(&rows).unwrap();
    drop(store);
    Phone::open(place, system).unwrap()
}
