//! The server under measurement.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::http::{Answer, Connection, head};
use super::process::{forget_peak, output, peak_bytes, resident_bytes};
use super::product::Product;

/// Longer than the pause between two rounds of the server's own maintenance.
const COMPACTED_WITHIN: Duration = Duration::from_mins(15);

/// A running server; it is killed when dropped.
pub struct Server {
    child: Child,
    pub address: String,
    pub token: String,
    /// When the process was started.
    pub started: Instant,
    /// From the start of the process until it listened.
    pub listened_after: Duration,
}

impl Server {
    pub fn start(product: &Product, flags: &[&str]) -> anyhow::Result<Self> {
        let token = product.token()?;
        Self::start_with(product, token, flags)
    }

    /// The same with a token that was made before. Fails if the server does not come up;
    /// what it said lies beside its data directory.
    pub fn start_with(product: &Product, token: String, flags: &[&str]) -> anyhow::Result<Self> {
        let log = File::create(product.data_dir.with_extension("log"))?;
        let mut command = product.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.args(flags).stdout(Stdio::piped()).stderr(log);
        let started = Instant::now();
        let mut child = command.spawn().context("start the server")?;
        let stdout = child.stdout.take().expect("it is piped");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let listened_after = started.elapsed();
        let address = line.trim().strip_prefix("listening on http://");
        let address = address.with_context(|| format!("the server said {line:?}"))?;
        Ok(Self {
            address: address.to_owned(),
            token,
            child,
            listened_after,
            started,
        })
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn connect(&self) -> anyhow::Result<Connection> {
        Connection::open(&self.address)
    }

    /// One question on a connection that may be kept; JSON both ways.
    pub fn ask(
        &self,
        connection: &mut Connection,
        path: &str,
        question: &Value,
    ) -> anyhow::Result<Value> {
        let body = question.to_string();
        let head = head("POST", path, &self.token, body.len());
        let answer = connection.send(head.as_bytes(), body.as_bytes())?;
        let said = String::from_utf8_lossy(&answer.body);
        ensure!(
            answer.status < 300,
            "{path} answered {}: {said}",
            answer.status
        );
        serde_json::from_slice(&answer.body).context("read an answer")
    }

    pub fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.connect()?
            .send(head("GET", path, &self.token, 0).as_bytes(), b"")
    }

    pub fn peak_bytes(&self) -> anyhow::Result<u64> {
        peak_bytes(self.child.id())
    }

    pub fn resident_bytes(&self) -> anyhow::Result<u64> {
        resident_bytes(self.child.id())
    }

    pub fn forget_peak(&self) -> anyhow::Result<()> {
        forget_peak(self.child.id())
    }

    /// Waits until the server has done a whole round of maintenance.
    ///
    /// A round ends with emptying the database's log. So something is written to it, and once it
    /// is empty again the lake is as compact as the server makes it.
    pub fn wait_until_compacted(&self, product: &Product) -> anyhow::Result<()> {
        let log = product.data_dir.join("meta.sqlite-wal");
        let begun = Instant::now();
        let record =
            br#"{"type":"event","event_id":"maintenance","kind":"live","title":"Maintenance"}"#;
        let head = head("POST", "/collect", &self.token, record.len());
        let answer = self.connect()?.send(head.as_bytes(), record)?;
        ensure!(
            answer.status == 202,
            "a record was answered {}",
            answer.status
        );
        while fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
            ensure!(
                begun.elapsed() < COMPACTED_WITHIN,
                "no round of maintenance came to its end"
            );
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    /// As an operator stops it.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let process = self.child.id().to_string();
        output(Command::new("kill").args(["-TERM", &process]))?;
        let status = self.child.wait().context("wait for the server")?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // As a power cut would.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
