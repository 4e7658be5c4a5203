//! Whether the requests of a connection make progress.
//!
//! Bytes are no measure of that: HTTP/2 has frames that ask for nothing, by which a client could
//! keep a connection for ever.

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
    /// Requests with a response that is not sent to its end.
    open: AtomicUsize,
    /// Incremented by each step of a request.
    progress: AtomicUsize,
}

/// A request with a response that is not sent yet.
#[derive(Debug)]
pub(super) struct OpenRequest(Arc<Counts>);

/// How often the progress is checked within `rest`. Setting a timer at each step would cost more
/// than the step.
const CHECKS: u32 = 5;

impl Requests {
    /// Counts a request that begins.
    pub(super) fn begin(&self) -> OpenRequest {
        self.0.open.fetch_add(1, Ordering::Relaxed);
        self.0.progress.fetch_add(1, Ordering::Relaxed);
        OpenRequest(self.0.clone())
    }

    /// Returns when no request was open for longer than `rest`, or no open one made progress for
    /// `stall`. That is up to two checks late, so that the timeouts of the protocol come first.
    pub(super) async fn at_rest(&self, rest: Duration, stall: Duration) {
        let mut seen = 0;
        let mut quiet = Duration::ZERO;
        let pause = rest / CHECKS;
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

impl OpenRequest {
    /// The body of the response. The request is open until it is sent.
    pub(super) fn until_sent(self, body: Body) -> Body {
        self.progressed();
        Body::new(ResponseBody { body, open: self })
    }

    fn progressed(&self) {
        self.0.progress.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.progressed();
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

struct ResponseBody {
    body: Body,
    open: OpenRequest,
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.open.progressed();
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
    async fn an_open_request_may_take_longer_up_to_a_limit() {
        let requests = Requests::default();
        let _open = requests.begin();
        let begun = Instant::now();
        requests.at_rest(REST, STALL).await;
        assert!(begun.elapsed() >= STALL);
    }

    #[tokio::test]
    async fn a_request_is_open_until_its_response_is_sent() {
        let requests = Requests::default();
        let body = requests.begin().until_sent(Body::from("answer"));
        assert_eq!(body.size_hint().exact(), Some(6));
        assert_eq!(requests.0.open.load(Ordering::Relaxed), 1);
        drop(body);
        assert_eq!(requests.0.open.load(Ordering::Relaxed), 0);
    }
}
