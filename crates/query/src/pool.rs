//! The memory pool of all running queries.
//!
//! Operators that cannot spill, such as merges and file writers, are few and small, and are never
//! refused. The rest of the memory is divided evenly among the operators that can spill and hold a
//! reservation. The engine's own fair pool divides it among all operators of a plan, also idle
//! ones. It also lets those that can spill reserve everything, and then a merge fails the query.
//!
//! An operator that is refused spills: it frees its memory, then reserves as much again to sort the
//! rows. Its part may have become smaller meanwhile, and a second refusal would fail the query. So
//! that reservation is granted once.

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;

use datafusion::common::resources_datafusion_err;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// Every operator may reserve this much. With less, a sort of wide rows fails.
const OPERATOR_BYTES_MIN: usize = 8 << 20;

/// The first reservation of an operator is granted up to this size. A sort that cannot hold one
/// batch has nothing to spill, and fails.
const FIRST_BYTES_MAX: usize = 32 << 20;

#[derive(Debug)]
pub(crate) struct SharedPool {
    bytes_max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Operators that can spill, and hold memory or were refused; by the id of the consumer.
    spillable: HashMap<usize, Reserved>,
    spillable_bytes: usize,
    other_bytes: usize,
}

#[derive(Debug, Default, Clone, Copy)]
struct Reserved {
    bytes: usize,
    /// The bytes that are granted once after a refusal, for spilling.
    spill_bytes: usize,
}

impl SharedPool {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("no code panics while it holds the lock")
    }
}

impl State {
    fn grow(&mut self, consumer: &MemoryConsumer, additional: usize) {
        if consumer.can_spill() {
            let reserved = self.spillable.entry(consumer.id()).or_default();
            reserved.bytes += additional;
            reserved.spill_bytes = 0;
            self.spillable_bytes += additional;
        } else {
            self.other_bytes += additional;
        }
    }

    fn shrink(&mut self, consumer: &MemoryConsumer, shrink: usize) {
        if consumer.can_spill() {
            self.spillable.entry(consumer.id()).or_default().bytes -= shrink;
            self.spillable_bytes -= shrink;
        } else {
            self.other_bytes -= shrink;
        }
    }

    /// Whether an operator that can spill may reserve `additional` bytes.
    fn fits(&self, bytes_max: usize, consumer: &MemoryConsumer, additional: usize) -> bool {
        let Reserved { bytes, spill_bytes } = self.reserved(consumer);
        let wanted = bytes + additional;
        let is_first = bytes == 0 && wanted <= FIRST_BYTES_MAX;
        if is_first || wanted <= OPERATOR_BYTES_MIN.max(spill_bytes) {
            return true;
        }
        let rest = bytes_max.saturating_sub(self.other_bytes);
        let others = self.spillable.iter();
        let others = others.filter(|(id, other)| **id != consumer.id() && other.bytes > 0);
        let even_part = rest / (others.count() + 1);
        self.spillable_bytes + additional <= rest && wanted <= even_part
    }

    fn reserved(&self, consumer: &MemoryConsumer) -> Reserved {
        let reserved = self.spillable.get(&consumer.id());
        reserved.copied().unwrap_or_default()
    }

    fn refuse(&mut self, consumer: &MemoryConsumer, additional: usize) {
        let reserved = self.spillable.entry(consumer.id()).or_default();
        reserved.spill_bytes = reserved.bytes + additional;
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
                "{} has reserved its part of the memory, {} bytes",
                consumer.name(),
                state.reserved(consumer).bytes
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
    fn operators_that_can_spill_divide_what_the_others_leave() {
        let pool: Arc<dyn MemoryPool> = Arc::new(SharedPool::new(64 << 20));
        let named = |name: &str, can_spill| {
            MemoryConsumer::new(name)
                .with_can_spill(can_spill)
                .register(&pool)
        };
        let idle = named("idle", true);
        let sort = named("sort", true);
        let group = named("group", true);
        sort.try_grow(48 << 20)
            .expect("no other operator holds memory");
        group
            .try_grow(8 << 20)
            .expect("every operator may have the minimum");
        group
            .try_grow(9 << 20)
            .expect_err("the sort has left no more");
        sort.try_grow(1 << 20)
            .expect_err("the sort has more than half");
        sort.shrink(48 << 20);
        sort.try_grow(48 << 20).expect("granted once, for spilling");
        sort.shrink(48 << 20);
        sort.try_grow(48 << 20).expect_err("it has spilled");
        group.try_grow(9 << 20).expect("the sort has spilled");

        let wide = named("wide", true);
        wide.try_grow(32 << 20).expect("a first batch");
        wide.try_grow(1 << 20).expect_err("it has rows to spill");
        wide.free();

        let merge = named("merge", false);
        merge.try_grow(128 << 20).expect("it cannot spill");
        idle.try_grow(1 << 20)
            .expect("every operator may have the minimum");
        drop((idle, sort, group, merge));
        assert_eq!(pool.reserved(), 0);
    }
}
