//! Access: organisations, tokens, the keys of links.

use std::sync::Arc;
use std::time::Instant;

use showreport_model::{OrgId, Timestamp, TokenId, Zone};

use super::{Meta, Shared};
use crate::error::Error;
use crate::orgs::Org;
use crate::signing::{SIGNS_AFTER_MS, SigningKey, SigningKeys};
use crate::tokens::{Access, Scopes, Token, TokenSecret};
use crate::{bulk_reports, dirty_days, orgs, report_jobs, signing, tokens};

impl Meta {
    /// Adds an organisation whose days are those of this zone.
    pub async fn create_org(&self, org: &OrgId, zone: &Zone) -> Result<(), Error> {
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        orgs::insert(&mut write, org, zone, self.shared.clock.now()).await?;
        write.commit().await
    }

    /// Every organisation, oldest first.
    pub async fn orgs(&self) -> Result<Vec<Org>, Error> {
        orgs::all(self.shared.database.readers()).await
    }

    /// Gives an organisation another zone. False: it has that one already.
    ///
    /// Days begin elsewhere then, so every day of its bulk reports is made again: between a day of the old
    /// zone and one of the new, facts would count twice or not at all.
    pub async fn set_zone(&self, org: &OrgId, zone: &Zone) -> Result<bool, Error> {
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        let is_new = orgs::set_zone(&mut write, org, zone).await?;
        if is_new {
            for job in report_jobs::of_org(&mut *write, org).await? {
                let made = bulk_reports::days(&mut *write, job.id).await?;
                dirty_days::want(&mut write, made.into_keys().map(|day| (job.id, day))).await?;
            }
        }
        write.commit().await?;
        Ok(is_new)
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
    /// second. Doing it twice is fine. Gives the organisation that it was of.
    pub async fn revoke_token(&self, id: TokenId) -> Result<OrgId, Error> {
        let database = &self.shared.database;
        let write = || async move {
            let mut writer = database.writer().await;
            let mut write = writer.begin_protected().await?;
            let org = tokens::revoke(&mut write, id, self.shared.clock.now()).await?;
            write.commit().await?;
            self.shared.tokens.forget_all();
            Ok(org)
        };
        database.protect(write).await
    }

    /// What a secret opens, if anything.
    pub async fn authenticate(&self, secret: &str) -> Result<Access, Error> {
        let now = self.shared.clock.now();
        let Shared {
            database, tokens, ..
        } = &*self.shared;
        let found = tokens::find(database.readers(), tokens, secret, now).await;
        if matches!(found, Err(Error::UnknownToken)) {
            self.log_closed(secret).await?;
        }
        found
    }

    /// Names a token that opens nothing any more, so that the operator finds what still uses it.
    async fn log_closed(&self, secret: &str) -> Result<(), Error> {
        let closed = tokens::find_closed(self.shared.database.readers(), secret).await?;
        if let Some((token, org)) = closed {
            tracing::info!(%org, token.id = %token, "refused a token that was revoked or has expired");
        }
        Ok(())
    }

    /// The keys of links, as they were less than a second ago. The first call makes one.
    pub async fn signing_keys(&self) -> Result<Arc<SigningKeys>, Error> {
        let known = &self.shared.signing_keys;
        if let Some(keys) = known.find() {
            return Ok(keys);
        }
        let begun = Instant::now();
        let keys = match signing::find(self.shared.database.readers()).await? {
            Some(keys) => keys,
            None => self.make_first_key().await?,
        };
        Ok(known.remember(begun, keys))
    }

    async fn make_first_key(&self) -> Result<SigningKeys, Error> {
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        // Another process may have been faster.
        if let Some(keys) = signing::find(&mut *write).await? {
            return Ok(keys);
        }
        signing::insert(&mut write, &SigningKey::generate()?, Timestamp::MIN).await?;
        let keys = signing::find(&mut *write).await?;
        write.commit().await?;
        keys.ok_or_else(|| Error::damaged("the key of links that was just kept is missing"))
    }

    /// Makes a new key for links. Gives the time from which it signs; links of the one before
    /// open until they have ended.
    pub async fn rotate_signing_key(&self) -> Result<Timestamp, Error> {
        let now = self.shared.clock.now();
        let signs_from = now.saturating_add_millis(SIGNS_AFTER_MS);
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        signing::delete_ended(&mut write, now).await?;
        signing::insert(&mut write, &SigningKey::generate()?, signs_from).await?;
        write.commit().await?;
        self.shared.signing_keys.forget();
        Ok(signs_from)
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
    async fn an_organisation_can_be_given_another_zone() {
        let show = Fixture::new().await;
        let taipei: Zone = "Asia/Taipei".parse().unwrap();
        let rival = org("rival");
        show.meta.create_org(&rival, &Zone::utc()).await.unwrap();
        assert!(show.meta.set_zone(&rival, &taipei).await.unwrap());
        assert!(!show.meta.set_zone(&rival, &taipei).await.unwrap());
        let orgs = show.meta.orgs().await.unwrap();
        let zones: Vec<_> = orgs
            .iter()
            .map(|org| (org.id.as_str(), org.zone.name()))
            .collect();
        assert_eq!(
            zones,
            [(show.org.as_str(), "UTC"), ("rival", "Asia/Taipei")]
        );
        let unknown = show.meta.set_zone(&org("nobody"), &taipei).await;
        assert_eq!(unknown.unwrap_err().kind(), ErrorKind::NotFound);
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
        let (here, there) = tokio::join!(show.meta.signing_keys(), other.signing_keys());
        let keys = here.unwrap();
        assert_eq!(keys, there.unwrap());
        assert_eq!(keys, show.reopen().await.signing_keys().await.unwrap());
        let key = keys.signing(show.clock.now());
        assert_eq!(format!("{key:?}"), "SigningKey");
    }

    #[tokio::test]
    async fn a_rotated_key_is_known_everywhere_before_it_signs_and_the_old_one_goes() {
        let show = Fixture::new().await;
        let first = show.meta.signing_keys().await.unwrap();
        let first = first.signing(show.clock.now()).clone();
        let signs_from = show.meta.rotate_signing_key().await.unwrap();
        let keys = show.reopen().await.signing_keys().await.unwrap();
        let now = show.clock.now();
        assert_eq!(keys.signing(now), &first, "not yet");
        let second = keys.signing(signs_from).clone();
        assert_ne!(first, second);
        let opening: Vec<_> = keys.opening(now).cloned().collect();
        assert_eq!(opening, [second.clone(), first]);

        show.clock.advance(crate::LINK_LIFETIME_MS + SIGNS_AFTER_MS);
        show.meta.rotate_signing_key().await.unwrap();
        let keys = show.meta.signing_keys().await.unwrap();
        let opening: Vec<_> = keys.opening(show.clock.now()).cloned().collect();
        assert_eq!(opening.len(), 2);
        assert_eq!(opening[1], second, "the first is over");
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM link_keys")
            .fetch_one(show.meta.shared.database.readers())
            .await
            .unwrap();
        assert_eq!(count, 2, "and deleted");
    }
}
