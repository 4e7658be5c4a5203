//! Isolation: two organisations of the same shape, of which neither ever sees the other.
//!
//! They have the same ids wherever clients choose ids, and every text names its owner. Each
//! operation of openapi.json is called by each kind of caller, and every response, file and log is
//! searched for the other organisation's texts.

mod request;
mod show;
mod site;
mod operations;
mod callers;
mod foreign;
mod mutants;
mod revoked;
mod viewers;
mod pages;
mod canaries;

use self::operations::check_complete;
use self::site::Site;
use super::scenario::{Outcome, Rounds, Scenario, Setting};

/// Tokens that are revoked while they are used.
const REVOCATIONS: u32 = 5;

pub(crate) struct Tenants;

impl Scenario for Tenants {
    fn name(&self) -> &'static str {
        "tenants"
    }

    fn about(&self) -> &'static str {
        "no organisation ever sees anything of another"
    }

    fn rounds(&self) -> Rounds {
        Rounds {
            full: 100_000,
            small: 2_000,
        }
    }

    fn run(&self, setting: &Setting) -> anyhow::Result<Outcome> {
        run(setting)
    }
}

fn run(setting: &Setting) -> anyhow::Result<Outcome> {
    let mut random = setting.random.clone();
    let mut site = Site::open(setting, &mut random)?;
    let complete = check_complete(&site)?;
    let (foreign, owners) = foreign::compare(&mut site)?;
    let links = mutants::links(&site, &mut random, setting.rounds)?;
    let tokens = mutants::tokens(&site, &mut random, setting.rounds)?;
    let slowest = revoked::time(&mut site, REVOCATIONS)?;
    let viewers = viewers::attempt(&mut site, &mut random, setting.rounds)?;
    let (of_pages, opened) = pages::attempt(&mut site)?;
    // Last, since the right caller deletes things.
    let calls = callers::call(&mut site)?;
    let (places, canaries) = canaries::search(site)?;
    let held = format!(
        "{calls} calls by seven kinds of callers, and {of_pages} of pages by five, were answered as the contract \
         says; {foreign} foreign ids \
         were answered as unknown ids; of {links} bent links and {tokens} bent tokens none opened; a revoked \
         token opened for {} ms at most; of {} viewer tokens that were changed, foreign, expired or revoked none \
         was accepted, and a change of their rules was in force after {} ms at most; {places} responses, files \
         and logs held nothing of another",
        slowest.as_millis(),
        viewers.tokens,
        viewers.slowest.as_millis()
    );
    let controls = complete
        .and(owners)
        .and(viewers.control)
        .and(opened)
        .and(canaries);
    Ok(Outcome::Held(held, controls))
}
