//! Python environments with packages from `PyPI`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::step::execute;

/// Debian packs the module that makes environments apart from Python.
pub const MISSING: &str =
    "python3 cannot make a virtual environment; on Debian, `apt-get install python3-venv`";

/// Whether Python can make environments.
pub fn can_make_environments() -> bool {
    let mut python = Command::new("python3");
    python
        .args(["-c", "import ensurepip, venv"])
        .stderr(Stdio::null());
    python.status().is_ok_and(|status| status.success())
}

/// Makes or updates an environment with these packages, and returns its Python.
pub fn environment(folder: &Path, packages: &[&str]) -> anyhow::Result<PathBuf> {
    let python = folder.join("bin/python");
    if !python.exists() {
        execute(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    }
    let mut pip = Command::new(&python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]);
    execute(pip.args(packages))?;
    Ok(python)
}
