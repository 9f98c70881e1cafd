//! One exchange inside one transaction: load, take, plan, observe, fill.
//!
//! The order is that of [`sync_core::hub`]; what is loaded is what its [`SpaceHeld`] asks for and
//! nothing that grows with the number of records or with a feed's length below what differs.

mod observe;

use std::collections::{BTreeMap, BTreeSet};

use store::feed::{self, Placed};
use store::{Conn, StoreError, space};
use sync_core::batch::{BadBatch, Batch, Reference};
use sync_core::control::Control;
use sync_core::feed::{Feed, Node, Tip, Vector, short};
use sync_core::hub::{self, Bringer, Brought, NodeIdentity, Plan, RequestError, SpaceHeld, Taken};
use sync_core::id::{BatchHash, DeviceId, Space};
use sync_core::wire::{Answer, BATCHES_MAX, MESSAGE_BYTES_MAX, Request, SpaceClaim, Unopened};

use self::observe::Observed;
use crate::context::NodeContext;
use crate::ingest::Stashes;
use crate::references;
use crate::transaction::WriteTx;

/// Bytes of batches in one answer, whatever the phone asks for: half a message, so that control and
/// vectors always find room beside them.
pub(crate) const ANSWER_BATCH_BYTES_MAX: usize = MESSAGE_BYTES_MAX / 2;
/// Tips of one request that are looked up. An honest phone names a few; what is above counts as not
/// known here, which costs that phone bytes and nobody else anything.
const TIPS_LOOKED_UP_MAX: usize = 1024;
/// What a message needs beside control entries and batches.
const MESSAGE_BYTES_RESERVE: usize = 64 * 1024;
/// Everything that a phone lacks, for who does not ask for a message.
pub(crate) const EVERYTHING: usize = usize::MAX;
/// Bytes that CBOR puts around one list element.
const ELEMENT_BYTES: usize = 5;

/// Takes the batches of a request apart and checks each: the part that costs signatures, outside of
/// any lock unless the roster has changed. What they refer to is looked up first.
pub(crate) async fn take_apart(
    conn: &mut Conn,
    me: &NodeIdentity,
    control: &Control,
    unopened: Unopened,
) -> Result<Result<Brought, RequestError>, StoreError> {
    let references = match unopened.references(me.network) {
        Ok(references) => references,
        Err(bad) => return Ok(Err(bad.into())),
    };
    let found = references::resolve(conn, &references).await?;
    let mut find = |reference: &Reference| found.get(reference).cloned();
    Ok(hub::take_apart(me, control, unopened, &mut find))
}

/// Serves a request that brings something; the answer may leave once the transaction has committed.
/// `began` is how much stood in spaces before slices of it were stored.
pub(crate) async fn serve(
    now: i64,
    tx: &mut WriteTx<'_>,
    incoming: &Brought,
    began: Option<&BTreeMap<Space, u64>>,
) -> Result<Answer, StoreError> {
    let mut loaded = Loaded::of(&mut tx.conn, &tx.node.me, incoming).await?;
    for (space, counter) in began.into_iter().flatten() {
        loaded.before.insert(space.clone(), *counter);
    }
    let stashes = std::mem::take(&mut loaded.stashes);
    let bringer = Bringer::Device(incoming.request.device);
    let taken = tx.ingest(now, &mut loaded.held, stashes, &incoming.batches, bringer);
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
    node: &NodeContext,
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
    async fn of(
        conn: &mut Conn,
        me: &NodeIdentity,
        incoming: &Brought,
    ) -> Result<Self, StoreError> {
        let request = &incoming.request;
        let claims = with_unclaimed(conn, &request.spaces, &incoming.batches).await?;
        let budget = (request.budget as usize).min(ANSWER_BATCH_BYTES_MAX);
        let lacking_max = hub::batches_to_fill(budget);
        let (held, stashes) = load_all(conn, &claims, &incoming.batches, lacking_max).await?;
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
        node: &NodeContext,
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
    batches: &[Result<Batch, BadBatch>],
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
            counter: feed::counter(conn, space).await?,
            changes: Vec::new(),
            locators: Vec::new(),
        });
    }
    Ok(claims)
}

