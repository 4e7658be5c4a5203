//! A real browser with a page of another origin, which sends records in every way that pages have.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

use super::server::Server;
use showreport_testkit::{is_ci, root, step};

/// Names of the browser's program: Debian's, Ubuntu's, Google's.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// What to do where there is none.
pub(crate) const NO_BROWSER: &str = "no Chromium is installed (apt-get install chromium)";

/// Has the page send, and looks at what arrived.
pub(super) fn run(folder: &Path, python: &Path) -> anyhow::Result<()> {
    let Some(browser) = browser() else {
        if is_ci() {
            bail!("{NO_BROWSER}");
        }
        eprintln!("\n== a browser: LEFT OUT. {NO_BROWSER}");
        return Ok(());
    };
    step("a browser: a page of another origin", || {
        let server = Server::start(&folder.join("pages"), &["pages"])?;
        let key = server.token("pages", "collect")?;
        let reader = server.token("pages", "report")?;
        let mut page = Command::new(python);
        page.arg(root().join("tests/clients/pages.py"));
        page.arg(browser)
            .args([&server.address, &key, &reader, "pages"]);
        let status = page.status().context("start the page's server")?;
        ensure!(status.success(), "the page's server ended with {status}");
        Ok(())
    })
}

/// Where a browser's program lies.
pub(crate) fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let programs = BROWSERS.iter().flat_map(|name| {
        let programs = folders.iter().map(move |folder| folder.join(name));
        programs.collect::<Vec<_>>()
    });
    programs.into_iter().find(|program| program.is_file())
}
