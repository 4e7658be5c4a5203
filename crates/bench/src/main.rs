//! Measures the product beside its peers, on the same records and machine, in one run.
//!
//! Every comparison also compares results. A difference fails the run; a missed aim is only
//! printed.

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
mod part;
mod load;
mod compacted;
mod fresh;
mod batches;
mod wire;
mod generator;
mod collect;
mod flat;
mod start;
mod size;
mod beats;
mod page;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use clap::builder::PossibleValuesParser;
use showreport_testkit::{built_beside, named, step};

use self::part::Part;
use self::run::{Run, Size};

/// The records of a show with 100,000 views.
const RECORDS: u64 = 22_600_000;

/// Enough to run all code.
const RECORDS_SMALL: u64 = 100_000;

/// With fewer, some parts would have no records.
const RECORDS_MIN: u64 = 10_000;

/// The order in which they run: later parts use the data directories of earlier ones.
const PARTS: [&dyn Part; 8] = [
    &load::BulkLoad,
    &compacted::Compacted,
    &fresh::Fresh,
    &collect::Collect,
    &flat::Flat,
    &start::Start,
    &size::SizeOnDisk,
    &beats::Beats,
];

/// Measures the running product beside `DuckDB` and `PostgreSQL`, on the same records. A run of all
/// parts writes docs/benchmarks.md.
#[derive(clap::Parser)]
#[command(name = "bench", version, max_term_width = 100)]
struct Arguments {
    /// Use few records, and compare results only, as the check does
    #[arg(long)]
    small: bool,
    /// The number of records [default: 22600000, or 100000 with --small]
    #[arg(long, value_name = "N", value_parser = records)]
    records: Option<u64>,
    /// The product [default: `showreport` beside this program]
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// Parts to run [default: all]
    #[arg(value_name = "PART", value_parser = PossibleValuesParser::new(PARTS.map(|it| it.name())))]
    parts: Vec<String>,
}

fn records(text: &str) -> Result<u64, String> {
    let records: u64 = text
        .replace(['_', ','], "")
        .parse()
        .map_err(|error| format!("{error}"))?;
    if records < RECORDS_MIN {
        return Err(format!("at least {RECORDS_MIN}"));
    }
    Ok(records)
}

impl Arguments {
    fn size(&self) -> Size {
        if self.small { Size::Small } else { Size::Full }
    }

    fn has(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|it| it == part)
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let binary = match &arguments.binary {
        Some(binary) => named(binary)?,
        None => built_beside()?,
    };
    let usual = if arguments.small {
        RECORDS_SMALL
    } else {
        RECORDS
    };
    let records = arguments.records.unwrap_or(usual);
    let mut run = Run::prepare(binary, records, arguments.size())?;
    measure(&mut run, arguments)?;
    if arguments.parts.is_empty() && !arguments.small {
        page::write(&run)?;
    }
    run.judge()
}

fn measure(run: &mut Run, arguments: &Arguments) -> anyhow::Result<()> {
    for part in PARTS {
        if arguments.has(part.name()) {
            let before = run.tables.len();
            step(part.title(), || part.run(run))?;
            // The times of a small run mean nothing.
            let shown = run.tables.iter().skip(before);
            for table in shown.filter(|_| !arguments.small) {
                println!("\n{table}");
            }
        }
    }
    Ok(())
}
