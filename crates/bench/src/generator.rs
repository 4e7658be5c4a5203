//! The load generator: many connections, each of which waits for a response before it sends again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::batches::Batches;
use super::figures::Samples;
use super::wire::Wire;
use showreport_testkit::Client;

/// As many as the aims name.
pub(crate) const CONNECTIONS: u32 = 64;

/// A thread has little on its stack.
const STACK_BYTES: usize = 128 << 10;

/// The pause of a connection after a 503.
const AFTER_BUSY: Duration = Duration::from_millis(20);

/// The bodies to send, and how fast.
pub(crate) struct Load<'a> {
    pub(crate) client: &'a Client,
    pub(crate) batches: &'a Batches,
    /// Requests a second of all connections together; `None` for as many as get responses.
    pub(crate) pace: Option<f64>,
}

/// The result of a load.
pub(crate) struct Sent {
    pub(crate) requests_per_second: f64,
    pub(crate) records_per_second: f64,
    /// Responses with 503.
    pub(crate) refused: usize,
    /// Seconds until each response, from when its request was due.
    pub(crate) latencies: Samples,
}

/// The result of one connection.
#[derive(Default)]
struct Share {
    latencies: Vec<f64>,
    refused: usize,
}

impl Load<'_> {
    /// Sends while `work` is done.
    pub(crate) fn during<T>(
        &self,
        work: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<(T, Sent)> {
        let over = AtomicBool::new(false);
        let begun = Instant::now();
        let (done, shares) = thread::scope(|scope| {
            let mut threads = Vec::new();
            for number in 0..CONNECTIONS {
                let over = &over;
                let connection = move || self.one_connection(number, begun, over);
                let thread = thread::Builder::new().stack_size(STACK_BYTES);
                threads.push(
                    thread
                        .spawn_scoped(scope, connection)
                        .expect("a thread may start"),
                );
            }
            let done = work();
            over.store(true, Ordering::Relaxed);
            let shares: Vec<_> = threads
                .into_iter()
                .map(|thread| thread.join().expect("a connection does not panic"))
                .collect();
            (done, shares)
        });
        let shares = shares.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        Ok((done?, self.sum_up(shares, begun.elapsed())))
    }

    /// Sends for this long.
    pub(crate) fn lasting(&self, time: Duration) -> anyhow::Result<Sent> {
        let ((), sent) = self.during(|| {
            thread::sleep(time);
            Ok(())
        })?;
        Ok(sent)
    }

    fn one_connection(
        &self,
        number: u32,
        begun: Instant,
        over: &AtomicBool,
    ) -> anyhow::Result<Share> {
        let mut wire = Wire::open(self.client)?;
        let whole = format!(
            "{{\"accepted\":{},\"rejected\":[]}}",
            self.batches.records_each
        );
        let pause = self
            .pace
            .map(|pace| Duration::from_secs_f64(f64::from(CONNECTIONS) / pace));
        // The connections begin at different times, so that they do not all send at once.
        let mut due = begun + pause.unwrap_or_default() * number / CONNECTIONS;
        let mut share = Share::default();
        while !over.load(Ordering::Relaxed) {
            match pause {
                // A late response delays the next request, and that delay counts too.
                Some(_) => thread::sleep(due.saturating_duration_since(Instant::now())),
                None => due = Instant::now(),
            }
            let body = self.batches.next();
            let (status, response) = wire.collect(&body).context("collect")?;
            match status {
                202 if response == whole.as_bytes() => {
                    share.latencies.push(due.elapsed().as_secs_f64());
                }
                503 => {
                    share.refused += 1;
                    thread::sleep(AFTER_BUSY);
                }
                other => bail!("{other}: {}", String::from_utf8_lossy(response)),
            }
            due += pause.unwrap_or_default();
        }
        Ok(share)
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of a few seconds")]
    fn sum_up(&self, shares: Vec<Share>, time: Duration) -> Sent {
        let refused = shares.iter().map(|share| share.refused).sum();
        let latencies: Vec<f64> = shares
            .into_iter()
            .flat_map(|share| share.latencies)
            .collect();
        let requests_per_second = latencies.len() as f64 / time.as_secs_f64();
        Sent {
            requests_per_second,
            records_per_second: requests_per_second * self.batches.records_each as f64,
            refused,
            latencies: Samples::new(latencies),
        }
    }
}
