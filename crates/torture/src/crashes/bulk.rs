//! Compares the bulk reports of all days with the reports of the events.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::audit::{Table, download, order, wait};
use showreport_testkit::{Client, path_of};

/// From the last record until the report of its dirty day was made again.
const REMADE_WITHIN: Duration = Duration::from_secs(30);

/// Views by event and customer.
type Views = BTreeMap<(String, String), u64>;

/// Makes a report job.
pub(super) fn order_days(client: &Client) -> anyhow::Result<String> {
    let job = json!({"reportTypeId": "event_customers_a1", "name": "customers"});
    let (status, job) = client.post("/v1/jobs", &job)?;
    ensure!(status == 200, "a job was answered {status}: {job}");
    let id = job["id"].as_str().context("a job without an id")?;
    Ok(id.to_owned())
}

/// Waits until the bulk reports hold the same views as the reports of these events.
pub(super) fn wait_until_equal(client: &Client, job: &str, events: &[&str]) -> anyhow::Result<()> {
    let mut expected = Views::new();
    for event in events {
        expected.extend(of_event(client, event)?);
    }
    let begun = Instant::now();
    loop {
        let published = published(client, job)?;
        if published == expected {
            return Ok(());
        }
        let different = expected
            .iter()
            .find(|(of, views)| published.get(of) != Some(views));
        ensure!(
            begun.elapsed() < REMADE_WITHIN,
            "the published reports have {} rows, the reports of the events {}; first different: {different:?}",
            published.len(),
            expected.len()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn of_event(client: &Client, event: &str) -> anyhow::Result<Views> {
    let entry = json!([{
        "dimension": "REPORT_DIMENSION_WATCH_TIME",
        "group_by_fields": ["GROUP_BY_FIELD_CUSTOMER_ID"],
    }]);
    let mut views = Views::new();
    if let Some(ids) = order(client, event, &entry)? {
        let made = wait(client, &ids)?.pop().context("no report")?;
        let table = Table::read(&download(client, &made)?);
        for row in table.rows() {
            let customer = table.cell(row, "customer_id")?.to_owned();
            views.insert((event.to_owned(), customer), table.number(row, "views")?);
        }
    }
    Ok(views)
}

/// The views in the newest report of each day.
fn published(client: &Client, job: &str) -> anyhow::Result<Views> {
    let listed = client.get(&format!("/v1/jobs/{job}/reports?pageSize=1000"))?;
    ensure!(
        listed.status == 200,
        "reports of a job were answered {}",
        listed.status
    );
    let listed: Value = serde_json::from_slice(&listed.body).context("read a list of reports")?;
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
        let file = client.get(&path_of(&report["downloadUrl"])?)?;
        ensure!(
            file.status == 200,
            "a bulk report was answered {}",
            file.status
        );
        let table = Table::read(&file.text());
        for row in table.rows() {
            let event = table.cell(row, "event_id")?.to_owned();
            let customer = table.cell(row, "customer_id")?.to_owned();
            views.insert((event, customer), table.number(row, "views")?);
        }
    }
    Ok(views)
}
