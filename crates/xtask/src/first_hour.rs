//! The first hour of a new user, tried: the demo on terminals, and what pages of the documentation
//! say to run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;

use showreport_testkit::python::{MISSING, can_make_environments, environment};
use showreport_testkit::{built_beside, execute, leave_out, root, step};

use crate::tools::build_tests;

/// The packages of the programs in docs/nightly.md.
const PACKAGES: [&str; 2] = ["psycopg[binary]", "duckdb"];

/// The folder of Debian's `PostgreSQL`, by version. It is not on the path.
const POSTGRES: &str = "/usr/lib/postgresql";

const NO_POSTGRES: &str = "PostgreSQL is not installed; on Debian, `apt-get install postgresql`";
const NO_NODE: &str = "Node.js is not installed; on Debian, `apt-get install nodejs`";
const NO_NGINX: &str = "nginx is not installed; on Debian, `apt-get install nginx-light`";

/// Runs each; what cannot run here is left out, but not on CI.
pub(crate) fn run() -> anyhow::Result<()> {
    step("first hour: the demo on a terminal", || {
        build_tests()?;
        let terminal = script("terminal.py");
        execute(Command::new("python3").arg(terminal).arg(built_beside()?))
    })?;
    viewer_tokens()?;
    behind_nginx()?;
    nightly_load()
}

fn viewer_tokens() -> anyhow::Result<()> {
    if !is_there("node")? {
        return leave_out("first hour: viewer tokens", NO_NODE);
    }
    step("first hour: viewer tokens", || {
        execute(&mut python("viewer_tokens.py", Path::new("python3"))?)
    })
}

fn behind_nginx() -> anyhow::Result<()> {
    if !is_there("nginx")? {
        return leave_out("first hour: behind nginx", NO_NGINX);
    }
    step("first hour: behind nginx", || {
        execute(&mut python("nginx.py", Path::new("python3"))?)
    })
}

fn nightly_load() -> anyhow::Result<()> {
    let venv = folder("venv");
    if !venv.join("bin/python").exists() && !can_make_environments() {
        return leave_out("first hour: a nightly load", MISSING);
    }
    let Some(postgres) = postgres() else {
        return leave_out("first hour: a nightly load", NO_POSTGRES);
    };
    step("first hour: install", || {
        environment(&venv, &PACKAGES).map(drop)
    })?;
    step("first hour: a nightly load", || {
        let mut python = python("nightly.py", &venv.join("bin/python"))?;
        execute(python.arg(postgres))
    })
}

/// The programs of the newest version that is installed.
fn postgres() -> Option<PathBuf> {
    let versions = fs::read_dir(POSTGRES).ok()?.flatten();
    let programs = versions.map(|version| version.path().join("bin"));
    let complete = programs.filter(|programs| programs.join("initdb").exists());
    complete.max_by_key(|programs| version(programs))
}

fn version(programs: &Path) -> Option<u32> {
    programs.parent()?.file_name()?.to_str()?.parse().ok()
}

/// A script with its arguments: the product, the documentation and a folder of its own.
fn python(name: &str, interpreter: &Path) -> anyhow::Result<Command> {
    let mut python = Command::new(interpreter);
    python.arg(script(name)).arg(built_beside()?);
    let own = Path::new(name).with_extension("");
    python.arg(root().join("docs")).arg(folder(&own));
    Ok(python)
}

/// Whether a program is installed. Debian has `/usr/sbin` on the path of root only.
fn is_there(program: &str) -> anyhow::Result<bool> {
    let mut shell = Command::new("sh");
    let line = format!("PATH=$PATH:/usr/sbin; command -v {program}");
    let found = shell.args(["-c", &line]).stdout(Stdio::null()).status();
    Ok(found.context("start a shell")?.success())
}

fn script(name: &str) -> PathBuf {
    root().join("tests/first_hour").join(name)
}

fn folder(name: impl AsRef<Path>) -> PathBuf {
    root().join("target/first-hour").join(name)
}
