//! What viewer tokens are verified with: the secrets of an organisation, and whether it requires
//! viewer tokens. Requests read both from a cache.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use showreport_model::{OrgId, Timestamp};
use tokio::sync::OnceCell;

use super::orgs::ViewerTokens;
use super::tokens::{TokenSecret, ViewerSecret};
use super::{Meta, orgs, tokens};
use crate::error::Error;

/// The age at which cached keys are read again: another process may have revoked one.
const TIME_TO_LIVE: Duration = Duration::from_millis(750);

/// Limits memory. Only organisations that exist have entries.
const ENTRIES_MAX: usize = 10_000;

/// What the viewer tokens of an organisation are verified with.
#[derive(Debug)]
pub struct ViewerKeys {
    viewer_tokens: ViewerTokens,
    secrets: Vec<ViewerSecret>,
}

impl ViewerKeys {
    /// Whether records of viewers need a viewer token.
    pub const fn viewer_tokens(&self) -> ViewerTokens {
        self.viewer_tokens
    }

    /// The secrets that are valid at this time, oldest first.
    pub fn secrets(&self, now: Timestamp) -> impl Iterator<Item = &TokenSecret> {
        let secrets = self.secrets.iter();
        let valid = secrets.filter(move |it| it.expires_at.is_none_or(|end| now < end));
        valid.map(|it| &it.secret)
    }
}

/// Keys that were read less than a second ago, by organisation.
#[derive(Debug, Default)]
pub(crate) struct ViewerKeyCache(Mutex<HashMap<OrgId, Arc<Entry>>>);

/// Keys that are being read or were read. All requests that need them wait for one read.
#[derive(Debug)]
struct Entry {
    /// Before the keys are read.
    began_at: Instant,
    keys: OnceCell<Arc<ViewerKeys>>,
}

impl ViewerKeyCache {
    /// The entry of an organisation: a new one if there is none, or if it has expired.
    fn entry(&self, org: &OrgId) -> Arc<Entry> {
        let mut entries = self.lock();
        let found = entries.get(org);
        if let Some(entry) = found.filter(|entry| entry.began_at.elapsed() < TIME_TO_LIVE) {
            return entry.clone();
        }
        if entries.len() >= ENTRIES_MAX {
            entries.clear();
        }
        let entry = Arc::new(Entry {
            began_at: Instant::now(),
            keys: OnceCell::new(),
        });
        entries.insert(org.clone(), entry.clone());
        entry
    }

    /// Removes all keys, because this process has changed some.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OrgId, Arc<Entry>>> {
        // A cache is valid whatever panicked while it was locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Meta {
    /// What the viewer tokens of an organisation are verified with, at most a second old.
    pub async fn viewer_keys(&self, org: &OrgId) -> Result<Arc<ViewerKeys>, Error> {
        let entry = self.shared.viewer_keys.entry(org);
        let keys = entry.keys.get_or_try_init(|| self.read_viewer_keys(org));
        keys.await.cloned()
    }

    async fn read_viewer_keys(&self, org: &OrgId) -> Result<Arc<ViewerKeys>, Error> {
        let found = orgs::find(self.readers(), org).await?;
        let secrets = tokens::viewer_secrets(self.readers(), org, self.now()).await?;
        Ok(Arc::new(ViewerKeys {
            viewer_tokens: found.viewer_tokens,
            secrets,
        }))
    }

