//! The phone's side of an exchange: what to send, and what an answer changes.

use std::collections::{BTreeMap, BTreeSet};

use crate::batch::{Batch, Unfit};
use crate::control::{BadEntry, Control};
use crate::feed::{Node, Vector};
use crate::id::{BatchHash, DeviceId, EntryHash, Incarnation, Space};
use crate::incoming::Incoming;
use crate::refer::Heard;
use crate::replica::{Context, HubState, Prepared, Replica, Step};
use crate::row::{ReadRows, Unreadable};
use crate::stored;
use crate::wire::{BadMessage, Request, Safe, SpaceClaim, base_digest};

/// How much one round trip may carry. After a cut the host halves both, down to one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of batches in the request; at least one batch goes out unless this is 0.
    pub up: usize,
    /// Bytes of batches in the answer; at least one comes (R47).
    pub down: u32,
}

impl Budget {
    /// For a link of which nothing is known: 64 KiB each way, about 20 seconds of 2G.
    pub const DEFAULT: Budget = Budget {
        up: 64 * 1024,
        down: 64 * 1024,
    };

    /// The most that a round asks for: below the limit of a message, whatever is in it beside.
    pub const LARGEST: Budget = Budget {
        up: 1024 * 1024,
        down: 1024 * 1024,
    };

    /// After a round that came through whole: four times as much each way.
    pub fn grown(self) -> Self {
        Self {
            up: self.up.saturating_mul(4).min(Self::LARGEST.up),
            down: self.down.saturating_mul(4).min(Self::LARGEST.down),
        }
    }

    /// After a cut: half of it each way.
    pub fn halved(self) -> Self {
        Self {
            up: (self.up / 2).max(1),
            down: (self.down / 2).max(1),
        }
    }

    /// The same, but asking with the vector only, to learn first what has landed (R47).
    pub fn asking(self) -> Self {
        Self { up: 0, ..self }
    }
}

/// Bytes to send, and what to compare the answer with.
#[derive(Debug, Default)]
pub struct Outgoing {
    /// The packed, signed request: the body of `POST /v1/exchange`.
    pub bytes: Vec<u8>,
    /// Batches in it.
    pub batches: usize,
    /// Batches that the budget left out.
    pub more: bool,
    /// Whether it is in the form that may refer to what the server holds.
    pub refers: bool,
    /// The server's vectors as they were told last.
    before: BTreeMap<Space, Vector>,
    /// The server's vectors if it holds everything that this request carries.
    expected: BTreeMap<Space, Vector>,
    sent: Vec<BatchHash>,
    /// The control entries that it shows.
    shown: Vec<EntryHash>,
    /// The life of the server that was known then.
    life: Option<Incarnation>,
}

impl Outgoing {
    /// The spaces of the request, in its order.
    pub fn spaces(&self) -> impl Iterator<Item = &Space> {
        self.expected.keys()
    }
}

/// What an answer brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Batches that are new here.
    pub batches: usize,
    /// Another round trip is needed: the server has more, or wants to hear more.
    pub again: bool,
    /// Batches that the server would not hold, with its codes.
    pub refused: Vec<String>,
    /// Received batches that are not held here, with our codes.
    pub not_held: Vec<&'static str>,
    /// The stash was full and batches were left out; they come again (R6).
    pub stash_full: bool,
    /// The server did not find what the request's batches refer to, and took none of them: they go
    /// again, referring to nothing.
    pub untaken: bool,
    /// Two phones write with this device's keys: this one is to make new ones.
    pub renew_keys: bool,
    /// What the answer's batches refer to was not found here, and none of them was taken: they come
    /// again, referring to nothing.
    pub unread: bool,
    /// Records that new orders erased here. Nothing else of the answer was taken; it comes again.
    pub erased: usize,
    /// Persons who may have ordered this phone to wipe itself, and whether the server has taken what it
    /// handed over. Nothing else was in the answer.
    pub wipe: Option<WipeTurn>,
}

/// Where a phone stands that is to wipe itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WipeTurn {
    /// It hands over what the server lacks ([`Replica::part`]).
    HandOver,
    /// The server has it: the store may be wiped.
    Wipe,
}

