//! A phone as the simulator keeps it: its store, its keys, and the process that runs the replica
//! until it is killed. It is a host of its own and not the crate `phone`, because mistakes are planted in it.

use std::collections::{BTreeMap, BTreeSet};

use ed25519_dalek::{Signer, SigningKey};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use sync_core::batch::{Batch, Reference, ReferencedBatch};
use sync_core::exchange::{Budget, Outgoing};
use sync_core::feed::Vector;
use sync_core::id::Place;
use sync_core::id::{AuthorId, ChangeHash, Class, DeviceId, NetworkId, RecordId, Space};
use sync_core::record::RecordState;
use sync_core::replica::{OpenError, OpenReport, Replica};
use sync_core::row::Table;
use sync_core::value::{Key, Value};

use super::fault::{Dice, Plant};
use super::oracle::When;
use super::store::{Disk, Writer};

/// A form on a phone's screen, or its draft: what R41 is about.
#[derive(Clone)]
pub(super) struct Form {
    /// The record, drawn when the form opened.
    pub(super) record: RecordId,
    /// Its unit.
    pub(super) unit: String,
    /// What the form showed, or `None` for "as it is when saved".
    pub(super) seen: Option<BTreeMap<Class, Vec<ChangeHash>>>,
    /// What was typed.
    pub(super) puts: Vec<(Key, Value)>,
    /// How often it was saved.
    pub(super) saved: u32,
}

/// A running process with a replica.
pub(super) struct Process {
    /// The replica.
    pub(super) replica: Replica,
    /// What the store gave it when it opened.
    pub(super) writer: Writer,
    /// The system's randomness.
    pub(super) rng: ChaCha8Rng,
    /// Requests sent and what to compare their answers with.
    pub(super) outgoing: BTreeMap<u64, Outgoing>,
    /// What the next request may carry.
    pub(super) budget: Budget,
    /// What was held when the phone handed over all of it, by the exchange in which it did.
    pub(super) handed_over: BTreeMap<u64, Vec<(Space, Vector, usize)>>,
}

/// An edit whose fate is not known yet: the process died while it was saved.
pub(super) struct InDoubt {
    /// The form.
    pub(super) form: Form,
    /// Who wrote it, and when.
    pub(super) when: When,
    /// Heads of the record before it.
    pub(super) before: BTreeMap<Space, Vec<ChangeHash>>,
    /// Whether the rows were written.
    pub(super) durable: bool,
}

/// A phone.
pub(super) struct Phone {
    /// What it is called in a trace.
    pub(super) name: String,
    /// The device's signing key.
    pub(super) signing: SigningKey,
    /// The private half of the device's sealing key.
    pub(super) sealing: [u8; 32],
    /// The device.
    pub(super) device: DeviceId,
    /// Its enrolment code.
    pub(super) code: String,
    /// When the real server made it, and in which life.
    pub(super) code_made: Option<(i64, u32)>,
    /// What the office granted it, by the office's books.
    pub(super) grants: BTreeSet<Space>,
    /// What the office has taken from it: these keys never get that again.
    pub(super) taken: BTreeSet<Space>,
    /// The person who writes on it.
    pub(super) author: AuthorId,
    /// The store.
    pub(super) disk: Disk,
    /// The process, unless it was killed.
    pub(super) process: Option<Process>,
    /// Another process that has the store open and doesn't know that it was replaced.
    pub(super) stale: Option<Process>,
    /// Copies of the store with the steps at which they were made.
    pub(super) copies: Vec<(u32, Disk)>,
    /// How far the clock is off.
    pub(super) clock_off: i64,
    /// Forms and drafts.
    pub(super) forms: Vec<Form>,
    /// An edit whose saving was interrupted.
    pub(super) in_doubt: Option<InDoubt>,
    /// What the records must be when the store is opened next.
    pub(super) expected: Option<Vec<(Space, RecordId, RecordState)>>,
    /// Whether the store was ever set back.
    pub(super) rolled_back: bool,
    /// How often a record has ended the program, as long as so many entries of the control feed were held.
    pub(super) ended: BTreeMap<(Place, usize), u32>,
    /// Whether it has been enrolled.
    pub(super) enrolled: bool,
    /// Whether it fell into a well.
    pub(super) lost: bool,
    /// Whether the office has revoked it; then it is lost too.
    pub(super) revoked: bool,
    seed_of_randomness: [u8; 32],
}

