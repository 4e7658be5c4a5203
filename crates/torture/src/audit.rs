//! Orders the reports of an event over HTTP, and compares their rows with what was sent.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use super::load::{CUSTOMERS, OPTIONS};
use super::sent::{Fact, Found, Show, Verdict, compare};
use showreport_testkit::{Client, path_of};

/// The path that orders reports.
pub(crate) const REPORTS: &str = "/bv/analytics/v1/events/reports";
const BATCH_GET: &str = "/bv/analytics/v1/events/reports:batch-get";
const RUNNING: &str = "EVENT_REPORT_STATUS_RUNNING";

/// From the start of a server until a report is made that another server had begun.
pub(crate) const MADE_WITHIN: Duration = Duration::from_mins(1);

/// Orders reports about an event; `None` if the event is unknown.
pub(crate) fn order(
    client: &Client,
    event: &str,
    entries: &Value,
) -> anyhow::Result<Option<Vec<String>>> {
    let order =
        json!({"id": event, "type": "EVENT_TYPE_LIVE", "dimension_with_conditions": entries});
    let (status, answer) = client.post(REPORTS, &order)?;
    if status == 404 {
        return Ok(None);
    }
    ensure!(status == 200, "an order was answered {status}: {answer}");
    let reports = answer["reports"].as_array().context("no reports")?;
    let ids = reports.iter().map(|report| {
        let id = report["id"].as_str().context("a report without an id")?;
        Ok(id.to_owned())
    });
    ids.collect::<anyhow::Result<_>>().map(Some)
}

/// The state of these reports, at most 100.
pub(crate) fn look(client: &Client, ids: &[String]) -> anyhow::Result<Vec<Value>> {
    let reports: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
    let (status, answer) = client.post(BATCH_GET, &json!({"reports": reports}))?;
    ensure!(status == 200, "reports were answered {status}: {answer}");
    Ok(answer["reports"].as_array().context("no reports")?.clone())
}