/// Loads what an exchange or a bundle needs of each space that is claimed, and what waits there: see
/// [`SpaceHeld`]. What can be asked of all spaces at once is one statement. Of what a phone lacks the first
/// `lacking_max` batches are enough.
pub(crate) async fn load_all(
    conn: &mut Conn,
    claims: &[SpaceClaim],
    batches: &[Result<Batch, BadBatch>],
    lacking_max: usize,
) -> Result<(BTreeMap<Space, SpaceHeld>, Stashes), StoreError> {
    let spaces: Vec<&Space> = claims.iter().map(|claim| &claim.space).collect();
    space::read_ahead(conn, spaces.iter().copied()).await?;
    let mut tips = feed::tips_of(conn, &spaces).await?;
    let mut brought: BTreeMap<&Space, Vec<&Batch>> = BTreeMap::new();
    for batch in batches.iter().flatten() {
        let of = brought.entry(&batch.header.space).or_default();
        of.push(batch);
    }
    // What waits there may follow what is brought.
    let into = spaces.iter().copied();
    let into: Vec<&Space> = into.filter(|of| brought.contains_key(of)).collect();
    let mut stashed = feed::stashed_of(conn, &into).await?;

    let mut loads = Vec::new();
    let mut stashes = Stashes::new();
    for claim in claims {
        let space = &claim.space;
        let brought = brought.get(space).map_or(&[][..], Vec::as_slice);
        let stash = stashed.remove(space).unwrap_or_default();
        let mut named: BTreeSet<BatchHash> = brought.iter().map(|batch| batch.hash).collect();
        named.extend(brought.iter().flat_map(|batch| &batch.header.prev));
        named.extend(stash.iter().flat_map(|(_, node)| &node.prev));
        stashes.insert(space.clone(), stash);
        let tips = tips.remove(space).unwrap_or_default();
        loads.push(Load::begin(conn, claim, tips, named).await?);
    }
    let names = loads.iter().flat_map(Load::named);
    let names: Vec<(&Space, BatchHash)> = names.collect();
    let mut named = feed::named_of(conn, &names).await?;
    for load in &mut loads {
        let named = named.remove(&load.claim.space).unwrap_or_default();
        named
            .into_iter()
            .for_each(|placed| load.loaded.take(placed));
    }
    load_what_differs(conn, &mut loads, lacking_max).await?;
    let held = loads
        .into_iter()
        .map(|load| (load.claim.space.clone(), load.held()));
    Ok((held.collect(), stashes))
}

/// A space's nodes on their way into a [`SpaceHeld`].
#[derive(Default)]
struct Nodes {
    nodes: BTreeMap<DeviceId, BTreeMap<BatchHash, Node>>,
    arrivals: BTreeMap<BatchHash, u64>,
    /// The same as phones name them.
    names: BTreeSet<(DeviceId, Tip)>,
}

impl Nodes {
    fn take(&mut self, placed: Placed) {
        let hash = placed.node.hash;
        self.arrivals.insert(hash, placed.arrival);
        self.names.insert((placed.device, Tip::of(&placed.node)));
        self.nodes
            .entry(placed.device)
            .or_default()
            .insert(hash, placed.node);
    }

    /// Whether the batch that a tip names is loaded.
    fn has(&self, device: DeviceId, tip: Tip) -> bool {
        self.names.contains(&(device, tip))
    }

    fn holds(&self, hash: BatchHash) -> bool {
        self.arrivals.contains_key(&hash)
    }
}

