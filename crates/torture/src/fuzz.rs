//! Bytes that find their own way into the readers of what strangers send, by libFuzzer.
//!
//! Only our own crates are compiled for it: a build of the engine that counts its ways would take
//! half an hour, and its ways say nothing of ours. What is worth keeping of the inputs lies in
//! `fuzz/corpus`, which the tests replay.

use std::fs;
use std::process::Command;

use anyhow::{Context, ensure};

use super::{Outcome, Torment};
use showreport_testkit::{built_beside, cargo, execute, root};

const TARGETS: [&str; 5] = ["records", "packed", "links", "requests", "csv"];

/// The longest input in bytes: some times the longest record.
const INPUT_BYTES_MAX: usize = 16 << 10;

/// What a target may take of memory in MiB.
const MEMORY_MIB_MAX: usize = 1024;

pub(crate) fn run(torment: &Torment) -> anyhow::Result<Outcome> {
    build()?;
    let mut told = Vec::new();
    for target in TARGETS {
        let runs = fuzz(torment, target)?;
        told.push(format!("{target} {runs}"));
    }
    Ok(Outcome::Held(format!(
        "{} s each, no crash; inputs: {}",
        torment.rounds,
        told.join(", ")
    )))
}

fn build() -> anyhow::Result<()> {
    let mut build = cargo(&[
        "build",
        "--workspace",
        "--features",
        "showreport-fuzz/libfuzzer",
    ]);
    for target in TARGETS {
        build.args(["--bin", &format!("fuzz-{target}")]);
    }
    build.env(
        "RUSTC_WORKSPACE_WRAPPER",
        root().join("fuzz/rustc-with-coverage"),
    );
    // Five times as many inputs in the same time, and more, and still with the checks of a development build.
    build.env("CARGO_PROFILE_DEV_OPT_LEVEL", "2");
    execute(&mut build)
}

/// Fuzzes for as many seconds as there are rounds; tells how many inputs there were.
fn fuzz(torment: &Torment, target: &str) -> anyhow::Result<u64> {
    let found = torment.folder.join(target);
    fs::create_dir_all(&found)?;
    let output = Command::new(built_beside()?.with_file_name(format!("fuzz-{target}")))
        .arg(&found)
        .arg(root().join("fuzz/corpus").join(target))
        .arg(format!("-max_total_time={}", torment.rounds))
        .arg(format!("-max_len={INPUT_BYTES_MAX}"))
        .arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"))
        .arg(format!("-seed={}", torment.random.clone().below(1 << 31)))
        .arg(format!("-artifact_prefix={}/", torment.folder.display()))
        .args(["-timeout=10", "-print_final_stats=1"])
        .output()
        .context("start a fuzz target")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{target} ended with {}; the input lies in {}:\n{said}",
        output.status,
        torment.folder.display()
    );
    let runs = said
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    let runs = runs.context("find how many inputs there were")?;
    Ok(runs.trim().parse()?)
}
