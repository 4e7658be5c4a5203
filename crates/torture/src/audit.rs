//! What an event's reports say, asked for and downloaded as anybody would.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use super::book::{Fact, Found, Show, Verdict, compare};
use super::load::{CUSTOMERS, OPTIONS};
use super::victim::Caller;

/// Where reports are ordered.
pub(crate) const REPORTS: &str = "/bv/analytics/v1/events/reports";
const BATCH_GET: &str = "/bv/analytics/v1/events/reports:batch-get";
const RUNNING: &str = "EVENT_REPORT_STATUS_RUNNING";

/// From the start of a server until a report is there that another one had begun.
pub(crate) const MADE_WITHIN: Duration = Duration::from_mins(1);

/// Orders reports about an event; nothing, if it is not known.
pub(crate) fn order(
    caller: &Caller,
    event: &str,
    entries: &Value,
) -> anyhow::Result<Option<Vec<String>>> {
    let order =
        json!({"id": event, "type": "EVENT_TYPE_LIVE", "dimension_with_conditions": entries});
    let (status, answer) = caller.post(REPORTS, &order)?;
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

/// Reports as they stand, at most 100.
pub(crate) fn look(caller: &Caller, ids: &[String]) -> anyhow::Result<Vec<Value>> {
    let reports: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
    let (status, answer) = caller.post(BATCH_GET, &json!({"reports": reports}))?;
    ensure!(status == 200, "reports were answered {status}: {answer}");
    Ok(answer["reports"].as_array().context("no reports")?.clone())
}

/// Waits until all of these reports have ended, well or not.
pub(crate) fn wait(caller: &Caller, ids: &[String]) -> anyhow::Result<Vec<Value>> {
    let begun = Instant::now();
    loop {
        let reports = look(caller, ids)?;
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

/// The file of a report that was made.
pub(crate) fn download(caller: &Caller, report: &Value) -> anyhow::Result<String> {
    let uri = report["uri"].as_str();
    let uri = uri.with_context(|| format!("a report has no file: {report}"))?;
    let path = uri.splitn(4, '/').nth(3).context("a link without a path")?;
    let (status, body) = caller.get(&format!("/{path}"))?;
    ensure!(status == 200, "a download was answered {status}");
    String::from_utf8(body).context("read a report")
}

/// What is wrong with what a server says about an event.
pub(crate) fn audit(caller: &Caller, show: &Show) -> anyhow::Result<Verdict> {
    let found = find(caller, &show.event).with_context(|| format!("audit {}", show.event))?;
    Ok(compare(&show.told, &found))
}

/// Everything that is to be found about an event.
fn find(caller: &Caller, event: &str) -> anyhow::Result<Found> {
    let entries = json!([
        {"dimension": "REPORT_DIMENSION_WATCH_TIME"},
        {"dimension": "REPORT_DIMENSION_WATCH_TIME", "group_by_fields": ["GROUP_BY_FIELD_CUSTOMER_ID"]},
        {"dimension": "REPORT_DIMENSION_CHAT_HISTORIES"},
        {"dimension": "REPORT_DIMENSION_POLL_VOTES"},
        {"dimension": "REPORT_DIMENSION_POLL_SUMMARIES"},
    ]);
    let mut found = Found::default();
    let Some(ids) = order(caller, event, &entries)? else {
        return Ok(found);
    };
    let mut tables = Vec::new();
    for report in wait(caller, &ids)? {
        tables.push(Table::read(&download(caller, &report)?));
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

/// The stretches of each view, a bit each: as many milliseconds as the view was watched.
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

/// Customers' figures follow from their views', whose stretches lie at the same times.
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
    let mut said = BTreeMap::new();
    for row in &customers.rows {
        let figures = (
            customers.number(row, "views")?,
            customers.millis(row, "watch_seconds")?,
            customers.millis(row, "attended_seconds")?,
        );
        said.insert(customers.number(row, "customer_id")?, figures);
    }
    if said != expected {
        let wrong = format!("customers have {said:?}, and by their views {expected:?}");
        found.wrong.push(wrong);
    }
    Ok(())
}

/// The latest vote of each counts, and no other.
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
        let (said, expected) = (options.number(row, "votes")?, chosen.count() as u64);
        if said != expected {
            found
                .wrong
                .push(format!("option {option} has {said} votes, not {expected}"));
        }
    }
    Ok(())
}

/// A report in CSV none of whose cells needs a quotation mark.
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