/// What is held of a space.
pub(crate) async fn vector(conn: &mut Conn, space: &Space) -> Result<Vector, StoreError> {
    let mut feeds: BTreeMap<DeviceId, Vec<Node>> = BTreeMap::new();
    for tip in feed::tips(conn, space).await? {
        feeds.entry(tip.device).or_default().push(tip.node);
    }
    let mut vector = Vector::default();
    for (device, tips) in feeds {
        vector.set(device, tips.iter().map(Tip::of));
    }
    Ok(vector)
}

/// Tips that a phone names, by feed.
type Theirs = BTreeMap<DeviceId, Vec<Tip>>;

/// A space on its way to a [`SpaceHeld`].
struct Load<'c> {
    claim: &'c SpaceClaim,
    counter: u64,
    /// The tips of each feed, with their numbers.
    tips: BTreeMap<DeviceId, Vec<(u32, BatchHash)>>,
    since: Vec<(DeviceId, Node)>,
    /// The batches that the exchange may have to do with, held or not.
    named: BTreeSet<BatchHash>,
    loaded: Nodes,
}

impl<'c> Load<'c> {
    /// Begins with the tips, and what came in since the phone was here.
    async fn begin(
        conn: &mut Conn,
        claim: &'c SpaceClaim,
        tips: Vec<Placed>,
        mut named: BTreeSet<BatchHash>,
    ) -> Result<Self, StoreError> {
        let space = &claim.space;
        let counter = feed::counter(conn, space).await?;
        let mut loaded = Nodes::default();
        let mut of_feed: BTreeMap<DeviceId, Vec<(u32, BatchHash)>> = BTreeMap::new();
        for tip in tips {
            let of_feed = of_feed.entry(tip.device).or_default();
            of_feed.push((tip.node.seq, tip.node.hash));
            loaded.take(tip);
        }
        // A phone that was never here is given everything, by feeds and not by arrivals.
        let since = match 0 < claim.counter && claim.counter < counter {
            true => feed::since(conn, space, claim.counter).await?,
            false => Vec::new(),
        };
        since.iter().cloned().for_each(|placed| loaded.take(placed));
        // Parents of what came in since are the tips of the phone's base: without them the phone would
        // be taken for a stranger and asked for a ladder.
        named.extend(since.iter().flat_map(|placed| &placed.node.prev));
        named.retain(|hash| !loaded.holds(*hash));
        let since = since.into_iter().map(|placed| (placed.device, placed.node));
        Ok(Self {
            claim,
            counter,
            tips: of_feed,
            since: since.collect(),
            named,
            loaded,
        })
    }

    fn named(&self) -> impl Iterator<Item = (&'c Space, BatchHash)> {
        let space = &self.claim.space;
        self.named.iter().map(move |hash| (space, *hash))
    }

    /// Whether all that is held of a feed goes to a phone that does not say what it holds of it.
    fn asks_for(&self, device: DeviceId) -> bool {
        let told = || self.claim.changes.iter().any(|(of, _)| *of == device);
        self.claim.counter == 0 || told()
    }

    /// What the phone says that it holds of the feeds that are held here, but for those of which it holds
    /// every tip.
    fn theirs(&self) -> Theirs {
        let mut theirs = Theirs::new();
        if self.claim.counter == 0 {
            theirs.extend(self.tips.keys().map(|device| (*device, Vec::new())));
        }
        for (device, named) in self.claim.changes.iter().chain(&self.claim.locators) {
            if self.tips.contains_key(device) {
                theirs.entry(*device).or_default().extend(named);
            }
        }
        theirs.retain(|device, named| {
            let mut held = self.tips.get(device).into_iter().flatten();
            held.any(|(seq, hash)| {
                let tip = Tip {
                    seq: *seq,
                    hash: short(*hash),
                };
                !named.contains(&tip)
            })
        });
        theirs
    }

