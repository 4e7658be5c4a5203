//! A data directory with facts of every kind, and the responses of a server on it without damage.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::queries::{self, Reports, Responded};
use crate::installation::Installation;
use crate::scenario::Setting;
use showreport_testkit::{Client, DAY_MS, Product, Random, Server, now_ms, output};

pub(super) const EVENTS: [&str; 2] = ["keynote", "workshop"];
pub(super) const BULK_TYPE: &str = "event_customers_a1";

/// Facts stay in the journal until a report flushes them.
pub(super) const NO_FLUSH: [&str; 2] = ["--flush-after", "1d"];

/// Days before today that have facts, each with a bulk report.
const DAYS: u64 = 3;

/// With fewer rounds the data directory has no checkpoint and no compacted file, which take
/// minutes.
const ROUNDS_FOR_ALL: u64 = 100;

/// Longer than it takes until the log of a table has a checkpoint.
const CHECKPOINT_WITHIN: Duration = Duration::from_mins(10);

/// Entries of the folder of a vacuumed table, its log among them; and how soon it is vacuumed.
const FILES_FEW: usize = 12;
const VACUUMED_WITHIN: Duration = Duration::from_mins(1);

pub(super) struct Base {
    pub(super) binary: PathBuf,
    /// The folder of the copies.
    pub(super) folder: PathBuf,
    pub(super) token: String,
    /// As a killed server leaves it: the database's log holds pages.
    pub(super) killed: State,
    /// As a stopped server leaves it: the log is empty.
    pub(super) stopped: State,
}

/// A data directory, the reports in it, and the right responses.
pub(super) struct State {
    pub(super) directory: PathBuf,
    pub(super) reports: Reports,
    pub(super) responses: Vec<(String, Responded)>,
}

impl Base {
    pub(super) fn make(setting: &Setting) -> anyhow::Result<Self> {
        let mut random = setting.random.clone();
        let killed = setting.folder.join("killed");
        let product = Product::fresh(&setting.binary, killed.clone())?;
        let token = product.token()?;
        let has_all = setting.rounds >= ROUNDS_FOR_ALL;
        let reports = fill(&product, &token, has_all, &mut random)?;

        let stopped = setting.folder.join("stopped");
        copy(&killed, &stopped)?;
        let product = Product {
            binary: setting.binary.clone(),
            data_dir: stopped.clone(),
        };
        Server::start_with(&product, token.clone(), &NO_FLUSH)?.stop()?;
        let mut base = Self {
            binary: setting.binary.clone(),
            folder: setting.folder.clone(),
            token,
            killed: State::new(killed, &reports),
            stopped: State::new(stopped, &reports),
        };
        base.killed.responses = base.truth(&base.killed)?;
        base.stopped.responses = base.truth(&base.stopped)?;
        Ok(base)
    }

    fn truth(&self, state: &State) -> anyhow::Result<Vec<(String, Responded)>> {
        let product = self.copy_of(state, "undamaged")?;
        let server = Server::start_with(&product, self.token.clone(), &NO_FLUSH)?;
        let client = &server.client;
        let responses = queries::send_all(client, &state.reports, queries::MADE_WITHIN);
        for (name, response) in &responses {
            ensure!(
                response.is_ok(),
                "without damage, {name} was answered {response:?}"
            );
        }
        Ok(responses)
    }

    /// A copy of this name, to damage.
    pub(super) fn copy_of(&self, state: &State, name: &str) -> anyhow::Result<Product> {
        let data_dir = self.folder.join(name);
        copy(&state.directory, &data_dir)?;
        Ok(Product {
            binary: self.binary.clone(),
            data_dir,
        })
    }
}

impl State {
    fn new(directory: PathBuf, reports: &Reports) -> Self {
        Self {
            directory,
            reports: reports.clone(),
            responses: Vec::new(),
        }
    }
}

/// Fills a data directory and leaves it as a killed server does.
fn fill(
    product: &Product,
    token: &str,
    has_all: bool,
    random: &mut Random,
) -> anyhow::Result<Reports> {
    let now_ms = now_ms();
    let server = Server::start_with(product, token.to_owned(), &["--flush-after", "1ms"])?;
    for day in 1..=DAYS {
        server
            .client
            .collect(show(now_ms - day * DAY_MS, day, random))?;
    }
    if has_all {
        make_checkpoint(&server.client, product, now_ms - DAY_MS, random)?;
        server.wait_until_compacted(&product.database_log())?;
    }
    server.stop()?;
    if has_all {
        vacuum(product, token).context("vacuum the compacted files")?;
    }

    let server = Server::start_with(product, token.to_owned(), &NO_FLUSH)?;
    for event in EVENTS {
        queries::flush(&server.client, event)?;
    }
    let mut reports = queries::make_bulk(&server.client, usize::try_from(DAYS)?)?;
    reports.of_events = queries::make_reports(&server.client)?;
    // These stay in the journal. They are of today, which has no bulk report yet.
    for number in 0..20 {
        let record = playback(
            EVENTS[number % 2],
            1_000 + number as u64,
            now_ms - 60_000,
            random,
        );
        server.client.collect(record)?;
    }
    drop(server);
    Ok(reports)
}

