//! Handling of an answer: control first, then batches into feeds and records, then what is known of
//! the server.

use super::*;
use crate::wire::{Answer, WipeCommand};

impl Replica {
    /// Prepares what an answer changes, all of it in one transaction: for a host that nobody waits for. Others
    /// take it slice by slice ([`Replica::prepare_slice`]).
    pub fn prepare_answer(
        &self,
        context: &mut Context<'_>,
        rows: &dyn ReadRows,
        outgoing: &Outgoing,
        bytes: &[u8],
    ) -> Result<Prepared<Received>, ExchangeError> {
        let arrival = self.read_answer(rows, outgoing, bytes)?.open()?;
        let (out, slice) = self.slice(context, rows, outgoing, &arrival, Work::ALL)?;
        Ok(match slice {
            Slice::Whole(received) => out.with(received),
            Slice::More(arrival) => out.with(arrival.received),
        })
    }

    /// Prepares the next slice of an answer: control first, then batches into feeds, then records, then what
    /// is known of the server. Each slice is a transaction, so that nobody who calls this replica waits
    /// for all of it.
    ///
    /// Batches are held before they are merged. A record that waits for that is *behind*: it shows what it
    /// showed, and its row is gone, so that whoever opens the store makes it again from what is held. An
    /// answer that is broken off between two slices loses nothing: the server is told of what is held by
    /// the next request, and the next answer brings up the records that are behind.
    pub fn prepare_slice(
        &self,
        context: &mut Context<'_>,
        rows: &dyn ReadRows,
        outgoing: &Outgoing,
        arrival: &Arrival,
        work: Work,
    ) -> Result<Prepared<Slice>, ExchangeError> {
        let (out, slice) = self.slice(context, rows, outgoing, arrival, work)?;
        Ok(out.with(slice))
    }

    fn slice(
        &self,
        context: &mut Context<'_>,
        rows: &dyn ReadRows,
        outgoing: &Outgoing,
        arrival: &Arrival,
        mut work: Work,
    ) -> Result<(Prepared<()>, Slice), ExchangeError> {
        let answer = &arrival.heard.answer;
        let mut out = Prepared::default();
        let mut received = arrival.received.clone();
        let mut told = None;
        if !arrival.begun {
            if answer.stale_nonce {
                let again = self.take_stale_nonce(context, answer, &mut out);
                return Ok((out, Slice::Whole(again)));
            }
            if let Some(call) = &answer.wipe {
                let called = self.take_wipe_call(context, answer, call, &mut out)?;
                return Ok((out, Slice::Whole(called)));
            }
            if !answer.control.is_empty() {
                told = Some(self.take_control(&answer.control, |_| true, &mut out)?);
            }
            let control = told.as_ref().unwrap_or(&self.control);
            let erased = self.newly_erased(control);
            if !erased.is_empty() {
                self.erase(
                    context,
                    rows,
                    control,
                    &erased,
                    work.without_end(),
                    &mut out,
                )?;
                self.put_hub(self.heard_of_hub(context, answer), &mut out);
                received.again = true;
                received.erased = erased.len();
                return Ok((out, Slice::Whole(received)));
            }
            let granted = |control: &Control| control.grants(self.me.device);
            let widened = granted(control) != granted(&self.control);
            received.again = answer.more || outgoing.more || widened;
            received.renew_keys = answer.renew_keys;
            if arrival.heard.unread {
                received.references = References::UnresolvedHere;
            }
        }
        let control = told.as_ref().unwrap_or(&self.control);
        let (at, pending) =
            self.take_batches(rows, control, arrival, &mut received, &mut work, &mut out)?;
        if at < answer.batches.len() || !pending.is_empty() {
            let rest = Arrival {
                heard: arrival.heard.clone(),
                begun: true,
                at,
                pending,
                received,
            };
            return Ok((out, Slice::More(Box::new(rest))));
        }
        self.take_news(
            context,
            rows,
            outgoing,
            answer,
            control,
            &mut received,
            &mut out,
        )?;
        Ok((out, Slice::Whole(received)))
    }

    /// What is known of the server and the time once this answer is heard.
    fn heard_of_hub(&self, context: &Context<'_>, answer: &Answer) -> ServerState {
        ServerState {
            nonce: answer.nonce.unwrap_or(self.server.nonce),
            clock_ahead: context.now.saturating_sub(answer.time),
            heard: self.server.heard.max(answer.time),
            ..self.server.clone()
        }
    }

    fn put_hub(&self, hub: ServerState, out: &mut Prepared<()>) {
        out.put(stored::hub_row(&hub), Step::Server(hub));
    }

    /// Nothing was done: asked again with the nonce that came.
    fn take_stale_nonce(
        &self,
        context: &Context<'_>,
        answer: &Answer,
        out: &mut Prepared<()>,
    ) -> Received {
        self.put_hub(self.heard_of_hub(context, answer), out);
        Received {
            again: true,
            ..Received::default()
        }
    }

    fn take_wipe_call(
        &self,
        context: &Context<'_>,
        answer: &Answer,
        call: &WipeCommand,
        out: &mut Prepared<()>,
    ) -> Result<Received, ExchangeError> {
        if !self.verify_wipe_command(call, out)? {
            return Err(BadEntry::Signature.into());
        }
        self.put_hub(self.heard_of_hub(context, answer), out);
        let turn = match call.taken {
            true => WipeTurn::Wipe,
            false => WipeTurn::HandOver,
        };
        Ok(Received {
            wipe: Some(turn),
            ..Received::default()
        })
    }

