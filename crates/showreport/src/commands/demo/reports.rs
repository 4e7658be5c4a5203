//! Every report of the show: asked for, waited for, fetched and checked.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use indicatif::MultiProgress;
use serde::Deserialize;
use serde_json::{Value, json};
use showreport_model::Timestamp;

use super::client::{Client, sha256_of};
use super::send::progress_bar;
use crate::simulation::EVENT;
use crate::wiring::DataDir;

const CREATE: &str = "/bv/analytics/v1/events/reports";
const BATCH_GET: &str = "/bv/analytics/v1/events/reports:batch-get";

/// How often we look whether the reports are made.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A report that is asked for.
#[derive(Debug)]
struct Wanted {
    dimension: &'static str,
    group_by: &'static [&'static str],
    granularity_seconds: u32,
    format: &'static str,
}

const fn csv(dimension: &'static str, group_by: &'static [&'static str]) -> Wanted {
    Wanted {
        dimension,
        group_by,
        granularity_seconds: 60,
        format: "csv",
    }
}

const WANTED: [Wanted; 14] = [
    csv("WATCH_TIME", &[]),
    csv("WATCH_TIME", &["DEVICE_OS"]),
    csv("WATCH_TIME", &["GEO_REGION"]),
    csv("WATCH_TIME", &["CUSTOMER_ID"]),
    csv("WATCH_TIME", &["WATCH_TIMESTAMP"]),
    Wanted {
        granularity_seconds: 300,
        ..csv("WATCH_TIME", &["WATCH_TIMESTAMP", "DEVICE_OS"])
    },
    csv("CHAT_HISTORIES", &[]),
    csv("CHAT_HISTORIES", &["WATCH_TIMESTAMP"]),
    csv("POLL_SUMMARIES", &[]),
    csv("POLL_SUMMARIES", &["DEVICE_OS"]),
    csv("POLL_VOTES", &[]),
    csv("POLL_VOTES", &["GEO_REGION"]),
    Wanted {
        format: "parquet",
        ..csv("WATCH_TIME", &[])
    },
    Wanted {
        format: "xlsx",
        ..csv("POLL_SUMMARIES", &[])
    },
];

/// A file that was fetched and found whole.
#[derive(Debug)]
pub(super) struct ReportFile {
    wanted: &'static Wanted,
    pub(super) path: PathBuf,
    pub(super) rows: u64,
    pub(super) size_bytes: u64,
}

impl ReportFile {
    /// Whether it is the report with every option of every poll, as CSV.
    pub(super) fn holds_poll_results(&self) -> bool {
        let Wanted {
            dimension,
            group_by,
            format,
            ..
        } = *self.wanted;
        dimension == "POLL_SUMMARIES" && group_by.is_empty() && format == "csv"
    }

    /// What it is about, for a table.
    pub(super) fn title(&self) -> String {
        let mut title = self.wanted.dimension.to_lowercase().replace('_', " ");
        for (index, field) in self.wanted.group_by.iter().enumerate() {
            title.push_str(if index == 0 { " by " } else { ", " });
            title.push_str(&field.to_lowercase().replace('_', " "));
        }
        title
    }
}

/// A report as the server tells of it.
#[derive(Debug, Clone, Deserialize)]
struct Report {
    id: String,
    status: String,
    #[serde(default)]
    uri: Option<String>,
    #[serde(default)]
    error_info: Option<Value>,
    dimension_with_condition: Condition,
    #[serde(default)]
    row_count: Option<u64>,
    #[serde(default)]
    sha256: Option<String>,
    created_at: String,
    #[serde(default)]
    expires_at: Option<String>,
    #[serde(default)]
    progress_percent: Option<u64>,
}

#[derive(Debug, Clone, Deserialize)]
struct Condition {
    dimension: String,
    group_by_fields: Vec<String>,
    #[serde(default)]
    filter: Option<Filter>,
    #[serde(default)]
    granularity_seconds: Option<u32>,
    #[serde(default)]
    format: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Filter {
    #[serde(default)]
    start_time: Option<String>,
    #[serde(default)]
    end_time: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Reports {
    reports: Vec<Report>,
}

/// Asks for the reports that are not there yet, waits for all and fetches their files.
///
/// `(since, now)`: since when all that was sent is in new reports, and the present.
pub(super) async fn make_reports(
    client: &Client,
    directory: &DataDir,
    (since, now): (Timestamp, Timestamp),
    bars: &MultiProgress,
) -> anyhow::Result<Vec<ReportFile>> {
    let ids = find_or_create(client, since, now).await?;
    let reports = wait(client, &ids, bars).await?;
    let folder = directory
        .make_private("reports")
        .context("make the folder of the files")?;
    let bar = bars.add(progress_bar("fetching", reports.len() as u64));
    let mut names = BTreeSet::new();
    let mut files = Vec::new();
    for (wanted, report) in WANTED.iter().zip(&reports) {
        let path = folder.join(unique_name(report, &mut names)?);
        let file = fetch(client, wanted, report, path)
            .await
            .with_context(|| format!("fetch the file of report {}", report.id))?;
        files.push(file);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(files)
}

/// The ids of the wanted reports, in their order.
async fn find_or_create(
    client: &Client,
    since: Timestamp,
    now: Timestamp,
) -> anyhow::Result<Vec<String>> {
    // The newest come first.
    let path = format!("/api/v1/reports?event_id={EVENT}&page_size=1000");
    let known: Reports = read(client.get(&path).await?)?;
    let (usable, stale): (Vec<Report>, Vec<Report>) = known
        .reports
        .into_iter()
        .partition(|report| report.is_usable(since, now));
    let found: Vec<Option<&Report>> = WANTED
        .iter()
        .map(|wanted| usable.iter().find(|report| wanted.is(report)))
        .collect();
    let missing: Vec<Value> = WANTED
        .iter()
        .zip(&found)
        .filter(|(_, found)| found.is_none())
        .map(|(wanted, _)| wanted.entry())
        .collect();
    let mut created = Vec::new();
    if !missing.is_empty() {
        let body = json!({
            "id": EVENT,
            "type": "EVENT_TYPE_LIVE",
            "dimension_with_conditions": missing,
        });
        // An interrupted demo that asks once more gets the same reports; one
        // whose reports failed or whose files are gone gets new ones.
        let stale: Vec<&str> = stale.iter().map(|report| report.id.as_str()).collect();
        let key = sha256_of(&format!("{body} {since} {stale:?}"));
        let answer = client
            .post(CREATE, &body, Some(&format!("demo-{key}")))
            .await?;
        created = read::<Reports>(answer)?.reports;
        ensure!(
            created.len() == missing.len(),
            "asked for {} reports and was given {}",
            missing.len(),
            created.len()
        );
    }
    let mut created = created.into_iter();
    found
        .into_iter()
        .map(|found| found.cloned().or_else(|| created.next()))
        .map(|report| {
            report
                .map(|report| report.id)
                .context("a report is missing")
        })
        .collect()
}

/// Waits until every report is made.
async fn wait(
    client: &Client,
    ids: &[String],
    bars: &MultiProgress,
) -> anyhow::Result<Vec<Report>> {
    let bar = bars.add(progress_bar("making", 100 * ids.len() as u64));
    let body = json!({"reports": ids.iter().map(|id| json!({"id": id})).collect::<Vec<_>>()});
    loop {
        let answer: Reports = read(client.post(BATCH_GET, &body, None).await?)?;
        if let Some(failed) = answer.reports.iter().find(|report| report.is("FAILED")) {
            let why = failed.error_info.clone().unwrap_or_default();
            bail!("report {} failed: {why}", failed.id);
        }
        bar.set_position(answer.reports.iter().map(Report::percent).sum());
        if answer.reports.iter().all(|report| report.is("SUCCEEDED")) {
            bar.finish_and_clear();
            return Ok(answer.reports);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn fetch(
    client: &Client,
    wanted: &'static Wanted,
    report: &Report,
    path: PathBuf,
) -> anyhow::Result<ReportFile> {
    let link = report.uri.as_deref().context("it has no link")?;
    let fetched = client.fetch(link, &path).await?;
    ensure!(
        report.sha256.as_deref() == Some(fetched.sha256.as_str()),
        "it should have the SHA-256 {:?} and has {}",
        report.sha256,
        fetched.sha256
    );
    let rows = report.row_count.context("it has no row count")?;
    if wanted.format == "csv" {
        let counted = count_rows(&path)?;
        ensure!(
            counted == rows,
            "it should have {rows} rows and has {counted}"
        );
    }
    Ok(ReportFile {
        wanted,
        path,
        rows,
        size_bytes: fetched.size_bytes,
    })
}

fn count_rows(path: &Path) -> anyhow::Result<u64> {
    let mut rows = csv::Reader::from_path(path)?;
    let mut row = csv::ByteRecord::new();
    let mut count = 0;
    while rows.read_byte_record(&mut row)? {
        count += 1;
    }
    Ok(count)
}

/// The name that the server gives the file, told apart from those before it.
fn unique_name(report: &Report, names: &mut BTreeSet<String>) -> anyhow::Result<String> {
    let link = report.uri.as_deref().context("a report has no link")?;
    let name = link.rsplit('/').next().unwrap_or_default();
    let name = name.split('?').next().unwrap_or_default();
    ensure!(
        !name.is_empty() && !name.starts_with('.') && !name.contains('\\'),
        "the link of report {} ends in no file name",
        report.id
    );
    let mut unique = name.to_owned();
    for number in 2.. {
        if names.insert(unique.clone()) {
            break;
        }
        unique = format!("{number}-{name}");
    }
    Ok(unique)
}

impl Wanted {
    fn entry(&self) -> Value {
        json!({
            "dimension": self.dimension(),
            "group_by_fields": self.group_by_fields(),
            "granularity_seconds": self.granularity_seconds,
            "format": self.format,
        })
    }

    fn dimension(&self) -> String {
        format!("REPORT_DIMENSION_{}", self.dimension)
    }

    fn group_by_fields(&self) -> Vec<String> {
        let fields = self.group_by.iter();
        fields
            .map(|field| format!("GROUP_BY_FIELD_{field}"))
            .collect()
    }

    /// Whether the report answers this, over the whole event.
    fn is(&self, report: &Report) -> bool {
        let condition = &report.dimension_with_condition;
        condition.dimension == self.dimension()
            && condition.group_by_fields == self.group_by_fields()
            && condition.granularity_seconds == Some(self.granularity_seconds)
            && condition.format.as_deref() == Some(self.format)
            && condition.filter.as_ref().is_none_or(Filter::is_open)
    }
}

impl Report {
    /// Whether it is or will be there, with everything that was sent.
    fn is_usable(&self, since: Timestamp, now: Timestamp) -> bool {
        let holds_all = self
            .created_at
            .parse::<Timestamp>()
            .is_ok_and(|created_at| created_at >= since);
        // A file about to expire might be gone when it is fetched.
        let soon = now.saturating_add_millis(60_000);
        let is_kept = self.uri.as_deref().is_some_and(|uri| !uri.is_empty())
            && self
                .expires_at
                .as_deref()
                .and_then(|at| at.parse::<Timestamp>().ok())
                .is_some_and(|at| at > soon);
        holds_all && (self.is("RUNNING") || (self.is("SUCCEEDED") && is_kept))
    }

    fn is(&self, status: &str) -> bool {
        self.status.strip_prefix("EVENT_REPORT_STATUS_") == Some(status)
    }

    fn percent(&self) -> u64 {
        if self.is("SUCCEEDED") {
            100
        } else {
            self.progress_percent.unwrap_or(0)
        }
    }
}

impl Filter {
    fn is_open(&self) -> bool {
        let is_absent = |time: &Option<String>| time.as_deref().unwrap_or_default().is_empty();
        is_absent(&self.start_time) && is_absent(&self.end_time)
    }
}

fn read<T: serde::de::DeserializeOwned>(answer: Value) -> anyhow::Result<T> {
    serde_json::from_value(answer).context("read the server's answer about reports")
}
