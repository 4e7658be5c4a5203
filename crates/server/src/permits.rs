//! [`FairPermits`]: the one limiter of this crate, of concurrency and of memory.
//!
//! There are so many permits in all and, fewer, for each key: an organisation, a link or the
//! address of a client. So one key never holds all of them. Requests that wait are granted permits
//! in turn by key: a request of a key that asks rarely does not wait behind all requests of one
//! that asks often.
//!
//! A request, a connection or a byte of memory takes one permit. Where permits are bytes, the
//! limiter is a [`MemoryQuota`] and a permit a [`Reservation`].

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::Hash;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use showreport_model::OrgId;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::error::{ApiError, Reason};

/// How many permits there are, and how long a request waits for one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Of all keys together.
    pub(crate) all_max: usize,
    /// Of one key.
    pub(crate) each_max: usize,
    /// A request that waits longer gets 503 with `Retry-After`.
    pub(crate) wait: Duration,
}

/// Permits for one kind of work. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct FairPermits<K: Key> {
    refusal: &'static str,
    shared: Shared<K>,
}

/// Bytes of memory, shared by organisations.
pub(crate) type MemoryQuota = FairPermits<OrgId>;

/// The part of a [`MemoryQuota`] that one request has.
pub(crate) type Reservation = Permit<OrgId>;

/// What permits are shared by.
pub(crate) trait Key: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static {}

impl<K: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static> Key for K {}

/// A permit, or several that are held together. It is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Permit<K: Key> {
    key: K,
    /// How many permits it stands for.
    width: usize,
    shared: Shared<K>,
}

#[derive(Debug, Clone)]
struct Shared<K: Key> {
    bounds: Bounds,
    state: Arc<Mutex<State<K>>>,
}

#[derive(Debug)]
struct State<K: Key> {
    held: usize,
    keys: HashMap<K, OfKey<K>>,
    /// Keys with requests that wait, each once, in the order of their turns.
    turns: VecDeque<K>,
}

/// The requests of one key. It is removed with the last of them.
#[derive(Debug)]
struct OfKey<K: Key> {
    held: usize,
    waiting: VecDeque<Waiting<K>>,
}

/// A request that waits.
#[derive(Debug)]
struct Waiting<K: Key> {
    width: usize,
    grant: oneshot::Sender<Permit<K>>,
}

impl<K: Key> FairPermits<K> {
    /// Permits within these bounds; `refusal` says what there is too much of.
    pub(crate) fn new(bounds: Bounds, refusal: &'static str) -> Self {
        let state = State {
            held: 0,
            keys: HashMap::new(),
            turns: VecDeque::new(),
        };
        let state = Arc::new(Mutex::new(state));
        Self {
            refusal,
            shared: Shared { bounds, state },
        }
    }

    /// How many permits there are.
    pub(crate) const fn bounds(&self) -> Bounds {
        self.shared.bounds
    }

    /// A permit, if one is free now, before requests that wait.
    pub(crate) fn try_acquire(&self, key: &K) -> Option<Permit<K>> {
        let mut permit = self.none(key);
        permit.grow(1).then_some(permit)
    }

    /// No permit yet, to be grown.
    pub(crate) fn none(&self, key: &K) -> Permit<K> {
        Permit {
            key: key.clone(),
            width: 0,
            shared: self.shared.clone(),
        }
    }

    /// Whether no permit is held and no request waits.
    #[cfg(test)]
    pub(crate) fn is_unused(&self) -> bool {
        let state = lock(&self.shared.state);
        state.held == 0 && state.keys.is_empty()
    }

    /// Waits for a permit.
    pub(crate) async fn acquire(&self, key: &K) -> Result<Permit<K>, ApiError> {
        self.acquire_many(key, 1).await
    }

    /// Waits for so many permits at once, or for as many as one key may have.
    pub(crate) async fn acquire_many(&self, key: &K, width: usize) -> Result<Permit<K>, ApiError> {
        let Bounds {
            all_max,
            each_max,
            wait,
        } = self.shared.bounds;
        let granted = self.shared.join(key, width.min(all_max).min(each_max));
        let Ok(permit) = timeout(wait, granted).await else {
            let message = format!(
                "{} at the moment; the same request works later",
                self.refusal
            );
            return Err(ApiError::new(Reason::Busy, message));
        };
        permit.map_err(ApiError::internal)
    }
}

impl<K: Key> Permit<K> {
    /// Takes more permits, if they are free now, before requests that wait.
    pub(crate) fn grow(&mut self, more: usize) -> bool {
        let mut state = lock(&self.shared.state);
        let is_granted = state.has_room(&self.key, more, self.shared.bounds);
        if is_granted {
            state.take(&self.key, more);
            self.width += more;
        }
        is_granted
    }

    /// Gives back all but so many permits, if there are more.
    pub(crate) fn shrink_to(&mut self, width: usize) {
        self.set(width.min(self.width));
    }

