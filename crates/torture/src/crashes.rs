//! Crashes: a server under load is killed again and again, at any time and at named points.

mod bulk;
mod importer;
mod lane;
mod readiness;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::lanes::side_by_side;
use super::{Outcome, Torment};
use lane::{Lane, POINTS};
use showreport_testkit::Random;

/// Data directories that are tormented at the same time, two for each of two processors: a server under
/// this load waits half of its time.
const LANES: usize = 4;

/// Kills after which a data directory has served its time.
const LANE_KILLS: u64 = 300;

/// Kills after which every fail point must have been met.
const EVERY_POINT_WITHIN: u64 = 2_000;

/// Kills within which a server that answers too early must have been seen to lose something.
const CONTROL_KILLS: u64 = 40;

/// What a run has done.
#[derive(Debug, Default)]
struct Tally {
    kills: u64,
    at_points: BTreeMap<&'static str, u64>,
    /// Requests that were acknowledged, and that were not.
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

pub(crate) fn run(torment: &Torment) -> anyhow::Result<Outcome> {
    let mut random = torment.random.clone();
    control(torment, &mut random).context("the control")?;
    let mut tally = Tally::default();
    let mut directories = 0;
    while tally.kills < torment.rounds {
        let kills = LANE_KILLS.min((torment.rounds - tally.kills).div_ceil(LANES as u64));
        let lanes = side_by_side(LANES, &mut random, |lane, random| {
            torment_one(torment, lane, random, kills)
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
            "nobody has come to {point}"
        );
    }
    let full = readiness::measure(torment)?;
    Ok(Outcome::Held(said(&tally, directories, &full)))
}

fn torment_one(
    torment: &Torment,
    lane: usize,
    random: Random,
    kills: u64,
) -> anyhow::Result<Tally> {
    let house = torment.house(&format!("lane-{lane}"))?;
    let mut lane = Lane::new(house, random);
    lane.run(kills)?;
    Ok(lane.tally)
}

/// A server that answers before it commits must be seen to lose what it acknowledged.
fn control(torment: &Torment, random: &mut Random) -> anyhow::Result<()> {
    let house = torment.house("control")?;
    let mut lane = Lane::new(house, Random::new(random.next()));
    let lost = lane.loses_something(CONTROL_KILLS)?;
    ensure!(
        lost,
        "{CONTROL_KILLS} kills of a server that answers too early lost nothing: this proves nothing"
    );
    Ok(())
}

fn said(tally: &Tally, directories: u64, full: &readiness::Readiness) -> String {
    let at_points: u64 = tally.at_points.values().sum();
    format!(
        "{} kills ({at_points} at {} fail points) on {directories} data directories, {} requests \
         acknowledged and {} not, {} imports, {} facts, {} audits, {} reports, bulk reports as \
         events' own: 0 lost, 0 twice, 0 nobody sent; \
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
