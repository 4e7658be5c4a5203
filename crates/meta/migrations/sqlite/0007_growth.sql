-- Keys that sign links. The newest whose time has come signs; one before it opens what it
-- signed until the links of its time have ended.
CREATE TABLE link_keys (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    key        BLOB    NOT NULL CHECK (length(key) = 32),
    -- Every process has read the key by then.
    signs_from INTEGER NOT NULL
) STRICT;
INSERT INTO link_keys (key, signs_from) SELECT key, 946684800000 FROM signing_keys;
DROP TABLE signing_keys;

-- Reports without a file, by the time at which they ended: what is old of them is forgotten.
CREATE INDEX reports_by_end ON reports (finished_at) WHERE file IS NULL;
