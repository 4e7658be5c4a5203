//! A data directory with a bit of everything, and what it answers undisturbed.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::super::Torment;
use super::super::victim::House;
use super::questions::{self, Answered, Known};
use showreport_testkit::{Product, Random, Server, output};

pub(super) const EVENTS: [&str; 2] = ["keynote", "workshop"];
pub(super) const BULK_TYPE: &str = "event_customers_a1";

/// Nothing goes to the lake unless a report asks for it.
pub(super) const PATIENT: [&str; 2] = ["--flush-after", "1d"];

/// Days before today that have facts, each with a bulk report.
const DAYS: u64 = 3;
const DAY_MS: u64 = 86_400_000;

/// So few rounds are not worth the minutes that a checkpoint of a log and a merged file take.
const ROUNDS_FOR_ALL: u64 = 100;

/// Longer than the log of a table takes to have a checkpoint.
const CHECKPOINT_WITHIN: Duration = Duration::from_mins(10);

/// Files of a table that is cleared, its log among them; and how soon it is.
const FILES_FEW: usize = 12;
const CLEARED_WITHIN: Duration = Duration::from_mins(1);

pub(super) struct Base {
    pub(super) binary: PathBuf,
    /// Where rounds make their copies.
    pub(super) folder: PathBuf,
    pub(super) token: String,
    /// As a server that was killed leaves it: the database's log is full.
    pub(super) killed: State,
    /// As one that was stopped leaves it: the log is empty.
    pub(super) stopped: State,
}

/// A data directory, what is known to be in it, and its true answers.
pub(super) struct State {
    pub(super) directory: PathBuf,
    pub(super) known: Known,
    pub(super) answers: Vec<(String, Answered)>,
}

impl Base {
    pub(super) fn make(torment: &Torment) -> anyhow::Result<Self> {
        let mut random = torment.random.clone();
        let killed = torment.folder.join("killed");
        let product = Product::fresh(&torment.binary, killed.clone())?;
        let token = product.token()?;
        let has_all = torment.rounds >= ROUNDS_FOR_ALL;
        let known = fill(&product, &token, has_all, &mut random)?;

        let stopped = torment.folder.join("stopped");
        copy(&killed, &stopped)?;
        let product = Product {
            binary: torment.binary.clone(),
            data_dir: stopped.clone(),
        };
        Server::start_with(&product, token.clone(), &PATIENT)?.stop()?;
        let mut base = Self {
            binary: torment.binary.clone(),
            folder: torment.folder.clone(),
            token,
            killed: State::new(killed, &known),
            stopped: State::new(stopped, &known),
        };
        base.killed.answers = base.truth(&base.killed)?;
        base.stopped.answers = base.truth(&base.stopped)?;
        Ok(base)
    }

    fn truth(&self, state: &State) -> anyhow::Result<Vec<(String, Answered)>> {
        let product = self.copy_of(state, "undamaged")?;
        let server = Server::start_with(&product, self.token.clone(), &PATIENT)?;
        let answers = questions::ask(&server, &state.known, questions::PATIENCE);
        for (name, answer) in &answers {
            ensure!(
                answer.is_ok(),
                "undisturbed, {name} was answered {answer:?}"
            );
        }
        Ok(answers)
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
    fn new(directory: PathBuf, known: &Known) -> Self {
        Self {
            directory,
            known: known.clone(),
            answers: Vec::new(),
        }
    }
}

/// Fills a data directory and leaves it as a killed server does.
fn fill(
    product: &Product,
    token: &str,
    has_all: bool,
    random: &mut Random,
) -> anyhow::Result<Known> {
    let now_ms = now_ms()?;
    let server = Server::start_with(product, token.to_owned(), &["--flush-after", "1ms"])?;
    for day in 1..=DAYS {
        questions::collect(&server, &show(now_ms - day * DAY_MS, day, random))?;
    }
    if has_all {
        make_checkpoint(&server, product, now_ms - DAY_MS, random)?;
        server.wait_until_compacted(product)?;
    }
    server.stop()?;
    if has_all {
        clear_away(product, token).context("remove the files that were merged")?;
    }

    let server = Server::start_with(product, token.to_owned(), &PATIENT)?;
    for event in EVENTS {
        questions::flush(&server, event)?;
    }
    let mut known = questions::make_bulk(&server, usize::try_from(DAYS)?)?;
    known.reports = questions::make_reports(&server)?;
    // What is left in the journal is of today, which no bulk report is about yet.
    for number in 0..20 {
        let record = playback(
            EVENTS[number % 2],
            1_000 + number as u64,
            now_ms - 60_000,
            random,
        );
        questions::collect(&server, &record)?;
    }
    drop(server);
    Ok(known)
}

/// Makes small commits until the log of a table has a checkpoint, from which readers begin.
fn make_checkpoint(
    server: &Server,
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
        questions::collect(server, &playback(EVENTS[0], number, at_ms, random))?;
        questions::flush(server, EVENTS[0])?;
        number += 1;
    }
    Ok(())
}

