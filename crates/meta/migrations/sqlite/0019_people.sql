-- People who sign in, and sessions.

CREATE TABLE people (
    id              TEXT    NOT NULL PRIMARY KEY,
    org             TEXT    NOT NULL REFERENCES orgs (org),
    -- In lower case. An address may be in several organisations, with a password in each.
    email           TEXT    NOT NULL,
    role            TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    -- Argon2id in PHC format. Null until the first invitation was accepted.
    password        TEXT,
    -- Of the invitation that can be accepted: SHA-256 of its secret, and its end.
    invitation      BLOB    UNIQUE,
    invited_until   INTEGER,
    sum             INTEGER NOT NULL,
    UNIQUE (org, email)
) STRICT;
CREATE INDEX people_by_email ON people (email);

-- What the secret of the row opens: `token` an API token, `session` a session of the dashboard,
-- `sign_in` a link that signs in once. The columns below are null for an API token.
ALTER TABLE tokens ADD COLUMN kind TEXT NOT NULL DEFAULT 'token';
-- The token or the person that a session acts for. It ends with them.
ALTER TABLE tokens ADD COLUMN parent TEXT REFERENCES tokens (id) ON DELETE CASCADE;
ALTER TABLE tokens ADD COLUMN person TEXT REFERENCES people (id) ON DELETE CASCADE;
-- When a session was last used, give or take a few minutes. No part of `sum`.
ALTER TABLE tokens ADD COLUMN used_at INTEGER;
CREATE INDEX tokens_by_parent ON tokens (parent) WHERE parent IS NOT NULL;
CREATE INDEX tokens_by_person ON tokens (person) WHERE person IS NOT NULL;
