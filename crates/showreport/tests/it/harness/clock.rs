//! A clock that stands still until a test moves it.

use std::sync::atomic::{AtomicI64, Ordering};

use showreport_model::{Clock, Timestamp};

/// The instant at which every test begins: 2026-11-25T20:00:00Z.
pub(crate) const BEGINNING: i64 = 1_795_636_800_000;

#[derive(Debug)]
pub(crate) struct ManualClock(AtomicI64);

impl ManualClock {
    pub(crate) const fn new() -> Self {
        Self(AtomicI64::new(BEGINNING))
    }

    pub(crate) fn advance_millis(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }

    pub(crate) fn advance_hours(&self, hours: i64) {
        self.advance_millis(hours * 3_600_000);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst)).expect("tests stay in this century")
    }
}
