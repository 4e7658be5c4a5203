//! Builds the benchmarks and the torture, which are programs of their own, and starts them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};
use showreport_testkit::{built_beside, cargo, execute, is_ci, python, step};

/// Whether the product that the tool runs is an optimised build.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Profile {
    Dev,
    Release,
}

/// Runs the benchmarks with these arguments. They measure the product as it ships.
pub(crate) fn bench(arguments: &[&str]) -> anyhow::Result<()> {
    let mut bench = Command::new(built("showreport-bench")?);
    if is_development(arguments) {
        build_tests(Profile::Dev)?;
    } else {
        step("build", || {
            execute(&mut cargo(&["build", "--release"]))?;
            let package = ["--package", "showreport-bench"];
            execute(cargo(&["build", "--release"]).args(package))
        })?;
        bench = Command::new(optimised("showreport-bench")?);
    }
    execute(bench.args(arguments))
}

/// Runs the torture with these arguments. It needs a product with fail points, as tests build it.
pub(crate) fn torture(arguments: &[&str]) -> anyhow::Result<()> {
    let name = "showreport-torture";
    let program = if is_development(arguments) {
        build_tests(Profile::Dev)?;
        built(name)?
    } else {
        build_tests(Profile::Release)?;
        optimised(name)?
    };
    execute(Command::new(program).args(arguments))
}

/// All of both, small, as a part of the check.
pub(crate) fn check() -> anyhow::Result<()> {
    if python::can_make_environments() {
        step("benchmarks, small", || bench(&["--small"]))?;
    } else if is_ci() {
        bail!("{}", python::MISSING);
    } else {
        eprintln!("\n== benchmarks, small: LEFT OUT. {}", python::MISSING);
    }
    torture(&["--small"])
}

/// Whether the tool needs no optimised product: it runs few rounds, brings its own, or only helps.
fn is_development(arguments: &[&str]) -> bool {
    let words = ["--small", "--binary", "--help", "-h", "--version"];
    let is_one = |argument: &&str| {
        let name = argument.split_once('=').map_or(*argument, |(name, _)| name);
        words.contains(&name)
    };
    arguments.iter().any(is_one)
}

/// Builds the product and the tools as the integration tests of all crates need them, so that the
/// check builds nothing twice.
fn build_tests(profile: Profile) -> anyhow::Result<()> {
    let mut build = cargo(&["test", "--workspace", "--test", "it", "--no-run", "--quiet"]);
    if profile == Profile::Release {
        build.arg("--release");
    }
    execute(&mut build)
}

/// A program as it was built beside this one.
fn built(name: &str) -> anyhow::Result<PathBuf> {
    Ok(built_beside()?.with_file_name(name))
}

/// A program as `--release` builds it.
fn optimised(name: &str) -> anyhow::Result<PathBuf> {
    let beside = built_beside()?;
    let builds = beside.ancestors().nth(2);
    let builds = builds.context("find where cargo builds to")?;
    Ok(builds.join("release").join(name))
}
