//! The server as the simulator keeps it: `sync_core::hub` over state in memory, used exactly as the
//! real server uses it over SQL. A request works on a copy, which is committed whole or not at all.
//!
//! Or the real server itself answers in its place (`real`); what is here is then what its database holds.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ed25519_dalek::{Signer, SigningKey};
use plan::Package;
use sync_core::batch::Reference;
use sync_core::control::{Control, ControlEntry, Enrolment, RootStatement, SealKey};
use sync_core::enrol::{EnrolAnswer, EnrolRequest};
use sync_core::hub::{self, NodeIdentity, Opened, SpaceHeld};
use sync_core::id::{AuthorId, DeviceId, Incarnation, NetworkId, RecordId, Space};
use sync_core::record::RecordState;
use sync_core::seal::SealingKey;
use sync_core::wire::{Answer, Request, Safe};

use super::fault::{Dice, Plant};
use super::held::{SpaceStore, changes_of, find, known, load_all, load_part};
use super::real::RealServer;
use super::restore::Journal;

/// Everything that the server has committed.
#[derive(Clone)]
pub(super) struct HubState {
    /// The control feed.
    pub(super) control: Rc<Control>,
    /// The batches.
    pub(super) spaces: BTreeMap<Space, SpaceStore>,
    /// The records, made from the batches.
    pub(super) records: BTreeMap<(Space, RecordId), Rc<RecordState>>,
    codes: BTreeMap<String, Code>,
    /// It was restored and not confirmed yet (R20).
    pub(super) recovery: bool,
    /// Devices that came back with an enrolment that was lost, of which nobody has said yet that it is
    /// good.
    pub(super) returned: BTreeSet<DeviceId>,
}

/// Whoever else has the phone in hand.
pub(super) const SHARED: AuthorId = AuthorId([0xa0; 8]);

#[derive(Clone)]
struct Code {
    spaces: BTreeSet<Space>,
    author: AuthorId,
    used_by: Option<[u8; 32]>,
}

/// What makes an installation the one that it is.
pub(super) struct HubKeys {
    /// Signs the root statement.
    pub(super) root: SigningKey,
    /// Signs all other control entries.
    pub(super) node: SigningKey,
    /// The life of the database.
    pub(super) incarnation: Incarnation,
    /// Makes the nonces.
    pub(super) nonce: [u8; 32],
}

/// The server.
pub(super) struct MemoryHub {
    pub(super) me: NodeIdentity,
    pub(super) node: SigningKey,
    /// The private half of the key that bundles are sealed to.
    pub(super) seal: [u8; 32],
    /// What is committed.
    pub(super) state: HubState,
    partial_load: bool,
    pub(super) plant: Option<Plant>,
    /// What is written to a second disk, if it is.
    pub(super) journal: Option<Journal>,
    /// The counters of the last backup.
    pub(super) backed_up: BTreeMap<Space, u64>,
    /// It was restored at some time.
    pub(super) restored: bool,
    /// The roster before the last revocation, for a server that goes on with it.
    pub(super) remembered: Option<Rc<Control>>,
    /// The real server, if it answers; `state` is what its database holds.
    pub(super) real: Option<RealServer>,
}

/// What serving a request would do; nothing is committed yet.
pub(super) struct Served {
    /// The state after it.
    pub(super) state: HubState,
    /// The spaces that were asked for, in the request's order.
    pub(super) asked: Vec<Space>,
    /// The answer's bytes.
    pub(super) answer: Vec<u8>,
    /// Codes of batches that are not held.
    pub(super) refused: Vec<String>,
    /// What was held when it was answered, if that is not `state`: it was only read, and others acted
    /// before the answer went out.
    pub(super) read_from: Option<HubState>,
}

impl Served {
    /// What was held when it was answered.
    pub(super) fn answered_from(&self) -> &HubState {
        self.read_from.as_ref().unwrap_or(&self.state)
    }
}

