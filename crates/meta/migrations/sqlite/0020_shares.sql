-- Links that show one event to whoever has them.
CREATE TABLE shares (
    id         TEXT    NOT NULL PRIMARY KEY,
    org        TEXT    NOT NULL,
    event_id   TEXT    NOT NULL,
    -- SHA-256 of the secret in the link. The secret itself is never stored.
    hash       BLOB    NOT NULL UNIQUE,
    -- Whether names and ids of people are shown, live figures, and files of reports.
    people     INTEGER NOT NULL,
    live       INTEGER NOT NULL,
    downloads  INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    sum        INTEGER NOT NULL,
    FOREIGN KEY (org, event_id) REFERENCES events (org, event_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX shares_by_event ON shares (org, event_id, id);
