//! Everything that must hold before a change is kept.

use crate::bench;
use crate::clients;
use crate::defects;
use crate::first_hour;
use crate::office;
use crate::step::{cargo, execute, step};
use crate::supply;
use crate::torture;

/// Checks everything, from the quickest to the slowest; stops at the first failure.
pub(crate) fn run() -> anyhow::Result<()> {
    step("format", || {
        execute(&mut cargo(&["fmt", "--all", "--check"]))?;
        // The client for Rust is no part of the workspace, so that nobody builds Google's crate with ours.
        let client = "tests/clients/youtube-rust/Cargo.toml";
        execute(&mut cargo(&["fmt", "--check", "--manifest-path", client]))
    })?;
    step("lints", || {
        let all = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "--deny",
            "warnings",
        ];
        execute(&mut cargo(&all))
    })?;
    supply::check()?;
    defects::check()?;
    step("documentation", || {
        let mut doc = cargo(&["doc", "--workspace", "--no-deps"]);
        execute(doc.env("RUSTDOCFLAGS", "--deny warnings"))
    })?;
    step("tests", || {
        // A snapshot that differs fails; none is written down on the way.
        execute(cargo(&["test", "--workspace"]).env("INSTA_UPDATE", "no"))
    })?;
    clients::run()?;
    office::run()?;
    first_hour::run()?;
    bench::check()?;
    torture::check()
}
