//! The first hour of a new user, tried.

use std::process::Command;

use crate::step::{built_beside, cargo, execute, root, step};

/// Looks at what the demo leaves on a terminal.
pub(crate) fn run() -> anyhow::Result<()> {
    step("first hour: the demo on a terminal", || {
        // As the tests build it, so that nothing is built twice.
        execute(&mut cargo(&["test", "--workspace", "--no-run", "--quiet"]))?;
        let script = root().join("tests/first_hour/terminal.py");
        execute(Command::new("python3").arg(script).arg(built_beside()?))
    })
}
