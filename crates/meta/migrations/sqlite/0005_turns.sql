-- Organisations take turns in the queue of jobs.

-- The organisation that a job is for.
ALTER TABLE jobs ADD COLUMN org TEXT NOT NULL DEFAULT '';
-- When the job was added.
ALTER TABLE jobs ADD COLUMN queued_at INTEGER NOT NULL DEFAULT 0;
-- The process that claimed the job last, until the job is put back.
ALTER TABLE jobs ADD COLUMN claimed_by TEXT;
UPDATE jobs SET queued_at = due_at, org = coalesce(
    CASE name
        WHEN 'make_report' THEN (SELECT org FROM reports WHERE reports.id = payload)
        WHEN 'make_bulk_report' THEN
            (SELECT org FROM standing_orders WHERE standing_orders.id = payload ->> 'order')
    END, '');
CREATE INDEX jobs_by_org ON jobs (org, name, due_at, id);
CREATE INDEX jobs_by_claim ON jobs (claimed_by, org, due_at) WHERE claimed_by IS NOT NULL;

-- A row an organisation and kind of job that was ever queued.
CREATE TABLE job_turns (
    org    TEXT    NOT NULL,
    name   TEXT    NOT NULL,
    -- Grows with each claim of any: the least number was claimed longest ago.
    number INTEGER NOT NULL,
    PRIMARY KEY (org, name)
) STRICT, WITHOUT ROWID;
INSERT INTO job_turns SELECT DISTINCT org, name, 0 FROM jobs;
