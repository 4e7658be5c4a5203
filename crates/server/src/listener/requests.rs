//! What a connection is busy with, seen from outside the protocol.
//!
//! Bytes alone do not tell: HTTP/2 has frames that ask for nothing, by which a
//! client could keep a connection for ever.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::sleep;

/// The requests of one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Requests(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// Requests whose answers are not sent whole.
    open: AtomicUsize,
    /// Grows with everything that moves a request on.
    progress: AtomicUsize,
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Open(Arc<Counts>);

/// How often it is looked whether anything has moved, within each limit.
/// Setting a timer at every move would cost more than the moving.
const LOOKS: u32 = 5;

impl Requests {
    /// A request begins.
    pub(super) fn begin(&self) -> Open {
        self.0.open.fetch_add(1, Ordering::Relaxed);
        self.0.progress.fetch_add(1, Ordering::Relaxed);
        Open(self.0.clone())
    }

    /// Ends when no request was open for longer than `rest`, or no open one got on for `stall`.
    /// That is noticed later by up to two looks, so what the protocol does by itself comes first.
    pub(super) async fn at_rest(&self, rest: Duration, stall: Duration) {
        let mut seen = 0;
        let mut quiet = Duration::ZERO;
        let pause = rest / LOOKS;
        loop {
            sleep(pause).await;
            let progress = self.0.progress.load(Ordering::Relaxed);
            let is_open = self.0.open.load(Ordering::Relaxed) > 0;
            quiet = if progress == seen {
                quiet + pause
            } else {
                Duration::ZERO
            };
            seen = progress;
            if quiet > if is_open { stall } else { rest } {
                return;
            }
        }
    }
}

impl Open {
    /// The answer, which keeps the request open until it is sent.
    pub(super) fn answer(self, body: Body) -> Body {
        self.moved();
        // Most answers have an end already when their head is sent.
        Body::new(Answer { body, open: self })
    }

    fn moved(&self) {
        self.0.progress.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.moved();
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Answer {
    body: Body,
    open: Open,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.open.moved();
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, timeout};

    use super::*;

    const REST: Duration = Duration::from_millis(30);
    const STALL: Duration = Duration::from_millis(90);

    #[tokio::test]
    async fn a_connection_without_requests_is_at_rest() {
        let requests = Requests::default();
        drop(requests.begin());
        timeout(STALL, requests.at_rest(REST, STALL)).await.unwrap();
    }

    #[tokio::test]
    async fn an_open_request_may_take_longer_but_not_for_ever() {
        let requests = Requests::default();
        let _open = requests.begin();
        let begun = Instant::now();
        requests.at_rest(REST, STALL).await;
        assert!(begun.elapsed() >= STALL);
    }

    #[tokio::test]
    async fn an_answer_on_its_way_is_an_open_request() {
        let requests = Requests::default();
        let answer = requests.begin().answer(Body::from("answer"));
        assert_eq!(answer.size_hint().exact(), Some(6));
        assert_eq!(requests.0.open.load(Ordering::Relaxed), 1);
        drop(answer);
        assert_eq!(requests.0.open.load(Ordering::Relaxed), 0);
    }
}
