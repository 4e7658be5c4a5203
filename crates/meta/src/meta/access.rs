//! Who may come in: organisations, tokens, the signing key.

use showreport_model::{OrgId, Timestamp, TokenId, Zone};

use super::{Meta, Shared};
use crate::error::Error;
use crate::signing::SigningKey;
use crate::tokens::{Access, Scopes, Token, TokenSecret};
use crate::{orgs, signing, tokens};

impl Meta {
    /// Adds an organisation whose days are those of this zone.
    pub async fn create_org(&self, org: &OrgId, zone: &Zone) -> Result<(), Error> {
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        orgs::insert(&mut write, org, zone, self.shared.clock.now()).await?;
        write.commit().await
    }

    /// The zone of an organisation.
    pub async fn zone(&self, org: &OrgId) -> Result<Zone, Error> {
        orgs::zone(self.shared.database.readers(), org).await
    }

    /// Makes a token. Its secret is in the answer and nowhere else.
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
            created_at: self.shared.clock.now(),
            expires_at,
            revoked_at: None,
        };
        let secret = TokenSecret::generate()?;
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        orgs::zone(&mut *write, org).await?;
        tokens::insert(&mut write, &token, &secret).await?;
        write.commit().await?;
        Ok((token.id, secret))
    }

    /// The tokens of one organisation, or of all, oldest first in each.
    pub async fn tokens(&self, org: Option<&OrgId>) -> Result<Vec<Token>, Error> {
        tokens::list(self.shared.database.readers(), org).await
    }

    /// Takes a token back for good, here at once and in other processes within a
    /// second. Doing it twice is fine.
    pub async fn revoke_token(&self, id: TokenId) -> Result<(), Error> {
        let database = &self.shared.database;
        let write = || async move {
            let mut writer = database.writer().await;
            let mut write = writer.begin_protected().await?;
            tokens::revoke(&mut write, id, self.shared.clock.now()).await?;
            write.commit().await?;
            self.shared.tokens.forget_all();
            Ok(())
        };
        database.protect(write).await
    }

    /// What a secret opens, if anything.
    pub async fn authenticate(&self, secret: &str) -> Result<Access, Error> {
        let now = self.shared.clock.now();
        let Shared {
            database, tokens, ..
        } = &*self.shared;
        tokens::find(database.readers(), tokens, secret, now).await
    }

    /// The key that links are signed with, made at the first call and kept for good.
    pub async fn signing_key(&self) -> Result<SigningKey, Error> {
        if let Some(key) = signing::find(self.shared.database.readers()).await? {
            return Ok(key);
        }
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        // Somebody else may have been faster.
        if let Some(key) = signing::find(&mut *write).await? {
            return Ok(key);
        }
        let key = SigningKey::generate()?;
        signing::insert(&mut write, &key).await?;
        write.commit().await?;
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use showreport_model::{Clock, ErrorKind, Failure};

    use super::super::testing::{Fixture, org};
    use super::*;
    use crate::tokens::Scope;

    #[tokio::test]
    async fn an_organisation_is_made_once_and_keeps_its_zone() {
        let show = Fixture::new().await;
        let zone: Zone = "Asia/Taipei".parse().unwrap();
        show.meta.create_org(&org("tp"), &zone).await.unwrap();
        let again = show.meta.create_org(&org("tp"), &Zone::utc()).await;
        assert_eq!(again.unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(show.meta.zone(&org("tp")).await.unwrap(), zone);
        let nobody = show.meta.zone(&org("nobody")).await;
        assert_eq!(nobody.unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn a_token_opens_its_own_organisation_and_no_other() {
        let show = Fixture::new().await;
        show.meta
            .create_org(&org("rival"), &Zone::utc())
            .await
            .unwrap();
        let collect = Scopes::from(Scope::Collect);
        let (ours, secret) = show
            .meta
            .create_token(&show.org, collect.clone(), None)
            .await
            .unwrap();
        let (theirs, other) = show
            .meta
            .create_token(&org("rival"), Scopes::from(Scope::Admin), None)
            .await
            .unwrap();
        let access = show.meta.authenticate(secret.expose()).await.unwrap();
        assert_eq!(
            access,
            Access {
                token: ours,
                org: show.org.clone(),
                scopes: collect
            }
        );
        let access = show.meta.authenticate(other.expose()).await.unwrap();
        assert_eq!((access.token, access.org), (theirs, org("rival")));
        let listed = show.meta.tokens(Some(&show.org)).await.unwrap();
        assert_eq!(
            listed.iter().map(|token| token.id).collect::<Vec<_>>(),
            [ours]
        );
        assert_eq!(show.meta.tokens(None).await.unwrap().len(), 2);
        let nobody = show
            .meta
            .create_token(&org("nobody"), Scope::Admin.into(), None)
            .await;
        assert!(matches!(nobody, Err(Error::UnknownOrg { .. })));
    }

    #[tokio::test]
    async fn unknown_expired_and_revoked_tokens_open_nothing() {
        let show = Fixture::new().await;
        let unknown = TokenSecret::generate().unwrap();
        let refused = async |secret: &TokenSecret| {
            let access = show.meta.authenticate(secret.expose()).await;
            matches!(access, Err(Error::UnknownToken))
        };
        assert!(refused(&unknown).await);
        assert!(matches!(
            show.meta.authenticate("").await,
            Err(Error::UnknownToken)
        ));

        let expires_at = show.clock.now().saturating_add_millis(1_000);
        let scopes = Scopes::from(Scope::Report);
        let (_, brief) = show
            .meta
            .create_token(&show.org, scopes.clone(), Some(expires_at))
            .await
            .unwrap();
        assert!(!refused(&brief).await);
        show.clock.advance(1_000);
        assert!(refused(&brief).await);

        let (id, secret) = show
            .meta
            .create_token(&show.org, scopes, None)
            .await
            .unwrap();
        show.meta.revoke_token(id).await.unwrap();
        assert!(refused(&secret).await);
        let first = show.meta.tokens(None).await.unwrap();
        show.clock.advance(1_000);
        show.meta.revoke_token(id).await.unwrap();
        assert_eq!(show.meta.tokens(None).await.unwrap(), first);
        let nobody = show.meta.revoke_token(TokenId::generate()).await;
        assert_eq!(nobody.unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn a_hash_that_agrees_in_part_opens_nothing() {
        let show = Fixture::new().await;
        let (_, secret) = show
            .meta
            .create_token(&show.org, Scope::Report.into(), None)
            .await
            .unwrap();
        // The last byte alone is another, so that an index may find the row.
        let mut writer = show.meta.shared.database.writer().await;
        let mut write = writer.begin().await.unwrap();
        let bend = "UPDATE tokens SET hash = CAST(substr(hash, 1, 31) || CASE substr(hash, 32)
            WHEN x'00' THEN x'01' ELSE x'00' END AS BLOB)";
        sqlx::query(bend).execute(&mut *write).await.unwrap();
        write.commit().await.unwrap();
        let access = show.meta.authenticate(secret.expose()).await;
        assert!(matches!(access, Err(Error::UnknownToken)), "{access:?}");
    }

    #[tokio::test]
    async fn no_secret_is_in_the_file() {
        let show = Fixture::new().await;
        let (_, secret) = show
            .meta
            .create_token(&show.org, Scope::Collect.into(), None)
            .await
            .unwrap();
        show.meta.checkpoint().await.unwrap();
        let file = std::fs::read(show.path()).unwrap();
        let random = &secret.expose().as_bytes()[3..33];
        assert!(!file.windows(random.len()).any(|window| window == random));
    }

    #[tokio::test]
    async fn the_signing_key_is_made_once() {
        let show = Fixture::new().await;
        let other = show.reopen().await;
        let (here, there) = tokio::join!(show.meta.signing_key(), other.signing_key());
        let key = here.unwrap();
        assert_eq!(key, there.unwrap());
        assert_eq!(key, show.meta.signing_key().await.unwrap());
        assert_eq!(format!("{key:?}"), "SigningKey");
    }
}
