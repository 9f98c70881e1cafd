//! Draws of a seed: the shape of the world, its faults and their rates.

use std::fmt;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A mistake put into the simulated *hosts* to see that the oracle finds it. The core is always the
/// real one; each of these is a way of using it wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// A phone sends the bytes of a request before its rows are durable (against R1).
    SendBeforeDurable,
    /// The server keeps one batch per (space, device, number) (against R2).
    DoNothingOnUsedNumber,
    /// The server holds a batch whose parent it lacks (against R6).
    GapApplied,
    /// A store takes the rows of a writer that has been replaced (against R9).
    FenceIgnored,
    /// A phone draws the same randomness after each start (against R8).
    SameRandomness,
    /// A store keeps half of a step's rows when the phone dies (against "in one transaction").
    HalfCommit,
    /// A phone goes on with its replica after a persist error (against R8).
    GoOnAfterError,
    /// A restored server replays the log of its backup and joins nothing that phones show (against
    /// R18).
    ControlReplayedAsLog,
    /// A restored server serves everybody at once (against R20).
    ServesInRecovery,
    /// The server calls safe what stands in no backup (against R23).
    SafeToldTooEarly,
    /// The server serves by the roster that it read before a revocation (against R25).
    RosterRemembered,
    /// The server takes from a phone what that phone wrote, and nothing of others (against R7).
    OwnFeedsOnly,
    /// The server's budget may send nothing (against R47).
    BudgetOfNothing,
    /// The server holds a batch from which somebody blotted an entry out without an order (against R29).
    RedactedWithoutOrder,
    /// The server answers a bundle before it is durable, and dies.
    BundleAnsweredTooEarly,
    /// A browser says that something is saved, or sends it, before it is durable (against R1).
    AnswersBeforeFlush,
    /// The server takes as many branches of a feed as a device signs.
    BranchesUnbounded,
    /// The server counts what a revoked device signs beside its cut (against R24).
    CutIgnored,
    /// The server takes a verdict and does not follow it (against R24).
    VerdictNotFollowed,
    /// A browser marks nothing before it merges, as if it caught panics (against R15).
    ForgetsTheMark,
}

impl Plant {
    /// All of them.
    pub const ALL: [Plant; 20] = [
        Plant::SendBeforeDurable,
        Plant::DoNothingOnUsedNumber,
        Plant::GapApplied,
        Plant::FenceIgnored,
        Plant::SameRandomness,
        Plant::HalfCommit,
        Plant::GoOnAfterError,
        Plant::ControlReplayedAsLog,
        Plant::ServesInRecovery,
        Plant::SafeToldTooEarly,
        Plant::RosterRemembered,
        Plant::OwnFeedsOnly,
        Plant::BudgetOfNothing,
        Plant::RedactedWithoutOrder,
        Plant::BundleAnsweredTooEarly,
        Plant::AnswersBeforeFlush,
        Plant::ForgetsTheMark,
        Plant::BranchesUnbounded,
        Plant::CutIgnored,
        Plant::VerdictNotFollowed,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Plant::SendBeforeDurable => "send-before-durable",
            Plant::DoNothingOnUsedNumber => "do-nothing-on-used-number",
            Plant::GapApplied => "gap-applied",
            Plant::FenceIgnored => "fence-ignored",
            Plant::SameRandomness => "same-randomness",
            Plant::HalfCommit => "half-commit",
            Plant::GoOnAfterError => "go-on-after-error",
            Plant::ControlReplayedAsLog => "control-replayed-as-log",
            Plant::ServesInRecovery => "serves-in-recovery",
            Plant::SafeToldTooEarly => "safe-told-too-early",
            Plant::RosterRemembered => "roster-remembered",
            Plant::OwnFeedsOnly => "own-feeds-only",
            Plant::BudgetOfNothing => "budget-of-nothing",
            Plant::RedactedWithoutOrder => "blotted-without-order",
            Plant::BundleAnsweredTooEarly => "bundle-answered-too-early",
            Plant::AnswersBeforeFlush => "answers-before-flush",
            Plant::ForgetsTheMark => "forgets-the-mark",
            Plant::BranchesUnbounded => "branches-unbounded",
            Plant::CutIgnored => "cut-ignored",
            Plant::VerdictNotFollowed => "verdict-not-followed",
        }
    }

    /// The plant with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plant| plant.name() == name)
    }
}

