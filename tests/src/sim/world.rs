//! The world of a run: phones, the server, the link between them, and what happens step by step.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use plan::Package;
use sync_core::batch::{Batch, Reference};
use sync_core::enrol::{EnrolAnswer, EnrolRequest};
use sync_core::id::{AuthorId, ChangeHash, Class, DeviceId, RecordId, Space};
use sync_core::row::Table;
use sync_core::wire::Answer;

use super::Options;
use super::agree::check_secrecy;
use super::fault::{Config, Dice, Fault, TRUE_TIME_START};
use super::held;
use super::hostile::Hostile;
use super::hub::{HubState, MemoryHub};
use super::network::Network;
use super::oracle::{Checked, Ledger, change_head, require};
use super::phone::Phone;
use super::restore::Journal;
use super::store::Disk;

/// Org units of the simulated banner.
pub(super) const UNITS: [&str; 2] = ["152522100200", "152522100201"];
/// Copies of a store that are kept to be set back to.
const COPIES_MAX: usize = 3;
/// Phones, with those that are copies of others.
const PHONES_MAX: usize = 6;

/// Everything there is in a run.
pub(super) struct World {
    pub(super) config: Config,
    pub(super) dice: Dice,
    pub(super) options: Options,
    pub(super) hub: MemoryHub,
    pub(super) phones: Vec<Phone>,
    pub(super) network: Network,
    pub(super) hostile: Option<Hostile>,
    pub(super) ledger: Ledger,
    pub(super) package: Package,
    pub(super) step: u32,
    pub(super) rounds: u32,
    /// Seconds since the start by the true clock, which is the server's.
    pub(super) seconds: i64,
    pub(super) exchanges: u64,
    pub(super) refused_forms: u64,
    /// Cells of the real server's figures that had anything in them at the end.
    pub(super) cells: u64,
    pub(super) faults: BTreeMap<Fault, u64>,
    pub(super) trace: Vec<String>,
    pub(super) hub_copy: Option<HubState>,
    /// The server's last backup.
    pub(super) backup: Option<HubState>,
    /// Records that were merged alone when something else ended the program.
    pub(super) unlucky: BTreeSet<RecordId>,
    /// Bundles under way.
    pub(super) bag: Vec<Rc<[u8]>>,
    /// A replaced process is at work: nothing else goes wrong meanwhile.
    pub(super) stale_at_work: bool,
    /// The hostile device is revoked.
    pub(super) hostile_revoked: bool,
}

impl World {
    /// The world of a configuration; `dice` are those that drew it.
    pub(super) fn new(config: Config, mut dice: Dice, options: Options) -> Self {
        let package = super::users::package();
        let hub = match options.real {
            true => MemoryHub::real(&mut dice, &package, config.journal),
            false => {
                let partial = config.partial_load;
                let mut hub = MemoryHub::new(&mut dice, &package, partial, options.plant);
                hub.journal = config.journal.then(Journal::default);
                hub
            }
        };
        let mut hub = hub;
        let cadre = |unit: &str| {
            Class::CADRE.map(|class| Space::new(unit, class).expect("a code of 12 digits"))
        };
        let phones: Vec<Phone> = (0..config.phones)
            .map(|number| {
                let mut grants = BTreeSet::from(cadre(UNITS[number % config.units]));
                if config.units > 1 && dice.chance(200) {
                    grants.extend(cadre(UNITS[0]));
                    grants.extend(cadre(UNITS[1]));
                }
                if dice.chance(150) {
                    // A clinic's phone, which does not hold what the cadre's does.
                    grants.retain(|space| space.class != Class::Care);
                }
                let clock_off = config.clocks[number];
                let disk = match options.real {
                    true => Disk::in_files(),
                    // Every third phone is a browser.
                    false if (config.seed + number as u64).is_multiple_of(3) => Disk::buffered(),
                    false => Disk::default(),
                };
                Phone::new(&mut dice, number, grants, clock_off, disk)
            })
            .collect();
        for phone in &phones {
            hub.make_code(&phone.code, phone.grants.clone(), phone.author);
        }
        let mut hostile = None;
        if config.hostile > 0 {
            let spaces = vec![cadre(UNITS[0])[0].clone(), cadre(UNITS[0])[1].clone()];
            let mut device = Hostile::new(&mut dice, spaces.clone());
            let author = AuthorId([0xbd; 8]);
            let spaces = spaces.into_iter().collect();
            match &hub.real {
                Some(real) => device.code = real.make_code(&spaces),
                None => hub.make_code(&device.code, spaces, author),
            }
            let request = EnrolRequest {
                code: device.code.clone(),
                signing_key: device.key(),
                sealing_key: [0; 32],
                strong_secret: true,
            };
            let request = request.encode(hub.network(), &|message| device.sign(message));
            let answer = hub
                .enrol(&request, TRUE_TIME_START)
                .expect("the code was just made");
            device.nonce = EnrolAnswer::decode(&answer).expect("our own answer").nonce;
            hostile = Some(device);
        }
        Self {
            config,
            dice,
            options,
            hub,
            phones,
            network: Network::default(),
            hostile,
            ledger: Ledger::default(),
            package,
            step: 0,
            rounds: 0,
            seconds: 0,
            exchanges: 0,
            refused_forms: 0,
            cells: 0,
            faults: BTreeMap::new(),
            trace: Vec::new(),
            hub_copy: None,
            backup: None,
            unlucky: BTreeSet::new(),
            bag: Vec::new(),
            stale_at_work: false,
            hostile_revoked: false,
        }
    }

