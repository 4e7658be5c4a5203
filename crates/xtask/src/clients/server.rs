//! A server that clients ask.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};

use showreport_testkit::built_beside;

/// A server on a fresh directory, which ends with this value.
pub(super) struct Server {
    process: Child,
    pub(super) address: String,
    data: PathBuf,
}

impl Server {
    pub(super) fn start(data: &Path, orgs: &[&str]) -> anyhow::Result<Self> {
        if data.exists() {
            fs::remove_dir_all(data).context("remove the last directory")?;
        }
        for org in orgs {
            printed(data, &["org", "create", org])?;
        }
        let mut serve = Command::new(built_beside()?);
        serve.args(["serve", "--listen", "127.0.0.1:0", "--log-level", "warn"]);
        serve.arg("--data-dir").arg(data).stdout(Stdio::piped());
        let mut process = serve.spawn().context("start the server")?;
        let mut line = String::new();
        let stdout = process
            .stdout
            .take()
            .context("read what the server prints")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on ");
        let address = address.with_context(|| format!("the server printed {line:?}"))?;
        Ok(Self {
            address: address.to_owned(),
            process,
            data: data.to_owned(),
        })
    }

    pub(super) fn token(&self, org: &str, scopes: &str) -> anyhow::Result<String> {
        let create = ["token", "create", "--scope", scopes, "--org", org];
        printed(&self.data, &create)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; whatever is left goes with the directory.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn printed(data: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new(built_beside()?);
    let output = command.args(arguments).arg("--data-dir").arg(data).output();
    let output = output.context("start showreport")?;
    let problem = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        output.status.success(),
        "showreport {arguments:?}: {problem}"
    );
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
