-- What the log of each table of the lake says of the version that counts. A version that was
-- made before there was this table has no row, and its entry is not compared.
CREATE TABLE head_entries (
    lake_table TEXT    NOT NULL PRIMARY KEY,
    version    INTEGER NOT NULL,
    -- SHA-256 of the entry.
    sha256     BLOB    NOT NULL CHECK (length(sha256) = 32),
    sum        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
