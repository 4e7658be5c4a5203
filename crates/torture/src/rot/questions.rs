//! What is asked of a data directory, and what it answered.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::base::{BULK_TYPE, EVENTS};
use showreport_testkit::{Answer, Connection, Server, head};

const CREATE: &str = "/bv/analytics/v1/events/reports";
const BATCH_GET: &str = "/bv/analytics/v1/events/reports:batch-get";
const ASK_EVERY: Duration = Duration::from_millis(5);
/// Longer than any of these reports takes on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

const GROUPINGS: [(&str, &[&str]); 6] = [
    ("WATCH_TIME", &[]),
    ("WATCH_TIME", &["CUSTOMER_ID", "DEVICE_OS"]),
    ("CHAT_HISTORIES", &[]),
    ("POLL_SUMMARIES", &[]),
    ("POLL_VOTES", &[]),
    ("WATCH_TIME", &["WATCH_TIMESTAMP"]),
];

/// An answer: bytes, or the words of a refusal.
pub(super) type Answered = Result<Vec<u8>, String>;

/// Everything that is asked, in a fixed order, with a name each.
/// Each new report is waited for so long.
pub(super) fn ask(server: &Server, base: &Known, patience: Duration) -> Vec<(String, Answered)> {
    let mut answers = Vec::new();
    for event in EVENTS {
        answers.extend(new_reports(server, event, patience));
    }
    for report in &base.reports {
        for variant in ["", "?variant=raw"] {
            let name = format!("report {report}{variant}");
            answers.push((name, old_report(server, report, variant)));
        }
    }
    answers.push(("list of bulk reports".to_owned(), bulk_list(server, base)));
    for report in &base.bulk {
        let name = format!("bulk report {}", report.id);
        answers.push((name, get(server, &report.media)));
    }
    for event in EVENTS {
        for path in [
            format!("/api/v1/events/{event}"),
            format!("/api/v1/events/{event}/figures"),
        ] {
            let answer = get(server, &path);
            answers.push((path, answer));
        }
    }
    answers
}

/// What the undamaged directory holds already.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// Ids of finished reports.
    pub(super) reports: Vec<String>,
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
fn new_reports(server: &Server, event: &str, patience: Duration) -> Vec<(String, Answered)> {
    let names = GROUPINGS.map(|(dimension, fields)| format!("new {event} {dimension} {fields:?}"));
    let each = |answered: Answered| names.clone().map(|name| (name, answered.clone())).to_vec();
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
    let made = match post(server, CREATE, &order) {
        Ok(made) => made,
        Err(refusal) => return each(Err(refusal)),
    };
    let ids = made["reports"].as_array().cloned().unwrap_or_default();
    if ids.len() != names.len() {
        return each(Err(format!("other reports than were asked for: {made}")));
    }
    let files = ids
        .iter()
        .map(|report| finished(server, report["id"].as_str().unwrap_or(""), patience));
    names.into_iter().zip(files).collect()
}

/// Waits for a report and fetches its file.
fn finished(server: &Server, id: &str, patience: Duration) -> Answered {
    let begun = Instant::now();
    loop {
        let report = report(server, id)?;
        match report["status"].as_str() {
            Some("EVENT_REPORT_STATUS_RUNNING") if begun.elapsed() < patience => {
                std::thread::sleep(ASK_EVERY);
            }
            Some("EVENT_REPORT_STATUS_SUCCEEDED") => return fetch(server, &report, ""),
            _ => return Err(report.to_string()),
        }
    }
}

fn old_report(server: &Server, id: &str, variant: &str) -> Answered {
    fetch(server, &report(server, id)?, variant)
}

fn report(server: &Server, id: &str) -> Result<Value, String> {
    let answer = post(server, BATCH_GET, &json!({"reports": [{"id": id}]}))?;
    Ok(answer["reports"][0].clone())
}

fn fetch(server: &Server, report: &Value, variant: &str) -> Answered {
    let uri = report["uri"].as_str().ok_or_else(|| report.to_string())?;
    let path = uri
        .splitn(4, '/')
        .nth(3)
        .ok_or_else(|| report.to_string())?;
    get(server, &format!("/{path}{variant}"))
}

