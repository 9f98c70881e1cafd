//! Bundles at the server: import from any courier, and the reply with what the maker lacks and the
//! acknowledgement.

use std::sync::Arc;

use store::{StoreError, recovery};
use sync_core::batch::{BadBatch, Batch};
use sync_core::bundle::{BadBundle, Claims, Content, Unsealing};
use sync_core::bundle_exchange::reply::{self, PlainEnvelope};
use sync_core::control::{Control, ControlEntry};
use sync_core::hub::{self, Bringer, Placement};
use sync_core::seal::SealingKey;
use sync_core::wire::SHOWN_MAX;

use crate::control_cache::ControlCache;
use crate::exchange::{self, ANSWER_BATCH_BYTES_MAX};
use crate::recovery::absorb;
use crate::reply::ServeError;
use crate::slices::{TakeSlice, slices};
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

/// The code of what is left of a file after too much that nobody known here had a part in.
const OF_STRANGERS: &str = "bundle_of_strangers";
/// What is spent of a file on envelopes that nobody known here had a part in, for anybody can seal to the
/// server. In units of a signature, some 0.1 ms.
const STRANGERS_WORK_MAX: usize = 64;
/// Bytes that are unfolded in the time of a signature.
const UNFOLDED_BYTES: usize = 64 * 1024;
/// Batches of nobody that are taken apart in the time of a signature.
const TAKEN_APART: usize = 8;
/// Batches of an envelope by which it is seen whether somebody known had a part in it.
const LOOKED_AT: usize = 64;

/// A bundle with its signatures checked, ready for a transaction.
pub(crate) struct Unpacked {
    others: usize,
    /// Why envelopes, or all that is left, were not opened.
    not_opened: Vec<&'static str>,
    /// As opened, should the roster have changed meanwhile.
    contents: Vec<Content>,
    /// Control entries in it that were lost here (R21).
    repair: Vec<ControlEntry>,
    parts: Vec<Arc<Part>>,
}

/// What one envelope brought.
pub(crate) struct Part {
    claims: Option<Claims>,
    batches: Vec<Result<Batch, BadBatch>>,
}

impl AsRef<[Result<Batch, BadBatch>]> for Part {
    fn as_ref(&self) -> &[Result<Batch, BadBatch>] {
        &self.batches
    }
}

impl Part {
    fn check(control: &Control, content: &Content) -> Self {
        let mut part = Self::begun(control, content);
        part.finish(control, content);
        part
    }

    /// The part as far as it shows whether somebody known signed anything.
    fn begun(control: &Control, content: &Content) -> Self {
        let claims = content.claims.as_ref();
        let looked_at = content.batches.iter().take(LOOKED_AT);
        Self {
            claims: claims.and_then(|claims| Claims::check(control, claims)),
            batches: looked_at.map(|bytes| control.receive(bytes)).collect(),
        }
    }

    fn finish(&mut self, control: &Control, content: &Content) {
        let left = content.batches.iter().skip(self.batches.len());
        self.batches
            .extend(left.map(|bytes| control.receive(bytes)));
    }

    /// Whether somebody on the roster signed something of it.
    fn is_of_somebody(&self) -> bool {
        self.claims.is_some() || self.batches.iter().any(Result::is_ok)
    }

    fn bringer(&self) -> Bringer {
        let device = self.claims.as_ref().map(|claims| claims.device);
        device.map_or(Bringer::Unknown, Bringer::Device)
    }
}

impl Unpacked {
    /// Opens what is for the server, and checks every signature: the part that costs time, outside any lock.
    /// An error if nothing opens.
    pub(crate) fn open<'k>(
        control: &Control,
        keys: impl IntoIterator<Item = &'k SealingKey> + Clone,
        file: &[u8],
    ) -> Result<Self, BadBundle> {
        let mut unsealing = Unsealing::of(file)?;
        let mut opening = Opening {
            control,
            joined: None,
            repair: Vec::new(),
            parts: Vec::new(),
            shown: SHOWN_MAX,
            work: STRANGERS_WORK_MAX,
        };
        let (mut bad, mut room) = (0, unsealing.room());
        while opening.work > 0 && unsealing.open_next(control.network(), keys.clone())? {
            let opened = unsealing.opened();
            opening.work = opening.work.saturating_sub(opened.bad.len() - bad);
            bad = opened.bad.len();
            if let Some(content) = opened.contents.get(opening.parts.len()) {
                opening.take(content, (room - unsealing.room()) / UNFOLDED_BYTES);
            }
            room = unsealing.room();
        }
        let of_strangers = unsealing.has_more().then_some(OF_STRANGERS);
        let unsealed = unsealing.end()?;
        let bad = unsealed.bad.iter().map(|bad| bad.code());
        Ok(Self {
            others: unsealed.others,
            not_opened: bad.chain(of_strangers).collect(),
            contents: unsealed.contents,
            repair: opening.repair,
            parts: opening.parts,
        })
    }

    /// The control entries that are to be joined before it is taken.
    pub(crate) fn repair(&self) -> &[ControlEntry] {
        &self.repair
    }

    /// The parts under another roster.
    fn check_again(&self, control: &Control) -> Vec<Arc<Part>> {
        let part = |content| Arc::new(Part::check(control, content));
        self.contents.iter().map(part).collect()
    }
}

