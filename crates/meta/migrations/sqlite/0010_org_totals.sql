-- What each organisation has in all: to count it takes longer the more there is.

CREATE TABLE org_totals (
    org TEXT PRIMARY KEY,
    events INTEGER NOT NULL,
    -- Records that were accepted, from this version on.
    records INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO org_totals (org, events, records) SELECT org, count(*), 0 FROM events GROUP BY org;

CREATE TRIGGER events_are_counted AFTER INSERT ON events BEGIN
    INSERT INTO org_totals (org, events, records) VALUES (new.org, 1, 0)
        ON CONFLICT (org) DO UPDATE SET events = events + 1;
END;
