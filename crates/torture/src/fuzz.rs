//! Fuzzes the decoders of untrusted input with libFuzzer.
//!
//! Only the crates of the workspace are instrumented: an instrumented engine would take half an
//! hour to build. Inputs that are worth keeping lie in `fuzz/corpus`, which the tests replay.

use std::fs;
use std::process::Command;

use anyhow::{Context, ensure};

use super::scenario::{Control, Outcome, Rounds, Scenario, Setting};
use showreport_testkit::{built_beside, cargo, execute, root};

const TARGETS: [&str; 5] = ["records", "packed", "links", "requests", "csv"];

/// The longest input in bytes: a few times the longest record.
const INPUT_BYTES_MAX: usize = 16 << 10;

/// The memory of a target in MiB.
const MEMORY_MIB_MAX: usize = 1024;

pub(crate) struct Fuzz;

impl Scenario for Fuzz {
    fn name(&self) -> &'static str {
        "fuzz"
    }

    fn about(&self) -> &'static str {
        "no input crashes a decoder; rounds are seconds for each"
    }

    fn rounds(&self) -> Rounds {
        Rounds {
            full: 3_600,
            small: 0,
        }
    }

    fn run(&self, setting: &Setting) -> anyhow::Result<Outcome> {
        run(setting)
    }
}

fn run(setting: &Setting) -> anyhow::Result<Outcome> {
    build()?;
    let control = control(setting)?;
    let mut counts = Vec::new();
    for target in TARGETS {
        let (succeeded, printed) = fuzz(setting, target, MEMORY_MIB_MAX)?;
        ensure!(
            succeeded,
            "{target} failed; the input lies in {}:\n{printed}",
            setting.folder.display()
        );
        let inputs = printed
            .lines()
            .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
        let inputs: u64 = inputs
            .context("find the number of inputs")?
            .trim()
            .parse()?;
        counts.push(format!("{target} {inputs}"));
    }
    let held = format!(
        "{} s each, no crash; inputs: {}",
        setting.rounds,
        counts.join(", ")
    );
    Ok(Outcome::Held(held, control))
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
    // More than five times as many inputs in the same time, with the checks of a development build.
    build.env("CARGO_PROFILE_DEV_OPT_LEVEL", "2");
    execute(&mut build)
}

/// A target must fail that needs more memory than it may take.
fn control(setting: &Setting) -> anyhow::Result<Control> {
    let (succeeded, printed) = fuzz(setting, TARGETS[0], 1)?;
    Control::noticed(
        !succeeded && printed.contains("out-of-memory"),
        "a target that takes too much memory",
    )
}

/// Fuzzes for as many seconds as there are rounds; whether the target succeeded, and what it
/// printed.
fn fuzz(setting: &Setting, target: &str, memory_mib: usize) -> anyhow::Result<(bool, String)> {
    let found = setting.folder.join(target);
    fs::create_dir_all(&found)?;
    let output = Command::new(built_beside()?.with_file_name(format!("fuzz-{target}")))
        .arg(&found)
        .arg(root().join("fuzz/corpus").join(target))
        .arg(format!("-max_total_time={}", setting.rounds))
        .arg(format!("-max_len={INPUT_BYTES_MAX}"))
        .arg(format!("-rss_limit_mb={memory_mib}"))
        .arg(format!("-seed={}", setting.random.clone().u64(..1 << 31)))
        .arg(format!("-artifact_prefix={}/", setting.folder.display()))
        .args(["-timeout=10", "-print_final_stats=1"])
        .output()
        .context("start a fuzz target")?;
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok((output.status.success(), printed))
}
