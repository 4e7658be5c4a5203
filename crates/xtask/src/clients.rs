//! Real clients: programs that others wrote open what we made, and ask a server of ours.

mod server;
mod youtube;
mod pages;

pub(crate) use pages::{NO_BROWSER, browser};

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

use showreport_testkit::python::{MISSING, can_make_environments, environment};
use showreport_testkit::{built_beside, cargo, execute, is_ci, root, step};

/// What the scripts in `tests/clients` need.
const PACKAGES: [&str; 4] = [
    "deltalake",
    "pyarrow",
    "openpyxl",
    "google-api-python-client",
];

/// How large the show is.
const VIEWERS: &str = "200";

/// Opens the lake and the reports of a show with other people's readers, and has bulk reports
/// fetched by Google's clients, and records sent by a browser.
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
    })?;
    pages::run(&folder, &python)?;
    youtube::run(&folder, &python)
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
