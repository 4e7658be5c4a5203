//! [`FairPermits`]: a limit of concurrency that is shared by organisations.
//!
//! There are so many permits in all and, fewer, for each key, which is an organisation or a link.
//! So one key never holds all of them. Requests that wait are granted permits in turns by key: a
//! request of a key that asks rarely does not wait behind all requests of one that asks often.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use showreport_model::OrgId;
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
    refusal: &'static str,
    shared: Shared<K>,
}

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

/// The requests of one key. It goes with the last of them.
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
            let status = StatusCode::SERVICE_UNAVAILABLE;
            return Err(ApiError::new(status, "BUSY", message));
        };
        permit.map_err(ApiError::internal)
    }
}

impl<K: Key> Permit<K> {
    /// Gives back all but so many of the permits that it stands for, if it stands for more.
    pub(crate) fn keep(&mut self, width: usize) {
        let more = self.width.saturating_sub(width);
        self.width -= more;
        self.shared.grant(|state| state.give_back(&self.key, more));
    }
}

impl<K: Key> Drop for Permit<K> {
    fn drop(&mut self) {
        self.shared.grant(|state| {
            state.give_back(&self.key, self.width);
        });
    }
}

impl<K: Key> Shared<K> {
    /// Takes a turn. The permit arrives at once if it is free.
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
        // Sent without the lock: a request that has just gone away gives its permit back at once.
        drop(state);
        for (key, Waiting { width, grant }) in granted {
            let shared = self.clone();
            drop(grant.send(Permit { key, width, shared }));
        }
    }
}

impl<K: Key> State<K> {
    fn give_back(&mut self, key: &K, width: usize) {
        self.held -= width;
        if let Entry::Occupied(mut of_key) = self.keys.entry(key.clone()) {
            of_key.get_mut().held -= width;
            if of_key.get().is_unused() {
                of_key.remove();
            }
        }
    }

    /// Takes free permits for the key whose turn it is, if a request waits that may have them. One
    /// that needs more than are free keeps its turn: it would else wait as long as smaller ones come.
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
    // Nothing panics between two changes that belong together.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Memory that is reserved before it is taken.
#[derive(Debug)]
pub(crate) struct Reservations(FairPermits<OrgId>);

/// Memory that one request may take.
#[derive(Debug)]
pub(crate) struct Reserved(Permit<OrgId>);

/// The unit of reservations: a permit is as many bytes.
const PERMIT_BYTES: usize = 64 << 10;

impl Reservations {
    /// So many bytes of all organisations, and of each; `refusal` says what there is too much of.
    pub(crate) fn new(
        (all_bytes_max, each_bytes_max): (usize, usize),
        wait: Duration,
        refusal: &'static str,
    ) -> Self {
        let bounds = Bounds {
            all_max: all_bytes_max / PERMIT_BYTES,
            each_max: each_bytes_max / PERMIT_BYTES,
            wait,
        };
        Self(FairPermits::new(bounds, refusal))
    }

    /// Waits until there are so many bytes.
    pub(crate) async fn reserve(&self, org: &OrgId, bytes: usize) -> Result<Reserved, ApiError> {
        let permits = bytes.div_ceil(PERMIT_BYTES);
        Ok(Reserved(self.0.acquire_many(org, permits).await?))
    }
}

impl Reserved {
    /// Gives back all but so many bytes, and at least one permit's.
    pub(crate) fn keep(self, bytes: usize) -> Permit<OrgId> {
        let mut permit = self.0;
        permit.keep(bytes.div_ceil(PERMIT_BYTES).max(1));
        permit
    }
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
        assert!(lock(&permits.shared.state).keys.is_empty());
    }

    #[tokio::test]
    async fn a_wide_request_is_not_passed_by_narrow_ones_for_ever() {
        let permits = permits(4, 3, 60_000);
        let mut held = vec![permits.acquire(&1).await.unwrap()];
        held.push(permits.acquire(&1).await.unwrap());
        let mut wide = Box::pin(permits.acquire_many(&2, 3));
        assert!(futures::poll!(&mut wide).is_pending());
        let mut narrow = Box::pin(permits.acquire(&3));
        assert!(futures::poll!(&mut narrow).is_pending(), "two are free");
        held.pop();
        let wide = wide.await.unwrap();
        assert!(futures::poll!(&mut narrow).is_pending());
        drop(wide);
        narrow.await.unwrap();
        // More than one key may have is as much as it may have.
        drop(held);
        permits.acquire_many(&1, 100).await.unwrap();
    }

    #[tokio::test]
    async fn reserved_memory_is_given_back_as_far_as_it_is_not_needed() {
        let three = 3 * PERMIT_BYTES;
        let wait = Duration::from_millis(5);
        let memory = Reservations::new((three, three), wait, "too much is asked");
        let org = &OrgId::new("acme").unwrap();
        let all = memory.reserve(org, three - 1).await.unwrap();
        assert!(memory.reserve(org, 1).await.is_err());
        let kept = all.keep(PERMIT_BYTES + 1);
        let rest = memory.reserve(org, PERMIT_BYTES).await.unwrap();
        assert!(memory.reserve(org, 1).await.is_err());
        drop(kept);
        let more_than_reserved = rest.keep(three);
        assert!(memory.reserve(org, 2 * PERMIT_BYTES).await.is_ok());
        assert!(memory.reserve(org, three).await.is_err());
        drop(more_than_reserved);
        assert!(memory.reserve(org, three).await.is_ok());
    }

    #[tokio::test]
    async fn an_organisation_reserves_no_more_than_its_part() {
        let wait = Duration::from_millis(5);
        let bytes = (4 * PERMIT_BYTES, 2 * PERMIT_BYTES);
        let memory = Reservations::new(bytes, wait, "too much is asked");
        let [acme, rival] = ["acme", "rival"].map(|org| OrgId::new(org).unwrap());
        // More than its part is its part: there it is alone.
        let all = memory.reserve(&acme, 4 * PERMIT_BYTES).await.unwrap();
        assert!(memory.reserve(&acme, 1).await.is_err());
        memory.reserve(&rival, 2 * PERMIT_BYTES).await.unwrap();
        drop(all.keep(0));
        assert!(memory.reserve(&acme, 1).await.is_ok());
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
        assert!(lock(&permits.shared.state).keys.is_empty());
        assert!(lock(&permits.shared.state).turns.is_empty());
    }

    fn check(permits: &FairPermits<u8>, all_max: usize, each_max: usize) {
        let state = lock(&permits.shared.state);
        assert!(state.held <= all_max);
        assert!(state.keys.values().all(|it| it.held <= each_max));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever comes and goes, bounds hold, and nothing is left at the end.
        #[test]
        fn bounds_hold_and_every_permit_comes_back(
            requests in prop::collection::vec((0_u8..4, 0_u8..4, 0_u8..3, 1_usize..4), 1..60),
            all_max in 1_usize..5,
            each_max in 1_usize..4,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let permits = permits(all_max, each_max, 60_000);
            let request = async |(key, turns, patience, width): (u8, u8, u8, usize)| {
                let acquired = permits.acquire_many(&key, width);
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
            let state = lock(&permits.shared.state);
            prop_assert_eq!(state.held, 0);
            prop_assert!(state.keys.is_empty() && state.turns.is_empty());
        }
    }
}
