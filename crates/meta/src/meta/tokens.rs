//! Access tokens.
//!
//! A token belongs to one organisation. Its secret is shown once and not stored. The database has
//! the SHA-256 of the secret, which is enough because secrets are random. Half of the hash finds a
//! token, and the whole is compared in constant time.
//!
//! A secret of the scope `viewer` is stored itself too: signatures can only be verified with it.
//!
//! The table has sessions too (`sessions`). No statement here opens a session by its secret, and
//! none there opens an API token.

mod scopes;
mod secret;
mod cache;

use std::collections::BTreeSet;
use std::time::Instant;

use showreport_model::{OrgId, Timestamp, TokenId};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

pub(super) use cache::{FoundToken, TokenCache};
pub use scopes::{Scope, ScopeError, Scopes};
pub(super) use secret::TokenHash;
pub use secret::TokenSecret;

use super::{Meta, orgs};
use crate::database::{Stored, Sum, elements, to_json};
use crate::error::{Doing, Error};

/// A token as it is listed, without the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub id: TokenId,
    pub org: OrgId,
    pub scopes: Scopes,
    pub created_at: Timestamp,
    /// `None`: it does not expire.
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

/// The rights of a request that was authenticated by a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    pub token: TokenId,
    pub org: OrgId,
    pub scopes: Scopes,
}

/// A secret that viewer tokens are signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ViewerSecret {
    pub(super) secret: TokenSecret,
    pub(super) expires_at: Option<Timestamp>,
}

/// The most valid secrets of an organisation that sign viewer tokens. A viewer token that none of
/// them signed is compared with each, so their number bounds the work of a hostile body.
const VIEWER_SECRETS_MAX: usize = 16;

const INSERT: &str = "INSERT INTO tokens
    (id, org, hash, scopes, created_at, expires_at, secret, sum)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

const SELECT: &str = "SELECT id, org, scopes, created_at, expires_at, revoked_at FROM tokens
    WHERE (org = $1 OR $1 IS NULL) AND kind = 'token' ORDER BY org, id";

const REVOKE: &str = "UPDATE tokens SET revoked_at = coalesce(revoked_at, $2)
    WHERE id = $1 AND (org = $3 OR $3 IS NULL) RETURNING org";

const DELETE_ENDED: &str = "DELETE FROM tokens WHERE revoked_at <= $1 OR expires_at <= $1";

const SELECT_BY_HANDLE: &str = "SELECT id, org, hash, scopes, revoked_at FROM tokens
    WHERE hash BETWEEN $1 AND $2 AND kind = 'token'";

const SELECT_VALID_BY_HANDLE: &str =
    "SELECT id, org, hash, scopes, created_at, expires_at, sum FROM tokens
    WHERE hash BETWEEN $1 AND $2 AND kind = 'token'
        AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3)";

const SELECT_VALID: &str =
    "SELECT id, org, hash, scopes, created_at, expires_at, revoked_at, sum FROM tokens
    WHERE id = $1 AND kind = 'token'
        AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)";

const SELECT_VIEWER_SECRETS: &str =
    "SELECT id, org, scopes, created_at, expires_at, revoked_at, secret, sum FROM tokens
    WHERE org = $1 AND secret IS NOT NULL
        AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
    ORDER BY id";

/// The tokens come as a JSON array of their ids.
const SELECT_INVALID: &str = concat!(
    "SELECT value AS id FROM ",
    elements!("$1"),
    " WHERE NOT EXISTS (SELECT 1 FROM tokens WHERE id = value
        AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2))"
);

impl Meta {
    /// Creates a token. Its secret is in the result and is not stored, except that of the scope
    /// `viewer`.
    pub async fn create_token(
        &self,
        org: &OrgId,
        scopes: Scopes,
        expires_at: Option<Timestamp>,
    ) -> Result<(TokenId, TokenSecret), Error> {
        let token = Token {
            id: TokenId::generate(),
            org: org.clone(),
            scopes,
            created_at: self.now(),
            expires_at,
            revoked_at: None,
        };
        let secret = TokenSecret::generate()?;
        let meta = self.clone();
        self.database()
            .write(async |tx| {
                orgs::zone(&mut **tx, org).await?;
                if token.scopes.is_viewer() {
                    ensure_room_for_viewer_secret(tx, &token).await?;
                    tx.after_commit(move || meta.shared.viewer_keys.clear());
                }
                insert(tx, &token, &secret).await
            })
            .await?;
        Ok((token.id, secret))
    }

    /// The tokens of one organisation, or of all, oldest first in each.
    pub async fn tokens(&self, org: Option<&OrgId>) -> Result<Vec<Token>, Error> {
        let rows = sqlx::query(SELECT)
            .bind(org.map(OrgId::as_str))
            .fetch_all(self.readers())
            .await
            .doing("list tokens")?;
        rows.iter().map(token).collect()
    }

