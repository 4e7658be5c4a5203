//! A bound on the memory that all requests together may take.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many bytes of bodies, and of what was made of them, may be in memory at one time.
///
/// Bytes are counted as they arrive, so that announcing a large body takes nothing.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicUsize,
    max: usize,
}

impl Budget {
    /// So many at most.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            used: AtomicUsize::new(0),
            max,
        }
    }
}

/// One request's part of the [`Budget`], given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Share {
    /// Nothing yet.
    pub(crate) fn new(budget: Arc<Budget>) -> Self {
        Self { budget, bytes: 0 }
    }

    /// Takes more; false where that is more than there is.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let used = self.budget.used.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        used + bytes <= self.budget.max
    }

    /// Stands for something else from now on, such as what was read from a body.
    /// That is granted in any case: it is there already.
    pub(crate) fn set(&mut self, bytes: usize) {
        self.budget.used.fetch_add(bytes, Ordering::Relaxed);
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = bytes;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_given_back() {
        let budget = Arc::new(Budget::new(10));
        let share = |bytes| {
            let mut share = Share::new(budget.clone());
            let granted = share.grow(bytes);
            (share, granted)
        };
        let (first, granted) = share(8);
        assert!(granted);
        assert!(!share(3).1);
        drop(first);
        let (mut second, granted) = share(2);
        assert!(granted);
        second.set(9);
        assert!(!share(2).1);
        drop(second);
        assert!(share(10).1);
        assert_eq!(budget.used.load(Ordering::Relaxed), 0);
    }
}