    /// Steps under faults, then peace, then the questions.
    pub(super) fn run(&mut self) -> Checked {
        for early in 0..self.config.early_phones {
            self.enrol(early)?;
        }
        while self.step < self.config.steps {
            self.step += 1;
            self.seconds += self.dice.below(3600) as i64;
            self.mischief()?;
            self.act()?;
        }
        self.finish()
    }

    /// Steps taken.
    pub(super) fn step(&self) -> u32 {
        self.step
    }

    /// Edits that users were told are saved.
    pub(super) fn saved(&self) -> usize {
        self.ledger.saved.len()
    }

    /// Forms that the dictionary refused.
    pub(super) fn refused_forms(&self) -> u64 {
        self.refused_forms
    }

    /// Cells of the real server's figures with anything in them.
    pub(super) fn cells(&self) -> u64 {
        self.cells
    }

    /// Rounds needed in the end.
    pub(super) fn rounds(&self) -> u32 {
        self.rounds
    }

    /// What went wrong on purpose.
    pub(super) fn faults(&self) -> &BTreeMap<Fault, u64> {
        &self.faults
    }

    /// What happened.
    pub(super) fn take_trace(&mut self) -> Vec<String> {
        std::mem::take(&mut self.trace)
    }

    pub(super) fn say(&mut self, text: impl FnOnce(&Self) -> String) {
        if self.options.trace {
            let line = format!("{:4} {}", self.step, text(self));
            self.trace.push(line);
        }
    }

    pub(super) fn count(&mut self, fault: Fault) {
        *self.faults.entry(fault).or_default() += 1;
    }

    pub(super) fn hub_now(&self) -> i64 {
        TRUE_TIME_START + self.seconds
    }

    pub(super) fn phone_now(&self, p: usize) -> i64 {
        self.hub_now() + self.phones[p].clock_off
    }

    pub(super) fn name(&self, p: usize) -> &str {
        &self.phones[p].name
    }

    /// One of the usual things: somebody types, an exchange begins, a message arrives.
    fn act(&mut self) -> Checked {
        let p = self.dice.below(self.phones.len());
        let kind = self.dice.below(100);
        if kind < 45 && self.network.flying() > 0 {
            return self.deliver_next();
        }
        if self.phones[p].lost {
            return Ok(());
        }
        if !self.phones[p].enrolled {
            // Later phones take their time.
            return if self.dice.chance(400) {
                self.enrol(p)
            } else {
                Ok(())
            };
        }
        if self.phones[p].process.is_none() {
            return self.open(p);
        }
        if kind < 75 {
            self.edit(p)
        } else {
            self.begin_exchange(p)
        }
    }

    /// What goes wrong by itself between two steps.
    fn mischief(&mut self) -> Checked {
        let p = self.dice.below(self.phones.len());
        if self.config.rollback > 0 && self.dice.chance(80) && self.phones[p].enrolled {
            let copy = (self.step, self.phones[p].disk.clone());
            self.phones[p].copies.push(copy);
            if self.phones[p].copies.len() > COPIES_MAX {
                self.phones[p].copies.remove(0);
            }
        }
        if self.dice.chance(self.config.crash) && self.phones[p].process.is_some() {
            if self.dice.chance(500) {
                self.count(Fault::CrashIdle);
                self.say(|w| format!("{} is killed", w.name(p)));
                self.kill(p, true);
            } else {
                self.count(Fault::TwoWriters);
                self.say(|w| format!("{}: a second process opens the store", w.name(p)));
                let old = self.phones[p].process.take();
                self.open(p)?;
                self.phones[p].stale = old;
            }
        }
        if self.phones[p].lost {
            return Ok(());
        }
        if self.phones[p].stale.is_some() && self.dice.chance(300) {
            self.stale_acts(p)?;
        }
        if self.dice.chance(self.config.rollback) && !self.phones[p].copies.is_empty() {
            self.set_back(p);
        }
        if self.dice.chance(self.config.loss) {
            self.lose_or_clone(p)?;
        }
        if self.config.hub_rollback > 0 && self.dice.chance(60) {
            self.hub_copy = Some(self.hub.state.clone());
        }
        if self.dice.chance(self.config.hub_rollback) {
            self.set_hub_back();
        }
        self.restores()?;
        if self.dice.chance(self.config.courier) {
            self.courier_acts()?;
        }
        if self.dice.chance(self.config.noise) {
            self.noise()?;
        }
        if self.dice.chance(self.config.hostile) {
            self.hostile_acts()?;
        }
        if self.dice.chance(self.config.office) {
            self.office_acts()?;
        }
        Ok(())
    }

