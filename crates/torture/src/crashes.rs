//! Kills a server under load again and again, at random times and at fail points.

mod bulk;
mod importer;
mod lane;
mod readiness;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::ensure;

use super::parallel::in_parallel;
use super::scenario::{Control, Outcome, Rounds, Scenario, Setting};
use lane::{Lane, POINTS};
use showreport_testkit::Random;

/// Data directories at the same time, two for each of two processors: a server under this load
/// waits half of its time.
const LANES: usize = 4;

/// Kills after which a fresh data directory takes over.
const LANE_KILLS: u64 = 300;

/// Kills after which every fail point must have been reached.
const EVERY_POINT_WITHIN: u64 = 2_000;

/// Kills within which a server that answers before it commits must lose something.
const CONTROL_KILLS: u64 = 40;

/// Counts of a run.
#[derive(Debug, Default)]
struct Tally {
    kills: u64,
    at_points: BTreeMap<&'static str, u64>,
    /// Requests with and without an acknowledgement.
    acknowledged: u64,
    unanswered: u64,
    facts: u64,
    audits: u64,
    reports: u64,
    imports: u64,
    ready: Vec<Duration>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.kills += other.kills;
        for (point, kills) in other.at_points {
            *self.at_points.entry(point).or_default() += kills;
        }
        self.acknowledged += other.acknowledged;
        self.unanswered += other.unanswered;
        self.facts += other.facts;
        self.audits += other.audits;
        self.reports += other.reports;
        self.imports += other.imports;
        self.ready.extend(other.ready);
    }
}

pub(crate) struct Crashes;

impl Scenario for Crashes {
    fn name(&self) -> &'static str {
        "crashes"
    }

    fn about(&self) -> &'static str {
        "a server killed at any time loses nothing and doubles nothing"
    }

    fn rounds(&self) -> Rounds {
        Rounds {
            full: 10_000,
            small: 40,
        }
    }

    fn run(&self, setting: &Setting) -> anyhow::Result<Outcome> {
        run(setting)
    }
}

fn run(setting: &Setting) -> anyhow::Result<Outcome> {
    let mut random = setting.random.clone();
    let control = control(setting, &mut random)?;
    let mut tally = Tally::default();
    let mut directories = 0;
    while tally.kills < setting.rounds {
        let kills = LANE_KILLS.min((setting.rounds - tally.kills).div_ceil(LANES as u64));
        let lanes = in_parallel(LANES, &mut random, |lane, random| {
            crash_one(setting, lane, random, kills)
        })?;
        for lane in lanes {
            tally.add(lane);
            directories += 1;
        }
        println!(
            "{} kills, {} requests acknowledged",
            tally.kills, tally.acknowledged
        );
    }
    for (point, _) in POINTS.iter().chain(&importer::POINTS) {
        let kills = tally.at_points.get(point).copied().unwrap_or_default();
        println!("  {kills:5} at {point}");
        ensure!(
            kills > 0 || tally.kills < EVERY_POINT_WITHIN,
            "no process has reached {point}"
        );
    }
    let full = readiness::measure(setting)?;
    Ok(Outcome::Held(summary(&tally, directories, &full), control))
}

/// Kills the servers on one data directory.
fn crash_one(setting: &Setting, lane: usize, random: Random, kills: u64) -> anyhow::Result<Tally> {
    let installation = setting.installation(&format!("lane-{lane}"))?;
    let mut lane = Lane::new(installation, random);
    lane.run(kills)?;
    Ok(lane.tally)
}

/// A server that answers before it commits loses what it acknowledged, and the audit must see it.
fn control(setting: &Setting, random: &mut Random) -> anyhow::Result<Control> {
    let installation = setting.installation("control")?;
    let mut lane = Lane::new(installation, random.fork());
    let lost = lane.loses_something(CONTROL_KILLS)?;
    Control::noticed(lost, "a server that answers before it commits")
}

fn summary(tally: &Tally, directories: u64, full: &readiness::Readiness) -> String {
    let at_points: u64 = tally.at_points.values().sum();
    format!(
        "{} kills ({at_points} at {} fail points) on {directories} data directories, {} requests \
         acknowledged and {} not, {} imports, {} facts, {} audits, {} reports, bulk reports agree \
         with event reports: 0 lost, 0 twice, 0 never sent; \
         ready again within {} ms (99th percentile), {} ms with {} records in the journal",
        tally.kills,
        tally.at_points.len(),
        tally.acknowledged,
        tally.unanswered,
        tally.imports,
        tally.facts,
        tally.audits,
        tally.reports,
        readiness::percentile(&tally.ready, 99).as_millis(),
        readiness::percentile(&full.ready, 99).as_millis(),
        full.records,
    )
}
