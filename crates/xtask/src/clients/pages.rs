//! A browser with a page of another origin, which sends records in every way that pages can.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use showreport_testkit::{ORG, Product, Server, built_beside, leave_out, root, step};

/// The program of Chromium in Debian, in Ubuntu, and Google's.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

pub(crate) const NO_BROWSER: &str = "no Chromium is installed (apt-get install chromium)";

/// Opens the page, and compares what it sent with what arrived.
pub(super) fn run(folder: &Path, python: &Path) -> anyhow::Result<()> {
    let Some(browser) = browser() else {
        return leave_out("a browser", NO_BROWSER);
    };
    step("a browser: a page of another origin", || {
        let product = Product::fresh(&built_beside()?, folder.join("pages"))?;
        let server = Server::start(&product, &["--log-level", "warn"])?;
        let address = format!("http://{}", server.client.address);
        let key = product.token_of(ORG, "collect")?;
        let reader = product.token_of(ORG, "report")?;
        let mut page = Command::new(python);
        page.arg(root().join("tests/clients/pages.py"));
        page.arg(browser).args([&address, &key, &reader, ORG]);
        let status = page.status().context("start the page's server")?;
        ensure!(status.success(), "the page's server ended with {status}");
        Ok(())
    })
}

/// The program of a browser.
pub(crate) fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let programs = BROWSERS.iter().flat_map(|name| {
        let programs = folders.iter().map(move |folder| folder.join(name));
        programs.collect::<Vec<_>>()
    });
    programs.into_iter().find(|program| program.is_file())
}
