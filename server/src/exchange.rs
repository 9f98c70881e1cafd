//! One exchange inside one transaction: load, take, plan, observe, fill.
//!
//! The order is that of [`sync_core::hub`]; what is loaded is what its [`SpaceHeld`] asks for and
//! nothing that grows with the number of records or with a feed's length below what differs.

mod observe;

use std::collections::{BTreeMap, BTreeSet};

use sync_core::batch::{Batch, Reference, Unfit};
use sync_core::control::Control;
use sync_core::feed::{Feed, Node, Tip, Vector, short};
use sync_core::hub::{self, Brought, HubMe, Plan, Refusal, SpaceHeld, Taken};
use sync_core::id::{BatchHash, DeviceId, Space};
use sync_core::wire::{Answer, BATCHES_MAX, MESSAGE_BYTES_MAX, Request, SpaceClaim, Unopened};

use self::observe::Observed;
use crate::context::Shared;
use crate::explain;
use crate::ingest::Stashes;
use crate::store::feed::{self, Placed};
use crate::store::{Conn, StoreError};
use crate::transaction::WriteTx;

/// Bytes of batches in one answer, whatever the phone asks for: half a message, so that control and
/// vectors always find room beside them.
pub(crate) const ANSWER_BATCH_BYTES_MAX: usize = MESSAGE_BYTES_MAX / 2;
/// Tips of one request that are looked up. An honest phone names a few; what is above counts as not
/// known here, which costs that phone bytes and nobody else anything.
const TIPS_LOOKED_UP_MAX: usize = 4096;
/// What a message needs beside control entries and batches.
const MESSAGE_BYTES_RESERVE: usize = 64 * 1024;
/// Bytes that CBOR puts around one list element.
const ELEMENT_BYTES: usize = 5;

/// Takes the batches of a request apart and checks each: the part that costs signatures, outside of
/// any lock unless the roster has changed. What they refer to is looked up first.
pub(crate) async fn take_apart(
    conn: &mut Conn,
    me: &HubMe,
    control: &Control,
    unopened: Unopened,
) -> Result<Result<Brought, Refusal>, StoreError> {
    let references = match unopened.references(me.network) {
        Ok(references) => references,
        Err(bad) => return Ok(Err(bad.into())),
    };
    let found = explain::referred_to(conn, &references).await?;
    let mut find = |reference: &Reference| found.get(reference).cloned();
    Ok(hub::take_apart(me, control, unopened, &mut find))
}

/// Serves a request that brings something; the answer may leave once the transaction has committed.
pub(crate) async fn serve(
    now: i64,
    tx: &mut WriteTx<'_>,
    incoming: &Brought,
) -> Result<Answer, StoreError> {
    let mut loaded = Loaded::of(&mut tx.conn, &tx.node.me, incoming).await?;
    let stashes = std::mem::take(&mut loaded.stashes);
    let taken = tx.ingest(now, &mut loaded.held, stashes, &incoming.batches);
    let taken = taken.await?;
    let (conn, control) = (&mut tx.conn, &tx.control);
    loaded
        .answer(now, conn, tx.node, control, incoming, taken)
        .await
}

/// Answers a request that brings nothing, from one snapshot.
pub(crate) async fn answer(
    now: i64,
    conn: &mut Conn,
    node: &Shared,
    control: &Control,
    incoming: &Brought,
) -> Result<Answer, StoreError> {
    let loaded = Loaded::of(conn, &node.me, incoming).await?;
    let nothing = Taken::default();
    loaded
        .answer(now, conn, node, control, incoming, nothing)
        .await
}

/// What was loaded for a request.
struct Loaded {
    held: BTreeMap<Space, SpaceHeld>,
    stashes: Stashes,
    bases: Option<BTreeMap<Space, Vector>>,
    /// The counter of each space before anything was taken.
    before: BTreeMap<Space, u64>,
}

impl Loaded {
    async fn of(conn: &mut Conn, me: &HubMe, incoming: &Brought) -> Result<Self, StoreError> {
        let request = &incoming.request;
        let claims = with_unclaimed(conn, &request.spaces, &incoming.batches).await?;
        let (held, stashes) = load_all(conn, &claims, &incoming.batches).await?;
        let counter = |(space, held): (&Space, &SpaceHeld)| (space.clone(), held.counter);
        Ok(Self {
            bases: hub::bases(me, request, &held),
            before: held.iter().map(counter).collect(),
            held,
            stashes,
        })
    }

    async fn answer(
        &self,
        now: i64,
        conn: &mut Conn,
        node: &Shared,
        control: &Control,
        incoming: &Brought,
        taken: Taken,
    ) -> Result<Answer, StoreError> {
        let (me, request) = (&node.me, &incoming.request);
        let plan = hub::plan(
            me,
            control,
            request,
            self.bases.as_ref(),
            &self.held,
            taken,
            now,
        );
        let exchange = Observed {
            incoming,
            before: &self.before,
            bases: self.bases.as_ref(),
            held: &self.held,
        };
        let plan = exchange.observe(now, conn, node, plan).await?;
        fill(conn, me, request, plan).await
    }
}