impl Phone {
    /// A phone that is not enrolled yet, with this store.
    pub(super) fn new(
        dice: &mut Dice,
        number: usize,
        grants: BTreeSet<Space>,
        clock_off: i64,
        disk: Disk,
    ) -> Self {
        let signing = SigningKey::from_bytes(&dice.bytes());
        let device = DeviceId::of_key(&signing.verifying_key().to_bytes());
        Self {
            name: char::from(b'P' + number as u8).to_string(),
            signing,
            sealing: dice.bytes(),
            device,
            code: sync_core::enrol::code_from(dice.bytes()),
            code_made: None,
            grants,
            taken: BTreeSet::new(),
            author: AuthorId(dice.bytes()),
            disk,
            process: None,
            stale: None,
            copies: Vec::new(),
            clock_off,
            forms: Vec::new(),
            in_doubt: None,
            expected: None,
            rolled_back: false,
            ended: BTreeMap::new(),
            enrolled: false,
            lost: false,
            revoked: false,
            seed_of_randomness: dice.bytes(),
        }
    }

    /// Another phone with the same keys and a copy of the store.
    pub(super) fn clone_device(&self) -> Self {
        Self {
            name: format!("{}'", self.name),
            signing: self.signing.clone(),
            code: self.code.clone(),
            code_made: self.code_made,
            grants: self.grants.clone(),
            taken: self.taken.clone(),
            disk: self.disk.clone(),
            process: None,
            stale: None,
            copies: Vec::new(),
            forms: Vec::new(),
            in_doubt: None,
            expected: None,
            rolled_back: true,
            ended: BTreeMap::new(),
            ..*self
        }
    }

    /// The device's signature.
    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signing.sign(message).to_bytes()
    }

    /// Starts a process on the store.
    pub(super) fn start(
        &mut self,
        dice: &mut Dice,
        plant: Option<Plant>,
        budget: Budget,
    ) -> Result<OpenReport, OpenError> {
        let writer = self.disk.open();
        let store = self.disk.as_seen_by(&writer);
        let mut each = |table: Table, each: &mut dyn FnMut(Vec<u8>)| {
            store.read_shuffled(dice, table, each);
            Ok(())
        };
        let (replica, report) =
            match self.disk.is_buffered() && plant != Some(Plant::ForgetsTheMark) {
                true => Replica::open_marking(&store, &mut each)?,
                false => Replica::open(&store, &mut each)?,
            };
        let rng = match plant {
            Some(Plant::SameRandomness) => ChaCha8Rng::from_seed(self.seed_of_randomness),
            _ => dice.split(),
        };
        let outgoing = BTreeMap::new();
        self.process = Some(Process {
            replica,
            writer,
            rng,
            outgoing,
            budget,
            handed_over: BTreeMap::new(),
        });
        Ok(report)
    }

    /// The batch in the store that a reference of its own names.
    pub(super) fn find(
        &self,
        network: NetworkId,
        reference: &Reference,
    ) -> Option<ReferencedBatch> {
        let batches = self.disk.table(Table::Batch);
        let mut known = batches.filter_map(|(_, bytes)| {
            let batch = Batch::from_store(network, bytes).ok()?;
            let header = &batch.header;
            let place = Reference::to(&header.space, header.device, header.seq);
            (place == *reference).then(|| ReferencedBatch {
                reference: place,
                hash: batch.hash,
                bytes: bytes.to_vec(),
            })
        });
        known.next().filter(|_| known.next().is_none())
    }

    /// Kills the processes.
    pub(super) fn kill(&mut self) {
        self.process = None;
        self.stale = None;
        self.disk.set_back();
    }

    /// Whether the store holds saved edits of a space that no batch holds yet.
    pub(super) fn has_staged(&self, space: &Space) -> bool {
        self.disk
            .table(Table::Staged)
            .any(|(of, _)| of == Some(space))
    }
}