/// Something that goes wrong, or an unusual thing that a user does; counted so that a run can show
/// what it has exercised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A message is lost.
    Lost,
    /// A message arrives twice.
    Repeated,
    /// A message overtakes an older one.
    Overtaken,
    /// A message is cut and its beginning arrives.
    Cut,
    /// An old request is played to the server again.
    Replayed,
    /// Bytes that are no message arrive.
    Garbage,
    /// The phone dies before the rows are durable.
    CrashBeforePersist,
    /// The phone dies when the rows are durable and not applied.
    CrashAfterPersist,
    /// The phone dies between two steps.
    CrashIdle,
    /// Persisting says that it failed, and the rows are durable.
    PersistErrorDurable,
    /// Persisting says that it failed, and the rows are not durable.
    PersistErrorLost,
    /// The disk is full.
    DiskFull,
    /// A second process opens the store while the first goes on.
    TwoWriters,
    /// The store is set back to an older copy.
    Rollback,
    /// A phone is lost for good.
    PhoneLost,
    /// A store is copied to a second phone with the same keys, and both go on.
    Cloned,
    /// The server's batches are set back to an older copy.
    HubSetBack,
    /// The server dies before it commits.
    HubCrashBefore,
    /// The server dies after it has committed and before it answers.
    HubCrashAfter,
    /// The answer to an enrolment is lost.
    EnrolAnswerLost,
    /// The server's clock moves by days.
    DaysPass,
    /// A device gets more spaces.
    Widened,
    /// A newer plan package comes out.
    NewPackage,
    /// The hostile device sends something.
    Hostile,
    /// A form is saved that was opened on an older state of the record.
    OldForm,
    /// A form is saved twice.
    SavedTwice,
    /// A user settles a conflict.
    Settled,
    /// A user says of two records that they are one person, or two.
    Linked,
    /// The link carries little: one batch at a time.
    SmallBudget,
    /// The server does not know a phone's base and tells its vectors whole.
    Reset,
    /// The server knows none of a phone's tips of a feed and asks for a ladder.
    Ladder,
    /// A nonce is too old.
    StaleNonce,
    /// A batch waits in a phone's stash.
    Stashed,
    /// The server answers and then loses what it was about to commit.
    AnsweredNotCommitted,
    /// An answer's batches come in any order, one of them or the control entries left out: what a
    /// bag of bundles does. It may also refer to what the phone does not hold.
    Untidy,
    /// A request's batches refer to what the server holds.
    RefersUp,
    /// An answer's batches refer to what the phone holds.
    RefersDown,
    /// The server does not find what a request refers to and takes none of its batches.
    Untaken,
    /// A phone does not find what an answer refers to and takes none of its batches.
    Unread,
    /// An answer is merged in more than one slice.
    Sliced,
    /// It is left between two of them.
    BrokenOff,
    /// A browser's program ends in a merge.
    EndedByMerge,
    /// A record that may have ended it is merged alone, and did not.
    Proven,
    /// A phone asks again, referring to nothing.
    ToldPlainly,
    /// A phone makes a bundle.
    BundleMade,
    /// The office makes a snapshot.
    SnapshotMade,
    /// A bundle stays in the bag after it has arrived.
    BundleAgain,
    /// A bundle arrives at the server.
    BundleAtServer,
    /// A bundle arrives at a phone.
    BundleAtPhone,
    /// A bundle arrives at a phone that it is not for.
    BundleNotForUs,
    /// A phone hears by a bundle what the server holds.
    Acknowledged,
    /// What a lost phone had not sent is brought to the server from its files.
    OutboxSaved,
    /// The server is lost and restored from an old backup.
    HubRestored,
    /// The same with everything that its journal held.
    HubRestoredWithJournal,
    /// The office lets a restored server serve again.
    RecoveryConfirmed,
    /// A restored server does not know a phone, or not all its grants, and is shown its enrolment.
    Stranger,
    /// A phone shows control entries.
    Shown,
    /// A device is revoked.
    Revoked,
    /// A revoked device asks, and is refused.
    RevokedAsks,
    /// The hostile device is revoked, and what it goes on signing is carried to the server.
    HostileCarried,
    /// The office accepts what a revoked device signed beside its cut.
    Accepted,
    /// The office refuses it.
    RefusedByOffice,
    /// The office has a record erased.
    Erased,
    /// A phone hears of that, and erases it.
    ErasedOnPhone,
    /// A device loses a space and keeps others.
    Narrowed,
    /// A phone hears of that, and erases the space.
    SpaceDropped,
    /// A person orders that a phone wipe itself.
    WipeOrdered,
    /// A phone has handed over what it had, and wipes itself.
    Wiped,
    /// A person moves to another unit.
    Moved,
    /// Another node of the real server acts while one is at a request.
    Between,
}

