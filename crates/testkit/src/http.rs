//! As much of HTTP as a load generator needs, and no more: it shares the
//! processors with the server that it measures.

use std::borrow::Cow;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

/// Longer than any answer may take.
const PATIENCE: Duration = Duration::from_mins(10);

/// A connection that is kept.
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// An answer, whole.
pub struct Answer {
    pub status: u16,
    /// The status line and the headers.
    pub head: String,
    pub body: Vec<u8>,
}

impl Connection {
    pub fn open(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).context("connect to the server")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            received: Vec::with_capacity(4_096),
        })
    }

    /// Sends a request in two parts that lie apart in memory, and waits for the answer.
    pub fn send(&mut self, head: &[u8], body: &[u8]) -> anyhow::Result<Answer> {
        let written = self
            .stream
            .write_vectored(&[IoSlice::new(head), IoSlice::new(body)])?;
        if let Some(rest) = head.get(written..) {
            self.stream.write_all(rest)?;
        }
        self.stream
            .write_all(&body[written.saturating_sub(head.len())..])?;
        self.receive(!head.starts_with(b"HEAD "))
    }

    fn receive(&mut self, has_body: bool) -> anyhow::Result<Answer> {
        self.received.clear();
        let head_end = loop {
            let found = self
                .received
                .windows(4)
                .position(|four| four == b"\r\n\r\n");
            if let Some(end) = found {
                break end + 4;
            }
            self.more()?;
        };
        let head =
            std::str::from_utf8(&self.received[..head_end]).context("read an answer's head")?;
        let status = head.get(9..12).and_then(|code| code.parse().ok());
        let status = status.with_context(|| format!("no status in {head:?}"))?;
        let length = if has_body { body_length(head)? } else { 0 };
        let head = head.to_owned();
        while self.received.len() < head_end + length {
            self.more()?;
        }
        Ok(Answer {
            status,
            head,
            body: self.received[head_end..head_end + length].to_vec(),
        })
    }

    fn more(&mut self) -> anyhow::Result<()> {
        let mut chunk = [0; 8_192];
        let read = loop {
            match self.stream.read(&mut chunk) {
                // A wait with a time limit is not taken up again by itself.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read.context("read an answer")?,
            }
        };
        ensure!(read > 0, "the server closed the connection");
        self.received.extend(&chunk[..read]);
        Ok(())
    }
}

impl Answer {
    /// The value of a header; empty where it is absent.
    pub fn header(&self, wanted: &str) -> &str {
        header(&self.head, wanted).unwrap_or_default()
    }

    /// In how many seconds to come again.
    pub fn retry_after(&self) -> Option<u64> {
        self.header("retry-after").parse().ok()
    }

    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
}

fn body_length(head: &str) -> anyhow::Result<usize> {
    if let Some(length) = header(head, "content-length") {
        return length.parse().context("read the length of an answer");
    }
    if header(head, "transfer-encoding").is_some() {
        bail!("an answer in chunks, which this client does not read");
    }
    Ok(0)
}

fn header<'a>(head: &'a str, wanted: &str) -> Option<&'a str> {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = fields.find(|(name, _)| name.eq_ignore_ascii_case(wanted))?;
    Some(value.trim())
}

/// The head of a request, its blank line included.
pub fn head(method: &str, path: &str, token: &str, body_bytes: usize) -> String {
    let kind = if path == "/collect" {
        "application/x-ndjson"
    } else {
        "application/json"
    };
    format!(
        "{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: {kind}\r\nContent-Length: {body_bytes}\r\n\r\n"
    )
}
