//! The program, and a data directory of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::process::output;

/// The organisation that every data directory of the tools has.
pub const ORG: &str = "acme";

/// The program with one data directory.
#[derive(Clone)]
pub struct Product {
    pub binary: PathBuf,
    pub data_dir: PathBuf,
}

impl Product {
    /// Makes a fresh data directory with one organisation.
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

    /// A token with every scope of the organisation.
    pub fn token(&self) -> anyhow::Result<String> {
        self.token_of(ORG, "admin")
    }

    pub fn token_of(&self, org: &str, scopes: &str) -> anyhow::Result<String> {
        let create = ["token", "create", "--org", org, "--scope", scopes];
        output(&mut self.command(&create))
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(arguments)
            .arg("--data-dir")
            .arg(&self.data_dir)
            // The tools send with one token as much as the server can take.
            .env("SHOWREPORT_RECORDS_PER_MINUTE", u32::MAX.to_string())
            .env("SHOWREPORT_TOKEN_RECORDS_PER_MINUTE", u32::MAX.to_string());
        command
    }

    /// The command of a server on a free port.
    pub fn serve(&self, flags: &[&str]) -> Command {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.args(flags);
        command
    }

    /// Where servers on this directory log, unless their command says otherwise.
    pub fn log(&self) -> PathBuf {
        self.data_dir.with_extension("log")
    }

    /// `SQLite`'s write-ahead log.
    pub fn database_log(&self) -> PathBuf {
        self.data_dir.join("meta.sqlite-wal")
    }
}
