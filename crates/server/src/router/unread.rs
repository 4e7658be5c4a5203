//! Bodies that a refusal left unread.
//!
//! Many clients send the whole body before they look at the answer. If the
//! connection closed meanwhile they would report a broken pipe, and the reason
//! would be lost. So the rest is read and thrown away, within bounds.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::EXPECT;
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::timeout;

use crate::turns::{Turns, read_in};

/// Refused bodies that are read at one time. Where more is asked than can be done, most is refused, and
/// what is not would wait for all of that. So a refusal waits, which also holds back who comes again at once.
const AT_ONCE_MAX: usize = 8;
/// How long a refusal waits for its turn: whoever is refused is to learn it.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// What is thrown away of one body.
const DISCARDED_BYTES_MAX: u64 = 64 << 20;
/// How long a client may take to send it.
const DISCARD_TIME_MAX: Duration = Duration::from_secs(10);

/// Turns at reading refused bodies.
pub(super) fn turns() -> Turns {
    Turns::new(AT_ONCE_MAX, WAIT_MAX, "too much is refused")
}

/// Reads what a refusal left of the body.
pub(super) async fn discard(State(turns): State<Turns>, request: Request, next: Next) -> Response {
    // A client that asks before it sends needs nobody to listen.
    if request.headers().contains_key(EXPECT) || request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let announced = body.size_hint().lower();
    let body = Lent(Arc::new(Mutex::new(body)));
    let rest = body.clone();
    let request = Request::from_parts(parts, Body::new(body));
    let response = next.run(request).await;
    let status = response.status();
    let is_refusal = status.is_client_error() || status.is_server_error();
    // A body that stopped coming will not go on, and a huge one is not waited for.
    let is_awaited = status != StatusCode::REQUEST_TIMEOUT && announced <= DISCARDED_BYTES_MAX;
    if is_refusal && is_awaited && !rest.is_end_stream() {
        let reading = timeout(DISCARD_TIME_MAX, read(rest, &turns));
        if reading.await.is_err() {
            tracing::debug!("a refused body is not read to its end");
        }
    }
    response
}

async fn read(body: Lent, turns: &Turns) {
    let reading = read_to_end(body);
    match turns.next().await {
        Ok(turn) => drop(read_in(turn, reading).await),
        Err(_) => reading.await,
    }
}

async fn read_to_end(mut body: Lent) {
    let mut discarded = 0;
    while let Some(Ok(frame)) = body.frame().await {
        discarded += frame.data_ref().map_or(0, Bytes::len) as u64;
        if discarded > DISCARDED_BYTES_MAX {
            return;
        }
    }
}

/// A body that the handler has, and that comes back when it is done.
#[derive(Clone)]
struct Lent(Arc<Mutex<Body>>);

impl Lent {
    fn body(&self) -> MutexGuard<'_, Body> {
        // A panic elsewhere does not change what is left to read.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut *self.body()).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body().size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::Router;
    use axum::middleware::from_fn_with_state;
    use futures::stream;
    use tower::ServiceExt;

    use super::*;

    /// How much of ten chunks is taken by a request that a handler refuses unread.
    async fn taken(headers: &[(&str, &str)]) -> usize {
        let router = Router::new()
            .fallback(|| async { StatusCode::UNAUTHORIZED })
            .layer(from_fn_with_state(turns(), discard));
        let taken = Arc::new(AtomicUsize::new(0));
        let count = taken.clone();
        let chunks = (0..10).map(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok::<_, io::Error>(Bytes::from_static(b"chunk"))
        });
        let mut request = Request::new(Body::from_stream(stream::iter(chunks)));
        for (name, value) in headers {
            let name: axum::http::HeaderName = name.parse().unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        taken.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn a_refused_body_is_read_to_its_end() {
        assert_eq!(taken(&[]).await, 10);
    }

    #[tokio::test]
    async fn a_client_that_waits_for_leave_is_not_made_to_send() {
        assert_eq!(taken(&[("expect", "100-continue")]).await, 0);
    }
}
