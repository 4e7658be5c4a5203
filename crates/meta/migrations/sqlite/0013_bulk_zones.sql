-- The zone whose day a bulk report is about. It is not known of those that were made before.

ALTER TABLE bulk_reports ADD COLUMN zone TEXT;
