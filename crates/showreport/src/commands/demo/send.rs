//! Sends the records of the show with several requests in flight, as players and back ends do.

use anyhow::bail;
use futures::{StreamExt, TryStreamExt, stream};
use indicatif::ProgressBar;

use super::client::Client;
use crate::commands::output::progress_bar;
use crate::simulation::{Batch, Delivery, RecordCounts, Show};

/// Requests in flight at one time.
const IN_FLIGHT: usize = 8;

/// How many records and requests were sent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sent {
    /// Without repetitions.
    pub(super) records: RecordCounts,
    /// Records that were sent a second time.
    pub(super) again: u64,
    /// Records that were sent late and out of order.
    pub(super) late: u64,
    /// Records that the server accepted, including repetitions.
    pub(super) accepted: u64,
    pub(super) requests: u64,
}

/// Sends every batch of the show.
pub(super) async fn send_show(client: &Client, show: Show) -> anyhow::Result<Sent> {
    let bar = bar("sending", show.records().left());
    let sent = stream::iter(show.batches())
        .map(|batch| send(client, batch))
        .buffer_unordered(IN_FLIGHT)
        .inspect_ok(|batch| bar.inc(batch.records.total()))
        .try_fold(Sent::default(), |mut all, batch| async move {
            all.add(batch);
            Ok(all)
        })
        .await?;
    bar.finish_and_clear();
    Ok(sent)
}

/// A progress bar with a name.
pub(super) fn bar(name: &'static str, length: u64) -> ProgressBar {
    progress_bar(length, "{prefix:>10} {bar:40} {percent:>3} %  {eta} left").with_prefix(name)
}

async fn send(client: &Client, batch: Batch) -> anyhow::Result<Sent> {
    let response = client.collect(batch.body).await?;
    if let Some(first) = response.rejected.first() {
        bail!(
            "the server rejected {} simulated records; the first one: {}: {}",
            response.rejected.len(),
            first.reason,
            first.message
        );
    }
    let count = batch.records.total();
    let mut sent = Sent {
        accepted: response.accepted,
        requests: 1,
        ..Sent::default()
    };
    match batch.delivery {
        Delivery::OnTime => sent.records = batch.records,
        Delivery::Again => sent.again = count,
        Delivery::Late => {
            sent.records = batch.records;
            sent.late = count;
        }
    }
    Ok(sent)
}

impl Sent {
    const fn add(&mut self, other: Self) {
        self.records.add(other.records);
        self.again += other.again;
        self.late += other.late;
        self.accepted += other.accepted;
        self.requests += other.requests;
    }
}
