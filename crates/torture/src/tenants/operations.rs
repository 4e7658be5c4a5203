//! Every operation of openapi.json: how it is asked, behind which door it lies, and what two callers get.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::ask::{Ask, REPORTS};
use super::stage::{Ids, Stage};

/// What a caller needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// A token that may collect.
    Collect,
    /// A token that may report.
    Report,
    /// Nothing.
    Open,
}

/// An operation.
pub(super) struct Operation {
    pub(super) method: &'static str,
    /// As openapi.json has it.
    pub(super) path: &'static str,
    pub(super) door: Door,
    /// What the owner of the ids gets.
    pub(super) right: u16,
    /// What the other organisation gets.
    pub(super) foreign: u16,
    /// The question, for the organisation of this name and for these ids.
    ask: fn(&Operation, &Ids, &str) -> Ask,
}

impl Operation {
    /// The question about these ids; the date is one on which there was a show.
    pub(super) fn ask(&self, ids: &Ids, date: &str) -> Ask {
        (self.ask)(self, ids, date)
    }
}

/// One that needs no token, and is asked as it stands.
const fn open(path: &'static str) -> Operation {
    Operation {
        method: "GET",
        path,
        door: Door::Open,
        right: 200,
        foreign: 200,
        ask: plain,
    }
}

/// One that reads what belongs to the caller, and is asked as it stands.
const fn own(path: &'static str) -> Operation {
    Operation {
        door: Door::Report,
        ..open(path)
    }
}

/// One that is asked about an id.
const fn by_id(
    method: &'static str,
    path: &'static str,
    ask: fn(&Operation, &Ids, &str) -> Ask,
) -> Operation {
    Operation {
        method,
        foreign: 404,
        ask,
        ..own(path)
    }
}

/// All of them. What deletes comes last, and of two the one that deletes more.
pub(super) const OPERATIONS: [Operation; 28] = [
    open("/"),
    open("/healthz"),
    open("/readyz"),
    open("/metrics"),
    open("/openapi.json"),
    Operation {
        method: "POST",
        door: Door::Collect,
        right: 202,
        foreign: 202,
        ask: collect,
        ..open("/collect")
    },
    own("/api/v1/events"),
    own("/api/v1/status"),
    by_id("GET", "/api/v1/events/{id}", event),
    by_id("GET", "/api/v1/events/{id}/figures", event),
    // A filter that finds nothing is no refusal.
    Operation {
        foreign: 200,
        ..by_id("GET", "/api/v1/reports", reports_of_event)
    },
    by_id("GET", "/api/v1/reports/{id}", report),
    by_id("POST", REPORTS, create),
    by_id(
        "POST",
        "/bv/analytics/v1/events/reports:batch-get",
        batch_get,
    ),
    Operation {
        ask: |it, _, date| Ask::get(&format!("{}?time={date}", it.path)),
        ..own("/bv/analytics/v1/reports/watch-time")
    },
    by_id("GET", "/bv/cms/v1/lives/{id}/metrics/viewers", event),
    own("/v1/reportTypes"),
    Operation {
        method: "POST",
        ask: create_job,
        ..own("/v1/jobs")
    },
    own("/v1/jobs"),
    by_id("GET", "/v1/jobs/{jobId}", job),
    by_id("GET", "/v1/jobs/{jobId}/reports", job),
    by_id("GET", "/v1/jobs/{jobId}/reports/{reportId}", job),
    by_id("GET", "/v1/media/{resourceName}", media),
    by_id("HEAD", "/v1/media/{resourceName}", media),
    link("GET"),
    link("HEAD"),
    Operation {
        right: 204,
        ..by_id("DELETE", "/api/v1/reports/{id}", report)
    },
    by_id("DELETE", "/v1/jobs/{jobId}", job),
];

/// A link is itself the right to open it, whoever does.
const fn link(method: &'static str) -> Operation {
    Operation {
        method,
        ask: |it, ids, _| Ask::new(it.method, &ids.link),
        ..open("/downloads/{report}/{expires}/{signature}/{file_name}")
    }
}

fn plain(it: &Operation, _: &Ids, _: &str) -> Ask {
    Ask::new(it.method, it.path)
}

fn collect(it: &Operation, _: &Ids, _: &str) -> Ask {
    let record =
        json!({"type": "event", "event_id": "keynote", "kind": "live", "title": "Keynote"});
    Ask::post(it.path, record.to_string())
}

fn event(it: &Operation, ids: &Ids, _: &str) -> Ask {
    Ask::new(it.method, &it.path.replace("{id}", &ids.event))
}

fn report(it: &Operation, ids: &Ids, _: &str) -> Ask {
    Ask::new(it.method, &it.path.replace("{id}", &ids.report))
}

fn reports_of_event(it: &Operation, ids: &Ids, _: &str) -> Ask {
    Ask::get(&format!("{}?event_id={}", it.path, ids.event))
}

fn create(it: &Operation, ids: &Ids, _: &str) -> Ask {
    let order = json!({
        "id": ids.event, "type": "EVENT_TYPE_LIVE",
        "dimension_with_conditions": [{"dimension": "REPORT_DIMENSION_WATCH_TIME"}],
    });
    Ask::post(it.path, order.to_string())
}

fn batch_get(it: &Operation, ids: &Ids, _: &str) -> Ask {
    Ask::post(
        it.path,
        json!({"reports": [{"id": ids.report}]}).to_string(),
    )
}

fn create_job(it: &Operation, _: &Ids, _: &str) -> Ask {
    let job = json!({"reportTypeId": "event_watch_time_a1", "name": "daily"});
    Ask::post(it.path, job.to_string())
}

fn job(it: &Operation, ids: &Ids, _: &str) -> Ask {
    let path = it.path.replace("{jobId}", &ids.job);
    Ask::new(it.method, &path.replace("{reportId}", &ids.bulk_report))
}

fn media(it: &Operation, ids: &Ids, _: &str) -> Ask {
    let path = it.path.replace("{resourceName}", &ids.media);
    Ask::new(it.method, &format!("{path}?alt=media"))
}

/// Checks that each operation has its row, and each row its operation.
pub(super) fn check_complete(stage: &Stage) -> anyhow::Result<()> {
    let answer = stage.server.get("/openapi.json")?;
    let mut document: Value = serde_json::from_slice(&answer.body).context("read openapi.json")?;
    let missed = missing(&document)?;
    ensure!(
        missed.is_empty(),
        "crates/torture/src/tenants/operations.rs and openapi.json differ: {missed:?}; say there who may do what"
    );
    // The control: one operation more must be noticed.
    document["paths"]["/api/v1/events"]["delete"] = json!({});
    ensure!(
        missing(&document)?.len() == 1,
        "an operation without a row went unnoticed"
    );
    Ok(())
}

/// What only one of the two has.
fn missing(document: &Value) -> anyhow::Result<Vec<(String, String)>> {
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().context("paths")? {
        for method in [
            "get", "head", "post", "put", "patch", "delete", "options", "trace",
        ] {
            if item.get(method).is_some() {
                described.insert((path.clone(), method.to_uppercase()));
            }
        }
    }
    let rows = OPERATIONS
        .iter()
        .map(|it| (it.path.to_owned(), it.method.to_owned()));
    let rows: BTreeSet<_> = rows.collect();
    Ok(described.symmetric_difference(&rows).cloned().collect())
}
