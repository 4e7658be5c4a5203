//! [`TokenCache`]: what secrets open, as it was looked up less than a second ago.
//!
//! Players send a token with every few records, and a lookup in the database costs more than the
//! rest of such a request. Another process may revoke a token, so an entry is soon renewed, by one
//! request for all, or dropped.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use showreport_model::{ErrorKind, Failure, Timestamp};
use tokio::sync::MutexGuard;

use super::secret::{TokenHandle, TokenHash};
use crate::error::Error;

/// How long a token stays valid here after another process has revoked it.
const TIME_TO_LIVE: Duration = Duration::from_millis(750);

/// The age at which one request renews an entry. If all waited until the entry has expired, all
/// would look the token up at once.
const RENEW_AFTER: Duration = Duration::from_millis(250);

/// Limits memory. Only tokens that exist have entries.
const ENTRIES_MAX: usize = 10_000;

/// Lookups at one time; more would wait for a connection to the database.
const LOOKUPS_MAX: usize = 4;

/// Valid tokens or sessions, by the first half of their hashes. `A` is what one of them opens.
#[derive(Debug)]
pub(crate) struct TokenCache<A> {
    entries: Mutex<Entries<A>>,
    lookups: [tokio::sync::Mutex<()>; LOOKUPS_MAX],
}

#[derive(Debug)]
struct Entries<A> {
    by_handle: HashMap<TokenHandle, Entry<A>>,
    /// When the cache was last cleared because a token was revoked.
    cleared_at: Option<Instant>,
}

/// A token as it was found in the database.
#[derive(Debug, Clone)]
pub(crate) struct FoundToken<A> {
    pub(crate) hash: TokenHash,
    pub(crate) access: A,
    pub(crate) expires_at: Option<Timestamp>,
    /// When the lookup began.
    pub(crate) looked_up_at: Instant,
}

#[derive(Debug)]
struct Entry<A> {
    token: FoundToken<A>,
    /// When a request last set out to renew the entry.
    renewal_began_at: Instant,
}

impl<A> Default for TokenCache<A> {
    fn default() -> Self {
        let entries = Entries {
            by_handle: HashMap::new(),
            cleared_at: None,
        };
        Self {
            entries: Mutex::new(entries),
            lookups: Default::default(),
        }
    }
}

impl<A: Clone> TokenCache<A> {
    /// What a token opens, if it is valid: from the cache, or from `look_up`, which one request
    /// does for all that wait for it.
    pub(crate) async fn get(
        &self,
        hash: &TokenHash,
        now: Timestamp,
        look_up: impl AsyncFnOnce() -> Result<FoundToken<A>, Error>,
    ) -> Result<A, Error> {
        if let Some(access) = self.find(hash, now) {
            return Ok(access);
        }
        let began = Instant::now();
        let _lookup = self.lock_lookup(hash).await;
        // The lookup before this one may have been of the same token.
        if let Some(access) = self.find_looked_up_since(hash, now, began) {
            return Ok(access);
        }
        let found = look_up().await.inspect_err(|error| {
            if error.kind() == ErrorKind::Unauthenticated {
                self.remove(hash);
            }
        })?;
        let access = found.access.clone();
        self.insert(found);
        Ok(access)
    }

    /// The rights that a token gives, if it has an entry. Once in [`RENEW_AFTER`] it returns `None`
    /// to one caller, which then renews the entry for all.
    fn find(&self, hash: &TokenHash, now: Timestamp) -> Option<A> {
        let mut entries = self.lock();
        let entry = entries.by_handle.get_mut(&hash.handle())?;
        let access = entry.token.access(hash, now)?;
        if entry.renewal_began_at.elapsed() < RENEW_AFTER {
            return Some(access);
        }
        entry.renewal_began_at = Instant::now();
        None
    }

    /// The same, if the token was looked up since then.
    fn find_looked_up_since(&self, hash: &TokenHash, now: Timestamp, since: Instant) -> Option<A> {
        let entries = self.lock();
        let token = &entries.by_handle.get(&hash.handle())?.token;
        (token.looked_up_at >= since).then(|| token.access(hash, now))?
    }

