//! Bundles as the server takes them, from whoever carried them, and the bundle that goes back: what
//! the maker lacks, and the acknowledgement.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::SqliteConnection;
use sync_core::batch::{Batch, Unfit};
use sync_core::bundle::{self, Claims, Content, Padding, Unsealed};
use sync_core::control::Control;
use sync_core::feed::Vector;
use sync_core::hub::{self, SpaceHeld};
use sync_core::id::{DeviceId, NetworkId, Short, Space};
use sync_core::relay::{audiences, portions};
use sync_core::seal::PublicKey;
use sync_core::wire::{Answer, Request, SpaceClaim};

use crate::app::Shared;
use crate::clock::{self, NoRandomness};
use crate::exchange::{self, ANSWER_BATCH_BYTES_MAX};
use crate::figures::Touched;
use crate::ingest;
use crate::store::{StoreError, feed};

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
    /// Codes of what is not held, and why.
    pub not_held: Vec<String>,
    /// The bundle to carry back.
    pub reply: Vec<u8>,
}

/// A bundle with its signatures checked, ready for a transaction.
pub(crate) struct Unpacked {
    unsealed: Unsealed,
    parts: Vec<Part>,
}

/// What one envelope brought.
struct Part {
    claims: Option<Claims>,
    batches: Vec<Result<Batch, Unfit>>,
}

impl Unpacked {
    /// Checks every signature: the part that costs time, outside any lock.
    pub(crate) fn check(control: &Control, unsealed: Unsealed) -> Self {
        let mut unpacked = Self {
            unsealed,
            parts: Vec::new(),
        };
        unpacked.parts = unpacked.check_again(control);
        unpacked
    }

