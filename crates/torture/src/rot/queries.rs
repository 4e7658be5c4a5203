//! The requests that each round sends, and their responses.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::base::{BULK_TYPE, EVENTS};
use showreport_testkit::{Client, Response, path_of};

use crate::audit::REPORTS;

const BATCH_GET: &str = "/bv/analytics/v1/events/reports:batch-get";
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Longer than any of these reports takes on a busy machine.
pub(super) const MADE_WITHIN: Duration = Duration::from_secs(20);

const GROUPINGS: [(&str, &[&str]); 6] = [
    ("WATCH_TIME", &[]),
    ("WATCH_TIME", &["CUSTOMER_ID", "DEVICE_OS"]),
    ("CHAT_HISTORIES", &[]),
    ("POLL_SUMMARIES", &[]),
    ("POLL_VOTES", &[]),
    ("WATCH_TIME", &["WATCH_TIMESTAMP"]),
];

/// The body of a success, or the text of a refusal.
pub(super) type Responded = Result<Vec<u8>, String>;

/// Sends all requests in a fixed order, and gives their names and responses. `within` is how long
/// each new report may take.
pub(super) fn send_all(
    client: &Client,
    known: &Reports,
    within: Duration,
) -> Vec<(String, Responded)> {
    let mut responses = Vec::new();
    for event in EVENTS {
        responses.extend(new_reports(client, event, within));
    }
    for report in &known.of_events {
        for variant in ["", "?variant=raw"] {
            let name = format!("report {report}{variant}");
            responses.push((name, old_report(client, report, variant)));
        }
    }
    responses.push(("list of bulk reports".to_owned(), bulk_list(client, known)));
    for report in &known.bulk {
        let name = format!("bulk report {}", report.id);
        responses.push((name, get(client, &report.media)));
    }
    for event in EVENTS {
        for path in [
            format!("/api/v1/events/{event}"),
            format!("/api/v1/events/{event}/figures"),
        ] {
            let response = get(client, &path);
            responses.push((path, response));
        }
    }
    responses
}

/// The reports that the data directory has before it is damaged.
#[derive(Debug, Clone, Default)]
pub(super) struct Reports {
    /// Ids of finished event reports.
    pub(super) of_events: Vec<String>,
    /// The report job.
    pub(super) job: String,
    pub(super) bulk: Vec<BulkReport>,
}

#[derive(Debug, Clone)]
pub(super) struct BulkReport {
    pub(super) id: String,
    /// The path of its file.
    pub(super) media: String,
}

/// Orders reports of an event, all at once, and waits for their files.
fn new_reports(client: &Client, event: &str, within: Duration) -> Vec<(String, Responded)> {
    let names = GROUPINGS.map(|(dimension, fields)| format!("new {event} {dimension} {fields:?}"));
    let each = |responded: Responded| names.clone().map(|name| (name, responded.clone())).to_vec();
    let conditions = GROUPINGS.map(|(dimension, fields)| {
        let fields = fields.iter().map(|field| format!("GROUP_BY_FIELD_{field}"));
        json!({
            "dimension": format!("REPORT_DIMENSION_{dimension}"),
            "group_by_fields": fields.collect::<Vec<_>>(),
        })
    });
    let order = json!({
        "id": event,
        "type": "EVENT_TYPE_LIVE",
        "dimension_with_conditions": conditions,
    });
    let made = match post(client, REPORTS, &order) {
        Ok(made) => made,
        Err(refusal) => return each(Err(refusal)),
    };
    let ids = made["reports"].as_array().cloned().unwrap_or_default();
    if ids.len() != names.len() {
        return each(Err(format!("other reports than were ordered: {made}")));
    }
    let files = ids
        .iter()
        .map(|report| finished(client, report["id"].as_str().unwrap_or(""), within));
    names.into_iter().zip(files).collect()
}

/// Waits for a report and fetches its file.
fn finished(client: &Client, id: &str, within: Duration) -> Responded {
    let begun = Instant::now();
    loop {
        let report = report(client, id)?;
        match report["status"].as_str() {
            Some("EVENT_REPORT_STATUS_RUNNING") if begun.elapsed() < within => {
                std::thread::sleep(LOOK_EVERY);
            }
            Some("EVENT_REPORT_STATUS_SUCCEEDED") => return fetch(client, &report, ""),
            _ => return Err(report.to_string()),
        }
    }
}

