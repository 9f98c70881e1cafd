//! Bundle exchange on a phone: bundles made and taken, an exchange by mail.
//!
//! What a phone gives to a traveller is what the server is believed to lack; what comes back is what
//! the phone lacks. Nobody waits for an answer: a bundle may be lost, come twice, late or before
//! another one, and every receiver that may read it takes from it what it can use.

mod delivery;
pub mod reply;

use std::collections::{BTreeMap, BTreeSet};

use crate::bundle::{self, Claims, Content, Padding};
use crate::control::Control;
use crate::exchange::Budget;
use crate::feed::{Node, by_turns};
use crate::id::{DeviceId, Space};
use crate::replica::{Context, Prepared, Replica};
use crate::row::{ReadRows, Table, Unreadable};
use crate::seal::{PublicKey, SealError};
use crate::stored;
use crate::wire::BATCHES_MAX;

pub use delivery::{Delivery, DeliverySlice, ImportError, Imported};

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
