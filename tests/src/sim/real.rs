//! The real server in the place of the one in memory: two nodes over one database, which serve in turn.
//!
//! A node looks at a request in a snapshot, under no lock, and stores what it brought in a transaction
//! that takes the only writer's lock at its beginning ([`App::begin_exchange`], [`App::finish_exchange`]).
//! So what another node can do in between is all that two nodes can do to each other, statement by
//! statement: the simulator lets the one begin, the other one act, and the first go on.
//!
//! The oracle looks at a [`HubState`] that is read from the database after every step.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::SigningKey;
use ortoo_server::{
    App, Begun, Clock, CodeRequest, CommandError, Dump, InClear, Options, Reach, Renewals,
    RevokeRequest, ServeError, restore,
};
use plan::Package;
use sync_core::batch::Batch;
use sync_core::control::{Control, RevokeReason};
use sync_core::id::{BatchHash, DeviceId, NetworkId, RecordId, Space};
use sync_core::seal::SUITE;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::erased::person;
use super::fault::{Dice, TRUE_TIME_START};
use super::held::{SpaceStore, Stored};
use super::hub::{HubKeys, HubState};

/// Nodes over the one database.
const NODES: usize = 2;
/// The address that enrolment links carry; nobody goes there.
const ADDRESS: &str = "https://server.example";

/// The real server, without a network.
pub(super) struct RealServer {
    // Before the directory, which is removed last.
    nodes: Vec<App>,
    runtime: Runtime,
    dir: TempDir,
    clock: Arc<AtomicI64>,
    package: Package,
    turn: usize,
    /// How often it began another life; each has a journal of its own.
    lives: u32,
    journal: bool,
    backups: u32,
}

/// What a bundle came to.
pub(super) struct Imported {
    /// The bundle to carry back.
    pub(super) reply: Vec<u8>,
    /// Codes of what is not held.
    pub(super) refused: Vec<String>,
}

/// A directory for what tests write, in memory where the system has such a place: what a disk does when
/// it is told to sync is not what is looked at.
pub(super) fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    made.expect("a directory for what tests write")
}

impl RealServer {
    /// A new installation with these keys.
    pub(super) fn found(dice: &mut Dice, keys: &HubKeys, package: &Package, journal: bool) -> Self {
        let dir = scratch();
        let data = dir.path().join("data");
        fs::create_dir(&data).expect("a directory of its own");
        let order = person();
        let files = [
            ("root.key", &keys.root),
            ("node.key", &keys.node),
            ("order.key", &order),
        ];
        for (name, key) in files {
            write_key(&data, name, &key.to_bytes());
        }
        write_key(&data, "match.key", &dice.bytes());
        for name in ["tls.key", "tls-next.key"] {
            let key = SigningKey::from_bytes(&dice.bytes());
            fs::write(data.join(name), tls_key(&key)).expect("a key file");
        }
        let mut server = Self {
            nodes: Vec::new(),
            runtime: Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime"),
            dir,
            clock: Arc::new(AtomicI64::new(TRUE_TIME_START)),
            package: package.clone(),
            turn: 0,
            lives: 0,
            journal,
            backups: 0,
        };
        server.start();
        let app = server.node();
        server.wait(app.remember_address(ADDRESS));
        server
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn backup_file(&self) -> PathBuf {
        self.dir.path().join(format!("backup-{}", self.backups))
    }

    fn journal_dir(&self) -> PathBuf {
        self.dir.path().join(format!("journal-{}", self.lives))
    }

    fn options(&self) -> Options {
        let clock = self.clock.clone();
        Options {
            clock: Clock::of(move || clock.load(Ordering::Relaxed)),
            sample: true,
            package: self.package.clone(),
        }
    }

    /// Starts the nodes that don't run.
    fn start(&mut self) {
        while self.nodes.len() < NODES {
            let opened = self
                .runtime
                .block_on(App::open(&self.data(), self.options()));
            let app = opened.unwrap_or_else(|error| panic!("the server does not start: {error:#}"));
            if self.journal {
                self.wait(app.keep_journal(&self.journal_dir()));
            }
            self.nodes.push(app);
        }
    }

    fn stop(&mut self, nodes: usize) {
        for node in self.nodes.drain(..nodes) {
            self.runtime.block_on(node.close());
        }
    }

    /// The node whose turn it is.
    fn node(&self) -> App {
        self.nodes[self.turn % NODES].clone()
    }

    /// Has a command done that must not fail.
    fn wait<T>(&self, command: impl Future<Output = Result<T, CommandError>>) -> T {
        let done = self.runtime.block_on(command);
        done.unwrap_or_else(|error| panic!("the office's command fails: {error:?}"))
    }

    fn served<T>(&self, request: Result<T, ServeError>) -> Result<T, &'static str> {
        request.map_err(|error| match error {
            ServeError::Refused(refused) => refused.code(),
            other => panic!("the server fails: {other:?}"),
        })
    }

