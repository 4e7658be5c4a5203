//! Writes docs/benchmarks.md: the figures, the command and the machine.

use std::fmt::Write;
use std::fs;
use std::process::Command;

use anyhow::Context;

use super::figures::{bytes, thousands};
use super::run::Run;
use showreport_testkit::output;
use showreport_testkit::root;

const OPENING: &str = "\
# Benchmarks

Written by `cargo xtask bench`: every table was measured in one run on one machine, showreport and its peer in turn. A figure is the median, with the least \
and the greatest in brackets; a ratio is of medians, and above 1 showreport is better. Peak is resident memory. \
[developing.md](developing.md) says how to run it.
";

/// The note of a smaller run.
const QUICK: &str = "\
**A quick look, not a result**: the aims are meant for 22,600,000 records and a machine that does nothing else.
";

/// Writes the page.
pub(crate) fn write(run: &Run) -> anyhow::Result<()> {
    let mut page = String::from(OPENING);
    let command = match run.records {
        crate::RECORDS => "cargo xtask bench".to_owned(),
        records => format!("cargo xtask bench --records {records}"),
    };
    if run.records < crate::RECORDS {
        page += "\n";
        page += QUICK;
    }
    writeln!(page, "\n| | |\n|---|---|\n| command | `{command}` |")?;
    for (name, value) in machine(run)? {
        writeln!(page, "| {name} | {value} |")?;
    }
    for table in &run.tables {
        writeln!(page, "\n{}", table.to_string().trim_end())?;
    }
    fs::write(root().join("docs/benchmarks.md"), page).context("write docs/benchmarks.md")
}

fn machine(run: &Run) -> anyhow::Result<Vec<(&'static str, String)>> {
    let processors = fs::read_to_string("/proc/cpuinfo")?;
    let model = value_of(&processors, "model name").unwrap_or_else(|| "unknown".to_owned());
    let memory = fs::read_to_string("/proc/meminfo")?;
    let kib = value_of(&memory, "MemTotal").and_then(|it| it.trim_end_matches(" kB").parse().ok());
    Ok(vec![
        ("records", thousands(run.records)),
        ("date", output(Command::new("date").args(["-u", "+%F"]))?),
        (
            "processors",
            format!("{} × {model}", std::thread::available_parallelism()?),
        ),
        (
            "memory",
            kib.map_or_else(|| "unknown".to_owned(), |kib: u64| bytes(kib * 1_024)),
        ),
        ("system", output(Command::new("uname").arg("-sr"))?),
        (
            "showreport",
            output(Command::new(&run.binary).arg("--version"))?,
        ),
        ("peers", run.peers()?),
    ])
}

fn value_of(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
