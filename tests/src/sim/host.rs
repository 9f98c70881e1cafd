//! The host of a phone's replica: enrol, open the store, persist, save what was typed.

use std::collections::BTreeMap;

use ed25519_dalek::{Signer, SigningKey};
use rand_chacha::ChaCha8Rng;
use sync_core::control::Control;
use sync_core::date::date_in_china;
use sync_core::enrol::{EnrolAnswer, EnrolRequest};
use sync_core::exchange::Budget;
use sync_core::id::Class;
use sync_core::record::{DocumentError, WriteError};
use sync_core::replica::{Context, DeviceIdentity, Edit, EditError, Replica, ServerState};
use sync_core::row::Row;
use sync_core::seal::SealingKey;

use super::agree::{heads_before, note_saved, states, with_heads_of_others};
use super::fault::{Fault, Plant};
use super::hub::SHARED;
use super::oracle::{Broken, Checked, When, broken, require};
use super::phone::{Form, InDoubt, Process};
use super::users;
use super::world::World;

/// How long a code is used for; the server takes it for some hours more.
const CODE_SECONDS: i64 = 20 * 3600;

fn sealing_public(private: &[u8; 32]) -> [u8; 32] {
    SealingKey::from_bytes(private).map_or([0; 32], |key| key.public().bytes)
}

/// What became of the rows of a step.
pub(super) enum Persisted {
    Done,
    /// The disk is full: nothing written, and the host knows it.
    Full,
    /// Another process has the store.
    Fenced,
    /// The process is dead.
    Dead {
        durable: bool,
    },
}

impl World {
    /// What a phone says to be let in.
    fn enrol_request(&self, p: usize) -> Vec<u8> {
        let phone = &self.phones[p];
        let request = EnrolRequest {
            code: phone.code.clone(),
            signing_key: phone.signing.verifying_key().to_bytes(),
            sealing_key: sealing_public(&phone.sealing),
            strong_secret: false,
        };
        request.encode(self.hub.network(), &|message| phone.sign(message))
    }

    /// The server is told what the office's books say that a phone holds.
    pub(super) fn widen(&mut self, p: usize) -> Checked {
        let (device, grants) = (self.phones[p].device, self.phones[p].grants.clone());
        let Some(real) = &self.hub.real else {
            self.hub.widen(device, grants);
            return Ok(());
        };
        // A phone that is let in redeems another code with the keys that it has.
        self.phones[p].code = real.make_code(&grants);
        let request = self.enrol_request(p);
        let now = self.hub_now();
        let answer = self.hub.enrol(&request, now).map(drop);
        answer.map_err(|code| broken("R26", format!("{} gets no more: {code}", self.name(p))))
    }

    /// The real server makes codes itself; they are good for a day, and in this life of the server.
    fn fresh_code(&mut self, p: usize) {
        let now = self.hub_now();
        let Some(real) = &mut self.hub.real else {
            return;
        };
        real.set_time(now);
        let phone = &mut self.phones[p];
        let good = phone
            .code_made
            .is_some_and(|(at, life)| now - at < CODE_SECONDS && life == real.lives());
        if !good {
            phone.code = real.make_code(&phone.grants);
            phone.code_made = Some((now, real.lives()));
        }
    }

