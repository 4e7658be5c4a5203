//! The response to connections that are one too many.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::response::IntoResponse;
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::error::{ApiError, Reason};

/// How many refusals are sent at one time. Further connections are closed without a response, so
/// that refusing costs less than serving.
const AT_ONCE_MAX: usize = 256;

/// How long a client may take to read the refusal.
const SENT_WITHIN: Duration = Duration::from_secs(1);

/// The most bytes that are discarded of what a refused client has sent. If the connection were
/// closed before they are read, the system would reset it and the client would lose the refusal.
const DISCARDED_BYTES_MAX: u64 = 64 << 10;

/// The refusal, ready to be sent.
#[derive(Debug, Clone)]
pub(super) struct Refusals {
    response: Bytes,
    at_once: Arc<Semaphore>,
}

/// A refusal that may be sent.
#[derive(Debug)]
pub(super) struct Refusal {
    response: Bytes,
    _permit: OwnedSemaphorePermit,
}

impl Refusals {
    pub(super) async fn prepare() -> Self {
        let refusal = ApiError::new(
            Reason::ConnectionsFull,
            "there are too many connections, in all or from this address; close some, or try \
             again later",
        );
        let (parts, body) = refusal.into_response().into_parts();
        let body = to_bytes(body, usize::MAX)
            .await
            .expect("a body in memory is whole");
        let mut head = format!("HTTP/1.1 {}\r\n", parts.status);
        let mut field = |name: &str, value: &str| {
            write!(head, "{name}: {value}\r\n").expect("writing to a string cannot fail");
        };
        for (name, value) in &parts.headers {
            let value = value.to_str().expect("our own headers are plain");
            field(name.as_str(), value);
        }
        field("content-length", &body.len().to_string());
        field("connection", "close");
        head.push_str("\r\n");
        Self {
            response: [head.as_bytes(), &body].concat().into(),
            at_once: Arc::new(Semaphore::new(AT_ONCE_MAX)),
        }
    }

    /// One more refusal, unless too many are being sent.
    pub(super) fn next(&self) -> Option<Refusal> {
        let permit = self.at_once.clone().try_acquire_owned().ok()?;
        Some(Refusal {
            response: self.response.clone(),
            _permit: permit,
        })
    }
}

impl Refusal {
    pub(super) async fn send(self, mut stream: TcpStream) {
        let sent = timeout(SENT_WITHIN, async {
            stream.write_all(&self.response).await?;
            stream.shutdown().await?;
            let mut rest = stream.take(DISCARDED_BYTES_MAX);
            tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
        });
        if !matches!(sent.await, Ok(Ok(_))) {
            tracing::trace!("a refusal of a connection was not sent");
        }
    }
}