/// The claims, and one that asks for nothing for each space that only the batches name: their bringer
/// may not hold it, or hold it no more.
pub(crate) async fn with_unclaimed(
    conn: &mut Conn,
    claims: &[SpaceClaim],
    batches: &[Result<Batch, Unfit>],
) -> Result<Vec<SpaceClaim>, StoreError> {
    let mut all = claims.to_vec();
    let brought = batches.iter().flatten().map(|batch| &batch.header.space);
    let unclaimed = brought.filter(|space| claims.iter().all(|claim| claim.space != **space));
    all.extend(nothing_asked(conn, &unclaimed.cloned().collect()).await?);
    Ok(all)
}

/// Claims of these spaces that ask for nothing.
pub(crate) async fn nothing_asked(
    conn: &mut Conn,
    spaces: &BTreeSet<Space>,
) -> Result<Vec<SpaceClaim>, StoreError> {
    let mut claims = Vec::new();
    for space in spaces {
        claims.push(SpaceClaim {
            space: space.clone(),
            // The newest counter, above which nothing is.
            counter: feed::counter(conn, &space.to_string()).await?,
            changes: Vec::new(),
            ladders: Vec::new(),
        });
    }
    Ok(claims)
}

/// Loads what an exchange or a bundle needs of each space that is claimed, and what waits there.
pub(crate) async fn load_all(
    conn: &mut Conn,
    claims: &[SpaceClaim],
    batches: &[Result<Batch, Unfit>],
) -> Result<(BTreeMap<Space, SpaceHeld>, Stashes), StoreError> {
    let mut looked_up = 0;
    let mut held = BTreeMap::new();
    let mut stashes = Stashes::new();
    for claim in claims {
        let brought = batches.iter().flatten();
        let brought: Vec<&Batch> = brought
            .filter(|batch| batch.header.space == claim.space)
            .collect();
        // What waits there may follow what is brought.
        let stash = match brought.is_empty() {
            true => Vec::new(),
            false => feed::stashed(conn, &claim.space.to_string()).await?,
        };
        let mut named: BTreeSet<BatchHash> = brought.iter().map(|batch| batch.hash).collect();
        named.extend(brought.iter().flat_map(|batch| &batch.header.prev));
        named.extend(stash.iter().flat_map(|(_, node)| &node.prev));
        held.insert(
            claim.space.clone(),
            load(conn, claim, named, &mut looked_up).await?,
        );
        stashes.insert(claim.space.clone(), stash);
    }
    Ok((held, stashes))
}

/// A space's nodes on their way into a [`SpaceHeld`].
#[derive(Default)]
struct Nodes {
    nodes: BTreeMap<DeviceId, BTreeMap<BatchHash, Node>>,
    arrivals: BTreeMap<BatchHash, u64>,
}

impl Nodes {
    fn take(&mut self, placed: Placed) {
        let hash = placed.node.hash;
        self.arrivals.insert(hash, placed.arrival);
        self.nodes
            .entry(placed.device)
            .or_default()
            .insert(hash, placed.node);
    }

    fn holds(&self, hash: BatchHash) -> bool {
        self.arrivals.contains_key(&hash)
    }
}

/// What is held of a space.
pub(crate) async fn vector(conn: &mut Conn, space: &Space) -> Result<Vector, StoreError> {
    let mut feeds: BTreeMap<DeviceId, Vec<Node>> = BTreeMap::new();
    for tip in feed::tips(conn, &space.to_string()).await? {
        feeds.entry(tip.device).or_default().push(tip.node);
    }
    let mut vector = Vector::default();
    for (device, tips) in feeds {
        vector.set(device, tips.iter().map(Tip::of));
    }
    Ok(vector)
}

