//! Access tokens.
//!
//! A token belongs to one organisation. Its secret is shown once and never
//! kept: its SHA-256 is, which is enough because it is random. Half of the hash
//! finds a token, and the whole is compared in constant time.

mod scopes;
mod secret;
mod known;

use std::collections::BTreeSet;
use std::time::Instant;

use showreport_model::{OrgId, Timestamp, TokenId};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

pub(crate) use known::{Known, KnownTokens};
pub use scopes::{Scope, ScopeError, Scopes};
use secret::TokenHash;
pub use secret::TokenSecret;

use crate::database::{Stored, Sum, to_json};
use crate::error::{Doing, Error};

/// A token as it is listed: everything but the secret, which nobody keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Which one.
    pub id: TokenId,
    /// Whose.
    pub org: OrgId,
    /// What it allows.
    pub scopes: Scopes,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when; absent is for ever.
    pub expires_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
}

/// What a token opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// By which token.
    pub token: TokenId,
    /// Into which organisation.
    pub org: OrgId,
    /// To do what.
    pub scopes: Scopes,
}

const INSERT: &str = "INSERT INTO tokens (id, org, hash, scopes, created_at, expires_at, sum)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

const SELECT: &str = "SELECT id, org, scopes, created_at, expires_at, revoked_at FROM tokens
    WHERE org = ?1 OR ?1 IS NULL ORDER BY org, id";

const REVOKE: &str = "UPDATE tokens SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1
    RETURNING org";

const FORGET: &str = "DELETE FROM tokens WHERE revoked_at <= ?1 OR expires_at <= ?1";

const SELECT_EVEN_CLOSED: &str = "SELECT id, org, hash FROM tokens WHERE hash BETWEEN ?1 AND ?2";

const SELECT_BY_HANDLE: &str = "SELECT id, org, hash, scopes, created_at, expires_at, sum FROM tokens
    WHERE hash BETWEEN ?1 AND ?2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?3)";

/// The tokens come as a JSON array of their ids.
const SELECT_CLOSED: &str = "SELECT value AS id FROM json_each(?1)
    WHERE NOT EXISTS (SELECT 1 FROM tokens WHERE id = value
        AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2))";

/// Adds a token.
pub(crate) async fn insert(
    write: &mut SqliteConnection,
    token: &Token,
    secret: &TokenSecret,
) -> Result<(), Error> {
    sqlx::query(INSERT)
        .bind(token.id.to_string())
        .bind(token.org.as_str())
        .bind(secret.hash().as_bytes())
        .bind(token.scopes.to_string())
        .bind(token.created_at.as_millis())
        .bind(token.expires_at.map(Timestamp::as_millis))
        .bind(sum(token, &secret.hash()))
        .execute(write)
        .await
        .doing("create a token")?;
    Ok(())
}

/// The tokens of one organisation, or of all.
pub(crate) async fn list(
    read: impl SqliteExecutor<'_>,
    org: Option<&OrgId>,
) -> Result<Vec<Token>, Error> {
    let rows = sqlx::query(SELECT)
        .bind(org.map(OrgId::as_str))
        .fetch_all(read)
        .await
        .doing("list tokens")?;
    rows.iter().map(token).collect()
}

/// Takes a token back and gives its organisation. The first time counts.
pub(crate) async fn revoke(
    write: &mut SqliteConnection,
    id: TokenId,
    now: Timestamp,
) -> Result<OrgId, Error> {
    let row = sqlx::query(REVOKE)
        .bind(id.to_string())
        .bind(now.as_millis())
        .fetch_optional(write)
        .await
        .doing("revoke a token")?;
    let row = row.ok_or(Error::UnknownTokenId { token: id })?;
    Stored(&row).parsed("org")
}

/// Forgets tokens that have opened nothing since then. Gives how many.
pub(crate) async fn forget(
    write: &mut SqliteConnection,
    closed_by: Timestamp,
) -> Result<u64, Error> {
    let done = sqlx::query(FORGET)
        .bind(closed_by.as_millis())
        .execute(write)
        .await
        .doing("forget old tokens")?;
    Ok(done.rows_affected())
}

