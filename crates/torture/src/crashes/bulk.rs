//! The published bulk reports of all days, compared with the events' own reports.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::audit::{Table, download, order, wait};
use crate::victim::Caller;

/// From the last record until its day was reported on again.
const RESTATED_WITHIN: Duration = Duration::from_secs(30);

/// Views by event and customer.
type Views = BTreeMap<(String, String), u64>;

/// Orders a report of every day.
pub(super) fn order_days(caller: &Caller) -> anyhow::Result<String> {
    let job = json!({"reportTypeId": "event_customers_a1", "name": "customers"});
    let (status, job) = caller.post("/v1/jobs", &job)?;
    ensure!(status == 200, "a job was answered {status}: {job}");
    let id = job["id"].as_str().context("a job without an id")?;
    Ok(id.to_owned())
}

/// Waits until the published reports say what the reports of these events say.
pub(super) fn demand_agreement(caller: &Caller, job: &str, events: &[&str]) -> anyhow::Result<()> {
    let mut expected = Views::new();
    for event in events {
        expected.extend(of_event(caller, event)?);
    }
    let begun = Instant::now();
    loop {
        let published = published(caller, job)?;
        if published == expected {
            return Ok(());
        }
        let different = expected
            .iter()
            .find(|(of, views)| published.get(of) != Some(views));
        ensure!(
            begun.elapsed() < RESTATED_WITHIN,
            "the published reports have {} rows, the events' own {}; first different: {different:?}",
            published.len(),
            expected.len()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn of_event(caller: &Caller, event: &str) -> anyhow::Result<Views> {
    let entry = json!([{
        "dimension": "REPORT_DIMENSION_WATCH_TIME",
        "group_by_fields": ["GROUP_BY_FIELD_CUSTOMER_ID"],
    }]);
    let mut views = Views::new();
    if let Some(ids) = order(caller, event, &entry)? {
        let made = wait(caller, &ids)?.pop().context("no report")?;
        let table = Table::read(&download(caller, &made)?);
        for row in table.rows() {
            let customer = table.cell(row, "customer_id")?.to_owned();
            views.insert((event.to_owned(), customer), table.number(row, "views")?);
        }
    }
    Ok(views)
}

/// What the newest report of each day says.
fn published(caller: &Caller, job: &str) -> anyhow::Result<Views> {
    let (status, listed) = caller.get(&format!("/v1/jobs/{job}/reports?pageSize=1000"))?;
    ensure!(status == 200, "reports of a job were answered {status}");
    let listed: Value = serde_json::from_slice(&listed).context("read a list of reports")?;
    let mut newest: BTreeMap<&str, &Value> = BTreeMap::new();
    for report in listed["reports"].as_array().into_iter().flatten() {
        let day = report["startTime"].as_str().context("no startTime")?;
        let present = newest.entry(day).or_insert(report);
        if report["createTime"].as_str() > present["createTime"].as_str() {
            *present = report;
        }
    }
    let mut views = Views::new();
    for report in newest.into_values() {
        let url = report["downloadUrl"].as_str().context("no downloadUrl")?;
        let path = url.splitn(4, '/').nth(3).context("a link without a path")?;
        let (status, body) = caller.get(&format!("/{path}"))?;
        ensure!(status == 200, "a bulk report was answered {status}");
        let table = Table::read(&String::from_utf8(body)?);
        for row in table.rows() {
            let event = table.cell(row, "event_id")?.to_owned();
            let customer = table.cell(row, "customer_id")?.to_owned();
            views.insert((event, customer), table.number(row, "views")?);
        }
    }
    Ok(views)
}
