//! Starting: how soon a server is ready that has many events and a full journal.

use std::fmt::Write;
use std::fs::File;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::figures::{Samples, Unit, bytes, thousands};
use super::http::head;
use super::run::{Run, Size};
use super::server::Server;
use super::show::Show;
use super::table::Table;

const READY_WITHIN: f64 = 2.0;

/// Events in one body.
const EVENTS_EACH: u64 = 1_000;

const BODY_BYTES: usize = 4 << 20;

pub(crate) fn run(run: &mut Run) -> anyhow::Result<()> {
    let (events, flags): (u64, &[&str]) = match run.size {
        Size::Full => (100_000, &[]),
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
    let (mut listening, mut ready) = (Vec::new(), Vec::new());
    let mut last = server;
    for _ in 0..run.pairs() {
        // Killed at once: what was in the journal still is.
        drop(last);
        let begun = Instant::now();
        last = Server::start(&product, flags)?;
        listening.push(last.listened_after.as_secs_f64());
        wait_until_ready(&last)?;
        // The token that `start` makes is no part of it.
        ready.push(begun.elapsed().as_secs_f64() - last.before.as_secs_f64());
        ensure!(
            journal_bytes(&last)? >= journal,
            "the journal lost something"
        );
    }
    let mut table = Table::new(
        "Starting",
        &["events", "in the journal", "what", "time", "aim"],
    )
    .note("The server was killed with a full journal, and the flush is held up meanwhile.");
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
    drop(lock);
    last.stop()
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
        .find_map(|line| line.strip_prefix("showreport_journal_bytes "));
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
