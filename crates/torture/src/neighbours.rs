//! One organisation sends as much as its tokens allow, in several ways. A small one beside it is
//! served nearly as soon as without, and is refused nothing.

mod calls;
mod attacks;

use std::time::Duration;

use anyhow::{Context, ensure};

use self::attacks::{ATTACKS, Attacker};
use self::calls::SmallOrg;
use super::scenario::{Control, Outcome, Rounds, Scenario, Setting};
use showreport_testkit::{Client, Product, Server};

/// The organisation beside the attacker.
const SMALL: &str = "small";

/// How often each call is timed without an attack.
const CALLS_AT_REST: u32 = 5;

/// A shorter attack, as the check's is, meets a development build on a machine that does other
/// things too: there calls may take this many times as long, and refusals count.
const JUDGED_SECONDS: u64 = 10;
const LEEWAY: u32 = 2;

/// From the start of an attack until calls are timed.
const ATTACK_STARTS_WITHIN: Duration = Duration::from_secs(1);

pub(crate) struct Neighbours;

impl Scenario for Neighbours {
    fn name(&self) -> &'static str {
        "neighbours"
    }

    fn about(&self) -> &'static str {
        "a small organisation is served beside one that takes all it can get"
    }

    fn rounds(&self) -> Rounds {
        Rounds { full: 20, small: 2 }
    }

    fn run(&self, setting: &Setting) -> anyhow::Result<Outcome> {
        run(setting)
    }
}

fn run(setting: &Setting) -> anyhow::Result<Outcome> {
    let product = Product::fresh(&setting.binary, setting.folder.join("data"))?;
    product.org(SMALL)?;
    let token = product.token_of(SMALL, "admin")?;
    let server = Server::start(&product, &[])?;
    let address = server.client.address.clone();
    let small = SmallOrg::prepare(Client { address, token })?;
    let attacker = Attacker::prepare(&server.client, setting.rounds)?;
    let quiet = small.call_times(CALLS_AT_REST)?;
    let lasting = Duration::from_secs(setting.rounds);
    let leeway = if setting.rounds < JUDGED_SECONDS {
        LEEWAY
    } else {
        1
    };
    let mut lines = vec![format!("without an attack {quiet}")];
    let (mut late, mut acted) = (Vec::new(), u64::MAX);
    for attack in &ATTACKS {
        let (during, count) = attacker.run(attack, || {
            std::thread::sleep(ATTACK_STARTS_WITHIN);
            small.call_for(lasting)
        })?;
        acted = acted.min(count);
        let line = format!("beside {} {} {during}", count, attack.name);
        let worse = during.worse_than(&quiet, leeway);
        late.extend(worse.into_iter().map(|what| format!("{what}: {line}")));
        lines.push(line);
    }
    ensure!(
        late.is_empty(),
        "{}; {}",
        late.join("; "),
        lines.first().context("no line")?
    );
    let control = Control::noticed(acted > 0, "the requests of every attack")?;
    Ok(Outcome::Held(lines.join("; "), control))
}
