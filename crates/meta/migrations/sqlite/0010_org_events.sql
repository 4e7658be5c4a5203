-- How many events each organisation has: to count them takes longer the more there are.

CREATE TABLE org_events (
    org TEXT PRIMARY KEY,
    events INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO org_events (org, events) SELECT org, count(*) FROM events GROUP BY org;

CREATE TRIGGER events_are_counted AFTER INSERT ON events BEGIN
    INSERT INTO org_events (org, events) VALUES (new.org, 1)
        ON CONFLICT (org) DO UPDATE SET events = events + 1;
END;