    /// Waits until no other request looks up this token, and at most [`LOOKUPS_MAX`] look up any.
    async fn lock_lookup(&self, hash: &TokenHash) -> MutexGuard<'_, ()> {
        let lookup = usize::from(hash.as_bytes()[0]) % LOOKUPS_MAX;
        self.lookups[lookup].lock().await
    }

    /// Adds a token, unless the cache was cleared since its lookup began.
    fn insert(&self, token: FoundToken<A>) {
        let mut entries = self.lock();
        if entries
            .cleared_at
            .is_some_and(|at| token.looked_up_at <= at)
        {
            return;
        }
        if entries.by_handle.len() >= ENTRIES_MAX {
            entries.by_handle.clear();
        }
        let renewal_began_at = token.looked_up_at;
        let handle = token.hash.handle();
        let entry = Entry {
            token,
            renewal_began_at,
        };
        entries.by_handle.insert(handle, entry);
    }

    /// Removes a token that is no longer valid.
    fn remove(&self, hash: &TokenHash) {
        let mut entries = self.lock();
        let handle = hash.handle();
        if entries
            .by_handle
            .get(&handle)
            .is_some_and(|entry| entry.token.hash == *hash)
        {
            entries.by_handle.remove(&handle);
        }
    }

    /// Removes all tokens, because one was revoked in this process.
    pub(crate) fn clear(&self) {
        let mut entries = self.lock();
        entries.by_handle.clear();
        entries.cleared_at = Some(Instant::now());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Entries<A>> {
        // A cache is valid whatever panicked while it was locked.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A: Clone> FoundToken<A> {
    /// What the token opens, while the entry is valid.
    fn access(&self, hash: &TokenHash, now: Timestamp) -> Option<A> {
        let is_valid = self.hash == *hash && self.expires_at.is_none_or(|end| now < end);
        (is_valid && self.looked_up_at.elapsed() < TIME_TO_LIVE).then(|| self.access.clone())
    }
}

#[cfg(test)]
mod tests {
    use showreport_model::TokenId;

    use super::*;
    use crate::{Access, Scope};

    fn at(millis: i64) -> Timestamp {
        Timestamp::MIN.saturating_add_millis(millis)
    }

    fn hash(last: u8) -> TokenHash {
        let mut hash = [7; 32];
        hash[31] = last;
        TokenHash::from_bytes(&hash).unwrap()
    }

    fn token(looked_up_at: Instant) -> FoundToken<Access> {
        FoundToken {
            hash: hash(7),
            access: Access {
                token: TokenId::generate(),
                org: showreport_model::OrgId::new("acme").unwrap(),
                scopes: Scope::Collect.into(),
            },
            expires_at: Some(at(2000)),
            looked_up_at,
        }
    }

    #[test]
    fn a_token_is_cached_for_a_while_until_it_expires_or_is_removed() {
        let cache = TokenCache::default();
        assert_eq!(cache.find(&hash(7), at(1000)), None);
        let found = token(Instant::now());
        let access = Some(found.access.clone());
        cache.insert(found);
        assert_eq!(cache.find(&hash(8), at(1000)), None, "found, and another");
        assert_eq!(cache.find(&hash(7), at(1999)), access);
        assert_eq!(cache.find(&hash(7), at(2000)), None, "expired");
        cache.remove(&hash(8));
        assert_eq!(cache.find(&hash(7), at(1000)), access, "another removed");
        cache.remove(&hash(7));
        assert_eq!(cache.find(&hash(7), at(1000)), None, "removed");
    }

    #[test]
    fn one_caller_renews_what_all_others_still_find() {
        let Some(before) = Instant::now().checked_sub(RENEW_AFTER) else {
            return;
        };
        let cache = TokenCache::default();
        let found = token(before);
        let access = Some(found.access.clone());
        cache.insert(found);
        assert_eq!(cache.find(&hash(7), at(0)), None, "this caller renews it");
        assert_eq!(cache.find(&hash(7), at(0)), access);
        let asked = Instant::now();
        assert_eq!(cache.find_looked_up_since(&hash(7), at(0), asked), None);
        let renewed = token(Instant::now());
        let access = Some(renewed.access.clone());
        cache.insert(renewed);
        assert_eq!(cache.find_looked_up_since(&hash(7), at(0), asked), access);
    }

    #[test]
    fn an_entry_expires() {
        let Some(long_ago) = Instant::now().checked_sub(TIME_TO_LIVE) else {
            return;
        };
        let cache = TokenCache::default();
        cache.insert(token(long_ago));
        assert_eq!(
            cache.find(&hash(7), at(0)),
            None,
            "the caller that renews it"
        );
        assert_eq!(cache.find(&hash(7), at(0)), None, "and another");
        assert_eq!(cache.find_looked_up_since(&hash(7), at(0), long_ago), None);
    }

    #[test]
    fn a_lookup_that_began_before_a_revocation_is_not_cached() {
        let cache = TokenCache::default();
        let before = Instant::now();
        cache.clear();
        cache.insert(token(before));
        assert_eq!(cache.find(&hash(7), at(0)), None);
    }
}