/// Loads what an exchange needs of a space; see [`SpaceHeld`]. `named` are the batches that it may
/// have to do with, held or not.
pub(crate) async fn load(
    conn: &mut Conn,
    claim: &SpaceClaim,
    mut named: BTreeSet<BatchHash>,
    looked_up: &mut usize,
) -> Result<SpaceHeld, StoreError> {
    let space = claim.space.to_string();
    let counter = feed::counter(conn, &space).await?;
    let mut loaded = Nodes::default();
    let mut tips: BTreeMap<DeviceId, Vec<BatchHash>> = BTreeMap::new();
    for tip in feed::tips(conn, &space).await? {
        tips.entry(tip.device).or_default().push(tip.node.hash);
        loaded.take(tip);
    }
    // A phone that was never here is given everything, by feeds and not by arrivals.
    let since = match 0 < claim.counter && claim.counter < counter {
        true => feed::since(conn, &space, claim.counter).await?,
        false => Vec::new(),
    };
    since.iter().cloned().for_each(|placed| loaded.take(placed));

    // Parents of what came in since are the tips of the phone's base: without them the phone would
    // be taken for a stranger and asked for a ladder.
    named.extend(since.iter().flat_map(|placed| &placed.node.prev));
    named.retain(|hash| !loaded.holds(*hash));
    let named: Vec<BatchHash> = named.into_iter().collect();
    for placed in feed::named(conn, &space, &named).await? {
        loaded.take(placed);
    }
    load_what_differs(conn, &space, claim, &tips, &mut loaded, looked_up).await?;

    let feeds = tips.into_iter().map(|(device, tips)| {
        let nodes = loaded.nodes.remove(&device).unwrap_or_default();
        (device, Feed::from_parts(nodes.into_values(), &tips))
    });
    Ok(SpaceHeld {
        counter,
        feeds: feeds.collect(),
        arrivals: loaded.arrivals,
        since: since
            .into_iter()
            .map(|placed| (placed.device, placed.node))
            .collect(),
    })
}

/// Of each feed that the phone speaks of: the batches that it names, and all above the lowest.
async fn load_what_differs(
    conn: &mut Conn,
    space: &str,
    claim: &SpaceClaim,
    tips: &BTreeMap<DeviceId, Vec<BatchHash>>,
    loaded: &mut Nodes,
    looked_up: &mut usize,
) -> Result<(), StoreError> {
    let told: BTreeSet<DeviceId> = claim.changes.iter().map(|(device, _)| *device).collect();
    let mut theirs: BTreeMap<DeviceId, Vec<Tip>> = BTreeMap::new();
    for (device, named) in claim.changes.iter().chain(&claim.ladders) {
        theirs.entry(*device).or_default().extend(named);
    }
    if theirs.is_empty() && claim.counter > 0 {
        return Ok(());
    }
    let branches = feed::branches(conn, space).await?;
    for device in tips.keys() {
        let mut lowest: Option<u32> = None;
        for tip in theirs.get(device).into_iter().flatten() {
            if *looked_up == TIPS_LOOKED_UP_MAX {
                break;
            }
            *looked_up += 1;
            for placed in feed::with_number(conn, space, *device, tip.seq).await? {
                if short(placed.node.hash) == tip.hash {
                    lowest = Some(lowest.unwrap_or(u32::MAX).min(tip.seq));
                }
                loaded.take(placed);
            }
        }
        if !told.contains(device) && claim.counter > 0 {
            continue;
        }
        // Below the first number that was used twice a feed is a path, and whoever holds one batch
        // of it holds all before. From there on a branch that the phone lacks may begin.
        let branch = branches.get(device).copied().unwrap_or(u32::MAX);
        let from = lowest
            .map_or(0, |lowest| lowest.saturating_add(1))
            .min(branch);
        for placed in feed::from_number(conn, space, *device, from).await? {
            loaded.take(placed);
        }
    }
    Ok(())
}

/// Reads the batches that the plan names, in its order, until the budget is used up: at least one
/// (R47).
pub(crate) async fn fill(
    conn: &mut Conn,
    me: &HubMe,
    request: &Request,
    plan: Plan,
) -> Result<Answer, StoreError> {
    let mut plan = plan;
    let control: usize = (plan.answer.control.iter())
        .map(|entry| entry.len() + ELEMENT_BYTES)
        .sum();
    let mut message = MESSAGE_BYTES_MAX.saturating_sub(MESSAGE_BYTES_RESERVE + control);
    let mut room = (request.budget as usize).min(ANSWER_BATCH_BYTES_MAX);
    let mut chosen: Vec<(Space, Vec<u8>)> = Vec::new();
    for (space, hash) in std::mem::take(&mut plan.send) {
        let Some(bytes) = feed::bytes(conn, &space.to_string(), hash).await? else {
            continue;
        };
        let spent = bytes.len() > room && !chosen.is_empty();
        let full = bytes.len() + ELEMENT_BYTES > message || chosen.len() == BATCHES_MAX;
        if spent || full {
            plan.answer.more = true;
            break;
        }
        room = room.saturating_sub(bytes.len());
        message -= bytes.len() + ELEMENT_BYTES;
        chosen.push((space, bytes));
    }
    let known = match plan.may_refer() {
        true => explain::known_at_phone(conn, me.network, &plan, &chosen).await?,
        false => Vec::new(),
    };
    let mut answer = plan.answer;
    if let Some(refer) = &mut answer.refer {
        refer.known = known;
    }
    answer.batches = chosen.into_iter().map(|(_, bytes)| bytes).collect();
    Ok(answer)
}
