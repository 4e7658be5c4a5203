//! Many connections that send records, and others that ask for reports.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;

use showreport_testkit::{Client, Connection};

/// The event of the records.
pub(super) const EVENT: &str = "traffic";

/// Records of a request. A sender only changes their numbers, so that it can send much more than
/// the server can read.
const BATCH: usize = 400;

/// Senders at rest.
const FEW: u32 = 32;

/// Senders in an overload: more than may wait for a commit together.
const MANY: u32 = 1_400;

/// Connections that ask for reports, figures and lists.
const ASKERS: u32 = 64;

/// There are 1,500 threads.
const STACK_BYTES: usize = 256 << 10;

/// Traffic to one server; no record is sent twice.
pub(super) struct Traffic<'a> {
    client: &'a Client,
    /// Senders so far.
    senders: AtomicU64,
}

/// The next records of a sender.
struct Batch {
    body: Vec<u8>,
    /// Where the numbers are that make these records differ from those before.
    numbers: Vec<usize>,
    next: u64,
}

/// The responses of the server.
#[derive(Default)]
pub(super) struct Responses {
    lasted: Duration,
    /// Accepted requests with records: the time since the beginning, and how long the response
    /// took.
    accepted: Vec<(Duration, Duration)>,
    /// Refused requests with records.
    refused: u64,
    /// Other requests, and those of them that were refused.
    pub(super) asked: u64,
    pub(super) asked_refused: u64,
}

impl<'a> Traffic<'a> {
    pub(super) const fn new(client: &'a Client) -> Self {
        Self {
            client,
            senders: AtomicU64::new(0),
        }
    }

    /// A few senders, each of which waits for its response before it sends again.
    pub(super) fn at_rest(&self, lasting: Duration) -> anyhow::Result<Responses> {
        self.send_and_ask(FEW, None, 0, lasting)
    }

    /// This many records a second, whether they are accepted or not, and other requests.
    pub(super) fn overload(&self, per_second: f64, lasting: Duration) -> anyhow::Result<Responses> {
        let requests_per_second = per_second / count(BATCH as u64);
        let pause = Duration::from_secs_f64(f64::from(MANY) / requests_per_second);
        self.send_and_ask(MANY, Some(pause), ASKERS, lasting)
    }

    fn send_and_ask(
        &self,
        senders: u32,
        pause: Option<Duration>,
        askers: u32,
        lasting: Duration,
    ) -> anyhow::Result<Responses> {
        let begun = Instant::now();
        let end = begun + lasting;
        let shares: Vec<anyhow::Result<Responses>> = thread::scope(|scope| {
            let mut threads = Vec::new();
            for number in 0..senders + askers {
                let work = move || {
                    if number < senders {
                        self.send(begun, end, pause)
                    } else {
                        self.ask(number, end)
                    }
                };
                let thread = thread::Builder::new().stack_size(STACK_BYTES);
                threads.push(
                    thread
                        .spawn_scoped(scope, work)
                        .expect("a thread may start"),
                );
            }
            let shares = threads.into_iter();
            shares
                .map(|thread| thread.join().expect("a client does not panic"))
                .collect()
        });
        let mut responses = Responses {
            lasted: lasting,
            ..Responses::default()
        };
        for share in shares {
            responses.add(share?);
        }
        responses.accepted.sort_unstable();
        Ok(responses)
    }

