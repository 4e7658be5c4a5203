-- Whether the claim of a job was renewed. A server that ends sooner was not ended by the job.
ALTER TABLE jobs ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