impl Fault {
    /// All that happen to a server and stores in memory.
    pub const ALL: [Fault; 68] = [
        Fault::Lost,
        Fault::Repeated,
        Fault::Overtaken,
        Fault::Cut,
        Fault::Replayed,
        Fault::Garbage,
        Fault::CrashBeforePersist,
        Fault::CrashAfterPersist,
        Fault::CrashIdle,
        Fault::PersistErrorDurable,
        Fault::PersistErrorLost,
        Fault::DiskFull,
        Fault::TwoWriters,
        Fault::Rollback,
        Fault::PhoneLost,
        Fault::Cloned,
        Fault::HubSetBack,
        Fault::HubCrashBefore,
        Fault::HubCrashAfter,
        Fault::EnrolAnswerLost,
        Fault::DaysPass,
        Fault::Widened,
        Fault::NewPackage,
        Fault::Hostile,
        Fault::OldForm,
        Fault::SavedTwice,
        Fault::Settled,
        Fault::Linked,
        Fault::SmallBudget,
        Fault::Reset,
        Fault::Ladder,
        Fault::StaleNonce,
        Fault::Stashed,
        Fault::AnsweredNotCommitted,
        Fault::Untidy,
        Fault::BundleMade,
        Fault::SnapshotMade,
        Fault::BundleAgain,
        Fault::BundleAtServer,
        Fault::BundleAtPhone,
        Fault::BundleNotForUs,
        Fault::Acknowledged,
        Fault::OutboxSaved,
        Fault::RefersUp,
        Fault::RefersDown,
        Fault::Untaken,
        Fault::Unread,
        Fault::Sliced,
        Fault::BrokenOff,
        Fault::EndedByMerge,
        Fault::Proven,
        Fault::ToldPlainly,
        Fault::HubRestored,
        Fault::HubRestoredWithJournal,
        Fault::RecoveryConfirmed,
        Fault::Stranger,
        Fault::Shown,
        Fault::Revoked,
        Fault::RevokedAsks,
        Fault::HostileCarried,
        Fault::Accepted,
        Fault::RefusedByOffice,
        Fault::Erased,
        Fault::ErasedOnPhone,
        Fault::Narrowed,
        Fault::SpaceDropped,
        Fault::WipeOrdered,
        Fault::Wiped,
    ];

    /// What the real server does besides.
    pub const OF_THE_REAL: [Fault; 2] = [Fault::Moved, Fault::Between];
}

/// Rates out of a thousand; 0 = never in this run.
#[derive(Clone, Debug)]
pub struct Config {
    /// The seed that all this was drawn from.
    pub seed: u64,
    /// Honest phones.
    pub phones: usize,
    /// 嘎查.
    pub units: usize,
    /// Steps under faults.
    pub steps: u32,
    /// Phones enrolled at the beginning; the others come later.
    pub early_phones: usize,
    /// Per message: lost.
    pub lose: u32,
    /// Per message: arrives twice.
    pub repeat: u32,
    /// Per message: cut.
    pub cut: u32,
    /// Per message to be delivered: another one than the oldest.
    pub overtake: u32,
    /// Per commit of a phone: dies before, or after, or gets an error, or a full disk.
    pub persist: u32,
    /// Per step: a phone dies, a store is opened twice.
    pub crash: u32,
    /// Per step: a store is set back.
    pub rollback: u32,
    /// Per step: a phone is lost, or its store copied to another one.
    pub loss: u32,
    /// Per step: the server is set back.
    pub hub_rollback: u32,
    /// Per request to the real server: another node acts between its beginning and its end.
    pub between: u32,
    /// Per step: the server is lost and restored.
    pub restore: u32,
    /// The server keeps a journal.
    pub journal: bool,
    /// Per request: the server dies before or after the commit.
    pub hub_crash: u32,
    /// Per answer: untidy.
    pub untidy: u32,
    /// Per step: a courier comes by.
    pub courier: u32,
    /// Per step: an old request, garbage.
    pub noise: u32,
    /// Per step: the hostile device acts; 0 = there is none.
    pub hostile: u32,
    /// Per step: days pass, grants grow, a package comes out.
    pub office: u32,
    /// Bytes of batches per message, or `None` for the default.
    pub budget: Option<usize>,
    /// Per answer: merged a batch or a record at a time.
    pub slices: u32,
    /// Some records end a browser's program whenever they are merged.
    pub deadly: bool,
    /// The server loads only what an exchange needs, as its SQL does, or all it has.
    pub partial_load: bool,
    /// How far each phone's clock is off, in seconds.
    pub clocks: Vec<i64>,
}

