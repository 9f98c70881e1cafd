-- How fresh the data is: when each device was last heard of, and when something last came in. For the
-- office's eyes; nothing follows from it.

-- When a device last exchanged.
CREATE TABLE contact (
    -- The first 8 bytes of SHA-256 of the signing key.
    device BLOB NOT NULL PRIMARY KEY,
    -- Unix seconds by the server's clock; written again after a quarter of an hour at the earliest,
    -- so that a phone that asks often costs no commit each time.
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- When a batch last came into the space, Unix seconds by the server's clock; null if none has since
-- this is noted.
ALTER TABLE space ADD COLUMN moved INTEGER;
