//! The accept loop: connections within bounds of number and time, drained at shutdown.
//!
//! The loop of the framework sets no timeouts: a client that connects and sends nothing would keep
//! its connection for ever.

mod watched;
mod connections;
mod refusals;
mod requests;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::config::Config;
use crate::permits::Permit;
use crate::stopping::Stopping;
use connections::Connections;
use refusals::Refusals;
use requests::Requests;
use watched::{Timeouts, Watched};

/// Serves until the shutdown, then waits for open requests up to `drain_timeout_ms`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    config: &Config,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let server = Server {
        builder: builder(config),
        timeouts: Timeouts {
            opening: Duration::from_millis(config.header_read_timeout_ms),
            unread: Duration::from_millis(config.body_timeout_ms),
            stall: Duration::from_millis(config.stall_timeout_ms),
        },
        router,
    };
    let permits = Connections::new(config.connections_max, config.connections_each_max);
    let refusals = Refusals::prepare().await;
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => match permits.try_acquire(address.ip()) {
                Some(permit) => {
                    let server = server.clone();
                    connections.spawn(server.serve(stream, address, permit, shutdown.clone()));
                }
                // Accepted all the same: in the queue of the system a client would get no reason.
                None => {
                    if let Some(refusal) = refusals.next() {
                        connections.spawn(refusal.send(stream));
                    }
                }
            },
            Err(error) => after_failed_accept(&error).await,
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    drain(connections, Duration::from_millis(config.drain_timeout_ms)).await;
    Ok(())
}

/// How long a client may take to close a connection that the server wants to end.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

#[derive(Clone)]
struct Server {
    builder: Builder<TokioExecutor>,
    timeouts: Timeouts,
    router: Router,
}

impl Server {
    async fn serve(
        self,
        stream: TcpStream,
        peer: SocketAddr,
        permit: Permit<IpAddr>,
        shutdown: CancellationToken,
    ) {
        // Responses are written whole, so waiting to fill a packet would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "set a connection to send at once");
        }
        let Timeouts { opening, stall, .. } = self.timeouts;
        let stream = TokioIo::new(Watched::new(stream, self.timeouts));
        let requests = Requests::default();
        let begun = requests.clone();
        let router = self.router;
        let stopping = Stopping(shutdown.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            let open = begun.begin();
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(stopping.clone());
            let response = router.clone().oneshot(request);
            async move {
                Ok::<_, std::convert::Infallible>(response.await?.map(|body| open.until_sent(body)))
            }
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
                timeout(CLOSE_WITHIN, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            // Usually the client closed it, which is not a fault of the server.
            tracing::debug!(error, "a connection ended");
        }
        drop(permit);
    }
}

/// The most bytes of the head of a request, including its blank line.
const HEAD_BYTES_MAX: usize = 16 << 10;
const HEAD_LIST_BYTES_MAX: u32 = 16 << 10;

fn builder(config: &Config) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // The timeout begins when the response before is sent, so it bounds idle connections too
    // (hyper 1.12, proto/h1/conn.rs).
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(config.header_read_timeout_ms))
        .max_headers(100)
        // A connection buffers a head until it ends, so this bounds a head that never does.
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

/// Waits after a failed accept, unless the client has gone away: out of file descriptors, trying
/// again at once would use up a processor.
async fn after_failed_accept(error: &io::Error) {
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
        let mut response = Vec::new();
        timeout(Duration::from_secs(5), stream.read_to_end(&mut response))
            .await
            .expect("the server closes the connection")
            .ok();
        String::from_utf8_lossy(&response).into_owned()
    }

    #[tokio::test]
    async fn a_client_that_sends_nothing_more_is_closed() {
        let server = served().await;
        for bytes in [
            &b""[..],
            b"PRI * HT",
            b"GET / HT",
            b"GET / HTTP/1.1\r\nhost: a\r\n",
        ] {
            let response = closed_after(&server, bytes).await;
            assert!(!response.contains("200"), "{response}");
        }
    }

    #[tokio::test]
    async fn an_idle_connection_is_closed_after_its_response() {
        let server = served().await;
        let response = closed_after(&server, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(
            response.contains("200 OK") && response.ends_with("done"),
            "{response}"
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
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        assert!(response.ends_with("done"), "{response}");
        server.tasks.join_next().await.unwrap().unwrap().unwrap();
        assert!(TcpStream::connect(server.address).await.is_err());
    }
}
