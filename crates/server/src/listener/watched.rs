//! A connection that is closed when no bytes move on it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// How long a connection may be without progress.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// Until the version of HTTP is clear. The library that detects it waits for ever.
    pub(super) opening: Duration,
    /// While bytes wait to be sent: for a client that stops reading its download.
    pub(super) unread: Duration,
    /// In all other cases. Longer than a response may take.
    pub(super) stall: Duration,
}

/// A stream that fails when no bytes moved on it for too long.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    unread: Duration,
    stall: Duration,
    /// Whether bytes wait to be sent. Until the client reads them, nothing else extends `due`.
    is_unread: bool,
    /// The bytes of HTTP/2's preface that have come; `None` once anything else has.
    preface_bytes: Option<usize>,
    /// When the connection fails. Bytes that move extend it.
    due: Instant,
    timer: Pin<Box<Sleep>>,
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

impl<S> Watched<S> {
    pub(super) fn new(stream: S, timeouts: Timeouts) -> Self {
        let due = Instant::now() + timeouts.opening;
        Self {
            stream,
            unread: timeouts.unread,
            stall: timeouts.stall,
            is_unread: false,
            preface_bytes: Some(0),
            due,
            timer: Box::pin(sleep_until(due)),
        }
    }

    fn moved(&mut self) {
        // The timer is not reset here: that would cost more than moving the bytes.
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

    /// Ready with the error, once it is due.
    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if Instant::now() >= self.due {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.timer.as_mut().reset(self.due);
        }
    }

    /// Watches the result of a write.
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

    const TIMEOUTS: Timeouts = Timeouts {
        opening: Duration::from_millis(40),
        unread: Duration::from_millis(80),
        stall: Duration::from_millis(120),
    };

    /// With a stall that no step reaches, even on a busy machine.
    const LONG_STALL: Timeouts = Timeouts {
        stall: Duration::from_mins(1),
        ..TIMEOUTS
    };

    #[tokio::test]
    async fn a_connection_whose_client_stops_reading_fails() {
        let (near, mut far) = duplex(16);
        let mut near = Watched::new(near, LONG_STALL);
        far.write_all(b"GET").await.unwrap();
        near.read_exact(&mut [0; 3]).await.unwrap();
        let started = Instant::now();
        let error = near.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(started.elapsed() < LONG_STALL.stall);
    }

    #[tokio::test]
    async fn the_preface_must_come_in_time() {
        let (near, mut far) = duplex(64);
        let mut near = Watched::new(near, LONG_STALL);
        far.write_all(b"PRI").await.unwrap();
        let started = Instant::now();
        let error = near.read_to_end(&mut Vec::new()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(started.elapsed() < LONG_STALL.stall);
    }

    #[tokio::test]
    async fn other_bytes_than_the_preface_end_the_opening() {
        let (near, mut far) = duplex(64);
        let mut near = Watched::new(near, TIMEOUTS);
        far.write_all(b"GET").await.unwrap();
        let started = Instant::now();
        near.read_to_end(&mut Vec::new()).await.unwrap_err();
        assert!(started.elapsed() >= TIMEOUTS.stall);
    }
}
