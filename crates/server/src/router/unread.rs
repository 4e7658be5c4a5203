//! Bodies that a refusal left unread.
//!
//! Many clients send the whole body before they read the response. If the connection were closed
//! meanwhile they would report a broken pipe, and the reason would be lost. So the rest of the body
//! is read and discarded, within bounds.

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

use crate::permits::{Bounds, FairPermits, read_with_permit};

/// How many refused bodies are read at one time. Under overload most requests are refused; without
/// this limit the accepted ones would wait for the reading of all of these. A refusal that waits
/// also slows down clients that send again at once. After the wait the body is read without a
/// permit, so that the client gets its refusal.
const REFUSED: Bounds = Bounds {
    all_max: 8,
    each_max: 8,
    wait: Duration::from_secs(5),
};
/// The most bytes of one body that are discarded.
const DISCARDED_BYTES_MAX: u64 = 64 << 20;
/// How long a client may take to send them.
const DISCARD_TIME_MAX: Duration = Duration::from_secs(10);

/// Permits to read refused bodies, for all clients together.
type RefusedBodies = FairPermits<()>;

/// The permits to read refused bodies.
pub(super) fn refused_bodies() -> RefusedBodies {
    FairPermits::new(REFUSED, "too much is refused")
}

/// Reads what a refusal left of the body.
pub(super) async fn discard(
    State(permits): State<RefusedBodies>,
    request: Request,
    next: Next,
) -> Response {
    // A client that waits for `100 Continue` has sent nothing.
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
    // A body that stopped coming does not go on; a huge one takes too long.
    let is_awaited = status != StatusCode::REQUEST_TIMEOUT && announced <= DISCARDED_BYTES_MAX;
    if is_refusal && is_awaited && !rest.is_end_stream() {
        let reading = timeout(DISCARD_TIME_MAX, read(rest, &permits));
        if reading.await.is_err() {
            tracing::debug!("a refused body is not read to its end");
        }
    }
    response
}

async fn read(body: Lent, permits: &RefusedBodies) {
    let reading = read_to_end(body);
    match permits.acquire(&()).await {
        Ok(permit) => drop(read_with_permit(permit, reading).await),
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

/// A body that the handler reads and that can be read on after it.
#[derive(Clone)]
struct Lent(Arc<Mutex<Body>>);

impl Lent {
    fn body(&self) -> MutexGuard<'_, Body> {
        // A panic of the handler does not change what is left to read.
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
            .layer(from_fn_with_state(refused_bodies(), discard));
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
    async fn a_client_that_waits_for_100_continue_does_not_have_to_send() {
        assert_eq!(taken(&[("expect", "100-continue")]).await, 0);
    }
}
