//! [`OneAtATime`]: locks by key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::permits::Key;

type Locks<K> = Arc<Mutex<HashMap<K, Arc<AsyncMutex<()>>>>>;

/// A lock for each key that is in use. The requests for a key get its lock in the order in which
/// they came.
#[derive(Debug)]
pub(super) struct OneAtATime<K: Key>(Locks<K>);

/// The lock of a key. It is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Guard<K: Key> {
    // Dropped before the entry: the next request has the lock then.
    _held: OwnedMutexGuard<()>,
    _entry: Entry<K>,
}

/// A request that has the lock of a key or waits for it. The last one removes the lock.
#[derive(Debug)]
struct Entry<K: Key> {
    locks: Locks<K>,
    key: K,
    lock: Arc<AsyncMutex<()>>,
}

impl<K: Key> Default for OneAtATime<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Key> OneAtATime<K> {
    /// Waits for the lock of a key.
    pub(super) async fn lock(&self, key: &K) -> Guard<K> {
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            locks.entry(key.clone()).or_default().clone()
        };
        let entry = Entry {
            locks: self.0.clone(),
            key: key.clone(),
            lock,
        };
        let held = entry.lock.clone().lock_owned().await;
        Guard {
            _held: held,
            _entry: entry,
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// The map and this entry have the lock of a key that no other request uses.
const LAST: usize = 2;

impl<K: Key> Drop for Entry<K> {
    fn drop(&mut self) {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::strong_count(&self.lock) == LAST {
            locks.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::poll;

    use super::*;

    #[tokio::test]
    async fn a_key_has_one_holder_and_others_do_not_wait_for_it() {
        let locks = OneAtATime::default();
        let first = locks.lock(&"a").await;
        let mut second = pin!(locks.lock(&"a"));
        assert!(poll!(second.as_mut()).is_pending());
        drop(locks.lock(&"b").await);
        assert_eq!(locks.len(), 1);
        drop(first);
        drop(second.await);
        assert_eq!(locks.len(), 0);
    }

    #[tokio::test]
    async fn a_request_that_ends_while_it_waits_leaves_no_lock() {
        let locks = OneAtATime::default();
        let first = locks.lock(&"a").await;
        {
            let mut second = pin!(locks.lock(&"a"));
            assert!(poll!(second.as_mut()).is_pending());
        }
        assert_eq!(locks.len(), 1);
        drop(first);
        assert_eq!(locks.len(), 0);
    }
}