    /// Enrols a phone; an answer can be lost and the phone can die, then it tries again later.
    pub(super) fn enrol(&mut self, p: usize) -> Checked {
        self.fresh_code(p);
        let network = self.hub.network();
        let request = self.enrol_request(p);
        let now = self.hub_now();
        let answer = self
            .hub
            .enrol(&request, now)
            .map_err(|code| broken("R26", format!("{} is not enrolled: {code}", self.name(p))))?;
        let thief = SigningKey::from_bytes(&self.dice.bytes());
        let stolen = EnrolRequest {
            code: self.phones[p].code.clone(),
            signing_key: thief.verifying_key().to_bytes(),
            sealing_key: [0; 32],
            strong_secret: false,
        };
        let stolen = stolen.encode(network, &|message| thief.sign(message).to_bytes());
        require("R26", self.hub.enrol(&stolen, now).is_err(), || {
            "a used code lets another key in".into()
        })?;
        if self.dice.chance(self.config.lose) {
            self.count(Fault::EnrolAnswerLost);
            self.say(|w| format!("{}: the answer to its enrolment is lost", w.name(p)));
            return Ok(());
        }
        let answer = EnrolAnswer::decode(&answer)
            .map_err(|bad| broken("R26", format!("enrolment answer: {bad}")))?;
        let mut control = Control::new(network);
        for entry in &answer.control {
            match control.check(entry) {
                Ok(Some(entry)) => control.apply(entry),
                other => return Err(broken("R18", format!("control entry: {other:?}"))),
            }
        }
        let me = DeviceIdentity {
            network,
            device: self.phones[p].device,
        };
        let now = self.phone_now(p);
        let hub = ServerState::enrolled(answer.incarnation, answer.nonce, now, answer.time);
        let mut replica = Replica::new(me, control, hub);
        if self.marks(p) {
            replica.mark_merges();
        }
        let rows = replica.first_rows();
        let phone = &mut self.phones[p];
        let mut writer = phone.disk.open();
        if self.dice.chance(self.config.persist) {
            self.count(Fault::CrashBeforePersist);
            self.say(|w| format!("{} dies while it enrols", w.name(p)));
            return Ok(());
        }
        let phone = &mut self.phones[p];
        phone
            .disk
            .commit(&mut writer, &rows)
            .map_err(|_| broken("R9", "the only writer is refused"))?;
        phone.disk.flush();
        let rng: ChaCha8Rng = self.dice.split();
        let outgoing = BTreeMap::new();
        let budget = self.budget();
        let phone = &mut self.phones[p];
        phone.process = Some(Process {
            replica,
            writer,
            rng,
            outgoing,
            budget,
            handed_over: BTreeMap::new(),
        });
        phone.enrolled = true;
        self.say(|w| {
            let phone = &w.phones[p];
            format!(
                "{} ({}) is enrolled for {:?}",
                phone.name, phone.device, phone.grants
            )
        });
        Ok(())
    }

    pub(super) fn budget(&self) -> Budget {
        match self.config.budget {
            Some(bytes) => Budget {
                up: bytes,
                down: bytes as u32,
            },
            None => Budget::DEFAULT,
        }
    }

    /// Starts a phone's process, and asks whether what it shows is what it showed.
    pub(super) fn open(&mut self, p: usize) -> Checked {
        let (budget, plant) = (self.budget(), self.options.plant);
        let report = self.phones[p]
            .start(&mut self.dice, plant, budget)
            .map_err(|error| broken("R8", format!("the store does not open: {error}")))?;
        self.say(|w| format!("{} opens its store", w.name(p)));
        if !self.outlives_opening(p)? {
            return Ok(());
        }
        // Records that are behind have no row.
        let sliced = self.config.slices > 0;
        require(
            "R10",
            report.unreadable_rows == 0 && (report.rebuilt == 0 || sliced),
            || format!("{} opens with {report:?}", self.name(p)),
        )?;
        if !self.recover(p)? {
            return Ok(());
        }
        self.shows_what_it_showed(p)?;
        self.drop_lost(p)?;
        if let Some(doubt) = self.phones[p].in_doubt.take() {
            let replica = &self.phones[p]
                .process
                .as_ref()
                .expect("just started")
                .replica;
            let before = self.ledger.saved.len();
            let heads = with_heads_of_others(replica, &doubt.form, doubt.before);
            note_saved(&mut self.ledger, doubt.when, replica, &doubt.form, &heads);
            let found = self.ledger.saved.len() - before;
            require("R8", (found > 0) == doubt.durable, || {
                let phone = self.name(p);
                format!(
                    "{phone}: an edit in doubt, durable {}, left {found} changes",
                    doubt.durable
                )
            })?;
        }
        Ok(())
    }

