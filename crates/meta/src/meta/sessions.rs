//! Sessions of the dashboard: rows of the table of tokens, with secrets of the same form.
//!
//! A session acts for an API token or for a person. Each lookup reads that row too, so a session
//! ends with it and has its present role, within a second as tokens do.

use std::time::Instant;

use showreport_model::time::MILLIS_PER_DAY;
use showreport_model::{OrgId, PersonId, Timestamp, TokenId};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

use super::roles::Role;
use super::tokens::{FoundToken, TokenCache, TokenHash, TokenSecret};
use super::{Meta, people, tokens};
use crate::database::{Stored, Sum};
use crate::error::{Doing, Error};

/// How long a session lasts at most.
pub const SESSION_LIFETIME_MS: i64 = 30 * MILLIS_PER_DAY;

/// How long a session lasts without a request.
const SESSION_IDLE_MS: i64 = MILLIS_PER_DAY / 2;

/// A request notes that its session is used if the last note is older. Every note is a commit.
const NOTE_AFTER_MS: i64 = 5 * 60_000;

/// Sessions of one token or person. A new one beyond ends the oldest.
const SESSIONS_MAX: u32 = 50;

/// A session that is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id: TokenId,
    pub org: OrgId,
    pub role: Role,
    pub owner: SessionOwner,
}

/// What a session acts for. The session ends with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionOwner {
    Token(TokenId),
    Person(PersonId),
}

impl SessionOwner {
    /// The columns `parent` and `person`, of which one is null.
    fn columns(self) -> (Option<String>, Option<String>) {
        match self {
            Self::Token(token) => (Some(token.to_string()), None),
            Self::Person(person) => (None, Some(person.to_string())),
        }
    }
}

/// [`Session`]s that were looked up less than a second ago.
pub(super) type SessionCache = TokenCache<Session>;

/// A row of a session.
struct StoredSession {
    id: TokenId,
    org: OrgId,
    created_at: Timestamp,
    expires_at: Timestamp,
    owner: SessionOwner,
}

const INSERT: &str = "INSERT INTO tokens
    (id, org, hash, scopes, created_at, expires_at, kind, parent, person, used_at, sum)
    VALUES ($1, $2, $3, '', $4, $5, 'session', $6, $7, $4, $8)";

const SELECT_VALID_BY_HANDLE: &str =
    "SELECT id, org, hash, created_at, expires_at, parent, person, used_at, sum FROM tokens
    WHERE hash BETWEEN $1 AND $2 AND kind = 'session' AND revoked_at IS NULL
        AND expires_at > $3 AND used_at > $4";

const NOTE_USE: &str = "UPDATE tokens SET used_at = $2
    WHERE id = $1 AND kind = 'session' AND used_at < $2";

const DELETE: &str = "DELETE FROM tokens WHERE id = $1 AND kind = 'session'";

/// All sessions of a token or a person but the newest `$4`, and but `$3`.
const DELETE_OF: &str = "DELETE FROM tokens
    WHERE (parent = $1 OR person = $2) AND kind = 'session' AND id IS NOT $3
        AND id NOT IN (SELECT id FROM tokens
            WHERE (parent = $1 OR person = $2) AND kind = 'session' ORDER BY id DESC LIMIT $4)";

const DELETE_ENDED: &str =
    "DELETE FROM tokens WHERE kind <> 'token' AND (expires_at <= $1 OR used_at <= $2)";

impl Meta {
    /// Begins a session of the API token with this secret. Returns the session with its secret.
    pub async fn sign_in_by_token(&self, secret: &str) -> Result<(Session, TokenSecret), Error> {
        let access = self.authenticate(secret).await?;
        let role = Role::of_scopes(&access.scopes).ok_or(Error::NoRole)?;
        let owner = SessionOwner::Token(access.token);
        self.begin_session(access.org, role, owner).await
    }

