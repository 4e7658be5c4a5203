//! Clients that are slow on purpose: each is closed at its limit, while others are served.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::{Outcome, Torment};
use showreport_testkit::root;
use showreport_testkit::{Product, Server, head};

/// How much later than its limit a client may be closed.
const LATE_MAX: f64 = 1.0;

/// What the others may wait for an answer, 99 of 100 times.
const ANSWER_MAX: Duration = Duration::from_millis(250);

/// The same where the machine is slow: so many times as long as in quiet times.
const ANSWER_TIMES_MAX: u32 = 3;

/// How much more memory the server may take meanwhile for each client, and beside them. Two buffers
/// of a connection alone are 16 KiB.
const MEMORY_EACH_MAX: u64 = 40 << 10;
const MEMORY_BESIDE_MAX: u64 = 16 << 20;

/// One of every kind many times over, but quickly done.
const CONTROL_CLIENTS: u64 = 130;

/// What the server made of all clients of a kind.
struct Kind {
    name: String,
    clients: u64,
    refused: u64,
    left: u64,
    latest: f64,
    limit: f64,
}

pub(crate) fn run(torment: &Torment) -> anyhow::Result<Outcome> {
    let product = Product::fresh(&torment.binary, torment.folder.join("data"))?;
    let server = Server::start(&product, &[])?;
    let (host, port) = server.address.split_once(':').context("read the address")?;
    // What the first requests take once and for all is not the attack's.
    let quiet = serve_others(&server, |passed| Ok(passed < QUIET))?;
    let before = server.resident_bytes()?;
    server.forget_peak()?;
    let control = attack("127.0.0.1", "0", "", CONTROL_CLIENTS)?;
    let mut attackers = attack(host, port, &server.token, torment.rounds)?;
    let answers = serve_others(&server, |_| Ok(attackers.try_wait()?.is_none()))?;
    let grown = server.peak_bytes()?.saturating_sub(before);
    let kinds = outcome(attackers)?;
    ensure!(
        judge(&outcome(control)?).is_err(),
        "a server that closes nobody was not found out"
    );
    judge(&kinds)?;
    ensure!(
        answers.percentile() <= ANSWER_MAX.max(quiet.percentile() * ANSWER_TIMES_MAX),
        "meanwhile others waited {:?} for an answer, 99 of 100 times less",
        answers.percentile()
    );
    ensure!(
        grown <= MEMORY_BESIDE_MAX + torment.rounds * MEMORY_EACH_MAX,
        "the server took {} MiB more meanwhile",
        grown >> 20
    );
    let sum = |of: fn(&Kind) -> u64| kinds.iter().map(of).sum::<u64>();
    let latest = kinds.iter().map(|kind| kind.latest - kind.limit);
    Ok(Outcome::Held(format!(
        "{} clients of {} kinds, {} of them refused; the latest was closed {:.2} s after its limit; \
         {} others were answered meanwhile, p99 {:.1?} (before: {:.1?}); {} MiB more memory",
        sum(|kind| kind.clients),
        kinds.len(),
        sum(|kind| kind.refused),
        latest.fold(f64::MIN, f64::max),
        answers.0.len(),
        answers.percentile(),
        quiet.percentile(),
        grown >> 20,
    )))
}

fn attack(host: &str, port: &str, token: &str, clients: u64) -> anyhow::Result<Child> {
    Command::new("python3")
        .arg(root().join("tests/hostile/slow.py"))
        .args([host, port, token, &clients.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .context("start python3")
}

fn outcome(attackers: Child) -> anyhow::Result<Vec<Kind>> {
    let ended = attackers.wait_with_output()?;
    ensure!(
        ended.status.success(),
        "slow.py ended with {}",
        ended.status
    );
    let kinds: Value = serde_json::from_slice(&ended.stdout).context("read the outcome")?;
    let kinds = kinds.as_object().context("find the kinds")?;
    let kind = |(name, kind): (&String, &Value)| {
        let count = |field: &str| kind[field].as_u64().context("a count");
        let seconds = |field: &str| kind[field].as_f64().context("a time");
        Ok(Kind {
            name: name.clone(),
            clients: count("clients")?,
            refused: count("refused")?,
            left: count("left")?,
            latest: seconds("latest")?,
            limit: seconds("limit")?,
        })
    };
    kinds.iter().map(kind).collect()
}

fn judge(kinds: &[Kind]) -> anyhow::Result<()> {
    for kind in kinds {
        ensure!(
            kind.left == 0 && kind.latest <= kind.limit + LATE_MAX,
            "{}: of {} clients {} were never closed and the latest after {:.1} s, instead of {} s",
            kind.name,
            kind.clients,
            kind.left,
            kind.latest,
            kind.limit
        );
    }
    Ok(())
}

/// How long answers took, the quickest first.
struct Answers(Vec<Duration>);

impl Answers {
    /// What 99 of 100 answers took at most.
    fn percentile(&self) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0.get(last * 99 / 100).copied().unwrap_or_default()
    }
}

/// Sent again and again, which adds nothing.
const RECORD: &[u8] = br#"{"type":"playback","event_id":"keynote","playback_id":"p","from":1790000000000,"to":1790000010000}"#;

/// How long others are served to know how quickly that goes.
const QUIET: Duration = Duration::from_secs(2);

/// Collects and asks in turn, each on a fresh connection, as long as it is said.
fn serve_others(
    server: &Server,
    mut go_on: impl FnMut(Duration) -> anyhow::Result<bool>,
) -> anyhow::Result<Answers> {
    let begun = Instant::now();
    let mut took = Vec::new();
    while go_on(begun.elapsed())? {
        for (method, path, body, status) in [
            ("POST", "/collect", RECORD, 202),
            ("GET", "/api/v1/events", b"", 200),
        ] {
            let asked = Instant::now();
            let head = head(method, path, &server.token, body.len());
            let answer = server.connect()?.send(head.as_bytes(), body)?;
            took.push(asked.elapsed());
            ensure!(
                answer.status == status,
                "{path} answered {} while others were slow",
                answer.status
            );
        }
        thread::sleep(Duration::from_millis(20));
    }
    took.sort_unstable();
    Ok(Answers(took))
}
