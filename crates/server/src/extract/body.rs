//! Buffers bodies of requests within limits of size, time and memory.

use std::ops::Deref;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use showreport_model::OrgId;
use tokio::time::{Instant, timeout_at};

use crate::app::App;
use crate::error::{ApiError, Reason};
use crate::permits::{Key, Permit, Reservation};

/// The body of a request, read whole into memory.
#[derive(Debug)]
pub(crate) struct BufferedBody<K: Key = OrgId> {
    bytes: Vec<u8>,
    reservation: Permit<K>,
}

impl<K: Key> Deref for BufferedBody<K> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl BufferedBody {
    /// The memory of the body, to be kept for what was decoded from it.
    pub(crate) fn into_reservation(self) -> Reservation {
        self.reservation
    }
}

impl<K: Key> BufferedBody<K> {
    /// The body alone. Its memory is no longer reserved.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The lowest average speed of a body, after a first wait. A client that sends a byte in each wait
/// would otherwise hold its connection and its memory for days.
const BYTES_PER_MS_MIN: u64 = 1;

/// Buffers a body of at most `bytes_max` bytes.
pub(crate) async fn read_body(
    app: &App,
    org: &OrgId,
    body: Body,
    bytes_max: usize,
) -> Result<BufferedBody, ApiError> {
    read_reserved(app, app.bodies().none(org), body, bytes_max).await
}

/// The same, with the memory of another quota.
pub(crate) async fn read_reserved<K: Key>(
    app: &App,
    reservation: Permit<K>,
    mut body: Body,
    bytes_max: usize,
) -> Result<BufferedBody<K>, ApiError> {
    let wait = app.config().body_timeout();
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(body_too_large(bytes_max));
    }
    let mut buffered = BufferedBody {
        // Not reserved by `Content-Length`: thousands of clients may announce a length and send
        // nothing.
        bytes: Vec::new(),
        reservation,
    };
    let begun = Instant::now();
    loop {
        let owed = Duration::from_millis(buffered.bytes.len() as u64 / BYTES_PER_MS_MIN);
        let due = (begun + wait + owed).min(Instant::now() + wait);
        let chunk = timeout_at(due, next_chunk(&mut body)).await;
        let Some(chunk) = chunk.map_err(|_| body_timeout(wait))?? else {
            return Ok(buffered);
        };
        if buffered.bytes.len() + chunk.len() > bytes_max {
            return Err(body_too_large(bytes_max));
        }
        if !buffered.reservation.grow(chunk.len()) {
            return Err(bodies_full());
        }
        buffered.bytes.extend_from_slice(&chunk);
    }
}

async fn next_chunk(body: &mut Body) -> Result<Option<Bytes>, ApiError> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Ok(frame)) => {
                // Trailers are ignored.
                if let Ok(chunk) = frame.into_data() {
                    return Ok(Some(chunk));
                }
            }
            Some(Err(_)) => {
                return Err(ApiError::new(
                    Reason::BodyCutShort,
                    "the body ended before it was whole; nothing of it was stored",
                ));
            }
        }
    }
}

/// The error for a body for which there is no memory at the moment.
pub(crate) fn bodies_full() -> ApiError {
    ApiError::new(
        Reason::BodiesFull,
        "too many bodies are being received; send this one again later",
    )
}

/// The error for a body that stops or is too slow.
pub(crate) fn body_timeout(wait: Duration) -> ApiError {
    ApiError::new(
        Reason::BodyTimeout,
        format!(
            "no part of the body came for {} seconds, or it comes slower than 1 kB a second; \
             nothing of it was stored",
            wait.as_secs()
        ),
    )
}

/// The error for a body that is too large, before or after decompression.
pub(crate) fn body_too_large(bytes_max: usize) -> ApiError {
    ApiError::new(
        Reason::BodyTooLarge,
        format!("a body may have at most {bytes_max} bytes after decompression; send it in parts"),
    )
}