    /// Revokes a token, or ends a session, for good: at once in this process, within a second in
    /// others. The sessions of a token end with it. Revoking it again changes nothing. Returns its
    /// organisation.
    pub async fn revoke_token(&self, id: TokenId) -> Result<OrgId, Error> {
        self.revoke(None, id).await
    }

    /// The same, if the token is one of this organisation.
    pub async fn revoke_token_of(&self, org: &OrgId, id: TokenId) -> Result<(), Error> {
        self.revoke(Some(org), id).await.map(drop)
    }

    async fn revoke(&self, org: Option<&OrgId>, id: TokenId) -> Result<OrgId, Error> {
        let meta = self.clone();
        self.database()
            .write_protected(async |tx| {
                let org = revoke(tx, org, id, self.now()).await?;
                tx.after_commit(move || {
                    meta.shared.tokens.clear();
                    meta.shared.sessions.clear();
                    meta.shared.viewer_keys.clear();
                });
                Ok(org)
            })
            .await
    }

    /// Authenticates a request by the secret that it was sent with.
    pub async fn authenticate(&self, secret: &str) -> Result<Access, Error> {
        let found = self.find_token(secret).await;
        if matches!(found, Err(Error::UnknownToken)) {
            self.log_invalid_token(secret).await?;
        }
        found
    }

    async fn find_token(&self, secret: &str) -> Result<Access, Error> {
        let now = self.now();
        let secret = TokenSecret::parse(secret).ok_or(Error::UnknownToken)?;
        let hash = secret.hash();
        let look_up = async || look_up(self.readers(), hash, now).await;
        self.shared.tokens.get(&hash, now, look_up).await
    }

    /// Whether a secret is that of a token that could collect and was revoked. Revoked tokens are
    /// kept for as long as the history; of older ones nothing is known.
    pub async fn is_revoked_collector(&self, secret: &str) -> Result<bool, Error> {
        let found = find_even_invalid(self.readers(), secret).await?;
        Ok(found.is_some_and(|token| token.is_revoked && token.scopes.allows(Scope::Collect)))
    }

    /// Logs the id of a token that was revoked or has expired, so that the operator finds the
    /// client that still sends it.
    async fn log_invalid_token(&self, secret: &str) -> Result<(), Error> {
        if let Some(token) = find_even_invalid(self.readers(), secret).await? {
            tracing::info!(
                org = %token.org,
                token.id = %token.id,
                "refused a token that was revoked or has expired"
            );
        }
        Ok(())
    }
}

async fn insert(
    tx: &mut SqliteConnection,
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
        .bind(stored_secret(token, secret))
        .bind(sum(token, &secret.hash(), stored_secret(token, secret)))
        .execute(tx)
        .await
        .doing("create a token")?;
    Ok(())
}

/// The secret, if it is stored itself.
fn stored_secret<'s>(token: &Token, secret: &'s TokenSecret) -> Option<&'s str> {
    token.scopes.is_viewer().then(|| secret.expose())
}

/// Fails if the organisation of a new token has as many viewer secrets as it may have.
async fn ensure_room_for_viewer_secret(
    tx: &mut SqliteConnection,
    token: &Token,
) -> Result<(), Error> {
    let secrets = viewer_secrets(tx, &token.org, token.created_at).await?;
    if secrets.len() >= VIEWER_SECRETS_MAX {
        return Err(Error::ViewerSecretsFull {
            max: VIEWER_SECRETS_MAX,
        });
    }
    Ok(())
}

/// Revokes a token, and returns its organisation. The time of the first revocation stays.
async fn revoke(
    tx: &mut SqliteConnection,
    org: Option<&OrgId>,
    id: TokenId,
    now: Timestamp,
) -> Result<OrgId, Error> {
    let row = sqlx::query(REVOKE)
        .bind(id.to_string())
        .bind(now.as_millis())
        .bind(org.map(OrgId::as_str))
        .fetch_optional(tx)
        .await
        .doing("revoke a token")?;
    let row = row.ok_or(Error::UnknownTokenId { token: id })?;
    Stored(&row).parsed("org")
}

/// Deletes tokens that were revoked or expired by then. Returns their number.
pub(super) async fn delete_ended(
    tx: &mut SqliteConnection,
    ended_by: Timestamp,
) -> Result<u64, Error> {
    let done = sqlx::query(DELETE_ENDED)
        .bind(ended_by.as_millis())
        .execute(tx)
        .await
        .doing("delete old tokens")?;
    Ok(done.rows_affected())
}

