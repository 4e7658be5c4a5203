//! Steps of a run: a headline each, and how long it took.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail, ensure};

/// The root of the workspace.
pub fn root() -> PathBuf {
    // The variable comes first: checkouts that share a target directory share this program.
    let here = std::env::var_os("CARGO_MANIFEST_DIR");
    let here = here.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&here)
        .ancestors()
        .nth(2)
        .expect("the crate lies two folders below the root")
        .to_owned()
}

/// Whether this runs on CI, where nothing may be left out.
pub fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}

/// The cargo that runs this, at the root of the workspace.
pub fn cargo(arguments: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(root());
    // `cargo run` sets these for the program that it runs. `ring` is built anew when they change,
    // and with it nearly everything.
    for (name, _) in std::env::vars_os() {
        let prefixes = ["CARGO_PKG_", "CARGO_MANIFEST_"];
        if prefixes
            .iter()
            .any(|prefix| name.to_string_lossy().starts_with(prefix))
        {
            command.env_remove(name);
        }
    }
    command
}

/// The product as cargo built it beside this program.
pub fn built_beside() -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe().context("find where cargo builds to")?;
    Ok(this.with_file_name("showreport"))
}

/// The absolute path of a program that was named.
pub fn named(binary: &Path) -> anyhow::Result<PathBuf> {
    let found = binary.canonicalize();
    found.with_context(|| format!("find {}", binary.display()))
}

/// Runs a step, and prints its title and how long it took.
pub fn step(title: &str, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    println!("\n== {title}");
    let begun = Instant::now();
    work().with_context(|| title.to_owned())?;
    println!("== {title}: {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}

/// Reports that a part cannot run here, and the reason. On CI that is an error.
pub fn leave_out(what: &str, reason: &str) -> anyhow::Result<()> {
    if is_ci() {
        bail!("{reason}");
    }
    eprintln!("\n== {what}: LEFT OUT. {reason}");
    Ok(())
}

/// Runs a program to its end. Anything but success is an error.
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
