//! The server's side of an exchange: from a request and what is held to what to store and what to
//! answer. The host does the reading and the storing, in one transaction per request.
//!
//! The order of a call: [`open`] the bytes (signature, roster), look up what its batches refer to and
//! [`take_apart`], load a [`SpaceHeld`] for each space claimed, [`SpaceHeld::place`] each batch,
//! [`SpaceHeld::hold`] the new ones, then [`plan()`] the answer, read the batches it names until the
//! budget is used up, and add to [`Answer::refer`] what explains them and [`Plan::phone_holds`].

use std::collections::{BTreeMap, BTreeSet};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::batch::{Batch, Reference, Unfit};
use crate::bundle::Receipt;
use crate::control::{Control, ControlEntry, ControlPosition};
use crate::feed::{Feed, Misplaced, Node, Tip, Vector, by_turns};
use crate::id::{BatchHash, DeviceId, Incarnation, NetworkId, Space};
use crate::offer::SHOWN_BY_STRANGER_MAX;
use crate::parting::Parting;
use crate::seal::{self, SigningKey};
use crate::wire::{
    Answer, BadMessage, Find, Refer, Refused, Request, Signed, SpaceClaim, SpaceState, Unopened,
    base_digest,
};

/// A nonce is taken for this many days of the server's clock, so that a phone that syncs weekly
/// needs no round trip for a new one.
pub const NONCE_DAYS: u32 = 30;
const DAY_SECONDS: i64 = 86_400;
const NONCE_LABEL: &[u8] = b"ortoo nonce v1\0";

/// Who a server node is.
#[derive(Clone)]
pub struct HubMe {
    /// The installation.
    pub network: NetworkId,
    /// This life of the database (R22).
    pub incarnation: Incarnation,
    /// Key of the nonces; kept with the database, so that a restart does not cost a round trip.
    pub nonce_key: [u8; 32],
}

impl HubMe {
    /// The nonce for `device` at the server's time `now` (Unix seconds): its day and a MAC of it.
    pub fn nonce(&self, device: DeviceId, now: i64) -> [u8; 16] {
        self.nonce_of_day(device, day(now))
    }

    fn nonce_of_day(&self, device: DeviceId, day: u32) -> [u8; 16] {
        let mut nonce = [0; 16];
        nonce[..4].copy_from_slice(&day.to_be_bytes());
        // HMAC takes keys of any length.
        if let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.nonce_key) {
            mac.update(NONCE_LABEL);
            mac.update(device.as_bytes());
            mac.update(&day.to_be_bytes());
            nonce[4..].copy_from_slice(&mac.finalize().into_bytes()[..12]);
        }
        nonce
    }

    fn nonce_holds(&self, device: DeviceId, nonce: [u8; 16], now: i64) -> bool {
        let given = u32::from_be_bytes([nonce[0], nonce[1], nonce[2], nonce[3]]);
        let today = day(now);
        // The compared MAC guards nothing secret: whoever signs the request may learn it anyway.
        given <= today && today - given <= NONCE_DAYS && nonce == self.nonce_of_day(device, given)
    }
}

fn day(now: i64) -> u32 {
    u32::try_from(now.max(0) / DAY_SECONDS).unwrap_or(u32::MAX)
}

/// Why a request is not answered; nothing was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The bytes are no request of this protocol.
    #[error(transparent)]
    Message(#[from] BadMessage),
    /// The device is not on the roster.
    #[error("the device is not enrolled here")]
    UnknownDevice,
    /// The device was revoked; it is served no more (R25).
    #[error("the device was revoked")]
    Revoked,
    /// The request is not signed by the device that it names.
    #[error("the request's signature does not verify")]
    Signature,
    /// The request claims a space that the device was never granted.
    #[error("the device does not hold a space that it asks for")]
    SpaceNotGranted,
}

impl Refusal {
    /// A stable code.
    pub fn code(self) -> &'static str {
        match self {
            Refusal::Message(message) => message.code(),
            Refusal::UnknownDevice => "device_unknown",
            Refusal::Revoked => "device_revoked",
            Refusal::Signature => "request_signature",
            Refusal::SpaceNotGranted => "space_not_granted",
        }
    }
}

/// A request that may be served.
pub enum Opened {
    /// Serve it: look up its [`Unopened::references`], then [`take_apart`].
    Request(Box<Unopened>),
    /// A person has ordered that the device wipe itself, and this is what it says of it: take that, and
    /// answer with [`crate::parting::answer`].
    Wipe(DeviceId, Option<Parting>),
    /// Its nonce is too old or another server's: answer this and do nothing.
    StaleNonce(Box<Answer>),
    /// It shows control entries that were lost here: join them, hold back the devices that they let
    /// in (a lost revocation may be among what nobody shows, R20), and open it again.
    Taught(Vec<ControlEntry>),
}