    /// Takes batches into feeds, then into records, as far as the work goes: how many batches are taken
    /// now, and the records that wait.
    fn take_batches(
        &self,
        rows: &dyn ReadRows,
        control: &Control,
        arrival: &Arrival,
        received: &mut Received,
        work: &mut Work,
        out: &mut Prepared<()>,
    ) -> Result<(usize, Pending), Unreadable> {
        let batches = &arrival.heard.answer.batches;
        let mut incoming = BatchIngest::new(self, control);
        let mut at = incoming.receive_from(batches, arrival.at, work);
        if arrival.heard.refers && !incoming.not_held.is_empty() {
            // They may be another than their author's for what they refer to.
            received.references = References::UnresolvedHere;
            incoming = BatchIngest::new(self, control);
            at = batches.len();
        }
        let took_the_last = at == batches.len() && (at > arrival.at || !arrival.begun);
        if took_the_last {
            incoming.unstash();
        }
        received.batches += incoming.count();
        received.not_held.append(&mut incoming.not_held);
        received.stash_full |= incoming.stash_full;
        let pending = incoming.write(rows, &arrival.pending, work, out)?;
        Ok((at, pending))
    }

    /// Takes what an answer says beside batches, once they are merged: what the server has lost, refused,
    /// holds and has acknowledged.
    #[expect(
        clippy::too_many_arguments,
        reason = "an answer's parts and where they go"
    )]
    fn take_news(
        &self,
        context: &mut Context<'_>,
        rows: &dyn ReadRows,
        outgoing: &Outgoing,
        answer: &Answer,
        control: &Control,
        received: &mut Received,
        out: &mut Prepared<()>,
    ) -> Result<(), Unreadable> {
        let mut hub = self.heard_of_hub(context, answer);
        let new_incarnation = answer.reset && answer.incarnation != self.server.incarnation;
        let entries_to_show =
            self.entries_to_show
                .after(&outgoing.shown, control, &answer.control, new_incarnation);
        received.again |= !entries_to_show.is_empty();
        self.take_refusals(outgoing, answer, !entries_to_show.is_empty(), received, out);
        out.steps.push(Step::EntriesToShow(entries_to_show));
        received.again |= answer.reset;
        // An answer that was overtaken by the news of another life says nothing of this one.
        if outgoing.life == self.server.incarnation {
            if answer.reset {
                hub.incarnation = answer.incarnation;
            }
            let told = self.learn_bases(context, rows, outgoing, answer, received, out)?;
            self.learn_safe(outgoing, answer.safe.as_ref(), new_incarnation, &told, out);
        } else {
            received.again = true;
        }

        let acknowledged = self.take_receipts(context, rows, control, &answer.receipts, out)?;
        // What this request left out is not acknowledged yet.
        hub.relays &= acknowledged.receipts == 0 || outgoing.more;
        let failed = received.references != References::Resolved;
        received.again |= failed;
        out.steps
            .push(Step::Plain(failed || (self.plain && received.again)));
        hub.last_exchange = Some(context.now);
        self.put_hub(hub, out);
        Ok(())
    }

    /// Notes the batches that the server would not hold.
    fn take_refusals(
        &self,
        outgoing: &Outgoing,
        answer: &Answer,
        entries_to_show: bool,
        received: &mut Received,
        out: &mut Prepared<()>,
    ) {
        // A server that lost the enrolment of an author refuses her batches until it is shown it, and
        // one that lost an order of erasure what the order has taken bytes from.
        let lost = [BadBatch::Author, BadBatch::Redacted].map(BadBatch::code);
        let may_change = answer.reset || entries_to_show;
        for refused in &answer.refused {
            if refused.code == BadBatch::Reference.code() {
                received.references = References::UnresolvedAtServer;
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
    fn learn_bases(
        &self,
        context: &mut Context<'_>,
        rows: &dyn ReadRows,
        outgoing: &Outgoing,
        answer: &Answer,
        received: &mut Received,
        out: &mut Prepared<()>,
    ) -> Result<BTreeMap<Space, (u64, Vector)>, Unreadable> {
        let mut told = BTreeMap::new();
        for state in &answer.spaces {
            let Some(held) = self.spaces.get(&state.space) else {
                continue;
            };
            // An older counter of the same incarnation is an answer that was overtaken (R22).
            if !answer.reset && state.counter < held.base.0 {
                continue;
            }
            let expected = match received.references {
                References::UnresolvedAtServer => &outgoing.before,
                _ => &outgoing.expected,
            };
            let mut vector = match expected.get(&state.space) {
                Some(expected) if !answer.reset => expected.clone(),
                _ => Vector::default(),
            };
            for (device, tips) in &state.changes {
                vector.set(*device, tips.iter().copied());
            }
            let wanted: BTreeSet<DeviceId> = state.ladders_wanted.iter().copied().collect();
            received.again |= !wanted.is_empty();
            out.steps.push(Step::Locators(state.space.clone(), wanted));
            let base = (state.counter, vector);
            told.insert(state.space.clone(), base.clone());
            if base != held.base {
                self.reconcile_outbox(context, rows, &state.space, &base.1, out)?;
                out.put(
                    stored::base_row(&state.space, &base),
                    Step::Base(state.space.clone(), base),
                );
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
        new_incarnation: bool,
        told: &BTreeMap<Space, (u64, Vector)>,
        out: &mut Prepared<()>,
    ) {
        for (index, (space, before)) in (0u32..).zip(&outgoing.before) {
            let Some(held) = self.spaces.get(space) else {
                continue;
            };
            let mut known = match new_incarnation {
                true => Vector::default(),
                false => held.safe.clone(),
            };
            // An answer that was overtaken says nothing of what is known by now.
            let base = match told.get(space) {
                Some(base) => Some(base),
                None => Some(&held.base).filter(|base| base.1 == *before && !new_incarnation),
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
                out.put(
                    stored::safe_row(space, &known),
                    Step::Safe(space.clone(), known),
                );
            }
        }
    }
}
