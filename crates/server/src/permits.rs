//! [`FairPermits`]: a limit of concurrency that is shared by organisations.
//!
//! There are so many permits in all and, fewer, for each key, which is an organisation or a link.
//! So one key never holds all of them. Requests that wait are granted a permit in turns by key: a
//! request of a key that asks rarely does not wait behind all requests of one that asks often.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::error::ApiError;

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

/// Permits for one kind of work.
#[derive(Debug)]
pub(crate) struct FairPermits<K: Key> {
    bounds: Bounds,
    refusal: &'static str,
    state: Arc<Mutex<State<K>>>,
}

/// What permits are shared by.
pub(crate) trait Key: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static {}

impl<K: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static> Key for K {}

/// A permit. It is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Permit<K: Key> {
    key: K,
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

/// The requests of one key. It goes with the last of them.
#[derive(Debug)]
struct OfKey<K: Key> {
    held: usize,
    waiting: VecDeque<oneshot::Sender<Permit<K>>>,
}

impl<K: Key> FairPermits<K> {
    /// Permits within these bounds; `refusal` says what there is too much of.
    pub(crate) fn new(bounds: Bounds, refusal: &'static str) -> Self {
        Self {
            bounds,
            refusal,
            state: Arc::new(Mutex::new(State {
                held: 0,
                keys: HashMap::new(),
                turns: VecDeque::new(),
            })),
        }
    }

    /// Waits for a permit.
    pub(crate) async fn acquire(&self, key: &K) -> Result<Permit<K>, ApiError> {
        let granted = match self.join(key) {
            Ok(permit) => return Ok(permit),
            Err(granted) => granted,
        };
        let Ok(permit) = timeout(self.bounds.wait, granted).await else {
            let message = format!(
                "{} at the moment; the same request works later",
                self.refusal
            );
            let status = StatusCode::SERVICE_UNAVAILABLE;
            return Err(ApiError::new(status, "BUSY", message));
        };
        permit.map_err(ApiError::internal)
    }

    /// A permit, or else where one will arrive.
    fn join(&self, key: &K) -> Result<Permit<K>, oneshot::Receiver<Permit<K>>> {
        let mut state = lock(&self.state);
        let is_free = state.held < self.bounds.all_max;
        let of_key = state.keys.entry(key.clone()).or_insert_with(OfKey::new);
        // Where a permit is free, those who wait have as many as their key may.
        if is_free && of_key.held < self.bounds.each_max {
            of_key.held += 1;
            state.held += 1;
            return Ok(self.permit(key));
        }
        let (grant, granted) = oneshot::channel();
        of_key.waiting.retain(|grant| !grant.is_closed());
        of_key.waiting.push_back(grant);
        if !state.turns.contains(key) {
            state.turns.push_back(key.clone());
        }
        Err(granted)
    }

    fn permit(&self, key: &K) -> Permit<K> {
        Permit {
            key: key.clone(),
            bounds: self.bounds,
            state: self.state.clone(),
        }
    }
}

impl<K: Key> Drop for Permit<K> {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        state.give_back(&self.key);
        let next = state.next(self.bounds);
        // Sent without the lock: a request that has just gone away gives its permit back at once.
        drop(state);
        if let Some((key, grant)) = next {
            let permit = Permit {
                key,
                bounds: self.bounds,
                state: self.state.clone(),
            };
            drop(grant.send(permit));
        }
    }
}

impl<K: Key> State<K> {
    fn give_back(&mut self, key: &K) {
        self.held -= 1;
        if let Entry::Occupied(mut of_key) = self.keys.entry(key.clone()) {
            of_key.get_mut().held -= 1;
            if of_key.get().is_unused() {
                of_key.remove();
            }
        }
    }