/// Makes small commits until the log of a table has a checkpoint, from which readers begin.
fn make_checkpoint(
    client: &Client,
    product: &Product,
    at_ms: u64,
    random: &mut Random,
) -> anyhow::Result<()> {
    let log = product.data_dir.join("store/lake/spans/_delta_log");
    let begun = Instant::now();
    let mut number = 0;
    while !log.join("_last_checkpoint").exists() {
        ensure!(
            begun.elapsed() < CHECKPOINT_WITHIN,
            "the log has no checkpoint"
        );
        client.collect(playback(EVENTS[0], number, at_ms, random))?;
        queries::flush(client, EVENTS[0])?;
        number += 1;
    }
    Ok(())
}

/// Removes the files that no version needs. Nearly all files are such, and their bits are never
/// read.
fn vacuum(product: &Product, token: &str) -> anyhow::Result<()> {
    let files = product.data_dir.join("store/lake/spans");
    let log = product.log();
    let installation = Installation::over(product.clone(), token.to_owned(), log)?;
    let server = installation.start_well("hurry=return;vacuum-from-ahead=return", &NO_FLUSH)?;
    let begun = Instant::now();
    while fs::read_dir(&files)?.count() >= FILES_FEW {
        ensure!(
            begun.elapsed() < VACUUMED_WITHIN,
            "the files are still there"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    server.stop()
}

/// The records of both events on a day.
fn show(at_ms: u64, day: u64, random: &mut Random) -> String {
    let mut records = String::new();
    for event in EVENTS {
        let line = &mut records;
        for viewer in 0..200 {
            line.push_str(&playback(event, day * 10_000 + viewer, at_ms, random));
            line.push('\n');
        }
        for message in 0..60 {
            let sent_at = at_ms + random.u64(..600_000);
            let customer = random.u64(..200);
            let _ = writeln!(
                line,
                r#"{{"type":"chat","event_id":"{event}","message_id":"m{day}-{message}","sent_at":{sent_at},"customer_id":"customer-{customer}","text":"=hello {} from {customer}"}}"#,
                random.u64(..)
            );
        }
        let _ = writeln!(
            line,
            r#"{{"type":"event","event_id":"{event}","kind":"live","title":"The {event}","starts_at":{at_ms},"updated_at":{at_ms}}}"#
        );
        let _ = writeln!(
            line,
            r#"{{"type":"poll","event_id":"{event}","poll_id":"q{day}","question":"How many?","choice":"single","status":"active","options":[{{"id":"a","text":"one"}},{{"id":"b","text":"two"}},{{"id":"c","text":"three"}}]}}"#
        );
        for vote in 0..60 {
            let option = ["a", "b", "c"][random.usize(..3)];
            let voted_at = at_ms + random.u64(..600_000);
            let _ = writeln!(
                line,
                r#"{{"type":"vote","event_id":"{event}","poll_id":"q{day}","option_ids":["{option}"],"voted_at":{voted_at},"customer_id":"customer-{vote}"}}"#
            );
        }
    }
    records
}

fn playback(event: &str, number: u64, at_ms: u64, random: &mut Random) -> String {
    let from = at_ms - random.u64(..30_000);
    let to = from + 1 + random.u64(..30_000);
    let customer = random.u64(..200);
    let os = ["iOS", "Android", "macOS"][random.usize(..3)];
    format!(
        r#"{{"type":"playback","event_id":"{event}","playback_id":"view-{number}-{:x}","customer_id":"customer-{customer}","device_id":"device-{customer}","device_os":"{os}","geo_region":"TW","from":{from},"to":{to}}}"#,
        random.u64(..)
    )
}

/// Replaces the directory `to` by a copy of `from`.
pub(super) fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    if to.exists() {
        fs::remove_dir_all(to).context("remove the last copy")?;
    }
    output(Command::new("cp").arg("-a").arg(from).arg(to)).map(drop)
}
