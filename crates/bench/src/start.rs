//! Starting: how soon a server is ready that has many events and a full journal.

use std::fmt::Write;
use std::fs::File;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use super::figures::{Samples, Unit, bytes, thousands};
use super::run::{Run, Size};
use super::show::Show;
use super::table::Table;
use showreport_testkit::{Server, head};

const READY_WITHIN: f64 = 2.0;

/// Events in one body.
const EVENTS_EACH: u64 = 1_000;

const BODY_BYTES: usize = 8 << 20;

/// With fewer records than this a run is for a quick look.
const RECORDS_QUICK: u64 = 10_000_000;

pub(crate) fn run(run: &mut Run) -> anyhow::Result<()> {
    let (events, flags): (u64, &[&str]) = match run.size {
        // Filling a whole journal takes minutes, so quick runs bound it lower.
        Size::Full if run.records >= RECORDS_QUICK => (100_000, &[]),
        Size::Full => (100_000, &["--journal-size", "64MiB"]),
        Size::Small => (1_000, &["--journal-size", "8MiB"]),
    };
    let product = run.fresh("start")?;
    let server = Server::start(&product, flags)?;
    register(&server, events)?;
    // Whoever changes the lake holds this lock. While we do, nothing leaves the journal.
    let lock = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(product.data_dir.join("flush.lock"))
        .context("open the flush lock")?;
    lock.lock().context("take the flush lock")?;
    fill(&server)?;
    let journal = journal_bytes(&server)?;
    // Killed at once, each time: what was in the journal still is, but for a first flush.
    drop(server);
    drop(lock);
    let (mut listening, mut ready) = (Vec::new(), Vec::new());
    for _ in 0..run.pairs() {
        let server = Server::start(&product, flags)?;
        wait_until_ready(&server)?;
        listening.push(server.listened_after.as_secs_f64());
        ready.push(server.started.elapsed().as_secs_f64());
        let still = journal_bytes(&server)?;
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

fn register(server: &Server, events: u64) -> anyhow::Result<()> {
    let mut connection = server.connect()?;
    for first in (0..events).step_by(usize::try_from(EVENTS_EACH)?) {
        let mut body = String::new();
        for event in first..first + EVENTS_EACH {
            writeln!(
                body,
                "{{\"type\":\"event\",\"event_id\":\"show-{event}\",\"kind\":\"live\",\"title\":\"Show {event}\"}}"
            )
            .expect("writing to a string");
        }
        let head = head("POST", "/collect", &server.token, body.len());
        let answer = connection.send(head.as_bytes(), body.as_bytes())?;
        ensure!(
            answer.status == 202,
            "events were answered {}",
            answer.status
        );
    }
    Ok(())
}

/// Sends records until the server takes no more.
fn fill(server: &Server) -> anyhow::Result<()> {
    let mut connection = server.connect()?;
    for seed in 0.. {
        let mut show = Show::new("keynote", seed, 5_000_000);
        let mut body = Vec::new();
        while show.tell(&mut body).is_some() {
            if body.len() < BODY_BYTES {
                continue;
            }
            let head = head("POST", "/collect", &server.token, body.len());
            let answer = connection.send(head.as_bytes(), &body)?;
            match answer.status {
                202 => body.clear(),
                503 => return Ok(()),
                other => bail!("{other}: {}", String::from_utf8_lossy(&answer.body)),
            }
        }
    }
    Ok(())
}

fn journal_bytes(server: &Server) -> anyhow::Result<u64> {
    let metrics = String::from_utf8(server.get("/metrics")?.body)?;
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("showreport_journal_waiting_bytes "));
    line.context("find the journal's bytes")?
        .trim()
        .parse()
        .context("read the journal's bytes")
}

fn wait_until_ready(server: &Server) -> anyhow::Result<()> {
    while server.get("/readyz")?.status != 200 {
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
