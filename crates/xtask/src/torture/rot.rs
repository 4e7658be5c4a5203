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

use super::{Outcome, Torment};
use crate::rig::Random;
use base::Base;
use flip::Kind;
use tally::{Ending, Tally};

/// How often the control tries to have a wrong figure from a data file. Most such bits lie in what
/// no report reads, or break what is packed.
const CONTROLS_MAX: u64 = 60;

pub(crate) fn run(torment: &Torment) -> anyhow::Result<Outcome> {
    if base::copy(&torment.folder, &torment.folder.with_extension("probe")).is_err() {
        return Ok(Outcome::LeftOut(
            "`cp -a` is missing, which copies directories".to_owned(),
        ));
    }
    let mut random = torment.random.clone();
    let base = Base::make(torment).context("make a data directory to damage")?;
    let mut tally = Tally::default();
    for number in 0..torment.rounds {
        let round = round::play(&base, number, &mut random);
        let round = round.with_context(|| format!("round {number}"))?;
        if round.ending.is_bad() {
            println!("round {number}: {round}");
        }
        tally.add(&round);
    }
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
         with the checksum made anew, a wrong figure after {controls}",
        torment.rounds,
        tally.of(Ending::Same),
        tally.of(Ending::Refused),
    )))
}

/// Without our checksums the same damage must show, or this would prove nothing: the checksum
/// of a damaged file is made anew, once for a file that is downloaded and then for files of the lake.
fn control(base: &Base, random: &mut Random) -> anyhow::Result<u64> {
    let seen = round::play_unchecked(base, Kind::ReportFile, random)?;
    ensure!(
        seen == Ending::Wrong,
        "a damaged report whose checksum was made anew was answered {seen:?}"
    );
    for attempt in 1..=CONTROLS_MAX {
        if round::play_unchecked(base, Kind::LakeFile, random)? == Ending::Wrong {
            return Ok(attempt);
        }
    }
    anyhow::bail!("{CONTROLS_MAX} damaged files of the lake showed in no figure")
}
