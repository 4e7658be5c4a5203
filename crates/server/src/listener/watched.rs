//! A connection that is closed when nothing moves on it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// How long nothing may move.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Until it is clear which version of HTTP a client speaks. The library
    /// that finds out waits for ever.
    pub(super) opening: Duration,
    /// While something waits to be sent: a client that stops reading its download.
    pub(super) unread: Duration,
    /// Otherwise: longer than an answer may take.
    pub(super) stall: Duration,
}

/// A stream that fails when nothing moved on it for too long.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    unread: Duration,
    stall: Duration,
    /// Whether the client must read before anything else counts as moving.
    is_unread: bool,
    /// How much of HTTP/2's preface has come, while nothing else has.
    preface_bytes: Option<usize>,
    /// When the connection fails; later than that only if something moves.
    due: Instant,
    timer: Pin<Box<Sleep>>,
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

impl<S> Watched<S> {
    pub(super) fn new(stream: S, limits: Limits) -> Self {
        let due = Instant::now() + limits.opening;
        Self {
            stream,
            unread: limits.unread,
            stall: limits.stall,
            is_unread: false,
            preface_bytes: Some(0),
            due,
            timer: Box::pin(sleep_until(due)),
        }
    }

    fn moved(&mut self) {
        // Setting the timer each time would cost more than the moving.
        if self.preface_bytes.is_none() && !self.is_unread {
            self.due = Instant::now() + self.stall;
        }
    }

    fn came(&mut self, bytes: &[u8]) {
        if let Some(so_far) = self.preface_bytes {
            let end = so_far + bytes.len();
            let is_preface = PREFACE.get(so_far..end) == Some(bytes);
            self.preface_bytes = (is_preface && end < PREFACE.len()).then_some(end);
        }
        self.moved();
    }

    /// Ready, with the failure, once it is due.
    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if Instant::now() >= self.due {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.timer.as_mut().reset(self.due);
        }
    }

    /// What became of writing.
    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        progress: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match progress {
            Poll::Pending => {
                if !self.is_unread {
                    self.is_unread = true;
                    self.due = self.due.min(Instant::now() + self.unread);
                    self.timer.as_mut().reset(self.due);
                }
                self.poll_stalled(cx).map(Err)
            }
            ready @ Poll::Ready(_) => {
                self.is_unread = false;
                self.moved();
                ready
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Pending => self.poll_stalled(cx).map(Err),
            ready @ Poll::Ready(_) => {
                self.came(&buffer.filled()[before..]);
                ready
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, progress)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.stream).poll_write_vectored(cx, buffers);
        self.watch(cx, progress)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const LIMITS: Limits = Limits {
        opening: Duration::from_millis(40),
        unread: Duration::from_millis(80),
        stall: Duration::from_millis(120),
    };

    /// Longer than a busy machine takes for anything.
    const PATIENT: Limits = Limits {
        stall: Duration::from_mins(1),
        ..LIMITS
    };

    #[tokio::test]
    async fn a_reader_that_stops_is_given_up() {
        let (near, mut far) = duplex(16);
        let mut near = Watched::new(near, PATIENT);
        far.write_all(b"GET").await.unwrap();
        near.read_exact(&mut [0; 3]).await.unwrap();
        let started = Instant::now();
        let error = near.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(started.elapsed() < PATIENT.stall);
    }

    #[tokio::test]
    async fn the_preface_must_come_in_time() {
        let (near, mut far) = duplex(64);
        let mut near = Watched::new(near, PATIENT);
        far.write_all(b"PRI").await.unwrap();
        let started = Instant::now();
        let error = near.read_to_end(&mut Vec::new()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(started.elapsed() < PATIENT.stall);
    }

    #[tokio::test]
    async fn anything_else_is_no_opening_any_more() {
        let (near, mut far) = duplex(64);
        let mut near = Watched::new(near, LIMITS);
        far.write_all(b"GET").await.unwrap();
        let started = Instant::now();
        near.read_to_end(&mut Vec::new()).await.unwrap_err();
        assert!(started.elapsed() >= LIMITS.stall);
    }
}
