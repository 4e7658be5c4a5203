//! Runs a case, and makes one that fails as small as it can.

use jiff::tz::TimeZone;
use serde_json::Value;
use showreport_model::facts::FactsBuilder;
use showreport_model::{OrgId, Timestamp};
use showreport_origins::Origins;
use showreport_records::{Context, decode_record};

use super::case::{Case, Step};
use crate::harness::app::Parts;
use crate::harness::reports::entry;
use crate::harness::{Org, TestApp};
use crate::oracle::{self, ReportSpec};

/// How often a smaller case is tried.
const TRIES_MAX: usize = 150;

/// Where a report and the oracle part.
pub(crate) type Difference = String;

/// Plays the case; the first report that is not the oracle's ends it.
pub(crate) async fn run(case: &Case) -> Result<(), Difference> {
    let mut app = TestApp::new().await;
    let orgs = [
        app.org("acme", case.zones[0]).await,
        app.org("globex", case.zones[1]).await,
    ];
    let mut told: [Vec<Value>; 2] = Default::default();
    for step in &case.steps {
        match step {
            Step::Send { org, records } => {
                app.accept(&orgs[*org], records).await;
                told[*org].extend(records.iter().cloned());
            }
            Step::Load { org, records } => {
                load(&app.parts, &orgs[*org].id, app.now(), records).await;
                told[*org].extend(records.iter().cloned());
            }
            Step::Flush => drop(app.parts.lake.flush().await.expect("flush")),
            Step::FlushAhead { every } => flush_ahead(&app.parts, *every).await,
            Step::Compact => drop(app.parts.lake.compact().await.expect("compact")),
            Step::Vacuum => drop(app.parts.lake.vacuum().await.expect("vacuum")),
            Step::Restart => app.restart().await,
            Step::Crash => app.crash().await,
            Step::NextDay => app.clock.advance_hours(25),
            Step::Ask {
                org,
                event,
                questions,
            } => {
                let zone = TimeZone::get(case.zones[*org]).expect("a zone");
                ask(&app, &orgs[*org], event, questions, &told[*org], &zone).await?;
            }
        }
    }
    Ok(())
}

async fn flush_ahead(parts: &Parts, every: usize) {
    let waiting = parts.meta.journal_rows(0, u64::MAX).await;
    let waiting = waiting.expect("read the journal");
    let rows = waiting.iter().map(|row| row.seq).step_by(every).collect();
    parts.lake.flush_ahead(rows).await.expect("flush ahead");
}

/// What `showreport import` does with a file.
pub(crate) async fn load(parts: &Parts, org: &OrgId, now: Timestamp, records: &[Value]) {
    let origins = Origins::open(None).expect("no file");
    let context = Context::new(now, origins);
    let mut builder = FactsBuilder::new(org.clone());
    for (index, record) in records.iter().enumerate() {
        let line = record.to_string();
        let parsed = decode_record(line.as_bytes(), index, &context).expect("a good record");
        parsed.push_to(&mut builder);
    }
    parts
        .lake
        .load(org, &[builder.finish()])
        .await
        .expect("load");
}

async fn ask(
    app: &TestApp,
    org: &Org,
    event: &str,
    questions: &[ReportSpec],
    told: &[Value],
    zone: &TimeZone,
) -> Result<(), Difference> {
    let entries: Vec<Value> = questions.iter().map(entry).collect();
    if !told.iter().any(|record| record["event_id"] == event) {
        app.create(org, event, &entries).await.refused(404);
        return Ok(());
    }
    let made = app.make(org, event, &entries).await;
    for (question, made) in questions.iter().zip(made) {
        let table = oracle::report(told, event, question, zone);
        let raw = app.download(&made.report, "?variant=raw").await;
        let file = String::from_utf8_lossy(&made.file).into_owned();
        same(question, "file", &file, &table.guarded())?;
        same(question, "raw", raw.text(), &table.raw())?;
        if made.report["row_count"] != table.rows.len() {
            return Err(format!("{question:?}: row_count of {}", made.report));
        }
    }
    Ok(())
}

fn same(question: &ReportSpec, what: &str, product: &str, oracle: &str) -> Result<(), Difference> {
    if product == oracle {
        return Ok(());
    }
    let only = |these: &str, those: &str| {
        let those: Vec<&str> = those.lines().collect();
        let lines: Vec<&str> = these
            .lines()
            .filter(|line| !those.contains(line))
            .take(8)
            .collect();
        lines.join("\n    ")
    };
    Err(format!(
        "{question:?}, {what}:\n  only the product has\n    {}\n  only the oracle has\n    {}",
        only(product, oracle),
        only(oracle, product)
    ))
}

/// Leaves out what the difference does not need.
pub(crate) async fn smallest(mut case: Case, mut difference: Difference) -> (Case, Difference) {
    let mut tries = 0;
    let mut part = usize::MAX;
    while part > 0 && tries < TRIES_MAX {
        let size = size(&case);
        part = part.min(size / 2).max(1);
        let mut from = 0;
        let mut smaller = false;
        while from < size && tries < TRIES_MAX {
            let candidate = without(&case, from..from + part);
            tries += 1;
            match run(&candidate).await {
                Err(still) => (case, difference, smaller) = (candidate, still, true),
                Ok(()) => from += part,
            }
        }
        if !smaller {
            part /= 2;
        }
    }
    (case, difference)
}

/// Everything that can be left out: records, questions, other steps.
fn size(case: &Case) -> usize {
    case.steps.iter().map(step_size).sum()
}

fn step_size(step: &Step) -> usize {
    match step {
        Step::Send { records, .. } | Step::Load { records, .. } => records.len(),
        Step::Ask { questions, .. } => questions.len(),
        _ => 1,
    }
}

fn without(case: &Case, range: std::ops::Range<usize>) -> Case {
    let mut place = 0;
    let mut keep = || {
        place += 1;
        !range.contains(&(place - 1))
    };
    let mut steps = Vec::new();
    for step in &case.steps {
        let mut step = step.clone();
        match &mut step {
            Step::Send { records, .. } | Step::Load { records, .. } => records.retain(|_| keep()),
            Step::Ask { questions, .. } => questions.retain(|_| keep()),
            _ => {
                if !keep() {
                    continue;
                }
            }
        }
        if step_size(&step) > 0 {
            steps.push(step);
        }
    }
    Case {
        zones: case.zones,
        steps,
    }
}