    fn set_back(&mut self, p: usize) {
        let (step, disk) = self.dice.pick(&self.phones[p].copies).clone();
        self.count(Fault::Rollback);
        self.say(|w| format!("{} is set back to its copy of step {step}", w.name(p)));
        let phone = &mut self.phones[p];
        phone.kill();
        phone.expected = None;
        phone.in_doubt = None;
        phone.ended.clear();
        phone.disk = disk;
        phone.rolled_back = true;
        self.ledger.set_back(p, step);
        self.write_off();
    }

    fn lose_or_clone(&mut self, p: usize) -> Checked {
        let alive = self.phones.iter().filter(|phone| !phone.lost).count();
        if !self.phones[p].enrolled || self.phones[p].lost || alive < 2 {
            return Ok(());
        }
        if self.dice.chance(500) {
            self.count(Fault::PhoneLost);
            self.say(|w| format!("{} is lost", w.name(p)));
            self.phones[p].kill();
            self.phones[p].lost = true;
            let outbox_saved = self.dice.chance(500);
            if outbox_saved {
                self.save_outbox(p)?;
            }
            self.ledger.set_back(p, 0);
            self.write_off();
            // Of a phone that was never set back, and of a server that forgot nothing.
            let restored = self.hub.restored && self.hub.journal.is_none();
            let whole = self.config.hub_rollback == 0 && self.config.hub_crash == 0 && !restored;
            if outbox_saved && whole && !self.phones[p].rolled_back {
                let control = &self.hub.state.control;
                let saved = self.ledger.saved.iter().filter(|saved| saved.phone == p);
                let mut saved = saved.filter(|saved| !control.is_erased(saved.record));
                require("Durability", saved.all(|saved| !saved.gone), || {
                    format!("{}: an edit is lost with its phone", self.name(p))
                })?;
            }
        } else if self.phones.len() < PHONES_MAX {
            self.count(Fault::Cloned);
            self.say(|w| format!("{}'s store is copied to a second phone", w.name(p)));
            self.phones[p].rolled_back = true;
            let clone = self.phones[p].clone_device();
            self.phones.push(clone);
        }
        Ok(())
    }

    fn set_hub_back(&mut self) {
        let Some(copy) = self.hub_copy.take() else {
            return;
        };
        self.count(Fault::HubSetBack);
        self.say(|_| "the server's batches are set back".into());
        self.hub.state.spaces = copy.spaces;
        self.hub.state.records = copy.records;
        // The office revoked and decided since the copy was made.
        self.hub.state.remake_all();
        self.hub.state.execute_erasures();
        self.write_off();
    }

    /// What only a lost or set back phone held is gone.
    pub(super) fn write_off(&mut self) {
        let hub = self
            .hub
            .state
            .spaces
            .values()
            .flat_map(|store| &store.arrivals);
        let hub = hub.flat_map(|stored| stored.batch.entries.clone());
        let network = self.hub.network();
        let phones = self.phones.iter().filter(|phone| !phone.lost);
        let rows = phones.flat_map(|phone| phone.disk.table(Table::Batch));
        let batches = rows.filter_map(|(_, bytes)| Batch::from_store(network, bytes).ok());
        let entries = hub.chain(batches.flat_map(|batch| batch.entries));
        let held: BTreeSet<ChangeHash> = entries
            .filter_map(|entry| change_head(&entry.change))
            .map(|head| head.hash)
            .collect();
        self.ledger.write_off(&held);
    }

    fn stale_acts(&mut self, p: usize) -> Checked {
        let phone = &mut self.phones[p];
        std::mem::swap(&mut phone.process, &mut phone.stale);
        self.stale_at_work = true;
        self.say(|w| format!("{}: the replaced process goes on", w.name(p)));
        let done = if self.dice.chance(600) {
            self.edit(p)
        } else {
            self.begin_exchange(p)
        };
        self.stale_at_work = false;
        let phone = &mut self.phones[p];
        std::mem::swap(&mut phone.process, &mut phone.stale);
        if self.dice.chance(700) {
            self.phones[p].stale = None;
        }
        done
    }

