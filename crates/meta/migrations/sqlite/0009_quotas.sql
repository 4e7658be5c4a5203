-- How many files, and how many bytes of them, each organisation keeps.

-- Bytes of the file, its exact text included.
ALTER TABLE reports ADD COLUMN file_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE bulk_reports ADD COLUMN file_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE day_files ADD COLUMN file_bytes INTEGER NOT NULL DEFAULT 0;
-- Eight digits of a checksum come first.
UPDATE reports SET file_bytes = (substr(file, 9) ->> 'size_bytes')
        + coalesce(substr(file, 9) ->> 'raw_size_bytes', 0)
    WHERE json_valid(substr(file, 9));
UPDATE bulk_reports SET file_bytes = (file ->> 'size_bytes') + coalesce(file ->> 'raw_size_bytes', 0)
    WHERE json_valid(file);
UPDATE day_files SET file_bytes = (file ->> 'size_bytes') + coalesce(file ->> 'raw_size_bytes', 0)
    WHERE json_valid(file);
CREATE INDEX reports_kept ON reports (org, file_bytes)
    WHERE file IS NOT NULL OR status = 'running';
CREATE INDEX bulk_reports_by_org ON bulk_reports (org, file_bytes);
CREATE INDEX day_files_by_org ON day_files (org, file_bytes);