/// A file on its way to an [`Unpacked`].
struct Opening<'c> {
    control: &'c Control,
    /// With what the envelopes teach.
    joined: Option<Control>,
    repair: Vec<ControlEntry>,
    parts: Vec<Arc<Part>>,
    /// Control entries that are still looked at.
    shown: usize,
    /// What may still be spent on strangers.
    work: usize,
}

impl Opening<'_> {
    /// Checks the next envelope, which took so much work to unfold.
    fn take(&mut self, content: &Content, unfolded: usize) {
        let control = self.joined.as_ref().unwrap_or(self.control);
        let mut part = Part::begun(control, content);
        let may_show = match part.is_of_somebody() {
            true => self.shown,
            false => self.shown.min(self.work / 2),
        };
        let shown = &content.control[..content.control.len().min(may_show)];
        let (joined, taught) = hub::join(control, shown);
        self.shown -= shown.len();
        if !taught.is_empty() {
            part = Part::begun(joined.as_ref().unwrap_or(control), content);
        }
        if part.is_of_somebody() || !taught.is_empty() {
            part.finish(joined.as_ref().unwrap_or(control), content);
        } else {
            let batches = part.batches.len() / TAKEN_APART;
            let spent = 1 + unfolded + batches + 2 * shown.len();
            self.work = self.work.saturating_sub(spent);
        }
        self.joined = joined.or(self.joined.take());
        self.repair.extend(taught);
        self.parts.push(Arc::new(part));
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
    let not_opened = unpacked.not_opened.iter();
    let mut report = BundleReport {
        opened: parts.len(),
        others: unpacked.others,
        not_held: not_opened.map(ToString::to_string).collect(),
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
    /// How many of its batches were stored ahead, in slices.
    pub(crate) new: u64,
    /// When it came.
    pub(crate) now: i64,
}

impl Import {
    /// What is to be stored ahead of this job, in this order. Nothing of a file that changes the roster.
    pub(crate) fn slices(&self) -> Vec<TakeSlice<Part>> {
        let parts: &[Arc<Part>] = match self.unpacked.repair.is_empty() {
            true => &self.unpacked.parts,
            false => &[],
        };
        let slices = parts.iter().flat_map(|part| {
            let slice = |range| TakeSlice {
                of: part.clone(),
                range,
                checked: self.control_cache.clone(),
                bringer: part.bringer(),
                now: self.now,
            };
            slices(&part.batches).into_iter().map(slice)
        });
        slices.collect()
    }
}

impl Job for Import {
    type Output = (BundleReport, Vec<PlainEnvelope>);
    type Error = ServeError;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Self::Output, ServeError> {
        absorb(self.now, tx, self.unpacked.repair()).await?;
        let is_current = self.control_cache.arrival == tx.control.arrival;
        let (mut report, back) = take(self.now, tx, &self.unpacked, is_current).await?;
        report.new += usize::try_from(self.new).unwrap_or(usize::MAX);
        Ok((report, back))
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
    let claims = part.claims.as_ref().filter(|_| back.room > 0);
    let request = reply::as_request(claims, back.room);
    let bases = reply::bases(&request);
    let lacking_max = hub::batches_to_fill(back.room);
    let conn = &mut tx.conn;
    let claims = exchange::with_unclaimed(conn, &request.spaces, &part.batches).await?;
    let (mut held, stashes) = exchange::load_all(conn, &claims, &part.batches, lacking_max).await?;
    let before: u64 = held.values().map(|held| held.counter).sum();
    let taken = tx
        .ingest(now, &mut held, stashes, &part.batches, part.bringer())
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
