//! A data directory on which servers are started and killed again and again.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, bail};
use showreport_testkit::{Launch, Product, Server};

/// A data directory, its token, and the log of all its processes.
pub(crate) struct Installation {
    pub(crate) product: Product,
    pub(crate) token: String,
    log: PathBuf,
}

/// How a start went.
pub(crate) enum Start {
    /// The server, and how long it took from the start of its process until it was ready.
    Ready(Server, Duration),
    /// The process ended before it was ready.
    Ended(ExitStatus),
}

impl Installation {
    /// A fresh data directory with an organisation and a token.
    pub(crate) fn fresh(binary: &Path, data_dir: PathBuf, log: PathBuf) -> anyhow::Result<Self> {
        let product = Product::fresh(binary, data_dir)?;
        let token = product.token()?;
        Self::over(product, token, log)
    }

    /// The same over a data directory that is there.
    pub(crate) fn over(product: Product, token: String, log: PathBuf) -> anyhow::Result<Self> {
        File::create(&log).with_context(|| format!("make {}", log.display()))?;
        Ok(Self {
            product,
            token,
            log,
        })
    }

    /// Starts a server with these fail points, and waits until it is ready.
    pub(crate) fn start(&self, fail_points: &str, flags: &[&str]) -> anyhow::Result<Start> {
        let mut command = self.product.serve(flags);
        command.env("FAILPOINTS", fail_points).stderr(self.log()?);
        let mut server = match Server::launch(command, self.token.clone())? {
            Launch::Listening(server) => server,
            Launch::Ended(status) => return Ok(Start::Ended(status)),
        };
        match server.wait_until_ready() {
            Ok(after) => Ok(Start::Ready(server, after)),
            Err(_) => Ok(Start::Ended(server.kill()?)),
        }
    }

    /// Starts a server that must become ready.
    pub(crate) fn start_well(&self, fail_points: &str, flags: &[&str]) -> anyhow::Result<Server> {
        self.start_timed(fail_points, flags)
            .map(|(server, _)| server)
    }

    /// The same, with the time until it was ready.
    pub(crate) fn start_timed(
        &self,
        fail_points: &str,
        flags: &[&str],
    ) -> anyhow::Result<(Server, Duration)> {
        match self.start(fail_points, flags)? {
            Start::Ready(server, after) => Ok((server, after)),
            Start::Ended(status) => bail!(
                "a server ended with {status} before it was ready; its log is {}",
                self.log.display()
            ),
        }
    }

    /// The log that every process of this installation appends to.
    pub(crate) fn log(&self) -> anyhow::Result<File> {
        let log = File::options().append(true).open(&self.log);
        log.with_context(|| format!("open {}", self.log.display()))
    }
}

/// The setting of a fail point that ends the process as `kill -9` would, after this many passes.
pub(crate) fn dies_at(point: &str, passes: u64) -> String {
    match passes {
        0 => format!("{point}=return"),
        passes => format!("{point}={passes}*off->return"),
    }
}
