//! Starting: how soon a server is ready with many events and a full journal.

use std::fmt::Write;
use std::fs::File;

use anyhow::{Context, bail, ensure};

use super::figures::{Samples, Unit, bytes, thousands};
use super::part::Part;
use super::run::{Run, Size};
use super::show::Show;
use super::table::Table;
use showreport_testkit::{Client, Server};

const READY_WITHIN: f64 = 2.0;

/// Events in one body.
const EVENTS_EACH: u64 = 1_000;

const BODY_BYTES: usize = 8 << 20;

/// A run with fewer records is for a quick look.
const RECORDS_QUICK: u64 = 10_000_000;

pub(crate) struct Start;

impl Part for Start {
    fn name(&self) -> &'static str {
        "start"
    }

    fn title(&self) -> &'static str {
        "starting"
    }

    fn run(&self, run: &mut Run) -> anyhow::Result<()> {
        measure(run)
    }
}

fn measure(run: &mut Run) -> anyhow::Result<()> {
    let (events, flags): (u64, &[&str]) = match run.size {
        // Filling a whole journal takes minutes, so quick runs bound it lower.
        Size::Full if run.records >= RECORDS_QUICK => (100_000, &[]),
        Size::Full => (100_000, &["--journal-size", "64MiB"]),
        Size::Small => (1_000, &["--journal-size", "8MiB"]),
    };
    let product = run.fresh("start")?;
    let server = Server::start(&product, flags)?;
    register(&server.client, events)?;
    // A flush takes this lock. While it is held here, the journal is not flushed.
    let lock = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(product.data_dir.join("flush.lock"))
        .context("open the flush lock")?;
    lock.lock().context("take the flush lock")?;
    fill(&server.client)?;
    let journal = journal_bytes(&server.client)?;
    // Each server is killed once it is ready, so the journal stays full but for a first flush.
    drop(server);
    drop(lock);
    let (mut listening, mut ready) = (Vec::new(), Vec::new());
    for _ in 0..run.pairs() {
        let server = Server::start(&product, flags)?;
        ready.push(server.wait_until_ready()?.as_secs_f64());
        listening.push(server.listened_after.as_secs_f64());
        let still = journal_bytes(&server.client)?;
        ensure!(
            still > journal / 2,
            "of {journal} bytes in the journal {still} are left"
        );
    }
    let mut table = Table::new(
        "Starting",
        &["events", "in the journal", "what", "time", "aim"],
    )
    .note("The server was killed with a full journal; it is started, and killed as soon as it is ready, several times.");
    let ready = Samples::new(ready);
    let met = ready.median() < READY_WITHIN;
    let verdict = table.verdict("ready", met, "< 2 s");
    for (what, samples, aim) in [
        ("listening", Samples::new(listening), String::new()),
        ("ready", ready, verdict),
    ] {
        let cells = [
            thousands(events),
            bytes(journal),
            what.to_owned(),
            samples.shown(Unit::Seconds),
            aim,
        ];
        table.row(cells.to_vec());
    }
    run.tables.push(table);
    Ok(())
}

fn register(client: &Client, events: u64) -> anyhow::Result<()> {
    let mut connection = client.connect()?;
    for first in (0..events).step_by(usize::try_from(EVENTS_EACH)?) {
        let mut body = String::new();
        for event in first..first + EVENTS_EACH {
            writeln!(
                body,
                "{{\"type\":\"event\",\"event_id\":\"show-{event}\",\"kind\":\"live\",\"title\":\"Show {event}\"}}"
            )
            .expect("writing to a string");
        }
        let status = connection
            .send("POST", "/collect", &client.token, body)?
            .status;
        ensure!(status == 202, "events were answered {status}");
    }
    Ok(())
}

/// Sends records until the server refuses with 503.
fn fill(client: &Client) -> anyhow::Result<()> {
    let mut connection = client.connect()?;
    for seed in 0.. {
        let mut show = Show::new("keynote", seed, 5_000_000);
        let mut body = Vec::new();
        while show.next_second(&mut body).is_some() {
            if body.len() < BODY_BYTES {
                continue;
            }
            let records = std::mem::take(&mut body);
            let response = connection.send("POST", "/collect", &client.token, records)?;
            match response.status {
                202 => {}
                503 => return Ok(()),
                other => bail!("{other}: {}", response.text()),
            }
        }
    }
    Ok(())
}

fn journal_bytes(client: &Client) -> anyhow::Result<u64> {
    let metrics = client.get("/metrics")?;
    let metrics = metrics.text();
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("showreport_journal_waiting_bytes "));
    line.context("find the journal's bytes")?
        .trim()
        .parse()
        .context("read the journal's bytes")
}
