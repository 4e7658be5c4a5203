//! The dashboard in a browser, with the show of the demo.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, bail, ensure};

use showreport_testkit::{built_beside, leave_out, root, step};

use crate::clients::{NO_BROWSER, browser};
use crate::npm;
use crate::tools::build_tests;

/// The check has little time, so the show is small.
const SMALL: [&str; 2] = ["--viewers", "60"];

/// Opens every page and does what people do there.
pub(crate) fn run() -> anyhow::Result<()> {
    drive("dashboard", "dashboard.mjs", &SMALL, &[])
}

/// Makes the pictures of docs/dashboard.md.
pub(crate) fn pictures() -> anyhow::Result<()> {
    let pictures = root().join("docs/pictures");
    drive("pictures", "pictures.mjs", &["--live"], &[&pictures])
}

/// Runs a script with a demo that has just finished its show.
fn drive(title: &str, script: &str, flags: &[&str], arguments: &[&Path]) -> anyhow::Result<()> {
    let Some(browser) = browser() else {
        return leave_out(title, NO_BROWSER);
    };
    let folder = npm::install_listed("dashboard")?;
    step(title, || {
        build_tests()?;
        let demo = Demo::start(&folder.join(title), flags)?;
        let mut node = Command::new("node");
        node.arg(root().join("tests/dashboard").join(script))
            .args([&demo.address, &demo.link, &demo.token])
            .args([&folder, &browser])
            .args(arguments);
        // The command holds a token, so it is not shown when it fails.
        let status = node.status().context("start node")?;
        ensure!(status.success(), "{script} ended with {status}");
        Ok(())
    })
}

/// A demo that serves. It is killed when dropped.
struct Demo {
    child: Child,
    /// Stays open, since the demo ends when it cannot print.
    _stdout: BufReader<ChildStdout>,
    address: String,
    /// Signs in, once.
    link: String,
    token: String,
}

impl Demo {
    /// Simulates a show in a fresh folder, and waits for the link.
    fn start(data: &Path, flags: &[&str]) -> anyhow::Result<Self> {
        if data.exists() {
            fs::remove_dir_all(data).context("remove the last show")?;
        }
        let mut demo = Command::new(built_beside()?);
        demo.args(["demo", "--listen", "127.0.0.1:0"])
            .args(flags)
            .args(["--log-level", "warn", "--data-dir"])
            .arg(data)
            .stdout(Stdio::piped());
        let mut child = demo.spawn().context("start the demo")?;
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let link = loop {
            let mut line = String::new();
            if stdout.read_line(&mut line)? == 0 {
                let status = child.wait()?;
                bail!("the demo ended with {status} and printed no link to sign in");
            }
            if line.contains("/sign-in/") {
                break line.trim().to_owned();
            }
        };
        let (address, _) = link.split_once("/sign-in/").context("read the link")?;
        let token = fs::read_to_string(data.join("demo.token")).context("read the token")?;
        Ok(Self {
            address: address.to_owned(),
            token: token.trim().to_owned(),
            child,
            _stdout: stdout,
            link,
        })
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
