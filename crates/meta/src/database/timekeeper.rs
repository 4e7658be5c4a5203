//! [`Timekeeper`]: the clock of this process, and whether it can be trusted.
//!
//! The clock can be set to any time. It is compared with two others: the time of the last
//! transaction, which the database keeps, and the monotonic clock of this process.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use showreport_model::{Clock, Timestamp};

/// How far the clock may differ from the others. Daylight saving, done wrong, is an hour.
const TRUSTED_MS: i64 = 3_600_000;

/// How long a clock that went forward is in doubt, if it is not confirmed.
const DOUBT_MS: i64 = 3_600_000;

/// The clock, and what it is compared with.
#[derive(Debug)]
pub(crate) struct Timekeeper {
    clock: Arc<dyn Clock>,
    /// The latest time of a transaction that this process knows of, in milliseconds.
    committed_at: AtomicI64,
    /// Whether it was found behind when it was last looked at.
    is_behind: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When the clock was last trusted: by itself, and by the monotonic clock.
    base: (Timestamp, Option<Instant>),
    doubt: Option<Doubt>,
}

/// Why nothing may be deleted or published.
#[derive(Debug, Clone, Copy)]
struct Doubt {
    begun: Option<Instant>,
    from: Timestamp,
    /// Confirmations by then: one more ends it.
    confirmations: i64,
}

/// A doubt that has just begun, for the database to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NewDoubt {
    /// The time at which it begins.
    pub(crate) from: Timestamp,
    /// The time at which it ends by itself.
    pub(crate) until: Timestamp,
}

impl Timekeeper {
    /// The clock of a process that starts now.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let base = (clock.now(), clock.steady());
        Self {
            clock,
            committed_at: AtomicI64::new(i64::MIN),
            is_behind: AtomicBool::new(false),
            state: Mutex::new(State { base, doubt: None }),
        }
    }

    /// The time that a transaction has. Of a clock that went forward a moment ago it is not the
    /// clock's, so that nothing is wrong once the clock is set right.
    pub(crate) fn commit_time(&self) -> Timestamp {
        let now = self.clock.now();
        let expected = self.state().expected(&*self.clock);
        expected.filter(|&it| is_after(now, it)).unwrap_or(now)
    }

    /// Notes the time of the last transaction.
    pub(crate) fn note_commit(&self, at: Timestamp) {
        self.committed_at.store(at.as_millis(), Ordering::Relaxed);
    }

    /// The time, and that of the last transaction that this process knows of, if the clock is long
    /// before it.
    pub(crate) fn behind(&self) -> Option<(Timestamp, Timestamp)> {
        let committed_ms = self.committed_at.load(Ordering::Relaxed);
        let committed_at = Timestamp::from_millis(committed_ms).ok()?;
        let now = self.clock.now();
        is_after(committed_at, now).then_some((now, committed_at))
    }

    /// Notes whether the clock is behind; true, if that has changed.
    pub(crate) fn note_behind(&self, is_behind: bool) -> bool {
        self.is_behind.swap(is_behind, Ordering::Relaxed) != is_behind
    }

    /// Doubts the clock of a process that starts long after the last transaction.
    pub(crate) fn doubt_start(
        &self,
        committed_at: Timestamp,
        confirmations: i64,
    ) -> Option<NewDoubt> {
        let now = self.clock.now();
        is_after(now, committed_at).then(|| {
            let mut state = self.state();
            state.begin_doubt(now, self.clock.steady(), confirmations)
        })
    }

    /// Looks at the clock: whether it is in doubt, and what is new for the database to keep.
    pub(crate) fn look(&self, confirmations: i64) -> (bool, Option<NewDoubt>) {
        let (now, steady) = (self.clock.now(), self.clock.steady());
        let mut state = self.state();
        let has_jumped = state
            .expected(&*self.clock)
            .is_some_and(|expected| is_after(now, expected));
        match state.doubt {
            None if has_jumped => {
                let new = state.begin_doubt(now, steady, confirmations);
                (true, Some(new))
            }
            None => (false, None),
            Some(doubt) if doubt.is_over(now, steady, confirmations) => {
                state.base = (now, steady);
                state.doubt = None;
                (false, None)
            }
            Some(_) => (true, None),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it is held")
    }
}

impl State {
    /// What the clock would say if it had not been set since it was trusted.
    fn expected(&self, clock: &dyn Clock) -> Option<Timestamp> {
        let (trusted, base) = self.base;
        let passed = clock.steady()?.saturating_duration_since(base?);
        let passed_ms = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
        Some(trusted.saturating_add_millis(passed_ms))
    }

    fn begin_doubt(
        &mut self,
        now: Timestamp,
        steady: Option<Instant>,
        confirmations: i64,
    ) -> NewDoubt {
        self.doubt = Some(Doubt {
            begun: steady,
            from: now,
            confirmations,
        });
        NewDoubt {
            from: now,
            until: now.saturating_add_millis(DOUBT_MS),
        }
    }
}

impl Doubt {
    /// Whether it was long enough, a confirmation came, or the clock has gone back since. How long
    /// is not asked of the clock that is in doubt, where there is another.
    fn is_over(&self, now: Timestamp, steady: Option<Instant>, confirmations: i64) -> bool {
        let lasted = match (self.begun, steady) {
            (Some(begun), Some(steady)) => steady.saturating_duration_since(begun),
            _ => Duration::from_millis(
                u64::try_from(now.as_millis() - self.from.as_millis()).unwrap_or(0),
            ),
        };
        lasted.as_millis() >= DOUBT_MS.unsigned_abs().into()
            || confirmations > self.confirmations
            || is_after(self.from, now)
    }
}

/// Whether a time is later than another by more than clocks may differ.
pub(crate) fn is_after(time: Timestamp, other: Timestamp) -> bool {
    time.as_millis() - other.as_millis() > TRUSTED_MS
}