/// Checks that a request is one, and whose: shape, roster, signature, grants, nonce, in this order.
/// A device that is not on the roster gets in with the enrolment that it shows, unless what is held
/// says that it was revoked (R21).
pub fn open(me: &HubMe, control: &Control, packed: &[u8], now: i64) -> Result<Opened, Refusal> {
    let unopened = Unopened::read(me.network, packed)?;
    let (request, signed) = (&unopened.request, &unopened.signed);
    let shown = match control.enrolment(request.device) {
        Some(enrolment) if !signed_by(&enrolment.signing_key, signed) => {
            return Err(Refusal::Signature);
        }
        Some(_) => &request.shown[..],
        // Nobody has signed anything yet.
        None => &request.shown[..request.shown.len().min(SHOWN_BY_STRANGER_MAX)],
    };
    let (joined, taught) = join(control, shown);
    let control = joined.as_ref().unwrap_or(control);
    let enrolment = control
        .enrolment(request.device)
        .ok_or(Refusal::UnknownDevice)?;
    if !signed_by(&enrolment.signing_key, signed) {
        return Err(Refusal::Signature);
    }
    // Only to who has shown to be the device: what became of it is nobody else's business.
    let is_to_wipe = control.wipe_order(request.device).is_some();
    if control.revoked(request.device).is_some() && !is_to_wipe {
        return Err(Refusal::Revoked);
    }
    if !request
        .spaces
        .iter()
        .all(|claim| enrolment.spaces.contains(&claim.space))
    {
        return Err(Refusal::SpaceNotGranted);
    }
    if !me.nonce_holds(request.device, request.nonce, now) {
        let nonce = Some(me.nonce(request.device, now));
        return Ok(Opened::StaleNonce(Box::new(Answer {
            nonce,
            stale_nonce: true,
            ..Answer::at(now)
        })));
    }
    if is_to_wipe {
        return Ok(Opened::Wipe(request.device, request.parting.clone()));
    }
    if !taught.is_empty() {
        return Ok(Opened::Taught(taught));
    }
    Ok(Opened::Request(Box::new(unopened)))
}

fn signed_by(key: &[u8; 32], signed: &Signed) -> bool {
    seal::verify(key, &signed.message, &signed.signature)
}

/// Joins control entries that somebody shows, in whatever order they come: what is held then, if it
/// is more than before, and what is new. Who shows them does not matter, since their signatures say
/// whose they are; one that does not check is left out.
pub fn join(control: &Control, shown: &[Vec<u8>]) -> (Option<Control>, Vec<ControlEntry>) {
    let mut joined: Option<Control> = None;
    let mut new = Vec::new();
    let mut left: Vec<&Vec<u8>> = shown.iter().collect();
    // A root statement may stand behind what its nodes signed: once more, and no oftener, since every
    // look costs signatures.
    for _ in 0..2 {
        left.retain(
            |bytes| match joined.as_ref().unwrap_or(control).check(bytes) {
                Ok(Some(entry)) => {
                    new.push(entry.clone());
                    joined.get_or_insert_with(|| control.clone()).apply(entry);
                    false
                }
                Ok(None) => false,
                Err(_) => true,
            },
        );
    }
    (joined, new)
}

/// A request with what it brought, each batch checked.
pub struct Brought {
    /// The request.
    pub request: Request,
    /// Its batches, in its order.
    pub batches: Vec<Result<Batch, Unfit>>,
}

/// Takes the batches of a request apart and checks each ([`receive`]); `find` knows what was looked
/// up of its references.
///
/// Where they refer to something, all of them must come out as their authors signed them: else none
/// is taken and the phone is told to refer to nothing ([`Unfit::Reference`]). What is wrong with
/// them otherwise shows then.
pub fn take_apart(
    me: &HubMe,
    control: &Control,
    unopened: Unopened,
    find: &mut Find<'_>,
) -> Result<Brought, Refusal> {
    let refers = !unopened.references(me.network)?.is_empty();
    let only_held = |request: Request| {
        // Of spaces that were taken from it meanwhile the device hears nothing. That it asks for fewer
        // than it thinks makes the answer a reset, with the entry that tells it so.
        let held = |claim: &SpaceClaim| control.holds(request.device, &claim.space);
        let spaces = request.spaces.iter().filter(|claim| held(claim)).cloned();
        let spaces = spaces.collect();
        Request { spaces, ..request }
    };
    let request = only_held(unopened.request.clone());
    let nothing = |request| Brought {
        request,
        batches: vec![Err(Unfit::Reference)],
    };
    match unopened.open(me.network, find) {
        Ok(request) => {
            let request = only_held(request);
            let receive = |bytes: &Vec<u8>| receive(control, request.device, bytes);
            let batches: Vec<_> = request.batches.iter().map(receive).collect();
            if refers && batches.iter().any(Result::is_err) {
                return Ok(nothing(Request {
                    batches: Vec::new(),
                    ..request
                }));
            }
            Ok(Brought { request, batches })
        }
        Err(_) if refers => Ok(nothing(request)),
        Err(bad) => Err(bad.into()),
    }
}

