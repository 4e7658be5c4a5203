//! Packages from npm.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use showreport_testkit::execute;

/// Installs packages into a folder; without names, those that its `package.json` lists.
pub(crate) fn install(folder: &Path, packages: &[&str]) -> anyhow::Result<()> {
    fs::create_dir_all(folder).context("make the folder of the packages")?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--silent", "--prefix"]);
    execute(npm.arg(folder).args(packages))
}
