//! A blocking HTTP/1.1 client: one connection that is kept, one request at a time.
//!
//! Each connection runs on the thread that calls it. A client with threads of its own would cost
//! two switches of threads a request, on the processors that the server under measurement needs.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Version};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::server::{Client, Server};

/// No response takes longer.
const RESPONSE_WITHIN: Duration = Duration::from_mins(10);

/// A response without an end.
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// A connection that is kept open from one request to the next.
pub struct Connection {
    address: String,
    runtime: Runtime,
    sender: SendRequest<Full<Bytes>>,
}

/// A response with its whole body.
pub struct Response {
    pub status: u16,
    pub version: Version,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Connection {
    pub fn open(address: &str) -> anyhow::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let sender = runtime.block_on(async {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (sender, connection) = handshake(TokioIo::new(stream)).await?;
            // Its errors reach the request that is under way.
            runtime.spawn(connection);
            anyhow::Ok(sender)
        });
        let sender = sender.context("connect to the server")?;
        Ok(Self {
            address: address.to_owned(),
            runtime,
            sender,
        })
    }

    /// Sends a request of a token's holder and reads the response.
    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        token: &str,
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Response> {
        let mut request = request(method, path, body)?;
        let bearer = HeaderValue::from_str(&format!("Bearer {token}"))?;
        request.headers_mut().insert(AUTHORIZATION, bearer);
        self.send_request(request)
    }

    /// Sends a request as it is and reads the response; of a stream of events its beginning.
    pub fn send_request(&mut self, request: Request<Bytes>) -> anyhow::Result<Response> {
        let sender = &mut self.sender;
        let exchange = async {
            sender.ready().await?;
            let response = sender.send_request(request.map(Full::new)).await?;
            let (head, mut body) = response.into_parts();
            if head.headers.get(CONTENT_TYPE) == Some(&EVENT_STREAM) {
                let first = body.frame().await.transpose()?;
                let data = first.and_then(|frame| frame.into_data().ok());
                return hyper::Result::Ok((head, data.unwrap_or_default()));
            }
            hyper::Result::Ok((head, body.collect().await?.to_bytes()))
        };
        let response = self
            .runtime
            .block_on(async { timeout(RESPONSE_WITHIN, exchange).await });
        let response = response.context("wait for a response")?;
        let (head, body) = response.context("read a response")?;
        if head.headers.get(CONTENT_TYPE) == Some(&EVENT_STREAM) {
            // The rest of the stream is not read, which ends the connection.
            *self = Self::open(&self.address)?;
        }
        Ok(Response {
            status: head.status.as_u16(),
            version: head.version,
            headers: head.headers,
            body,
        })
    }
}

impl Response {
    /// The value of a header; empty where it is absent.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// Seconds after which the server wants the request again.
    pub fn retry_after(&self) -> Option<u64> {
        self.headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()
    }

    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The status line and the headers, a line each.
    pub fn head(&self) -> String {
        let mut head = format!("{:?} {}\n", self.version, self.status);
        for (name, value) in &self.headers {
            writeln!(
                head,
                "{name}: {}",
                String::from_utf8_lossy(value.as_bytes())
            )
            .expect("writing to a string");
        }
        head
    }
}

/// A request without a token.
pub fn request(method: &str, path: &str, body: impl Into<Bytes>) -> anyhow::Result<Request<Bytes>> {
    let is_ndjson = path.starts_with("/collect");
    let kind = if is_ndjson {
        "application/x-ndjson"
    } else {
        "application/json"
    };
    let request = Request::builder()
        .method(Method::from_bytes(method.as_bytes())?)
        .uri(path)
        .header(HOST, "showreport.example")
        .header(CONTENT_TYPE, kind);
    request
        .body(body.into())
        .with_context(|| format!("a request for {path}"))
}

/// The path of an absolute address, with its query.
pub fn path_of(address: &Value) -> anyhow::Result<String> {
    let rest = address
        .as_str()
        .and_then(|address| address.split_once("://"));
    let path = rest.and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
    let path = path.with_context(|| format!("{address} is no absolute address"))?;
    Ok(path.to_owned())
}

impl Client {
    pub fn connect(&self) -> anyhow::Result<Connection> {
        Connection::open(&self.address)
    }

    /// Sends one request on a connection of its own.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Response> {
        self.connect()?.send(method, path, &self.token, body)
    }

    pub fn get(&self, path: &str) -> anyhow::Result<Response> {
        self.send("GET", path, Bytes::new())
    }

    /// Posts JSON; the status and the JSON of the response.
    pub fn post(&self, path: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        let response = self.send("POST", path, body.to_string())?;
        let body = serde_json::from_slice(&response.body).context("read a response")?;
        Ok((response.status, body))
    }

    /// Posts JSON on a connection that is kept. The response must be a success.
    pub fn ask(
        &self,
        connection: &mut Connection,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<Value> {
        let response = connection.send("POST", path, &self.token, body.to_string())?;
        let (status, text) = (response.status, response.text());
        ensure!(status < 300, "{path} was answered {status}: {text}");
        serde_json::from_slice(&response.body).context("read a response")
    }

    /// Sends records, each of which must be accepted.
    pub fn collect(&self, records: impl Into<Bytes>) -> anyhow::Result<()> {
        let response = self.send("POST", "/collect", records)?;
        let (status, text) = (response.status, response.text());
        ensure!(
            status == 202 && text.ends_with("\"rejected\":[]}"),
            "records were answered {status}: {text}"
        );
        Ok(())
    }
}

impl Server {
    /// Waits until the server says that it is ready. Fails if it ends before.
    pub fn wait_until_ready(&self) -> anyhow::Result<Duration> {
        while self.client.get("/readyz")?.status != 200 {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(self.started.elapsed())
    }

    /// Waits until the server has done a whole round of maintenance.
    ///
    /// A round ends with a checkpoint, which empties the database's log. So this writes a record,
    /// and once the log is empty again the lake is compacted.
    pub fn wait_until_compacted(&self, database_log: &std::path::Path) -> anyhow::Result<()> {
        /// Longer than the pause between two rounds.
        const COMPACTED_WITHIN: Duration = Duration::from_mins(15);
        let record =
            r#"{"type":"event","event_id":"maintenance","kind":"live","title":"Maintenance"}"#;
        let begun = Instant::now();
        self.client.collect(record)?;
        while std::fs::metadata(database_log).is_ok_and(|log| log.len() > 0) {
            ensure!(
                begun.elapsed() < COMPACTED_WITHIN,
                "no round of maintenance ended within {COMPACTED_WITHIN:?}"
            );
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }
}
