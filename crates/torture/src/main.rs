//! Runs the product under crashes, power cuts, bit rot, hostile traffic and overload.
//!
//! Each scenario records outside the product what was acknowledged, and compares. One that cannot
//! run on this machine names what is missing.

mod scenario;
mod installation;
mod sent;
mod load;
mod audit;
mod parallel;
mod crashes;
mod power;
mod workers;
mod csv;
mod tenants;
mod rot;
mod slow;
mod bombs;
mod overload;
mod neighbours;
mod memory;
mod schema;
mod growth;
mod fuzz;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Parser;
use clap::builder::PossibleValuesParser;
use showreport_testkit::{Random, built_beside, is_ci, named, root, step};

use scenario::{Outcome, Scenario, Setting};

/// The order in which they run.
const SCENARIOS: [&dyn Scenario; 15] = [
    &crashes::Crashes,
    &power::Power,
    &power::Thin,
    &workers::Workers,
    &tenants::Tenants,
    &csv::Csv,
    &rot::Rot,
    &slow::Slow,
    &bombs::Bombs,
    &overload::Overload,
    &neighbours::Neighbours,
    &memory::Memory,
    &schema::Schema,
    &growth::Growth,
    &fuzz::Fuzz,
];

/// Breaks the running product on purpose, and compares what it reports with what it was sent.
#[derive(Parser)]
#[command(name = "torture", version, max_term_width = 100, after_long_help = scenarios())]
struct Arguments {
    /// Run few rounds of each scenario, as the check does
    #[arg(long)]
    small: bool,
    /// Repeat the run that printed this seed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Rounds of each scenario, instead of its own number
    #[arg(long, value_name = "N")]
    rounds: Option<u64>,
    /// The product, with fail points, as `cargo test` builds it [default: `showreport` beside this
    /// program]
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// Scenarios to run [default: all]
    #[arg(value_name = "SCENARIO", value_parser = PossibleValuesParser::new(SCENARIOS.map(|it| it.name())))]
    scenarios: Vec<String>,
}

impl Arguments {
    fn rounds_of(&self, scenario: &dyn Scenario) -> u64 {
        let rounds = scenario.rounds();
        let usual = if self.small {
            rounds.small
        } else {
            rounds.full
        };
        self.rounds.unwrap_or(usual)
    }
}

/// The list below `--help`: name, rounds and what must hold.
fn scenarios() -> String {
    let lines = SCENARIOS.map(|it| {
        let rounds = it.rounds();
        let rounds = format!("{} ({})", rounds.full, rounds.small);
        format!("  {:10} {rounds:16} {}\n", it.name(), it.about())
    });
    format!(
        "Scenarios, with their rounds (with --small):\n{}",
        lines.concat()
    )
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("torture: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let program = match &arguments.binary {
        Some(binary) => named(binary)?,
        None => built_beside()?,
    };
    let seed = arguments.seed.unwrap_or_else(|| Random::new().u64(..));
    let mut lines = Vec::new();
    for scenario in SCENARIOS {
        let (name, rounds) = (scenario.name(), arguments.rounds_of(scenario));
        let is_wanted = arguments.scenarios.is_empty();
        let is_wanted = is_wanted || arguments.scenarios.iter().any(|it| it == name);
        if !is_wanted || rounds == 0 {
            continue;
        }
        let setting = setting(&program, name, seed, rounds)?;
        step(&format!("{name}: {}", scenario.about()), || {
            let outcome = scenario
                .run(&setting)
                .with_context(|| format!("seed {seed}"))?;
            lines.push(line(name, outcome)?);
            Ok(())
        })?;
    }
    println!("\ntorture, seed {seed}");
    for line in lines {
        println!("  {line}");
    }
    Ok(())
}

/// A fresh folder with a copy of the program, which a build meanwhile does not exchange.
fn setting(program: &Path, name: &str, seed: u64, rounds: u64) -> anyhow::Result<Setting> {
    let folder = root().join("target/torture").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).context("remove what the last run left")?;
    }
    fs::create_dir_all(&folder).context("make target/torture")?;
    let binary = folder.join("showreport");
    fs::copy(program, &binary).with_context(|| format!("copy {}", program.display()))?;
    Ok(Setting {
        binary,
        folder,
        random: Random::with_seed(seed),
        rounds,
    })
}

fn line(name: &str, outcome: Outcome) -> anyhow::Result<String> {
    Ok(match outcome {
        Outcome::Held(what, control) => {
            format!(
                "{name:10} held: {what}\n{:13}control: noticed {}",
                "",
                control.faults()
            )
        }
        Outcome::LeftOut(reason) if is_ci() => bail!("{reason}"),
        Outcome::LeftOut(reason) | Outcome::Forbidden(reason) => {
            format!("{name:10} LEFT OUT: {reason}")
        }
    })
}