    pub(super) async fn begin_session(
        &self,
        org: OrgId,
        role: Role,
        owner: SessionOwner,
    ) -> Result<(Session, TokenSecret), Error> {
        let created_at = self.now();
        let row = StoredSession {
            id: TokenId::generate(),
            org,
            created_at,
            expires_at: created_at.saturating_add_millis(SESSION_LIFETIME_MS),
            owner,
        };
        let secret = TokenSecret::generate()?;
        self.database()
            .write(async |tx| {
                insert(tx, &row, &secret.hash()).await?;
                delete(tx, owner, None, SESSIONS_MAX).await
            })
            .await?;
        let StoredSession { id, org, .. } = row;
        let session = Session {
            id,
            org,
            role,
            owner,
        };
        Ok((session, secret))
    }

    /// The session with this secret.
    pub async fn session(&self, secret: &str) -> Result<Session, Error> {
        let now = self.now();
        let secret = TokenSecret::parse(secret).ok_or(Error::SessionEnded)?;
        let hash = secret.hash();
        let look_up = async || self.look_up_session(hash, now).await;
        self.shared.sessions.get(&hash, now, look_up).await
    }

    async fn look_up_session(
        &self,
        hash: TokenHash,
        now: Timestamp,
    ) -> Result<FoundToken<Session>, Error> {
        let looked_up_at = Instant::now();
        let (row, used_at) = find(self.readers(), &hash, now).await?;
        let (role, owner_expires_at) = self.read_owner(row.owner, now).await?;
        let used_at = self.note_use(row.id, used_at, now).await;
        let ends = [
            Some(row.expires_at),
            Some(used_at.saturating_add_millis(SESSION_IDLE_MS)),
            owner_expires_at,
        ];
        Ok(FoundToken {
            hash,
            access: Session {
                id: row.id,
                org: row.org,
                role,
                owner: row.owner,
            },
            expires_at: ends.into_iter().flatten().min(),
            looked_up_at,
        })
    }

    /// The present role of an owner, and its end.
    async fn read_owner(
        &self,
        owner: SessionOwner,
        now: Timestamp,
    ) -> Result<(Role, Option<Timestamp>), Error> {
        match owner {
            SessionOwner::Token(token) => {
                let token = tokens::find_valid(self.readers(), token, now).await?;
                let token = token.ok_or(Error::SessionEnded)?;
                let role = Role::of_scopes(&token.scopes).ok_or(Error::SessionEnded)?;
                Ok((role, token.expires_at))
            }
            SessionOwner::Person(person) => {
                let person = people::find(self.readers(), person).await?;
                Ok((person.ok_or(Error::SessionEnded)?.role, None))
            }
        }
    }

    /// Notes that a session is used, if the last note is old. Returns the time of the last note.
    async fn note_use(&self, id: TokenId, used_at: Timestamp, now: Timestamp) -> Timestamp {
        if now < used_at.saturating_add_millis(NOTE_AFTER_MS) {
            return used_at;
        }
        let noted = self.database().write(async |tx| {
            let done = sqlx::query(NOTE_USE)
                .bind(id.to_string())
                .bind(now.as_millis())
                .execute(&mut **tx);
            done.await.doing("note the use of a session")?;
            Ok(())
        });
        match noted.await {
            Ok(()) => now,
            Err(error) => {
                // The session is valid all the same; it may end early.
                tracing::warn!(%error, "cannot note the use of a session");
                used_at
            }
        }
    }

    /// Ends all sessions of a token or a person of an organisation: at once in this process, within
    /// a second in others.
    pub async fn end_sessions_of(&self, owner: SessionOwner) -> Result<(), Error> {
        let meta = self.clone();
        self.database()
            .write_protected(async |tx| {
                delete_of(tx, owner, None).await?;
                tx.after_commit(move || meta.shared.sessions.clear());
                Ok(())
            })
            .await
    }

    /// Ends a session: at once in this process, within a second in others.
    pub async fn end_session(&self, id: TokenId) -> Result<(), Error> {
        let meta = self.clone();
        self.database()
            .write_protected(async |tx| {
                let done = sqlx::query(DELETE).bind(id.to_string()).execute(&mut **tx);
                done.await.doing("end a session")?;
                tx.after_commit(move || meta.shared.sessions.clear());
                Ok(())
            })
            .await
    }
}

