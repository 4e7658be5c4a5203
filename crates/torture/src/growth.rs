//! A database with the events and reports of years: a server starts as soon, in as little memory.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use super::audit::REPORTS;
use super::scenario::{Control, Outcome, Rounds, Scenario, Setting};
use showreport_testkit::{Client, Product, Server, output, root};

/// How soon a server listens.
const STARTED_WITHIN: Duration = Duration::from_secs(2);

/// How much more memory a server may take for all the rows. `SQLite` caches pages for each
/// connection.
const MEMORY_MORE_MAX: u64 = 32 << 20;

/// Longer than the check of the largest database takes on a slow machine.
const CHECKED_WITHIN: Duration = Duration::from_mins(5);

/// How long a server is idle before its memory is read: freed memory goes back within a second.
const AT_REST: Duration = Duration::from_secs(3);

const EVENT: &str = r#"{"type":"chat","event_id":"keynote","message_id":"m","sent_at":1740823200000,"text":"hello"}"#;

pub(crate) struct Growth;

impl Scenario for Growth {
    fn name(&self) -> &'static str {
        "growth"
    }

    fn about(&self) -> &'static str {
        "a server starts as soon and in as little memory with years of reports"
    }

    fn rounds(&self) -> Rounds {
        Rounds {
            full: 1_000_000,
            small: 20_000,
        }
    }

    fn run(&self, setting: &Setting) -> anyhow::Result<Outcome> {
        run(setting)
    }
}

fn run(setting: &Setting) -> anyhow::Result<Outcome> {
    if output(Command::new("python3").args(["-c", "import sqlite3"])).is_err() {
        let missing = "python3 with its module sqlite3; on Debian, `apt-get install python3`";
        return Ok(Outcome::LeftOut(missing.to_owned()));
    }
    let product = Product::fresh(&setting.binary, setting.folder.join("data"))?;
    let server = Server::start(&product, &[])?;
    server.client.collect(EVENT)?;
    make_report(&server.client)?;
    server.stop()?;
    let young = Started::measure(&product)?;

    let rows = setting.rounds;
    let script = root().join("tests/growth/grow.py");
    let mut grow = Command::new("python3");
    grow.arg(script).arg(product.data_dir.join("meta.sqlite"));
    output(grow.arg(rows.to_string())).context("put rows into the database")?;
    let old = Started::measure(&product)?;
    ensure!(
        old.listened_after < STARTED_WITHIN,
        "with {rows} events and reports the server listened after {:?}",
        old.listened_after
    );
    for (what, old, young) in [
        ("has", old.resident, young.resident),
        ("had at most", old.peak, young.peak),
    ] {
        let more = old.saturating_sub(young);
        ensure!(
            more < MEMORY_MORE_MAX,
            "with {rows} events and reports the server {what} {} MiB more resident",
            more >> 20
        );
    }
    // Rows that the server did not read would prove nothing.
    let control = old.listed > young.listed;
    let control = Control::noticed(control, "the rows that were put into the database")?;
    let held = format!(
        "with {rows} events and {rows} reports it listened after {:.2?} (with one of each {:.2?}), \
         and had {} MiB resident, {} at most ({} and {})",
        old.listened_after,
        young.listened_after,
        old.resident >> 20,
        old.peak >> 20,
        young.resident >> 20,
        young.peak >> 20,
    );
    Ok(Outcome::Held(held, control))
}

/// A start, and the memory once the database was checked and a report was made.
struct Started {
    listened_after: Duration,
    /// Reports of the first page, which has at most 1,000.
    listed: usize,
    resident: u64,
    peak: u64,
}

impl Started {
    fn measure(product: &Product) -> anyhow::Result<Self> {
        let server = Server::start(product, &[])?;
        let begun = Instant::now();
        make_report(&server.client)?;
        let page = server.client.get("/api/v1/reports?page_size=1000")?;
        ensure!(page.status == 200, "reports were answered {}", page.status);
        let page: Value = serde_json::from_slice(&page.body)?;
        wait_until_checked(product, begun)?;
        sleep(AT_REST);
        let started = Self {
            listened_after: server.listened_after,
            listed: page["reports"].as_array().map_or(0, Vec::len),
            resident: server.resident_bytes()?,
            peak: server.peak_bytes()?,
        };
        server.stop()?;
        Ok(started)
    }
}

/// Waits until the log says that the whole database was checked.
fn wait_until_checked(product: &Product, begun: Instant) -> anyhow::Result<()> {
    let log = product.log();
    while !fs::read_to_string(&log)?.contains("checked the database") {
        ensure!(
            begun.elapsed() < CHECKED_WITHIN,
            "the database was not checked within {CHECKED_WITHIN:?}"
        );
        sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Orders a report and waits until it is made.
fn make_report(client: &Client) -> anyhow::Result<()> {
    let mut connection = client.connect()?;
    let order = json!({
        "id": "keynote", "type": "EVENT_TYPE_LIVE",
        "dimension_with_conditions": [{"dimension": "REPORT_DIMENSION_CHAT_HISTORIES"}],
    });
    let made = client.ask(&mut connection, REPORTS, &order)?;
    let asked = json!({"reports": [{"id": made["reports"][0]["id"]}]});
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_mins(1) {
        let found: Value = client.ask(&mut connection, &format!("{REPORTS}:batch-get"), &asked)?;
        match found["reports"][0]["status"].as_str() {
            Some("EVENT_REPORT_STATUS_RUNNING") => sleep(Duration::from_millis(5)),
            Some("EVENT_REPORT_STATUS_SUCCEEDED") => return Ok(()),
            _ => bail!("a report was not made: {found}"),
        }
    }
    bail!("a report was not made within a minute")
}