/// Those of these tokens that open nothing at this time: they were revoked, or have expired.
pub(crate) async fn closed(
    read: &mut SqliteConnection,
    tokens: &BTreeSet<TokenId>,
    now: Timestamp,
) -> Result<BTreeSet<TokenId>, Error> {
    let rows = sqlx::query(SELECT_CLOSED)
        .bind(to_json(tokens))
        .bind(now.as_millis())
        .fetch_all(read)
        .await
        .doing("look for revoked tokens")?;
    rows.iter().map(|row| Stored(row).parsed("id")).collect()
}

/// What the secret opens at this time: as it is known, or else as it is found.
pub(crate) async fn find(
    read: impl SqliteExecutor<'_>,
    known: &KnownTokens,
    secret: &str,
    now: Timestamp,
) -> Result<Access, Error> {
    let hash = TokenSecret::parse(secret)
        .ok_or(Error::UnknownToken)?
        .hash();
    if let Some(access) = known.find(&hash, now) {
        return Ok(access);
    }
    let asked = Instant::now();
    let _turn = known.turn(&hash).await;
    // Whoever had the turn before may have looked for the same.
    if let Some(access) = known.find_looked_up_since(&hash, now, asked) {
        return Ok(access);
    }
    let found = look_up(read, hash, now).await.inspect_err(|error| {
        if matches!(error, Error::UnknownToken) {
            known.forget(&hash);
        }
    })?;
    let access = found.access.clone();
    known.remember(found);
    Ok(access)
}

/// The token of a secret that opens nothing, and its organisation: one that was revoked or has expired.
pub(crate) async fn find_closed(
    read: impl SqliteExecutor<'_>,
    secret: &str,
) -> Result<Option<(TokenId, OrgId)>, Error> {
    let Some(secret) = TokenSecret::parse(secret) else {
        return Ok(None);
    };
    let hash = secret.hash();
    let (least, greatest) = hash.handle().range();
    let row = sqlx::query(SELECT_EVEN_CLOSED)
        .bind(least.as_bytes())
        .bind(greatest.as_bytes())
        .fetch_optional(read)
        .await
        .doing("look up a token")?;
    let Some(row) = row else { return Ok(None) };
    let row = Stored(&row);
    let kept: Vec<u8> = row.plain("hash")?;
    if TokenHash::from_bytes(&kept) != Some(hash) {
        return Ok(None);
    }
    Ok(Some((row.parsed("id")?, row.parsed("org")?)))
}

/// What the database has of an open token.
async fn look_up(
    read: impl SqliteExecutor<'_>,
    hash: TokenHash,
    now: Timestamp,
) -> Result<Known, Error> {
    let since = Instant::now();
    let (least, greatest) = hash.handle().range();
    let row = sqlx::query(SELECT_BY_HANDLE)
        .bind(least.as_bytes())
        .bind(greatest.as_bytes())
        .bind(now.as_millis())
        .fetch_optional(read)
        .await
        .doing("look up a token")?;
    let row = row.ok_or(Error::UnknownToken)?;
    let row = Stored(&row);
    let kept: Vec<u8> = row.plain("hash")?;
    if TokenHash::from_bytes(&kept) != Some(hash) {
        return Err(Error::UnknownToken);
    }
    let token = Token {
        id: row.parsed("id")?,
        org: row.parsed("org")?,
        scopes: row.parsed("scopes")?,
        created_at: row.time("created_at")?,
        expires_at: row.time_if_any("expires_at")?,
        revoked_at: None,
    };
    row.check("tokens", sum(&token, &hash))?;
    Ok(Known {
        hash,
        access: Access {
            token: token.id,
            org: token.org,
            scopes: token.scopes,
        },
        expires_at: token.expires_at,
        since,
    })
}

/// Over what a token opens, and by which secret. That it was revoked is written later.
fn sum(token: &Token, hash: &TokenHash) -> i64 {
    let hash = hash
        .as_bytes()
        .iter()
        .fold(Sum::of("tokens"), |sum, &byte| sum.number(byte.into()));
    hash.text(&token.id.to_string())
        .text(token.org.as_str())
        .text(&token.scopes.to_string())
        .number(token.created_at.as_millis())
        .number_if_any(token.expires_at.map(Timestamp::as_millis))
        .finish()
}

fn token(row: &SqliteRow) -> Result<Token, Error> {
    let row = Stored(row);
    Ok(Token {
        id: row.parsed("id")?,
        org: row.parsed("org")?,
        scopes: row.parsed("scopes")?,
        created_at: row.time("created_at")?,
        expires_at: row.time_if_any("expires_at")?,
        revoked_at: row.time_if_any("revoked_at")?,
    })
}