    /// What the time is.
    pub(super) fn set_time(&mut self, now: i64) {
        self.clock.store(now, Ordering::Relaxed);
    }

    /// The installation.
    pub(super) fn network(&self) -> NetworkId {
        self.node().network()
    }

    /// A node looks at a request; which one goes on with it.
    pub(super) fn begin(&mut self, bytes: &[u8]) -> Result<(Begun, App), &'static str> {
        self.turn += 1;
        let app = self.node();
        let begun = self.runtime.block_on(app.begin_exchange(bytes.to_vec()));
        Ok((self.served(begun)?, app))
    }

    /// The node goes on, and answers.
    pub(super) fn finish(&self, (begun, app): (Begun, App)) -> Result<Vec<u8>, &'static str> {
        let answer = self.runtime.block_on(app.finish_exchange(begun));
        self.served(answer)
    }

    /// A node's process dies, and is started again.
    pub(super) fn die(&mut self) {
        self.stop(1);
        self.start();
    }

    /// Redeems a code.
    pub(super) fn enrol(&self, bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
        let answer = self.runtime.block_on(self.node().enrol(bytes.to_vec()));
        self.served(answer)
    }

    /// Makes a code for these spaces.
    pub(super) fn make_code(&self, spaces: &BTreeSet<Space>) -> String {
        let wish = CodeRequest {
            spaces: spaces.iter().map(named).collect(),
            ..CodeRequest::default()
        };
        self.wait(self.node().enrol_code(&wish)).code
    }

    /// Takes a bundle; `None` if nothing in it is for the server.
    pub(super) fn import(&mut self, file: &[u8]) -> Result<Option<Imported>, &'static str> {
        self.turn += 1;
        let report = self
            .runtime
            .block_on(self.node().import_bundle(file.to_vec()));
        match self.served(report) {
            Ok(report) => Ok(Some(Imported {
                reply: report.reply,
                refused: report.not_held,
            })),
            Err("bundle_not_for_us") => Ok(None),
            Err(code) => Err(code),
        }
    }

    /// All that is held of these spaces, sealed.
    pub(super) fn snapshot(&self, spaces: &BTreeSet<Space>) -> Vec<u8> {
        let wished: Vec<String> = spaces.iter().map(named).collect();
        self.wait(self.node().snapshot(&wished)).bytes
    }

    /// A node is started anew with the next plan.
    pub(super) fn publish(&mut self, package: &Package) {
        self.package = package.clone();
        self.stop(1);
        self.start();
    }

    /// What a running server does every hour.
    pub(super) fn hourly(&self) {
        self.wait(self.node().renew_seal_keys());
        self.wait(self.node().empty_log());
    }

    /// Takes these spaces from a device, or all it has if there are none; what the server does not know
    /// that it has is left.
    pub(super) fn revoke(&mut self, device: DeviceId, spaces: BTreeSet<Space>) {
        let wish = RevokeRequest {
            device,
            spaces,
            reason: RevokeReason::Lost,
            renewals: Renewals::Stay,
        };
        self.turn += 1;
        match self.runtime.block_on(self.node().revoke(&wish)) {
            Err(CommandError::Wrong { code, .. })
                if ["device_unknown", "space_not_held"].contains(&code) => {}
            done => done.unwrap_or_else(|error| panic!("nobody is revoked: {error:?}")),
        }
    }

    /// Moves a person to another unit; the code of what speaks against it.
    pub(super) fn move_person(&mut self, record: RecordId, to: &str) -> Result<(), &'static str> {
        self.turn += 1;
        let moved = self.node();
        let moved = self.runtime.block_on(moved.move_person(record, to, None));
        match moved {
            Ok(_) => Ok(()),
            Err(CommandError::Wrong { code, .. }) => Err(code),
            Err(error) => panic!("nobody is moved: {error:?}"),
        }
    }

    /// Decides on a batch that waits.
    pub(super) fn decide(&self, batch: BatchHash, accepted: bool) {
        let batches = BTreeSet::from([batch]);
        self.wait(self.node().decide(&batches, accepted, None));
    }

    /// Erases a record.
    pub(super) fn erase(&mut self, record: RecordId) {
        self.turn += 1;
        let app = self.node();
        let key = sync_core::seal::SigningKey::from_bytes(&person().to_bytes());
        let reach = Reach {
            alone: true,
            ..Reach::default()
        };
        let wish = self.wait(app.erasure(&[record.into()], reach));
        let order = self.wait(app.make_order("order.key", &key, &wish));
        self.wait(app.submit_order("order", &order));
    }

    /// A person orders that a device wipe itself.
    pub(super) fn order_wipe(&mut self, device: DeviceId) {
        self.turn += 1;
        let app = self.node();
        let key = sync_core::seal::SigningKey::from_bytes(&person().to_bytes());
        let wish = self.wait(app.wish_wipe(device));
        let order = self.wait(app.make_order("order.key", &key, &wish));
        self.wait(app.submit_order("order", &order));
    }

    /// Writes a backup, which takes the place of the one before.
    pub(super) fn back_up(&mut self) {
        self.backups += 1;
        self.wait(self.node().backup(&self.backup_file(), InClear::Known));
    }

    /// The server is lost and restored from the last backup, with its journal if it keeps one; whether
    /// it is in recovery.
    pub(super) fn restore(&mut self) {
        self.stop(self.nodes.len());
        fs::remove_dir_all(self.data()).expect("the data directory is lost");
        let (file, data) = (self.backup_file(), self.data());
        let journal = self.journal.then(|| self.journal_dir());
        self.wait(restore(&file, &data, journal.as_deref(), self.options()));
        self.lives += 1;
        self.start();
    }

    /// The office has everybody served again.
    pub(super) fn confirm(&self) {
        self.wait(self.node().confirm_recovery());
    }

    /// What the database holds.
    pub(super) fn read(&self) -> HubState {
        let held = self.wait(self.node().dump());
        state_of(self.network(), held)
    }

    /// What the commands that check a server say of it: how many cells of the figures have anything in
    /// them, or the rule that does not hold and what was seen.
    pub(super) fn verify(&self) -> Result<u64, (&'static str, String)> {
        let verified = self.wait(self.node().verify());
        let counted = self.wait(self.node().verify_cells());
        if !verified.differences.is_empty() {
            return Err(("R10", format!("{:?}", verified.differences)));
        }
        match counted.differences.is_empty() {
            true => Ok(counted.cells),
            false => Err(("R42", format!("{:?}", counted.differences))),
        }
    }

    /// How often it was restored.
    pub(super) fn lives(&self) -> u32 {
        self.lives
    }
}

