//! The memory of all questions together: shared evenly among what can spill.
//!
//! The engine's own fair pool lets spilling operators take everything, so that
//! one that cannot spill, such as a merge or a file being written, finds nothing
//! left and the question fails. Those are few and small: here they always get
//! what they ask for, and what can spill gets an even share of the rest, but
//! never less than it needs to go on.

use std::fmt;
use std::sync::Mutex;

use datafusion::common::resources_datafusion_err;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// An operator's least share. Every operator of a plan counts as one that
/// shares, though few work at the same time; with less than this a sort of wide
/// rows cannot merge what it has spilled.
const SHARE_BYTES_MIN: usize = 16 << 20;

/// A pool of so many bytes.
#[derive(Debug)]
pub(crate) struct SharedPool {
    bytes_max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    spilling: usize,
    spillable_bytes: usize,
    other_bytes: usize,
}

impl SharedPool {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding it")
    }
}

impl State {
    fn bytes(&mut self, reservation: &MemoryReservation) -> &mut usize {
        if reservation.consumer().can_spill() {
            &mut self.spillable_bytes
        } else {
            &mut self.other_bytes
        }
    }
}

impl fmt::Display for SharedPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shared(pool_size: {})", self.bytes_max)
    }
}

impl MemoryPool for SharedPool {
    fn name(&self) -> &'static str {
        "shared"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        if consumer.can_spill() {
            self.state().spilling += 1;
        }
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        if consumer.can_spill() {
            self.state().spilling -= 1;
        }
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        *self.state().bytes(reservation) += additional;
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        *self.state().bytes(reservation) -= shrink;
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut state = self.state();
        if reservation.consumer().can_spill() {
            let rest = self.bytes_max.saturating_sub(state.other_bytes);
            let share = (rest / state.spilling.max(1)).max(SHARE_BYTES_MIN);
            if reservation.size() + additional > share {
                return Err(resources_datafusion_err!(
                    "{} has its share of {share} bytes",
                    reservation.consumer().name()
                ));
            }
        }
        *state.bytes(reservation) += additional;
        Ok(())
    }

    fn reserved(&self) -> usize {
        let state = self.state();
        state.spillable_bytes + state.other_bytes
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.bytes_max)
    }
}
