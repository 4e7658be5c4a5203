//! Packages from npm.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use showreport_testkit::{execute, root, step};

/// Installs what `tests/NAME/package.json` lists to `target/NAME`, once for each version of it.
pub(crate) fn install_listed(name: &str) -> anyhow::Result<PathBuf> {
    let folder = root().join("target").join(name);
    let list = root().join("tests").join(name).join("package.json");
    let wanted = fs::read(list).context("read the list of packages")?;
    let installed = folder.join("installed.json");
    if fs::read(&installed).is_ok_and(|list| list == wanted) {
        return Ok(folder);
    }
    step(&format!("{name}: install"), || {
        fs::create_dir_all(&folder).context("make the folder of the packages")?;
        fs::write(folder.join("package.json"), &wanted).context("write the list of packages")?;
        install(&folder, &[])?;
        fs::write(installed, wanted).context("remember what is installed")
    })?;
    Ok(folder)
}

/// Installs packages into a folder; without names, those that its `package.json` lists.
pub(crate) fn install(folder: &Path, packages: &[&str]) -> anyhow::Result<()> {
    fs::create_dir_all(folder).context("make the folder of the packages")?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--silent", "--prefix"]);
    execute(npm.arg(folder).args(packages))
}
