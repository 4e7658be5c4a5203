//! Plants faults, each of which a test must catch.
//!
//! A fault is a patch in `crates/xtask/defects` that names the fault and the test. All are applied
//! to one copy of the tree, so that one build serves all: a variable of the environment switches
//! one on.

mod patches;
mod copy;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use self::patches::Patch;
use showreport_testkit::{cargo, root, step};

/// The variable that switches a fault on.
const PLANTED: &str = "SHOWREPORT_PLANTED";

/// Runs the compiler unchanged. Only the name matters, see [`build`].
const WRAPPER: &str = "env";

/// A test that takes longer has caught the fault: it never ends.
const ENDS_WITHIN: Duration = Duration::from_mins(3);

/// Checks that every patch still applies.
pub(crate) fn check() -> anyhow::Result<()> {
    step("planted faults apply", || {
        patches::apply(&patches::all()?, &root(), &["--check"])
    })
}

/// Plants all faults, and runs the test of each of these, or of all.
pub(crate) fn run(names: &[&str]) -> anyhow::Result<()> {
    let patches = patches::all()?;
    for name in names {
        let is_known = patches.iter().any(|it| it.name == *name);
        ensure!(
            is_known,
            "there is no fault {name:?} in crates/xtask/defects"
        );
    }
    let folder = root().join("target/defects");
    let tree = folder.join("tree");
    let mut tests = Tests::new();
    step("planted faults: build", || {
        copy::plant(&patches, &tree)?;
        tests = build(&tree)?;
        Ok(())
    })?;
    each(&patches, names, &tests, &folder)
}

/// Runs the test of each of these faults, or of all.
fn each(patches: &[Patch], names: &[&str], tests: &Tests, folder: &Path) -> anyhow::Result<()> {
    let wanted = |it: &&Patch| names.is_empty() || names.contains(&it.name.as_str());
    let faults: Vec<&Patch> = patches
        .iter()
        .filter(|it| it.is_fault())
        .filter(wanted)
        .collect();
    let mut missed = Vec::new();
    for patch in &faults {
        let (name, test) = (&patch.name, &patch.caught_by);
        let is_caught = is_caught(patch, tests, folder);
        if is_caught.with_context(|| format!("the fault {name}"))? {
            println!("  {name:26} caught by {test}: {}", patch.fault);
        } else {
            println!("  {name:26} MISSED by {test}: {}", patch.fault);
            missed.push(name);
        }
    }
    println!(
        "\n{} of {} planted faults were caught",
        faults.len() - missed.len(),
        faults.len()
    );
    ensure!(missed.is_empty(), "no test caught {missed:?}");
    Ok(())
}

/// Whether the test, which must pass without a fault, fails with it.
fn is_caught(patch: &Patch, tests: &Tests, folder: &Path) -> anyhow::Result<bool> {
    let parts = patch.caught_by.split_once(' ');
    let (program, test) = parts.context("`Caught by: ` names a test program and a test")?;
    let built = tests.get(program);
    let built = built.with_context(|| format!("no tests {program:?}"))?;
    let log = folder.join("log");
    ensure!(
        built.passes(test, None, &log)?,
        "{test} fails without any fault: {}",
        fs::read_to_string(&log)?
    );
    Ok(!built.passes(test, Some(&patch.name), &log)?)
}

/// Test programs by name.
type Tests = BTreeMap<String, Built>;

/// A test program, and the folder of its crate.
struct Built {
    program: PathBuf,
    folder: PathBuf,
}

/// Builds the tests of the copy. It shares the dependencies with the builds of the tree. The crates
/// of the workspace have the same names in both: cargo distinguishes them by the wrapper of the
/// compiler.
fn build(tree: &Path) -> anyhow::Result<Tests> {
    let mut cargo = cargo(&["test", "--workspace", "--no-run"]);
    // The tools have no part in it, and add no feature to a dependency of the product.
    for tool in ["xtask", "showreport-torture", "showreport-bench"] {
        cargo.args(["--exclude", tool]);
    }
    cargo.args(["--quiet", "--message-format", "json-render-diagnostics"]);
    cargo.env("CARGO_TARGET_DIR", root().join("target"));
    cargo.env("RUSTC_WORKSPACE_WRAPPER", WRAPPER);
    let built = cargo.current_dir(tree).stderr(Stdio::inherit()).output();
    let built = built.context("start cargo")?;
    ensure!(built.status.success(), "the planted tree does not build");
    let mut tests = Tests::new();
    for line in String::from_utf8(built.stdout)?.lines() {
        let message: Value = serde_json::from_str(line).context("read what cargo built")?;
        if message["profile"]["test"] != true {
            continue;
        }
        let (Some(name), Some(program), Some(manifest)) = (
            message["target"]["name"].as_str(),
            message["executable"].as_str(),
            message["manifest_path"].as_str(),
        ) else {
            continue;
        };
        let folder = Path::new(manifest)
            .parent()
            .context("a manifest's folder")?;
        let built = Built {
            program: program.into(),
            folder: folder.to_owned(),
        };
        tests.insert(name.to_owned(), built);
    }
    Ok(tests)
}

impl Built {
    /// Whether this test passes, with a fault or without.
    fn passes(&self, test: &str, fault: Option<&str>, path: &Path) -> anyhow::Result<bool> {
        let log = File::create(path)?;
        let mut command = Command::new(&self.program);
        command.args([test, "--exact"]).current_dir(&self.folder);
        // A snapshot that differs fails, and is not updated.
        command.env("INSTA_UPDATE", "no").env_remove(PLANTED);
        if let Some(fault) = fault {
            command.env(PLANTED, fault);
        }
        let mut running = command.stdout(log.try_clone()?).stderr(log).spawn()?;
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = running.try_wait()? {
                break status;
            }
            if begun.elapsed() > ENDS_WITHIN {
                running.kill()?;
                running.wait()?;
                return Ok(false);
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let printed = fs::read_to_string(path)?;
        match (
            status.success(),
            printed.contains("1 passed"),
            printed.contains("1 failed"),
        ) {
            (true, true, _) => Ok(true),
            (false, _, true) => Ok(false),
            _ => bail!("{test} was not run: {printed}"),
        }
    }
}
