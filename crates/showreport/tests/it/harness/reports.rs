//! Event reports from order to file, over HTTP.

use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::app::PUBLIC_URL;
use super::{Org, Response, TestApp};
use crate::oracle::{ReportSpec, rfc3339};

/// The path that creates reports.
pub(crate) const REPORTS: &str = "/bv/analytics/v1/events/reports";
/// The path that reads reports.
pub(crate) const BATCH_GET: &str = "/bv/analytics/v1/events/reports:batch-get";

/// A report with its file.
#[derive(Debug, Clone)]
pub(crate) struct MadeReport {
    /// The report in the response of batch-get.
    pub(crate) report: Value,
    pub(crate) file: Vec<u8>,
}

/// The entry of `dimension_with_conditions` for a report.
pub(crate) fn entry(question: &ReportSpec) -> Value {
    let mut filter = json!({});
    if let Some(start) = question.start {
        filter["start_time"] = rfc3339(start).into();
    }
    if let Some(end) = question.end {
        filter["end_time"] = rfc3339(end).into();
    }
    let fields: Vec<&str> = question.group_by.iter().map(|field| field.wire()).collect();
    let mut entry = json!({
        "dimension": question.dimension.wire(),
        "group_by_fields": fields,
        "filter": filter,
        "granularity_seconds": question.granularity_seconds,
    });
    if let Some(ratio) = question.minimum_live_ratio {
        let ratio = crate::oracle::clock::decimals(ratio, 4);
        entry["minimum_live_ratio"] = serde_json::from_str(&ratio).expect("a number");
    }
    entry
}

impl TestApp {
    /// Orders reports of an event.
    pub(crate) async fn create(&self, org: &Org, event: &str, entries: &[Value]) -> Response {
        let body = json!({
            "id": event,
            "type": "EVENT_TYPE_LIVE",
            "dimension_with_conditions": entries,
        });
        self.post(org, REPORTS, &body).await
    }

    pub(crate) async fn batch_get(&self, org: &Org, ids: &[&str]) -> Response {
        let reports: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
        self.post(org, BATCH_GET, &json!({ "reports": reports }))
            .await
    }

    /// Orders reports, runs workers until they are made, and downloads the files.
    pub(crate) async fn make(&self, org: &Org, event: &str, entries: &[Value]) -> Vec<MadeReport> {
        let created = self.create(org, event, entries).await.ok();
        self.work().await;
        let ids: Vec<&str> = list(&created, "reports")
            .iter()
            .map(|report| report["id"].as_str().expect("an id"))
            .collect();
        let answered = self.batch_get(org, &ids).await.ok();
        let mut made = Vec::new();
        for report in list(&answered, "reports") {
            assert_eq!(
                report["status"], "EVENT_REPORT_STATUS_SUCCEEDED",
                "{report}"
            );
            let file = self.download(report, "").await;
            file.is(200);
            assert_eq!(report["size_bytes"], file.body.len(), "{report}");
            assert_eq!(report["sha256"], sha256(&file.body), "{report}");
            made.push(MadeReport {
                report: report.clone(),
                file: file.body.to_vec(),
            });
        }
        made
    }

    /// Makes one report in CSV and returns the file.
    pub(crate) async fn csv(&self, org: &Org, event: &str, question: &ReportSpec) -> String {
        let made = self.make(org, event, &[entry(question)]).await.remove(0);
        String::from_utf8(made.file).expect("UTF-8")
    }

    /// Opens the link of a report, followed by `variant`, without a token.
    pub(crate) async fn download(&self, report: &Value, variant: &str) -> Response {
        let path = link(report);
        let request = Request::get(format!("{path}{variant}")).body(Body::empty());
        self.send(request.expect("a request")).await
    }
}

/// The path of a report's link.
pub(crate) fn link(report: &Value) -> &str {
    let uri = report["uri"].as_str().expect("a uri");
    uri.strip_prefix(PUBLIC_URL)
        .unwrap_or_else(|| panic!("{uri:?} is not absolute"))
}

/// A list in a response.
pub(crate) fn list<'a>(response: &'a Value, name: &str) -> &'a Vec<Value> {
    response[name]
        .as_array()
        .unwrap_or_else(|| panic!("no {name}: {response}"))
}

/// SHA-256 in lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    format!("{:x}", Bytes::copy_from_slice(&digest))
}
