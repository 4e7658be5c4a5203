//! Buckets of time.

use std::sync::Arc;

use crate::time::{Timestamp, Zone};

/// The width of a bucket in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Granularity(u32);

/// A width that is none of [`Granularity::SECONDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is no granularity; in seconds it is one of 1, 5, 10, 15, 30, 60, 300, 900, 3600, 86400"
)]
pub struct UnknownGranularity(pub u32);

impl Granularity {
    /// The possible widths.
    pub const SECONDS: [u32; 10] = [1, 5, 10, 15, 30, 60, 300, 900, 3600, DAY_SECONDS];

    /// The width of buckets of the content, where none is asked for.
    pub const TEN_SECONDS: Self = Self(10);

    /// Each granularity, from the finest to the coarsest.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::SECONDS.into_iter().map(Self)
    }

    /// The width in seconds.
    pub const fn seconds(self) -> u32 {
        self.0
    }
}

const DAY_SECONDS: u32 = 86_400;

impl Default for Granularity {
    /// A minute.
    fn default() -> Self {
        Self(60)
    }
}

impl TryFrom<u32> for Granularity {
    type Error = UnknownGranularity;

    fn try_from(seconds: u32) -> Result<Self, UnknownGranularity> {
        if Self::SECONDS.contains(&seconds) {
            Ok(Self(seconds))
        } else {
            Err(UnknownGranularity(seconds))
        }
    }
}

impl From<Granularity> for u32 {
    fn from(granularity: Granularity) -> Self {
        granularity.0
    }
}

/// A division of time into numbered buckets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Buckets {
    /// Buckets of equal length, in milliseconds, counted from 1970 UTC.
    Clock(i64),
    /// Days of a zone: the first millisecond of each, ascending.
    Days(Arc<[i64]>),
}

impl Buckets {
    /// Buckets of a granularity. Those of a day are the days of the zone.
    pub fn new(granularity: Granularity, zone: &Zone) -> Self {
        if granularity.0 == DAY_SECONDS && *zone != Zone::utc() {
            let until = "2200-01-01T00:00:00Z"
                .parse()
                .expect("a literal of the right form");
            let starts = zone.day_starts(Timestamp::MIN, until);
            Self::Days(starts.iter().map(|start| start.as_millis()).collect())
        } else {
            Self::Clock(i64::from(granularity.0) * 1000)
        }
    }

    /// The number of the bucket that contains the instant.
    pub fn index(&self, at: i64) -> i64 {
        match self {
            Self::Clock(width) => at.div_euclid(*width),
            Self::Days(starts) => {
                let after = starts.partition_point(|&start| start <= at);
                i64::try_from(after).expect("few days") - 1
            }
        }
    }

    /// The first instant of the bucket.
    pub fn start(&self, index: i64) -> i64 {
        match self {
            Self::Clock(width) => index * width,
            Self::Days(starts) => {
                let last = starts.len() - 1;
                starts[usize::try_from(index).unwrap_or(0).min(last)]
            }
        }
    }

    /// The first instant of the bucket that contains the instant.
    pub fn floor(&self, at: i64) -> i64 {
        self.start(self.index(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_zone() {
        let zone: Zone = "Asia/Taipei".parse().expect("zone");
        let day = Buckets::new(Granularity::try_from(86_400).expect("offered"), &zone);
        let at: Timestamp = "2026-11-22T15:59:59.999Z".parse().expect("time");
        let start = Timestamp::from_millis(day.floor(at.as_millis())).expect("in range");
        assert_eq!(start.to_string(), "2026-11-21T16:00:00.000Z");
        let next = Timestamp::from_millis(day.floor(at.as_millis() + 1)).expect("in range");
        assert_eq!(next.to_string(), "2026-11-22T16:00:00.000Z");
    }
}
