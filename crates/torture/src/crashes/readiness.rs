//! How soon a server is ready that was killed with much in its journal.

use std::time::Duration;

use anyhow::ensure;

use crate::Torment;
use crate::load::fill;

/// Records that wait in the journal.
const RECORDS: u64 = 100_000;

/// Nothing leaves the journal.
const FLAGS: [&str; 2] = ["--flush-after", "1d"];

/// So many kills are worth a restart here.
const KILLS_EACH: u64 = 50;

/// What is promised of the 99th percentile.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// How long starts took.
pub(super) struct Readiness {
    pub(super) records: u64,
    pub(super) ready: Vec<Duration>,
}

pub(super) fn measure(torment: &Torment) -> anyhow::Result<Readiness> {
    let house = torment.house("full-journal")?;
    let mut victim = house.start_well("", &FLAGS)?;
    fill(&victim.caller, "keynote", 0..RECORDS)?;
    let mut ready = Vec::new();
    for _ in 0..(torment.rounds / KILLS_EACH).max(4) {
        victim.kill()?;
        victim = house.start_well("", &FLAGS)?;
        ready.push(victim.ready_after);
    }
    let (_, metrics) = victim.caller.get("/metrics")?;
    let metrics = String::from_utf8(metrics)?;
    ensure!(
        !metrics.contains("showreport_journal_waiting_bytes 0\n"),
        "the journal was flushed on the way"
    );
    let slowest = percentile(&ready, 99);
    ensure!(slowest < READY_WITHIN, "ready only after {slowest:?}");
    Ok(Readiness {
        records: RECORDS,
        ready,
    })
}

/// The smallest of these that so many per cent do not exceed; zero, if there is none.
pub(super) fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    let rank = (times.len() * percent).div_ceil(100);
    rank.checked_sub(1)
        .and_then(|at| times.get(at).copied())
        .unwrap_or_default()
}
