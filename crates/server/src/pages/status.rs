//! `/status`: the state of the installation, with what to do where something is wrong.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use showreport_meta::Role;

use super::curl;
use super::layout::{Identity, Layout, Section, respond};
use crate::api::{StatusResponse, status};
use crate::app::App;
use crate::auth::Visitor;
use crate::error::ApiError;
use crate::texts::{self, bytes, largest_unit};

#[derive(Template)]
#[template(path = "status.html")]
struct StatusPage {
    layout: Layout,
    status: StatusResponse,
    parts: Vec<Part>,
    curl: String,
}

/// A part of the installation.
struct Part {
    title: &'static str,
    /// The figures of it, as in the API.
    figures: Vec<Figure>,
    /// In place of figures.
    text: &'static str,
    /// What is wrong and what to do.
    problem: Option<String>,
    /// What the figures are of.
    note: &'static str,
}

struct Figure {
    name: &'static str,
    /// As JSON.
    value: String,
    text: String,
}

/// The journal holds more only if the flush is late or fails.
const JOURNAL_BYTES_USUAL: u64 = 512 << 20;

/// Jobs that wait are usually few, since each takes seconds.
const QUEUE_USUAL: u64 = 100;

/// A bulk report is usually made within seconds.
const LAG_MS_USUAL: i64 = 900_000;

/// With less room left, a busy hour can fill the disk.
const DISK_FREE_BYTES_LOW: u64 = 5_000_000_000;

/// Get the page of the installation's status.
#[utoipa::path(
    get,
    path = "/status",
    tag = "dashboard",
    responses(
        (status = 200, description = "a page", content_type = "text/html", body = String),
        (status = 303, description = "not signed in: to the page for signing in"),
        (status = 403, description = "the role is not admin"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn show_status(
    State(app): State<App>,
    visitor: Visitor,
) -> Result<Response, ApiError> {
    visitor.require(Role::Admin)?;
    let _permit = app.report_requests().acquire(&visitor.org).await?;
    let status = status(&app).await?;
    let mut layout = Layout::new("Status", Section::Status, Identity::from(&visitor));
    layout.refresh_seconds = Some(REFRESH_SECONDS);
    let page = StatusPage {
        layout,
        parts: parts(&status),
        status,
        curl: curl::read(app.config().base_url(), "/api/v1/status"),
    };
    respond(StatusCode::OK, &page)
}

const REFRESH_SECONDS: u32 = 30;

fn parts(status: &StatusResponse) -> Vec<Part> {
    vec![
        clock(status),
        journal(status),
        queue(status),
        bulk_reports(status),
        disk(status),
        files(status),
    ]
}

fn clock(status: &StatusResponse) -> Part {
    let problem = match status.clock {
        "behind" => Some(
            "The clock is before the newest transaction, so records are refused. Set it, then run \
             `showreport clock confirm`.",
        ),
        "in_doubt" => Some(
            "The clock jumped ahead, so nothing is deleted or published for an hour. If it is \
             right now, `showreport clock confirm` ends this at once; after an hour of sleep \
             nothing needs to be done.",
        ),
        _ => None,
    };
    Part {
        title: "Clock",
        figures: vec![Figure {
            name: "clock",
            value: format!("\"{}\"", status.clock),
            text: status.clock.replace('_', " "),
        }],
        problem: problem.map(str::to_owned),
        text: "",
        note: "by the newest transaction of the database",
    }
}

fn journal(status: &StatusResponse) -> Part {
    let is_long = status.journal_bytes > JOURNAL_BYTES_USUAL;
    Part {
        title: "Journal",
        figures: vec![
            count("journal_rows", status.journal_rows, " rows"),
            Figure {
                name: "journal_bytes",
                value: status.journal_bytes.to_string(),
                text: bytes(status.journal_bytes),
            },
        ],
        problem: is_long.then(|| {
            "The journal is long: the flush is late or fails. The log says why; if it only grows, \
             records are refused when it is full."
                .to_owned()
        }),
        text: "",
        note: "records that are stored and wait to be moved to the lake; this is usual during a show",
    }
}

fn queue(status: &StatusResponse) -> Part {
    let is_long = status.queue_depth > QUEUE_USUAL;
    Part {
        title: "Reports that wait",
        figures: vec![count("queue_depth", status.queue_depth, "")],
        problem: is_long.then(|| {
            "Many reports wait. If the number does not fall, look in the log for reports that \
             fail, or give the server more processors."
                .to_owned()
        }),
        text: "",
        note: "reports and bulk reports that are being made or wait for it",
    }
}

fn bulk_reports(status: &StatusResponse) -> Part {
    let lag_ms = status.bulk_lag_milliseconds;
    Part {
        title: "Bulk reports behind",
        figures: vec![Figure {
            name: "bulk_lag_milliseconds",
            value: lag_ms.to_string(),
            text: largest_unit(lag_ms),
        }],
        problem: (lag_ms > LAG_MS_USUAL).then(|| {
            "A day of a job is overdue. The log says why its report fails; the page Jobs shows \
             which job waits."
                .to_owned()
        }),
        text: "",
        note: "how long the oldest day of a job has waited for its first report",
    }
}

fn disk(status: &StatusResponse) -> Part {
    let free = status.disk_free_bytes;
    let is_low = free.is_some_and(|free| free < DISK_FREE_BYTES_LOW);
    Part {
        title: "Free disk space",
        figures: vec![Figure {
            name: "disk_free_bytes",
            value: free.map_or_else(|| "null".to_owned(), |free| free.to_string()),
            text: free.map_or_else(|| "unknown".to_owned(), bytes),
        }],
        problem: is_low.then(|| {
            "The disk is nearly full. When it is, nothing is collected until there is room: \
             enlarge it, or delete reports that are not needed."
                .to_owned()
        }),
        text: "",
        note: "of the disk, or of the user's quota",
    }
}

fn files(status: &StatusResponse) -> Part {
    let damaged = status.damaged_files.len();
    Part {
        title: "Damaged files",
        // The API lists them, so their number is no figure of it.
        figures: Vec::new(),
        problem: (damaged > 0).then(|| {
            "Bytes on the disk are not what was written. Reports that need these files fail; \
             restore the files from a backup. The rest works."
                .to_owned()
        }),
        text: if damaged == 0 { "none" } else { "see below" },
        note: "found by checksums since this server was started, and not repaired since",
    }
}

fn count(name: &'static str, count: u64, unit: &str) -> Figure {
    Figure {
        name,
        value: count.to_string(),
        text: texts::count(count) + unit,
    }
}
