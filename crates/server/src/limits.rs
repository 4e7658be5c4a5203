//! How much may come in a minute from an organisation, or a token: a bucket for each that fills evenly.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use showreport_model::Timestamp;

/// Parts of one: one part is what a rate of one a minute gives in a millisecond.
const PARTS: i64 = 60_000;

/// A bucket for each key that has asked for anything.
#[derive(Debug)]
pub(crate) struct Limits<K> {
    name: &'static str,
    per_minute: u32,
    buckets: Mutex<HashMap<K, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// Less than none after a request that was as much as several.
    parts: i64,
    filled_at: Timestamp,
}

impl<K: Clone + Eq + Hash> Limits<K> {
    /// So many a minute, all of which may come at once. The name is that of the setting.
    pub(crate) fn new(name: &'static str, per_minute: u32) -> Self {
        Self {
            name,
            per_minute: per_minute.max(1),
            buckets: Mutex::default(),
        }
    }

    /// The name of the setting.
    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    /// How many a minute.
    pub(crate) const fn per_minute(&self) -> u32 {
        self.per_minute
    }

    /// Takes one from the bucket; or says in how many milliseconds there is one.
    pub(crate) fn take(&self, key: &K, now: Timestamp) -> Result<(), i64> {
        self.with(key, now, |parts, rate| {
            if *parts >= PARTS {
                *parts -= PARTS;
                return Ok(());
            }
            Err(wait_ms(*parts, rate))
        })
    }

    /// Says in how many milliseconds there is one, where there is none.
    pub(crate) fn check(&self, key: &K, now: Timestamp) -> Result<(), i64> {
        self.with(key, now, |parts, rate| {
            if *parts >= PARTS {
                return Ok(());
            }
            Err(wait_ms(*parts, rate))
        })
    }

    /// Takes as many as there were, even if that is more than there are: how many come in a request
    /// is only known afterwards. The next requests wait until the bucket has filled again.
    pub(crate) fn charge(&self, key: &K, count: usize, now: Timestamp) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.with(key, now, |parts, _| {
            *parts = parts.saturating_sub(count.saturating_mul(PARTS));
        });
    }

    /// Works on the parts in a bucket as they are by now. They fill by the rate, in a millisecond.
    fn with<T>(&self, key: &K, now: Timestamp, work: impl FnOnce(&mut i64, i64) -> T) -> T {
        let rate = i64::from(self.per_minute);
        let full = Bucket {
            parts: rate * PARTS,
            filled_at: now,
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(key.clone()).or_insert(full);
        // A clock that goes back fills nothing.
        let passed = (now.as_millis() - bucket.filled_at.as_millis()).max(0);
        bucket.parts = passed
            .saturating_mul(rate)
            .saturating_add(bucket.parts)
            .min(full.parts);
        bucket.filled_at = now;
        work(&mut bucket.parts, rate)
    }
}

/// In how many milliseconds there is one again.
const fn wait_ms(parts: i64, rate: i64) -> i64 {
    PARTS.saturating_sub(parts).saturating_add(rate - 1) / rate
}

#[cfg(test)]
mod tests {
    use showreport_model::OrgId;

    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_evenly_for_each_organisation() {
        let limits = Limits::new("requests_per_minute", 120);
        let org = |name: &str| OrgId::new(name).unwrap();
        let at = |millis| Timestamp::MIN.saturating_add_millis(millis);
        for _ in 0..120 {
            limits.take(&org("acme"), at(0)).unwrap();
        }
        assert_eq!(limits.take(&org("acme"), at(0)), Err(500));
        assert_eq!(limits.take(&org("acme"), at(499)), Err(1));
        assert_eq!(limits.take(&org("rival"), at(499)), Ok(()));
        assert_eq!(limits.take(&org("acme"), at(500)), Ok(()));
        // A jump of the clock gives no more than a full bucket, and takes nothing.
        for _ in 0..120 {
            limits.take(&org("acme"), at(1_000_000_000)).unwrap();
        }
        assert_eq!(limits.take(&org("acme"), at(0)), Err(500));
        assert_eq!(limits.take(&org("acme"), at(500)), Ok(()));
    }

    #[test]
    fn what_is_more_than_there_is_holds_up_what_comes_next() {
        let limits = Limits::new("records_per_minute", 60);
        let at = |millis| Timestamp::MIN.saturating_add_millis(millis);
        assert_eq!(limits.check(&"a", at(0)), Ok(()));
        limits.charge(&"a", 90, at(0));
        // One a second: thirty too many, and the one that is asked for.
        assert_eq!(limits.check(&"a", at(0)), Err(31_000));
        assert_eq!(limits.check(&"b", at(0)), Ok(()));
        assert_eq!(limits.check(&"a", at(30_999)), Err(1));
        assert_eq!(limits.check(&"a", at(31_000)), Ok(()));
        limits.charge(&"a", usize::MAX, at(31_000));
        assert!(limits.check(&"a", at(31_000)).is_err());
    }
}
