//! Bit rot: one flipped bit somewhere in the data directory, again and again.
//!
//! A data directory with a bit of everything is made once and asked once, undisturbed. Then each
//! round takes a copy, flips one bit of it, at rest or under a running server, and asks the same.
//! Every answer must be what it was, or a refusal that names the damaged file.

mod base;
mod flip;
mod questions;
mod resum;
mod round;
mod tally;

use anyhow::{Context, ensure};

use super::lanes::side_by_side;
use super::{Outcome, Torment};
use base::Base;
use flip::Kind;
use showreport_testkit::Random;
use tally::{Ending, Tally};

/// How often the control tries to have a wrong answer from a kind of file. Most such bits lie in what
/// nobody asks for, or break what is packed.
const CONTROLS_MAX: u64 = 60;

/// Rounds that are played at the same time: most of a round is waiting.
const LANES: usize = 4;

/// Rounds between two signs of life.
const SAID_EVERY: u64 = 100;

pub(crate) fn run(torment: &Torment) -> anyhow::Result<Outcome> {
    if base::copy(&torment.folder, &torment.folder.with_extension("probe")).is_err() {
        return Ok(Outcome::LeftOut(
            "`cp -a` is missing, which copies directories".to_owned(),
        ));
    }
    let mut random = torment.random.clone();
    let base = Base::make(torment).context("make a data directory to damage")?;
    let tally = play_all(&base, torment.rounds, &mut random)?;
    print!("{tally}");
    let wrong = tally.of(Ending::Wrong);
    let unnamed = tally.of(Ending::Unnamed);
    ensure!(
        wrong == 0,
        "{wrong} of {} answers were wrong",
        torment.rounds
    );
    ensure!(
        unnamed == 0,
        "{unnamed} of {} refusals named no damaged file",
        torment.rounds
    );
    let controls = control(&base, &mut random)?;
    Ok(Outcome::Held(format!(
        "{} flipped bits: {} changed nothing that was asked, {} refused by the file's name; \
         with checksums made anew, {controls} gave wrong files of both kinds",
        torment.rounds,
        tally.of(Ending::Same),
        tally.of(Ending::Refused),
    )))
}

/// Plays so many rounds, some at the same time.
fn play_all(base: &Base, rounds: u64, random: &mut Random) -> anyhow::Result<Tally> {
    let tallies = side_by_side(LANES, random, |lane, random| {
        let rounds = (0..rounds).skip(lane).step_by(LANES);
        play_lane(base, lane, rounds, random)
    })?;
    let mut all = Tally::default();
    for tally in tallies {
        all.join(tally);
    }
    Ok(all)
}

fn play_lane(
    base: &Base,
    lane: usize,
    rounds: impl Iterator<Item = u64>,
    mut random: Random,
) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    for (number, round) in (0..).zip(rounds) {
        let played = round::play(base, &format!("damaged-{lane}"), number, &mut random);
        let played = played.with_context(|| format!("round {round}"))?;
        if played.ending.is_bad() {
            println!("round {round}: {played}");
        }
        if round > 0 && round.is_multiple_of(SAID_EVERY) {
            println!("{round} rounds");
        }
        tally.add(&played);
    }
    Ok(tally)
}

/// Without our checksums the same damage must show, or this would prove nothing: the checksum
/// of a damaged file is made anew, for files that are downloaded and then for files of the lake,
/// until an answer is wrong. One bit may lie where nobody looks, so it may take a few.
fn control(base: &Base, random: &mut Random) -> anyhow::Result<u64> {
    let mut damaged = 0;
    for kind in [Kind::ReportFile, Kind::LakeFile] {
        let mut attempts = 0;
        while round::play_unchecked(base, kind, random)? != Ending::Wrong {
            attempts += 1;
            ensure!(
                attempts < CONTROLS_MAX,
                "{CONTROLS_MAX} damaged files ({}) showed in no answer",
                kind.name()
            );
        }
        damaged += attempts + 1;
    }
    Ok(damaged)
}
