//! Bundle exchange on a phone: bundles made and taken, an exchange by mail.
//!
//! What a phone gives to a traveller is what the server is believed to lack; what comes back is what
//! the phone lacks. Nobody waits for an answer: a bundle may be lost, come twice, late or before
//! another one, and every receiver that may read it takes from it what it can use.

pub mod reply;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::bundle::{self, BadBundle, Claims, Content, Padding, Receipt, Unsealed};
use crate::control::Control;
use crate::exchange::{Budget, add_control};
use crate::feed::{Node, by_turns};
use crate::id::{DeviceId, Space};
use crate::ingest::{BatchIngest, Pending, Work};
use crate::merging::Place;
use crate::replica::{Context, Prepared, Replica, ServerState, Step};
use crate::row::{ReadRows, Table, Unreadable};
use crate::seal::{PublicKey, SealError, SealingKey};
use crate::stored;
use crate::wire::BATCHES_MAX;

/// What one satellite short message carries.
pub const SHORT_BYTES: usize = 1750;

/// What a bundle is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BundleOptions {
    /// How large it may get, in bytes; as large as it must be if `None`.
    pub bytes_max: Option<usize>,
    /// For a channel that counts every byte: to the server alone, batches alone, no padding.
    pub short: bool,
    /// All that is held and not only what the server lacks: for a phone that has seen neither.
    pub everything: bool,
}

/// A bundle to give to whoever travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// The file.
    pub bytes: Vec<u8>,
    /// Batches in it.
    pub batches: usize,
    /// Batches that did not fit: for the next one.
    pub left: usize,
}

/// Why a bundle can't be made. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The server has not told yet which key is its own.
    #[error("no key of the server is known yet")]
    NoKey,
    /// Not even one batch fits.
    #[error("a bundle of one batch has {least} bytes")]
    TooSmall {
        /// What the smallest one needs.
        least: usize,
    },
    /// The host could not read a row.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

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

/// A batch that may go into a bundle.
struct Candidate {
    space: Space,
    bytes: Vec<u8>,
}

/// Spaces that the same devices hold: what is in one envelope all its readers may read.
type Audiences = BTreeMap<Vec<PublicKey>, BTreeSet<Space>>;

/// Who reads bundles of these spaces: their devices but `maker`, and the server.
fn audiences<'a>(
    control: &Control,
    spaces: impl IntoIterator<Item = &'a Space>,
    maker: Option<DeviceId>,
) -> Audiences {
    let maker = maker.and_then(|maker| control.enrolment(maker));
    let maker = maker.map(|enrolment| PublicKey::of_suite_1(enrolment.sealing_key));
    let mut audiences = Audiences::new();
    for space in spaces {
        let mut readers: Vec<PublicKey> = control
            .holders(space)
            .filter(|reader| Some(*reader) != maker)
            .chain(control.seal_key().map(|server| server.key))
            .collect();
        readers.sort_unstable();
        readers.dedup();
        audiences.entry(readers).or_default().insert(space.clone());
    }
    audiences
}

impl Replica {
    /// Prepares a bundle: signs what is staged into batches, as an exchange does, and seals what the
    /// server is believed to lack. The bytes come out of [`Replica::apply`] only (R1).
    pub fn prepare_bundle(
        &self,
        context: &mut Context<'_>,
        rows: &dyn ReadRows,
        sign: &dyn Fn(&[u8]) -> [u8; 64],
        options: BundleOptions,
    ) -> Result<Prepared<Bundle>, BundleError> {
        let mut out = Prepared::default();
        let mut queues = Vec::new();
        let mut vectors = BTreeMap::new();
        for (space, held) in &self.spaces {
            let fresh = self.seal_staged(context, space, sign, &mut out);
            let mut vector = held.vector();
            for batch in &fresh {
                vector.advance(self.me.device, &batch.node());
            }
            vectors.insert(space.clone(), vector);
            let nodes = match options.everything {
                true => self.all_held(space, &fresh),
                false => self.lacking_at_server(space, &fresh),
            };
            let mut queue = Vec::new();
            for (_, node) in nodes {
                if let Some(bytes) = self.batch_bytes(rows, space, &fresh, &node)? {
                    let space = space.clone();
                    queue.push(Candidate { space, bytes });
                }
            }
            queues.push(queue);
        }
        let candidates = by_turns(queues);
        let draft = BundleDraft {
            replica: self,
            audiences: match options.short {
                true => self.server_alone()?,
                false => audiences(&self.control, self.spaces.keys(), Some(self.me.device)),
            },
            vectors,
            sign,
            short: options.short,
        };
        let bundle = draft.fit(context, &candidates, options.bytes_max)?;
        Ok(out.with(bundle))
    }

    fn all_held(&self, space: &Space, fresh: &[crate::batch::Batch]) -> Vec<(DeviceId, Node)> {
        let feeds = self.spaces.get(space).map(|held| &held.feeds);
        let held = feeds.into_iter().flatten().flat_map(|(device, feed)| {
            let all = feed.missing([]);
            all.into_iter().map(|node| (*device, node.clone()))
        });
        held.chain(fresh.iter().map(|batch| (self.me.device, batch.node())))
            .collect()
    }

    fn server_alone(&self) -> Result<Audiences, BundleError> {
        let server = self.control.seal_key().ok_or(BundleError::NoKey)?;
        let spaces = self.spaces.keys().cloned().collect();
        Ok(Audiences::from([(vec![server.key], spaces)]))
    }

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
        let mut incoming = BatchIngest::new(self, control);
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
        let pending = incoming.write(rows, delivery.pending.clone(), &mut work, &mut out)?;
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

