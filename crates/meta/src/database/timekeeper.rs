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

/// The clock, and the two that it is compared with.
#[derive(Debug)]
pub(crate) struct Timekeeper {
    clock: Arc<dyn Clock>,
    /// The latest time of a transaction that this process has seen, in milliseconds.
    committed_at: AtomicI64,
    /// The result of the last [`Timekeeper::note_behind`].
    is_behind: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The last instant at which the clock was trusted, by itself and by the monotonic clock.
    base: (Timestamp, Option<Instant>),
    doubt: Option<Doubt>,
}

/// While there is one, nothing may be deleted or published.
#[derive(Debug, Clone, Copy)]
struct Doubt {
    begun: Option<Instant>,
    from: Timestamp,
    /// Confirmations at its beginning: one more ends it.
    confirmations: i64,
}

/// A doubt that has just begun and is to be stored in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NewDoubt {
    pub(crate) from: Timestamp,
    /// It ends then without a confirmation.
    pub(crate) until: Timestamp,
}

/// The result of [`Timekeeper::check`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClockCheck {
    Trusted,
    InDoubt,
    /// The clock is in doubt from now on.
    DoubtBegins(NewDoubt),
}

impl Timekeeper {
    /// The timekeeper of a process that starts now.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let base = (clock.now(), clock.steady());
        Self {
            clock,
            committed_at: AtomicI64::new(i64::MIN),
            is_behind: AtomicBool::new(false),
            state: Mutex::new(State { base, doubt: None }),
        }
    }

    /// The time of a transaction. If the clock went forward a moment ago it is the expected time,
    /// so that no stored time is wrong once the clock is set right.
    pub(crate) fn commit_time(&self) -> Timestamp {
        let now = self.clock.now();
        let expected = self.state().expected(&*self.clock);
        expected.filter(|&it| is_after(now, it)).unwrap_or(now)
    }

    /// Notes the time of the last transaction.
    pub(crate) fn note_commit(&self, at: Timestamp) {
        self.committed_at.store(at.as_millis(), Ordering::Relaxed);
    }

    /// The time and the time of the last transaction, if the clock is long before that.
    pub(crate) fn behind(&self) -> Option<(Timestamp, Timestamp)> {
        let committed_ms = self.committed_at.load(Ordering::Relaxed);
        let committed_at = Timestamp::from_millis(committed_ms).ok()?;
        let now = self.clock.now();
        is_after(committed_at, now).then_some((now, committed_at))
    }

    /// Notes whether the clock is behind. Returns whether that has changed.
    pub(crate) fn note_behind(&self, is_behind: bool) -> bool {
        self.is_behind.swap(is_behind, Ordering::Relaxed) != is_behind
    }

    /// Puts the clock in doubt if the process starts long after the last transaction.
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

    /// Compares the clock with the monotonic clock. `confirmations` is the stored number: a greater
    /// one ends a doubt.
    pub(crate) fn check(&self, confirmations: i64) -> ClockCheck {
        let (now, steady) = (self.clock.now(), self.clock.steady());
        let mut state = self.state();
        let has_jumped = state
            .expected(&*self.clock)
            .is_some_and(|expected| is_after(now, expected));
        match state.doubt {
            None if has_jumped => {
                ClockCheck::DoubtBegins(state.begin_doubt(now, steady, confirmations))
            }
            None => ClockCheck::Trusted,
            Some(doubt) if doubt.is_over(now, steady, confirmations) => {
                state.base = (now, steady);
                state.doubt = None;
                ClockCheck::Trusted
            }
            Some(_) => ClockCheck::InDoubt,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it is held")
    }
}

impl State {
    /// The time of the clock if it had not been set since it was trusted.
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
    /// Whether an hour has passed, the clock was confirmed, or it has gone back. The hour is
    /// measured by the monotonic clock where there is one.
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

/// Whether a time is later than another by more than [`TRUSTED_MS`].
pub(crate) fn is_after(time: Timestamp, other: Timestamp) -> bool {
    time.as_millis() - other.as_millis() > TRUSTED_MS
}
