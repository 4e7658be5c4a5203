//! How many requests an organisation may make: a bucket for each that fills evenly.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use showreport_model::{OrgId, Timestamp};

/// Parts of a request: one is that of a rate of one a minute in a millisecond.
const PARTS: i64 = 60_000;

/// A bucket for each organisation that has asked for anything.
#[derive(Debug)]
pub(crate) struct Limits {
    per_minute: u32,
    buckets: Mutex<HashMap<OrgId, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    parts: i64,
    filled_at: Timestamp,
}

impl Limits {
    /// So many requests a minute, all of which may come at once.
    pub(crate) fn new(per_minute: u32) -> Self {
        Self {
            per_minute: per_minute.max(1),
            buckets: Mutex::default(),
        }
    }

    /// Requests a minute.
    pub(crate) const fn per_minute(&self) -> u32 {
        self.per_minute
    }

    /// Takes a request from the organisation's bucket; or says in how many milliseconds there is one.
    pub(crate) fn take(&self, org: &OrgId, now: Timestamp) -> Result<(), i64> {
        let rate = i64::from(self.per_minute);
        let full = Bucket {
            parts: rate * PARTS,
            filled_at: now,
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(org.clone()).or_insert(full);
        // A clock that goes back fills nothing.
        let passed = (now.as_millis() - bucket.filled_at.as_millis()).max(0);
        bucket.parts = passed
            .saturating_mul(rate)
            .saturating_add(bucket.parts)
            .min(full.parts);
        bucket.filled_at = now;
        if bucket.parts >= PARTS {
            bucket.parts -= PARTS;
            return Ok(());
        }
        Err((PARTS - bucket.parts + rate - 1) / rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_evenly_for_each_organisation() {
        let limits = Limits::new(120);
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
}
