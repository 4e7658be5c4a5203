//! Our side: the program under measurement, and its data directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::process::output;

/// The organisation of everything that is asked about.
pub const ORG: &str = "acme";

/// The program with one data directory.
#[derive(Clone)]
pub struct Product {
    pub binary: PathBuf,
    pub data_dir: PathBuf,
}

impl Product {
    /// With a fresh data directory that has one organisation.
    pub fn fresh(binary: &Path, data_dir: PathBuf) -> anyhow::Result<Self> {
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

    pub fn org(&self, org: &str) -> anyhow::Result<()> {
        output(&mut self.command(&["org", "create", org])).map(drop)
    }

    /// A token that may do everything in the organisation.
    pub fn token(&self) -> anyhow::Result<String> {
        output(&mut self.command(&["token", "create", "--org", ORG, "--scope", "admin"]))
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(arguments)
            .arg("--data-dir")
            .arg(&self.data_dir)
            // One organisation with one token sends as much as the server can take.
            .env("SHOWREPORT_RECORDS_PER_MINUTE", u32::MAX.to_string())
            .env("SHOWREPORT_TOKEN_RECORDS_PER_MINUTE", u32::MAX.to_string());
        command
    }
}