    /// The parts under another roster.
    fn check_again(&self, control: &Control) -> Vec<Part> {
        let batch = |bytes: &Vec<u8>| {
            Batch::verify(control.network(), bytes, |device, space| {
                control.writer_key(device, space)
            })
        };
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

/// Takes a bundle in the transaction of `conn`; the report and the letters back may leave once that has
/// committed. Also gives the records whose shown values changed.
pub(crate) async fn take(
    now: i64,
    conn: &mut SqliteConnection,
    shared: &Shared,
    control: &Control,
    unpacked: &Unpacked,
    is_current: bool,
) -> Result<(BundleReport, Vec<Letter>, Touched), StoreError> {
    let again;
    let parts = match is_current {
        true => &unpacked.parts,
        false => {
            again = unpacked.check_again(control);
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
    let mut back = Vec::new();
    let mut touched = Touched::default();
    for part in parts {
        let taken = take_part(now, conn, shared, control, part, &mut report, &mut back);
        touched.join(taken.await?);
    }
    Ok((report, back, touched))
}

async fn take_part(
    now: i64,
    conn: &mut SqliteConnection,
    shared: &Shared,
    control: &Control,
    part: &Part,
    report: &mut BundleReport,
    back: &mut Vec<Letter>,
) -> Result<Touched, StoreError> {
    let request = as_request(part.claims.as_ref());
    let mut claims = request.spaces.clone();
    let claimed: BTreeSet<&Space> = request.spaces.iter().map(|claim| &claim.space).collect();
    let brought = part.batches.iter().flatten();
    let brought: BTreeSet<&Space> = brought.map(|batch| &batch.header.space).collect();
    for space in brought.difference(&claimed) {
        // Nobody asks what is lacking there: the newest counter, above which nothing is.
        let counter = feed::counter(conn, &space.to_string()).await?;
        claims.push(claim((*space).clone(), counter, &Vector::default()));
    }
    let (mut held, stashes) = exchange::load_all(conn, &claims, &part.batches).await?;
    let before: u64 = held.values().map(|held| held.counter).sum();
    let taken = ingest::take(
        now,
        conn,
        shared.me.network,
        &mut held,
        stashes,
        &part.batches,
    );
    let (taken, touched) = taken.await?;
    let after: u64 = held.values().map(|held| held.counter).sum();
    report.batches += part.batches.len();
    report.new += usize::try_from(after.saturating_sub(before)).unwrap_or(usize::MAX);
    let refused = taken.refused.iter().map(|refused| refused.code.clone());
    report.not_held.extend(refused);

    // Whoever claims by mail is described against nothing: its vectors are whole.
    let bases = claimed
        .iter()
        .map(|space| ((*space).clone(), Vector::default()));
    let bases = bases.collect();
    let plan = hub::plan(
        &shared.me,
        control,
        &request,
        Some(&bases),
        &held,
        taken,
        now,
    );
    let answer = exchange::fill(conn, &shared.me, &request, plan).await?;
    back.extend(letters(shared, control, &held, answer));
    Ok(touched)
}

/// Claims as the exchange would have them.
fn as_request(claims: Option<&Claims>) -> Request {
    let spaces = claims.into_iter().flat_map(|claims| &claims.spaces);
    Request {
        device: claims.map_or(DeviceId([0; 8]), |claims| claims.device),
        nonce: [0; 16],
        control: claims.map(|claims| claims.control).unwrap_or_default(),
        base: Short([0; 16]),
        spaces: spaces
            .map(|(space, vector)| claim(space.clone(), 0, vector))
            .collect(),
        batches: Vec::new(),
        budget: u32::try_from(ANSWER_BATCH_BYTES_MAX).unwrap_or(u32::MAX),
        receipts: true,
        refer: None,
    }
}

fn claim(space: Space, counter: u64, vector: &Vector) -> SpaceClaim {
    SpaceClaim {
        space,
        counter,
        changes: vector.changes_from(&Vector::default()),
        ladders: Vec::new(),
    }
}

/// What goes back to the readers of some spaces, before it is sealed.
pub(crate) struct Letter {
    readers: Vec<PublicKey>,
    content: Content,
}

/// The letters back: for each set of spaces that the same devices hold.
fn letters(
    shared: &Shared,
    control: &Control,
    held: &BTreeMap<Space, SpaceHeld>,
    answer: Answer,
) -> Vec<Letter> {
    let server = control.seal_key().map(|server| server.key);
    let mut batches: BTreeMap<Space, Vec<Vec<u8>>> = BTreeMap::new();
    for bytes in answer.batches {
        if let Ok(batch) = Batch::from_store(shared.me.network, &bytes) {
            batches.entry(batch.header.space).or_default().push(bytes);
        }
    }
    let mut letters = Vec::new();
    for (mut readers, spaces) in audiences(control, held.keys(), None) {
        readers.retain(|reader| Some(*reader) != server);
        let of_these: BTreeMap<_, _> = held
            .iter()
            .filter(|(space, _)| spaces.contains(*space))
            .map(|(space, held)| (space.clone(), held.clone()))
            .collect();
        let mut content = Content {
            control: answer.control.clone(),
            receipts: hub::receipts(&shared.me, &of_these, &shared.node),
            ..Content::default()
        };
        let batches = spaces.iter().filter_map(|space| batches.remove(space));
        for batches in portions(batches.flatten().collect()) {
            content.batches = batches;
            letters.push(Letter {
                readers: readers.clone(),
                content: std::mem::take(&mut content),
            });
        }
    }
    letters
}

/// The bundle to carry back.
pub(crate) fn seal(network: NetworkId, letters: &[Letter]) -> Result<Vec<u8>, NoRandomness> {
    let mut rng = clock::rng()?;
    let mut file = Vec::new();
    for Letter { readers, content } in letters {
        let message = content.encode(network);
        // A space that nobody holds any more has no readers; nothing goes back there.
        let sealed = bundle::seal(&mut rng, network, readers, Padding::Rounded, &message);
        file.extend(sealed.unwrap_or_default());
    }
    Ok(file)
}