/// Those of these tokens that are revoked, expired or deleted.
pub(super) async fn invalid(
    read: &mut SqliteConnection,
    tokens: &BTreeSet<TokenId>,
    now: Timestamp,
) -> Result<BTreeSet<TokenId>, Error> {
    let rows = sqlx::query(SELECT_INVALID)
        .bind(to_json(tokens))
        .bind(now.as_millis())
        .fetch_all(read)
        .await
        .doing("look for revoked tokens")?;
    rows.iter().map(|row| Stored(row).parsed("id")).collect()
}

/// A token that may be invalid.
struct AnyToken {
    id: TokenId,
    org: OrgId,
    scopes: Scopes,
    is_revoked: bool,
}

/// The token of a secret, even if it was revoked or has expired.
async fn find_even_invalid(
    read: impl SqliteExecutor<'_>,
    secret: &str,
) -> Result<Option<AnyToken>, Error> {
    let Some(secret) = TokenSecret::parse(secret) else {
        return Ok(None);
    };
    let hash = secret.hash();
    let (least, greatest) = hash.handle().range();
    let row = sqlx::query(SELECT_BY_HANDLE)
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
    Ok(Some(AnyToken {
        id: row.parsed("id")?,
        org: row.parsed("org")?,
        scopes: row.parsed("scopes")?,
        is_revoked: row.time_if_any("revoked_at")?.is_some(),
    }))
}

/// Reads a valid token from the database.
async fn look_up(
    read: impl SqliteExecutor<'_>,
    hash: TokenHash,
    now: Timestamp,
) -> Result<FoundToken<Access>, Error> {
    let looked_up_at = Instant::now();
    let (least, greatest) = hash.handle().range();
    let row = sqlx::query(SELECT_VALID_BY_HANDLE)
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
    if token.scopes.is_viewer() {
        return Err(Error::SigningToken);
    }
    row.check("tokens", sum(&token, &hash, None))?;
    Ok(FoundToken {
        hash,
        access: Access {
            token: token.id,
            org: token.org,
            scopes: token.scopes,
        },
        expires_at: token.expires_at,
        looked_up_at,
    })
}

/// A valid token by its id. `None` if it is revoked, expired or deleted.
pub(super) async fn find_valid(
    read: impl SqliteExecutor<'_>,
    id: TokenId,
    now: Timestamp,
) -> Result<Option<Token>, Error> {
    let row = sqlx::query(SELECT_VALID)
        .bind(id.to_string())
        .bind(now.as_millis())
        .fetch_optional(read)
        .await
        .doing("look up a token")?;
    let Some(row) = row else { return Ok(None) };
    let found = token(&row)?;
    let row = Stored(&row);
    let hash: Vec<u8> = row.plain("hash")?;
    let hash = TokenHash::from_bytes(&hash).ok_or(Error::UnknownToken)?;
    if found.scopes.is_viewer() {
        return Ok(None);
    }
    row.check("tokens", sum(&found, &hash, None))?;
    Ok(Some(found))
}

/// The valid secrets of an organisation that sign viewer tokens, oldest first.
pub(super) async fn viewer_secrets(
    read: impl SqliteExecutor<'_>,
    org: &OrgId,
    now: Timestamp,
) -> Result<Vec<ViewerSecret>, Error> {
    let rows = sqlx::query(SELECT_VIEWER_SECRETS)
        .bind(org.as_str())
        .bind(now.as_millis())
        .fetch_all(read)
        .await
        .doing("read the secrets of viewer tokens")?;
    let secret = |row: &SqliteRow| {
        let token = token(row)?;
        let row = Stored(row);
        let text: String = row.plain("secret")?;
        let secret = TokenSecret::parse(&text)
            .ok_or_else(|| Error::damaged("a secret of viewer tokens has not its form"))?;
        row.check("tokens", sum(&token, &secret.hash(), Some(&text)))?;
        Ok(ViewerSecret {
            secret,
            expires_at: token.expires_at,
        })
    };
    rows.iter().map(secret).collect()
}

/// Covers all columns but `revoked_at`, which is written later. `secret` is left out where it is
/// null: rows that are older than the column have it so.
fn sum(token: &Token, hash: &TokenHash, secret: Option<&str>) -> i64 {
    let sum = Sum::of("tokens")
        .bytes(hash.as_bytes())
        .text(&token.id.to_string())
        .text(token.org.as_str())
        .text(&token.scopes.to_string())
        .number(token.created_at.as_millis())
        .number_if_any(token.expires_at.map(Timestamp::as_millis));
    match secret {
        None => sum.finish(),
        Some(secret) => sum.text(secret).finish(),
    }
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

#[cfg(test)]
mod tests;
