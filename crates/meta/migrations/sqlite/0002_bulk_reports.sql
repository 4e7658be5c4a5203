-- An order for a report a day; what YouTube calls a job.
CREATE TABLE standing_orders (
    -- UUIDs of version 7.
    id           TEXT    NOT NULL PRIMARY KEY,
    org          TEXT    NOT NULL REFERENCES orgs (org),
    report_type  TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    -- A date of the organisation's zone, as 2026-11-22.
    first_day    TEXT    NOT NULL,
    sum          INTEGER NOT NULL,
    fetched_at   INTEGER NOT NULL,
    -- When it ends unless somebody fetches a report before; told ahead.
    ends_at      INTEGER,
    ended_at     INTEGER,
    -- When the latest of its reports was made, whether or not that is still there.
    last_made_at INTEGER
) STRICT;
CREATE UNIQUE INDEX standing_orders_in_force ON standing_orders (org, report_type)
    WHERE ended_at IS NULL;
CREATE INDEX standing_orders_by_org ON standing_orders (org, created_at, id);

-- AUTOINCREMENT: a number is never given twice, since others have noted it.
CREATE TABLE bulk_reports (
    id             INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    org            TEXT    NOT NULL,
    standing_order TEXT    NOT NULL REFERENCES standing_orders (id) ON DELETE CASCADE,
    day            TEXT    NOT NULL,
    starts_at      INTEGER NOT NULL,
    ends_at        INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    supersedes     INTEGER,
    file_id        TEXT    NOT NULL,
    file           TEXT    NOT NULL,
    sum            INTEGER NOT NULL,
    -- Lists go on after an instant, so no two are of one.
    UNIQUE (standing_order, created_at)
) STRICT;
CREATE INDEX bulk_reports_by_day ON bulk_reports (standing_order, day, id);
CREATE INDEX bulk_reports_by_expiry ON bulk_reports (expires_at);

-- Days whose file is to be made, for the first time or again.
CREATE TABLE due_days (
    standing_order TEXT    NOT NULL REFERENCES standing_orders (id) ON DELETE CASCADE,
    day            TEXT    NOT NULL,
    -- Grows whenever there is a new reason: who began before it has to begin again.
    number         INTEGER NOT NULL,
    -- Where the file will lie.
    file_id        TEXT    NOT NULL,
    -- Of the order and the day.
    sum            INTEGER NOT NULL,
    PRIMARY KEY (standing_order, day)
) STRICT, WITHOUT ROWID;

-- Events of which something was said since their days were last looked at.
-- What is being looked at is `taken`, so that what comes meanwhile is kept apart.
CREATE TABLE touched_events (
    org        TEXT    NOT NULL,
    event_id   TEXT    NOT NULL,
    taken      INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    -- The earliest instant of which something was said.
    earliest   INTEGER NOT NULL,
    touched_at INTEGER NOT NULL,
    PRIMARY KEY (org, event_id, taken)
) STRICT, WITHOUT ROWID;

-- Files that are made at a request, and had by its link only.
CREATE TABLE day_files (
    id         TEXT    NOT NULL PRIMARY KEY,
    org        TEXT    NOT NULL REFERENCES orgs (org),
    file       TEXT    NOT NULL,
    expires_at INTEGER NOT NULL,
    sum        INTEGER NOT NULL
) STRICT;
CREATE INDEX day_files_by_expiry ON day_files (expires_at);
