//! The product under everything that can befall it: crashes, power cuts, rot, foreigners, hostile traffic.
//!
//! Every part keeps its own book of what was promised, outside the process under torment, and
//! compares. A part that cannot run on this machine says so and names what is missing.

mod victim;
mod book;
mod load;
mod audit;
mod lanes;
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
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Parser;
use clap::builder::PossibleValuesParser;
use showreport_testkit::{Random, built_beside, is_ci, named, root, step};
use victim::House;

/// How often a part does its worst; never leaves it out.
#[derive(Debug, Clone, Copy)]
struct Rounds {
    full: u64,
    small: u64,
}

/// One part: its name, what it is, how often it does its worst, and how.
struct Part {
    name: &'static str,
    title: &'static str,
    rounds: Rounds,
    run: fn(&Torment) -> anyhow::Result<Outcome>,
}

const PARTS: [Part; 15] = [
    Part {
        name: "crashes",
        title: "crashes: killed at any time, nothing is lost and nothing doubled",
        rounds: Rounds {
            full: 10_000,
            small: 40,
        },
        run: crashes::run,
    },
    Part {
        name: "power",
        title: "power cuts: nothing is lost",
        rounds: Rounds {
            full: 500,
            small: 12,
        },
        run: power::run,
    },
    Part {
        name: "thin",
        title: "disks that run full below their file system: nothing is lost",
        rounds: Rounds { full: 40, small: 2 },
        run: power::run_thin,
    },
    Part {
        name: "workers",
        title: "workers: killed or stopped, one file of each report is published",
        rounds: Rounds {
            full: 200,
            small: 4,
        },
        run: workers::run,
    },
    Part {
        name: "tenants",
        title: "two organisations beside each other",
        rounds: Rounds {
            full: 100_000,
            small: 2_000,
        },
        run: tenants::run,
    },
    Part {
        name: "csv",
        title: "cells that break careless writers of CSV",
        rounds: Rounds {
            full: 1_000_000,
            small: 20_000,
        },
        run: csv::run,
    },
    Part {
        name: "rot",
        title: "bits that flip on the disk",
        rounds: Rounds {
            full: 2_000,
            small: 10,
        },
        run: rot::run,
    },
    Part {
        name: "slow",
        title: "clients that are slow on purpose",
        rounds: Rounds {
            full: 10_000,
            small: 650,
        },
        run: slow::run,
    },
    Part {
        name: "bombs",
        title: "bodies that unpack to much",
        rounds: Rounds {
            full: 100,
            small: 16,
        },
        run: bombs::run,
    },
    Part {
        name: "overload",
        title: "more than can be done",
        rounds: Rounds { full: 60, small: 6 },
        run: overload::run,
    },
    Part {
        name: "neighbours",
        title: "an organisation that takes all it can get",
        rounds: Rounds { full: 20, small: 2 },
        run: neighbours::run,
    },
    Part {
        name: "memory",
        title: "little that says much: all is done in 512 MiB",
        rounds: Rounds {
            full: 100,
            small: 4,
        },
        run: memory::run,
    },
    Part {
        name: "schema",
        title: "requests thought up from openapi.json",
        rounds: Rounds {
            full: 1_000,
            small: 2,
        },
        run: schema::run,
    },
    Part {
        name: "growth",
        title: "years of events and reports",
        rounds: Rounds {
            full: 1_000_000,
            small: 20_000,
        },
        run: growth::run,
    },
    Part {
        name: "fuzz",
        title: "bytes that find their own way",
        // The tests replay what was found; to build the targets takes minutes.
        rounds: Rounds {
            full: 3_600,
            small: 0,
        },
        run: fuzz::run,
    },
];

/// What a part has found.
pub(crate) enum Outcome {
    /// Everything held; with what was done, in a line.
    Held(String),
    /// This machine does not let the part run; with what is missing and how to get it.
    LeftOut(String),
    /// This machine forbids what the part does, and nothing can be installed against it.
    Forbidden(String),
}

/// What a part works with.
pub(crate) struct Torment {
    /// A build that has fail points.
    pub(crate) binary: PathBuf,
    /// Where the part may write, for itself alone.
    pub(crate) folder: PathBuf,
    pub(crate) random: Random,
    pub(crate) rounds: u64,
}

impl Torment {
    /// A fresh data directory of this name.
    fn house(&self, name: &str) -> anyhow::Result<House> {
        let log = self.folder.join(name).with_extension("log");
        House::build(&self.binary, self.folder.join(name), log)
    }
}

/// Breaks the running product on purpose, and compares what it says with what it was sent.
#[derive(clap::Parser)]
#[command(name = "torture", version, max_term_width = 100)]
struct Arguments {
    /// Runs few rounds of each part, as the check does
    #[arg(long)]
    small: bool,
    /// Repeats the run that printed this seed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Rounds of each part, instead of its own number
    #[arg(long, value_name = "N")]
    rounds: Option<u64>,
    /// The product: a program with fail points, as `cargo test` builds it [default: the program
    /// `showreport` beside this one]
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// Parts to run [default: all]
    #[arg(value_name = "PART", value_parser = PossibleValuesParser::new(PARTS.map(|it| it.name)))]
    parts: Vec<String>,
}

impl Arguments {
    fn rounds_of(&self, part: &Part) -> u64 {
        let usual = if self.small {
            part.rounds.small
        } else {
            part.rounds.full
        };
        self.rounds.unwrap_or(usual)
    }
}

fn main() -> anyhow::Result<()> {
    run(&Arguments::parse())
}

/// Does the parts that were asked for, and says a line for each.
fn run(wish: &Arguments) -> anyhow::Result<()> {
    let program = program(wish)?;
    let seed = wish.seed.unwrap_or_else(fresh_seed);
    let mut lines = Vec::new();
    for part in PARTS {
        let is_wanted = wish.parts.is_empty() || wish.parts.iter().any(|it| it == part.name);
        if !is_wanted || wish.rounds_of(&part) == 0 {
            continue;
        }
        let folder = root().join("target/torture").join(part.name);
        if folder.exists() {
            fs::remove_dir_all(&folder).context("remove what the last run left")?;
        }
        fs::create_dir_all(&folder).context("make target/torture")?;
        // A copy, so that a build meanwhile does not exchange what is under torment.
        let binary = folder.join("showreport");
        fs::copy(&program, &binary).context("copy the program")?;
        let torment = Torment {
            binary,
            folder,
            random: Random::new(seed),
            rounds: wish.rounds_of(&part),
        };
        step(part.title, || {
            let outcome = (part.run)(&torment).with_context(|| format!("seed {seed}"))?;
            lines.push(match outcome {
                Outcome::Held(what) => format!("{:10} held: {what}", part.name),
                Outcome::LeftOut(why) if is_ci() => bail!("{why}"),
                Outcome::LeftOut(why) | Outcome::Forbidden(why) => {
                    format!("{:10} LEFT OUT: {why}", part.name)
                }
            });
            Ok(())
        })?;
    }
    println!("\ntorture, seed {seed}");
    for line in lines {
        println!("  {line}");
    }
    Ok(())
}

/// The program to torment: the one named, or the one built beside this program.
fn program(wish: &Arguments) -> anyhow::Result<PathBuf> {
    match &wish.binary {
        Some(binary) => named(binary),
        None => built_beside(),
    }
}

/// Another one each time.
fn fresh_seed() -> u64 {
    // The standard library has no other source of chance.
    RandomState::new().build_hasher().finish()
}
