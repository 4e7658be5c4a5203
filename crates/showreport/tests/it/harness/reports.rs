//! Reports from order to file, through the front door.

use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::app::PUBLIC_URL;
use super::{Answer, Org, TestApp};
use crate::oracle::{Question, rfc3339};

/// The path of creating reports.
pub(crate) const REPORTS: &str = "/bv/analytics/v1/events/reports";
/// The path of reading reports.
pub(crate) const BATCH_GET: &str = "/bv/analytics/v1/events/reports:batch-get";

/// A report that was made.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    /// The report as batch-get answers it.
    pub(crate) report: Value,
    /// The bytes of its file.
    pub(crate) file: Vec<u8>,
}

/// A question as an entry of `dimension_with_conditions`.
pub(crate) fn entry(question: &Question) -> Value {
    let mut filter = json!({});
    if let Some(start) = question.start {
        filter["start_time"] = rfc3339(start).into();
    }
    if let Some(end) = question.end {
        filter["end_time"] = rfc3339(end).into();
    }
    let fields: Vec<&str> = question.group_by.iter().map(|field| field.wire()).collect();
    json!({
        "dimension": question.dimension.wire(),
        "group_by_fields": fields,
        "filter": filter,
        "granularity_seconds": question.granularity_seconds,
    })
}

impl TestApp {
    /// Asks for reports about an event.
    pub(crate) async fn create(&self, org: &Org, event: &str, entries: &[Value]) -> Answer {
        let body = json!({
            "id": event,
            "type": "EVENT_TYPE_LIVE",
            "dimension_with_conditions": entries,
        });
        self.post(org, REPORTS, &body).await
    }

    pub(crate) async fn batch_get(&self, org: &Org, ids: &[&str]) -> Answer {
        let reports: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
        self.post(org, BATCH_GET, &json!({ "reports": reports }))
            .await
    }

    /// Asks for reports, works until they are made, and downloads their files.
    pub(crate) async fn make(&self, org: &Org, event: &str, entries: &[Value]) -> Vec<Made> {
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
            made.push(Made {
                report: report.clone(),
                file: file.body.to_vec(),
            });
        }
        made
    }

    /// Makes one report in CSV, and returns the text of its file.
    pub(crate) async fn csv(&self, org: &Org, event: &str, question: &Question) -> String {
        let made = self.make(org, event, &[entry(question)]).await.remove(0);
        String::from_utf8(made.file).expect("UTF-8")
    }

    /// Opens a report's link, with `?variant=…` or nothing after it, without a header.
    pub(crate) async fn download(&self, report: &Value, variant: &str) -> Answer {
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

/// A list inside an answer.
pub(crate) fn list<'a>(answer: &'a Value, name: &str) -> &'a Vec<Value> {
    answer[name]
        .as_array()
        .unwrap_or_else(|| panic!("no {name}: {answer}"))
}

/// SHA-256 in lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    format!("{:x}", Bytes::copy_from_slice(&digest))
}
