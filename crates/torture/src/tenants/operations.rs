//! Every operation of openapi.json: its request, the token that it needs, and the status for two
//! callers.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::request::{REPORTS, Request};
use super::site::{Ids, Site};
use crate::scenario::Control;

/// The token that an operation needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// One with the scope `collect`.
    Collect,
    /// One with the scope `report`.
    Report,
    /// None.
    Open,
    /// A session. Pages take no token, so all callers here are strangers to them.
    Page,
}

/// An operation.
pub(super) struct Operation {
    pub(super) method: &'static str,
    /// As in openapi.json.
    pub(super) path: &'static str,
    pub(super) access: Access,
    /// The status for the owner of the ids.
    pub(super) right: u16,
    /// The status for the other organisation.
    pub(super) foreign: u16,
    /// Builds the request from the ids and the date.
    build: fn(&Operation, &Ids, &str) -> Request,
}

impl Operation {
    /// The request for these ids; the date is one with a show.
    pub(super) fn request(&self, ids: &Ids, date: &str) -> Request {
        (self.build)(self, ids, date)
    }
}

/// An operation without a token.
const fn open(path: &'static str) -> Operation {
    Operation {
        method: "GET",
        path,
        access: Access::Open,
        right: 200,
        foreign: 200,
        build: plain,
    }
}

/// An operation that reads what belongs to the caller.
const fn own(path: &'static str) -> Operation {
    Operation {
        access: Access::Report,
        ..open(path)
    }
}

/// A page. Without a session it leads to the page for signing in.
const fn page(method: &'static str, path: &'static str) -> Operation {
    Operation {
        method,
        access: Access::Page,
        right: 303,
        ..open(path)
    }
}

/// A page of an event.
const fn event_page(path: &'static str) -> Operation {
    Operation {
        build: |it, ids, _| {
            let path = it.path.replace("{id}", &ids.event);
            Request::get(&path.replace("{rows}", "audience"))
        },
        ..page("GET", path)
    }
}

/// An operation on an id.
const fn by_id(
    method: &'static str,
    path: &'static str,
    build: fn(&Operation, &Ids, &str) -> Request,
) -> Operation {
    Operation {
        method,
        foreign: 404,
        build,
        ..own(path)
    }
}

/// The script for pages. The description has it also under names with a hash.
const SCRIPT: &str = "/showreport.js";
const SCRIPT_BELOW: &str = "/collect/showreport.js";

