-- Batches of revoked devices that don't count by themselves: beside the cut of the revocation and not
-- accepted. A cache: it follows from the batches and the control feed.
CREATE TABLE uncounted (
    space TEXT NOT NULL,
    -- The batch.
    hash BLOB NOT NULL,
    -- The device that signed it.
    device BLOB NOT NULL,
    -- pending until the office decides, then refused; an accepted one is not here.
    standing TEXT NOT NULL CHECK (standing IN ('pending', 'refused')),
    PRIMARY KEY (space, hash),
    FOREIGN KEY (space, hash) REFERENCES batch (space, hash)
) STRICT, WITHOUT ROWID;

-- Of one device's feed.
CREATE INDEX uncounted_of_feed ON uncounted (space, device);

-- How far devices have come that a person ordered to wipe themselves. Ordered ones that are not here
-- have not been heard of since.
CREATE TABLE wipe (
    device BLOB NOT NULL PRIMARY KEY,
    -- 1 told, 2 all that it had is here, 3 wiped.
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 3),
    -- When that was heard, Unix seconds.
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
