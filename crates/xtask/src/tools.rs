//! Builds the benchmarks and the torture, which are programs of their own, and starts them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use showreport_testkit::{built_beside, cargo, execute, leave_out, python, step};

/// Runs the benchmarks with these arguments. They measure the product as it ships.
pub(crate) fn bench(arguments: &[&str]) -> anyhow::Result<()> {
    let mut bench = Command::new(built("showreport-bench")?);
    if is_development(arguments) {
        build_tests()?;
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
        build_tests()?;
        built(name)?
    } else {
        execute(tests().arg("--release"))?;
        optimised(name)?
    };
    execute(Command::new(program).args(arguments))
}

/// Runs all of both, small, as a part of the check.
pub(crate) fn check() -> anyhow::Result<()> {
    if python::can_make_environments() {
        step("benchmarks, small", || bench(&["--small"]))?;
    } else {
        leave_out("benchmarks, small", python::MISSING)?;
    }
    torture(&["--small"])
}

/// Whether the tool needs no optimised product: for few rounds, with `--binary`, or for its help.
fn is_development(arguments: &[&str]) -> bool {
    let words = ["--small", "--binary", "--help", "-h", "--version"];
    let is_one = |argument: &&str| {
        let name = argument.split_once('=').map_or(*argument, |(name, _)| name);
        words.contains(&name)
    };
    arguments.iter().any(is_one)
}

/// Builds the product, with fail points, and the tools, as the integration tests need them: the
/// check builds nothing twice.
pub(crate) fn build_tests() -> anyhow::Result<()> {
    execute(&mut tests())
}

fn tests() -> Command {
    cargo(&["test", "--workspace", "--test", "it", "--no-run", "--quiet"])
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
