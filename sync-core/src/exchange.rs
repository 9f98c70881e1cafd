//! The phone's side of an exchange: the request, and the changes that an answer brings.

mod answer;
mod hear;

use std::collections::{BTreeMap, BTreeSet};

use crate::batch::{BATCH_BYTES_MAX, BadBatch, Batch};
use crate::control::{BadEntry, Control, ControlEntry};
use crate::feed::{Node, Vector};
use crate::id::{BatchHash, DeviceId, EntryHash, Incarnation, Space};
pub use crate::ingest::Work;
use crate::ingest::{BatchIngest, Pending};
use crate::replica::{Context, DeviceIdentity, Prepared, Replica, ServerState, Step};
use crate::row::{ReadRows, Unreadable};
use crate::stored;
use crate::wire::{
    BadMessage, Request, Safe, SpaceClaim, UPLOAD_BATCHES_MAX, UPLOAD_BYTES_MAX, base_digest,
};
pub use hear::{Arrival, Unopened};

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
    const _TAKEN: () = assert!(Self::LARGEST.up + BATCH_BYTES_MAX <= UPLOAD_BYTES_MAX);

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
    /// Whether what the round's batches refer to was found.
    pub references: References,
    /// Two phones write with this device's keys: this one is to make new ones.
    pub renew_keys: bool,
    /// Records that new orders erased here. Nothing else of the answer was taken; it comes again.
    pub erased: usize,
    /// Persons who may have ordered this phone to wipe itself, and whether the server has taken what it
    /// handed over. Nothing else was in the answer.
    pub wipe: Option<WipeTurn>,
}

/// Whether what the batches of a round refer to was found. If not they come again, referring to nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum References {
    /// It was, as far as anything was referred to.
    #[default]
    Resolved,
    /// Not by the server, which took none of the request's batches.
    UnresolvedAtServer,
    /// Not here: no more of the answer's batches were taken.
    UnresolvedHere,
}

/// What is left after a slice of an answer.
#[derive(Debug)]
pub enum Slice {
    /// The rest of it, for the next slice.
    More(Box<Arrival>),
    /// Nothing: this is what it brought.
    Whole(Received),
}

/// Where a phone stands that is to wipe itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WipeTurn {
    /// It hands over what the server lacks ([`Replica::wipe_request`]).
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
        let mut out = Prepared::default();
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
                // What the budget leaves out is not read: a long upload would read it in every round.
                if room == 0 {
                    more = true;
                    break;
                }
                let bytes = self.batch_bytes(rows, space, fresh, &node)?;
                let Some(bytes) = bytes else { continue };
                let is_full = upload.len() == UPLOAD_BATCHES_MAX;
                if is_full || (bytes.len() > room && !upload.is_empty()) {
                    more = true;
                    room = 0;
                    break;
                }
                room = room.saturating_sub(bytes.len());
                server.advance(device, &node);
                sent.push(node.hash);
                upload.push((space.clone(), bytes));
            }
            let changes = own.changes_from(&server);
            let locators = held
                .locators_wanted
                .iter()
                .filter_map(|device| Some((*device, held.feeds.get(device)?.locator())))
                .collect();
            claims.push(SpaceClaim {
                space: space.clone(),
                counter: held.base.0,
                changes,
                locators,
            });
            bases.insert(space.clone(), held.base.clone());
            expected.insert(space.clone(), server);
        }
        let refer = match self.plain {
            true => None,
            false => Some(self.known_at_server(rows, &upload)?),
        };
        let shown = self.entries_to_show.next(&self.control, self.me.device);
        let request = Request {
            device: self.me.device,
            nonce: self.server.nonce,
            control: self.control.position(),
            base: base_digest(self.server.incarnation, &bases),
            spaces: claims,
            batches: upload.into_iter().map(|(_, bytes)| bytes).collect(),
            refer,
            budget: budget.down,
            receipts: self.server.relays,
            shown: shown.iter().map(|entry| entry.bytes().to_vec()).collect(),
            renewal: self.renewal.clone(),
            wipe_report: None,
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
            life: self.server.incarnation,
        };
        Ok(out.with(outgoing))
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

    /// Whether the server is believed to lack something that is held here.
    pub fn has_unsent(&self) -> bool {
        self.spaces.iter().any(|(space, held)| {
            !held.staged.is_empty() || !self.lacking_at_server(space, &[]).is_empty()
        })
    }
}

/// Takes a control entry that is new here.
pub(crate) fn add_control(control: &mut Control, entry: ControlEntry, out: &mut Prepared<()>) {
    let arrival = control.entries().count() as u64;
    out.rows.push(stored::control_row(arrival, &entry));
    control.apply(entry);
}

#[cfg(test)]
mod tests;
