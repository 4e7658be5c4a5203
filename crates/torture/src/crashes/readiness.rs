//! How soon a killed server is ready again that has a long journal.

use std::time::Duration;

use anyhow::ensure;

use crate::load::fill;
use crate::scenario::Setting;

/// Records that wait in the journal.
const RECORDS: u64 = 100_000;

/// The journal is not flushed.
const FLAGS: [&str; 2] = ["--flush-after", "1d"];

/// Rounds of the scenario for each restart here.
const KILLS_EACH: u64 = 50;

/// What docs/guarantees.md promises of the 99th percentile.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// The times of starts.
pub(super) struct Readiness {
    pub(super) records: u64,
    pub(super) ready: Vec<Duration>,
}

pub(super) fn measure(setting: &Setting) -> anyhow::Result<Readiness> {
    let installation = setting.installation("full-journal")?;
    let mut server = installation.start_well("", &FLAGS)?;
    fill(&server.client, "keynote", 0..RECORDS)?;
    let mut ready = Vec::new();
    for _ in 0..(setting.rounds / KILLS_EACH).max(4) {
        server.kill()?;
        let after;
        (server, after) = installation.start_timed("", &FLAGS)?;
        ready.push(after);
    }
    let metrics = server.client.get("/metrics")?;
    ensure!(
        !metrics
            .text()
            .contains("showreport_journal_waiting_bytes 0\n"),
        "the journal was flushed meanwhile"
    );
    let slowest = percentile(&ready, 99);
    ensure!(slowest < READY_WITHIN, "ready only after {slowest:?}");
    Ok(Readiness {
        records: RECORDS,
        ready,
    })
}

/// The smallest of these times that is not exceeded by `percent` of them; zero if there is none.
pub(super) fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    let rank = (times.len() * percent).div_ceil(100);
    rank.checked_sub(1)
        .and_then(|at| times.get(at).copied())
        .unwrap_or_default()
}
