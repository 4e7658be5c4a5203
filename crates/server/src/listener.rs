//! The accept loop: connections within bounds of number and time, drained at the end.
//!
//! The framework's own loop sets no timeouts: a client that connects and says
//! nothing would stay for ever.

mod watched;
mod places;
mod refusals;
mod requests;

use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::config::Config;
use places::{Place, Places};
use refusals::Refusals;
use requests::Requests;
use watched::{Limits, Watched};

/// Serves until the shutdown, then lets open requests end for a while.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    config: &Config,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let door = Door {
        builder: builder(config),
        limits: Limits {
            opening: Duration::from_millis(config.header_read_timeout_ms),
            unread: Duration::from_millis(config.body_timeout_ms),
            stall: Duration::from_millis(config.stall_timeout_ms),
        },
        router,
    };
    let places = Places::new(config.connections_max, config.connections_each_max);
    let refusals = Refusals::prepare().await;
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => match places.take(address.ip()) {
                Some(place) => {
                    connections.spawn(door.clone().serve(stream, place, shutdown.clone()));
                }
                // Who waited for a place in the system's queue would not learn why.
                None => {
                    if let Some(refusal) = refusals.next() {
                        connections.spawn(refusal.tell(stream));
                    }
                }
            },
            Err(error) => after_refusal(&error).await,
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    drain(connections, Duration::from_millis(config.drain_timeout_ms)).await;
    Ok(())
}

/// How long a client may take for its part of a farewell.
const FAREWELL_WITHIN: Duration = Duration::from_secs(1);

#[derive(Clone)]
struct Door {
    builder: Builder<TokioExecutor>,
    limits: Limits,
    router: Router,
}

impl Door {
    async fn serve(self, stream: TcpStream, place: Place, shutdown: CancellationToken) {
        // Answers are written whole; waiting to fill a packet only delays them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "set a connection to send at once");
        }
        let Limits { opening, stall, .. } = self.limits;
        let stream = TokioIo::new(Watched::new(stream, self.limits));
        let requests = Requests::default();
        let begun = requests.clone();
        let router = self.router;
        let service = service_fn(move |request| {
            let open = begun.begin();
            let answer = router.clone().oneshot(request);
            async move { Ok::<_, std::convert::Infallible>(answer.await?.map(|body| open.answer(body))) }
        });
        let mut connection = pin!(self.builder.serve_connection(stream, service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
            () = requests.at_rest(opening, stall) => {
                connection.as_mut().graceful_shutdown();
                timeout(FAREWELL_WITHIN, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            // Clients come and go; that is no fault of anybody's.
            tracing::debug!(error, "a connection ended");
        }
        drop(place);
    }
}

/// The most bytes of a request's head, its blank line included.
const HEAD_BYTES_MAX: usize = 16 << 10;
const HEAD_LIST_BYTES_MAX: u32 = 16 << 10;

fn builder(config: &Config) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // The timeout begins when the answer before is sent, so it bounds idle
    // connections too (hyper 1.12, proto/h1/conn.rs).
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(config.header_read_timeout_ms))
        .max_headers(100)
        // A head may be as large; each connection may hold one that has no end.
        .max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(100)
        .initial_stream_window_size(256 << 10)
        .initial_connection_window_size(1 << 20)
        .max_header_list_size(HEAD_LIST_BYTES_MAX)
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(128);
    builder
}

/// A client that left before it was accepted is nothing. Being out of file
/// descriptors passes, and trying again at once would only burn time.
async fn after_refusal(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    ) {
        tracing::warn!(%error, "accept a connection");
        sleep(Duration::from_millis(100)).await;
    }
}

async fn drain(mut connections: JoinSet<()>, wait: Duration) {
    let ended = timeout(wait, async {
        while connections.join_next().await.is_some() {}
    })
    .await;
    if ended.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "close connections that did not end in time"
        );
        connections.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::MethodRouter;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    struct Served {
        address: std::net::SocketAddr,
        shutdown: CancellationToken,
        tasks: JoinSet<io::Result<()>>,
    }

    async fn served() -> Served {
        let config = Config {
            header_read_timeout_ms: 100,
            stall_timeout_ms: 300,
            drain_timeout_ms: 2000,
            ..Config::default()
        };
        let slow = || async {
            sleep(Duration::from_millis(200)).await;
            "done"
        };
        let router = Router::new().route_service("/", MethodRouter::<()>::new().get(slow));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { serve(listener, router, &config, stop).await });
        Served {
            address,
            shutdown,
            tasks,
        }
    }

    /// Sends the bytes and waits until the server closes the connection.
    async fn closed_after(server: &Served, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        timeout(Duration::from_secs(5), stream.read_to_end(&mut answer))
            .await
            .expect("the server closes the connection")
            .ok();
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn a_client_that_says_nothing_more_is_closed() {
        let server = served().await;
        for bytes in [
            &b""[..],
            b"PRI * HT",
            b"GET / HT",
            b"GET / HTTP/1.1\r\nhost: a\r\n",
        ] {
            let answer = closed_after(&server, bytes).await;
            assert!(!answer.contains("200"), "{answer}");
        }
    }

    #[tokio::test]
    async fn an_idle_connection_is_closed_after_its_answer() {
        let server = served().await;
        let answer = closed_after(&server, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(
            answer.contains("200 OK") && answer.ends_with("done"),
            "{answer}"
        );
    }

    #[tokio::test]
    async fn an_open_request_ends_before_the_server_does() {
        let mut server = served().await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        sleep(Duration::from_millis(50)).await;
        server.shutdown.cancel();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("done"), "{answer}");
        server.tasks.join_next().await.unwrap().unwrap().unwrap();
        assert!(TcpStream::connect(server.address).await.is_err());
    }
}