/// Why an exchange can't go on. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The answer is no message of ours.
    #[error(transparent)]
    Message(#[from] BadMessage),
    /// The answer carries a control entry that does not check.
    #[error(transparent)]
    Control(#[from] BadEntry),
    /// The host could not read a row.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

impl Replica {
    /// Prepares a request: signs what is staged into batches, chooses what the server lacks, and
    /// describes what is held.
    ///
    /// The bytes come out of [`Replica::apply`] only, so no byte of a batch leaves before the
    /// signed batch is durable (R1).
    pub fn prepare_exchange(
        &self,
        context: &mut Context<'_>,
        rows: &dyn ReadRows,
        sign: &dyn Fn(&[u8]) -> [u8; 64],
        budget: Budget,
    ) -> Result<Prepared<Outgoing>, ExchangeError> {
        let mut out = Prepared {
            rows: Vec::new(),
            steps: Vec::new(),
            outcome: (),
        };
        let mut fresh: BTreeMap<Space, Vec<Batch>> = BTreeMap::new();
        for space in self.spaces.keys() {
            let batches = self.seal_staged(context, space, sign, &mut out);
            fresh.insert(space.clone(), batches);
        }

        let mut bases = BTreeMap::new();
        let mut expected = BTreeMap::new();
        let mut claims = Vec::new();
        let mut upload: Vec<(Space, Vec<u8>)> = Vec::new();
        let mut sent = Vec::new();
        let mut room = budget.up;
        let mut more = false;
        for (space, held) in &self.spaces {
            let fresh = fresh.get(space).map(Vec::as_slice).unwrap_or_default();
            let mut own = held.vector();
            let mut server = held.base.1.clone();
            for batch in fresh {
                own.advance(self.me.device, &batch.node());
            }
            for (device, node) in self.lacking_at_server(space, fresh) {
                let bytes = self.batch_bytes(rows, space, fresh, node.hash)?;
                let Some(bytes) = bytes else { continue };
                if room == 0 || (bytes.len() > room && !upload.is_empty()) {
                    more = true;
                    room = 0;
                    continue;
                }
                room = room.saturating_sub(bytes.len());
                server.advance(device, &node);
                sent.push(node.hash);
                upload.push((space.clone(), bytes));
            }
            let changes = own.changes_from(&server);
            let ladders = held
                .ladders_wanted
                .iter()
                .filter_map(|device| Some((*device, held.feeds.get(device)?.ladder())))
                .collect();
            claims.push(SpaceClaim {
                space: space.clone(),
                counter: held.base.0,
                changes,
                ladders,
            });
            bases.insert(space.clone(), held.base.clone());
            expected.insert(space.clone(), server);
        }
        let refer = match self.plain {
            true => None,
            false => Some(self.known_at_server(rows, &upload)?),
        };
        let shown = self.offers.next(&self.control, self.me.device);
        let request = Request {
            device: self.me.device,
            nonce: self.hub.nonce,
            control: self.control.position(),
            base: base_digest(self.hub.incarnation, &bases),
            spaces: claims,
            batches: upload.into_iter().map(|(_, bytes)| bytes).collect(),
            refer,
            budget: budget.down,
            receipts: self.hub.relays,
            shown: shown.iter().map(|entry| entry.bytes().to_vec()).collect(),
            renewal: self.renewal.clone(),
            parting: None,
        };
        let bytes = request.encode(self.me.network, sign);
        let batches = request.batches.len();
        let outgoing = Outgoing {
            bytes,
            batches,
            more,
            refers: request.refer.is_some(),
            before: bases
                .into_iter()
                .map(|(space, (_, vector))| (space, vector))
                .collect(),
            expected,
            sent,
            shown: shown.into_iter().map(|entry| entry.hash).collect(),
            life: self.hub.incarnation,
        };
        Ok(Prepared {
            rows: out.rows,
            steps: out.steps,
            outcome: outgoing,
        })
    }

    /// Signs the staged edits of a space into batches that follow everything held of our feed.
    pub(crate) fn seal_staged(
        &self,
        context: &mut Context<'_>,
        space: &Space,
        sign: &dyn Fn(&[u8]) -> [u8; 64],
        out: &mut Prepared<()>,
    ) -> Vec<Batch> {
        let staged = self.spaces.get(space).map(|held| &held.staged);
        let staged: Vec<_> = staged.into_iter().flatten().collect();
        let staged: Vec<_> = staged.into_iter().map(|(n, staged)| (*n, staged)).collect();
        if !staged.is_empty() {
            let copy = stored::staged_copy_key(space);
            out.rows.push(stored::outbox_row(copy, None));
        }
        let sealed = self.sign_staged(context, space, &staged, sign);
        sealed
            .into_iter()
            .map(|sealed| self.close_batch(context, space, sealed, out))
            .collect()
    }

    /// What the server is believed to lack in a space, parents first within each feed.
    pub(crate) fn lacking_at_server(
        &self,
        space: &Space,
        fresh: &[Batch],
    ) -> Vec<(DeviceId, Node)> {
        let Some(held) = self.spaces.get(space) else {
            return Vec::new();
        };
        let server = &held.base.1;
        let mut lacking = Vec::new();
        for (device, feed) in &held.feeds {
            let mut theirs = server.tips(*device).peekable();
            // The server has this feed, and no end of it that we know: it is ahead or on another
            // branch. What it holds we learn from its batches, or by a ladder (R3).
            let strange = theirs.peek().is_some()
                && server
                    .tips(*device)
                    .all(|tip| feed.find(tip.hash).is_none());
            if !strange {
                lacking.extend(
                    feed.missing(theirs)
                        .into_iter()
                        .map(|node| (*device, node.clone())),
                );
            }
        }
        lacking.retain(|(_, node)| !self.refused.contains(&node.hash));
        lacking.extend(fresh.iter().map(|batch| (self.me.device, batch.node())));
        lacking
    }

    /// Prepares what an answer changes: control first, then batches into feeds and records, then
    /// what is known of the server. All of it is one transaction.
    pub fn prepare_answer(
        &self,
        context: &mut Context<'_>,
        rows: &dyn ReadRows,
        outgoing: &Outgoing,
        bytes: &[u8],
    ) -> Result<Prepared<Received>, ExchangeError> {
        let Heard {
            answer,
            refers,
            unread,
        } = self.hear(rows, outgoing, bytes)?;
        let mut hub = HubState {
            nonce: answer.nonce.unwrap_or(self.hub.nonce),
            clock_ahead: context.now.saturating_sub(answer.time),
            heard: self.hub.heard.max(answer.time),
            ..self.hub.clone()
        };
        if answer.stale_nonce {
            let received = Received {
                again: true,
                ..Received::default()
            };
            let row = stored::hub_row(&hub);
            return Ok(Prepared {
                rows: vec![row],
                steps: vec![Step::Hub(hub)],
                outcome: received,
            });
        }
        if let Some(call) = &answer.wipe {
            if !self.is_to_wipe(call)? {
                return Err(BadEntry::Signature.into());
            }
            let turn = match call.taken {
                true => WipeTurn::Wipe,
                false => WipeTurn::HandOver,
            };
            let received = Received {
                wipe: Some(turn),
                ..Received::default()
            };
            return Ok(Prepared {
                rows: vec![stored::hub_row(&hub)],
                steps: vec![Step::Hub(hub)],
                outcome: received,
            });
        }
        let mut out = Prepared {
            rows: Vec::new(),
            steps: Vec::new(),
            outcome: (),
        };
        let control = self.take_control(&answer.control, &mut out)?;
        let control = control.as_ref().unwrap_or(&self.control);
        let erased = self.newly_erased(control);
        if !erased.is_empty() {
            self.erase(context, rows, control, &erased, &mut out)?;
            out.rows.push(stored::hub_row(&hub));
            out.steps.push(Step::Hub(hub));
            return Ok(Prepared {
                rows: out.rows,
                steps: out.steps,
                outcome: Received {
                    again: true,
                    erased: erased.len(),
                    ..Received::default()
                },
            });
        }

        let granted = |control: &Control| control.grants(self.me.device);
        let widened = granted(control) != granted(&self.control);
        let mut received = Received {
            again: answer.more || outgoing.more || widened,
            renew_keys: answer.renew_keys,
            ..Received::default()
        };
        let mut incoming = Incoming::new(self, control);
        for bytes in answer.batches {
            incoming.take(bytes, &mut received);
        }
        received.unread = unread;
        if refers && !received.not_held.is_empty() {
            // They may be another than their author's for what they refer to.
            received.unread = true;
            received.not_held.clear();
            incoming = Incoming::new(self, control);
        }
        incoming.unstash(&mut received);
        received.batches = incoming.count();
        incoming.write(rows, &mut out)?;

        let reborn = answer.reset && answer.incarnation != self.hub.incarnation;
        let offers = self
            .offers
            .after(&outgoing.shown, control, &answer.control, reborn);
        received.again |= !offers.is_empty();
        // A server that lost the enrolment of an author refuses her batches until it is shown it, and
        // one that lost an order of erasure what the order has taken bytes from.
        let lost = [Unfit::Author, Unfit::Blotted].map(Unfit::code);
        let may_change = answer.reset || !offers.is_empty();
        out.steps.push(Step::Offers(offers));
        for refused in &answer.refused {
            if refused.code == Unfit::Reference.code() {
                received.untaken = true;
                continue;
            }
            if lost.contains(&refused.code.as_str()) && may_change {
                continue;
            }
            received.refused.push(refused.code.clone());
            if let Some(hash) = outgoing.sent.get(refused.index as usize) {
                out.steps.push(Step::Refused(*hash));
            }
        }
        received.again |= received.untaken || received.unread;
        received.again |= answer.reset;
        // An answer that was overtaken by the news of another life says nothing of this one.
        if outgoing.life == self.hub.incarnation {
            if answer.reset {
                hub.incarnation = answer.incarnation;
            }
            let told = self.learn_bases(
                context,
                rows,
                outgoing,
                &answer.spaces,
                answer.reset,
                &mut received,
                &mut out,
            )?;
            self.learn_safe(outgoing, answer.safe.as_ref(), reborn, &told, &mut out);
        } else {
            received.again = true;
        }

        let acknowledged =
            self.take_receipts(context, rows, control, &answer.receipts, &mut out)?;
        // What this request left out is not acknowledged yet.
        hub.relays &= acknowledged.receipts == 0 || outgoing.more;
        let failed = received.untaken || received.unread;
        let plain = failed || (self.plain && received.again);
        out.steps.push(Step::Plain(plain));

        hub.last_exchange = Some(context.now);
        out.rows.push(stored::hub_row(&hub));
        out.steps.push(Step::Hub(hub));
        Ok(Prepared {
            rows: out.rows,
            steps: out.steps,
            outcome: received,
        })
    }

    fn take_control(
        &self,
        entries: &[Vec<u8>],
        out: &mut Prepared<()>,
    ) -> Result<Option<Control>, ExchangeError> {
        if entries.is_empty() {
            return Ok(None);
        }
        let mut control = self.control.clone();
        for bytes in entries {
            add_control(&mut control, bytes, out)?;
        }
        self.prune_control(&mut control, out);
        out.steps.push(Step::Control(Box::new(control.clone())));
        Ok(Some(control))
    }

    /// What this device needs no more of the control feed after spaces were taken from it goes, so
    /// that both ends hold the same of it. The rows of what stays are numbered anew.
    pub(crate) fn prune_control(&self, control: &mut Control, out: &mut Prepared<()>) {
        let narrowed = |space: &Space| !control.holds(self.me.device, space);
        let alone = control.revoked(self.me.device).is_some();
        if alone || !self.spaces.keys().any(narrowed) {
            return;
        }
        let left = control.only_for(self.me.device);
        let stays: BTreeSet<_> = left.entries().map(|entry| entry.hash).collect();
        for entry in control
            .entries()
            .filter(|entry| !stays.contains(&entry.hash))
        {
            out.rows.push(stored::control_row_gone(entry.hash));
        }
        let numbered = left.entries().zip(0u64..);
        out.rows
            .extend(numbered.map(|(entry, arrival)| stored::control_row(arrival, entry)));
        *control = left;
    }

    /// What the server holds now is what we expect of it, changed by what it says.
    #[expect(
        clippy::too_many_arguments,
        reason = "an answer's parts and where they go"
    )]
    fn learn_bases(
        &self,
        context: &mut Context<'_>,
        rows: &dyn ReadRows,
        outgoing: &Outgoing,
        states: &[crate::wire::SpaceState],
        reset: bool,
        received: &mut Received,
        out: &mut Prepared<()>,
    ) -> Result<BTreeMap<Space, (u64, Vector)>, Unreadable> {
        let mut told = BTreeMap::new();
        for state in states {
            let Some(held) = self.spaces.get(&state.space) else {
                continue;
            };
            // An older counter of the same incarnation is an answer that was overtaken (R22).
            if !reset && state.counter < held.base.0 {
                continue;
            }
            let expected = match received.untaken {
                true => &outgoing.before,
                false => &outgoing.expected,
            };
            let mut vector = match expected.get(&state.space) {
                Some(expected) if !reset => expected.clone(),
                _ => Vector::default(),
            };
            for (device, tips) in &state.changes {
                vector.set(*device, tips.iter().copied());
            }
            let wanted: BTreeSet<DeviceId> = state.ladders_wanted.iter().copied().collect();
            received.again |= !wanted.is_empty();
            out.steps.push(Step::Ladders(state.space.clone(), wanted));
            let base = (state.counter, vector);
            told.insert(state.space.clone(), base.clone());
            if base != held.base {
                self.follow_outbox(context, rows, &state.space, &base.1, out)?;
                out.rows.push(stored::base_row(&state.space, &base));
                out.steps.push(Step::Base(state.space.clone(), base));
            }
        }
        Ok(told)
    }

    /// What survives the loss of the server: the vector of a counter, if that counter is inside a
    /// backup or the journal. A restored server has to tell it anew: its backup may be an older one.
    fn learn_safe(
        &self,
        outgoing: &Outgoing,
        safe: Option<&Safe>,
        reborn: bool,
        told: &BTreeMap<Space, (u64, Vector)>,
        out: &mut Prepared<()>,
    ) {
        for (index, (space, before)) in (0u32..).zip(&outgoing.before) {
            let Some(held) = self.spaces.get(space) else {
                continue;
            };
            let mut known = match reborn {
                true => Vector::default(),
                false => held.safe.clone(),
            };
            // An answer that was overtaken says nothing of what is known by now.
            let base = match told.get(space) {
                Some(base) => Some(base),
                None => Some(&held.base).filter(|base| base.1 == *before && !reborn),
            };
            let up_to = match safe {
                None => None,
                Some(Safe::All) => Some(u64::MAX),
                Some(Safe::UpTo(counters)) => counters
                    .iter()
                    .find(|(place, _)| *place == index)
                    .map(|(_, counter)| *counter),
            };
            if let (Some((counter, vector)), Some(up_to)) = (base, up_to)
                && *counter <= up_to
            {
                known = vector.clone();
            }
            if known != held.safe {
                out.rows.push(stored::safe_row(space, &known));
                out.steps.push(Step::Safe(space.clone(), known));
            }
        }
    }

    /// Whether the server is believed to lack something that is held here.
    pub fn has_unsent(&self) -> bool {
        self.spaces.iter().any(|(space, held)| {
            !held.staged.is_empty() || !self.lacking_at_server(space, &[]).is_empty()
        })
    }
}

/// Takes a control entry, if it is new.
pub(crate) fn add_control(
    control: &mut Control,
    bytes: &[u8],
    out: &mut Prepared<()>,
) -> Result<(), BadEntry> {
    if let Some(entry) = control.check(bytes)? {
        let arrival = control.entries().count() as u64;
        out.rows.push(stored::control_row(arrival, &entry));
        control.apply(entry);
    }
    Ok(())
}

pub(crate) fn hold_step(batch: &Batch) -> Step {
    Step::Hold {
        space: batch.header.space.clone(),
        device: batch.header.device,
        node: batch.node(),
        records: batch.entries.iter().map(|entry| entry.record).collect(),
    }
}