/// All operations. Those that delete come last, and the one that deletes more at the end.
pub(super) const OPERATIONS: &[Operation] = &[
    open("/healthz"),
    open("/readyz"),
    open("/metrics"),
    open("/openapi.json"),
    Operation {
        right: 200,
        ..page("GET", "/sign-in")
    },
    Operation {
        right: 401,
        build: |it, _, _| {
            Request::post(it.path, "token=garbage".to_owned())
                .with("content-type", "application/x-www-form-urlencoded")
        },
        ..page("POST", "/sign-in")
    },
    page("POST", "/sign-out"),
    Operation {
        right: 404,
        ..page("GET", "/sign-in/{secret}")
    },
    Operation {
        right: 404,
        ..page("GET", "/invitations/{secret}")
    },
    Operation {
        right: 404,
        build: |it, _, _| {
            let passwords = "password=a+good+password&again=a+good+password";
            Request::post(it.path, passwords.to_owned())
                .with("content-type", "application/x-www-form-urlencoded")
        },
        ..page("POST", "/invitations/{secret}")
    },
    Operation {
        right: 404,
        ..page("GET", "/s/{secret}")
    },
    Operation {
        right: 404,
        ..page("GET", "/s/{secret}/csv/{rows}")
    },
    Operation {
        right: 404,
        ..page("GET", "/s/{secret}/{page}")
    },
    page("GET", "/events/{id}/shares"),
    page("POST", "/events/{id}/shares"),
    page("POST", "/events/{id}/shares/{share}/revoke"),
    page("GET", "/account"),
    page("POST", "/account/password"),
    page("POST", "/account/sign-out-everywhere"),
    page("GET", "/"),
    event_page("/events/{id}"),
    event_page("/events/{id}/people"),
    event_page("/events/{id}/chat"),
    event_page("/events/{id}/polls"),
    event_page("/events/{id}/retention"),
    event_page("/events/{id}/live"),
    event_page("/events/{id}/csv/{rows}"),
    page("GET", "/organisation"),
    page("GET", "/reports"),
    page("POST", "/reports"),
    page("GET", "/reports/{id}"),
    page("GET", "/reports/{id}/file"),
    page("GET", "/reports/{id}/delete"),
    page("POST", "/reports/{id}/delete"),
    page("GET", "/jobs"),
    page("POST", "/jobs"),
    page("GET", "/jobs/{id}"),
    page("GET", "/jobs/{id}/reports/{report}"),
    page("GET", "/jobs/{id}/delete"),
    page("POST", "/jobs/{id}/delete"),
    page("GET", "/install"),
    page("POST", "/install/key"),
    page("GET", "/status"),
    page("POST", "/organisation/tokens"),
    page("POST", "/organisation/tokens/{id}/revoke"),
    page("POST", "/organisation/people"),
    page("POST", "/organisation/people/{id}/role"),
    page("POST", "/organisation/people/{id}/remove"),
    page("POST", "/organisation/people/{id}/sign-out"),
    page("POST", "/organisation/time-zone"),
    page("POST", "/organisation/viewer-tokens"),
    open(SCRIPT),
    open(SCRIPT_BELOW),
    Operation {
        method: "POST",
        access: Access::Collect,
        right: 202,
        foreign: 202,
        build: collect,
        ..open("/collect")
    },
    cmcd("POST", "/collect/cmcd"),
    cmcd("GET", "/collect/cmcd"),
    cmcd("POST", "/collect/cmcd/{event_id}"),
    cmcd("GET", "/collect/cmcd/{event_id}"),
    segment("/v1/batch"),
    segment("/v1/track"),
    own("/api/v1/events"),
    own("/api/v1/status"),
    by_id("GET", "/api/v1/events/{id}", event),
    by_id("GET", "/api/v1/events/{id}/audience.svg", event),
    by_id("GET", "/api/v1/events/{id}/figures", event),
    by_id("GET", "/api/v1/events/{id}/audience", event),
    by_id("GET", "/api/v1/events/{id}/attendance", event),
    by_id("GET", "/api/v1/events/{id}/breakdown", breakdown),
    by_id("GET", "/api/v1/events/{id}/messages", event),
    by_id("GET", "/api/v1/events/{id}/polls", event),
    by_id("GET", "/api/v1/events/{id}/polls/{poll_id}/votes", votes),
    by_id("GET", "/api/v1/events/{id}/retention", event),
    by_id("GET", "/api/v1/events/{id}/live", event),
    by_id("GET", "/api/v1/events/{id}/live/stream", event),
    // A filter that finds nothing gives an empty list.
    Operation {
        foreign: 200,
        ..by_id("GET", "/api/v1/reports", reports_of_event)
    },
    by_id("GET", "/api/v1/events/{id}/shares", event),
    by_id("POST", "/api/v1/events/{id}/shares", share),
    by_id("GET", "/api/v1/reports/{id}", report),
    by_id("POST", REPORTS, create),
    by_id(
        "POST",
        "/bv/analytics/v1/events/reports:batch-get",
        batch_get,
    ),
    Operation {
        build: |it, _, date| Request::get(&format!("{}?time={date}", it.path)),
        ..own("/bv/analytics/v1/reports/watch-time")
    },
    by_id("GET", "/bv/cms/v1/lives/{id}/metrics/viewers", event),
    own("/v1/reportTypes"),
    Operation {
        method: "POST",
        build: create_job,
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
    Operation {
        right: 204,
        ..by_id("DELETE", "/api/v1/events/{id}/shares/{share}", share_link)
    },
    by_id("DELETE", "/v1/jobs/{jobId}", job),
];

/// An operation that takes a report of a player, in the body or in a header.
const fn cmcd(method: &'static str, path: &'static str) -> Operation {
    Operation {
        method,
        access: Access::Collect,
        right: 204,
        foreign: 204,
        build: |it, _, _| {
            // Another event would be a new one of each organisation that calls this.
            let path = it.path.replace("{event_id}", "keynote");
            let report = "cid=\"keynote\",sid=\"player\",sn=0,sta=p,ts=1795305426732,v=2";
            match it.method {
                "POST" => Request::post(&path, report.to_owned()).with("content-type", "text/cmcd"),
                _ => Request::get(&path).with("cmcd-request", report),
            }
        },
        ..open(path)
    }
}

/// An operation that takes a call of Segment's libraries.
const fn segment(path: &'static str) -> Operation {
    Operation {
        method: "POST",
        access: Access::Collect,
        build: |it, _, _| {
            let call = json!({
                "type": "track", "event": "Video Playback Started",
                "timestamp": "2026-11-22T10:00:00Z",
                "properties": {"session_id": "player", "content_asset_id": "keynote"},
            });
            Request::post(it.path, call.to_string())
        },
        ..open(path)
    }
}

/// A link is the right to open its file, without a token.
const fn link(method: &'static str) -> Operation {
    Operation {
        method,
        build: |it, ids, _| Request::new(it.method, &ids.link),
        ..open("/downloads/{report}/{expires}/{signature}/{file_name}")
    }
}

fn plain(it: &Operation, _: &Ids, _: &str) -> Request {
    Request::new(it.method, it.path)
}

fn collect(it: &Operation, _: &Ids, _: &str) -> Request {
    let record =
        json!({"type": "event", "event_id": "keynote", "kind": "live", "title": "Keynote"});
    Request::post(it.path, record.to_string())
}

fn share(it: &Operation, ids: &Ids, _: &str) -> Request {
    let path = it.path.replace("{id}", &ids.event);
    Request::post(&path, json!({"people": "hidden"}).to_string())
}

fn share_link(it: &Operation, ids: &Ids, _: &str) -> Request {
    let path = it.path.replace("{id}", &ids.event);
    Request::new(it.method, &path.replace("{share}", &ids.share))
}

fn event(it: &Operation, ids: &Ids, _: &str) -> Request {
    Request::new(it.method, &it.path.replace("{id}", &ids.event))
}

fn breakdown(it: &Operation, ids: &Ids, date: &str) -> Request {
    let event = event(it, ids, date);
    Request::get(&format!("{}?by=device_os", event.path))
}

fn votes(it: &Operation, ids: &Ids, date: &str) -> Request {
    let event = event(it, ids, date);
    Request::get(&event.path.replace("{poll_id}", "p1"))
}

fn report(it: &Operation, ids: &Ids, _: &str) -> Request {
    Request::new(it.method, &it.path.replace("{id}", &ids.report))
}

fn reports_of_event(it: &Operation, ids: &Ids, _: &str) -> Request {
    Request::get(&format!("{}?event_id={}", it.path, ids.event))
}

fn create(it: &Operation, ids: &Ids, _: &str) -> Request {
    let order = json!({
        "id": ids.event, "type": "EVENT_TYPE_LIVE",
        "dimension_with_conditions": [{"dimension": "REPORT_DIMENSION_WATCH_TIME"}],
    });
    Request::post(it.path, order.to_string())
}

fn batch_get(it: &Operation, ids: &Ids, _: &str) -> Request {
    Request::post(
        it.path,
        json!({"reports": [{"id": ids.report}]}).to_string(),
    )
}

fn create_job(it: &Operation, _: &Ids, _: &str) -> Request {
    let job = json!({"reportTypeId": "event_watch_time_a1", "name": "daily"});
    Request::post(it.path, job.to_string())
}

fn job(it: &Operation, ids: &Ids, _: &str) -> Request {
    let path = it.path.replace("{jobId}", &ids.job);
    Request::new(it.method, &path.replace("{reportId}", &ids.bulk_report))
}

fn media(it: &Operation, ids: &Ids, _: &str) -> Request {
    let path = it.path.replace("{resourceName}", &ids.media);
    Request::new(it.method, &format!("{path}?alt=media"))
}

/// Checks that each operation has its row, and each row its operation.
pub(super) fn check_complete(site: &Site) -> anyhow::Result<Control> {
    let response = site.server.client.get("/openapi.json")?;
    let mut document: Value =
        serde_json::from_slice(&response.body).context("read openapi.json")?;
    let missed = missing(&document)?;
    ensure!(
        missed.is_empty(),
        "crates/torture/src/tenants/operations.rs and openapi.json differ: {missed:?}; add a row with the token and the statuses"
    );
    document["paths"]["/api/v1/events"]["delete"] = json!({});
    Control::noticed(missing(&document)?.len() == 1, "an operation without a row")
}

/// The operations that only one of the two has.
fn missing(document: &Value) -> anyhow::Result<Vec<(String, String)>> {
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().context("paths")? {
        // Their names have hashes.
        let is_asset = path.contains("/showreport.") || path.starts_with("/assets/");
        if is_asset && path != SCRIPT && path != SCRIPT_BELOW {
            continue;
        }
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
