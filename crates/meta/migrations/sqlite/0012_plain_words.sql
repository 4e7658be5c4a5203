-- One word for one thing: what the API calls a job is a report job, a day or an event whose facts
-- changed is dirty.

ALTER TABLE standing_orders RENAME TO report_jobs;
DROP INDEX standing_orders_in_force;
CREATE UNIQUE INDEX report_jobs_in_force ON report_jobs (org, report_type)
    WHERE ended_at IS NULL;
DROP INDEX standing_orders_by_org;
CREATE INDEX report_jobs_by_org ON report_jobs (org, created_at, id);
ALTER TABLE bulk_reports RENAME COLUMN standing_order TO report_job;

ALTER TABLE due_days RENAME TO dirty_days;
ALTER TABLE dirty_days RENAME COLUMN standing_order TO report_job;

ALTER TABLE touched_events RENAME TO dirty_events;
ALTER TABLE dirty_events RENAME COLUMN touched_at TO dirty_since;

ALTER TABLE journal RENAME COLUMN touched TO events;