    fn shows_what_it_showed(&mut self, p: usize) -> Checked {
        let expected = self.phones[p].expected.take();
        let Some(process) = &self.phones[p].process else {
            return Ok(());
        };
        for (space, record, state) in expected.iter().flatten() {
            let shown = process.replica.record(space, *record);
            require("R10", shown == Some(state), || {
                format!(
                    "{}: {record} of {space} is another after opening",
                    self.name(p)
                )
            })?;
        }
        Ok(())
    }

    /// Kills a phone's processes. `clean`: the store is what the memory was.
    pub(super) fn kill(&mut self, p: usize, clean: bool) {
        let phone = &mut self.phones[p];
        if let Some(process) = &phone.process {
            phone.expected = clean.then(|| states(&process.replica));
        }
        phone.kill();
    }

    /// Writes the rows of a step of a phone's process, or doesn't.
    pub(super) fn persist(&mut self, p: usize, rows: &[Row]) -> Result<Persisted, Broken> {
        let plant = self.options.plant;
        let later = self.phones[p].disk.is_buffered();
        let now = !rows.is_empty() && !self.stale_at_work && !later;
        if now && self.dice.chance(self.config.persist) {
            return self.persist_badly(p, rows);
        }
        let stale = self.stale_at_work;
        let phone = &mut self.phones[p];
        let Some(process) = &mut phone.process else {
            return Ok(Persisted::Dead { durable: false });
        };
        match phone.disk.commit(&mut process.writer, rows) {
            Ok(()) if stale && !rows.is_empty() => Err(broken("R9", "an old writer is let in")),
            Ok(()) => Ok(Persisted::Done),
            Err(_) if plant == Some(Plant::FenceIgnored) => {
                phone.disk.write(rows);
                Ok(Persisted::Done)
            }
            Err(_) if stale => Ok(Persisted::Fenced),
            Err(_) => Err(broken("R9", "the newest writer is refused")),
        }
    }

    /// Makes durable what a phone has committed into memory, or doesn't. Memory is ahead of the disk then,
    /// so the process is dropped whatever went wrong.
    pub(super) fn flush(&mut self, p: usize) -> Result<Persisted, Broken> {
        if !self.phones[p].disk.is_ahead() {
            return Ok(Persisted::Done);
        }
        let forgets = self.options.plant == Some(Plant::AnswersBeforeFlush);
        if forgets && self.dice.chance(500) {
            return Ok(Persisted::Done);
        }
        if !self.dice.chance(self.config.persist) {
            self.phones[p].disk.flush();
            return Ok(Persisted::Done);
        }
        let kind = *self.dice.pick(&[
            Fault::CrashBeforePersist,
            Fault::CrashAfterPersist,
            Fault::PersistErrorDurable,
            Fault::PersistErrorLost,
            Fault::DiskFull,
        ]);
        self.count(kind);
        self.say(|w| format!("{}: {kind:?} of what is in memory", w.name(p)));
        let durable = matches!(kind, Fault::CrashAfterPersist | Fault::PersistErrorDurable);
        if durable {
            self.phones[p].disk.flush();
        }
        self.kill(p, false);
        Ok(match kind {
            Fault::DiskFull => Persisted::Full,
            _ => Persisted::Dead { durable },
        })
    }