    /// A batch in its stored form: fresh, or of the store. The fresh ones stand in the order of their
    /// numbers.
    pub(crate) fn batch_bytes(
        &self,
        rows: &dyn ReadRows,
        space: &Space,
        fresh: &[crate::batch::Batch],
        node: &Node,
    ) -> Result<Option<Vec<u8>>, Unreadable> {
        let hash = node.hash;
        let place = fresh.binary_search_by_key(&node.seq, |batch| batch.header.seq);
        let fresh = place.ok().and_then(|place| fresh.get(place));
        match fresh.filter(|batch| batch.hash == hash) {
            Some(batch) => Ok(Some(batch.bytes().to_vec())),
            None => rows.read(Table::Batch, &stored::batch_key(space, hash)),
        }
    }
}

/// A bundle before it is decided how much goes in.
struct BundleDraft<'a> {
    replica: &'a Replica,
    audiences: Audiences,
    /// What this phone holds once its staged edits are batches.
    vectors: BTreeMap<Space, crate::feed::Vector>,
    sign: &'a dyn Fn(&[u8]) -> [u8; 64],
    short: bool,
}

impl BundleDraft<'_> {
    /// The bundle of as many candidates, in their order, as fit.
    fn fit(
        &self,
        context: &mut Context<'_>,
        candidates: &[Candidate],
        bytes_max: Option<usize>,
    ) -> Result<Bundle, BundleError> {
        let bytes_max = bytes_max.unwrap_or(bundle::BUNDLE_BYTES_MAX);
        let bundle = |count: usize, bytes: Vec<u8>| Bundle {
            bytes,
            batches: count,
            left: candidates.len() - count,
        };
        let whole = self.build(context, candidates)?;
        if whole.len() <= bytes_max {
            return Ok(bundle(candidates.len(), whole));
        }
        // The size grows with the count: the largest count that fits is found by halving.
        let (mut fits, mut too_many) = (None, candidates.len());
        let (mut low, mut least) = (0, whole.len());
        while low < too_many {
            let count = low + (too_many - low) / 2;
            let count = count.max(usize::from(!candidates.is_empty()));
            if count >= too_many {
                break;
            }
            let bytes = self.build(context, &candidates[..count])?;
            if bytes.len() <= bytes_max {
                low = count + 1;
                fits = Some((count, bytes));
            } else {
                least = bytes.len();
                too_many = count;
            }
        }
        match fits {
            Some((count, bytes)) => Ok(bundle(count, bytes)),
            None => Err(BundleError::TooSmall { least }),
        }
    }

    fn build(
        &self,
        context: &mut Context<'_>,
        candidates: &[Candidate],
    ) -> Result<Vec<u8>, BundleError> {
        let mut file = Vec::new();
        for (readers, spaces) in &self.audiences {
            let batches = candidates.iter().filter(|c| spaces.contains(&c.space));
            let batches = batches.map(|candidate| candidate.bytes.clone()).collect();
            let mut content = match self.short {
                true => Content::default(),
                false => self.about(spaces),
            };
            for batches in portions(batches) {
                content.batches = batches;
                match self.envelope(context, readers, &content) {
                    Ok(envelope) => file.extend_from_slice(&envelope),
                    // Nobody else holds these spaces, and the server has told no key yet.
                    Err(_) => return Err(BundleError::NoKey),
                }
                content = Content::default();
            }
        }
        Ok(file)
    }

    /// What goes into a bundle beside batches: the devices that wrote them, what this phone holds and
    /// what it has heard of the server. The plan package stays at home: it is large.
    fn about(&self, spaces: &BTreeSet<Space>) -> Content {
        let Replica { me, control, .. } = self.replica;
        let entries = control.for_spaces(spaces);
        let receipts = spaces.iter().filter_map(|space| {
            let held = self.replica.spaces.get(space)?;
            held.receipt.clone()
        });
        let vectors = self
            .vectors
            .iter()
            .filter(|(space, _)| spaces.contains(*space));
        let claims = Claims {
            device: me.device,
            control: control.position(),
            spaces: vectors
                .map(|(s, vector)| (s.clone(), vector.clone()))
                .collect(),
        };
        Content {
            batches: Vec::new(),
            control: entries
                .filter(|entry| entry.as_package().is_none())
                .map(|entry| entry.bytes().to_vec())
                .collect(),
            claims: Some(claims.sign(me.network, self.sign)),
            receipts: receipts.collect(),
        }
    }

    fn envelope(
        &self,
        context: &mut Context<'_>,
        readers: &[PublicKey],
        content: &Content,
    ) -> Result<Vec<u8>, SealError> {
        let network = self.replica.me.network;
        let padding = match self.short {
            true => Padding::None,
            false => Padding::Rounded,
        };
        bundle::seal(
            context.rng,
            network,
            readers,
            padding,
            &content.encode(network),
        )
    }
}

/// Batches in portions that each fit a message; one empty portion if there are none.
fn portions(batches: Vec<Vec<u8>>) -> Vec<Vec<Vec<u8>>> {
    let mut portions = vec![Vec::new()];
    let mut room = Budget::LARGEST.up;
    for batch in batches {
        let full = portions
            .last()
            .is_some_and(|p: &Vec<_>| p.len() >= BATCHES_MAX);
        if full || batch.len() > room {
            portions.push(Vec::new());
            room = Budget::LARGEST.up;
        }
        room = room.saturating_sub(batch.len());
        if let Some(portion) = portions.last_mut() {
            portion.push(batch);
        }
    }
    portions
}

#[cfg(test)]
mod tests;
