//! Two organisations of one shape beside each other: nothing of the one is ever seen by the other.
//!
//! They have the same ids wherever the callers choose them, and texts that name their owner. Every
//! operation of openapi.json is asked by everybody who might, and whatever anybody was told is
//! searched for what belongs to somebody else.

mod ask;
mod show;
mod stage;
mod operations;
mod callers;
mod foreign;
mod mutants;
mod revoked;
mod canaries;

use self::operations::check_complete;
use self::stage::Stage;
use super::{Outcome, Torment};

/// How often a token is revoked while it is used.
const REVOCATIONS: u32 = 5;

pub(crate) fn run(torment: &Torment) -> anyhow::Result<Outcome> {
    let mut random = torment.random.clone();
    let mut stage = Stage::set(torment, &mut random)?;
    check_complete(&stage)?;
    let foreign = foreign::compare(&mut stage)?;
    let links = mutants::links(&stage, &mut random, torment.rounds)?;
    let tokens = mutants::tokens(&stage, &mut random, torment.rounds)?;
    let slowest = revoked::time(&mut stage, REVOCATIONS)?;
    // Last, since whoever has the right to deletes things.
    let cells = callers::ask(&mut stage)?;
    let places = canaries::search(stage)?;
    Ok(Outcome::Held(format!(
        "{cells} answers to seven kinds of callers were the contract's; {foreign} foreign ids answered as ids \
         that never were; of {links} bent links and {tokens} bent tokens none opened; a revoked token \
         opened for {} ms at most; {places} answers, files and logs held nothing of another",
        slowest.as_millis()
    )))
}
