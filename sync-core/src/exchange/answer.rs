//! What a phone does with an answer: control first, then batches into feeds and records, then what is known
//! of the server.

use super::hear::Heard;
use super::*;

impl Replica {
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
            let mut out = Prepared::default();
            if !self.hear_wipe_call(call, &mut out)? {
                return Err(BadEntry::Signature.into());
            }
            out.rows.push(stored::hub_row(&hub));
            out.steps.push(Step::Hub(hub));
            let turn = match call.taken {
                true => WipeTurn::Wipe,
                false => WipeTurn::HandOver,
            };
            let received = Received {
                wipe: Some(turn),
                ..Received::default()
            };
            return Ok(Prepared {
                rows: out.rows,
                steps: out.steps,
                outcome: received,
            });
        }
        let mut out = Prepared::default();
        let told = (!answer.control.is_empty())
            .then(|| self.take_control(&answer.control, |_| true, &mut out))
            .transpose()?;
        let control = told.as_ref().unwrap_or(&self.control);
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
            incoming.take(bytes);
        }
        received.unread = unread;
        if refers && !incoming.not_held.is_empty() {
            // They may be another than their author's for what they refer to.
            received.unread = true;
            incoming = Incoming::new(self, control);
        }
        incoming.unstash();
        received.batches = incoming.count();
        received.not_held.append(&mut incoming.not_held);
        received.stash_full = incoming.stash_full;
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

    /// What is held of the control feed with those of these entries that are to be kept.
    pub(crate) fn take_control<'a>(
        &self,
        entries: impl IntoIterator<Item = &'a Vec<u8>>,
        keeps: impl Fn(&ControlEntry) -> bool,
        out: &mut Prepared<()>,
    ) -> Result<Control, BadEntry> {
        let mut control = self.control.clone();
        for bytes in entries {
            if let Some(entry) = control.check(bytes)?.filter(&keeps) {
                add_control(&mut control, entry, out);
            }
        }
        self.prune_control(&mut control, out);
        out.steps.push(Step::Control(Box::new(control.clone())));
        Ok(control)
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
}
