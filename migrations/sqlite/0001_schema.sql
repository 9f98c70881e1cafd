-- The server's store. Batches and control entries are the truth; `space`, `tip`, `touched` and `record`
-- follow from them and are written in the transaction that stores a batch. Everything of an
-- installation stands in one schema, and nothing in it crosses installations.
-- Never edited after a release: a change is another file.
--
-- A space is two columns: the unit's code and the number of the class (0 general, 1 care, 2 referral,
-- 3 health, 4 protected). Keys lead with the unit, so that all of a unit stands together. Times are Unix
-- seconds by the server's clock. A public key has a byte in front that names its suite.

-- Whose turn it is to write. One row, which every writing transaction changes first: whoever holds it
-- writes alone, and takes the numbers below from it.
CREATE TABLE turn (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    -- Number of transactions that wrote. A database with a lower one than before was set back.
    number INTEGER NOT NULL,
    -- The newest control entry's number of arrival: says whether a copy in memory is current.
    control INTEGER NOT NULL,
    -- The newest event's number.
    event INTEGER NOT NULL,
    -- The newest generation's number.
    generation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO turn (one, number, control, event, generation) VALUES (1, 0, 0, 0, 0);

-- What there is one of.
CREATE TABLE meta (
    -- network, incarnation, nonce_key, url, journal and the like; sample: it holds made-up data.
    key TEXT NOT NULL PRIMARY KEY,
    -- Its bytes; text as UTF-8.
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The control feed: root statements, enrolments, plan packages, revocations, orders.
CREATE TABLE control (
    -- 1, 2, … in the order in which the entries came in.
    arrival INTEGER NOT NULL PRIMARY KEY,
    -- SHA-256 of the signed bytes: the entry's name.
    hash BLOB NOT NULL UNIQUE,
    -- The entry as it was signed, to be sent as it is.
    bytes BLOB NOT NULL
) STRICT;

-- The spaces in which something is held.
CREATE TABLE space (
    unit TEXT NOT NULL,
    class INTEGER NOT NULL,
    -- Number of batches that ever came in; phones remember it.
    counter INTEGER NOT NULL,
    -- When a batch last came in.
    moved INTEGER,
    -- The newest arrival that the journal holds; 0 if none.
    journaled INTEGER NOT NULL DEFAULT 0,
    -- The newest arrival that a verified backup holds; 0 if none.
    backed_up INTEGER NOT NULL DEFAULT 0,
    -- The newest arrival that was here when this server's life began; 0 unless it was restored.
    restored INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (unit, class)
) STRICT, WITHOUT ROWID;

-- The few spaces of which the journal lacks something; asked for before every commit.
CREATE INDEX space_unjournaled ON space (unit, class) WHERE journaled < counter;

-- Every batch held, as it was signed. Two batches with one (device, seq) are both kept.
CREATE TABLE batch (
    unit TEXT NOT NULL,
    class INTEGER NOT NULL,
    -- 1, 2, … in the order in which the batches of the space came in.
    arrival INTEGER NOT NULL,
    -- SHA-256 of the signed bytes: the batch's name.
    hash BLOB NOT NULL,
    -- The device that wrote and signed it (8 bytes).
    device BLOB NOT NULL,
    -- The batch's number in its feed: 1 + the highest parent's.
    seq INTEGER NOT NULL,
    -- 1 if another batch of the feed had this number already: a branch begins no higher than here.
    branch INTEGER NOT NULL,
    -- The parents' hashes, end to end.
    prev BLOB NOT NULL,
    -- The batch itself. Stands last, so that reading the other columns does not read it.
    bytes BLOB NOT NULL,
    PRIMARY KEY (unit, class, arrival),
    UNIQUE (unit, class, hash)
) STRICT;

-- A feed above a number, and the batches with a number.
CREATE INDEX batch_of_feed ON batch (unit, class, device, seq);

-- The few batches that came second with their number.
CREATE INDEX batch_branch ON batch (unit, class, device, seq) WHERE branch = 1;

-- The ends of the branches of every feed; one per feed on a normal day.
CREATE TABLE tip (
    unit TEXT NOT NULL,
    class INTEGER NOT NULL,
    -- The feed's device.
    device BLOB NOT NULL,
    -- The batch that no other batch of the feed follows.
    hash BLOB NOT NULL,
    PRIMARY KEY (unit, class, device, hash),
    FOREIGN KEY (unit, class, hash) REFERENCES batch (unit, class, hash)
) STRICT, WITHOUT ROWID;

-- The feeds of a device, in all spaces: what a revocation looks at.
CREATE INDEX tip_of_device ON tip (device);

-- Which batches change a record, so that its state can be made again without reading the space.
CREATE TABLE touched (
    unit TEXT NOT NULL,
    class INTEGER NOT NULL,
    -- The record's subject letter and 16 bytes.
    record BLOB NOT NULL,
    -- The batch.
    arrival INTEGER NOT NULL,
    PRIMARY KEY (unit, class, record, arrival),
    FOREIGN KEY (unit, class, arrival) REFERENCES batch (unit, class, arrival)
) STRICT, WITHOUT ROWID;

-- What the batches make of a record. A cache: it can be made again from them at any time.
CREATE TABLE record (
    unit TEXT NOT NULL,
    class INTEGER NOT NULL,
    -- The record's subject letter and 16 bytes.
    record BLOB NOT NULL,
    -- Document, heads, view and what is set aside, in the core's own encoding.
    state BLOB NOT NULL,
    PRIMARY KEY (unit, class, record)
) STRICT;

-- Well-signed batches that came before a parent of theirs. Outside the vector, bounded per space.
CREATE TABLE stash (
    unit TEXT NOT NULL,
    class INTEGER NOT NULL,
    hash BLOB NOT NULL,
    device BLOB NOT NULL,
    seq INTEGER NOT NULL,
    -- The parents' hashes, end to end; at least one of them is not held.
    prev BLOB NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (unit, class, hash)
) STRICT;

-- Batches of revoked devices that don't count by themselves: beside the cut of the revocation and not
-- accepted. A cache: it follows from the batches and the control feed.
CREATE TABLE uncounted (
    unit TEXT NOT NULL,
    class INTEGER NOT NULL,
    -- The batch.
    hash BLOB NOT NULL,
    -- The device that signed it.
    device BLOB NOT NULL,
    -- pending until the office decides, then refused; an accepted one is not here.
    standing TEXT NOT NULL CHECK (standing IN ('pending', 'refused')),
    PRIMARY KEY (unit, class, hash),
    FOREIGN KEY (unit, class, hash) REFERENCES batch (unit, class, hash)
) STRICT, WITHOUT ROWID;

-- Of one device's feed.
CREATE INDEX uncounted_of_feed ON uncounted (unit, class, device);

-- Enrolment codes. Who reads this table can't use one.
CREATE TABLE code (
    -- SHA-256 of the code.
    hash BLOB NOT NULL PRIMARY KEY,
    -- The spaces that it gives, as `152522100200.general`, with blanks between.
    spaces TEXT NOT NULL,
    -- The person who will write (8 random bytes).
    author BLOB NOT NULL,
    -- Whom the administrator made it for; stands nowhere else.
    name TEXT,
    -- When it was made.
    made INTEGER NOT NULL,
    -- From when on it is not taken any more, unless by the keys that used it before.
    expires INTEGER NOT NULL,
    -- The signing key that used it; from then on nobody else's.
    used_by BLOB
) STRICT, WITHOUT ROWID;

-- Devices that used a code. What they may do stands in the control feed alone.
CREATE TABLE device (
    -- The first 8 bytes of SHA-256 of the signing key.
    device BLOB NOT NULL PRIMARY KEY,
    -- Of suite 1 Ed25519.
    signing_key BLOB NOT NULL,
    -- Of suite 1 X25519.
    sealing_key BLOB NOT NULL,
    -- The spaces of its codes, as in `code`.
    spaces TEXT NOT NULL,
    -- The person of its last code.
    author BLOB NOT NULL,
    -- The name of its last code.
    name TEXT,
    -- pending until an administrator has compared the digits, then approved.
    state TEXT NOT NULL CHECK (state IN ('pending', 'approved')),
    -- When it last used a code for the first time.
    since INTEGER NOT NULL,
    -- How many others tried a code that this device had used: a link that went astray.
    redeemers INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How fresh the data is: when each device was last heard of. For the office's eyes; nothing follows
-- from it.
CREATE TABLE contact (
    device BLOB NOT NULL PRIMARY KEY,
    -- Written again after a quarter of an hour at the earliest, so that a phone that asks often costs
    -- no commit each time.
    at INTEGER NOT NULL,
    -- What it held of the control feed then: number of entries and digest of their names. Whoever
    -- holds an order has done it, for a phone makes both durable together.
    control_count INTEGER,
    control_digest BLOB
) STRICT, WITHOUT ROWID;

-- Devices of which a phone showed the enrolment, since it was lost here: after a restore the
-- revocation may be lost as well. They are served again when an administrator has confirmed them.
CREATE TABLE returned (
    device BLOB NOT NULL PRIMARY KEY,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Devices with whose keys two phones write: each is asked to make new ones.
CREATE TABLE copied (
    device BLOB NOT NULL PRIMARY KEY,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Feeds of which a copy brought something while it lacked something that is held here: a phone that
-- was set back, or one of two with the same keys.
CREATE TABLE apart (
    unit TEXT NOT NULL,
    class INTEGER NOT NULL,
    -- The feed's device.
    device BLOB NOT NULL,
    -- The newest batch that was brought so: the other copy, should there be one, does not hold it.
    hash BLOB NOT NULL,
    PRIMARY KEY (unit, class, device)
) STRICT, WITHOUT ROWID;

-- The replicas that came back to a restored server, space by space.
CREATE TABLE survivor (
    unit TEXT NOT NULL,
    class INTEGER NOT NULL,
    device BLOB NOT NULL,
    -- 1 once everything that the phone held of the space is here.
    whole INTEGER NOT NULL,
    PRIMARY KEY (unit, class, device)
) STRICT, WITHOUT ROWID;

-- How far devices have come that a person ordered to wipe themselves. Ordered ones that are not here
-- have not been heard of since.
CREATE TABLE wipe (
    device BLOB NOT NULL PRIMARY KEY,
    -- 1 told, 2 all that it had is here, 3 wiped.
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 3),
    -- When that was heard.
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The records that orders of erasure name and that are gone from here. The orders stand in `control`.
CREATE TABLE erased (
    -- Subject letter and 16 bytes.
    record BLOB NOT NULL PRIMARY KEY,
    -- When it went.
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What happened that somebody in the office should know. Nothing follows from it.
CREATE TABLE event (
    -- 1, 2, … in the order in which they were noted.
    number INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    -- restored, set_back, at_risk, recovery_confirmed, device_returned, fork_seen, fork_healed,
    -- feed_stopped, device_cloned, keys_renewed, journal_lost.
    kind TEXT NOT NULL,
    -- The device that it is about, if it is about one.
    device BLOB,
    -- The space that it is about, if it is about one.
    unit TEXT,
    class INTEGER
) STRICT;

-- Ways of counting: one per plan package. A new package is counted beside the one in use, unit by
-- unit, and takes its place when all units are counted (R45).
CREATE TABLE generation (
    -- 1, 2, …
    generation INTEGER NOT NULL PRIMARY KEY,
    -- The name of the control entry that carries the package.
    package BLOB NOT NULL,
    -- The last unit that is counted, in the order of codes; empty: none, `~`: all.
    reached TEXT NOT NULL,
    -- 1: its cells are what is shown. One generation has it.
    live INTEGER NOT NULL
) STRICT;

-- What each group of linked records adds to the figures of all years, written in the transaction that
-- stores a batch. All of the figures can be made again from the records. The group is named by its
-- first record.
CREATE TABLE contribution (
    generation INTEGER NOT NULL,
    unit TEXT NOT NULL,
    -- The group's first record: subject letter and 16 bytes.
    record BLOB NOT NULL,
    -- What it adds, in the core's own encoding. Of a group that adds nothing there is no row.
    shares BLOB NOT NULL,
    PRIMARY KEY (unit, generation, record)
) STRICT, WITHOUT ROWID;

-- The sums of the contributions.
CREATE TABLE cell (
    generation INTEGER NOT NULL,
    -- The year that the period ends in.
    year INTEGER NOT NULL,
    -- The computed status that the figure is broken down by; empty for the whole.
    breakdown TEXT NOT NULL,
    -- Its value: true, false or a code; empty for the whole, and where it is not known.
    value TEXT NOT NULL,
    -- The indicator's key.
    indicator TEXT NOT NULL,
    -- The unit that the groups' records are in.
    unit TEXT NOT NULL,
    -- Who has reached it.
    numerator INTEGER NOT NULL,
    -- Of whom it is known.
    denominator INTEGER NOT NULL,
    -- Of whom it is not known: part of neither.
    unknown INTEGER NOT NULL,
    PRIMARY KEY (unit, generation, year, breakdown, value, indicator)
) STRICT, WITHOUT ROWID;

-- A year's figures of all units: the office's pages.
CREATE INDEX cell_of_year ON cell (generation, year, breakdown, unit);

-- Which records show which ID numbers, blind: an HMAC under a key outside the database. The one key
-- that leads with something else: who shows a number is asked of all units at once.
CREATE TABLE identity_number (
    -- The first 16 bytes of HMAC-SHA-256 of a valid number.
    number BLOB NOT NULL,
    unit TEXT NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (number, unit, record)
) STRICT, WITHOUT ROWID;

-- The numbers of a record.
CREATE INDEX identity_number_of_record ON identity_number (unit, record);

-- Which persons' records name which household, now or for another time: whom its edits concern.
CREATE TABLE lives_in (
    unit TEXT NOT NULL,
    -- The household's record.
    household BLOB NOT NULL,
    -- The person's record.
    person BLOB NOT NULL,
    PRIMARY KEY (unit, household, person)
) STRICT, WITHOUT ROWID;

-- The households of a record.
CREATE INDEX lives_in_of_person ON lives_in (unit, person);

-- Of which persons' records something was said about others: that they are the same person, or not,
-- or were once. Whoever stands here with somebody is counted again with her.
CREATE TABLE linked (
    unit TEXT NOT NULL,
    -- The smaller record, in which it stands.
    record BLOB NOT NULL,
    -- The one that it is about.
    other BLOB NOT NULL,
    PRIMARY KEY (unit, record, other)
) STRICT, WITHOUT ROWID;

-- The other way.
CREATE INDEX linked_of_other ON linked (unit, other);

-- Groups that somebody must settle something of: values written apart, or linked records that differ
-- in who they are.
CREATE TABLE open_conflict (
    unit TEXT NOT NULL,
    -- The group's first record.
    record BLOB NOT NULL,
    PRIMARY KEY (unit, record)
) STRICT, WITHOUT ROWID;
