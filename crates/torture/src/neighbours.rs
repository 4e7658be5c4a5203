//! One organisation does its worst in every way that its tokens allow; a small one beside it is
//! served nearly as soon as in quiet times, and is refused nothing.

mod errands;
mod attacks;

use std::time::Duration;

use anyhow::{Context, ensure};

use self::attacks::{ATTACKS, Attacker};
use self::errands::Errands;
use super::{Outcome, Torment};
use showreport_testkit::{Product, Server, output};

/// The organisation beside the one that attacks.
const SMALL: &str = "small";

/// How often each errand is run in quiet times.
const QUIET_RUNS: u32 = 5;

/// A shorter attack, as the check's is, hits a development build on a machine that does other things
/// too: there, so many times as much is given, and what is refused counts.
const JUDGED_SECONDS: u64 = 10;
const LEEWAY: u32 = 2;

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
    let leeway = if torment.rounds < JUDGED_SECONDS {
        LEEWAY
    } else {
        1
    };
    let mut lines = vec![format!("in quiet times {quiet}")];
    let mut late = Vec::new();
    for attack in &ATTACKS {
        let (during, count) = attacker.run(attack, || {
            std::thread::sleep(GATHERING);
            errands.run_for(lasting)
        })?;
        let told = format!("beside {} {} {during}", count, attack.name);
        ensure!(count > 0, "{told}: that was no attack");
        let worse = during.worse_than(&quiet, leeway);
        late.extend(worse.into_iter().map(|what| format!("{what}: {told}")));
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