    pub(super) fn persist_badly(&mut self, p: usize, rows: &[Row]) -> Result<Persisted, Broken> {
        let plant = self.options.plant;
        let kind = *self.dice.pick(&[
            Fault::CrashBeforePersist,
            Fault::CrashAfterPersist,
            Fault::PersistErrorDurable,
            Fault::PersistErrorLost,
            Fault::DiskFull,
        ]);
        self.count(kind);
        self.say(|w| format!("{}: {kind:?} of {} rows", w.name(p), rows.len()));
        if kind == Fault::DiskFull {
            return Ok(Persisted::Full);
        }
        let durable = matches!(kind, Fault::CrashAfterPersist | Fault::PersistErrorDurable);
        let phone = &mut self.phones[p];
        if durable {
            match &mut phone.process {
                // Whoever ignores the fence can be an old writer here.
                Some(process) if plant.is_none() => {
                    let done = phone.disk.commit(&mut process.writer, rows);
                    done.map_err(|_| broken("R9", "the newest writer is refused"))?;
                }
                _ => phone.disk.write(rows),
            }
        } else if plant == Some(Plant::HalfCommit) {
            phone.disk.write(&rows[..rows.len() / 2]);
        }
        if plant == Some(Plant::GoOnAfterError)
            && matches!(kind, Fault::PersistErrorDurable | Fault::PersistErrorLost)
        {
            return Ok(Persisted::Full);
        }
        self.kill(p, !durable);
        Ok(Persisted::Dead { durable })
    }

    /// Somebody uses a phone.
    pub(super) fn edit(&mut self, p: usize) -> Checked {
        let now = self.phone_now(p);
        let Some(process) = &self.phones[p].process else {
            return Ok(());
        };
        let dice = &mut self.dice;
        let kind = dice.below(10);
        let form = if kind == 0 {
            let form = users::settle(dice, &process.replica);
            form.inspect(|_| *self.faults.entry(Fault::Settled).or_default() += 1)
        } else if kind == 3
            && let Some(form) = users::say(dice, &process.replica)
        {
            *self.faults.entry(Fault::Linked).or_default() += 1;
            Some(form)
        } else if kind < 3 && !self.phones[p].forms.is_empty() {
            let at = dice.below(self.phones[p].forms.len());
            Some(self.phones[p].forms.remove(at))
        } else {
            let form = users::open_form(dice, &process.replica, now);
            if dice.chance(150)
                && let Some(form) = form
            {
                let seen = Class::ALL.map(|class| (class, Vec::new())).into_iter();
                let mut seen: BTreeMap<_, _> = seen.collect();
                seen.extend(process.replica.heads(&form.unit, form.record));
                self.phones[p].forms.push(Form {
                    seen: Some(seen),
                    ..form
                });
                return Ok(());
            }
            form
        };
        match form {
            Some(form) => self.save(p, form),
            None => Ok(()),
        }
    }

