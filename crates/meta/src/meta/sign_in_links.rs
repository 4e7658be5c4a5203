//! Links that sign in once, as an API token would. `showreport demo` prints one.

use showreport_model::{OrgId, Timestamp, TokenId};
use sqlx::{SqliteConnection, SqliteExecutor};

use super::roles::Role;
use super::sessions::{Session, SessionOwner};
use super::tokens::{TokenHash, TokenSecret};
use super::{Meta, tokens};
use crate::database::{Stored, Sum};
use crate::error::{Doing, Error};

/// A row of the table of tokens.
struct Link {
    id: TokenId,
    org: OrgId,
    created_at: Timestamp,
    expires_at: Timestamp,
    /// The token that the session acts for.
    token: TokenId,
}

const INSERT: &str = "INSERT INTO tokens
    (id, org, hash, scopes, created_at, expires_at, kind, parent, sum)
    VALUES ($1, $2, $3, '', $4, $5, 'sign_in', $6, $7)";

const SELECT_VALID_BY_HANDLE: &str =
    "SELECT id, org, hash, created_at, expires_at, parent, sum FROM tokens
    WHERE hash BETWEEN $1 AND $2 AND kind = 'sign_in' AND expires_at > $3";

const DELETE: &str = "DELETE FROM tokens WHERE id = $1 AND kind = 'sign_in'";

impl Meta {
    /// Creates a link for the API token with this secret. Returns the secret of the link, which is
    /// not stored.
    pub async fn create_sign_in_link(
        &self,
        token: &str,
        lifetime_ms: i64,
    ) -> Result<TokenSecret, Error> {
        let access = self.authenticate(token).await?;
        let created_at = self.now();
        let link = Link {
            id: TokenId::generate(),
            org: access.org,
            created_at,
            expires_at: created_at.saturating_add_millis(lifetime_ms),
            token: access.token,
        };
        let secret = TokenSecret::generate()?;
        self.database()
            .write(async |tx| insert(tx, &link, &secret.hash()).await)
            .await?;
        Ok(secret)
    }

    /// Begins a session by a link, which then works no more.
    pub async fn sign_in_by_link(&self, secret: &str) -> Result<(Session, TokenSecret), Error> {
        let now = self.now();
        let secret = TokenSecret::parse(secret).ok_or(Error::UnknownSignInLink)?;
        let hash = secret.hash();
        let used = self.database().write(async |tx| {
            let link = find(&mut **tx, &hash, now).await?;
            let done = sqlx::query(DELETE)
                .bind(link.id.to_string())
                .execute(&mut **tx);
            done.await.doing("use a link for signing in")?;
            let token = tokens::find_valid(&mut **tx, link.token, now).await?;
            let role = token.and_then(|token| Role::of_scopes(&token.scopes));
            Ok((link, role.ok_or(Error::UnknownSignInLink)?))
        });
        let (link, role) = used.await?;
        let owner = SessionOwner::Token(link.token);
        self.begin_session(link.org, role, owner).await
    }
}

async fn insert(tx: &mut SqliteConnection, link: &Link, hash: &TokenHash) -> Result<(), Error> {
    sqlx::query(INSERT)
        .bind(link.id.to_string())
        .bind(link.org.as_str())
        .bind(hash.as_bytes())
        .bind(link.created_at.as_millis())
        .bind(link.expires_at.as_millis())
        .bind(link.token.to_string())
        .bind(sum(link, hash))
        .execute(tx)
        .await
        .doing("create a link for signing in")?;
    Ok(())
}

async fn find(
    read: impl SqliteExecutor<'_>,
    hash: &TokenHash,
    now: Timestamp,
) -> Result<Link, Error> {
    let (least, greatest) = hash.handle().range();
    let row = sqlx::query(SELECT_VALID_BY_HANDLE)
        .bind(least.as_bytes())
        .bind(greatest.as_bytes())
        .bind(now.as_millis())
        .fetch_optional(read)
        .await
        .doing("look up a link for signing in")?;
    let row = row.ok_or(Error::UnknownSignInLink)?;
    let row = Stored(&row);
    let stored: Vec<u8> = row.plain("hash")?;
    if TokenHash::from_bytes(&stored) != Some(*hash) {
        return Err(Error::UnknownSignInLink);
    }
    let link = Link {
        id: row.parsed("id")?,
        org: row.parsed("org")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
        token: row.parsed("parent")?,
    };
    row.check("tokens", sum(&link, hash))?;
    Ok(link)
}

fn sum(link: &Link, hash: &TokenHash) -> i64 {
    Sum::of("sign_in_links")
        .bytes(hash.as_bytes())
        .text(&link.id.to_string())
        .text(link.org.as_str())
        .number(link.created_at.as_millis())
        .number(link.expires_at.as_millis())
        .text(&link.token.to_string())
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scope;
    use crate::meta::testing::Fixture;

    #[tokio::test]
    async fn a_link_signs_in_once_while_its_token_is_valid() {
        let show = Fixture::new().await;
        let meta = &show.meta;
        let created = meta.create_token(&show.org, Scope::Report.into(), None);
        let (id, token) = created.await.unwrap();
        let link = async || {
            let link = meta.create_sign_in_link(token.expose(), 1_000).await;
            link.unwrap().expose().to_owned()
        };
        let refused = async |link: &str| {
            let signed_in = meta.sign_in_by_link(link).await;
            matches!(signed_in, Err(Error::UnknownSignInLink))
        };
        let first = link().await;
        let (session, secret) = meta.sign_in_by_link(&first).await.unwrap();
        assert_eq!(session.owner, SessionOwner::Token(id));
        assert_eq!(meta.session(secret.expose()).await.unwrap(), session);
        assert!(refused(&first).await, "used");
        assert!(refused(secret.expose()).await, "a session");
        assert!(refused(token.expose()).await, "a token");
        let brief = link().await;
        assert!(meta.session(&brief).await.is_err() && meta.authenticate(&brief).await.is_err());
        show.clock.advance(1_000);
        assert!(refused(&brief).await, "expired");
        let of_revoked = link().await;
        meta.revoke_token(id).await.unwrap();
        assert!(refused(&of_revoked).await, "its token was revoked");
    }
}
