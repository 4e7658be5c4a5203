//! Bit rot: one flipped bit somewhere in the data directory, again and again.
//!
//! A data directory with facts of every kind is made once, and its responses are kept. Each round
//! flips one bit of a copy, at rest or under a running server, and sends the same requests. Every
//! response must be as before, or a refusal that names the damaged file.

mod base;
mod flip;
mod queries;
mod resum;
mod round;
mod tally;

use anyhow::{Context, ensure};

use super::parallel::in_parallel;
use super::scenario::{Control, Outcome, Rounds, Scenario, Setting};
use base::Base;
use flip::Kind;
use showreport_testkit::Random;
use tally::{Ending, Tally};

/// How many bits of a kind of file the control flips until a response is wrong. Most bits lie in
/// data that no request reads, or break the compression.
const CONTROLS_MAX: u64 = 60;

/// Rounds at the same time: most of a round is waiting.
const LANES: usize = 4;

/// Rounds between two lines of progress.
const PROGRESS_EVERY: u64 = 100;

pub(crate) struct Rot;

impl Scenario for Rot {
    fn name(&self) -> &'static str {
        "rot"
    }

    fn about(&self) -> &'static str {
        "a flipped bit on the disk never changes a figure, and is named"
    }

    fn rounds(&self) -> Rounds {
        Rounds {
            full: 2_000,
            small: 10,
        }
    }

    fn run(&self, setting: &Setting) -> anyhow::Result<Outcome> {
        run(setting)
    }
}

fn run(setting: &Setting) -> anyhow::Result<Outcome> {
    if base::copy(&setting.folder, &setting.folder.with_extension("probe")).is_err() {
        return Ok(Outcome::LeftOut(
            "`cp -a` is missing, which copies directories".to_owned(),
        ));
    }
    let mut random = setting.random.clone();
    let base = Base::make(setting).context("make a data directory to damage")?;
    let tally = run_all(&base, setting.rounds, &mut random)?;
    print!("{tally}");
    let wrong = tally.of(Ending::Wrong);
    let unnamed = tally.of(Ending::Unnamed);
    ensure!(
        wrong == 0,
        "{wrong} of {} responses were wrong",
        setting.rounds
    );
    ensure!(
        unnamed == 0,
        "{unnamed} of {} refusals named no damaged file",
        setting.rounds
    );
    let control = control(&base, &mut random)?;
    let held = format!(
        "{} flipped bits: {} changed no response, {} were refused with the name of the file",
        setting.rounds,
        tally.of(Ending::Same),
        tally.of(Ending::Refused),
    );
    Ok(Outcome::Held(held, control))
}

/// Runs this many rounds, some at the same time.
fn run_all(base: &Base, rounds: u64, random: &mut Random) -> anyhow::Result<Tally> {
    let tallies = in_parallel(LANES, random, |lane, random| {
        let rounds = (0..rounds).skip(lane).step_by(LANES);
        run_lane(base, lane, rounds, random)
    })?;
    let mut all = Tally::default();
    for tally in tallies {
        all.join(tally);
    }
    Ok(all)
}

fn run_lane(
    base: &Base,
    lane: usize,
    rounds: impl Iterator<Item = u64>,
    mut random: Random,
) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    for (number, round) in (0..).zip(rounds) {
        let done = round::run(base, &format!("damaged-{lane}"), number, &mut random);
        let done = done.with_context(|| format!("round {round}"))?;
        if done.ending.is_bad() {
            println!("round {round}: {done}");
        }
        if round > 0 && round.is_multiple_of(PROGRESS_EVERY) {
            println!("{round} rounds");
        }
        tally.add(&done);
    }
    Ok(tally)
}

/// Writes a new checksum for a damaged file, for files of reports and then for files of the lake,
/// until a response is wrong. That may take some bits, since not every bit is read.
fn control(base: &Base, random: &mut Random) -> anyhow::Result<Control> {
    let mut damaged = 0;
    for kind in [Kind::ReportFile, Kind::LakeFile] {
        let mut attempts = 0;
        while round::run_unchecked(base, kind, random)? != Ending::Wrong {
            attempts += 1;
            ensure!(
                attempts < CONTROLS_MAX,
                "the control failed: {CONTROLS_MAX} damaged files ({}) changed no response",
                kind.name()
            );
        }
        damaged += attempts + 1;
    }
    let fault = format!(
        "wrong files of reports and of the lake, after {damaged} flipped bits with new checksums"
    );
    Control::noticed(true, &fault)
}