/// What is listed of the reports that were there before; new ones may come at any time.
fn bulk_list(server: &Server, base: &Known) -> Answered {
    let listed = list(server, &base.job)?;
    let found = base.bulk.iter().map(|known| {
        let entry = listed.iter().find(|entry| entry["id"] == known.id.as_str());
        entry.map(|entry| (entry["startTime"].clone(), entry["sha256"].clone()))
    });
    Ok(format!("{:?}", found.collect::<Vec<_>>()).into_bytes())
}

fn list(server: &Server, job: &str) -> Result<Vec<Value>, String> {
    let answer = get(server, &format!("/v1/jobs/{job}/reports?pageSize=1000"))?;
    let answer: Value = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
    Ok(answer["reports"].as_array().cloned().unwrap_or_default())
}

/// Has a report job made, and waits for reports of so many days.
pub(super) fn make_bulk(server: &Server, days: usize) -> anyhow::Result<Known> {
    let order = json!({"reportTypeId": BULK_TYPE, "name": "rot"});
    let job = post(server, "/v1/jobs", &order).map_err(anyhow::Error::msg)?;
    let job = job["id"].as_str().context("no id of the job")?.to_owned();
    let begun = Instant::now();
    loop {
        let listed = list(server, &job).map_err(anyhow::Error::msg)?;
        if listed.len() >= days {
            let bulk = listed.iter().map(|entry| {
                let url = entry["downloadUrl"]
                    .as_str()
                    .context("no address of a file")?;
                let media = url
                    .splitn(4, '/')
                    .nth(3)
                    .context("an address without a path")?;
                Ok(BulkReport {
                    id: entry["id"]
                        .as_str()
                        .context("no id of a report")?
                        .to_owned(),
                    media: format!("/{media}"),
                })
            });
            return Ok(Known {
                reports: Vec::new(),
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

/// Orders reports in every form and gives their ids once they are finished.
pub(super) fn make_reports(server: &Server) -> anyhow::Result<Vec<String>> {
    let conditions = ["csv", "ndjson", "parquet", "xlsx"]
        .map(|format| json!({"dimension": "REPORT_DIMENSION_CHAT_HISTORIES", "format": format}));
    let order = json!({
        "id": EVENTS[0],
        "type": "EVENT_TYPE_LIVE",
        "dimension_with_conditions": conditions,
    });
    let made = post(server, CREATE, &order).map_err(anyhow::Error::msg)?;
    let ids = made["reports"].as_array().context("no reports")?.iter();
    let ids = ids.map(|report| Ok(report["id"].as_str().context("no id")?.to_owned()));
    let ids: Vec<String> = ids.collect::<anyhow::Result<_>>()?;
    for id in &ids {
        finished(server, id, PATIENCE).map_err(anyhow::Error::msg)?;
    }
    Ok(ids)
}

/// Asks for an event's figures, for which everything collected of it goes to the lake.
pub(super) fn flush(server: &Server, event: &str) -> anyhow::Result<()> {
    let figures = get(server, &format!("/api/v1/events/{event}/figures"));
    figures.map(drop).map_err(anyhow::Error::msg)
}

/// Sends records.
pub(super) fn collect(server: &Server, records: &str) -> anyhow::Result<()> {
    let head = head("POST", "/collect", &server.token, records.len());
    let answer = server
        .connect()?
        .send(head.as_bytes(), records.as_bytes())?;
    anyhow::ensure!(
        answer.status == 202,
        "records were answered {}: {}",
        answer.status,
        String::from_utf8_lossy(&answer.body)
    );
    Ok(())
}

fn post(server: &Server, path: &str, question: &Value) -> Result<Value, String> {
    let body = question.to_string();
    let head = head("POST", path, &server.token, body.len());
    let send = |mut connection: Connection| connection.send(head.as_bytes(), body.as_bytes());
    let bytes = answered(server.connect().and_then(send))?;
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}

fn get(server: &Server, path: &str) -> Answered {
    answered(server.get(path))
}

fn answered(answer: anyhow::Result<Answer>) -> Answered {
    match answer {
        Ok(Answer { status, body, .. }) if status < 300 => Ok(body),
        Ok(Answer { status, body, .. }) => {
            Err(format!("{status} {}", String::from_utf8_lossy(&body)))
        }
        Err(error) => Err(format!("{error:#}")),
    }
}
