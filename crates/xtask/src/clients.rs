//! Real clients: programs that others wrote open what we made, and ask a server of ours.

mod youtube;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::step::{cargo, execute, is_ci, root, step};

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
/// fetched by Google's clients.
pub(crate) fn run() -> anyhow::Result<()> {
    let folder = root().join("target/clients");
    let python = folder.join("venv/bin/python");
    if !python.exists() && !can_make_environments() {
        return without_environments();
    }
    step("real clients: install", || {
        install(&folder.join("venv"), &python)
    })?;
    let data = folder.join("show");
    step("real clients: make a show", || make_show(&data))?;
    step("real clients: read it", || {
        let script = root().join("tests/clients/lake.py");
        execute(
            Command::new(&python)
                .arg(script)
                .args([showreport()?, data]),
        )
    })?;
    youtube::run(&folder, &python)
}

/// Whether Python has the parts that make a virtual environment; Debian packs them apart.
fn can_make_environments() -> bool {
    let mut python = Command::new("python3");
    python
        .args(["-c", "import ensurepip, venv"])
        .stderr(Stdio::null());
    python.status().is_ok_and(|status| status.success())
}

fn without_environments() -> anyhow::Result<()> {
    let missing =
        "python3 cannot make a virtual environment; on Debian, `apt-get install python3-venv`";
    if is_ci() {
        bail!("{missing}");
    }
    eprintln!("\n== real clients: LEFT OUT. {missing}");
    Ok(())
}

fn install(environment: &Path, python: &Path) -> anyhow::Result<()> {
    if !python.exists() {
        execute(
            Command::new("python3")
                .args(["-m", "venv"])
                .arg(environment),
        )?;
    }
    let mut pip = Command::new(python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]);
    execute(pip.args(PACKAGES))
}

/// Simulates a show in a fresh folder.
fn make_show(data: &Path) -> anyhow::Result<()> {
    // As the tests build it, so that nothing is built twice.
    execute(&mut cargo(&["test", "--workspace", "--no-run", "--quiet"]))?;
    if data.exists() {
        fs::remove_dir_all(data).context("remove the last show")?;
    }
    let mut demo = Command::new(showreport()?);
    demo.args(["demo", "--exit", "--viewers", VIEWERS]);
    demo.args(["--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data);
    execute(&mut demo)
}

/// Beside this program, wherever cargo builds to.
fn showreport() -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe().context("find where cargo builds to")?;
    Ok(this.with_file_name("showreport"))
}
