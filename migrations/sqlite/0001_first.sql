-- The server's store. Batches and control entries are the truth; `space`, `tip`, `touched` and
-- `record` follow from them and are written in the transaction that stores a batch.
-- Never edited after a release: a change is another file.
--
-- A space is written as `152522100200.general`; times are Unix seconds by the server's clock.

-- What there is one of.
CREATE TABLE meta (
    -- network, incarnation, nonce_key, url, or sample: there if the installation holds made-up data.
    key TEXT NOT NULL PRIMARY KEY,
    -- Its bytes; text as UTF-8.
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The control feed: root statements, enrolments, plan packages.
CREATE TABLE control (
    -- 1, 2, … in the order in which the entries came in; the highest says whether a copy in memory
    -- is current.
    arrival INTEGER NOT NULL PRIMARY KEY,
    -- SHA-256 of the signed bytes: the entry's name.
    hash BLOB NOT NULL UNIQUE,
    -- The entry as it was signed, to be sent as it is.
    bytes BLOB NOT NULL
) STRICT;

-- The spaces in which something is held.
CREATE TABLE space (
    space TEXT NOT NULL PRIMARY KEY,
    -- Number of batches that ever came in; phones remember it.
    counter INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Every batch held, as it was signed. Two batches with one (device, seq) are both kept.
CREATE TABLE batch (
    space TEXT NOT NULL,
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
    PRIMARY KEY (space, arrival),
    UNIQUE (space, hash)
) STRICT;

-- A feed above a number, and the batches with a number.
CREATE INDEX batch_of_feed ON batch (space, device, seq);

-- The few batches that came second with their number.
CREATE INDEX batch_branch ON batch (space, device, seq) WHERE branch = 1;

-- The ends of the branches of every feed; one per feed on a normal day.
CREATE TABLE tip (
    space TEXT NOT NULL,
    -- The feed's device.
    device BLOB NOT NULL,
    -- The batch that no other batch of the feed follows.
    hash BLOB NOT NULL,
    PRIMARY KEY (space, device, hash),
    FOREIGN KEY (space, hash) REFERENCES batch (space, hash)
) STRICT, WITHOUT ROWID;

-- Which batches change a record, so that its state can be made again without reading the space.
CREATE TABLE touched (
    space TEXT NOT NULL,
    -- The record's subject letter and 16 bytes.
    record BLOB NOT NULL,
    -- The batch.
    arrival INTEGER NOT NULL,
    PRIMARY KEY (space, record, arrival),
    FOREIGN KEY (space, arrival) REFERENCES batch (space, arrival)
) STRICT, WITHOUT ROWID;

-- What the batches make of a record. A cache: it can be made again from them at any time.
CREATE TABLE record (
    space TEXT NOT NULL,
    -- The record's subject letter and 16 bytes.
    record BLOB NOT NULL,
    -- Document, heads, view and what is set aside, in the core's own encoding.
    state BLOB NOT NULL,
    PRIMARY KEY (space, record)
) STRICT;

-- Well-signed batches that came before a parent of theirs. Outside the vector, bounded per space.
CREATE TABLE stash (
    space TEXT NOT NULL,
    hash BLOB NOT NULL,
    device BLOB NOT NULL,
    seq INTEGER NOT NULL,
    -- The parents' hashes, end to end; at least one of them is not held.
    prev BLOB NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (space, hash)
) STRICT;

-- Enrolment codes. Who reads this table can't use one.
CREATE TABLE code (
    -- SHA-256 of the code.
    hash BLOB NOT NULL PRIMARY KEY,
    -- The spaces that it gives, with blanks between.
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
    -- Ed25519 public key.
    signing_key BLOB NOT NULL,
    -- X25519 public key.
    sealing_key BLOB NOT NULL,
    -- The spaces of its codes, with blanks between.
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
