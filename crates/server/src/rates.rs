//! Rates: how many requests or records a minute an organisation or a token may send. Each has a
//! bucket that fills evenly (token bucket).

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use showreport_model::Timestamp;

/// Parts of one unit. A rate of one a minute adds one part in a millisecond.
const PARTS: i64 = 60_000;

/// A rate with a bucket for each key that was used.
#[derive(Debug)]
pub(crate) struct RateLimits<K> {
    name: &'static str,
    per_minute: u32,
    buckets: Mutex<HashMap<K, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// Negative after a request with more records than were left.
    parts: i64,
    filled_at: Timestamp,
}

impl<K: Clone + Eq + Hash> RateLimits<K> {
    /// A rate of `per_minute`, all of which may come at once. `name` is that of the setting.
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

    /// The rate.
    pub(crate) const fn per_minute(&self) -> u32 {
        self.per_minute
    }

    /// Takes one from the bucket. The error is the time in milliseconds until there is one.
    pub(crate) fn take(&self, key: &K, now: Timestamp) -> Result<(), i64> {
        self.with(key, now, |parts, rate| {
            if *parts >= PARTS {
                *parts -= PARTS;
                return Ok(());
            }
            Err(wait_ms(*parts, rate))
        })
    }

    /// Checks that there is one. The error is the time in milliseconds until there is.
    pub(crate) fn check(&self, key: &K, now: Timestamp) -> Result<(), i64> {
        self.with(key, now, |parts, rate| {
            if *parts >= PARTS {
                return Ok(());
            }
            Err(wait_ms(*parts, rate))
        })
    }

    /// Takes `count`, also if fewer are left: the number of records is known only when a request is
    /// decoded. The next requests are refused until the bucket has filled again.
    pub(crate) fn charge(&self, key: &K, count: usize, now: Timestamp) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.with(key, now, |parts, _| {
            *parts = parts.saturating_sub(count.saturating_mul(PARTS));
        });
    }

    /// Fills a bucket up to now, and gives its parts and the parts that are added in a millisecond.
    fn with<T>(&self, key: &K, now: Timestamp, work: impl FnOnce(&mut i64, i64) -> T) -> T {
        let rate = i64::from(self.per_minute);
        let full = Bucket {
            parts: rate * PARTS,
            filled_at: now,
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(key.clone()).or_insert(full);
        // A clock that is set back adds nothing.
        let passed = (now.as_millis() - bucket.filled_at.as_millis()).max(0);
        bucket.parts = passed
            .saturating_mul(rate)
            .saturating_add(bucket.parts)
            .min(full.parts);
        bucket.filled_at = now;
        work(&mut bucket.parts, rate)
    }
}

/// The time in milliseconds until there is one.
const fn wait_ms(parts: i64, rate: i64) -> i64 {
    PARTS.saturating_sub(parts).saturating_add(rate - 1) / rate
}

#[cfg(test)]
mod tests {
    use showreport_model::OrgId;

    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_evenly_for_each_organisation() {
        let rates = RateLimits::new("requests_per_minute", 120);
        let org = |name: &str| OrgId::new(name).unwrap();
        let at = |millis| Timestamp::MIN.saturating_add_millis(millis);
        for _ in 0..120 {
            rates.take(&org("acme"), at(0)).unwrap();
        }
        assert_eq!(rates.take(&org("acme"), at(0)), Err(500));
        assert_eq!(rates.take(&org("acme"), at(499)), Err(1));
        assert_eq!(rates.take(&org("rival"), at(499)), Ok(()));
        assert_eq!(rates.take(&org("acme"), at(500)), Ok(()));
        // A jump of the clock fills the bucket at most, and removes nothing.
        for _ in 0..120 {
            rates.take(&org("acme"), at(1_000_000_000)).unwrap();
        }
        assert_eq!(rates.take(&org("acme"), at(0)), Err(500));
        assert_eq!(rates.take(&org("acme"), at(500)), Ok(()));
    }

    #[test]
    fn a_request_with_too_many_records_delays_the_next() {
        let rates = RateLimits::new("records_per_minute", 60);
        let at = |millis| Timestamp::MIN.saturating_add_millis(millis);
        assert_eq!(rates.check(&"a", at(0)), Ok(()));
        rates.charge(&"a", 90, at(0));
        // One a second: 30 too many, and one more.
        assert_eq!(rates.check(&"a", at(0)), Err(31_000));
        assert_eq!(rates.check(&"b", at(0)), Ok(()));
        assert_eq!(rates.check(&"a", at(30_999)), Err(1));
        assert_eq!(rates.check(&"a", at(31_000)), Ok(()));
        rates.charge(&"a", usize::MAX, at(31_000));
        assert!(rates.check(&"a", at(31_000)).is_err());
    }
}
