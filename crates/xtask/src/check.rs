//! What must hold before a change is merged.

use crate::clients;
use crate::dashboard;
use crate::defects;
use crate::first_hour;
use crate::office;
use crate::players;
use crate::supply;
use crate::tools;
use showreport_testkit::{cargo, execute, step};

/// Checks everything, from the quickest to the slowest; stops at the first failure.
pub(crate) fn run() -> anyhow::Result<()> {
    format_and_lints()?;
    supply::check()?;
    defects::check()?;
    step("documentation", || {
        let mut doc = cargo(&["doc", "--workspace", "--no-deps"]);
        execute(doc.env("RUSTDOCFLAGS", "--deny warnings"))
    })?;
    step("tests", || {
        // A snapshot that differs fails, and is not updated.
        execute(cargo(&["test", "--workspace"]).env("INSTA_UPDATE", "no"))
    })?;
    clients::run()?;
    players::check()?;
    dashboard::run()?;
    office::run()?;
    first_hour::run()?;
    tools::check()
}

/// What a contributor runs every few minutes: only cargo, and neither the network nor a browser.
pub(crate) fn quick() -> anyhow::Result<()> {
    format_and_lints()?;
    defects::check()?;
    step("tests", || {
        let parts = ["--lib", "--bins", "--test", "it"];
        let mut tests = cargo(&["test", "--workspace"]);
        execute(tests.args(parts).env("INSTA_UPDATE", "no"))
    })
}

fn format_and_lints() -> anyhow::Result<()> {
    step("format", || {
        execute(&mut cargo(&["fmt", "--all", "--check"]))?;
        // The client for Rust is no part of the workspace, which would build Google's crate each
        // time.
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
    })
}
