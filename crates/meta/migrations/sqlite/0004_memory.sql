-- Between which instants an event was watched, as whole hours, so that it is known when a report is
-- ordered how many buckets of time that can be. Absent for what was collected before; not a part of
-- `sum`, since it changes with every hour that is watched and enters no figure.
ALTER TABLE events ADD COLUMN watched_from INTEGER;
ALTER TABLE events ADD COLUMN watched_to INTEGER;

-- How many of those who claimed the job never came back.
ALTER TABLE jobs ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;