    /// Stands for so many permits from now on, also beyond the bounds: for memory that is already
    /// taken. Others wait until it is given back.
    pub(crate) fn set(&mut self, width: usize) {
        let before = std::mem::replace(&mut self.width, width);
        self.shared.grant(|state| {
            state.take(&self.key, width);
            state.give_back(&self.key, before);
        });
    }
}

impl<K: Key> Drop for Permit<K> {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// How long a permit is held while a body is read: enough for one that has arrived, too short for
/// slow clients to hold up others.
const READ_WITH_PERMIT_MAX: Duration = Duration::from_millis(20);

/// Reads with a permit, and returns it if reading took 20 ms at most. Else the permit is given back
/// meanwhile, and the caller has to wait for another one.
pub(crate) async fn read_with_permit<K: Key, R: Future>(
    permit: Permit<K>,
    reading: R,
) -> (R::Output, Option<Permit<K>>) {
    let mut reading = pin!(reading);
    if let Ok(read) = timeout(READ_WITH_PERMIT_MAX, &mut reading).await {
        return (read, Some(permit));
    }
    drop(permit);
    (reading.await, None)
}

impl<K: Key> Shared<K> {
    /// Queues a request. Its permits arrive at once if they are free.
    fn join(&self, key: &K, width: usize) -> oneshot::Receiver<Permit<K>> {
        let (grant, granted) = oneshot::channel();
        self.grant(|state| {
            let of_key = state.keys.entry(key.clone()).or_insert_with(OfKey::new);
            of_key.waiting.push_back(Waiting { width, grant });
            if !state.turns.contains(key) {
                state.turns.push_back(key.clone());
            }
        });
        granted
    }

    /// Changes the state and grants what is free then.
    fn grant(&self, change: impl FnOnce(&mut State<K>)) {
        let mut state = lock(&self.state);
        change(&mut state);
        let mut granted = Vec::new();
        while let Some(next) = state.next(self.bounds) {
            granted.push(next);
        }
        // Sent without the lock: a permit that cannot be sent is dropped, which takes the lock.
        drop(state);
        for (key, Waiting { width, grant }) in granted {
            let shared = self.clone();
            drop(grant.send(Permit { key, width, shared }));
        }
    }
}

impl<K: Key> State<K> {
    fn has_room(&self, key: &K, width: usize, bounds: Bounds) -> bool {
        let of_key = self.keys.get(key).map_or(0, |of_key| of_key.held);
        self.held + width <= bounds.all_max && of_key + width <= bounds.each_max
    }

    fn take(&mut self, key: &K, width: usize) {
        if width > 0 {
            self.held += width;
            self.keys.entry(key.clone()).or_insert_with(OfKey::new).held += width;
        }
    }

    fn give_back(&mut self, key: &K, width: usize) {
        self.held -= width;
        if let Entry::Occupied(mut of_key) = self.keys.entry(key.clone()) {
            of_key.get_mut().held -= width;
            if of_key.get().is_unused() {
                of_key.remove();
            }
        }
    }

    /// Takes permits for the request that is next, if there are enough. A request that needs more
    /// than are free keeps its turn; else it would wait as long as smaller ones come.
    fn next(&mut self, bounds: Bounds) -> Option<(K, Waiting<K>)> {
        for _ in 0..self.turns.len() {
            let key = self.turns.pop_front()?;
            let Entry::Occupied(mut entry) = self.keys.entry(key.clone()) else {
                continue;
            };
            let of_key = entry.get_mut();
            // Requests that have gone away take no turn.
            let has_gone = |waiting: &Waiting<K>| waiting.grant.is_closed();
            while of_key
                .waiting
                .pop_front_if(|waiting| has_gone(waiting))
                .is_some()
            {}
            let Some(width) = of_key.waiting.front().map(|waiting| waiting.width) else {
                if of_key.is_unused() {
                    entry.remove();
                }
                continue;
            };
            if of_key.held + width > bounds.each_max {
                self.turns.push_back(key);
                continue;
            }
            if self.held + width > bounds.all_max {
                self.turns.push_front(key);
                return None;
            }
            let waiting = of_key.waiting.pop_front()?;
            of_key.held += width;
            self.held += width;
            if !of_key.waiting.is_empty() {
                self.turns.push_back(key.clone());
            }
            return Some((key, waiting));
        }
        None
    }
}

impl<K: Key> OfKey<K> {
    const fn new() -> Self {
        Self {
            held: 0,
            waiting: VecDeque::new(),
        }
    }

    fn is_unused(&self) -> bool {
        self.held == 0 && self.waiting.is_empty()
    }
}

fn lock<K: Key>(state: &Mutex<State<K>>) -> MutexGuard<'_, State<K>> {
    // No change of the state can panic halfway, so a poisoned lock has a valid state.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