impl HubState {
    /// Of an installation that holds nothing.
    pub(super) fn new(network: NetworkId) -> Self {
        Self {
            control: Rc::new(Control::new(network)),
            spaces: BTreeMap::new(),
            records: BTreeMap::new(),
            codes: BTreeMap::new(),
            recovery: false,
            returned: BTreeSet::new(),
        }
    }

    /// Whether a device is sent nothing but acknowledgements and control.
    pub(super) fn holds_back(&self, device: DeviceId) -> bool {
        self.recovery || self.returned.contains(&device)
    }

    /// Rebuilds records from their batches.
    pub(super) fn remake(&mut self, space: &Space, records: impl IntoIterator<Item = RecordId>) {
        for record in records {
            let store = self.spaces.get(space);
            let changes = changes_of(&self.control, space, store, record);
            let changes: Vec<_> = changes
                .iter()
                .map(|(device, raw)| (*device, raw.as_slice()))
                .collect();
            let state = Rc::new(RecordState::rebuild(&changes));
            self.records.insert((space.clone(), record), state);
        }
    }

    /// Goes on with a control state that holds more, and does what its new entries say.
    pub(super) fn join_control(&mut self, control: Control) {
        let known = self.control.entries().count();
        let counts = control
            .entries()
            .skip(known)
            .any(ControlEntry::changes_quarantine);
        self.control = Rc::new(control);
        self.execute_erasures();
        if counts {
            self.remake_all();
        }
    }

    /// Joins entries that somebody shows: who is let in by one of them is held back.
    pub(super) fn learn(&mut self, control: Control, shown: &[ControlEntry]) {
        let let_in = shown.iter().filter_map(ControlEntry::enrols);
        let more = let_in.filter(|device| control.grants(*device) != self.control.grants(*device));
        self.returned.extend(more);
        self.join_control(control);
    }

    /// Rebuilds all records: what counts has changed.
    pub(super) fn remake_all(&mut self) {
        let records: Vec<(Space, RecordId)> = self.records.keys().cloned().collect();
        for (space, record) in records {
            self.remake(&space, [record]);
        }
    }
}

impl HubKeys {
    fn draw(dice: &mut Dice) -> Self {
        Self {
            root: SigningKey::from_bytes(&dice.bytes()),
            node: SigningKey::from_bytes(&dice.bytes()),
            incarnation: Incarnation(dice.bytes()),
            nonce: dice.bytes(),
        }
    }
}

impl MemoryHub {
    /// A new installation with a root, one node and a plan package.
    pub(super) fn new(
        dice: &mut Dice,
        package: &Package,
        partial_load: bool,
        plant: Option<Plant>,
    ) -> Self {
        let keys = HubKeys::draw(dice);
        let root = keys.root.clone();
        let mut hub = Self {
            partial_load,
            plant,
            seal: dice.bytes(),
            ..Self::of(keys, package)
        };
        hub.list_person(&root);
        if let Ok(key) = SealingKey::from_bytes(&hub.seal) {
            let key = SealKey {
                month: 2026 * 12,
                key: key.public(),
            };
            let entry = hub.signed(|network, signer| ControlEntry::seal_key(network, &key, signer));
            hub.add_control(&entry);
        }
        hub
    }

    /// The installation with these keys.
    pub(super) fn of(keys: HubKeys, package: &Package) -> Self {
        let HubKeys { root, node, .. } = keys;
        let statement = RootStatement {
            version: 1,
            root_keys: vec![root.verifying_key().to_bytes()],
            threshold: 1,
            node_keys: vec![node.verifying_key().to_bytes()],
            order_keys: Vec::new(),
            tls_keys: Vec::new(),
        };
        let network = statement.network();
        let me = NodeIdentity {
            network,
            incarnation: keys.incarnation,
            nonce_key: keys.nonce,
        };
        let root_sign = |message: &[u8]| root.sign(message).to_bytes();
        let entry = ControlEntry::root(
            network,
            &statement,
            (root.verifying_key().to_bytes(), &root_sign),
        );
        let state = HubState::new(network);
        let mut hub = Self {
            me,
            node,
            seal: [0; 32],
            state,
            partial_load: false,
            plant: None,
            journal: None,
            backed_up: BTreeMap::new(),
            restored: false,
            remembered: None,
            real: None,
        };
        hub.add_control(&entry);
        hub.publish(package);
        hub
    }

