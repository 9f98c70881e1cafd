//! The answer to a request: control entries, the acknowledgement, and the batches that the phone
//! lacks.

use std::collections::{BTreeMap, BTreeSet};

use crate::batch::Reference;
use crate::bundle::Receipt;
use crate::control::{Control, ControlPosition};
use crate::feed::{Node, Tip, Vector, by_turns};
use crate::id::{BatchHash, DeviceId, Space};
use crate::seal::SigningKey;
use crate::wire::{
    Answer, BATCHES_MAX, Refer, RejectedBatch, Request, SpaceClaim, SpaceState, base_digest,
};

use super::{NodeIdentity, SpaceHeld};

/// The bases that a request names, checked by its digest; `None` when any of them is unknown here,
/// and the answer must be a reset.
pub fn bases(
    me: &NodeIdentity,
    request: &Request,
    held: &BTreeMap<Space, SpaceHeld>,
) -> Option<BTreeMap<Space, Vector>> {
    let mut bases = BTreeMap::new();
    for claim in &request.spaces {
        let vector = held.get(&claim.space)?.vector_at(claim.counter)?;
        bases.insert(claim.space.clone(), (claim.counter, vector));
    }
    let known = base_digest(Some(me.incarnation), &bases) == request.base;
    known.then(|| {
        bases
            .into_iter()
            .map(|(space, (_, vector))| (space, vector))
            .collect()
    })
}

/// Of what a budget pays for no batch is smaller: two hashes, a signature and what stands around them.
const BATCH_BYTES_MIN: usize = 128;

/// How many batches that a phone lacks have to be known to fill a message of so many bytes with the first
/// of them, and to say whether there are more. At least one is sent.
pub fn batches_to_fill(budget: usize) -> usize {
    (budget / BATCH_BYTES_MIN).min(BATCHES_MAX) + 2
}

/// What became of the batches of a request.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// Every well-formed batch, held now or before, in the request's order.
    pub sent: Vec<(Space, DeviceId, Node)>,
    /// Feeds of which something was not held: their tips are told in any case.
    pub doubtful: BTreeSet<(Space, DeviceId)>,
    /// What is not held, and why.
    pub refused: Vec<RejectedBatch>,
    /// Batches with a parent missing that found no room in the stash: an exchange brings them again.
    pub unkept: BTreeSet<BatchHash>,
}

/// An answer without its batches, and which they are.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The answer; `more` and `batches` are the host's to fill.
    pub answer: Answer,
    /// The batches that the phone lacks, the most useful first: by turns over the spaces, in each
    /// in the order in which they came in here.
    pub send: Vec<(Space, BatchHash)>,
    /// How far the phone is known to hold each feed.
    holds: BTreeMap<(Space, DeviceId), u32>,
}

impl Plan {
    /// Whether the phone holds the batch with this number, as long as the feed is a path up to it.
    /// Feeds that a reference can't name are left out.
    pub fn phone_holds(&self, space: &Space, device: DeviceId, seq: u32) -> bool {
        let highest = self.holds.get(&(space.clone(), device));
        highest.is_some_and(|highest| seq <= *highest)
    }

    /// The same for a device that is held back: what it brought is taken and acknowledged, and
    /// nothing of anybody's goes out but control (R20).
    pub fn held_back(self) -> Self {
        Self {
            send: Vec::new(),
            holds: BTreeMap::new(),
            ..self
        }
    }

    /// Whether it is of any use to look for what the phone holds.
    pub fn may_refer(&self) -> bool {
        self.answer.refer.is_some() && !self.holds.is_empty()
    }
}

/// Plans the answer: control, acknowledgement, batches. `bases` is what [`bases`] gave before
/// anything was held, and `held` what is held now.
pub fn plan(
    me: &NodeIdentity,
    control: &Control,
    request: &Request,
    bases: Option<&BTreeMap<Space, Vector>>,
    held: &BTreeMap<Space, SpaceHeld>,
    taken: Taken,
    now: i64,
) -> Plan {
    let nonce = me.nonce(request.device, now);
    let mut answer = Answer {
        nonce: (nonce != request.nonce).then_some(nonce),
        control: control_for(control, request),
        reset: bases.is_none(),
        incarnation: bases.is_none().then_some(me.incarnation),
        refused: taken.refused,
        refer: request.refer.as_ref().map(|_| Refer {
            device: request.device,
            spaces: request
                .spaces
                .iter()
                .map(|claim| claim.space.clone())
                .collect(),
            known: Vec::new(),
        }),
        ..Answer::at(now)
    };
    let mut holds = BTreeMap::new();
    let mut queues: Vec<Vec<(Space, BatchHash)>> = Vec::new();
    for claim in &request.spaces {
        let Some(space) = held.get(&claim.space) else {
            continue;
        };
        let sent = taken.sent.iter().filter(|(of, _, _)| *of == claim.space);
        let doubtful = |device: &DeviceId| taken.doubtful.contains(&(claim.space.clone(), *device));
        match bases.and_then(|bases| bases.get(&claim.space)) {
            Some(base) => {
                let mut expected = base.clone();
                for (_, device, node) in sent {
                    expected.advance(*device, node);
                }
                let phone = phone_vector(claim, &expected);
                if request.refer.is_some() {
                    holds.extend(phone_holds(request.device, claim, space, &phone));
                }
                let (state, queue) = answer_space(claim, space, &expected, &phone, doubtful);
                if state.counter != claim.counter
                    || !state.changes.is_empty()
                    || !state.ladders_wanted.is_empty()
                {
                    answer.spaces.push(state);
                }
                queues.push(queue);
            }
            None => answer.spaces.push(SpaceState {
                space: claim.space.clone(),
                counter: space.counter,
                changes: space.vector().changes_from(&Vector::default()),
                ladders_wanted: Vec::new(),
            }),
        }
    }
    Plan {
        answer,
        send: by_turns(queues),
        holds,
    }
}

