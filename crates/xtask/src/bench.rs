//! Ourselves beside others, on the same records, on the same machine, in one run.
//!
//! Every comparison also checks that both sides gave the same result: a difference fails the run,
//! a missed aim is only told. Nothing of the product is linked here: it is measured as its users have it.

mod progress;
mod figures;
mod table;
mod show;
mod data;
mod import;
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

use anyhow::bail;

use self::run::{Run, Size};
use crate::python;
use crate::step::{built_beside, built_optimised, cargo, execute, is_ci, named, step};

/// As many records as 100,000 viewers send in a show.
const RECORDS: u64 = 22_600_000;

/// Enough for every path to be walked.
const RECORDS_SMALL: u64 = 100_000;

/// With fewer the parts of a part have no records.
const RECORDS_MIN: u64 = 10_000;

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
    size: Size,
    records: u64,
    binary: Option<PathBuf>,
    parts: Vec<String>,
}

impl Wish {
    /// All of it with few records and a development build, for the results and not for the times.
    pub(crate) const SMALL: Self = Self {
        size: Size::Small,
        records: RECORDS_SMALL,
        binary: None,
        parts: Vec::new(),
    };

    /// Reads the arguments; nothing, if they are wrong.
    pub(crate) fn read(arguments: &[&str]) -> Option<Self> {
        let mut wish = Self {
            size: Size::Full,
            records: RECORDS,
            ..Self::SMALL
        };
        let mut arguments = arguments.iter();
        while let Some(&argument) = arguments.next() {
            match argument {
                "--small" => (wish.size, wish.records) = (Size::Small, RECORDS_SMALL),
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
        (wish.records >= RECORDS_MIN).then_some(wish)
    }

    fn has(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|it| it == part)
    }
}

/// Measures what was asked for; writes it down if that was everything.
pub(crate) fn run(wish: &Wish) -> anyhow::Result<()> {
    let mut run = Run::prepare(binary(wish)?, wish.records, wish.size)?;
    measure(&mut run, wish)?;
    if wish.parts.is_empty() && wish.size == Size::Full {
        papers::write(&run)?;
    }
    run.judge()
}

/// All of it small, as a part of the check. Where Python is missing it is left out, but never on CI.
pub(crate) fn check() -> anyhow::Result<()> {
    if python::can_make_environments() {
        return step("benchmarks, small", || run(&Wish::SMALL));
    }
    if is_ci() {
        bail!("{}", python::MISSING);
    }
    eprintln!("\n== benchmarks, small: LEFT OUT. {}", python::MISSING);
    Ok(())
}

fn measure(run: &mut Run, wish: &Wish) -> anyhow::Result<()> {
    for (name, title, part) in PARTS {
        if wish.has(name) {
            let before = run.tables.len();
            step(title, || part(run))?;
            // The times of a small run would only mislead.
            let shown = run.tables.iter().skip(before);
            for table in shown.filter(|_| wish.size == Size::Full) {
                println!("\n{table}");
            }
        }
    }
    Ok(())
}

/// The program to measure: the one named, or one that is built now.
fn binary(wish: &Wish) -> anyhow::Result<PathBuf> {
    if let Some(binary) = &wish.binary {
        return named(binary);
    }
    if wish.size == Size::Small {
        // As the tests build it: a release build would cost more than all the rest of a check.
        execute(&mut cargo(&["test", "--workspace", "--no-run", "--quiet"]))?;
        return built_beside();
    }
    step("build", || execute(&mut cargo(&["build", "--release"])))?;
    built_optimised()
}
