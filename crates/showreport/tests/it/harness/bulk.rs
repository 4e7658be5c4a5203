//! Bulk reports over HTTP. The test runs the schedule.

use serde_json::{Value, json};

use super::app::PUBLIC_URL;
use super::reports::sha256;
use super::show::watches;
use super::{Org, Response, Show, TestApp};

/// Every type of bulk report.
pub(crate) const TYPES: [&str; 5] = [
    "event_chat_messages_a1",
    "event_customers_a1",
    "event_poll_summaries_a1",
    "event_poll_votes_a1",
    "event_watch_time_a1",
];

impl TestApp {
    /// Creates a report job.
    pub(crate) async fn ask_for_job(&self, org: &Org, report_type: &str) -> Response {
        let body = json!({"reportTypeId": report_type, "name": "daily"});
        self.post(org, "/v1/jobs", &body).await
    }

    /// Makes a job, and gives its id.
    pub(crate) async fn job(&self, org: &Org, report_type: &str) -> String {
        let job = self.ask_for_job(org, report_type).await.ok();
        job["id"].as_str().expect("an id").to_owned()
    }

    /// Lets the schedule look once, and makes what is due.
    pub(crate) async fn keep_schedule(&self) {
        let looked = self.parts.jobs.queue_days().await;
        looked.expect("the schedule looks");
        self.work().await;
    }

    /// The reports of a job, newest first; `query` begins with `?` or is empty.
    pub(crate) async fn bulk_reports(&self, org: &Org, job: &str, query: &str) -> Vec<Value> {
        let path = format!("/v1/jobs/{job}/reports{query}");
        let response = self.get(org, &path).await.ok();
        // An empty page has no field at all.
        response["reports"].as_array().cloned().unwrap_or_default()
    }

    /// The reports of one day, newest first.
    pub(crate) async fn reports_from(&self, org: &Org, job: &str, start: &str) -> Vec<Value> {
        let mut reports = self.bulk_reports(org, job, "?pageSize=1000").await;
        reports.retain(|report| report["startTime"] == start);
        reports
    }

    /// The file of a report. Size, hash and rows are checked.
    pub(crate) async fn bulk_file(&self, org: &Org, report: &Value) -> String {
        let file = self.get(org, media(report)).await;
        file.is(200);
        assert_eq!(report["sizeBytes"], file.body.len(), "{report}");
        assert_eq!(report["sha256"], sha256(&file.body), "{report}");
        let rows = csv::Reader::from_reader(&*file.body).records().count();
        assert_eq!(report["rowCount"], rows, "{report}");
        file.text().to_owned()
    }
}

/// The path of a report's file with its query.
pub(crate) fn media(report: &Value) -> &str {
    let url = report["downloadUrl"].as_str().expect("a downloadUrl");
    url.strip_prefix(PUBLIC_URL)
        .unwrap_or_else(|| panic!("{url:?} is not absolute"))
}

/// Checks that a refusal has Google's format with a google.rpc.Status inside. Returns its reason.
#[track_caller]
pub(crate) fn refused(response: &Response, http: u16, status: &str) -> String {
    response.is(http);
    let error = response.json()["error"].clone();
    assert_eq!(error["code"], http, "{error}");
    assert_eq!(error["status"], status, "{error}");
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|text| text.len() > 10),
        "{error}"
    );
    assert_eq!(error["errors"][0]["message"], error["message"], "{error}");
    assert!(error["errors"][0]["reason"].is_string(), "{error}");
    let info = &error["details"][0];
    assert_eq!(info["domain"], "showreport", "{error}");
    info["reason"].as_str().expect("a reason").to_owned()
}

/// The fields that a 400 names.
#[track_caller]
pub(crate) fn wrong_fields(response: &Response) -> Vec<String> {
    refused(response, 400, "INVALID_ARGUMENT");
    let error = response.json()["error"].clone();
    let violations = error["details"][1]["field_violations"].as_array();
    let violations = violations.unwrap_or_else(|| panic!("no BadRequest: {error}"));
    let fields = violations
        .iter()
        .map(|it| it["field"].as_str().expect("a field").to_owned());
    fields.collect()
}

/// A job with data on one day, 22 November.
pub(crate) async fn job_with_reports() -> (Show, String) {
    let show = Show::new().await;
    show.send([watches("ada", "tab", "10:00..10:30")]).await;
    let job = show.app.job(&show.org, "event_customers_a1").await;
    show.app.keep_schedule().await;
    (show, job)
}