    /// An old request is played again, or bytes come that are nothing.
    fn noise(&mut self) -> Checked {
        if self.dice.chance(600)
            && let Some(packet) = self.network.replayed(&mut self.dice)
        {
            self.count(Fault::Replayed);
            self.say(|w| format!("a request of {} is played again", w.name(packet.phone)));
            return self.hub_hears(packet);
        }
        self.count(Fault::Garbage);
        let mut bytes = self.dice.bytes::<64>().to_vec();
        bytes.truncate(self.dice.below(65));
        if self.dice.chance(500) {
            // Past the first byte, which says how the message is packed.
            bytes.splice(..0, [0]);
        }
        require(
            "R5",
            self.hub.serve(&bytes, self.hub_now(), None).is_err(),
            || "garbage is served".into(),
        )
    }

    fn hostile_acts(&mut self) -> Checked {
        let now = self.hub_now();
        let victims: Vec<_> = self.phones.iter().map(|phone| phone.device).collect();
        let network = self.hub.network();
        let Some(hostile) = &mut self.hostile else {
            return Ok(());
        };
        let (bytes, what) = hostile.request(&mut self.dice, network, &self.hub.state, &victims);
        self.count(Fault::Hostile);
        let served = self.hub.serve(&bytes, now, None);
        let result = match &served {
            Ok(served) => format!("served, not held: {:?}", served.refused),
            Err(code) => (*code).to_owned(),
        };
        self.say(|_| format!("the hostile device sends {what}: {result}"));
        if let Err("device_revoked") = served {
            return self.hostile_is_carried(&bytes);
        }
        let device = self.hostile.as_ref().map(|hostile| hostile.device);
        let device = device.unwrap_or(DeviceId([0; 8]));
        if let Ok(served) = served {
            // A restored server may have lost that; until the office confirms it serves nobody.
            require(
                "R25",
                !self.hostile_revoked || served.state.holds_back(device),
                || "the server serves the hostile device, which is revoked".into(),
            )?;
            self.hub.commit(served.state);
            let mut find = |reference: &Reference| held::find(&self.hub.state.spaces, reference);
            let answer =
                Answer::decode_with(network, &served.answer, device, &served.asked, &mut find);
            if let (Some(hostile), Ok(answer)) = (&mut self.hostile, answer) {
                hostile.nonce = answer.nonce.unwrap_or(hostile.nonce);
                let grants = hostile.spaces.iter().cloned().collect();
                check_secrecy(network, "the hostile device", &grants, &answer)?;
            }
        }
        self.agree_hub()
    }

    pub(super) fn office_acts(&mut self) -> Checked {
        let kinds = if self.options.real { 7 } else { 6 };
        match self.dice.below(kinds) {
            6 => return self.office_moves(),
            5 => return self.office_wipes(),
            4 => return self.office_narrows(),
            3 => return self.office_revokes(),
            0 => {
                self.count(Fault::DaysPass);
                self.seconds += 86_400 * (1 + self.dice.below(40) as i64);
                self.say(|_| "days pass".into());
                let now = self.hub_now();
                if let Some(real) = &mut self.hub.real {
                    real.set_time(now);
                    real.hourly();
                    self.hub.read_real();
                }
            }
            1 => {
                let p = self.dice.below(self.phones.len());
                let unit = *self.dice.pick(&UNITS[..self.config.units]);
                let more = Class::CADRE.map(|class| Space::new(unit, class).expect("a code"));
                let taken = &self.phones[p].taken;
                let more: Vec<Space> = more.into_iter().filter(|s| !taken.contains(s)).collect();
                let revoked = self.phones[p].revoked && self.options.real;
                if self.phones[p].enrolled
                    && !revoked
                    && !more.iter().all(|s| self.phones[p].grants.contains(s))
                {
                    self.count(Fault::Widened);
                    self.say(|w| format!("{} is granted {more:?}", w.name(p)));
                    let device = self.phones[p].device;
                    for phone in self
                        .phones
                        .iter_mut()
                        .filter(|phone| phone.device == device)
                    {
                        phone.grants.extend(more.clone());
                    }
                    self.widen(p)?;
                }
            }
            _ => {
                self.count(Fault::NewPackage);
                self.package.version += 1;
                self.hub.publish(&self.package);
                self.say(|w| format!("package {} comes out", w.package.version));
                // Without dice: which record follows from the package's number.
                if self.package.version.is_multiple_of(2) {
                    return self.office_erases(self.package.version as usize);
                }
            }
        }
        Ok(())
    }
}
