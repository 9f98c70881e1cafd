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
