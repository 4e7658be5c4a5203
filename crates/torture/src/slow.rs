//! Clients that are slow on purpose: each is closed at its limit, and others are served meanwhile.
//! A client that reads its file slowly but steadily gets it whole.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::audit::{MADE_WITHIN, REPORTS};
use super::scenario::{Control, Outcome, Rounds, Scenario, Setting};
use showreport_testkit::root;
use showreport_testkit::{Client, Product, Server, path_of};

/// How much later than its limit a client may be closed.
const LATE_MAX: f64 = 1.0;

/// How long other clients wait for a response, 99 of 100 times.
const RESPONSE_MAX: Duration = Duration::from_millis(250);

/// The same on a slow machine: a multiple of the time without slow clients.
const RESPONSE_TIMES_MAX: u32 = 3;

/// How much more memory the server may take for each client, and beside them. The two buffers of a
/// connection alone are 16 KiB.
const MEMORY_EACH_MAX: u64 = 40 << 10;
const MEMORY_BESIDE_MAX: u64 = 16 << 20;

/// Clients of the control, some of each kind.
const CONTROL_CLIENTS: u64 = 130;

/// The records of the file that is downloaded slowly, and the bytes of each.
const MESSAGES: usize = 8_000;
const MESSAGE_BYTES: usize = 1_000;

/// Bytes a second of the slow download, and for how many seconds. A server with an unlimited send
/// buffer closes it before: it hears nothing until a third of the buffer is free.
const RATE: (u32, u32) = (60_000, 60);

/// The same in a short run, as the check's is.
const RATE_SHORT: (u32, u32) = (30_000, 20);
const SHORT_CLIENTS: u64 = 5_000;

/// The clients of one kind, and how they ended.
struct Kind {
    name: String,
    clients: u64,
    /// Refused at once: there were too many connections.
    refused: u64,
    /// Never closed.
    left: u64,
    /// Seconds until the last was closed, and the server's limit.
    latest: f64,
    limit: f64,
}

pub(crate) struct Slow;

impl Scenario for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn about(&self) -> &'static str {
        "slow clients are closed, and others are served meanwhile"
    }

    fn rounds(&self) -> Rounds {
        Rounds {
            full: 10_000,
            small: 650,
        }
    }

    fn run(&self, setting: &Setting) -> anyhow::Result<Outcome> {
        run(setting)
    }
}

fn run(setting: &Setting) -> anyhow::Result<Outcome> {
    let product = Product::fresh(&setting.binary, setting.folder.join("data"))?;
    let server = Server::start(&product, &[])?;
    let file = make_file(&server.client)?;
    let (host, port) = server
        .client
        .address
        .split_once(':')
        .context("read the address")?;
    // The first requests allocate what the server keeps, which is not the attack's.
    let quiet = serve_others(&server.client, |passed| Ok(passed < QUIET))?;
    let before = server.resident_bytes()?;
    server.forget_peak()?;
    let steady = download_slowly(host, port, &file, setting.rounds)?;
    let control = attack("127.0.0.1", "0", "", CONTROL_CLIENTS)?;
    let mut attackers = attack(host, port, &server.client.token, setting.rounds)?;
    let during = serve_others(&server.client, |_| Ok(attackers.try_wait()?.is_none()))?;
    let grown = server.peak_bytes()?.saturating_sub(before);
    let kinds = outcome(attackers)?;
    let control = judge(&outcome(control)?).is_err();
    let control = Control::noticed(control, "a server that closes no connection")?;
    judge(&kinds)?;
    let (steady, stopped) = outcome_of_download(steady)?;
    ensure!(
        during.percentile() <= RESPONSE_MAX.max(quiet.percentile() * RESPONSE_TIMES_MAX),
        "other clients waited {:?} for a response, the 99th percentile",
        during.percentile()
    );
    ensure!(
        grown <= MEMORY_BESIDE_MAX + setting.rounds * MEMORY_EACH_MAX,
        "the server took {} MiB more",
        grown >> 20
    );
    let sum = |of: fn(&Kind) -> u64| kinds.iter().map(of).sum::<u64>();
    let latest = kinds.iter().map(|kind| kind.latest - kind.limit);
    let held = format!(
        "{} clients of {} kinds, {} of them refused; the last was closed {:.2} s after its limit; \
         {} other requests, p99 {:.1?} (before: {:.1?}); {} MiB more memory; {steady}",
        sum(|kind| kind.clients),
        kinds.len(),
        sum(|kind| kind.refused),
        latest.fold(f64::MIN, f64::max),
        during.0.len(),
        during.percentile(),
        quiet.percentile(),
        grown >> 20,
    );
    Ok(Outcome::Held(held, control.and(stopped)))
}

