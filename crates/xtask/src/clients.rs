//! Real clients: other readers open the lake and the files of reports, Google's clients make bulk
//! reports, and a browser and libraries of others send records.

mod youtube;
mod senders;
mod pages;

pub(crate) use pages::{NO_BROWSER, browser};

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use showreport_testkit::python::{MISSING, can_make_environments, environment};
use showreport_testkit::{built_beside, execute, leave_out, root, step};

use crate::tools::build_tests;

/// The packages of the scripts in `tests/clients`.
const PACKAGES: [&str; 4] = [
    "deltalake",
    "pyarrow",
    "openpyxl",
    "google-api-python-client",
];

const VIEWERS: &str = "200";

pub(crate) fn run() -> anyhow::Result<()> {
    let folder = root().join("target/clients");
    let python = folder.join("venv/bin/python");
    if !python.exists() && !can_make_environments() {
        return leave_out("real clients", MISSING);
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
    senders::run(&folder)?;
    youtube::run(&folder, &python)
}

/// Simulates a show in a fresh folder.
fn make_show(data: &Path) -> anyhow::Result<()> {
    build_tests()?;
    if data.exists() {
        fs::remove_dir_all(data).context("remove the last show")?;
    }
    let mut demo = Command::new(built_beside()?);
    demo.args(["demo", "--exit", "--viewers", VIEWERS]);
    demo.args(["--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data);
    execute(&mut demo)
}
