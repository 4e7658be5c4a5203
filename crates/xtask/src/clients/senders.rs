//! Libraries of others that send: `CloudEvents`, Segment's, and the reporter inside of players.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

use showreport_testkit::{ORG, Product, Server, built_beside, root, step};

use crate::npm;

/// The packages, at tested versions, with what they expect beside them.
const PACKAGES: [&str; 5] = [
    "@segment/analytics-node@3.1.0",
    "@svta/cml-cmcd@2.7.0",
    "@svta/cml-structured-field-values@1.1.6",
    "@svta/cml-utils@1.6.1",
    "cloudevents@10.0.0",
];

const SCRIPT: &str = "senders.mjs";

/// Sends with each library, and compares the reports with what was sent.
pub(super) fn run(folder: &Path) -> anyhow::Result<()> {
    let senders = folder.join("senders");
    step("libraries that send: install", || install(&senders))?;
    step("libraries that send: reports equal what was sent", || {
        let product = Product::fresh(&built_beside()?, folder.join("sent"))?;
        let server = Server::start(&product, &["--log-level", "warn"])?;
        let address = format!("http://{}", server.client.address);
        let key = product.token_of(ORG, "collect")?;
        let reader = product.token_of(ORG, "report")?;
        // Modules find packages from the folder that they lie in.
        let script = senders.join(SCRIPT);
        fs::copy(root().join("tests/clients").join(SCRIPT), &script).context("copy the script")?;
        let mut send = Command::new("node");
        // The command holds tokens, so it is not shown when it fails.
        let status = send.arg(script).args([&address, &key, &reader]).status();
        let status = status.context("start the script")?;
        ensure!(status.success(), "the script ended with {status}");
        Ok(())
    })
}

fn install(folder: &Path) -> anyhow::Result<()> {
    if folder.join("node_modules/cloudevents").exists() {
        return Ok(());
    }
    npm::install(folder, &PACKAGES)
}