fn old_report(client: &Client, id: &str, variant: &str) -> Responded {
    fetch(client, &report(client, id)?, variant)
}

fn report(client: &Client, id: &str) -> Result<Value, String> {
    let response = post(client, BATCH_GET, &json!({"reports": [{"id": id}]}))?;
    Ok(response["reports"][0].clone())
}

fn fetch(client: &Client, report: &Value, variant: &str) -> Responded {
    let path = path_of(&report["uri"]).map_err(|_| report.to_string())?;
    get(client, &format!("{path}{variant}"))
}

/// The listed state of the reports that were there before; the schedule may add new ones at any
/// time.
fn bulk_list(client: &Client, known: &Reports) -> Responded {
    let listed = list(client, &known.job)?;
    let found = known.bulk.iter().map(|report| {
        let entry = listed
            .iter()
            .find(|entry| entry["id"] == report.id.as_str());
        entry.map(|entry| (entry["startTime"].clone(), entry["sha256"].clone()))
    });
    Ok(format!("{:?}", found.collect::<Vec<_>>()).into_bytes())
}

fn list(client: &Client, job: &str) -> Result<Vec<Value>, String> {
    let response = get(client, &format!("/v1/jobs/{job}/reports?pageSize=1000"))?;
    let response: Value = serde_json::from_slice(&response).map_err(|error| error.to_string())?;
    Ok(response["reports"].as_array().cloned().unwrap_or_default())
}

/// Makes a report job, and waits for its reports of this many days.
pub(super) fn make_bulk(client: &Client, days: usize) -> anyhow::Result<Reports> {
    let order = json!({"reportTypeId": BULK_TYPE, "name": "rot"});
    let job = post(client, "/v1/jobs", &order).map_err(anyhow::Error::msg)?;
    let job = job["id"].as_str().context("no id of the job")?.to_owned();
    let begun = Instant::now();
    loop {
        let listed = list(client, &job).map_err(anyhow::Error::msg)?;
        if listed.len() >= days {
            let bulk = listed.iter().map(|entry| {
                Ok(BulkReport {
                    id: entry["id"]
                        .as_str()
                        .context("no id of a report")?
                        .to_owned(),
                    media: path_of(&entry["downloadUrl"])?,
                })
            });
            return Ok(Reports {
                of_events: Vec::new(),
                job,
                bulk: bulk.collect::<anyhow::Result<_>>()?,
            });
        }
        if begun.elapsed() > Duration::from_mins(1) {
            bail!("only {} bulk reports were made", listed.len());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Makes reports in every output format; their ids.
pub(super) fn make_reports(client: &Client) -> anyhow::Result<Vec<String>> {
    let conditions = ["csv", "ndjson", "parquet", "xlsx"]
        .map(|format| json!({"dimension": "REPORT_DIMENSION_CHAT_HISTORIES", "format": format}));
    let order = json!({
        "id": EVENTS[0],
        "type": "EVENT_TYPE_LIVE",
        "dimension_with_conditions": conditions,
    });
    let made = post(client, REPORTS, &order).map_err(anyhow::Error::msg)?;
    let ids = made["reports"].as_array().context("no reports")?.iter();
    let ids = ids.map(|report| Ok(report["id"].as_str().context("no id")?.to_owned()));
    let ids: Vec<String> = ids.collect::<anyhow::Result<_>>()?;
    for id in &ids {
        finished(client, id, MADE_WITHIN).map_err(anyhow::Error::msg)?;
    }
    Ok(ids)
}

/// Reads an event's figures, which flushes its facts to the lake.
pub(super) fn flush(client: &Client, event: &str) -> anyhow::Result<()> {
    let figures = get(
        client,
        &format!("/api/v1/events/{event}/figures?fresh=true"),
    );
    figures.map(drop).map_err(anyhow::Error::msg)
}

fn post(client: &Client, path: &str, body: &Value) -> Result<Value, String> {
    let bytes = responded(client.send("POST", path, body.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}

fn get(client: &Client, path: &str) -> Responded {
    responded(client.get(path))
}

fn responded(response: anyhow::Result<Response>) -> Responded {
    match response {
        Ok(response) if response.status < 300 => Ok(response.body.into()),
        Ok(response) => Err(format!("{} {}", response.status, response.text())),
        Err(error) => Err(format!("{error:#}")),
    }
}
