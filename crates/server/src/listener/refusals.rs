//! What those are told for whom there is no place.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::error::ApiError;

/// Refusals that are being told; further ones are closed without a word, since
/// telling must not become the burden that refusing keeps away.
const AT_ONCE_MAX: usize = 256;

/// How long somebody may take to hear it.
const HEARD_WITHIN: Duration = Duration::from_secs(1);

/// What is thrown away of what a refused client had sent already: closing
/// before it is read would take the refusal back.
const DISCARDED_BYTES_MAX: u64 = 64 << 10;

/// The refusal, ready to be sent.
#[derive(Debug, Clone)]
pub(super) struct Refusals {
    answer: Bytes,
    at_once: Arc<Semaphore>,
}

/// A refusal that may be told.
#[derive(Debug)]
pub(super) struct Refusal {
    answer: Bytes,
    _turn: OwnedSemaphorePermit,
}

impl Refusals {
    pub(super) async fn prepare() -> Self {
        let refusal = ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "CONNECTIONS_FULL",
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
            answer: [head.as_bytes(), &body].concat().into(),
            at_once: Arc::new(Semaphore::new(AT_ONCE_MAX)),
        }
    }

    /// One more, unless too many are being told.
    pub(super) fn next(&self) -> Option<Refusal> {
        let turn = self.at_once.clone().try_acquire_owned().ok()?;
        Some(Refusal {
            answer: self.answer.clone(),
            _turn: turn,
        })
    }
}

impl Refusal {
    pub(super) async fn tell(self, mut stream: TcpStream) {
        let told = timeout(HEARD_WITHIN, async {
            stream.write_all(&self.answer).await?;
            stream.shutdown().await?;
            let mut rest = stream.take(DISCARDED_BYTES_MAX);
            tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
        });
        // Whoever does not listen is none the wiser.
        if !matches!(told.await, Ok(Ok(_))) {
            tracing::trace!("a refused connection did not hear why");
        }
    }
}