impl Drop for RealServer {
    fn drop(&mut self) {
        self.stop(self.nodes.len());
    }
}

fn named(space: &Space) -> String {
    format!("{}.{}", space.unit(), space.class.key())
}

fn state_of(network: NetworkId, held: Dump) -> HubState {
    let mut control = Control::new(network);
    for bytes in &held.control {
        match control.check(bytes) {
            Ok(Some(entry)) => control.apply(entry),
            other => panic!("a control entry of the database: {other:?}"),
        }
    }
    let mut spaces = BTreeMap::new();
    let mut records = BTreeMap::new();
    for held in held.spaces {
        let mut store = SpaceStore::default();
        held.batches
            .iter()
            .for_each(|bytes| store.push(stored(network, bytes)));
        let waiting = held.waiting.iter().map(|bytes| stored(network, bytes));
        store
            .stash
            .extend(waiting.map(|stored| (stored.node.hash, stored)));
        for (record, state) in held.records {
            records.insert((held.space.clone(), record), Rc::new(state));
        }
        spaces.insert(held.space, store);
    }
    let mut state = HubState::new(network);
    state.control = Rc::new(control);
    state.spaces = spaces;
    state.records = records;
    state.recovery = held.recovery;
    state.returned = held.returned;
    state
}

fn stored(network: NetworkId, bytes: &[u8]) -> Rc<Stored> {
    let batch = Batch::from_store(network, bytes).expect("a batch of the database");
    let node = batch.node();
    Rc::new(Stored { batch, node })
}

/// Writes a private key as the server keeps them.
fn write_key(dir: &Path, name: &str, private: &[u8; 32]) {
    let text = HEXLOWER.encode(&[&[SUITE], private.as_slice()].concat());
    fs::write(dir.join(name), text + "\n").expect("a key file");
}

/// A TLS key as PEM: PKCS #8 version 2 of Ed25519 (RFC 8410).
fn tls_key(key: &SigningKey) -> String {
    let head = [
        0x30, 0x51, 0x02, 0x01, 0x01, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    let public = key.verifying_key().to_bytes();
    let der = [
        &head,
        key.to_bytes().as_slice(),
        &[0x81, 0x21, 0x00],
        &public,
    ]
    .concat();
    let text = BASE64.encode(&der);
    let lines = text.as_bytes().chunks(64);
    let lines: Vec<String> = lines
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        lines.join("\n")
    )
}