/// Checks one batch of a request: size, shape, author, signature (R5). Its author need not be its
/// bringer: every replica offers every feed that it holds.
pub fn receive(control: &Control, bringer: DeviceId, bytes: &[u8]) -> Result<Batch, Unfit> {
    let batch = control.receive(bytes)?;
    // Of a space that was taken from it too: it erases the space when it hears of that, and may hold what
    // nobody else has. What it wrote itself waits for the office.
    let enrolment = control.enrolment(bringer);
    let was_let_in = enrolment.is_some_and(|held| held.spaces.contains(&batch.header.space));
    match was_let_in {
        true => Ok(batch),
        false => Err(Unfit::Space),
    }
}

/// What the server holds of one space, or as much of it as an exchange needs.
///
/// Loaded must be: the tips of all feeds; the batches named by the request's batches and claims
/// and their parents, where held; every batch that came in after the claimed counter; and of each
/// feed whose tips differ from the phone's every batch above the phone's lowest known one.
#[derive(Clone, Debug, Default)]
pub struct SpaceHeld {
    /// Number of batches that ever came into this space; the last arrival's number.
    pub counter: u64,
    /// The feeds.
    pub feeds: BTreeMap<DeviceId, Feed>,
    /// Numbers of arrival of the loaded batches.
    pub arrivals: BTreeMap<BatchHash, u64>,
    /// The batches that came in after the claimed counter, newest first.
    pub since: Vec<(DeviceId, Node)>,
}

/// Where a batch belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is held already.
    Held,
    /// It follows what is held.
    New,
    /// This parent is missing: for the stash (R6).
    Gap(BatchHash),
    /// It contradicts its parents and is never held.
    Wrong,
}

impl SpaceHeld {
    /// Where a batch belongs.
    pub fn place(&self, device: DeviceId, node: &Node) -> Place {
        let feed = self.feeds.get(&device);
        if feed.is_some_and(|feed| feed.holds(node.hash)) {
            return Place::Held;
        }
        match Feed::place(node, |hash| feed?.node(hash).map(|held| held.seq)) {
            Ok(()) => Place::New,
            Err(Misplaced::Missing(parent)) => Place::Gap(parent),
            Err(Misplaced::Parents) => Place::Wrong,
        }
    }

    /// Takes a batch whose place is [`Place::New`]; gives its number of arrival.
    pub fn hold(&mut self, device: DeviceId, node: Node) -> u64 {
        self.counter += 1;
        self.arrivals.insert(node.hash, self.counter);
        self.feeds.entry(device).or_default().insert(node);
        self.counter
    }

    /// The vector now.
    pub fn vector(&self) -> Vector {
        Vector::of(&self.feeds)
    }

    /// The vector when the counter was at `counter`, found by taking back what came in since; to
    /// be asked before anything is held. `None` if that is not loaded or never was.
    pub fn vector_at(&self, counter: u64) -> Option<Vector> {
        if counter == 0 {
            return Some(Vector::default());
        }
        if self.counter.checked_sub(counter)? != self.since.len() as u64 {
            return None;
        }
        let mut vector = self.vector();
        for (device, node) in &self.since {
            let feed = self.feeds.get(device);
            vector.retreat(*device, node, |hash| feed?.node(hash).map(|held| held.seq));
        }
        Some(vector)
    }
}

/// The bases that a request names, checked by its digest; `None` when any of them is unknown here,
/// and the answer must be a reset.
pub fn bases(
    me: &HubMe,
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

/// What became of the batches of a request.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// Every well-formed batch, held now or before, in the request's order.
    pub sent: Vec<(Space, DeviceId, Node)>,
    /// Feeds of which something was not held: their tips are told in any case.
    pub doubtful: BTreeSet<(Space, DeviceId)>,
    /// What is not held, and why.
    pub refused: Vec<Refused>,
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
    me: &HubMe,
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
    me: &HubMe,
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
            .ladders
            .iter()
            .filter(|(of, _)| of == device)
            .flat_map(|(_, tips)| tips);
        let have: Vec<Tip> = theirs
            .iter()
            .chain(rungs)
            .filter(|tip| feed.find(tip.hash).is_some())
            .copied()
            .collect();
        let asked = claim.ladders.iter().any(|(of, _)| of == device);
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