/// Waits until all of these reports have ended, made or failed.
pub(crate) fn wait(client: &Client, ids: &[String]) -> anyhow::Result<Vec<Value>> {
    let begun = Instant::now();
    loop {
        let reports = look(client, ids)?;
        if reports.iter().all(|report| report["status"] != RUNNING) {
            return Ok(reports);
        }
        ensure!(
            begun.elapsed() < MADE_WITHIN,
            "reports still run: {reports:?}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Downloads the file of a report that was made.
pub(crate) fn download(client: &Client, report: &Value) -> anyhow::Result<String> {
    let path = path_of(&report["uri"]).with_context(|| format!("the file of {report}"))?;
    let response = client.get(&path)?;
    ensure!(
        response.status == 200,
        "a download was answered {}",
        response.status
    );
    String::from_utf8(response.body.into()).context("read a report")
}

/// Compares the reports of an event with what was sent about it.
pub(crate) fn audit(client: &Client, show: &Show) -> anyhow::Result<Verdict> {
    let found = find(client, &show.event).with_context(|| format!("audit {}", show.event))?;
    Ok(compare(&show.requests, &found))
}

/// Makes five reports of an event, and reads the facts out of them.
fn find(client: &Client, event: &str) -> anyhow::Result<Found> {
    let entries = json!([
        {"dimension": "REPORT_DIMENSION_WATCH_TIME"},
        {"dimension": "REPORT_DIMENSION_WATCH_TIME", "group_by_fields": ["GROUP_BY_FIELD_CUSTOMER_ID"]},
        {"dimension": "REPORT_DIMENSION_CHAT_HISTORIES"},
        {"dimension": "REPORT_DIMENSION_POLL_VOTES"},
        {"dimension": "REPORT_DIMENSION_POLL_SUMMARIES"},
    ]);
    let mut found = Found::default();
    let Some(ids) = order(client, event, &entries)? else {
        return Ok(found);
    };
    let mut tables = Vec::new();
    for report in wait(client, &ids)? {
        tables.push(Table::read(&download(client, &report)?));
    }
    let [views, customers, messages, votes, options] = tables.as_slice() else {
        bail!("{} reports of 5", tables.len());
    };
    let masks = read_views(views, &mut found)?;
    check_customers(customers, &masks, &mut found)?;
    for row in &messages.rows {
        found.add(Fact::Version {
            message: messages.number(row, "message_id")?,
            nth: u32::try_from(messages.number(row, "text")?)?,
        });
    }
    read_votes(votes, options, &mut found)?;
    Ok(found)
}

/// The spans of each view, a bit each: the view was watched as many milliseconds as the mask says.
fn read_views(views: &Table, found: &mut Found) -> anyhow::Result<BTreeMap<u64, u64>> {
    let mut masks = BTreeMap::new();
    for row in &views.rows {
        let view = views.number(row, "playback_id")?;
        let mask = views.millis(row, "watch_seconds")?;
        let beats = (0..u64::BITS).filter(|beat| mask >> beat & 1 == 1);
        beats.for_each(|nth| found.add(Fact::Beat { view, nth }));
        masks.insert(view, mask);
    }
    Ok(masks)
}

/// A customer's figures follow from the views, since all views have their spans at the same times.
fn check_customers(
    customers: &Table,
    masks: &BTreeMap<u64, u64>,
    found: &mut Found,
) -> anyhow::Result<()> {
    let mut expected: BTreeMap<u64, (u64, u64, u64)> = BTreeMap::new();
    for (view, mask) in masks {
        let (views, watched, attended) = expected.entry(view % CUSTOMERS).or_default();
        *views += 1;
        *watched += mask;
        *attended |= mask;
    }
    let mut reported = BTreeMap::new();
    for row in &customers.rows {
        let figures = (
            customers.number(row, "views")?,
            customers.millis(row, "watch_seconds")?,
            customers.millis(row, "attended_seconds")?,
        );
        reported.insert(customers.number(row, "customer_id")?, figures);
    }
    if reported != expected {
        let wrong = format!("customers have {reported:?}, and by their views {expected:?}");
        found.wrong.push(wrong);
    }
    Ok(())
}

/// Of each voter the latest vote counts, and no other.
fn read_votes(rows: &Table, options: &Table, found: &mut Found) -> anyhow::Result<()> {
    let mut latest: BTreeMap<u64, u64> = BTreeMap::new();
    let mut counting: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for row in &rows.rows {
        let (voter, nth) = (rows.number(row, "customer_id")?, rows.number(row, "name")?);
        let fact = u32::try_from(nth)?;
        found.add(Fact::Vote { voter, nth: fact });
        let last = latest.entry(voter).or_default();
        *last = nth.max(*last);
        if rows.cell(row, "counted")? == "true" {
            counting.entry(voter).or_default().push(nth);
        }
    }
    let expected: BTreeMap<u64, Vec<u64>> = latest
        .iter()
        .map(|(&voter, &nth)| (voter, vec![nth]))
        .collect();
    if counting != expected {
        found.wrong.push(format!(
            "counted are {counting:?}, and the latest are {expected:?}"
        ));
    }
    for row in &options.rows {
        let option = options.number(row, "option_id")?;
        let chosen = latest
            .values()
            .filter(|&nth| nth % u64::from(OPTIONS) == option);
        let (reported, expected) = (options.number(row, "votes")?, chosen.count() as u64);
        if reported != expected {
            found.wrong.push(format!(
                "option {option} has {reported} votes, not {expected}"
            ));
        }
    }
    Ok(())
}

/// A CSV file without quotation marks.
pub(crate) struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn read(text: &str) -> Self {
        let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
        let mut lines = text.lines().map(cells);
        Self {
            columns: lines.next().unwrap_or_default(),
            rows: lines.collect(),
        }
    }

    pub(crate) fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }

    pub(crate) fn cell<'a>(&self, row: &'a [String], column: &str) -> anyhow::Result<&'a str> {
        let at = self.columns.iter().position(|name| name == column);
        let cell = at.and_then(|at| row.get(at));
        Ok(cell.with_context(|| format!("no {column} in {row:?}"))?)
    }

    pub(crate) fn number(&self, row: &[String], column: &str) -> anyhow::Result<u64> {
        let cell = self.cell(row, column)?;
        cell.parse()
            .with_context(|| format!("{column} is {cell:?}"))
    }

    /// Seconds with three decimals.
    fn millis(&self, row: &[String], column: &str) -> anyhow::Result<u64> {
        let cell = self.cell(row, column)?.replace('.', "");
        cell.parse()
            .with_context(|| format!("{column} is {cell:?}"))
    }
}
