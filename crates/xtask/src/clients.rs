//! Real clients: programs that others wrote open what we made.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

use crate::python::{MISSING, can_make_environments, environment};
use crate::step::{built_beside, cargo, execute, is_ci, root, step};

/// What the script at `tests/clients` needs.
const PACKAGES: [&str; 3] = ["deltalake", "pyarrow", "openpyxl"];

/// How large the show is.
const VIEWERS: &str = "200";

/// Opens the lake and the reports of a show with other people's readers.
pub(crate) fn run() -> anyhow::Result<()> {
    let folder = root().join("target/clients");
    let python = folder.join("venv/bin/python");
    if !python.exists() && !can_make_environments() {
        return without_environments();
    }
    step("real clients: install", || {
        environment(&folder.join("venv"), &PACKAGES).map(drop)
    })?;
    let data = folder.join("show");
    step("real clients: make a show", || make_show(&data))?;
    step("real clients: read it", || {
        let script = root().join("tests/clients/lake.py");
        execute(
            Command::new(&python)
                .arg(script)
                .args([built_beside()?, data]),
        )
    })
}

fn without_environments() -> anyhow::Result<()> {
    if is_ci() {
        bail!("{MISSING}");
    }
    eprintln!("\n== real clients: LEFT OUT. {MISSING}");
    Ok(())
}

/// Simulates a show in a fresh folder.
fn make_show(data: &Path) -> anyhow::Result<()> {
    // As the tests build it, so that nothing is built twice.
    execute(&mut cargo(&["test", "--workspace", "--no-run", "--quiet"]))?;
    if data.exists() {
        fs::remove_dir_all(data).context("remove the last show")?;
    }
    let mut demo = Command::new(built_beside()?);
    demo.args(["demo", "--exit", "--viewers", VIEWERS]);
    demo.args(["--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data);
    execute(&mut demo)
}