/// Makes a report of some megabytes; the path of its file.
fn make_file(client: &Client) -> anyhow::Result<String> {
    let text = "slow ".repeat(MESSAGE_BYTES / 5);
    let message = |number| {
        json!({
            "type": "chat", "event_id": "large", "message_id": format!("{number}"),
            "sent_at": 1_790_000_000_000_u64, "text": text,
        })
    };
    let messages: Vec<String> = (0..MESSAGES).map(|it| message(it).to_string()).collect();
    client.collect(messages.join("\n"))?;
    let order = json!({
        "id": "large", "type": "EVENT_TYPE_LIVE",
        "dimension_with_conditions": [{"dimension": "REPORT_DIMENSION_CHAT_HISTORIES"}],
    });
    let created = client.ask(&mut client.connect()?, REPORTS, &order)?;
    let id = created["reports"][0]["id"].as_str().context("no id")?;
    let begun = Instant::now();
    loop {
        let report = client.get(&format!("/api/v1/reports/{id}"))?;
        let report: Value = serde_json::from_slice(&report.body)?;
        if report["status"] == "EVENT_REPORT_STATUS_SUCCEEDED" {
            return path_of(&report["uri"]);
        }
        ensure!(
            begun.elapsed() < MADE_WITHIN,
            "no report was made: {report}"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// Starts one client that reads the file at a constant rate, and one that stops reading it.
fn download_slowly(host: &str, port: &str, file: &str, rounds: u64) -> anyhow::Result<Child> {
    let (rate, seconds) = if rounds < SHORT_CLIENTS {
        RATE_SHORT
    } else {
        RATE
    };
    Command::new("python3")
        .arg(root().join("tests/hostile/steady.py"))
        .args([host, port, file, &rate.to_string(), &seconds.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .context("start python3")
}

/// The steady client must have the whole file, and the one that stopped must not.
fn outcome_of_download(download: Child) -> anyhow::Result<(String, Control)> {
    let ended = download.wait_with_output()?;
    ensure!(
        ended.status.success(),
        "steady.py ended with {}",
        ended.status
    );
    let got: Value = serde_json::from_slice(&ended.stdout).context("read the outcome")?;
    ensure!(
        got["bytes"].as_u64() > Some(0) && got["steady"] == got["bytes"],
        "a client that reads steadily lost its file: {got}"
    );
    let stopped = got["stopped"].as_u64() < got["bytes"].as_u64();
    let control = Control::noticed(stopped, "the download of a client that stops reading")?;
    Ok((
        format!("a steady reader had all {} bytes", got["bytes"]),
        control,
    ))
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
            "{}: of {} clients {} were never closed, and the last after {:.1} s instead of {} s",
            kind.name,
            kind.clients,
            kind.left,
            kind.latest,
            kind.limit
        );
    }
    Ok(())
}

/// The times of responses, sorted.
struct Times(Vec<Duration>);

impl Times {
    /// The 99th percentile.
    fn percentile(&self) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0.get(last * 99 / 100).copied().unwrap_or_default()
    }
}

/// Sent again and again: it stays one fact.
const RECORD: &str = r#"{"type":"playback","event_id":"keynote","playback_id":"p","from":1790000000000,"to":1790000010000}"#;

/// How long requests are timed before the attack.
const QUIET: Duration = Duration::from_secs(2);

/// Collects and lists events in turn, each on a connection of its own, while `go_on` says so.
fn serve_others(
    client: &Client,
    mut go_on: impl FnMut(Duration) -> anyhow::Result<bool>,
) -> anyhow::Result<Times> {
    let begun = Instant::now();
    let mut took = Vec::new();
    while go_on(begun.elapsed())? {
        for (method, path, body, status) in [
            ("POST", "/collect", RECORD, 202),
            ("GET", "/api/v1/events", "", 200),
        ] {
            let asked = Instant::now();
            let response = client.send(method, path, body)?;
            took.push(asked.elapsed());
            ensure!(
                response.status == status,
                "{path} was answered {} while others were slow",
                response.status
            );
        }
        thread::sleep(Duration::from_millis(20));
    }
    took.sort_unstable();
    Ok(Times(took))
}