    /// Takes the free permit for the key whose turn it is, if one waits that may have more.
    fn next(&mut self, bounds: Bounds) -> Option<(K, oneshot::Sender<Permit<K>>)> {
        for _ in 0..self.turns.len() {
            let key = self.turns.pop_front()?;
            let Entry::Occupied(mut entry) = self.keys.entry(key.clone()) else {
                continue;
            };
            let of_key = entry.get_mut();
            // Requests that have gone away take no turn.
            of_key.waiting.retain(|grant| !grant.is_closed());
            let grant = if of_key.held < bounds.each_max {
                of_key.waiting.pop_front()
            } else {
                None
            };
            of_key.held += usize::from(grant.is_some());
            if !of_key.waiting.is_empty() {
                self.turns.push_back(key.clone());
            } else if of_key.is_unused() {
                entry.remove();
            }
            if let Some(grant) = grant {
                self.held += 1;
                return Some((key, grant));
            }
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
    // Nothing panics between two changes that belong together.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use axum::response::IntoResponse;
    use futures::future::join_all;
    use futures::stream::{FuturesUnordered, StreamExt};
    use proptest::prelude::*;

    use super::*;

    fn permits(all_max: usize, each_max: usize, wait_ms: u64) -> FairPermits<u8> {
        let wait = Duration::from_millis(wait_ms);
        let bounds = Bounds {
            all_max,
            each_max,
            wait,
        };
        FairPermits::new(bounds, "too much is asked")
    }

    #[tokio::test]
    async fn one_key_never_holds_all_permits() {
        let permits = permits(3, 2, 5);
        let first = permits.acquire(&1).await.unwrap();
        let _second = permits.acquire(&1).await.unwrap();
        let refusal = permits.acquire(&1).await.unwrap_err().into_response();
        assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(refusal.headers().contains_key("retry-after"));

        let _third = permits.acquire(&2).await.unwrap();
        permits.acquire(&2).await.unwrap_err();
        drop(first);
        permits.acquire(&2).await.unwrap();
        permits.acquire(&1).await.unwrap();
    }

    #[tokio::test]
    async fn keys_take_turns_however_many_requests_of_one_wait() {
        let permits = permits(1, 1, 60_000);
        let held = permits.acquire(&0).await.unwrap();
        let waiting = FuturesUnordered::new();
        for key in [1, 1, 1, 1, 2, 3, 2] {
            let permits = &permits;
            let mut granted = Box::pin(async move {
                let permit = permits.acquire(&key).await.unwrap();
                drop(permit);
                key
            });
            // The first look puts it in its turn.
            assert!(futures::poll!(&mut granted).is_pending());
            waiting.push(granted);
        }
        drop(held);
        let order: Vec<u8> = waiting.collect().await;
        assert_eq!(order, [1, 2, 3, 1, 2, 1, 1]);
        assert!(lock(&permits.state).keys.is_empty());
    }

    #[tokio::test]
    async fn a_request_that_goes_away_keeps_no_permit() {
        let permits = permits(1, 1, 60_000);
        let held = permits.acquire(&1).await.unwrap();
        let mut first = Box::pin(permits.acquire(&2));
        let mut second = Box::pin(permits.acquire(&2));
        assert!(futures::poll!(&mut first).is_pending());
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        drop(held);
        // Granted, and gone before it looks.
        drop(second);
        permits.acquire(&3).await.unwrap();
        assert!(lock(&permits.state).keys.is_empty());
        assert!(lock(&permits.state).turns.is_empty());
    }

    fn check(permits: &FairPermits<u8>, all_max: usize, each_max: usize) {
        let state = lock(&permits.state);
        assert!(state.held <= all_max);
        assert!(state.keys.values().all(|it| it.held <= each_max));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever comes and goes, bounds hold, and nothing is left at the end.
        #[test]
        fn bounds_hold_and_every_permit_comes_back(
            requests in prop::collection::vec((0_u8..4, 0_u8..4, 0_u8..3), 1..60),
            all_max in 1_usize..5,
            each_max in 1_usize..4,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let permits = permits(all_max, each_max, 60_000);
            let request = async |(key, turns, patience): (u8, u8, u8)| {
                let acquired = permits.acquire(&key);
                let acquired = async {
                    if patience == 0 {
                        let mut acquired = Box::pin(acquired);
                        return match futures::poll!(&mut acquired) {
                            Poll::Ready(permit) => Some(permit.unwrap()),
                            Poll::Pending => None,
                        };
                    }
                    Some(acquired.await.unwrap())
                };
                if let Some(_permit) = acquired.await {
                    for _ in 0..turns {
                        check(&permits, all_max, each_max);
                        tokio::task::yield_now().await;
                    }
                }
            };
            runtime.block_on(join_all(requests.into_iter().map(request)));
            let state = lock(&permits.state);
            prop_assert_eq!(state.held, 0);
            prop_assert!(state.keys.is_empty() && state.turns.is_empty());
        }
    }
}
