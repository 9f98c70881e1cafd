-- Erasure: which records the store has been cleared of, and how far each device has heard.

-- The records that orders of erasure name and that are gone from here. The orders stand in `control`.
CREATE TABLE erased (
    -- Subject letter and 16 bytes.
    record BLOB NOT NULL PRIMARY KEY,
    -- When it went, Unix seconds by the server's clock.
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What a device held of the control feed when it last exchanged: number of entries and digest of their
-- names. Whoever holds an order has done it, for a phone makes both durable together.
ALTER TABLE contact ADD COLUMN control_count INTEGER;
ALTER TABLE contact ADD COLUMN control_digest BLOB;