impl Config {
    /// Draws the configuration of a seed.
    pub fn draw(seed: u64, dice: &mut Dice) -> Self {
        let phones = 2 + dice.below(3);
        let rate = |dice: &mut Dice, highest: usize| {
            if dice.chance(450) {
                0
            } else {
                1 + dice.below(highest) as u32
            }
        };
        let units = if dice.chance(300) { 2 } else { 1 };
        let steps = 60 + dice.below(60) as u32;
        let early_phones = 1 + dice.below(phones);
        let clocks = (0..phones)
            .map(|_| match dice.below(4) {
                0 => -TRUE_TIME_START,
                1 => YEAR_2100 - TRUE_TIME_START,
                2 => dice.below(7200) as i64 - 3600,
                _ => 0,
            })
            .collect();
        let mut config = Self {
            seed,
            phones,
            units,
            steps,
            early_phones,
            lose: rate(dice, 300),
            repeat: rate(dice, 200),
            cut: rate(dice, 150),
            overtake: rate(dice, 500),
            persist: rate(dice, 150),
            crash: rate(dice, 60),
            rollback: rate(dice, 30),
            loss: rate(dice, 10),
            hub_rollback: if dice.chance(150) { 15 } else { 0 },
            hub_crash: rate(dice, 150),
            untidy: rate(dice, 200),
            courier: rate(dice, 250),
            noise: rate(dice, 60),
            hostile: rate(dice, 120),
            office: rate(dice, 30),
            budget: dice.chance(250).then(|| 1 + dice.below(2000)),
            slices: rate(dice, 600),
            deadly: seed.is_multiple_of(2),
            partial_load: dice.chance(700),
            restore: 0,
            between: 0,
            journal: false,
            clocks,
        };
        // A server whose disk forgets by itself has no journal that could be believed.
        if config.hub_rollback == 0 && dice.chance(350) {
            config.restore = 10 + dice.below(30) as u32;
            config.journal = dice.chance(400);
        }
        config
    }

    /// What the real server and the real store do not do: a server's batches that are set back under
    /// the same incarnation, answers that lack something.
    pub fn for_the_real(&mut self) {
        if self.hub_rollback > 0 {
            self.hub_rollback = 0;
            self.restore = 25;
        }
        self.untidy = 0;
        self.between = 250;
    }
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "phones={}+{} units={} steps={} lose={} repeat={} cut={} overtake={} persist={} crash={} \
             rollback={} loss={} hub_rollback={} hub_crash={} untidy={} courier={} noise={} hostile={} office={} budget={:?} deadly={} partial_load={} \
             restore={} between={} journal={} clocks={:?}",
            self.early_phones,
            self.phones - self.early_phones,
            self.units,
            self.steps,
            self.lose,
            self.repeat,
            self.cut,
            self.overtake,
            self.persist,
            self.crash,
            self.rollback,
            self.loss,
            self.hub_rollback,
            self.hub_crash,
            self.untidy,
            self.courier,
            self.noise,
            self.hostile,
            self.office,
            self.budget,
            self.deadly,
            self.partial_load,
            self.restore,
            self.between,
            self.journal,
            self.clocks,
        )
    }
}

/// The true time at which a run starts, Unix seconds: 2026-07-01.
pub const TRUE_TIME_START: i64 = 1_782_864_000;
/// 2100-01-01 in Unix seconds.
const YEAR_2100: i64 = 4_102_444_800;

/// The one source of chance in a run.
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// The dice of a seed.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number below `n`, which is at least 1.
    pub fn below(&mut self, n: usize) -> usize {
        (self.0.next_u64() % n.max(1) as u64) as usize
    }

    /// True in `per_mille` of a thousand cases.
    pub fn chance(&mut self, per_mille: u32) -> bool {
        // Nothing is drawn for what never happens, so that a rate of 0 leaves the rest as it was.
        per_mille > 0 && self.below(1000) < per_mille as usize
    }

    /// One of `list`, which is not empty.
    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    /// Random bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// Another generator, drawn from this one.
    pub fn split(&mut self) -> ChaCha8Rng {
        ChaCha8Rng::from_seed(self.bytes())
    }

    /// Puts `list` into a random order.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for end in (1..list.len()).rev() {
            let other = self.below(end + 1);
            list.swap(end, other);
        }
    }
}
