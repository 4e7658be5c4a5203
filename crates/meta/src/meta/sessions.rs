//! Sessions of the dashboard: rows of the table of tokens, with secrets of the same form.
//!
//! A session acts for an API token. Each lookup reads that token too, so a session ends with it,
//! and within a second as tokens do.

use std::time::Instant;

use showreport_model::time::MILLIS_PER_DAY;
use showreport_model::{OrgId, Timestamp, TokenId};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

use super::roles::Role;
use super::tokens::{FoundToken, TokenCache, TokenHash, TokenSecret};
use super::{Meta, tokens};
use crate::database::{Stored, Sum};
use crate::error::{Doing, Error};

/// How long a session lasts at most.
pub const SESSION_LIFETIME_MS: i64 = 30 * MILLIS_PER_DAY;

/// How long a session lasts without a request.
pub const SESSION_IDLE_MS: i64 = MILLIS_PER_DAY / 2;

/// A request notes that its session is used if the last note is older. Every note is a commit.
const NOTE_AFTER_MS: i64 = 5 * 60_000;

/// Sessions of one token. A new one beyond ends the oldest.
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
    (id, org, hash, scopes, created_at, expires_at, kind, parent, used_at, sum)
    VALUES ($1, $2, $3, '', $4, $5, 'session', $6, $4, $7)";

const SELECT_VALID_BY_HANDLE: &str =
    "SELECT id, org, hash, created_at, expires_at, parent, used_at, sum FROM tokens
    WHERE hash BETWEEN $1 AND $2 AND kind = 'session' AND revoked_at IS NULL
        AND expires_at > $3 AND used_at > $4";

const NOTE_USE: &str = "UPDATE tokens SET used_at = $2
    WHERE id = $1 AND kind = 'session' AND used_at < $2";

const DELETE: &str = "DELETE FROM tokens WHERE id = $1 AND kind = 'session'";

const DELETE_OLDEST_OF_TOKEN: &str = "DELETE FROM tokens WHERE parent = $1 AND kind = 'session'
    AND id NOT IN (SELECT id FROM tokens WHERE parent = $1 AND kind = 'session'
        ORDER BY id DESC LIMIT $2)";

const DELETE_ENDED: &str =
    "DELETE FROM tokens WHERE kind = 'session' AND (expires_at <= $1 OR used_at <= $2)";

impl Meta {
    /// Begins a session of the API token with this secret. Returns the session with its secret.
    pub async fn sign_in_by_token(&self, secret: &str) -> Result<(Session, TokenSecret), Error> {
        let access = self.authenticate(secret).await?;
        let role = Role::of_scopes(&access.scopes).ok_or(Error::NoRole)?;
        let owner = SessionOwner::Token(access.token);
        self.begin_session(access.org, role, owner).await
    }

    async fn begin_session(
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
                delete_oldest(tx, owner).await
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
        let SessionOwner::Token(token) = row.owner;
        let token = tokens::find_valid(self.readers(), token, now).await?;
        let token = token.ok_or(Error::SessionEnded)?;
        let role = Role::of_scopes(&token.scopes).ok_or(Error::SessionEnded)?;
        let used_at = self.note_use(row.id, used_at, now).await;
        let ends = [
            Some(row.expires_at),
            Some(used_at.saturating_add_millis(SESSION_IDLE_MS)),
            token.expires_at,
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

/// Deletes sessions that have expired. Returns their number.
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
    let SessionOwner::Token(token) = session.owner;
    sqlx::query(INSERT)
        .bind(session.id.to_string())
        .bind(session.org.as_str())
        .bind(hash.as_bytes())
        .bind(session.created_at.as_millis())
        .bind(session.expires_at.as_millis())
        .bind(token.to_string())
        .bind(sum(session, hash))
        .execute(tx)
        .await
        .doing("begin a session")?;
    Ok(())
}

async fn delete_oldest(tx: &mut SqliteConnection, owner: SessionOwner) -> Result<(), Error> {
    let SessionOwner::Token(token) = owner;
    sqlx::query(DELETE_OLDEST_OF_TOKEN)
        .bind(token.to_string())
        .bind(SESSIONS_MAX)
        .execute(tx)
        .await
        .doing("end the oldest sessions")?;
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
    Ok(StoredSession {
        id: row.parsed("id")?,
        org: row.parsed("org")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
        owner: SessionOwner::Token(row.parsed("parent")?),
    })
}

/// Begins with a text of its own, so that no other row of the table has the checksum of a session.
fn sum(session: &StoredSession, hash: &TokenHash) -> i64 {
    let bytes = hash.as_bytes().iter();
    let sum = bytes.fold(Sum::of("sessions"), |sum, &byte| sum.number(byte.into()));
    let SessionOwner::Token(token) = session.owner;
    sum.text(&session.id.to_string())
        .text(session.org.as_str())
        .number(session.created_at.as_millis())
        .number(session.expires_at.as_millis())
        .text_if_any(Some(&token.to_string()))
        .text_if_any(None)
        .finish()
}

#[cfg(test)]
mod tests;
