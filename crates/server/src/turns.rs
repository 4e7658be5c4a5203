//! Turns: how many may do a thing at one time, and how long others wait for theirs.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::error::ApiError;

/// Turns at one thing. Whoever waits too long is told to come again: that serves him better
/// than a late answer, and those behind him as well.
#[derive(Debug, Clone)]
pub(crate) struct Turns {
    places: Arc<Semaphore>,
    wait: Duration,
    what: &'static str,
}

/// How long a turn waits for what is being read: long enough for what is there, too short for slow clients
/// to hold up others.
const AT_ONCE: Duration = Duration::from_millis(20);

/// A turn; it is over when this is dropped.
pub(crate) type Turn = OwnedSemaphorePermit;

impl Turns {
    /// So many at one time; `what` is said to those who wait longer.
    pub(crate) fn new(at_once_max: usize, wait: Duration, what: &'static str) -> Self {
        Self {
            places: Arc::new(Semaphore::new(at_once_max)),
            wait,
            what,
        }
    }

    /// Waits for a turn.
    pub(crate) async fn next(&self) -> Result<Turn, ApiError> {
        self.next_wide(1).await
    }

    /// Waits for a turn that is as much work as so many others.
    pub(crate) async fn next_wide(&self, places: u32) -> Result<Turn, ApiError> {
        let turn = self.places.clone().acquire_many_owned(places);
        let turn = timeout(self.wait, turn).await;
        let turn = turn.map_err(|_| {
            let message = format!("{} at the moment; the same request works later", self.what);
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "BUSY", message)
        })?;
        turn.map_err(ApiError::internal)
    }
}

/// Reads something in a turn, and gives the turn back with it. What does not come at once is read
/// without one.
pub(crate) async fn read_in<T, R: Future>(turn: T, reading: R) -> (R::Output, Option<T>) {
    let mut reading = pin!(reading);
    if let Ok(read) = timeout(AT_ONCE, &mut reading).await {
        return (read, Some(turn));
    }
    drop(turn);
    (reading.await, None)
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    #[tokio::test]
    async fn a_wide_turn_takes_the_places_of_others() {
        let turns = Turns::new(3, Duration::from_millis(5), "too much is asked");
        let wide = turns.next_wide(2).await.unwrap();
        let narrow = turns.next().await.unwrap();
        assert!(turns.next().await.is_err());
        drop(narrow);
        assert!(turns.next_wide(2).await.is_err());
        drop(wide);
        assert!(turns.next_wide(3).await.is_ok());
    }

    #[tokio::test]
    async fn what_does_not_come_at_once_holds_no_turn() {
        let turns = Turns::new(1, Duration::from_millis(5), "too much is asked");
        let (read, turn) = read_in(turns.next().await.unwrap(), async { 7 }).await;
        assert_eq!((read, turn.is_some()), (7, true));
        let slow = async { turns.places.clone().acquire_owned().await.is_ok() };
        let (has_come, turn) = read_in(turn.unwrap(), slow).await;
        assert!(has_come && turn.is_none());
    }

    #[tokio::test]
    async fn whoever_waits_too_long_is_told_to_come_again() {
        let turns = Turns::new(1, Duration::from_millis(5), "too much is asked");
        let first = turns.next().await.unwrap();
        let refusal = turns.next().await.unwrap_err().into_response();
        assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(refusal.headers().contains_key("retry-after"));
        drop(first);
        assert!(turns.next().await.is_ok());
    }
}
