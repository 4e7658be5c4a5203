//! `LibreOffice` opens the spreadsheets of reports.

use std::path::PathBuf;
use std::process::Command;

use showreport_testkit::{built_beside, execute, leave_out, root, step};

use crate::tools::build_tests;

const MISSING: &str =
    "LibreOffice is not installed; on Debian, `apt-get install libreoffice-calc-nogui`";

/// Opens a spreadsheet of each kind of report, and compares every cell.
pub(crate) fn run() -> anyhow::Result<()> {
    let Some(soffice) = find() else {
        return leave_out("spreadsheets", MISSING);
    };
    step("spreadsheets", || {
        build_tests()?;
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
