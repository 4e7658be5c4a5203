//! The connection of the load generator.
//!
//! A request takes 35 µs of a processor here, and 53 µs with the client of `testkit` (1 record,
//! release build). The server under measurement runs on the same processors, so the difference
//! would be in its figures.

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use showreport_testkit::Client;

const RESPONSE_WITHIN: Duration = Duration::from_mins(10);
const HEADERS_MAX: usize = 32;

/// A connection that sends records and waits for the response.
pub(crate) struct Wire<'a> {
    client: &'a Client,
    stream: TcpStream,
    received: Vec<u8>,
}

impl<'a> Wire<'a> {
    pub(crate) fn open(client: &'a Client) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(&client.address).context("connect to the server")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(RESPONSE_WITHIN))?;
        Ok(Self {
            client,
            stream,
            received: Vec::new(),
        })
    }

    /// Sends records; the status and the body of the response.
    pub(crate) fn collect(&mut self, records: &[u8]) -> anyhow::Result<(u16, &[u8])> {
        let head = format!(
            "POST /collect HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n",
            self.client.token,
            records.len()
        );
        let parts = [IoSlice::new(head.as_bytes()), IoSlice::new(records)];
        let written = self.stream.write_vectored(&parts)?;
        if let Some(rest) = head.as_bytes().get(written..) {
            self.stream.write_all(rest)?;
        }
        let written = written.saturating_sub(head.len());
        self.stream.write_all(&records[written..])?;
        self.receive()
    }

    fn receive(&mut self) -> anyhow::Result<(u16, &[u8])> {
        self.received.clear();
        let (status, body) = loop {
            self.read()?;
            let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
            let mut head = httparse::Response::new(&mut headers);
            if let httparse::Status::Complete(length) = head.parse(&self.received)? {
                let body = length..length + body_length(head.headers)?;
                break (head.code.context("a response without a status")?, body);
            }
        };
        while self.received.len() < body.end {
            self.read()?;
        }
        Ok((status, &self.received[body]))
    }

    fn read(&mut self) -> anyhow::Result<()> {
        let mut chunk = [0; 4_096];
        let count = loop {
            match self.stream.read(&mut chunk) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                count => break count.context("read a response")?,
            }
        };
        ensure!(count > 0, "the server closed the connection");
        self.received.extend_from_slice(&chunk[..count]);
        Ok(())
    }
}

fn body_length(headers: &[httparse::Header]) -> anyhow::Result<usize> {
    let mut lengths = headers
        .iter()
        .filter(|it| it.name.eq_ignore_ascii_case("content-length"));
    let Some(length) = lengths.next() else {
        bail!("a response without a length");
    };
    std::str::from_utf8(length.value)?
        .parse()
        .context("read the length of a response")
}