    fn send(
        &self,
        begun: Instant,
        end: Instant,
        pause: Option<Duration>,
    ) -> anyhow::Result<Responses> {
        let mut responses = Responses::default();
        let mut connection = self.client.connect()?;
        let mut batch = Batch::of(self.senders.fetch_add(1, Ordering::Relaxed));
        let mut due = Instant::now();
        while Instant::now() < end {
            if let Some(pause) = pause {
                // A late sender sends at once, but does not make up for what it missed.
                due = (due + pause).max(Instant::now());
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            let records = Bytes::copy_from_slice(batch.next());
            let sent = Instant::now();
            match self.send_one(&mut connection, "POST", "/collect", records)? {
                202 => responses.accepted.push((begun.elapsed(), sent.elapsed())),
                _ => responses.refused += 1,
            }
        }
        Ok(responses)
    }

    fn ask(&self, number: u32, end: Instant) -> anyhow::Result<Responses> {
        let entry = "{\"dimension\":\"REPORT_DIMENSION_WATCH_TIME\",\"group_by_fields\":[\"GROUP_BY_FIELD_CUSTOMER_ID\"]}";
        let order = format!(
            "{{\"id\":\"keynote\",\"type\":\"EVENT_TYPE_LIVE\",\"dimension_with_conditions\":[{}]}}",
            [entry; 10].join(",")
        );
        let mut responses = Responses::default();
        let mut connection = self.client.connect()?;
        while Instant::now() < end {
            let (method, path, body) = match (number + u32::try_from(responses.asked)?) % 4 {
                0 => ("POST", "/bv/analytics/v1/events/reports", order.as_str()),
                1 => ("GET", "/api/v1/events/keynote/figures?fresh=true", ""),
                2 => ("GET", "/api/v1/reports?page_size=1000", ""),
                _ => ("GET", "/api/v1/events", ""),
            };
            responses.asked += 1;
            if self.send_one(
                &mut connection,
                method,
                path,
                Bytes::copy_from_slice(body.as_bytes()),
            )? != 200
            {
                responses.asked_refused += 1;
            }
        }
        Ok(responses)
    }

    /// Sends a request, which must succeed or be refused with `Retry-After`; gives the status.
    fn send_one(
        &self,
        connection: &mut Connection,
        method: &str,
        path: &str,
        body: Bytes,
    ) -> anyhow::Result<u16> {
        let response = connection.send(method, path, &self.client.token, body);
        let response = response.with_context(|| format!("{method} {path}"))?;
        let is_refusal = matches!(response.status, 429 | 503) && response.retry_after().is_some();
        ensure!(
            is_refusal || (200..300).contains(&response.status),
            "{method} {path} was answered {}: {}",
            response.status,
            response.text()
        );
        Ok(response.status)
    }
}

impl Batch {
    /// Digits of a number.
    const WIDTH: usize = 8;

    fn of(sender: u64) -> Self {
        let (mut body, mut numbers) = (Vec::new(), Vec::new());
        for record in 0..BATCH {
            body.extend_from_slice(
                format!("{{\"type\":\"playback\",\"event_id\":\"{EVENT}\",\"playback_id\":\"{sender}-{record}-").as_bytes(),
            );
            numbers.push(body.len());
            body.extend_from_slice(&[b'0'; Self::WIDTH]);
            body.extend_from_slice(b"\",\"from\":1790000000000,\"to\":1790000010000}\n");
        }
        Self {
            body,
            numbers,
            next: 0,
        }
    }

    /// Records that were never sent.
    fn next(&mut self) -> &[u8] {
        let number = format!("{:0width$}", self.next, width = Self::WIDTH);
        self.next += 1;
        for &at in &self.numbers {
            self.body[at..at + Self::WIDTH].copy_from_slice(number.as_bytes());
        }
        &self.body
    }
}

impl Responses {
    fn add(&mut self, other: Self) {
        self.accepted.extend(other.accepted);
        self.refused += other.refused;
        self.asked += other.asked;
        self.asked_refused += other.asked_refused;
    }

    /// Accepted records.
    pub(super) fn accepted(&self) -> u64 {
        (self.accepted.len() * BATCH) as u64
    }

    /// Refused records.
    pub(super) const fn refused(&self) -> u64 {
        self.refused * BATCH as u64
    }

    /// Accepted records a second.
    pub(super) fn per_second(&self) -> f64 {
        count(self.accepted()) / self.lasted.as_secs_f64()
    }

    /// Refused records a second.
    pub(super) fn refused_per_second(&self) -> f64 {
        count(self.refused()) / self.lasted.as_secs_f64()
    }

    /// The 99th percentile of the times of accepted requests.
    pub(super) fn percentile(&self) -> Duration {
        let mut waits: Vec<Duration> = self.accepted.iter().map(|&(_, wait)| wait).collect();
        waits.sort_unstable();
        let last = waits.len().saturating_sub(1);
        waits.get(last * 99 / 100).copied().unwrap_or_default()
    }

    /// The longest time between two accepted requests.
    pub(super) fn longest_gap(&self) -> Duration {
        let gaps = self
            .accepted
            .windows(2)
            .map(|two| two[1].0.saturating_sub(two[0].0));
        gaps.max().unwrap_or(self.lasted)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a few minutes")]
const fn count(number: u64) -> f64 {
    number as f64
}
