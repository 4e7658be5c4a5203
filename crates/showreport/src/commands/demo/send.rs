//! Sending the show, as players and back ends do: many requests at a time.

use anyhow::bail;
use futures::{StreamExt, TryStreamExt, stream};
use indicatif::ProgressBar;

use super::client::Client;
use crate::commands::output::progress_bar;
use crate::simulation::{Batch, Delivery, Show, Tally};

/// Requests under way at one time.
const IN_FLIGHT: usize = 8;

/// What was sent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sent {
    /// Records, each once.
    pub(super) tally: Tally,
    /// Records that were sent a second time.
    pub(super) again: u64,
    /// Records that were sent late, and out of order.
    pub(super) late: u64,
    /// What the server accepted, the second times included.
    pub(super) accepted: u64,
    /// Requests.
    pub(super) requests: u64,
}

/// Sends every batch of the show.
pub(super) async fn send_show(client: &Client, show: Show) -> anyhow::Result<Sent> {
    let bar = bar("sending", show.records().left());
    let sent = stream::iter(show.batches())
        .map(|batch| send(client, batch))
        .buffer_unordered(IN_FLIGHT)
        .inspect_ok(|batch| bar.inc(batch.tally.total()))
        .try_fold(Sent::default(), |mut all, batch| async move {
            all.add(batch);
            Ok(all)
        })
        .await?;
    bar.finish_and_clear();
    Ok(sent)
}

/// A bar with a name.
pub(super) fn bar(name: &'static str, length: u64) -> ProgressBar {
    progress_bar(length, "{prefix:>10} {bar:40} {percent:>3} %  {eta} left").with_prefix(name)
}

async fn send(client: &Client, batch: Batch) -> anyhow::Result<Sent> {
    let receipt = client.collect(batch.body).await?;
    if let Some(first) = receipt.rejected.first() {
        bail!(
            "the server rejects {} simulated records; the first one: {}: {}",
            receipt.rejected.len(),
            first.reason,
            first.message
        );
    }
    let records = batch.tally.total();
    let mut sent = Sent {
        accepted: receipt.accepted,
        requests: 1,
        ..Sent::default()
    };
    match batch.delivery {
        Delivery::OnTime => sent.tally = batch.tally,
        Delivery::Again => sent.again = records,
        Delivery::Late => {
            sent.tally = batch.tally;
            sent.late = records;
        }
    }
    Ok(sent)
}

impl Sent {
    const fn add(&mut self, other: Self) {
        self.tally.add(other.tally);
        self.again += other.again;
        self.late += other.late;
        self.accepted += other.accepted;
        self.requests += other.requests;
    }
}
