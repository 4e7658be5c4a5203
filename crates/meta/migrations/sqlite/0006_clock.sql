-- The latest time of a transaction, by the clock; null until the first one after this migration.
ALTER TABLE ledger ADD COLUMN committed_at INTEGER;

-- Whether the clock is in doubt. While it is, nothing is deleted or published.
CREATE TABLE clock (
    id            INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    -- The clock is in doubt from this time until the other, by itself.
    doubted_from  INTEGER NOT NULL,
    doubted_until INTEGER NOT NULL,
    -- How often an operator has said that the clock is right.
    confirmations INTEGER NOT NULL,
    sum           INTEGER NOT NULL
) STRICT;
