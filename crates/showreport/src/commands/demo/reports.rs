//! Every report of the show: asked for, waited for, fetched and checked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use showreport_model::Timestamp;

use super::client::{Client, sha256_of};
use super::send::bar;
use super::wanted::{Report, WANTED, Wanted};
use crate::simulation::{Program, Show};
use crate::wiring::DataDir;

const CREATE: &str = "/bv/analytics/v1/events/reports";
const BATCH_GET: &str = "/bv/analytics/v1/events/reports:batch-get";

/// How often we look whether the reports are made.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A file that was fetched and found whole.
#[derive(Debug)]
pub(super) struct ReportFile {
    pub(super) wanted: &'static Wanted,
    pub(super) path: PathBuf,
    pub(super) rows: u64,
    pub(super) size_bytes: u64,
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
    show: Show,
    (since, now): (Timestamp, Timestamp),
) -> anyhow::Result<Vec<ReportFile>> {
    let mut asked: Vec<&'static Wanted> = Vec::new();
    let mut ids = Vec::new();
    for program in [Program::Live, Program::Recording] {
        let wanted: Vec<_> = WANTED.iter().filter(|it| it.program == program).collect();
        let event = show.event(program);
        ids.extend(find_or_create(client, (program, &event), &wanted, (since, now)).await?);
        asked.extend(wanted);
    }
    let reports = wait(client, &ids).await?;
    let bar = bar("fetching", reports.len() as u64);
    let mut files = Vec::new();
    for (wanted, report) in asked.into_iter().zip(&reports) {
        let folder = directory
            .make_private(&folder(show, wanted.program))
            .context("make the folder of the files")?;
        let path = folder.join(wanted.file_name());
        let file = fetch(client, wanted, report, path)
            .await
            .with_context(|| format!("fetch the file of report {}", report.id))?;
        files.push(file);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(files)
}

/// Where in the data directory the files of an event lie.
pub(super) fn folder(show: Show, program: Program) -> String {
    format!("reports/{}", show.event(program))
}

/// The ids of the wanted reports of an event, in their order.
async fn find_or_create(
    client: &Client,
    (program, event): (Program, &str),
    wanted: &[&Wanted],
    (since, now): (Timestamp, Timestamp),
) -> anyhow::Result<Vec<String>> {
    // The newest come first.
    let path = format!("/api/v1/reports?event_id={event}&page_size=1000");
    let known: Reports = read(client.get(&path).await?)?;
    let (usable, stale): (Vec<Report>, Vec<Report>) = known
        .reports
        .into_iter()
        .partition(|report| report.is_usable(since, now));
    let found: Vec<Option<&Report>> = wanted
        .iter()
        .map(|wanted| usable.iter().find(|report| wanted.is(report)))
        .collect();
    let missing: Vec<Value> = wanted
        .iter()
        .zip(&found)
        .filter(|(_, found)| found.is_none())
        .map(|(wanted, _)| wanted.entry())
        .collect();
    let mut created = Vec::new();
    if !missing.is_empty() {
        let body = json!({
            "id": event,
            "type": match program {
                Program::Live => "EVENT_TYPE_LIVE",
                Program::Recording => "EVENT_TYPE_VOD",
            },
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
async fn wait(client: &Client, ids: &[String]) -> anyhow::Result<Vec<Report>> {
    let bar = bar("making", 100 * ids.len() as u64);
    let body = json!({"reports": ids.iter().map(|id| json!({"id": id})).collect::<Vec<_>>()});
    loop {
        let answer: Reports = read(client.post(BATCH_GET, &body, None).await?)?;
        if let Some(failed) = answer.reports.iter().find(|report| report.is("FAILED")) {
            let why = failed.error_info.clone().unwrap_or_default();
            bail!("report {} failed: {why}", failed.id);
        }
        ensure!(
            answer.reports.iter().map(|report| &report.id).eq(ids),
            "asked for some reports and was told of others"
        );
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

fn read<T: serde::de::DeserializeOwned>(answer: Value) -> anyhow::Result<T> {
    serde_json::from_value(answer).context("read the server's answer about reports")
}
