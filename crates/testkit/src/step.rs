//! Running other programs, each with a headline and its time.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, ensure};

/// The root of the workspace.
pub fn root() -> PathBuf {
    // As cargo says now: checkouts that share a target directory share this program.
    let here = std::env::var_os("CARGO_MANIFEST_DIR");
    let here = here.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&here)
        .ancestors()
        .nth(2)
        .expect("the crate lies two folders below the root")
        .to_owned()
}

/// Whether a machine runs this, which must not leave anything out.
pub fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}

/// The cargo that runs this, at the root of the workspace.
pub fn cargo(arguments: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(root());
    // What `cargo run` tells us about ourselves is nobody else's business: `ring`
    // builds anew when it changes, and with it nearly everything.
    for (name, _) in std::env::vars_os() {
        let about_us = ["CARGO_PKG_", "CARGO_MANIFEST_"];
        if about_us
            .iter()
            .any(|prefix| name.to_string_lossy().starts_with(prefix))
        {
            command.env_remove(name);
        }
    }
    command
}

/// The product as it was built beside this program, wherever cargo builds to.
pub fn built_beside() -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe().context("find where cargo builds to")?;
    Ok(this.with_file_name("showreport"))
}

/// A program that was named.
pub fn named(binary: &Path) -> anyhow::Result<PathBuf> {
    let found = binary.canonicalize();
    found.with_context(|| format!("find {}", binary.display()))
}

/// Does one step and says what it is and how long it took.
pub fn step(title: &str, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    println!("\n== {title}");
    let begun = Instant::now();
    work().with_context(|| title.to_owned())?;
    println!("== {title}: {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}

/// Runs a program to its end; anything but success is an error.
pub fn execute(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .status()
        .with_context(|| format!("start {}", shown(command)))?;
    ensure!(status.success(), "{} ended with {status}", shown(command));
    Ok(())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
