//! Observation of an exchange, beside what the core plans: what the server notes of the phone, and what it
//! holds back or adds to the answer for it.

use std::collections::BTreeMap;

use store::control::{self, meta};
use store::{Conn, StoreError, cloned_devices, journaled, recovery};
use sync_core::feed::Vector;
use sync_core::hub::{self, Brought, Plan, SpaceHeld};
use sync_core::id::Space;
use sync_core::wire::{Request, Safe};

use crate::clones;
use crate::context::NodeContext;

/// An exchange whose answer is planned.
pub(super) struct Observed<'a> {
    pub(super) incoming: &'a Brought,
    /// The counter of each space before anything was taken.
    pub(super) before: &'a BTreeMap<Space, u64>,
    pub(super) bases: Option<&'a BTreeMap<Space, Vector>>,
    pub(super) held: &'a BTreeMap<Space, SpaceHeld>,
}

impl Observed<'_> {
    /// Notes two phones with the same keys and who comes back after a restore; says which of what it
    /// holds the phone may forget, and what the plan may give away. Of what brings nothing only the answer
    /// changes, so that it can be read from a snapshot.
    pub(super) async fn observe(
        &self,
        now: i64,
        conn: &mut Conn,
        node: &NodeContext,
        mut plan: Plan,
    ) -> Result<Plan, StoreError> {
        let (request, held) = (&self.incoming.request, self.held);
        if !request.batches.is_empty() {
            clones::look(now, conn, self.incoming, self.before, held).await?;
        }
        plan.answer.renew_keys = cloned_devices::is_cloned(conn, request.device).await?;
        plan.answer.safe = safe(conn, request, held).await?;
        if recovery::is_on(conn).await? {
            note_survivor(conn, request, self.bases, held, &plan).await?;
        }
        if recovery::holds_back(conn, request.device).await? {
            plan = plan.held_back();
        }
        if request.receipts {
            let claimed = |space: &Space| request.spaces.iter().any(|claim| claim.space == *space);
            let told = held.iter().filter(|(space, _)| claimed(space));
            plan.answer.receipts = hub::receipts(&node.me, told, &node.node);
        }
        Ok(plan)
    }
}

/// What of the spaces of a request stands in the journal or in a verified backup too. A journal holds
/// this very transaction before it is committed.
async fn safe(
    conn: &mut Conn,
    request: &Request,
    held: &BTreeMap<Space, SpaceHeld>,
) -> Result<Option<Safe>, StoreError> {
    if control::meta(conn, meta::JOURNAL).await?.is_some() {
        return Ok(Some(Safe::All));
    }
    let (mut all, mut counters) = (true, Vec::new());
    for (place, claim) in (0u32..).zip(&request.spaces) {
        let counter = held.get(&claim.space).map_or(0, |held| held.counter);
        let safe = journaled::safe(conn, &claim.space).await?;
        all &= safe >= counter;
        if safe > 0 {
            counters.push((place, safe));
        }
    }
    Ok(match (counters.is_empty(), all) {
        (true, _) => None,
        (false, true) => Some(Safe::All),
        (false, false) => Some(Safe::UpTo(counters)),
    })
}

/// After a restore: notes which spaces a phone comes back with, and which of them are here whole by
/// now: everything that it holds, if that is no less than the backup held. A phone that came in
/// since then begins with this server's own life, and counts for nothing.
async fn note_survivor(
    conn: &mut Conn,
    request: &Request,
    bases: Option<&BTreeMap<Space, Vector>>,
    held: &BTreeMap<Space, SpaceHeld>,
    plan: &Plan,
) -> Result<(), StoreError> {
    for claim in &request.spaces {
        let Some(bases) = bases else {
            recovery::add_survivor(conn, &claim.space, request.device).await?;
            continue;
        };
        let base = bases.get(&claim.space);
        let (Some(base), Some(space)) = (base, held.get(&claim.space)) else {
            continue;
        };
        let restored = journaled::restored(conn, &claim.space).await?;
        let was_here = |hash| {
            let arrival = space.arrivals.get(hash);
            arrival.is_some_and(|arrival| *arrival <= restored)
        };
        let mut lacks = plan.send.iter();
        let is_older = lacks.any(|(of, hash)| *of == claim.space && was_here(hash));
        if !is_older && hub::holds_all(claim, base, space) {
            recovery::set_whole(conn, &claim.space, request.device).await?;
        }
    }
    Ok(())
}
