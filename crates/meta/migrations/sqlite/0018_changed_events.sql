-- When the facts or the record of an event changed last. It grows with each commit that has any of
-- them, so it names the state of the event's facts. Like the span in which the event was watched,
-- it is no part of `sum`: it is written at other times than the record.
ALTER TABLE events ADD COLUMN changed_at INTEGER NOT NULL DEFAULT 946684800000;
-- No event has changed since the last transaction.
UPDATE events SET changed_at =
    coalesce((SELECT committed_at FROM ledger WHERE id = 1), 946684800000);

-- The newest instant that a fact of the event is about; null if there is none, or if the facts were
-- collected by a version that did not note it.
ALTER TABLE events ADD COLUMN newest_at INTEGER;

-- The orders in which events are listed.
CREATE INDEX events_by_start ON events (org, starts_at DESC, event_id);
CREATE INDEX events_by_title ON events (org, title COLLATE NOCASE, event_id);
