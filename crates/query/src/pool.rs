//! The memory of all questions together: shared evenly among what can spill.
//!
//! The engine's own fair pool gives every operator of a plan an equal share,
//! busy or not, and lets those that can spill take everything, so that one that
//! cannot, such as a merge or a file being written, finds nothing left and the
//! question fails. Those are few and small: here they always get what they ask
//! for, and what can spill shares the rest among those that hold something.
//!
//! An operator that is refused spills: it gives back what it holds, and takes
//! as much again to sort it on its way out. If the shares have become smaller
//! meanwhile, refusing that would fail the question, so it is granted once.

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;

use datafusion::common::resources_datafusion_err;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// What an operator is given whatever the others hold: with less a sort of wide
/// rows cannot go on.
const SHARE_BYTES_MIN: usize = 8 << 20;

/// What one that holds nothing is given at once: a sort that cannot hold one batch has nothing to
/// spill, and would fail.
const FIRST_BYTES_MAX: usize = 32 << 20;

/// A pool of so many bytes.
#[derive(Debug)]
pub(crate) struct SharedPool {
    bytes_max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Operators that can spill and hold something or were refused, by their number.
    spillable: HashMap<usize, Share>,
    spillable_bytes: usize,
    other_bytes: usize,
}

#[derive(Debug, Default, Clone, Copy)]
struct Share {
    held: usize,
    /// What it may hold once, in order to spill.
    credit: usize,
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
    fn grow(&mut self, consumer: &MemoryConsumer, additional: usize) {
        if consumer.can_spill() {
            let share = self.spillable.entry(consumer.id()).or_default();
            share.held += additional;
            share.credit = 0;
            self.spillable_bytes += additional;
        } else {
            self.other_bytes += additional;
        }
    }

    fn shrink(&mut self, consumer: &MemoryConsumer, shrink: usize) {
        if consumer.can_spill() {
            self.spillable.entry(consumer.id()).or_default().held -= shrink;
            self.spillable_bytes -= shrink;
        } else {
            self.other_bytes -= shrink;
        }
    }

    /// Whether an operator that can spill may hold so much.
    fn fits(&self, bytes_max: usize, consumer: &MemoryConsumer, additional: usize) -> bool {
        let Share { held, credit } = self.share(consumer);
        let wanted = held + additional;
        if wanted <= SHARE_BYTES_MIN.max(credit) || (held == 0 && wanted <= FIRST_BYTES_MAX) {
            return true;
        }
        let rest = bytes_max.saturating_sub(self.other_bytes);
        let others = self.spillable.iter();
        let others = others.filter(|(id, share)| **id != consumer.id() && share.held > 0);
        let share = rest / (others.count() + 1);
        self.spillable_bytes + additional <= rest && wanted <= share
    }

    fn share(&self, consumer: &MemoryConsumer) -> Share {
        let share = self.spillable.get(&consumer.id());
        share.copied().unwrap_or_default()
    }

    fn refuse(&mut self, consumer: &MemoryConsumer, additional: usize) {
        let share = self.spillable.entry(consumer.id()).or_default();
        share.credit = share.held + additional;
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

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.state().spillable.remove(&consumer.id());
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.state().grow(reservation.consumer(), additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.state().shrink(reservation.consumer(), shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut state = self.state();
        let consumer = reservation.consumer();
        if consumer.can_spill() && !state.fits(self.bytes_max, consumer, additional) {
            state.refuse(consumer, additional);
            return Err(resources_datafusion_err!(
                "{} has its share, {} bytes",
                consumer.name(),
                state.share(consumer).held
            ));
        }
        state.grow(consumer, additional);
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_can_spill_shares_and_what_cannot_always_gets() {
        let pool: Arc<dyn MemoryPool> = Arc::new(SharedPool::new(64 << 20));
        let named = |name: &str, can_spill| {
            MemoryConsumer::new(name)
                .with_can_spill(can_spill)
                .register(&pool)
        };
        let idle = named("idle", true);
        let sort = named("sort", true);
        let group = named("group", true);
        sort.try_grow(48 << 20).expect("it alone holds something");
        group
            .try_grow(8 << 20)
            .expect("the least share is everyone's");
        group.try_grow(9 << 20).expect_err("the sort left no more");
        sort.try_grow(1 << 20)
            .expect_err("it has more than its half");
        sort.shrink(48 << 20);
        sort.try_grow(48 << 20).expect("once, to spill");
        sort.shrink(48 << 20);
        sort.try_grow(48 << 20).expect_err("it has spilled");
        group.try_grow(9 << 20).expect("the sort has spilled");

        let wide = named("wide", true);
        wide.try_grow(32 << 20).expect("a batch, to begin with");
        wide.try_grow(1 << 20)
            .expect_err("it holds something to spill");
        wide.free();

        let merge = named("merge", false);
        merge.try_grow(128 << 20).expect("it cannot spill");
        idle.try_grow(1 << 20)
            .expect("the least share is everyone's");
        drop((idle, sort, group, merge));
        assert_eq!(pool.reserved(), 0);
    }
}
