//! One flipped bit, and what was answered then.

use std::fmt;
use std::fs;
use std::time::Duration;

use anyhow::Context;

use super::base::{Base, PATIENT, State};
use super::flip::{Flip, Kind};
use super::questions::{self, Answered};
use super::resum::resum;
use super::tally::Ending;
use showreport_testkit::{Product, Random, Server};

/// Every so many rounds the bit flips while the server runs.
const RUNNING_EVERY: u64 = 4;

/// A round that was played.
pub(super) struct Round {
    pub(super) kind: Kind,
    pub(super) ending: Ending,
    flip: Flip,
    is_running: bool,
    /// What was answered to what, where that was worst.
    why: String,
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Flip { path, bit, .. } = &self.flip;
        let when = if self.is_running {
            "of a running server"
        } else {
            "at rest"
        };
        write!(
            f,
            "{:?}, bit {bit} of {path} {when}: {}",
            self.ending, self.why
        )
    }
}

/// Damages a copy of this name and asks it everything.
pub(super) fn play(
    base: &Base,
    name: &str,
    number: u64,
    random: &mut Random,
) -> anyhow::Result<Round> {
    let state = if random.below(2) == 0 {
        &base.killed
    } else {
        &base.stopped
    };
    let is_running = number.is_multiple_of(RUNNING_EVERY);
    let product = base.copy_of(state, name)?;
    let (flip, started) = if is_running {
        let server = Server::start_with(&product, base.token.clone(), &PATIENT)?;
        let flip = Flip::choose(&product.data_dir, Kind::is_on_disk, random)?;
        flip.carry_out(&product.data_dir)?;
        (flip, Ok(server))
    } else {
        let flip = Flip::choose(&product.data_dir, |_| true, random)?;
        flip.carry_out(&product.data_dir)?;
        let started = Server::start_with(&product, base.token.clone(), &PATIENT);
        (flip, started)
    };
    let (ending, why) = judge(&product, state, &flip, started, questions::PATIENCE)?;
    Ok(Round {
        kind: flip.kind,
        ending,
        flip,
        is_running,
        why,
    })
}

/// Damages a file of this kind, makes its checksum anew, and asks everything. Not for long: what
/// breaks without being known as damage is tried again for minutes.
pub(super) fn play_unchecked(
    base: &Base,
    kind: Kind,
    random: &mut Random,
) -> anyhow::Result<Ending> {
    let state = &base.stopped;
    let product = base.copy_of(state, "control")?;
    let flip = Flip::choose(&product.data_dir, |it| it == kind, random)?;
    flip.carry_out(&product.data_dir)?;
    resum(&product.data_dir, &flip.path)?;
    let started = Server::start_with(&product, base.token.clone(), &PATIENT);
    let patience = Duration::from_secs(1);
    Ok(judge(&product, state, &flip, started, patience)?.0)
}

/// The worst that was answered.
fn judge(
    product: &Product,
    state: &State,
    flip: &Flip,
    started: anyhow::Result<Server>,
    patience: Duration,
) -> anyhow::Result<(Ending, String)> {
    let Ok(server) = started else {
        let log = fs::read_to_string(product.data_dir.with_extension("log"));
        let said = log.context("read what the server said")?;
        return Ok((refused(&said, flip), format!("it did not start: {said}")));
    };
    let answers = questions::ask(&server, &state.known, patience);
    drop(server);
    let judged = state
        .answers
        .iter()
        .zip(&answers)
        .map(|((name, truth), (_, answer))| {
            (
                compare(truth, answer, flip),
                format!("{name}: {}", shown(answer)),
            )
        });
    let worst = judged.max_by_key(|(ending, _)| *ending);
    worst.context("nothing was asked")
}

fn compare(truth: &Answered, answer: &Answered, flip: &Flip) -> Ending {
    match answer {
        Ok(_) if truth == answer => Ending::Same,
        Ok(_) => Ending::Wrong,
        Err(said) => refused(said, flip),
    }
}

fn refused(said: &str, flip: &Flip) -> Ending {
    if said.contains(flip.named()) {
        Ending::Refused
    } else {
        Ending::Unnamed
    }
}

fn shown(answer: &Answered) -> String {
    let text = match answer {
        Ok(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Err(said) => said.clone(),
    };
    text.chars().take(600).collect()
}
