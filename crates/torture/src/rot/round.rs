//! One flipped bit, and the responses after it.

use std::fmt;
use std::fs;
use std::time::Duration;

use anyhow::Context;

use super::base::{Base, NO_FLUSH, State};
use super::flip::{Flip, Kind};
use super::queries::{self, Responded};
use super::resum::resum;
use super::tally::Ending;
use showreport_testkit::{Product, Random, Server};

/// In one of this many rounds the bit flips while the server runs.
const RUNNING_EVERY: u64 = 4;

/// A round and its outcome.
pub(super) struct Round {
    pub(super) kind: Kind,
    pub(super) ending: Ending,
    flip: Flip,
    is_running: bool,
    /// The request with the worst response, and the response.
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

/// Damages a copy of this name and sends it all requests.
pub(super) fn run(
    base: &Base,
    name: &str,
    number: u64,
    random: &mut Random,
) -> anyhow::Result<Round> {
    let state = if random.bool() {
        &base.killed
    } else {
        &base.stopped
    };
    let is_running = number.is_multiple_of(RUNNING_EVERY);
    let product = base.copy_of(state, name)?;
    let (flip, started) = if is_running {
        let server = Server::start_with(&product, base.token.clone(), &NO_FLUSH)?;
        let flip = Flip::choose(&product.data_dir, Kind::is_on_disk, random)?;
        flip.carry_out(&product.data_dir)?;
        (flip, Ok(server))
    } else {
        let flip = Flip::choose(&product.data_dir, |_| true, random)?;
        flip.carry_out(&product.data_dir)?;
        let started = Server::start_with(&product, base.token.clone(), &NO_FLUSH);
        (flip, started)
    };
    let (ending, why) = judge(&product, state, &flip, started, queries::MADE_WITHIN)?;
    Ok(Round {
        kind: flip.kind,
        ending,
        flip,
        is_running,
        why,
    })
}

/// The same for a file of this kind, with a new checksum. New reports are not waited for long:
/// a report that fails without known damage is tried again for minutes.
pub(super) fn run_unchecked(
    base: &Base,
    kind: Kind,
    random: &mut Random,
) -> anyhow::Result<Ending> {
    let state = &base.stopped;
    let product = base.copy_of(state, "control")?;
    let flip = Flip::choose(&product.data_dir, |it| it == kind, random)?;
    flip.carry_out(&product.data_dir)?;
    resum(&product.data_dir, &flip.path)?;
    let started = Server::start_with(&product, base.token.clone(), &NO_FLUSH);
    let within = Duration::from_secs(1);
    Ok(judge(&product, state, &flip, started, within)?.0)
}

/// The worst response.
fn judge(
    product: &Product,
    state: &State,
    flip: &Flip,
    started: anyhow::Result<Server>,
    within: Duration,
) -> anyhow::Result<(Ending, String)> {
    let Ok(server) = started else {
        let log = fs::read_to_string(product.log()).context("read the log")?;
        return Ok((refused(&log, flip), format!("it did not start: {log}")));
    };
    let responses = queries::send_all(&server.client, &state.reports, within);
    drop(server);
    let judged = state
        .responses
        .iter()
        .zip(&responses)
        .map(|((name, truth), (_, response))| {
            (
                compare(truth, response, flip),
                format!("{name}: {}", shown(response)),
            )
        });
    let worst = judged.max_by_key(|(ending, _)| *ending);
    worst.context("no request was sent")
}

fn compare(truth: &Responded, response: &Responded, flip: &Flip) -> Ending {
    match response {
        Ok(_) if truth == response => Ending::Same,
        Ok(_) => Ending::Wrong,
        Err(reason) => refused(reason, flip),
    }
}

fn refused(reason: &str, flip: &Flip) -> Ending {
    if reason.contains(flip.named()) {
        Ending::Refused
    } else {
        Ending::Unnamed
    }
}

fn shown(response: &Responded) -> String {
    let text = match response {
        Ok(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Err(reason) => reason.clone(),
    };
    text.chars().take(600).collect()
}
