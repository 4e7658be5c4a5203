//! A clock that only the test moves.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use showreport_model::{Clock, Timestamp};

/// The instant at which every test begins: 2026-11-25T20:00:00Z.
pub(crate) const BEGINNING: i64 = 1_795_636_800_000;

#[derive(Debug)]
pub(crate) struct ManualClock {
    now_ms: AtomicI64,
    /// The time that has passed, however the clock was set.
    passed_ms: AtomicI64,
    made: Instant,
}

impl ManualClock {
    pub(crate) fn new() -> Self {
        Self::at(BEGINNING)
    }

    /// A clock that shows this time, in milliseconds since 1970.
    pub(crate) fn at(now_ms: i64) -> Self {
        Self {
            now_ms: AtomicI64::new(now_ms),
            passed_ms: AtomicI64::new(0),
            made: Instant::now(),
        }
    }

    /// Lets time pass; negative values set the clock back.
    pub(crate) fn advance_millis(&self, millis: i64) {
        self.passed_ms.fetch_add(millis.max(0), Ordering::SeqCst);
        self.set_millis(millis);
    }

    pub(crate) fn advance_hours(&self, hours: i64) {
        self.advance_millis(hours * 3_600_000);
    }

    /// Sets the clock forward or back without time passing.
    pub(crate) fn set_hours(&self, hours: i64) {
        self.set_millis(hours * 3_600_000);
    }

    /// The same in milliseconds.
    pub(crate) fn set_millis(&self, millis: i64) {
        self.now_ms.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        let now_ms = self.now_ms.load(Ordering::SeqCst);
        Timestamp::from_millis(now_ms).expect("tests stay in this century")
    }

    fn steady(&self) -> Option<Instant> {
        let passed_ms = self.passed_ms.load(Ordering::SeqCst);
        Some(self.made + Duration::from_millis(passed_ms.unsigned_abs()))
    }
}
