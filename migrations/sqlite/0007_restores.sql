-- Restores: how much of the database stands elsewhere too, what happened that the office should know,
-- and who comes back to a restored server.

-- The newest arrival of the space that the journal holds; 0 if none.
ALTER TABLE space ADD COLUMN journaled INTEGER NOT NULL DEFAULT 0;

-- The newest arrival of the space that a verified backup holds; 0 if none.
ALTER TABLE space ADD COLUMN backed_up INTEGER NOT NULL DEFAULT 0;

-- The few spaces of which the journal lacks something; asked for before every commit.
CREATE INDEX space_unjournaled ON space (space) WHERE journaled < counter;

-- What happened that somebody in the office should know. Nothing follows from it.
CREATE TABLE event (
    -- 1, 2, … in the order in which they were noted.
    number INTEGER NOT NULL PRIMARY KEY,
    -- Unix seconds by the server's clock.
    at INTEGER NOT NULL,
    -- restored, at_risk, recovery_confirmed, device_returned, fork_seen, fork_healed, device_cloned,
    -- keys_renewed.
    kind TEXT NOT NULL,
    -- The device that it is about (8 bytes), if it is about one.
    device BLOB,
    -- The space that it is about, if it is about one.
    space TEXT
) STRICT;

-- Devices of which a phone showed the enrolment, since it was lost here: after a restore the
-- revocation may be lost as well. They are served again when an administrator has confirmed them.
CREATE TABLE returned (
    -- The first 8 bytes of SHA-256 of the signing key.
    device BLOB NOT NULL PRIMARY KEY,
    -- Unix seconds by the server's clock.
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The replicas that came back to a restored server, space by space.
CREATE TABLE survivor (
    space TEXT NOT NULL,
    device BLOB NOT NULL,
    -- 1 once everything that the phone held of the space is here.
    whole INTEGER NOT NULL,
    PRIMARY KEY (space, device)
) STRICT, WITHOUT ROWID;

-- Feeds of which a copy brought something while it lacked something that is held here: a phone that
-- was set back, or one of two with the same keys.
CREATE TABLE apart (
    space TEXT NOT NULL,
    -- The feed's device.
    device BLOB NOT NULL,
    -- The newest batch that was brought so: the other copy, should there be one, does not hold it.
    hash BLOB NOT NULL,
    PRIMARY KEY (space, device)
) STRICT, WITHOUT ROWID;

-- Devices with whose keys two phones write: each is asked to make new ones.
CREATE TABLE copied (
    -- The first 8 bytes of SHA-256 of the signing key.
    device BLOB NOT NULL PRIMARY KEY,
    -- Unix seconds by the server's clock.
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