    /// A new installation that the real server serves, with a journal or without.
    pub(super) fn real(dice: &mut Dice, package: &Package, journal: bool) -> Self {
        let keys = HubKeys::draw(dice);
        let real = RealServer::found(dice, &keys, package, journal);
        let mut hub = Self::of(keys, package);
        hub.me.network = real.network();
        hub.real = Some(real);
        hub.read_real();
        hub
    }

    /// Looks at what the real server holds now.
    pub(super) fn read_real(&mut self) {
        if let Some(real) = &self.real {
            self.state = real.read();
        }
    }

    /// The installation.
    pub(super) fn network(&self) -> NetworkId {
        self.me.network
    }

    /// Publishes a plan package.
    pub(super) fn publish(&mut self, package: &Package) {
        if let Some(real) = &mut self.real {
            real.publish(package);
            return self.read_real();
        }
        let entry = self.signed(|network, signer| ControlEntry::package(network, package, signer));
        self.add_control(&entry);
    }

    /// Returns a device more spaces.
    pub(super) fn widen(&mut self, device: DeviceId, spaces: BTreeSet<Space>) {
        let Some(held) = self.state.control.enrolment(device) else {
            return;
        };
        let enrolment = Enrolment {
            spaces,
            ..held.clone()
        };
        let entry = self.signed(|network, signer| ControlEntry::enrol(network, &enrolment, signer));
        self.add_control(&entry);
    }

    /// An entry that the node signs.
    pub(super) fn signed(
        &self,
        make: impl FnOnce(NetworkId, sync_core::control::Signer<'_>) -> Vec<u8>,
    ) -> Vec<u8> {
        let sign = |message: &[u8]| self.node.sign(message).to_bytes();
        make(
            self.me.network,
            (self.node.verifying_key().to_bytes(), &sign),
        )
    }

    /// Commits a state; the journal is written first. The real server has done so.
    pub(super) fn commit(&mut self, state: HubState) {
        if let Some(journal) = &mut self.journal {
            journal.append(&state);
        }
        self.state = state;
    }

    /// Takes a control entry.
    pub(super) fn add_control(&mut self, entry: &[u8]) {
        self.remembered = None;
        let control = Rc::make_mut(&mut self.state.control);
        let checked = control
            .check(entry)
            .expect("the office signs entries that check");
        if let Some(entry) = checked {
            control.apply(entry);
        }
        if let Some(journal) = &mut self.journal {
            journal.append(&self.state);
        }
    }

    /// Makes an enrolment code.
    pub(super) fn make_code(&mut self, code: &str, spaces: BTreeSet<Space>, author: AuthorId) {
        self.state.codes.insert(
            code.to_owned(),
            Code {
                spaces,
                author,
                used_by: None,
            },
        );
    }

    /// Redeems a code; the same key gets the same answer again (R26). Commits.
    pub(super) fn enrol(&mut self, bytes: &[u8], now: i64) -> Result<Vec<u8>, &'static str> {
        if let Some(real) = &mut self.real {
            real.set_time(now);
            let answer = real.enrol(bytes);
            self.read_real();
            return answer;
        }
        let request = EnrolRequest::decode(self.me.network, bytes).map_err(|bad| bad.code())?;
        let code = self
            .state
            .codes
            .get(&request.code)
            .cloned()
            .ok_or("code_unknown")?;
        let device = DeviceId::of_key(&request.signing_key);
        match code.used_by {
            Some(key) if key != request.signing_key => return Err("code_used"),
            Some(_) => {}
            None => {
                let enrolment = Enrolment {
                    signing_key: request.signing_key,
                    sealing_key: request.sealing_key,
                    spaces: code.spaces.clone(),
                    authors: BTreeSet::from([code.author, SHARED]),
                    renews: None,
                };
                let entry =
                    self.signed(|network, signer| ControlEntry::enrol(network, &enrolment, signer));
                self.add_control(&entry);
                if let Some(code) = self.state.codes.get_mut(&request.code) {
                    code.used_by = Some(request.signing_key);
                }
            }
        }
        let control = self.state.control.for_spaces(&code.spaces);
        Ok(EnrolAnswer {
            pending: false,
            pin_only: true,
            author: code.author,
            incarnation: self.me.incarnation,
            nonce: self.me.nonce(device, now),
            time: now,
            control: control.map(|entry| entry.bytes().to_vec()).collect(),
        }
        .encode())
    }

