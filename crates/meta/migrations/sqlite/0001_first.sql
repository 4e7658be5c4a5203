-- Times are milliseconds since 1970. Ids are text as the API shows them.
--
-- `sum` is a checksum of the row, made and compared by the program: pages of the
-- database carry none. What is written at another time than the rest is left out of it.

CREATE TABLE orgs (
    org        TEXT    NOT NULL PRIMARY KEY,
    zone       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    sum        INTEGER NOT NULL
) STRICT;

CREATE TABLE tokens (
    id         TEXT    NOT NULL PRIMARY KEY,
    org        TEXT    NOT NULL REFERENCES orgs (org),
    -- SHA-256 of the secret. The secret itself is never stored.
    hash       BLOB    NOT NULL UNIQUE,
    scopes     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    sum        INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;

CREATE TABLE signing_keys (
    id  INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    key BLOB    NOT NULL CHECK (length(key) = 32)
) STRICT;

CREATE TABLE events (
    org         TEXT NOT NULL REFERENCES orgs (org),
    event_id    TEXT NOT NULL,
    -- All of these are absent while only other records named the event.
    kind        TEXT,
    title       TEXT,
    starts_at   INTEGER,
    ends_at     INTEGER,
    duration_ms INTEGER,
    updated_at  INTEGER,
    -- The record that holds, as JSON with sorted keys: the last word between equal ones.
    record      TEXT,
    sum         INTEGER NOT NULL,
    PRIMARY KEY (org, event_id)
) STRICT, WITHOUT ROWID;

-- A row a group commit. Numbers are given without a gap and never twice, not even
-- after the row is gone: the ledger knows the last one.
CREATE TABLE journal (
    seq         INTEGER NOT NULL PRIMARY KEY,
    appended_at INTEGER NOT NULL,
    rows        INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    payload_sum INTEGER NOT NULL,
    sum         INTEGER NOT NULL,
    -- The events that it has facts of, as a JSON array of [org, event].
    touched     TEXT    NOT NULL,
    -- Last, so that the columns before it are read without it.
    payload     BLOB    NOT NULL
) STRICT;

-- What there must be: a row that vanished is missed by it.
CREATE TABLE ledger (
    id            INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    -- Transactions so far.
    commits       INTEGER NOT NULL,
    -- The rows of the journal that wait: from the first to the last, all of them.
    journal_first INTEGER NOT NULL,
    journal_last  INTEGER NOT NULL,
    journal_bytes INTEGER NOT NULL,
    -- The version of each table of the lake that counts, as a JSON object.
    heads         TEXT    NOT NULL,
    sum           INTEGER NOT NULL
) STRICT;
INSERT INTO ledger VALUES (1, 0, 1, 0, 0, '{}', 1299208796);

CREATE TABLE reports (
    -- UUIDs of version 7: in the order of their creation.
    id               TEXT    NOT NULL PRIMARY KEY,
    org              TEXT    NOT NULL REFERENCES orgs (org),
    event_id         TEXT    NOT NULL,
    -- What was asked for, as JSON.
    ordered          TEXT    NOT NULL,
    status           TEXT    NOT NULL,
    progress_percent INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    finished_at      INTEGER,
    expires_at       INTEGER,
    -- The last number of the journal at the time: what the report waits for.
    journal_last     INTEGER NOT NULL,
    -- Of the id, the order, its time and its place in the journal.
    sum              INTEGER NOT NULL,
    -- JSON each, a checksum before it: what it is made from, what was made, why nothing was made.
    pins             TEXT,
    file             TEXT,
    failure          TEXT,
    FOREIGN KEY (org, event_id) REFERENCES events (org, event_id)
) STRICT;
CREATE INDEX reports_by_org ON reports (org, id);
CREATE INDEX reports_by_event ON reports (org, event_id, id);
CREATE INDEX reports_running ON reports (id) WHERE status = 'running';
CREATE INDEX reports_by_expiry ON reports (expires_at) WHERE file IS NOT NULL;

CREATE TABLE idempotency_keys (
    org         TEXT    NOT NULL REFERENCES orgs (org),
    key         TEXT    NOT NULL,
    body_sha256 BLOB    NOT NULL,
    created_at  INTEGER NOT NULL,
    -- The ids of the reports, as a JSON array.
    reports     TEXT    NOT NULL,
    PRIMARY KEY (org, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- Unfinished work; a finished job has no row.
CREATE TABLE jobs (
    id         TEXT    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    payload    TEXT    NOT NULL,
    unique_key TEXT    NOT NULL UNIQUE,
    -- When it may next be claimed: its time to run or, while claimed, the end of the lease.
    due_at     INTEGER NOT NULL,
    attempts   INTEGER NOT NULL,
    -- Grows with each claim; what was done under an earlier number does not count.
    fence      INTEGER NOT NULL,
    last_error TEXT
) STRICT;
CREATE INDEX jobs_by_due ON jobs (due_at, id);
