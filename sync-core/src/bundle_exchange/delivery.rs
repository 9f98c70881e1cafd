//! Taking of a bundle: control entries first, then batches, then what is known of the server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::bundle::{self, BadBundle, Content, Receipt, Unsealed};
use crate::control::Control;
use crate::exchange::add_control;
use crate::id::Place;
use crate::id::Space;
use crate::ingest::{BatchIngest, Pending, Work};
use crate::replica::{Context, Prepared, Replica, ServerState, Step};
use crate::row::{ReadRows, Unreadable};
use crate::seal::SealingKey;
use crate::stored;

/// What a bundle brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Batches that are new here.
    pub batches: usize,
    /// Envelopes that were for this device.
    pub opened: usize,
    /// Envelopes that are for others: the file is still worth carrying on.
    pub others: usize,
    /// Spaces of which the server has acknowledged more than was known here.
    pub acknowledged: usize,
    /// Codes of what is not held, and why.
    pub not_held: Vec<&'static str>,
    /// Batches wait for others that are not here yet.
    pub waiting: usize,
    /// More wait than fit; their bundle has to come again (R6).
    pub stash_full: bool,
    /// New orders erased something, and nothing else was taken: take the same file again.
    pub again: bool,
}

/// Why a bundle is not taken. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The bytes.
    #[error(transparent)]
    Bundle(#[from] BadBundle),
    /// The host could not read a row.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// A bundle that is being taken, slice by slice ([`Replica::prepare_delivery`]).
#[derive(Clone, Debug)]
pub struct Delivery {
    contents: Arc<Content>,
    /// Its control entries are taken.
    begun: bool,
    /// So many of its batches are taken.
    at: usize,
    /// Records that they are not merged into yet.
    pending: Pending,
    /// Some of them were written elsewhere.
    of_others: bool,
    imported: Imported,
}

/// What is left after a slice of a bundle.
#[derive(Debug)]
pub enum DeliverySlice {
    /// The rest of it, for the next slice.
    More(Box<Delivery>),
    /// Nothing: this is what it brought.
    Whole(Imported),
}

impl Delivery {
    /// Of a bundle that is open; nothing is taken yet.
    pub fn of(unsealed: Unsealed) -> Self {
        let imported = Imported {
            opened: unsealed.contents.len(),
            others: unsealed.others,
            not_held: unsealed.bad.iter().map(|bad| bad.code()).collect(),
            ..Imported::default()
        };
        let mut whole = Content::default();
        for content in unsealed.contents {
            whole.control.extend(content.control);
            whole.batches.extend(content.batches);
            whole.receipts.extend(content.receipts);
        }
        Self {
            contents: Arc::new(whole),
            begun: false,
            at: 0,
            pending: Pending::default(),
            of_others: false,
            imported,
        }
    }

    /// The records that the next slice merges on a host that marks its merges, as those of an answer are
    /// ([`Arrival::merges`]).
    ///
    /// [`Arrival::merges`]: crate::exchange::Arrival::merges
    pub fn merges(&self) -> BTreeSet<Place> {
        match self.at < self.contents.batches.len() {
            true => BTreeSet::new(),
            false => self.pending.first(Work::RECORDS).cloned().collect(),
        }
    }
}

/// How many spaces receipts were taken of.
#[derive(Default)]
pub(crate) struct Acknowledged {
    /// All that can be passed on now.
    pub(crate) receipts: usize,
    /// Those that say more than was known here.
    pub(crate) news: usize,
}

impl Replica {
    /// Prepares what a bundle changes, all of it in one transaction: for a host that nobody waits for. Others
    /// take it slice by slice ([`Replica::prepare_delivery`]).
    pub fn prepare_import(
        &self,
        context: &mut Context<'_>,
        rows: &dyn ReadRows,
        key: &SealingKey,
        file: &[u8],
    ) -> Result<Prepared<Imported>, ImportError> {
        let delivery = Delivery::of(bundle::unseal(self.me.network, [key], file)?);
        let (out, slice) = self.delivery_slice(context, rows, &delivery, Work::ALL)?;
        Ok(match slice {
            DeliverySlice::Whole(imported) => out.with(imported),
            DeliverySlice::More(delivery) => out.with(delivery.imported),
        })
    }

    /// Prepares the next slice of a bundle: control first, then batches into feeds, then records, then what
    /// is known of the server. Each slice is a transaction, as those of an answer are
    /// ([`Replica::prepare_slice`]). A bundle that is left between two of them loses nothing, and its file may
    /// come again.
    pub fn prepare_delivery(
        &self,
        context: &mut Context<'_>,
        rows: &dyn ReadRows,
        delivery: &Delivery,
        work: Work,
    ) -> Result<Prepared<DeliverySlice>, Unreadable> {
        let (out, slice) = self.delivery_slice(context, rows, delivery, work)?;
        Ok(out.with(slice))
    }

    fn delivery_slice(
        &self,
        context: &mut Context<'_>,
        rows: &dyn ReadRows,
        delivery: &Delivery,
        mut work: Work,
    ) -> Result<(Prepared<()>, DeliverySlice), Unreadable> {
        let contents = &*delivery.contents;
        let mut imported = delivery.imported.clone();
        let mut out = Prepared::default();
        let mut told = None;
        if !delivery.begun {
            let control = self.join_control(&contents.control, &mut imported, &mut out);
            let erased = self.newly_erased(&control);
            if !erased.is_empty() {
                let work = work.without_end();
                self.erase(context, rows, &control, &erased, work, &mut out)?;
                imported.again = true;
                return Ok((out, DeliverySlice::Whole(imported)));
            }
            told = Some(control);
        }
        let control = told.as_ref().unwrap_or(&self.control);
        let mut incoming = BatchIngest::new(self, control).bounded();
        let at = incoming.receive_from(&contents.batches, delivery.at, &mut work);
        let took_the_last = at == contents.batches.len() && (at > delivery.at || !delivery.begun);
        if took_the_last {
            incoming.unstash();
            imported.waiting = incoming.waiting();
        }
        imported.batches += incoming.count();
        imported.not_held.append(&mut incoming.not_held);
        imported.stash_full |= incoming.stash_full;
        let of_others = delivery.of_others || incoming.has_of_others(self.me.device);
        let pending = incoming.write(rows, &delivery.pending, &mut work, &mut out)?;
        if at < contents.batches.len() || !pending.is_empty() {
            let rest = Delivery {
                contents: delivery.contents.clone(),
                begun: true,
                at,
                pending,
                of_others,
                imported,
            };
            return Ok((out, DeliverySlice::More(Box::new(rest))));
        }
        let acknowledged =
            self.take_receipts(context, rows, control, &contents.receipts, &mut out)?;
        imported.acknowledged = acknowledged.news;
        if of_others && !self.server.relays {
            // Whoever gave us this waits to hear that the server has it.
            let hub = ServerState {
                relays: true,
                ..self.server.clone()
            };
            out.put(stored::hub_row(&hub), Step::Server(hub));
        }
        Ok((out, DeliverySlice::Whole(imported)))
    }

    /// Takes the control entries in whatever order they come; one that does not check is left out
    /// and keeps nothing else from being taken.
    fn join_control(
        &self,
        entries: &[Vec<u8>],
        imported: &mut Imported,
        out: &mut Prepared<()>,
    ) -> Control {
        let mut control = self.control.clone();
        let mut left: Vec<&Vec<u8>> = entries.iter().collect();
        let before = left.len();
        loop {
            let count = left.len();
            left.retain(|bytes| match control.check(bytes) {
                Ok(Some(entry)) => {
                    add_control(&mut control, entry, out);
                    false
                }
                Ok(None) => false,
                Err(_) => true,
            });
            if left.is_empty() || left.len() == count {
                break;
            }
        }
        imported
            .not_held
            .extend(left.iter().map(|_| "control_entry"));
        if before > left.len() {
            self.prune_control(&mut control, out);
            out.steps.push(Step::Control(Box::new(control.clone())));
        }
        control
    }

    /// Takes the server's acknowledgements, to know what it holds and to pass on what it said.
    pub(crate) fn take_receipts<'a>(
        &self,
        context: &mut Context<'_>,
        rows: &dyn ReadRows,
        control: &Control,
        receipts: impl IntoIterator<Item = &'a Vec<u8>>,
        out: &mut Prepared<()>,
    ) -> Result<Acknowledged, Unreadable> {
        let mut newest: BTreeMap<Space, (Receipt, &Vec<u8>)> = BTreeMap::new();
        for bytes in receipts {
            let Some(receipt) = Receipt::check(control, bytes) else {
                continue;
            };
            // Of another life of the server nothing is known here (R22).
            let known = self.spaces.get(&receipt.space).is_some_and(|held| {
                Some(receipt.incarnation) == self.server.incarnation
                    && receipt.counter >= held.base.0
            });
            let counter = |space: &Space| newest.get(space).map(|(known, _)| known.counter);
            if known && counter(&receipt.space) < Some(receipt.counter) {
                newest.insert(receipt.space.clone(), (receipt, bytes));
            }
        }
        let mut acknowledged = Acknowledged::default();
        for (space, (receipt, bytes)) in newest {
            acknowledged.receipts += 1;
            out.put(
                stored::receipt_row(&space, bytes),
                Step::Receipt(space.clone(), bytes.clone()),
            );
            let told = self.spaces.get(&space).map_or(0, |held| held.base.0);
            if receipt.counter > told {
                acknowledged.news += 1;
                let base = (receipt.counter, receipt.vector);
                self.reconcile_outbox(context, rows, &space, &base.1, out)?;
                out.put(stored::base_row(&space, &base), Step::Base(space, base));
            }
        }
        Ok(acknowledged)
    }
}