    /// Serves a request up to the commit.
    ///
    /// With dice for `untidy`, the answer's batches come in any order and something may be left out.
    pub(super) fn serve(
        &mut self,
        bytes: &[u8],
        now: i64,
        untidy: Option<&mut Dice>,
    ) -> Result<Served, &'static str> {
        if let Some(real) = &mut self.real {
            real.set_time(now);
            let begun = real.begin(bytes)?;
            let before = self.state.clone();
            return self.finish(begun, bytes, &before);
        }
        self.would_serve(bytes, now, untidy)
    }

    /// The real server goes on with a request that it has begun with, when it held `before`.
    pub(super) fn finish(
        &self,
        begun: (ortoo_server::Begun, ortoo_server::App),
        bytes: &[u8],
        before: &HubState,
    ) -> Result<Served, &'static str> {
        let Some(real) = &self.real else {
            return Err("nobody has begun");
        };
        let read_from = begun.0.is_answered().then(|| before.clone());
        let answer = real.finish(begun)?;
        let state = real.read();
        let network = self.network();
        let (device, asked) = Request::asker(network, bytes).map_err(|bad| bad.code())?;
        let mut served = Served {
            state,
            asked,
            answer,
            refused: Vec::new(),
            read_from,
        };
        let held = &served.answered_from().spaces;
        let mut find = |reference: &Reference| find(held, reference);
        let (asked, answer) = (&served.asked, &served.answer);
        let read = Answer::decode_with(network, answer, device, asked, &mut find);
        let refused = read.map_err(|bad| bad.code())?.refused.into_iter();
        served.refused = refused.map(|refused| refused.code).collect();
        Ok(served)
    }

    /// What the server in memory would do; nothing is committed yet.
    pub(super) fn would_serve(
        &self,
        bytes: &[u8],
        now: i64,
        untidy: Option<&mut Dice>,
    ) -> Result<Served, &'static str> {
        let mut state = self.state.clone();
        let request = loop {
            let roster = self.remembered.as_ref().unwrap_or(&state.control);
            match hub::open(&self.me, roster, bytes, now) {
                Err(refusal) => return Err(refusal.code()),
                Ok(Opened::StaleNonce(answer)) => {
                    return Ok(Served {
                        state,
                        asked: Vec::new(),
                        answer: answer.encode(self.me.network),
                        refused: Vec::new(),
                        read_from: None,
                    });
                }
                // It teaches nothing when it is opened again.
                Ok(Opened::ControlRepair(entries)) => {
                    // Its own log is all there is for it.
                    if self.plant == Some(Plant::ControlReplayedAsLog) {
                        return Err("device_unknown");
                    }
                    let mut control = Control::clone(&state.control);
                    entries
                        .iter()
                        .for_each(|entry| control.apply(entry.clone()));
                    state.learn(control, &entries);
                }
                Ok(Opened::Wipe(device, wipe_report)) => {
                    return self.farewell(state, device, wipe_report, now);
                }
                Ok(Opened::Request(unopened)) => break unopened,
            }
        };
        let mut find = |reference: &Reference| find(&state.spaces, reference);
        let brought = hub::take_apart(&self.me, &state.control, *request, &mut find);
        let hub::Brought {
            request,
            batches: mut incoming,
        } = brought.map_err(|refusal| refusal.code())?;
        if self.plant == Some(Plant::RedactedWithoutOrder) {
            self.unblot(&state.control, bytes, &mut incoming);
        }
        let mut held = BTreeMap::new();
        let lacking_max = hub::batches_to_fill(request.budget as usize);
        for claim in &request.spaces {
            let store = state.spaces.entry(claim.space.clone()).or_default();
            let named = incoming
                .iter()
                .flatten()
                .filter(|b| b.header.space == claim.space);
            let space = if self.partial_load {
                load_part(store, claim, &named.collect::<Vec<_>>(), lacking_max)
            } else {
                load_all(store, claim.counter)
            };
            held.insert(claim.space.clone(), space);
        }
        // Brought from spaces that the phone has just lost: it is told nothing of them.
        for batch in incoming.iter().flatten() {
            let space = &batch.header.space;
            if !held.contains_key(space) {
                let store = state.spaces.entry(space.clone()).or_default();
                held.insert(space.clone(), load_all(store, store.arrivals.len() as u64));
            }
        }
        let bases = hub::bases(&self.me, &request, &held);
        let taken = self.take(&mut state, &mut held, &request, incoming);
        let refused = taken
            .refused
            .iter()
            .map(|refused| refused.code.clone())
            .collect();
        let plan = hub::plan(
            &self.me,
            &state.control,
            &request,
            bases.as_ref(),
            &held,
            taken,
            now,
        );
        let plan =
            match state.holds_back(request.device) && self.plant != Some(Plant::ServesInRecovery) {
                true => plan.held_back(),
                false => plan,
            };
        let mut answer: Answer = plan.answer.clone();
        answer.safe = self.safe(&request, &held);
        let mut room = request.budget as usize;
        for (space, hash) in &plan.send {
            let Some(stored) = state.spaces.get(space).and_then(|store| store.get(*hash)) else {
                continue;
            };
            let bytes = stored.batch.bytes();
            let first = answer.batches.is_empty() && self.plant != Some(Plant::BudgetOfNothing);
            if bytes.len() > room && !first {
                answer.more = true;
                break;
            }
            room = room.saturating_sub(bytes.len());
            answer.batches.push(bytes.to_vec());
        }
        if request.receipts {
            let node = sync_core::seal::SigningKey::from_bytes(&self.node.to_bytes());
            answer.receipts = hub::receipts(&self.me, &held, &node);
        }
        let mut untidy = untidy;
        if let Some(refer) = &mut answer.refer {
            // An untidy server may refer to what the phone has not said that it holds.
            let all = untidy.as_mut().is_some_and(|dice| dice.chance(300));
            let holds = |space: &Space, device, seq| all || plan.phone_holds(space, device, seq);
            refer.known = known(&state.spaces, &refer.spaces, holds);
        }
        if let Some(dice) = untidy {
            dice.shuffle(&mut answer.batches);
            if dice.chance(500) {
                answer.batches.pop();
            }
            if dice.chance(300) {
                answer.control.clear();
            }
        }
        Ok(Served {
            state,
            asked: request
                .spaces
                .into_iter()
                .map(|claim| claim.space)
                .collect(),
            answer: answer.encode(self.me.network),
            refused,
            read_from: None,
        })
    }

    /// What of the spaces of a request stands in the journal or in the backup.
    fn safe(&self, request: &Request, held: &BTreeMap<Space, SpaceHeld>) -> Option<Safe> {
        if self.journal.is_some() || self.plant == Some(Plant::SafeToldTooEarly) {
            return Some(Safe::All);
        }
        let spaces = (0u32..).zip(&request.spaces);
        let safe: Vec<(u32, u64)> = spaces
            .filter_map(|(place, claim)| Some((place, *self.backed_up.get(&claim.space)?)))
            .collect();
        let all = request.spaces.iter().all(|claim| {
            let counter = held.get(&claim.space).map_or(0, |held| held.counter);
            self.backed_up.get(&claim.space).copied().unwrap_or(0) >= counter
        });
        match (safe.is_empty(), all) {
            (true, _) => None,
            (false, true) => Some(Safe::All),
            (false, false) => Some(Safe::UpTo(safe)),
        }
    }
}
