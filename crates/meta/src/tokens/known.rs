//! Tokens that were looked up a moment ago.
//!
//! Players send a token with every few records, and a look into the database
//! costs more than all that is done with them. Another process may revoke a
//! token, so what is known is soon looked up anew, by one for all, or forgotten.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use showreport_model::Timestamp;
use tokio::sync::MutexGuard;

use super::Access;
use super::secret::{TokenHandle, TokenHash};

/// How long a token opens after another process has revoked it.
const KNOWN_FOR: Duration = Duration::from_millis(750);

/// How soon one of those who use it looks it up anew. Where all waited until it is forgotten, all would
/// look for it at once, and a server with much to do is the slowest to answer them.
const RENEWED_AFTER: Duration = Duration::from_millis(250);

/// A bound on memory. Only tokens that exist are kept.
const KNOWN_MAX: usize = 10_000;

/// Tokens that are looked up at one time; more would only wait for a connection.
const TURNS: usize = 4;

/// What tokens opened when they were last looked up.
#[derive(Debug, Default)]
pub(crate) struct KnownTokens {
    tokens: Mutex<Tokens>,
    turns: [tokio::sync::Mutex<()>; TURNS],
}

#[derive(Debug, Default)]
struct Tokens {
    known: HashMap<TokenHandle, Kept>,
    /// When all were last forgotten.
    forgotten_at: Option<Instant>,
}

/// A token as it was found.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) hash: TokenHash,
    pub(crate) access: Access,
    pub(crate) expires_at: Option<Timestamp>,
    /// When the look for it began.
    pub(crate) since: Instant,
}

#[derive(Debug)]
struct Kept {
    token: Known,
    /// When somebody last set out to look for it.
    looked_at: Instant,
}

impl KnownTokens {
    /// What the token opens now, if that is still known. Now and then it is not for one caller alone,
    /// who is to look it up for all.
    pub(crate) fn find(&self, hash: &TokenHash, now: Timestamp) -> Option<Access> {
        let mut tokens = self.lock();
        let kept = tokens.known.get_mut(&hash.handle())?;
        let access = kept.token.open(hash, now)?;
        if kept.looked_at.elapsed() < RENEWED_AFTER {
            return Some(access);
        }
        kept.looked_at = Instant::now();
        None
    }

    /// The same, if it was looked up since then.
    pub(crate) fn find_looked_up_since(
        &self,
        hash: &TokenHash,
        now: Timestamp,
        since: Instant,
    ) -> Option<Access> {
        let tokens = self.lock();
        let token = &tokens.known.get(&hash.handle())?.token;
        (token.since >= since).then(|| token.open(hash, now))?
    }

    /// Waits until nobody looks for this token, nor for some of the others.
    pub(crate) async fn turn(&self, hash: &TokenHash) -> MutexGuard<'_, ()> {
        let turn = usize::from(hash.as_bytes()[0]) % TURNS;
        self.turns[turn].lock().await
    }

    /// Keeps what was found, unless it was looked up before all were forgotten.
    pub(crate) fn remember(&self, token: Known) {
        let mut tokens = self.lock();
        if tokens.forgotten_at.is_some_and(|at| token.since <= at) {
            return;
        }
        if tokens.known.len() >= KNOWN_MAX {
            tokens.known.clear();
        }
        let looked_at = token.since;
        let handle = token.hash.handle();
        tokens.known.insert(handle, Kept { token, looked_at });
    }

    /// For when the token opens nothing any more.
    pub(crate) fn forget(&self, hash: &TokenHash) {
        let mut tokens = self.lock();
        let handle = hash.handle();
        if tokens
            .known
            .get(&handle)
            .is_some_and(|it| it.token.hash == *hash)
        {
            tokens.known.remove(&handle);
        }
    }

    /// For when a token was revoked here.
    pub(crate) fn forget_all(&self) {
        let mut tokens = self.lock();
        tokens.known.clear();
        tokens.forgotten_at = Some(Instant::now());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Tokens> {
        // A map of what is looked up anew is whole whatever panicked.
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// What the token opens, while it can be relied on.
    fn open(&self, hash: &TokenHash, now: Timestamp) -> Option<Access> {
        let is_open = self.hash == *hash && self.expires_at.is_none_or(|end| now < end);
        (is_open && self.since.elapsed() < KNOWN_FOR).then(|| self.access.clone())
    }
}

#[cfg(test)]
mod tests {
    use showreport_model::TokenId;

    use super::*;
    use crate::tokens::Scope;

    fn at(millis: i64) -> Timestamp {
        Timestamp::MIN.saturating_add_millis(millis)
    }

    fn hash(last: u8) -> TokenHash {
        let mut hash = [7; 32];
        hash[31] = last;
        TokenHash::from_bytes(&hash).unwrap()
    }

    fn token(since: Instant) -> Known {
        Known {
            hash: hash(7),
            access: Access {
                token: TokenId::generate(),
                org: showreport_model::OrgId::new("acme").unwrap(),
                scopes: Scope::Collect.into(),
            },
            expires_at: Some(at(2000)),
            since,
        }
    }

    #[test]
    fn a_token_is_known_for_a_while_until_it_expires_or_is_forgotten() {
        let known = KnownTokens::default();
        assert_eq!(known.find(&hash(7), at(1000)), None);
        let found = token(Instant::now());
        let access = Some(found.access.clone());
        known.remember(found);
        assert_eq!(known.find(&hash(8), at(1000)), None, "found, and another");
        assert_eq!(known.find(&hash(7), at(1999)), access);
        assert_eq!(known.find(&hash(7), at(2000)), None, "expired");
        known.forget(&hash(8));
        assert_eq!(known.find(&hash(7), at(1000)), access, "another forgotten");
        known.forget(&hash(7));
        assert_eq!(known.find(&hash(7), at(1000)), None, "forgotten");
    }

    #[test]
    fn one_caller_renews_what_all_others_still_know() {
        let Some(before) = Instant::now().checked_sub(RENEWED_AFTER) else {
            return;
        };
        let known = KnownTokens::default();
        let found = token(before);
        let access = Some(found.access.clone());
        known.remember(found);
        assert_eq!(known.find(&hash(7), at(0)), None, "he is to look it up");
        assert_eq!(known.find(&hash(7), at(0)), access);
        let asked = Instant::now();
        assert_eq!(known.find_looked_up_since(&hash(7), at(0), asked), None);
        let renewed = token(Instant::now());
        let access = Some(renewed.access.clone());
        known.remember(renewed);
        assert_eq!(known.find_looked_up_since(&hash(7), at(0), asked), access);
    }

    #[test]
    fn nothing_is_relied_on_for_long() {
        let Some(long_ago) = Instant::now().checked_sub(KNOWN_FOR) else {
            return;
        };
        let known = KnownTokens::default();
        known.remember(token(long_ago));
        assert_eq!(known.find(&hash(7), at(0)), None, "the one to look");
        assert_eq!(known.find(&hash(7), at(0)), None, "and another");
        assert_eq!(known.find_looked_up_since(&hash(7), at(0), long_ago), None);
    }

    #[test]
    fn what_was_looked_up_before_a_token_was_revoked_does_not_come_back() {
        let known = KnownTokens::default();
        let before = Instant::now();
        known.forget_all();
        known.remember(token(before));
        assert_eq!(known.find(&hash(7), at(0)), None);
    }
}
