//! Bundles at the server: import from any courier, and the reply with what the maker lacks and the
//! acknowledgement.

use std::sync::Arc;

use store::{StoreError, recovery};
use sync_core::batch::{BadBatch, Batch};
use sync_core::bundle::{Claims, Content, Unsealed};
use sync_core::bundle_exchange::reply::{self, PlainEnvelope};
use sync_core::control::{Control, ControlEntry};
use sync_core::hub::{self, Bringer, Placement};
use sync_core::wire::SHOWN_MAX;

use crate::control_cache::ControlCache;
use crate::exchange::{self, ANSWER_BATCH_BYTES_MAX};
use crate::recovery::absorb;
use crate::reply::ServeError;
use crate::transaction::WriteTx;
use crate::writer::Job;

/// The code of a batch that would have to wait for others and finds no room.
const STASH_FULL: &str = "bundle_stash_full";

/// What a bundle brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BundleReport {
    /// Envelopes that were for the server.
    pub opened: usize,
    /// Envelopes that were for devices alone.
    pub others: usize,
    /// Batches in them.
    pub batches: usize,
    /// Of these, the ones that are new here.
    pub new: usize,
    /// Of these, the ones that wait for others which have not come yet.
    pub waiting: usize,
    /// Codes of what is not held, and why.
    pub not_held: Vec<String>,
    /// The bundle to carry back.
    pub reply: Vec<u8>,
}

/// A bundle with its signatures checked, ready for a transaction.
pub(crate) struct Unpacked {
    unsealed: Unsealed,
    /// Control entries in it that were lost here (R21).
    repair: Vec<ControlEntry>,
    parts: Vec<Part>,
}

/// What one envelope brought.
struct Part {
    claims: Option<Claims>,
    batches: Vec<Result<Batch, BadBatch>>,
}

impl Unpacked {
    /// Checks every signature: the part that costs time, outside any lock.
    pub(crate) fn check(control: &Control, unsealed: Unsealed) -> Self {
        let shown = unsealed
            .contents
            .iter()
            .flat_map(|content| &content.control);
        let shown: Vec<Vec<u8>> = shown.take(SHOWN_MAX).cloned().collect();
        let (joined, repair) = hub::join(control, &shown);
        let mut unpacked = Self {
            unsealed,
            repair,
            parts: Vec::new(),
        };
        unpacked.parts = unpacked.check_again(joined.as_ref().unwrap_or(control));
        unpacked
    }

    /// The control entries that are to be joined before it is taken.
    pub(crate) fn repair(&self) -> &[ControlEntry] {
        &self.repair
    }

    /// The parts under another roster.
    fn check_again(&self, control: &Control) -> Vec<Part> {
        let batch = |bytes: &Vec<u8>| control.receive(bytes);
        let part = |content: &Content| Part {
            claims: content
                .claims
                .as_ref()
                .and_then(|claims| Claims::check(control, claims)),
            batches: content.batches.iter().map(batch).collect(),
        };
        self.unsealed.contents.iter().map(part).collect()
    }
}

/// What goes back, and how many bytes of batches may still.
struct Back {
    envelopes: Vec<PlainEnvelope>,
    room: usize,
}

/// Takes a bundle; the report and the letters back may leave once the transaction has committed.
pub(crate) async fn take(
    now: i64,
    tx: &mut WriteTx<'_>,
    unpacked: &Unpacked,
    is_current: bool,
) -> Result<(BundleReport, Vec<PlainEnvelope>), StoreError> {
    let again;
    let parts = match is_current {
        true => &unpacked.parts,
        false => {
            again = unpacked.check_again(&tx.control);
            &again
        }
    };
    let unsealed = &unpacked.unsealed;
    let mut report = BundleReport {
        opened: unsealed.contents.len(),
        others: unsealed.others,
        not_held: unsealed.bad.iter().map(|bad| bad.code().into()).collect(),
        ..BundleReport::default()
    };
    let mut back = Back {
        envelopes: Vec::new(),
        room: ANSWER_BATCH_BYTES_MAX,
    };
    for part in parts {
        take_part(now, tx, part, &mut report, &mut back).await?;
    }
    Ok((report, back.envelopes))
}

/// A bundle to be taken, as it was checked under a roster.
pub(crate) struct Import {
    /// What it brings.
    pub(crate) unpacked: Unpacked,
    /// Under which it was checked.
    pub(crate) control_cache: Arc<ControlCache>,
    /// When it came.
    pub(crate) now: i64,
}

impl Job for Import {
    type Output = (BundleReport, Vec<PlainEnvelope>);
    type Error = ServeError;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Self::Output, ServeError> {
        absorb(self.now, tx, self.unpacked.repair()).await?;
        let is_current = self.control_cache.arrival == tx.control.arrival;
        Ok(take(self.now, tx, &self.unpacked, is_current).await?)
    }
}

async fn take_part(
    now: i64,
    tx: &mut WriteTx<'_>,
    part: &Part,
    report: &mut BundleReport,
    back: &mut Back,
) -> Result<(), StoreError> {
    // Of a file that asks again and again no more goes back than of one that asks once.
    let claims_of = part.claims.as_ref().map(|claims| claims.device);
    let claims = part.claims.as_ref().filter(|_| back.room > 0);
    let request = reply::as_request(claims, back.room);
    let bases = reply::bases(&request);
    let conn = &mut tx.conn;
    let claims = exchange::with_unclaimed(conn, &request.spaces, &part.batches).await?;
    let (mut held, stashes) = exchange::load_all(conn, &claims, &part.batches).await?;
    let before: u64 = held.values().map(|held| held.counter).sum();
    let bringer = match claims_of {
        Some(device) => Bringer::Device(device),
        None => Bringer::Unknown,
    };
    let taken = tx
        .ingest(now, &mut held, stashes, &part.batches, bringer)
        .await?;
    let unkept = taken.unkept.clone();
    let after: u64 = held.values().map(|held| held.counter).sum();
    report.batches += part.batches.len();
    report.new += usize::try_from(after.saturating_sub(before)).unwrap_or(usize::MAX);
    let refused = taken.refused.iter().map(|refused| refused.code.clone());
    report.not_held.extend(refused);
    let no_room = unkept.iter().map(|_| STASH_FULL.to_owned());
    report.not_held.extend(no_room);
    let waits = |batch: &&Batch| {
        let place = held.get(&batch.header.space);
        let place = place.map(|held| held.place(batch.header.device, &batch.node()));
        matches!(place, Some(Placement::Gap(_))) && !unkept.contains(&batch.hash)
    };
    report.waiting += part.batches.iter().flatten().filter(waits).count();

    let (conn, control) = (&mut tx.conn, &tx.control);
    let (me, node) = (&tx.node.me, &tx.node.node);
    let mut plan = hub::plan(me, control, &request, Some(&bases), &held, taken, now);
    if recovery::holds_back(conn, request.device).await? {
        plan = plan.held_back();
    }
    let answer = exchange::fill(conn, me, &request, plan).await?;
    let spent: usize = answer.batches.iter().map(Vec::len).sum();
    back.room = back.room.saturating_sub(spent);
    let held_back = recovery::returned(conn).await?;
    back.envelopes.extend(reply::reply_envelopes(
        me, node, control, &held, &held_back, answer,
    ));
    Ok(())
}