    fn held(mut self) -> SpaceHeld {
        let feeds = self.tips.into_iter().map(|(device, tips)| {
            let tips: Vec<BatchHash> = tips.into_iter().map(|(_, hash)| hash).collect();
            let nodes = self.loaded.nodes.remove(&device).unwrap_or_default();
            (device, Feed::from_parts(nodes.into_values(), &tips))
        });
        SpaceHeld {
            counter: self.counter,
            feeds: feeds.collect(),
            arrivals: self.loaded.arrivals,
            since: self.since,
        }
    }
}

/// Of each feed that the phone speaks of: the batches that it names, and those above the lowest, as many as
/// may be needed.
async fn load_what_differs(
    conn: &mut Conn,
    loads: &mut [Load<'_>],
    lacking_max: usize,
) -> Result<(), StoreError> {
    let mut theirs: Vec<Theirs> = loads.iter().map(Load::theirs).collect();
    let mut numbers = Vec::new();
    for (load, theirs) in loads.iter().zip(&theirs) {
        for (device, tips) in theirs {
            let unknown = tips.iter().filter(|tip| !load.loaded.has(*device, **tip));
            numbers.extend(unknown.map(|tip| (&load.claim.space, *device, tip.seq)));
        }
    }
    numbers.truncate(TIPS_LOOKED_UP_MAX);
    let mut found = feed::with_numbers(conn, &numbers).await?;
    for load in loads.iter_mut() {
        let found = found.remove(&load.claim.space).unwrap_or_default();
        found
            .into_iter()
            .for_each(|placed| load.loaded.take(placed));
    }

    // Who holds nothing of a feed lacks all of it, branches or not.
    let mut branched = Vec::new();
    for (load, theirs) in loads.iter().zip(&mut theirs) {
        theirs.retain(|device, tips| {
            tips.retain(|tip| load.loaded.has(*device, *tip));
            load.asks_for(*device)
        });
        if theirs.values().any(|tips| !tips.is_empty()) {
            branched.push(&load.claim.space);
        }
    }
    let branches = feed::branches_of(conn, &branched).await?;
    for (load, theirs) in loads.iter_mut().zip(theirs) {
        let space = &load.claim.space;
        let holds_nothing = load.claim.counter == 0 && theirs.values().all(Vec::is_empty);
        if holds_nothing && !theirs.is_empty() {
            // It holds nothing, and is given everything in the order in which it came.
            let first = feed::first(conn, space, lacking_max).await?;
            first
                .into_iter()
                .for_each(|placed| load.loaded.take(placed));
            continue;
        }
        for (device, tips) in theirs {
            // Below the first number that was used twice a feed is a path, and whoever holds one batch
            // of it holds all before. From there on a branch that the phone lacks may begin.
            let branch = branches.get(space).and_then(|of| of.get(&device));
            let lowest = tips.iter().map(|tip| tip.seq).min();
            let from = lowest
                .map_or(0, |lowest| lowest.saturating_add(1))
                .min(branch.copied().unwrap_or(u32::MAX));
            // On a path the lowest came first, and what is above them is not sent before them. Among branches
            // what the phone holds has to be told from what it lacks.
            let limit = branch.map_or(lacking_max, |_| EVERYTHING);
            for placed in feed::from_number(conn, space, device, from, limit).await? {
                load.loaded.take(placed);
            }
        }
    }
    Ok(())
}

/// Reads the batches that the plan names, in its order, until the budget is used up: at least one
/// (R47).
pub(crate) async fn fill(
    conn: &mut Conn,
    me: &NodeIdentity,
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
        let Some(bytes) = feed::bytes(conn, &space, hash).await? else {
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
        true => references::known_at_phone(conn, me.network, &plan, &chosen).await?,
        false => Vec::new(),
    };
    let mut answer = plan.answer;
    if let Some(refer) = &mut answer.refer {
        refer.known = known;
    }
    answer.batches = chosen.into_iter().map(|(_, bytes)| bytes).collect();
    Ok(answer)
}
