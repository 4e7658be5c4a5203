//! `showreport import`: writes files of records to the lake, without the journal.

mod source;
mod wide;
mod content;
mod outcome;
mod gather;
mod reader;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use indicatif::{ProgressBar, ProgressStyle};
use showreport_lake::Lake;
use showreport_meta::{Meta, TokenSecret};
use showreport_model::facts::Collected;
use showreport_model::{EventId, OrgId};
use showreport_origins::Origins;
use showreport_records::Verifier;
use tokio::sync::mpsc;

use super::lookup::zone_of;
use super::output::{Usage, counted, print_line};
use crate::wiring::{DataDir, RegionArgs, open_lake, open_meta};
use gather::Gatherer;
use outcome::Outcome;
use reader::Reader;
use source::{Source, named};

/// Loads files of records
///
/// A file is NDJSON, one record a line, or CSV with a header of field names. It may be compressed
/// with gzip, zstd or brotli, and be UTF-8 or UTF-16. Loading a file twice changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Import {
    /// Files: .ndjson, .jsonl or .csv, also with .gz, .zst or .br; `-` is NDJSON from stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Organisation of the records
    #[arg(long, value_name = "ORG")]
    org: OrgId,

    /// Event of records without `event_id`
    #[arg(long, value_name = "ID")]
    event: Option<EventId>,

    #[command(flatten)]
    regions: RegionArgs,
}

const EXAMPLES: &str = "\
Examples:
  showreport import keynote.ndjson --org acme
  showreport import 2026-*.ndjson.gz chat.jsonl.zst votes.csv --org acme
  zcat old.ndjson.gz | grep '\"playback\"' | showreport import - --org acme --event keynote

Records have the fields of `POST /collect`. A CSV file needs a column `type`. A cell of a list is
a JSON array, and columns that are not fields of records are ignored. Good records are loaded. Bad
ones are counted, and the first ten are reported on stderr with file and line. The exit code is 1 if
any record is rejected or a file has no record. A server may run at the same time, and reports that
are made afterwards include the records. After an interruption or a failure, run the command again:
records that were loaded before are not counted twice.";

impl Import {
    pub(super) async fn run(self, data_dir: &Path) -> anyhow::Result<ExitCode> {
        let sources = self
            .files
            .iter()
            .map(|path| source(path))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let names: Vec<PathBuf> = sources.iter().map(|it| it.name().to_owned()).collect();
        let origins = self.regions.open()?;
        let directory = DataDir::existing(data_dir)?;
        let meta = open_meta(&directory).await?;
        let outcome = Box::pin(self.load(&directory, &meta, origins, sources)).await;
        meta.close().await;
        let outcome = outcome?;
        outcome.report(&names);
        print_line(format_args!(
            "accepted {} {}, rejected {}",
            outcome.accepted,
            if outcome.accepted == 1 {
                "record"
            } else {
                "records"
            },
            outcome.rejected
        ))?;
        Ok(ExitCode::from(u8::from(!outcome.is_clean(&names))))
    }

    async fn load(
        self,
        directory: &DataDir,
        meta: &Meta,
        origins: Origins,
        sources: Vec<Source>,
    ) -> anyhow::Result<Outcome> {
        zone_of(meta, &self.org).await?;
        let lake = open_lake(directory, meta).await?;
        let progress = progress_bar(&sources);
        let (groups, loaded) = mpsc::channel(1);
        let gatherer = Gatherer::new(&self.org, groups);
        let reader = Reader {
            event: self.event,
            viewer_tokens: Arc::new(verifier(meta, &self.org).await?),
            clock: meta.clock().clone(),
            origins,
        };
        let bar = progress.clone();
        let reading = tokio::task::spawn_blocking(move || reader.read_all(sources, gatherer, &bar));
        let loading = load_groups(&lake, &self.org, loaded).await;
        // A load that fails closes the channel, which ends the reading.
        let outcome = reading.await.context("read the files")?;
        progress.finish_and_clear();
        let records = loading?;
        outcome.map_err(|error| {
            anyhow!(
                "{error:#}; loaded before: {}; loading them again changes nothing",
                counted(records, "record")
            )
        })
    }
}

/// Verifies the viewer tokens of records that have one. A file needs none.
async fn verifier(meta: &Meta, org: &OrgId) -> anyhow::Result<Verifier> {
    let keys = meta.viewer_keys(org).await;
    let keys = keys.context("read the secrets of viewer tokens")?;
    let secrets = keys.secrets(meta.clock().now()).map(TokenSecret::expose);
    Ok(Verifier::new(secrets))
}

async fn load_groups(
    lake: &Lake,
    org: &OrgId,
    mut groups: mpsc::Receiver<Vec<Collected>>,
) -> anyhow::Result<u64> {
    let mut records = 0;
    while let Some(group) = groups.recv().await {
        let events = group
            .iter()
            .map(|part| part.registrations.len() + part.touched.len());
        let is_long = events.sum::<usize>() > EVENTS_WITHOUT_PAUSE;
        lake.load(org, &group).await.with_context(|| {
            format!(
                "load records; loaded before them: {}; it can be run again",
                counted(records, "record")
            )
        })?;
        records += group.iter().map(|part| part.records as u64).sum::<u64>();
        if is_long {
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(records)
}

/// The most events of a group after which there is no pause. Writing their rows takes so little
/// time that a server is not delayed.
const EVENTS_WITHOUT_PAUSE: usize = 1_000;

/// The pause between two groups of many events, in which other processes can write to the database.
/// `SQLite` has no queue: a process that waits tries again after up to 100 ms, so a shorter pause
/// could be missed.
const PAUSE: Duration = Duration::from_millis(120);

/// Opens the file, so that a missing one is reported before anything is loaded.
fn source(path: &Path) -> anyhow::Result<Source> {
    let name = path.to_string_lossy();
    if name == "-" {
        return Ok(Source::stdin());
    }
    let Some((format, compression)) = named(&name) else {
        return Err(Usage(format!(
            "{name} does not have the name of a file of records; such names end in .ndjson, .jsonl or \
             .csv, those of compressed files also in .gz, .zst or .br; `-` is stdin"
        ))
        .into());
    };
    Source::open(path, format, compression).with_context(|| format!("open {name}"))
}

/// A progress bar over the bytes of all files. It is shown only on a terminal.
fn progress_bar(sources: &[Source]) -> ProgressBar {
    let bytes: Option<u64> = sources.iter().map(Source::size_bytes).sum();
    let (bar, template) = match bytes {
        Some(bytes) => (
            ProgressBar::new(bytes),
            "{bar:40} {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left  {wide_msg}",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{spinner} {bytes}  {bytes_per_sec}  {wide_msg}",
        ),
    };
    bar.with_style(ProgressStyle::with_template(template).expect("the template is valid"))
}