/// Removes the files that no version names any more: a bit of those says nothing, and nearly all are such.
fn clear_away(product: &Product, token: &str) -> anyhow::Result<()> {
    let files = product.data_dir.join("store/lake/spans");
    let log = product.data_dir.with_extension("log");
    let house = House::over(product.clone(), token.to_owned(), log)?;
    let server = house.start_well("hurry=return;vacuum-from-ahead=return", &PATIENT)?;
    let begun = Instant::now();
    while fs::read_dir(&files)?.count() >= FILES_FEW {
        ensure!(begun.elapsed() < CLEARED_WITHIN, "they are still there");
        std::thread::sleep(Duration::from_millis(50));
    }
    server.stop()
}

fn now_ms() -> anyhow::Result<u64> {
    let seconds = output(Command::new("date").arg("+%s"))?;
    Ok(seconds.parse::<u64>().context("read the clock")? * 1_000)
}

/// What is said of both events on a day.
fn show(at_ms: u64, day: u64, random: &mut Random) -> String {
    let mut records = String::new();
    for event in EVENTS {
        let line = &mut records;
        for viewer in 0..200 {
            line.push_str(&playback(event, day * 10_000 + viewer, at_ms, random));
            line.push('\n');
        }
        for message in 0..60 {
            let sent_at = at_ms + random.below(600_000);
            let customer = random.below(200);
            let _ = writeln!(
                line,
                r#"{{"type":"chat","event_id":"{event}","message_id":"m{day}-{message}","sent_at":{sent_at},"customer_id":"customer-{customer}","text":"=hello {} from {customer}"}}"#,
                random.next()
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
            let option = ["a", "b", "c"][usize::try_from(random.below(3)).unwrap_or(0)];
            let voted_at = at_ms + random.below(600_000);
            let _ = writeln!(
                line,
                r#"{{"type":"vote","event_id":"{event}","poll_id":"q{day}","option_ids":["{option}"],"voted_at":{voted_at},"customer_id":"customer-{vote}"}}"#
            );
        }
    }
    records
}

fn playback(event: &str, number: u64, at_ms: u64, random: &mut Random) -> String {
    let from = at_ms - random.below(30_000);
    let to = from + 1 + random.below(30_000);
    let customer = random.below(200);
    let os = ["iOS", "Android", "macOS"][usize::try_from(random.below(3)).unwrap_or(0)];
    format!(
        r#"{{"type":"playback","event_id":"{event}","playback_id":"view-{number}-{:x}","customer_id":"customer-{customer}","device_id":"device-{customer}","device_os":"{os}","geo_region":"TW","from":{from},"to":{to}}}"#,
        random.next()
    )
}

/// A copy of a directory in the place of whatever was there.
pub(super) fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    if to.exists() {
        fs::remove_dir_all(to).context("remove the last copy")?;
    }
    output(Command::new("cp").arg("-a").arg(from).arg(to)).map(drop)
}
