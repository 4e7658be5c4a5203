use std::task::Poll;

use axum::http::StatusCode;
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
async fn permits_that_are_not_needed_are_given_back() {
    let memory = permits(3, 3, 5);
    let mut all = memory.acquire_many(&1, 3).await.unwrap();
    assert!(memory.acquire(&1).await.is_err());
    all.shrink_to(2);
    let mut rest = memory.acquire(&1).await.unwrap();
    assert!(memory.acquire(&1).await.is_err());
    drop(all);
    // There are never more than were granted.
    rest.shrink_to(3);
    assert!(memory.acquire_many(&1, 2).await.is_ok());
    assert!(memory.acquire_many(&1, 3).await.is_err());
    drop(rest);
    assert!(memory.acquire_many(&1, 3).await.is_ok());
}

#[tokio::test]
async fn an_organisation_reserves_no_more_than_its_part() {
    let memory = permits(4, 2, 5);
    // More than its part is its part: there it is alone.
    let mut all = memory.acquire_many(&1, 4).await.unwrap();
    assert!(memory.acquire(&1).await.is_err());
    memory.acquire_many(&2, 2).await.unwrap();
    all.shrink_to(0);
    assert!(memory.acquire(&1).await.is_ok());
    drop(all);
    assert!(lock(&memory.shared.state).keys.is_empty());
}

#[test]
fn a_reservation_grows_and_is_given_back() {
    let quota = permits(12, 12, 5);
    let reserve = |key: u8, bytes| {
        let mut reservation = quota.none(&key);
        let granted = reservation.grow(bytes);
        (reservation, granted)
    };
    let (first, granted) = reserve(1, 8);
    assert!(granted);
    assert!(!reserve(2, 5).1);
    drop(first);
    let (mut second, granted) = reserve(1, 2);
    assert!(granted);
    // Memory that is taken is counted beyond the bounds too.
    second.set(11);
    assert!(!reserve(2, 2).1);
    second.set(20);
    assert!(!reserve(2, 1).1);
    drop(second);
    assert!(reserve(2, 9).1);
    let state = lock(&quota.shared.state);
    assert_eq!(state.held, 0);
    assert!(state.keys.is_empty());
}

#[test]
fn one_organisation_leaves_a_part_of_the_quota_to_others() {
    let quota = permits(12, 9, 5);
    let mut reservations: Vec<_> = [1, 1, 2].map(|key| quota.none(&key)).into();
    assert!(reservations[0].grow(8));
    assert!(reservations[1].grow(1));
    assert!(!reservations[1].grow(1));
    assert!(reservations[2].grow(2));
    reservations.remove(0);
    assert!(reservations[0].grow(1));
}

#[tokio::test]
async fn a_permit_is_given_back_while_a_slow_body_is_read() {
    let permits = permits(1, 1, 5);
    let permit = permits.acquire(&1).await.unwrap();
    let (read, permit) = read_with_permit(permit, async { 7 }).await;
    assert_eq!((read, permit.is_some()), (7, true));
    let other = permits.clone();
    let slow = async {
        while other.try_acquire(&1).is_none() {
            tokio::task::yield_now().await;
        }
    };
    let ((), permit) = read_with_permit(permit.unwrap(), slow).await;
    assert!(permit.is_none());
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
