//! [`TokenCache`]: tokens that were looked up less than a second ago.
//!
//! Players send a token with every few records, and a lookup in the database costs more than the
//! rest of such a request. Another process may revoke a token, so an entry is soon renewed, by one
//! request for all, or dropped.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use showreport_model::Timestamp;
use tokio::sync::MutexGuard;

use super::Access;
use super::secret::{TokenHandle, TokenHash};

/// How long a token stays valid here after another process has revoked it.
const TIME_TO_LIVE: Duration = Duration::from_millis(750);

/// The age at which one request renews an entry. If all waited until the entry has expired, all
/// would look the token up at once.
const RENEW_AFTER: Duration = Duration::from_millis(250);

/// Limits memory. Only tokens that exist have entries.
const ENTRIES_MAX: usize = 10_000;

/// Lookups at one time; more would wait for a connection to the database.
const LOOKUPS_MAX: usize = 4;

/// Valid tokens, by the first half of their hashes.
#[derive(Debug, Default)]
pub(crate) struct TokenCache {
    entries: Mutex<Entries>,
    lookups: [tokio::sync::Mutex<()>; LOOKUPS_MAX],
}

#[derive(Debug, Default)]
struct Entries {
    by_handle: HashMap<TokenHandle, Entry>,
    /// When the cache was last cleared because a token was revoked.
    cleared_at: Option<Instant>,
}

/// A token as it was found in the database.
#[derive(Debug, Clone)]
pub(super) struct FoundToken {
    pub(super) hash: TokenHash,
    pub(super) access: Access,
    pub(super) expires_at: Option<Timestamp>,
    /// When the lookup began.
    pub(super) looked_up_at: Instant,
}

#[derive(Debug)]
struct Entry {
    token: FoundToken,
    /// When a request last set out to renew the entry.
    renewal_began_at: Instant,
}

impl TokenCache {
    /// The rights that a token gives, if it has an entry. Once in [`RENEW_AFTER`] it returns `None`
    /// to one caller, which then renews the entry for all.
    pub(super) fn find(&self, hash: &TokenHash, now: Timestamp) -> Option<Access> {
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
    pub(super) fn find_looked_up_since(
        &self,
        hash: &TokenHash,
        now: Timestamp,
        since: Instant,
    ) -> Option<Access> {
        let entries = self.lock();
        let token = &entries.by_handle.get(&hash.handle())?.token;
        (token.looked_up_at >= since).then(|| token.access(hash, now))?
    }

    /// Waits until no other request looks up this token, and at most [`LOOKUPS_MAX`] look up any.
    pub(super) async fn lock_lookup(&self, hash: &TokenHash) -> MutexGuard<'_, ()> {
        let lookup = usize::from(hash.as_bytes()[0]) % LOOKUPS_MAX;
        self.lookups[lookup].lock().await
    }

    /// Adds a token, unless the cache was cleared since its lookup began.
    pub(super) fn insert(&self, token: FoundToken) {
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
    pub(super) fn remove(&self, hash: &TokenHash) {
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
    pub(super) fn clear(&self) {
        let mut entries = self.lock();
        entries.by_handle.clear();
        entries.cleared_at = Some(Instant::now());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Entries> {
        // A cache is valid whatever panicked while it was locked.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FoundToken {
    /// The rights that the token gives, while the entry is valid.
    fn access(&self, hash: &TokenHash, now: Timestamp) -> Option<Access> {
        let is_valid = self.hash == *hash && self.expires_at.is_none_or(|end| now < end);
        (is_valid && self.looked_up_at.elapsed() < TIME_TO_LIVE).then(|| self.access.clone())
    }
}

#[cfg(test)]
mod tests {
    use showreport_model::TokenId;

    use super::*;
    use crate::Scope;

    fn at(millis: i64) -> Timestamp {
        Timestamp::MIN.saturating_add_millis(millis)
    }

    fn hash(last: u8) -> TokenHash {
        let mut hash = [7; 32];
        hash[31] = last;
        TokenHash::from_bytes(&hash).unwrap()
    }

    fn token(looked_up_at: Instant) -> FoundToken {
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