    /// Says whether records of viewers need a viewer token: from now on in this process, within a
    /// second in others.
    pub async fn set_viewer_tokens(
        &self,
        org: &OrgId,
        viewer_tokens: ViewerTokens,
    ) -> Result<(), Error> {
        let meta = self.clone();
        self.database()
            .write(async |tx| {
                orgs::set_viewer_tokens(tx, org, viewer_tokens).await?;
                tx.after_commit(move || meta.shared.viewer_keys.clear());
                Ok(())
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use showreport_model::{Clock, ErrorKind, Failure, Zone};

    use super::*;
    use crate::Scope;
    use crate::meta::testing::{Fixture, org};

    async fn secrets(meta: &Meta, org: &OrgId, now: Timestamp) -> Vec<String> {
        let keys = meta.viewer_keys(org).await.unwrap();
        let secrets = keys.secrets(now).map(|it| it.expose().to_owned());
        secrets.collect()
    }

    #[tokio::test]
    async fn the_secrets_of_an_organisation_verify_until_they_are_revoked_or_expire() {
        let show = Fixture::new().await;
        let (meta, now) = (&show.meta, show.clock.now());
        let rival = org("rival");
        meta.create_org(&rival, &Zone::utc()).await.unwrap();
        assert_eq!(secrets(meta, &show.org, now).await, [""; 0]);
        let in_a_second = now.saturating_add_millis(1_000);
        let create = async |org: &OrgId, scope: Scope, end| {
            let created = meta.create_token(org, scope.into(), end).await;
            let (id, secret) = created.unwrap();
            (id, secret.expose().to_owned())
        };
        let (first, one) = create(&show.org, Scope::Viewer, None).await;
        let (_, two) = create(&show.org, Scope::Viewer, Some(in_a_second)).await;
        create(&show.org, Scope::Collect, None).await;
        let (_, theirs) = create(&rival, Scope::Viewer, None).await;
        let both = [one, two.clone()];
        assert_eq!(secrets(meta, &show.org, now).await, both);
        assert_eq!(secrets(meta, &show.org, in_a_second).await, both[..1]);
        assert_eq!(secrets(meta, &rival, now).await, [theirs]);
        assert_eq!(secrets(&show.reopen().await, &show.org, now).await, both);
        meta.revoke_token(first).await.unwrap();
        assert_eq!(secrets(meta, &show.org, now).await, [two]);
    }

    #[tokio::test]
    async fn viewer_tokens_are_required_of_one_organisation_and_its_zone_stays() {
        let show = Fixture::new().await;
        let meta = &show.meta;
        let rival = org("rival");
        let zone: Zone = "Asia/Taipei".parse().unwrap();
        meta.create_org(&rival, &zone).await.unwrap();
        let of = async |meta: &Meta, org: &OrgId| {
            let keys = meta.viewer_keys(org).await.unwrap();
            keys.viewer_tokens()
        };
        assert_eq!(of(meta, &rival).await, ViewerTokens::Optional);
        for wanted in [ViewerTokens::Required, ViewerTokens::Required] {
            meta.set_viewer_tokens(&rival, wanted).await.unwrap();
            assert_eq!(of(meta, &rival).await, wanted);
            assert_eq!(of(&show.reopen().await, &rival).await, wanted);
        }
        assert_eq!(of(meta, &show.org).await, ViewerTokens::Optional);
        meta.set_zone(&rival, &Zone::utc()).await.unwrap();
        let orgs = show.reopen().await.orgs().await.unwrap();
        let theirs = orgs.iter().find(|it| it.id == rival).unwrap();
        assert_eq!(theirs.viewer_tokens, ViewerTokens::Required);
        assert_eq!(theirs.zone, Zone::utc());
        let optional = meta.set_viewer_tokens(&rival, ViewerTokens::Optional);
        optional.await.unwrap();
        assert_eq!(of(meta, &rival).await, ViewerTokens::Optional);
        let unknown = org("unknown");
        let unknown = meta.set_viewer_tokens(&unknown, ViewerTokens::Required);
        assert_eq!(unknown.await.unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn an_entry_is_read_again_when_it_has_expired_or_was_cleared() {
        let cache = ViewerKeyCache::default();
        let acme = org("acme");
        let entry = cache.entry(&acme);
        assert!(Arc::ptr_eq(&entry, &cache.entry(&acme)));
        assert!(!Arc::ptr_eq(&entry, &cache.entry(&org("rival"))));
        cache.clear();
        assert!(!Arc::ptr_eq(&entry, &cache.entry(&acme)));
        let Some(began_at) = Instant::now().checked_sub(TIME_TO_LIVE) else {
            return;
        };
        let expired = Arc::new(Entry {
            began_at,
            keys: OnceCell::new(),
        });
        cache.lock().insert(acme.clone(), expired.clone());
        assert!(!Arc::ptr_eq(&expired, &cache.entry(&acme)));
    }

    #[tokio::test]
    async fn a_changed_secret_is_reported_as_damage() {
        let show = Fixture::new().await;
        for _ in 0..2 {
            let scopes = Scope::Viewer.into();
            let created = show.meta.create_token(&show.org, scopes, None);
            created.await.unwrap();
        }
        let swap = "UPDATE tokens SET secret =
            (SELECT secret FROM tokens AS other WHERE other.id <> tokens.id)
            WHERE id = (SELECT min(id) FROM tokens)";
        show.execute(swap).await;
        let found = show.reopen().await.viewer_keys(&show.org).await;
        assert_eq!(found.unwrap_err().kind(), ErrorKind::Damaged);
    }
}
