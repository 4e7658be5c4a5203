-- Whether requests of players need viewer tokens. A part of `sum` if it is not 0, so that rows of
-- before keep their checksum.
ALTER TABLE orgs ADD COLUMN require_viewer_tokens INTEGER NOT NULL DEFAULT 0;

-- The secret itself, of tokens with the scope `viewer` only: it is the key of the signatures that
-- are verified. A part of `sum` if there is one.
ALTER TABLE tokens ADD COLUMN secret TEXT;
CREATE INDEX tokens_that_sign ON tokens (org) WHERE secret IS NOT NULL;
