//! Google's clients for bulk reports in three languages, unchanged, with a server of the product.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};

use showreport_testkit::{Product, Server, built_beside, cargo, execute, now_ms, root, step};

use crate::npm;

/// The package for Node, at a tested version.
const NODE_PACKAGE: &str = "googleapis@188.0.0";

/// Each client works in an organisation of its own.
const ORGS: [&str; 3] = ["python", "node", "rust"];

const DAY_S: u64 = 86_400;

/// From the end of a day until it is closed.
const CLOSED_AFTER_S: u64 = 3_600;

/// Longer than a client takes for all its requests.
const FLOW_S: u64 = 180;

/// Runs all requests of a pipeline with each client.
pub(super) fn run(folder: &Path, python: &Path) -> anyhow::Result<()> {
    let node = folder.join("node");
    let rust = folder.join("rust");
    step("Google's clients: install", || {
        install_node(&node)?;
        build_rust(&rust)
    })?;
    step("Google's clients: the whole flow", || {
        let product = Product::fresh(&built_beside()?, folder.join("bulk"))?;
        for org in ORGS {
            product.org(org)?;
        }
        let server = Server::start(&product, &["--log-level", "warn"])?;
        let address = format!("http://{}", server.client.address);
        let scripts = root().join("tests/clients");
        let mut ask_python = Command::new(python);
        ask_python.arg(scripts.join("youtube.py"));
        let mut ask_node = Command::new("node");
        ask_node
            .env("NODE_PATH", node.join("node_modules"))
            .arg(scripts.join("youtube.cjs"));
        let ask_rust = Command::new(rust.join("debug/youtube-rust"));
        for (org, mut client) in ORGS.iter().zip([ask_python, ask_node, ask_rust]) {
            let token = product.token_of(org, "report,collect")?;
            let reports = first_reports().to_string();
            client.args([&address, &token, &closed_day()?, &reports]);
            execute_silently(&mut client, org)?;
        }
        Ok(())
    })
}

fn install_node(folder: &Path) -> anyhow::Result<()> {
    if folder.join("node_modules/googleapis").exists() {
        return Ok(());
    }
    npm::install(folder, &[NODE_PACKAGE])
}

fn build_rust(target: &Path) -> anyhow::Result<()> {
    let mut build = cargo(&["build", "--quiet", "--locked", "--manifest-path"]);
    build.arg(root().join("tests/clients/youtube-rust/Cargo.toml"));
    execute(build.env("CARGO_TARGET_DIR", target))
}

/// The command holds a token, so it is not shown when it fails.
fn execute_silently(client: &mut Command, name: &str) -> anyhow::Result<()> {
    let status = client
        .status()
        .with_context(|| format!("start the client for {name}"))?;
    ensure!(
        status.success(),
        "the client for {name} ended with {status}"
    );
    Ok(())
}

/// The first reports of a new job: of the 30 days before, or of all but yesterday while that day is
/// open. Waits where this is about to change.
fn first_reports() -> u64 {
    loop {
        let second = now_ms() / 1_000 % DAY_S;
        let (until, reports) = match second {
            ..CLOSED_AFTER_S => (CLOSED_AFTER_S, 29),
            _ => (DAY_S, 30),
        };
        if until - second > FLOW_S {
            return reports;
        }
        thread::sleep(Duration::from_secs(until - second));
    }
}

/// The day before yesterday, since yesterday may be open.
fn closed_day() -> anyhow::Result<String> {
    let program =
        "import datetime as d; print((d.datetime.now(d.UTC) - d.timedelta(days=2)).date())";
    let printed = Command::new("python3").args(["-c", program]).output();
    let printed = printed.context("ask for the date")?.stdout;
    Ok(String::from_utf8(printed)?.trim().to_owned())
}
