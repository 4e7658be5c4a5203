//! Many who send records and many who ask for reports, all at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use showreport_testkit::{Connection, Server, head};

/// The event that the storm's records are about.
pub(super) const EVENT: &str = "storm";

/// Records of a request. A sender only changes their numbers, so that it can offer much more than the
/// server, on the same processors, can read.
const BATCH: usize = 400;

/// Connections in quiet times.
const FEW: u32 = 32;

/// More than may wait for a commit together.
const MANY: u32 = 1_400;

const ASKERS: u32 = 64;

/// A thread does little but wait.
const STACK_BYTES: usize = 128 << 10;

/// A storm that goes over one server, and numbers its records.
pub(super) struct Storm<'a> {
    server: &'a Server,
    /// Senders so far, of all storms.
    senders: AtomicU64,
}

/// The records that one sender sends next.
struct Batch {
    body: Vec<u8>,
    /// Where the numbers stand, which tell these records from those before.
    numbers: Vec<usize>,
    next: u64,
}

/// What the server told those who sent and asked.
#[derive(Default)]
pub(super) struct Told {
    lasted: Duration,
    /// Accepted requests: when they were, since the beginning, and how long that took.
    accepted: Vec<(Duration, Duration)>,
    /// Requests that were refused.
    refused: u64,
    /// Questions for reports.
    pub(super) asked: u64,
    /// Questions that were refused.
    pub(super) denied: u64,
}

impl<'a> Storm<'a> {
    pub(super) const fn new(server: &'a Server) -> Self {
        Self {
            server,
            senders: AtomicU64::new(0),
        }
    }

    /// A few who send as fast as they are answered.
    pub(super) fn quiet(&self, lasting: Duration) -> anyhow::Result<Told> {
        self.blow(FEW, None, 0, lasting)
    }

    /// So many records a second, whatever becomes of them, and questions beside them.
    pub(super) fn rage(&self, per_second: f64, lasting: Duration) -> anyhow::Result<Told> {
        let requests_per_second = per_second / count(BATCH as u64);
        let pause = Duration::from_secs_f64(f64::from(MANY) / requests_per_second);
        self.blow(MANY, Some(pause), ASKERS, lasting)
    }

    fn blow(
        &self,
        senders: u32,
        pause: Option<Duration>,
        askers: u32,
        lasting: Duration,
    ) -> anyhow::Result<Told> {
        let begun = Instant::now();
        let end = begun + lasting;
        let shares: Vec<anyhow::Result<Told>> = thread::scope(|scope| {
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
        let mut told = Told {
            lasted: lasting,
            ..Told::default()
        };
        for share in shares {
            told.add(share?);
        }
        told.accepted.sort_unstable();
        Ok(told)
    }

    fn send(&self, begun: Instant, end: Instant, pause: Option<Duration>) -> anyhow::Result<Told> {
        let mut told = Told::default();
        let mut connection = self.server.connect()?;
        let mut batch = Batch::of(self.senders.fetch_add(1, Ordering::Relaxed));
        let mut due = Instant::now();
        while Instant::now() < end {
            if let Some(pause) = pause {
                // Whoever is late sends at once, but not all that he has missed.
                due = (due + pause).max(Instant::now());
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            let records = batch.next();
            let sent = Instant::now();
            match self.tell(&mut connection, "POST", "/collect", records)? {
                202 => told.accepted.push((begun.elapsed(), sent.elapsed())),
                _ => told.refused += 1,
            }
        }
        Ok(told)
    }

    fn ask(&self, number: u32, end: Instant) -> anyhow::Result<Told> {
        let entry = "{\"dimension\":\"REPORT_DIMENSION_WATCH_TIME\",\"group_by_fields\":[\"GROUP_BY_FIELD_CUSTOMER_ID\"]}";
        let order = format!(
            "{{\"id\":\"keynote\",\"type\":\"EVENT_TYPE_LIVE\",\"dimension_with_conditions\":[{}]}}",
            [entry; 10].join(",")
        );
        let mut told = Told::default();
        let mut connection = self.server.connect()?;
        while Instant::now() < end {
            let (method, path, body) = match (number + u32::try_from(told.asked)?) % 4 {
                0 => ("POST", "/bv/analytics/v1/events/reports", order.as_str()),
                1 => ("GET", "/api/v1/events/keynote/figures", ""),
                2 => ("GET", "/api/v1/reports?page_size=1000", ""),
                _ => ("GET", "/api/v1/events", ""),
            };
            told.asked += 1;
            if self.tell(&mut connection, method, path, body.as_bytes())? != 200 {
                told.denied += 1;
            }
        }
        Ok(told)
    }

    /// Sends a request; the answer is good, or a refusal that says when to come again.
    fn tell(
        &self,
        connection: &mut Connection,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> anyhow::Result<u16> {
        let head = head(method, path, &self.server.token, body.len());
        let answer = connection.send(head.as_bytes(), body);
        let answer = answer.with_context(|| format!("{method} {path}"))?;
        let is_refusal = matches!(answer.status, 429 | 503) && answer.retry_after().is_some();
        ensure!(
            is_refusal || (200..300).contains(&answer.status),
            "{method} {path} was answered {}: {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        Ok(answer.status)
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

impl Told {
    fn add(&mut self, other: Self) {
        self.accepted.extend(other.accepted);
        self.refused += other.refused;
        self.asked += other.asked;
        self.denied += other.denied;
    }

    /// Accepted records.
    pub(super) fn taken(&self) -> u64 {
        (self.accepted.len() * BATCH) as u64
    }

    /// Refused records.
    pub(super) const fn refused(&self) -> u64 {
        self.refused * BATCH as u64
    }

    /// Accepted records a second.
    pub(super) fn per_second(&self) -> f64 {
        count(self.taken()) / self.lasted.as_secs_f64()
    }

    /// Refused records a second.
    pub(super) fn refused_per_second(&self) -> f64 {
        count(self.refused()) / self.lasted.as_secs_f64()
    }

    /// What 99 of 100 accepted requests waited at most.
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
