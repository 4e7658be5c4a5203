//! A spreadsheet program opens the spreadsheets that we make.

use std::path::PathBuf;
use std::process::Command;

use anyhow::bail;

use showreport_testkit::{built_beside, cargo, execute, is_ci, root, step};

/// What to do where the program is not there.
const MISSING: &str =
    "LibreOffice is not installed; on Debian, `apt-get install libreoffice-calc-nogui`";

/// Has the program read one of each kind of report, and compares every cell.
pub(crate) fn run() -> anyhow::Result<()> {
    let Some(soffice) = find() else {
        if is_ci() {
            bail!("{MISSING}");
        }
        eprintln!("\n== spreadsheets: LEFT OUT. {MISSING}");
        return Ok(());
    };
    step("spreadsheets", || {
        // As the tests build it, so that nothing is built twice.
        execute(&mut cargo(&["test", "--workspace", "--no-run", "--quiet"]))?;
        let mut python = Command::new("python3");
        python.arg(root().join("tests/clients/office.py"));
        python.args([built_beside()?, soffice, root().join("target/office")]);
        execute(&mut python)
    })
}

fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let programs = std::env::split_paths(&path).map(|folder| folder.join("soffice"));
    programs.into_iter().find(|program| program.is_file())
}
