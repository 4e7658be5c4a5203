//! A running server of the product.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use crate::process::{forget_peak, output, peak_bytes, resident_bytes};
use crate::product::Product;

/// How often a process is looked at that is expected to end.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Where a server listens, and the token that requests to it have.
#[derive(Debug, Clone)]
pub struct Client {
    pub address: String,
    pub token: String,
}

/// A server that listens. It is killed when dropped, as a power cut would.
pub struct Server {
    child: Child,
    pub client: Client,
    /// When the process was started.
    pub started: Instant,
    /// From the start of the process until it listened.
    pub listened_after: Duration,
}

/// What came of starting a server.
pub enum Launch {
    Listening(Server),
    /// The process ended before it listened.
    Ended(ExitStatus),
}

impl Server {
    /// Starts a server on a free port, with a new token.
    pub fn start(product: &Product, flags: &[&str]) -> anyhow::Result<Self> {
        Self::start_with(product, product.token()?, flags)
    }

    /// The same with a token that was made before. Its log lies beside the data directory.
    pub fn start_with(product: &Product, token: String, flags: &[&str]) -> anyhow::Result<Self> {
        let log = product.log();
        let mut command = product.serve(flags);
        command.stderr(File::create(&log)?);
        match Self::launch(command, token)? {
            Launch::Listening(server) => Ok(server),
            Launch::Ended(status) => {
                bail!(
                    "a server ended with {status} before it listened; its log is {}",
                    log.display()
                )
            }
        }
    }

    /// Starts a server by this command, and waits until it listens.
    pub fn launch(mut command: Command, token: String) -> anyhow::Result<Launch> {
        let started = Instant::now();
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .context("start the server")?;
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let Some(address) = line.trim().strip_prefix("listening on http://") else {
            child.kill().ok();
            return Ok(Launch::Ended(child.wait()?));
        };
        Ok(Launch::Listening(Self {
            client: Client {
                address: address.to_owned(),
                token,
            },
            child,
            started,
            listened_after: started.elapsed(),
        }))
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn peak_bytes(&self) -> anyhow::Result<u64> {
        peak_bytes(self.id())
    }

    pub fn resident_bytes(&self) -> anyhow::Result<u64> {
        resident_bytes(self.id())
    }

    pub fn forget_peak(&self) -> anyhow::Result<()> {
        forget_peak(self.id())
    }

    /// Waits until the process has ended by itself, for this time at most.
    pub fn ends_within(&mut self, time: Duration) -> anyhow::Result<Option<ExitStatus>> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if begun.elapsed() >= time {
                return Ok(None);
            }
            sleep(LOOK_EVERY);
        }
    }

    /// `kill -9`; says how the process ended, which may have been before.
    pub fn kill(&mut self) -> anyhow::Result<ExitStatus> {
        self.child.kill().ok();
        self.child.wait().context("wait for a killed server")
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) -> anyhow::Result<()> {
        let process = self.id().to_string();
        output(Command::new("kill").args([&format!("-{name}"), &process])).map(drop)
    }

    /// Stops the server as an operator does, and waits until it has ended.
    pub fn stop(mut self) -> anyhow::Result<()> {
        self.signal("TERM")?;
        let status = self.child.wait().context("wait for the server")?;
        ensure!(
            status.success(),
            "a server that was asked to stop ended with {status}"
        );
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill().ok();
    }
}
