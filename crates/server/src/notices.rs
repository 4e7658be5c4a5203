//! Texts that a visitor sees once: the secret of a new token, or the link of an invitation.
//!
//! The form that makes one is answered with 303, so that a page that is loaded again makes no
//! second one. The page after it takes the text out of memory; no file has it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use showreport_model::{Timestamp, TokenId};

/// How long a text waits for its page.
const LIFETIME_MS: i64 = 60_000;

/// Limits memory. Each session has at most one.
const NOTICES_MAX: usize = 1_000;

/// A text to be seen once. It has no `Debug`, since it holds a secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    /// What it is.
    pub(crate) title: String,
    pub(crate) secret: String,
    /// What to do with it.
    pub(crate) advice: &'static str,
}

/// The texts that wait, by session.
#[derive(Default)]
pub(crate) struct Notices(Mutex<HashMap<TokenId, (Timestamp, Notice)>>);

impl Notices {
    pub(crate) fn put(&self, session: TokenId, notice: Notice, now: Timestamp) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (made_at, _)| now < made_at.saturating_add_millis(LIFETIME_MS));
        if all.len() < NOTICES_MAX {
            all.insert(session, (now, notice));
        }
    }

    pub(crate) fn take(&self, session: TokenId, now: Timestamp) -> Option<Notice> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (made_at, notice) = all.remove(&session)?;
        (now < made_at.saturating_add_millis(LIFETIME_MS)).then_some(notice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_seen_once_by_its_session_and_not_late() {
        let notices = Notices::default();
        let at = |millis| Timestamp::MIN.saturating_add_millis(millis);
        let notice = Notice {
            title: "A token".to_owned(),
            secret: "sr_x".to_owned(),
            advice: "Keep it.",
        };
        let [one, other] = [TokenId::generate(), TokenId::generate()];
        notices.put(one, notice.clone(), at(0));
        assert!(notices.take(other, at(0)).is_none());
        assert!(notices.take(one, at(LIFETIME_MS - 1)) == Some(notice.clone()));
        assert!(notices.take(one, at(0)).is_none());
        notices.put(one, notice, at(0));
        assert!(notices.take(one, at(LIFETIME_MS)).is_none());
    }
}
