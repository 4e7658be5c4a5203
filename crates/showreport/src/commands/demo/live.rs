//! Sends a show that is on now, until the demo ends.

use std::time::Duration;

use anyhow::ensure;
use showreport_model::{Clock, Timestamp};

use super::client::Client;
use crate::simulation::{BATCH_RECORDS, Program, Show, SimulatedRecord};

/// The show began so long ago, so that most viewers are there, and a poll opens a minute later.
const BEGUN_MS: i64 = 19 * 60_000;

/// How often the records that are due are sent.
const SEND_EVERY: Duration = Duration::from_secs(1);

/// The id of the event.
pub(super) fn event_on_now() -> String {
    Show::on_now(Timestamp::MIN, 1).event(Program::Live)
}

/// Sends the part of the show that is over at once, and the rest as it takes place. When it ends,
/// the next one begins.
pub(super) async fn send_live(
    client: &Client,
    clock: &dyn Clock,
    viewers: u32,
) -> anyhow::Result<()> {
    loop {
        let show = Show::on_now(clock.now().saturating_add_millis(-BEGUN_MS), viewers);
        let mut records = show.records().filter(SimulatedRecord::is_live).peekable();
        while records.peek().is_some() {
            let now = clock.now();
            while let Some(body) = due(&mut records, now) {
                let response = client.collect(body).await?;
                let rejected = response.rejected.first().map(|it| it.message.as_str());
                ensure!(
                    rejected.is_none(),
                    "the server rejected a simulated record: {}",
                    rejected.unwrap_or_default()
                );
            }
            tokio::time::sleep(SEND_EVERY).await;
        }
    }
}

/// The next records up to now, as NDJSON. `None` if there are none.
fn due<R: Iterator<Item = SimulatedRecord>>(
    records: &mut std::iter::Peekable<R>,
    now: Timestamp,
) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    for _ in 0..BATCH_RECORDS {
        let Some(record) = records.next_if(|record| record.at() <= now) else {
            break;
        };
        serde_json::to_writer(&mut body, &record).expect("plain fields, written to memory");
        body.push(b'\n');
    }
    (!body.is_empty()).then_some(body)
}
