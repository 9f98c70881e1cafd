-- The figures: what follows from the records for the plan's indicators, written in the transaction
-- that stores a batch. All of it can be made again from the records.

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

-- What each group of linked records adds to the figures of all years. The group is named by its
-- first record.
CREATE TABLE contribution (
    generation INTEGER NOT NULL,
    unit TEXT NOT NULL,
    -- The group's first record: subject letter and 16 bytes.
    record BLOB NOT NULL,
    -- What it adds, in the core's own encoding. Of a group that adds nothing there is no row.
    shares BLOB NOT NULL,
    PRIMARY KEY (generation, unit, record)
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
    PRIMARY KEY (generation, year, breakdown, value, indicator, unit)
) STRICT, WITHOUT ROWID;

-- Which records show which ID numbers, blind: an HMAC under a key outside the database.
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

-- Groups that somebody must settle something of: values written apart, or linked records that differ
-- in who they are.
CREATE TABLE open_conflict (
    unit TEXT NOT NULL,
    -- The group's first record.
    record BLOB NOT NULL,
    PRIMARY KEY (unit, record)
) STRICT, WITHOUT ROWID;