/// What is held now of each space, signed by this node: acknowledgements that can be carried.
pub fn receipts<'a>(
    me: &NodeIdentity,
    held: impl IntoIterator<Item = (&'a Space, &'a SpaceHeld)>,
    node: &SigningKey,
) -> Vec<Vec<u8>> {
    let receipt = |(space, held): (&Space, &SpaceHeld)| {
        let receipt = Receipt {
            node: DeviceId::of_key(&node.public().bytes),
            incarnation: me.incarnation,
            space: space.clone(),
            counter: held.counter,
            vector: held.vector(),
        };
        receipt.sign(me.network, &|message| node.sign(message))
    };
    held.into_iter().map(receipt).collect()
}

/// What the phone holds of a space, as it says.
fn phone_vector(claim: &SpaceClaim, expected: &Vector) -> Vector {
    let mut phone = expected.clone();
    for (device, tips) in &claim.changes {
        phone.set(*device, tips.iter().copied());
    }
    phone
}

/// The highest number of each feed that the phone says it holds and that is held here. The phone counts
/// as one that has written, for it may hold a first batch that has not come yet.
fn phone_holds(
    asking: DeviceId,
    claim: &SpaceClaim,
    space: &SpaceHeld,
    phone: &Vector,
) -> Vec<((Space, DeviceId), u32)> {
    let devices = Reference::nameable(space.feeds.keys().copied().chain([asking]));
    let highest = |device: DeviceId| {
        let feed = space.feeds.get(&device)?;
        let tips = phone.tips(device).filter_map(|tip| feed.find(tip.hash));
        let highest = tips.map(|node| node.seq).max()?;
        Some(((claim.space.clone(), device), highest))
    };
    devices.into_values().filter_map(highest).collect()
}

/// Whether everything that the phone says it holds of a space is held here too, where `base` is the
/// vector that it knew.
pub fn holds_all(claim: &SpaceClaim, base: &Vector, space: &SpaceHeld) -> bool {
    let phone = phone_vector(claim, base);
    phone.devices().all(|device| {
        let feed = space.feeds.get(&device);
        let mut tips = phone.tips(device);
        tips.all(|tip| feed.is_some_and(|feed| feed.find(tip.hash).is_some()))
    })
}

fn answer_space(
    claim: &SpaceClaim,
    space: &SpaceHeld,
    expected: &Vector,
    phone: &Vector,
    doubtful: impl Fn(&DeviceId) -> bool,
) -> (SpaceState, Vec<(Space, BatchHash)>) {
    let vector = space.vector();
    let mut changes = vector.changes_from(expected);
    for device in vector.devices().filter(|device| doubtful(device)) {
        if !changes.iter().any(|(changed, _)| *changed == device) {
            changes.push((device, vector.tips(device).copied().collect()));
        }
    }
    let mut ladders_wanted = Vec::new();
    let mut queue: Vec<(u64, BatchHash)> = Vec::new();
    for (device, feed) in &space.feeds {
        let theirs: Vec<Tip> = phone.tips(*device).copied().collect();
        let rungs = claim
            .locators
            .iter()
            .filter(|(of, _)| of == device)
            .flat_map(|(_, tips)| tips);
        let have: Vec<Tip> = theirs
            .iter()
            .chain(rungs)
            .filter(|tip| feed.find(tip.hash).is_some())
            .copied()
            .collect();
        let asked = claim.locators.iter().any(|(of, _)| of == device);
        if have.is_empty() && !theirs.is_empty() && !asked {
            ladders_wanted.push(*device);
            continue;
        }
        let arrival = |hash| space.arrivals.get(&hash).copied().unwrap_or(0);
        queue.extend(
            feed.missing(&have)
                .into_iter()
                .map(|node| (arrival(node.hash), node.hash)),
        );
    }
    queue.sort_unstable();
    let send = queue
        .into_iter()
        .map(|(_, hash)| (claim.space.clone(), hash))
        .collect();
    let state = SpaceState {
        space: claim.space.clone(),
        counter: space.counter,
        changes,
        ladders_wanted,
    };
    (state, send)
}

/// The control entries that the phone lacks: the rest of its list if it holds the beginning of it,
/// else all of them.
fn control_for(control: &Control, request: &Request) -> Vec<Vec<u8>> {
    let entries: Vec<_> = control.for_device(request.device).collect();
    let count = request.control.count as usize;
    let known = entries.get(..count).is_some_and(|known| {
        ControlPosition::of(known.iter().map(|entry| entry.hash).collect()) == request.control
    });
    let from = if known { count } else { 0 };
    entries[from..]
        .iter()
        .map(|entry| entry.bytes().to_vec())
        .collect()
}
