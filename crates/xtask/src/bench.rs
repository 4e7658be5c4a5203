//! Ourselves beside others, on the same records, on the same machine, in one run.
//!
//! Every comparison also checks that both sides gave the same result: a difference fails the run,
//! a missed aim is only told. Nothing of the product is linked here: it is measured as its users have it.

mod random;
mod progress;
mod figures;
mod table;
mod show;
mod data;
mod process;
mod http;
mod product;
mod server;
mod reports;
mod lake;
mod duck;
mod postgres;
mod run;
mod load;
mod compacted;
mod fresh;
mod batches;
mod generator;
mod collect;
mod flat;
mod start;
mod size;
mod papers;

use std::path::PathBuf;

use anyhow::{Context, bail, ensure};

use self::run::{Run, Size};
use crate::python;
use crate::step::{built_beside, cargo, execute, is_ci, root, step};

/// As many records as 100,000 viewers send in a show.
const RECORDS: u64 = 22_600_000;

/// Enough for every path to be walked.
const RECORDS_SMALL: u64 = 100_000;

/// One part: its name, what it is, and how it is done.
type Part = (
    &'static str,
    &'static str,
    fn(&mut Run) -> anyhow::Result<()>,
);

const PARTS: [Part; 7] = [
    ("load", "bulk load", load::run),
    ("compacted", "reports of a compacted lake", compacted::run),
    ("fresh", "reports straight after collecting", fresh::run),
    ("collect", "collecting over HTTP", collect::run),
    ("flat", "flat as it grows", flat::run),
    ("start", "starting", start::run),
    ("size", "size on disk", size::run),
];

/// What was asked for.
pub(crate) struct Wish {
    records: u64,
    binary: Option<PathBuf>,
    parts: Vec<String>,
}

impl Wish {
    /// Reads the arguments; nothing, if they are wrong.
    pub(crate) fn read(arguments: &[&str]) -> Option<Self> {
        let mut wish = Self {
            records: RECORDS,
            binary: None,
            parts: Vec::new(),
        };
        let mut arguments = arguments.iter();
        while let Some(&argument) = arguments.next() {
            match argument {
                "--records" => {
                    wish.records = arguments.next()?.replace(['_', ','], "").parse().ok()?;
                }
                "--binary" => wish.binary = Some(PathBuf::from(arguments.next()?)),
                part if PARTS.iter().any(|(name, ..)| *name == part) => {
                    wish.parts.push(part.to_owned());
                }
                _ => return None,
            }
        }
        (wish.records >= 1_000).then_some(wish)
    }

    fn has(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|it| it == part)
    }
}

/// Measures what was asked for.
pub(crate) fn run(wish: &Wish) -> anyhow::Result<()> {
    let binary = match &wish.binary {
        Some(binary) => binary
            .canonicalize()
            .context("find the program to measure")?,
        None => build()?,
    };
    let mut run = Run::prepare(binary, wish.records, Size::Full)?;
    measure(&mut run, wish)?;
    if wish.parts.is_empty() {
        papers::write(&run)?;
    }
    run.judge()
}

/// All of it with few records, for the results and not for the times.
///
/// A development build is measured, and nothing is written down.
pub(crate) fn check() -> anyhow::Result<()> {
    if !python::can_make_environments() {
        if is_ci() {
            bail!("{}", python::MISSING);
        }
        eprintln!("\n== benchmarks, small: LEFT OUT. {}", python::MISSING);
        return Ok(());
    }
    step("benchmarks, small", small)
}

fn small() -> anyhow::Result<()> {
    let binary = built_beside()?;
    let mut run = Run::prepare(binary, RECORDS_SMALL, Size::Small)?;
    let wish = Wish {
        records: RECORDS_SMALL,
        binary: None,
        parts: Vec::new(),
    };
    measure(&mut run, &wish)?;
    run.judge()
}

fn measure(run: &mut Run, wish: &Wish) -> anyhow::Result<()> {
    for (name, title, part) in PARTS {
        if wish.has(name) {
            let before = run.tables.len();
            step(title, || part(run))?;
            for table in &run.tables[before..] {
                println!("\n{table}");
            }
        }
    }
    Ok(())
}

/// Builds the program as its users do.
fn build() -> anyhow::Result<PathBuf> {
    step("build", || execute(&mut cargo(&["build", "--release"])))?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let binary = target.join("release/showreport");
    ensure!(binary.exists(), "the build left no {}", binary.display());
    Ok(binary)
}
