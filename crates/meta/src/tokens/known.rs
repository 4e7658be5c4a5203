//! Tokens that were looked up a moment ago.
//!
//! Players send a token with every few records, and a look into the database
//! costs more than all that is done with them. Another process may revoke a
//! token, so what is known is soon forgotten.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use showreport_model::Timestamp;

use super::Access;
use super::secret::{TokenHandle, TokenHash};

/// How long a token opens after another process has revoked it.
const KNOWN_FOR: Duration = Duration::from_millis(500);

/// A bound on memory. Only tokens that exist are kept.
const KNOWN_MAX: usize = 10_000;

/// What tokens opened when they were last looked up.
#[derive(Debug, Default)]
pub(crate) struct KnownTokens {
    known: Mutex<HashMap<TokenHandle, Known>>,
}

/// A token as it was found.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) hash: TokenHash,
    pub(crate) access: Access,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) since: Instant,
}

impl KnownTokens {
    /// What the token opens now, if that is still known.
    pub(crate) fn find(&self, hash: &TokenHash, now: Timestamp) -> Option<Access> {
        let known = self.lock();
        let token = known.get(&hash.handle())?;
        let is_open = token.hash == *hash && token.expires_at.is_none_or(|end| now < end);
        (is_open && token.since.elapsed() < KNOWN_FOR).then(|| token.access.clone())
    }

    pub(crate) fn remember(&self, token: Known) {
        let mut known = self.lock();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(token.hash.handle(), token);
    }

    /// For when a token was revoked here.
    pub(crate) fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<TokenHandle, Known>> {
        self.known.lock().expect("nothing panics while it is held")
    }
}

#[cfg(test)]
mod tests {
    use showreport_model::TokenId;

    use super::*;
    use crate::tokens::Scope;

    #[test]
    fn a_token_is_known_for_a_while_until_it_expires_or_is_forgotten() {
        let at = |millis| Timestamp::MIN.saturating_add_millis(millis);
        let access = Access {
            token: TokenId::generate(),
            org: showreport_model::OrgId::new("acme").unwrap(),
            scopes: Scope::Collect.into(),
        };
        let since = Instant::now();
        let hash = TokenHash::from_bytes(&[7; 32]).unwrap();
        let token = |since| Known {
            hash,
            access: access.clone(),
            expires_at: Some(at(2000)),
            since,
        };
        let known = KnownTokens::default();
        assert_eq!(known.find(&hash, at(1000)), None);
        known.remember(token(since));
        let mut half = [7; 32];
        half[31] = 8;
        let half = TokenHash::from_bytes(&half).unwrap();
        assert_eq!(known.find(&half, at(1000)), None, "found, and is another");
        assert_eq!(known.find(&hash, at(1999)), Some(access.clone()));
        assert_eq!(known.find(&hash, at(2000)), None, "expired");
        known.forget();
        assert_eq!(known.find(&hash, at(1000)), None, "forgotten");
        if let Some(long_ago) = since.checked_sub(KNOWN_FOR) {
            known.remember(token(long_ago));
            assert_eq!(known.find(&hash, at(1000)), None, "looked up too long ago");
        }
    }
}
