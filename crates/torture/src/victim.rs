//! A server that is about to die.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use showreport_testkit::{Connection, Product, head, output};

/// How often a process is looked at that is about to end.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A data directory, and how servers on it are started.
pub(crate) struct House {
    pub(crate) product: Product,
    pub(crate) token: String,
    log: PathBuf,
}

impl House {
    /// A fresh data directory with an organisation and a token. Its servers say there what they do.
    pub(crate) fn build(binary: &Path, data_dir: PathBuf, log: PathBuf) -> anyhow::Result<Self> {
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

    /// Starts a server with these fail points, and waits until it is ready. Nothing, if it died
    /// before.
    pub(crate) fn start(&self, fail_points: &str, flags: &[&str]) -> anyhow::Result<Birth> {
        let log = self.log()?;
        let mut command = self.product.command(&["serve", "--listen", "127.0.0.1:0"]);
        command
            .args(flags)
            .env("FAILPOINTS", fail_points)
            .stdout(Stdio::piped())
            .stderr(log);
        let started = Instant::now();
        let mut child = command.spawn().context("start the server")?;
        let stdout = child.stdout.take().expect("it is piped");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let Some(address) = line.trim().strip_prefix("listening on http://") else {
            child.kill().ok();
            return Ok(Birth::Stillborn(child.wait()?));
        };
        let mut victim = Victim {
            child,
            caller: Caller {
                address: address.to_owned(),
                token: self.token.clone(),
            },
            ready_after: Duration::ZERO,
        };
        loop {
            match victim.caller.get("/readyz") {
                Ok((200, _)) => break,
                Ok(_) => std::thread::sleep(LOOK_EVERY),
                Err(_) => return Ok(Birth::Stillborn(victim.kill()?)),
            }
        }
        victim.ready_after = started.elapsed();
        Ok(Birth::Alive(victim))
    }

    /// Where everything that runs here says what it does.
    pub(crate) fn log(&self) -> anyhow::Result<File> {
        let log = File::options().append(true).open(&self.log);
        log.with_context(|| format!("open {}", self.log.display()))
    }

    /// Starts a server that nothing is to befall yet.
    pub(crate) fn start_well(&self, fail_points: &str, flags: &[&str]) -> anyhow::Result<Victim> {
        match self.start(fail_points, flags)? {
            Birth::Alive(victim) => Ok(victim),
            Birth::Stillborn(status) => bail!(
                "a server ended with {status} before it was ready; its log is {}",
                self.log.display()
            ),
        }
    }
}

/// The setting of a fail point at which a process ends as if killed, after so many passes.
pub(crate) fn dies_at(point: &str, passes: u64) -> String {
    match passes {
        0 => format!("{point}=return"),
        passes => format!("{point}={passes}*off->return"),
    }
}

/// How a start went.
pub(crate) enum Birth {
    Alive(Victim),
    Stillborn(ExitStatus),
}

/// Somebody who calls a server.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    address: String,
    pub(crate) token: String,
}

impl Caller {
    pub(crate) fn connect(&self) -> anyhow::Result<Connection> {
        Connection::open(&self.address)
    }

    /// Status and body of what is at a path.
    pub(crate) fn get(&self, path: &str) -> anyhow::Result<(u16, Vec<u8>)> {
        let answer = self
            .connect()?
            .send(head("GET", path, &self.token, 0).as_bytes(), b"")?;
        Ok((answer.status, answer.body))
    }

    /// Status and answer of a question; JSON both ways.
    pub(crate) fn post(&self, path: &str, question: &Value) -> anyhow::Result<(u16, Value)> {
        let body = question.to_string();
        let head = head("POST", path, &self.token, body.len());
        let answer = self.connect()?.send(head.as_bytes(), body.as_bytes())?;
        let said = serde_json::from_slice(&answer.body).context("read an answer")?;
        Ok((answer.status, said))
    }
}

/// A running server; it is killed when dropped.
pub(crate) struct Victim {
    child: Child,
    pub(crate) caller: Caller,
    /// From the start of the process until it said that it was ready.
    pub(crate) ready_after: Duration,
}

impl Victim {
    /// Waits until the process has ended by itself, for so long at most.
    pub(crate) fn ends_within(&mut self, time: Duration) -> anyhow::Result<Option<ExitStatus>> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if begun.elapsed() >= time {
                return Ok(None);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// `kill -9`; says how the process ended, which may have been before.
    pub(crate) fn kill(&mut self) -> anyhow::Result<ExitStatus> {
        self.child.kill().ok();
        self.child.wait().context("wait for a killed server")
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) -> anyhow::Result<()> {
        let process = self.child.id().to_string();
        output(Command::new("kill").args([&format!("-{name}"), &process])).map(drop)
    }

    /// As an operator stops it.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        self.signal("TERM")?;
        let status = self.child.wait()?;
        ensure!(
            status.success(),
            "a server that was asked to stop ended with {status}"
        );
        Ok(())
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.kill().ok();
    }
}