/// Ends the sessions of an owner, but one.
pub(super) async fn delete_of(
    tx: &mut SqliteConnection,
    owner: SessionOwner,
    except: Option<TokenId>,
) -> Result<(), Error> {
    delete(tx, owner, except, 0).await
}

/// Deletes sessions, and links for signing in, that have expired. Returns their number.
pub(super) async fn delete_ended(tx: &mut SqliteConnection, now: Timestamp) -> Result<u64, Error> {
    let idle_since = now.saturating_add_millis(-SESSION_IDLE_MS);
    let done = sqlx::query(DELETE_ENDED)
        .bind(now.as_millis())
        .bind(idle_since.as_millis())
        .execute(tx)
        .await
        .doing("delete old sessions")?;
    Ok(done.rows_affected())
}

async fn insert(
    tx: &mut SqliteConnection,
    session: &StoredSession,
    hash: &TokenHash,
) -> Result<(), Error> {
    let (parent, person) = session.owner.columns();
    sqlx::query(INSERT)
        .bind(session.id.to_string())
        .bind(session.org.as_str())
        .bind(hash.as_bytes())
        .bind(session.created_at.as_millis())
        .bind(session.expires_at.as_millis())
        .bind(parent)
        .bind(person)
        .bind(sum(session, hash))
        .execute(tx)
        .await
        .doing("begin a session")?;
    Ok(())
}

/// Ends the sessions of an owner, but the newest `newest` and `except`.
async fn delete(
    tx: &mut SqliteConnection,
    owner: SessionOwner,
    except: Option<TokenId>,
    newest: u32,
) -> Result<(), Error> {
    let (parent, person) = owner.columns();
    sqlx::query(DELETE_OF)
        .bind(parent)
        .bind(person)
        .bind(except.map(|id| id.to_string()))
        .bind(newest)
        .execute(tx)
        .await
        .doing("end sessions")?;
    Ok(())
}

/// A session that has neither ended nor expired, and the last note of its use.
async fn find(
    read: impl SqliteExecutor<'_>,
    hash: &TokenHash,
    now: Timestamp,
) -> Result<(StoredSession, Timestamp), Error> {
    let (least, greatest) = hash.handle().range();
    let row = sqlx::query(SELECT_VALID_BY_HANDLE)
        .bind(least.as_bytes())
        .bind(greatest.as_bytes())
        .bind(now.as_millis())
        .bind(now.saturating_add_millis(-SESSION_IDLE_MS).as_millis())
        .fetch_optional(read)
        .await
        .doing("look up a session")?;
    let row = row.ok_or(Error::SessionEnded)?;
    let stored: Vec<u8> = Stored(&row).plain("hash")?;
    if TokenHash::from_bytes(&stored) != Some(*hash) {
        return Err(Error::SessionEnded);
    }
    let session = session_of(&row)?;
    let row = Stored(&row);
    row.check("tokens", sum(&session, hash))?;
    Ok((session, row.time("used_at")?))
}

fn session_of(row: &SqliteRow) -> Result<StoredSession, Error> {
    let row = Stored(row);
    let owner = match row.plain::<Option<String>>("parent")? {
        Some(_) => SessionOwner::Token(row.parsed("parent")?),
        None => SessionOwner::Person(row.parsed("person")?),
    };
    Ok(StoredSession {
        id: row.parsed("id")?,
        org: row.parsed("org")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
        owner,
    })
}

/// Begins with a text of its own, so that no other row of the table has the checksum of a session.
fn sum(session: &StoredSession, hash: &TokenHash) -> i64 {
    let (parent, person) = session.owner.columns();
    Sum::of("sessions")
        .bytes(hash.as_bytes())
        .text(&session.id.to_string())
        .text(session.org.as_str())
        .number(session.created_at.as_millis())
        .number(session.expires_at.as_millis())
        .text_if_any(parent.as_deref())
        .text_if_any(person.as_deref())
        .finish()
}

#[cfg(test)]
mod tests;
