//! One organisation does its worst in every way that its tokens allow; a small one beside it is
//! served nearly as soon as in quiet times, and is refused nothing.

mod errands;
mod attacks;

use std::time::Duration;

use anyhow::{Context, ensure};

use self::attacks::{ATTACKS, Attacker};
use self::errands::{Errands, Served};
use super::{Outcome, Torment};
use crate::rig::{Product, Server, output};

/// The organisation beside the one that attacks.
const SMALL: &str = "small";

/// How much later than in quiet times an errand of the small one may be done: so many times as
/// long, or this, whichever is more.
const TIMES_MAX: u32 = 3;
const WAIT_MAX: Duration = Duration::from_secs(1);

/// How often each errand is run in quiet times.
const QUIET_RUNS: u32 = 5;

/// How long an attack goes on before it counts.
const GATHERING: Duration = Duration::from_secs(1);

pub(crate) fn run(torment: &Torment) -> anyhow::Result<Outcome> {
    let product = Product::fresh(&torment.binary, torment.folder.join("data"))?;
    product.org(SMALL)?;
    let token = ["token", "create", "--org", SMALL, "--scope", "admin"];
    let token = output(&mut product.command(&token))?;
    let server = Server::start(&product, &[])?;
    let errands = Errands::prepare(&server, token)?;
    let attacker = Attacker::prepare(&server, torment.rounds)?;
    let quiet = errands.run_times(QUIET_RUNS)?;
    let lasting = Duration::from_secs(torment.rounds);
    let mut lines = vec![format!("in quiet times {quiet}")];
    let mut late = Vec::new();
    for attack in &ATTACKS {
        let (during, count) = attacker.run(attack, || {
            std::thread::sleep(GATHERING);
            errands.run_for(lasting)
        })?;
        let told = format!("beside {} {} {during}", count, attack.name);
        ensure!(count > 0, "{told}: that was no attack");
        late.extend(judge(&quiet, &during).map(|what| format!("{what}: {told}")));
        lines.push(told);
    }
    ensure!(
        late.is_empty(),
        "{}; {}",
        late.join("; "),
        lines.first().context("no line")?
    );
    Ok(Outcome::Held(lines.join("; ")))
}

/// What was served too late or refused.
fn judge(quiet: &Served, during: &Served) -> impl Iterator<Item = String> {
    let late = quiet
        .times()
        .zip(during.times())
        .filter_map(|((errand, before), (_, now))| {
            let wait_max = WAIT_MAX.max(before * TIMES_MAX);
            (now > wait_max).then(|| format!("a {errand} took {now:.1?} instead of {before:.1?}"))
        });
    let refused = during.refused.iter();
    late.chain(refused.map(|said| format!("refused: {said}")))
        .collect::<Vec<_>>()
        .into_iter()
}
