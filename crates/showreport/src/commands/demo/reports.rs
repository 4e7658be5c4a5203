//! Requests every report of the show, waits for them, downloads the files and checks them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use showreport_model::Timestamp;

use super::client::{Client, sha256_of};
use super::requests::{REQUESTS, Report, ReportRequest};
use super::send::bar;
use crate::simulation::{Program, Show};
use crate::wiring::DataDir;

const CREATE: &str = "/bv/analytics/v1/events/reports";
const BATCH_GET: &str = "/bv/analytics/v1/events/reports:batch-get";

/// Pause between two requests for the status of the reports.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// A downloaded file with the right checksum.
#[derive(Debug)]
pub(super) struct ReportFile {
    pub(super) request: &'static ReportRequest,
    pub(super) path: PathBuf,
    pub(super) rows: u64,
    pub(super) size_bytes: u64,
}

/// The rows of the first report that is wanted, read from its file.
pub(super) fn rows_of<T: DeserializeOwned>(
    files: &[ReportFile],
    is_wanted: fn(&ReportRequest) -> bool,
) -> anyhow::Result<Vec<T>> {
    let file = files.iter().find(|file| is_wanted(file.request));
    let file = file.context("the report was not requested")?;
    let rows = csv::Reader::from_path(&file.path)?.into_deserialize();
    Ok(rows.collect::<Result<_, _>>()?)
}

#[derive(Debug, Deserialize)]
struct Reports {
    reports: Vec<Report>,
}

/// Requests the reports that do not exist yet, waits for all and downloads their files.
///
/// Reports created before `since` may lack records of the show and are not used.
pub(super) async fn make_reports(
    client: &Client,
    directory: &DataDir,
    show: Show,
    since: Timestamp,
    now: Timestamp,
) -> anyhow::Result<Vec<ReportFile>> {
    let mut requests: Vec<&'static ReportRequest> = Vec::new();
    let mut ids = Vec::new();
    for program in [Program::Live, Program::Recording] {
        let all = REQUESTS.iter();
        let of_program: Vec<_> = all.filter(|it| it.program == program).collect();
        let event = show.event(program);
        ids.extend(find_or_create(client, program, &event, &of_program, since, now).await?);
        requests.extend(of_program);
    }
    let reports = wait(client, &ids).await?;
    let bar = bar("fetching", reports.len() as u64);
    let mut files = Vec::new();
    for (request, report) in requests.into_iter().zip(&reports) {
        let folder = directory
            .make_private(&folder(show, request.program))
            .context("create the directory of the files")?;
        let path = folder.join(request.file_name());
        let file = download(client, request, report, path)
            .await
            .with_context(|| format!("download the file of report {}", report.id))?;
        files.push(file);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(files)
}

/// The directory of an event's files, relative to the data directory.
pub(super) fn folder(show: Show, program: Program) -> String {
    format!("reports/{}", show.event(program))
}

/// The ids of the requested reports of an event, in the order of the requests.
async fn find_or_create(
    client: &Client,
    program: Program,
    event: &str,
    requests: &[&ReportRequest],
    since: Timestamp,
    now: Timestamp,
) -> anyhow::Result<Vec<String>> {
    // The list has the newest reports first.
    let path = format!("/api/v1/reports?event_id={event}&page_size=1000");
    let existing: Reports = read(client.get(&path).await?)?;
    let (usable, stale): (Vec<Report>, Vec<Report>) = existing
        .reports
        .into_iter()
        .partition(|report| report.is_usable(since, now));
    let found: Vec<Option<&Report>> = requests
        .iter()
        .map(|request| usable.iter().find(|report| request.matches(report)))
        .collect();
    let missing: Vec<Value> = requests
        .iter()
        .zip(&found)
        .filter(|(_, found)| found.is_none())
        .map(|(request, _)| request.entry())
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
        // The key makes an interrupted demo get the same reports when it repeats the request. It
        // holds the ids of unusable reports, so that new reports replace them.
        let stale: Vec<&str> = stale.iter().map(|report| report.id.as_str()).collect();
        let key = sha256_of(&format!("{body} {since} {stale:?}"));
        let answer = client
            .post(CREATE, &body, Some(&format!("demo-{key}")))
            .await?;
        created = read::<Reports>(answer)?.reports;
        ensure!(
            created.len() == missing.len(),
            "requested {} reports and received {}",
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
                .context("a report is missing in the response")
        })
        .collect()
}

/// Waits until every report has succeeded.
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
            "the response holds other reports than the requested ones"
        );
        bar.set_position(answer.reports.iter().map(Report::percent).sum());
        if answer.reports.iter().all(|report| report.is("SUCCEEDED")) {
            bar.finish_and_clear();
            return Ok(answer.reports);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

async fn download(
    client: &Client,
    request: &'static ReportRequest,
    report: &Report,
    path: PathBuf,
) -> anyhow::Result<ReportFile> {
    let link = report.uri.as_deref().context("the report has no link")?;
    let download = client.download(link, &path).await?;
    ensure!(
        report.sha256.as_deref() == Some(download.sha256.as_str()),
        "the file has the SHA-256 {}, the report says {:?}",
        download.sha256,
        report.sha256
    );
    let rows = report.row_count.context("the report has no row count")?;
    if request.format == "csv" {
        let counted = count_rows(&path)?;
        ensure!(
            counted == rows,
            "the file has {counted} rows, the report says {rows}"
        );
    }
    Ok(ReportFile {
        request,
        path,
        rows,
        size_bytes: download.size_bytes,
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
    serde_json::from_value(answer).context("read the response about reports")
}
