//! Our side: the program under measurement, and its data directory.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::figures::Measured;
use super::process::{finish_watched, output};
use super::show::Show;

/// The organisation of everything that is asked about.
pub(crate) const ORG: &str = "acme";

/// The program with one data directory.
pub(crate) struct Product {
    pub(crate) binary: PathBuf,
    pub(crate) data_dir: PathBuf,
}

impl Product {
    /// With a fresh data directory that has one organisation.
    pub(crate) fn fresh(binary: &Path, data_dir: PathBuf) -> anyhow::Result<Self> {
        if data_dir.exists() {
            fs::remove_dir_all(&data_dir).context("remove the last data directory")?;
        }
        let product = Self {
            binary: binary.to_owned(),
            data_dir,
        };
        product.org(ORG)?;
        Ok(product)
    }

    pub(crate) fn org(&self, org: &str) -> anyhow::Result<()> {
        output(&mut self.command(&["org", "create", org])).map(drop)
    }

    /// A token that may do everything in the organisation.
    pub(crate) fn token(&self) -> anyhow::Result<String> {
        output(&mut self.command(&["token", "create", "--org", ORG, "--scope", "admin"]))
    }

    /// Loads files; with how many records were accepted.
    pub(crate) fn import(&self, file: &Path) -> anyhow::Result<(Measured, u64)> {
        let mut command = self.command(&["import", "--org", ORG]);
        command
            .arg(file)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let begun = Instant::now();
        let child = command.spawn().context("start the import")?;
        let (said, peak_bytes) = finish_watched(child, Duration::from_millis(5))?;
        let seconds = begun.elapsed().as_secs_f64();
        let words: Vec<&str> = said.split_whitespace().collect();
        ensure!(words.get(4) == Some(&"0"), "the import said: {said}");
        let accepted = words[1]
            .parse()
            .with_context(|| format!("the import said: {said}"))?;
        Ok((
            Measured {
                seconds,
                peak_bytes,
            },
            accepted,
        ))
    }

    /// Loads a show while it is told: no file is made of it.
    pub(crate) fn import_told(&self, org: &str, mut show: Show) -> anyhow::Result<()> {
        let mut command = self.command(&["import", "-", "--org", org]);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().context("start an import")?;
        let mut stdin = child.stdin.take().expect("it is piped");
        let mut lines = Vec::new();
        while show.tell(&mut lines).is_some() {
            stdin.write_all(&lines).context("tell the import a show")?;
            lines.clear();
        }
        drop(stdin);
        let status = child.wait().context("wait for an import")?;
        ensure!(status.success(), "an import ended with {status}");
        Ok(())
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(arguments)
            .arg("--data-dir")
            .arg(&self.data_dir);
        command
    }
}
