//! Bodies of requests, read within bounds of size, time and memory.

use std::ops::Deref;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use showreport_model::OrgId;
use tokio::time::{Instant, timeout_at};

use crate::app::App;
use crate::budget::Share;
use crate::error::ApiError;

/// A whole body, counted while it is in memory.
#[derive(Debug)]
pub(crate) struct Held {
    bytes: Vec<u8>,
    share: Share,
}

impl Deref for Held {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Held {
    /// The body's part of the memory, for what was made of the body.
    pub(crate) fn into_share(self) -> Share {
        self.share
    }
}

/// How fast a body must come on the whole, after the wait that each part of it may take: a
/// client that sends a byte now and then would stay as long as it likes.
const BYTES_PER_MS_MIN: u64 = 1;

/// Reads a whole body of at most `bytes_max` bytes.
pub(crate) async fn read_body(
    app: &App,
    org: &OrgId,
    mut body: Body,
    bytes_max: usize,
) -> Result<Held, ApiError> {
    let wait = app.config().body_timeout();
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(body_too_large(bytes_max));
    }
    let mut held = Held {
        // Nothing is taken on a client's word for the length: thousands may give it and send nothing.
        bytes: Vec::new(),
        share: Share::new(app.bodies().clone(), org.clone()),
    };
    let begun = Instant::now();
    loop {
        let owed = Duration::from_millis(held.bytes.len() as u64 / BYTES_PER_MS_MIN);
        let due = (begun + wait + owed).min(Instant::now() + wait);
        let chunk = timeout_at(due, next_chunk(&mut body)).await;
        let Some(chunk) = chunk.map_err(|_| body_timeout(wait))?? else {
            return Ok(held);
        };
        if held.bytes.len() + chunk.len() > bytes_max {
            return Err(body_too_large(bytes_max));
        }
        if !held.share.grow(chunk.len()) {
            return Err(ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "BODIES_FULL",
                "too many bodies arrive at the moment; send this one again later",
            ));
        }
        held.bytes.extend_from_slice(&chunk);
    }
}

async fn next_chunk(body: &mut Body) -> Result<Option<Bytes>, ApiError> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Ok(frame)) => {
                // Trailers say nothing that we use.
                if let Ok(chunk) = frame.into_data() {
                    return Ok(Some(chunk));
                }
            }
            Some(Err(_)) => {
                return Err(ApiError::bad_request(
                    "BODY_CUT_SHORT",
                    "the body ended before it was whole; nothing of it was stored",
                ));
            }
        }
    }
}

/// The refusal of a body that does not come.
pub(crate) fn body_timeout(wait: Duration) -> ApiError {
    ApiError::new(
        StatusCode::REQUEST_TIMEOUT,
        "BODY_TIMEOUT",
        format!(
            "no part of the body came for {} seconds, or it comes slower than 1 kB a second; \
             nothing of it was stored",
            wait.as_secs()
        ),
    )
}

/// The refusal of a body that is too large, packed or unpacked.
pub(crate) fn body_too_large(bytes_max: usize) -> ApiError {
    ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "BODY_TOO_LARGE",
        format!("a body holds at most {bytes_max} bytes, unpacked; send it in parts"),
    )
}