    /// Somebody presses "save".
    pub(super) fn save(&mut self, p: usize, mut form: Form) -> Checked {
        let now = self.phone_now(p);
        // Phones are shared: a batch names one author, so a change of hands closes it.
        let changes_hands = self.dice.chance(150);
        let Some(process) = &self.phones[p].process else {
            return Ok(());
        };
        let enrolment = process.replica.control().enrolment(self.phones[p].device);
        let Some(authors) = enrolment.map(|enrolment| &enrolment.authors) else {
            return Ok(());
        };
        let own = authors.iter().find(|author| **author != SHARED);
        let author = match changes_hands && authors.contains(&SHARED) {
            true => SHARED,
            false => own.copied().unwrap_or(SHARED),
        };
        // A host that knows how far its clock is off says so (R27).
        let today = date_in_china(process.replica.hub().not_future_before(now));
        let edit = Edit {
            record: form.record,
            unit: form.unit.clone(),
            author,
            puts: form.puts.clone(),
            seen: form.seen.clone().unwrap_or_default(),
        };
        let signing = self.phones[p].signing.clone();
        let Some(process) = &mut self.phones[p].process else {
            return Ok(());
        };
        let replica = &process.replica;
        let mut context = Context {
            now,
            today: &today,
            rng: &mut process.rng,
        };
        let sign = |message: &[u8]| signing.sign(message).to_bytes();
        let cut = replica.control().cut_devices().next().is_some();
        let prepared = match replica.prepare_edit(&mut context, &edit) {
            Ok(mut prepared) => {
                replica.add_outbox(&mut prepared, &mut context, &sign);
                prepared
            }
            // A class that this phone does not hold: the form would not have offered it.
            Err(EditError::NotGranted { .. }) => return Ok(()),
            // A form on a state that the phone has lost by being set back, or that the other
            // process showed, or of which a part counts no more since its author has lost the space: the
            // user opens it anew.
            Err(EditError::Record(WriteError::Unseen))
                if self.phones[p].rolled_back || self.stale_at_work || cut =>
            {
                return Ok(());
            }
            Err(EditError::TooLarge) if users::is_long(&form) => return Ok(()),
            // A merge of it may have ended the program, so nothing is made on it.
            Err(EditError::Record(WriteError::Parked(
                DocumentError::Suspected | DocumentError::Ended,
            ))) => return Ok(()),
            // The office had it erased since the form opened.
            Err(EditError::Erased) => return Ok(()),
            // The dictionary's word; the user types something else.
            Err(EditError::Problems(_)) => {
                self.refused_forms += 1;
                self.say(|w| format!("{} may not save {:?}", w.name(p), form.puts));
                return Ok(());
            }
            Err(error) => {
                let detail = std::error::Error::source(&error).map(ToString::to_string);
                return Err(broken(
                    "R5",
                    format!("{error}: {detail:?} at {:?}", form.puts),
                ));
            }
        };
        let standing = form.seen.is_none()
            && form.puts.iter().all(|(key, value)| {
                match replica.view(&form.unit, form.record).get(key) {
                    Some(slot) => slot.winner() == value && slot.conflict().is_none(),
                    None => value.is_null(),
                }
            });
        let before = heads_before(replica, &form);
        let dictionary = replica.package().map_or(0, |package| package.version);
        let when = When {
            phone: p,
            step: self.step,
            author,
            dictionary,
        };
        let rows = prepared.rows.clone();
        let text = format!("{} saves {:?} of {}", self.name(p), form.puts, form.record);
        self.say(|_| text);
        let mut written = self.persist(p, &rows)?;
        let mut edited = None;
        if let (Persisted::Done, Some(process)) = (&written, &mut self.phones[p].process) {
            edited = Some(process.replica.apply(prepared));
            written = self.flush(p)?;
        }
        match written {
            Persisted::Done => {}
            Persisted::Full | Persisted::Fenced => return Ok(()),
            Persisted::Dead { durable } => {
                if !rows.is_empty() {
                    let form = Form {
                        saved: form.saved,
                        ..form.clone()
                    };
                    self.phones[p].in_doubt = Some(InDoubt {
                        form,
                        when,
                        before,
                        durable,
                    });
                }
                form.saved += u32::from(durable);
                self.phones[p].forms.push(form);
                return Ok(());
            }
        }
        let (Some(process), Some(edited)) = (&self.phones[p].process, edited) else {
            return Ok(());
        };
        if form.seen.is_some() {
            *self.faults.entry(Fault::OldForm).or_default() += 1;
        }
        require("R41", !standing || edited.changes == 0, || {
            format!("what stands is written again: {:?}", form.puts)
        })?;
        let replica = &process.replica;
        note_saved(&mut self.ledger, when, replica, &form, &before);
        if form.seen.is_none() {
            for (key, value) in &form.puts {
                let shown = replica.view(&form.unit, form.record).get(key).copied();
                let settled = match shown {
                    Some(slot) => slot.winner() == value && slot.conflict().is_none(),
                    None => value.is_null(),
                };
                require("R39", settled, || {
                    format!("{key} is not settled by a deliberate write: {shown:#?}")
                })?;
            }
        }
        form.saved += 1;
        if form.saved > 1 {
            self.count(Fault::SavedTwice);
        }
        if form.saved < 3 && self.dice.chance(200) {
            self.phones[p].forms.push(form);
        }
        self.agree_phone(p)
    }
}
