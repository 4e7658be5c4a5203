//! How often a wrong password may be tried.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use showreport_model::Timestamp;

/// The time in which attempts are counted, in milliseconds.
const WINDOW_MS: i64 = 15 * 60_000;

/// Limits memory. When there are more keys, those without a recent attempt are removed.
const KEYS_MAX: usize = 20_000;

/// Attempts of each key within [`WINDOW_MS`].
#[derive(Debug)]
pub(crate) struct Attempts<K> {
    each_max: usize,
    times: Mutex<HashMap<K, Vec<Timestamp>>>,
}

impl<K: Clone + Eq + Hash> Attempts<K> {
    /// Allows each key so many attempts.
    pub(crate) fn new(each_max: usize) -> Self {
        Self {
            each_max,
            times: Mutex::default(),
        }
    }

    /// Counts an attempt before it is made, so that many at once are counted too. The error is the
    /// time in milliseconds until another one is allowed.
    pub(crate) fn begin(&self, key: &K, now: Timestamp) -> Result<(), i64> {
        let begins = now.saturating_add_millis(-WINDOW_MS);
        let mut all = self.lock();
        if all.len() >= KEYS_MAX {
            all.retain(|_, times| times.iter().any(|at| *at > begins));
        }
        if all.len() >= KEYS_MAX {
            // An attacker with many addresses: forgetting is better than refusing everyone.
            all.clear();
        }
        let times = all.entry(key.clone()).or_default();
        times.retain(|at| *at > begins);
        if times.len() < self.each_max {
            times.push(now);
            return Ok(());
        }
        let ends = times[0].saturating_add_millis(WINDOW_MS);
        Err(ends.as_millis() - now.as_millis())
    }

    /// Takes back the last attempt: it was no wrong password.
    pub(crate) fn take_back(&self, key: &K) {
        if let Some(times) = self.lock().get_mut(key) {
            times.pop();
        }
    }

    /// Takes back all attempts of a key.
    pub(crate) fn forget(&self, key: &K) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Vec<Timestamp>>> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::MIN.saturating_add_millis(1_000_000_000 + millis)
    }

    #[test]
    fn a_key_has_so_many_attempts_in_fifteen_minutes() {
        let attempts = Attempts::new(2);
        assert_eq!(attempts.begin(&"a", at(0)), Ok(()));
        assert_eq!(attempts.begin(&"a", at(1_000)), Ok(()));
        assert_eq!(attempts.begin(&"a", at(1_000)), Err(WINDOW_MS - 1_000));
        assert_eq!(attempts.begin(&"b", at(1_000)), Ok(()));
        assert_eq!(attempts.begin(&"a", at(WINDOW_MS - 1)), Err(1));
        assert_eq!(attempts.begin(&"a", at(WINDOW_MS)), Ok(()));
        assert_eq!(attempts.begin(&"a", at(WINDOW_MS)), Err(1_000));
        attempts.take_back(&"a");
        assert_eq!(attempts.begin(&"a", at(WINDOW_MS)), Ok(()));
        attempts.forget(&"a");
        assert_eq!(attempts.begin(&"a", at(WINDOW_MS)), Ok(()));
    }

    #[test]
    fn the_memory_for_attempts_is_bounded() {
        let attempts = Attempts::new(1);
        for key in 0..2 * KEYS_MAX {
            attempts.begin(&key, at(0)).unwrap();
        }
        assert!(attempts.lock().len() <= KEYS_MAX);
    }
}
