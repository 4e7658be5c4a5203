//! What pages show of reports that were ordered.

use std::collections::BTreeMap;

use showreport_meta::{ReportFilter, Role};
use showreport_model::report::{Report, ReportStatus};
use showreport_model::{EventId, ReportId, Zone};

use super::choices::Choices;
use super::names::{name_of, window_of};
use crate::app::App;
use crate::auth::Visitor;
use crate::downloads::title;
use crate::error::ApiError;
use crate::extract::{Page, PageQuery};
use crate::pages::address::encoded;
use crate::pages::curl;
use crate::texts::{bytes, count, date_time};

/// A page of the list of reports.
pub(super) struct HistoryView {
    pub(super) rows: Vec<ReportRow>,
    /// The event that the list is limited to.
    pub(super) event: Option<String>,
    /// The address of the next page.
    pub(super) next: Option<String>,
    /// Whether a report of the page is being made.
    pub(super) is_moving: bool,
    pub(super) may_make: bool,
    pub(super) curl: String,
}

/// A report, as lists and its own page show it.
pub(crate) struct ReportRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) event_id: String,
    /// The address of the event's page.
    pub(crate) event_path: String,
    pub(crate) event_title: String,
    /// The filter by the clocks of the zone.
    pub(crate) window: Option<String>,
    pub(crate) format: &'static str,
    pub(crate) created_at: String,
    pub(crate) status: ReportStatus,
    pub(crate) progress_percent: u8,
    pub(crate) file: Option<FileView>,
    /// What is wrong, of a report that failed.
    pub(crate) failure: Option<String>,
}

/// The file of a report.
pub(crate) struct FileView {
    pub(crate) row_count: u64,
    pub(crate) row_count_text: String,
    pub(crate) size_bytes: u64,
    pub(crate) size_text: String,
    pub(crate) sha256: String,
}

impl HistoryView {
    pub(super) async fn read(
        app: &App,
        visitor: &Visitor,
        choices: &Choices,
        query: &PageQuery,
        zone: &Zone,
    ) -> Result<Self, ApiError> {
        let page: Page<ReportId> = query.read()?;
        // Another text is the id of no event, and the list of its reports is empty.
        let event = EventId::new(choices.event_id.as_str()).ok();
        let filter = ReportFilter {
            event: event.as_ref(),
            is_finished: visitor.role < Role::Analyst,
        };
        let reports = app.meta();
        let reports = reports.reports(&visitor.org, filter, page.after, page.limit());
        let mut reports = reports.await?;
        let next = page.cut(&mut reports, |report| report.id);
        let mut titles = BTreeMap::new();
        let mut rows = Vec::with_capacity(reports.len());
        for report in &reports {
            let event = &report.order.event;
            if !titles.contains_key(event) {
                titles.insert(event.clone(), title(app, &visitor.org, event).await?);
            }
            let title = titles.get(event).cloned().flatten();
            rows.push(ReportRow::new(report, title, zone));
        }
        let of_event = event
            .as_ref()
            .map(|id| format!("event_id={}", encoded(id.as_str())));
        let path = match &of_event {
            None => "/api/v1/reports".to_owned(),
            Some(of_event) => format!("/api/v1/reports?{of_event}"),
        };
        let next = next.map(|token| match of_event {
            None => format!("/reports?page_token={token}"),
            Some(of_event) => format!("/reports?{of_event}&page_token={token}"),
        });
        Ok(Self {
            is_moving: rows.iter().any(|row| row.status == ReportStatus::Running),
            may_make: visitor.role >= Role::Analyst,
            rows,
            event: event.map(|id| id.to_string()),
            next,
            curl: curl::read(app.config().base_url(), &path),
        })
    }
}

impl ReportRow {
    pub(crate) fn new(report: &Report, title: Option<String>, zone: &Zone) -> Self {
        let event_id = report.order.event.to_string();
        let title = title.filter(|title| !title.is_empty());
        Self {
            id: report.id.to_string(),
            name: name_of(&report.order),
            event_path: format!("/events/{}", encoded(&event_id)),
            event_title: title.unwrap_or_else(|| event_id.clone()),
            event_id,
            window: window_of(&report.order, zone),
            format: report.order.format.name(),
            created_at: date_time(report.created_at, zone),
            status: report.status,
            progress_percent: report.progress_percent,
            file: report.file.as_ref().map(|file| FileView {
                row_count: file.row_count,
                row_count_text: count(file.row_count),
                size_bytes: file.size_bytes,
                size_text: bytes(file.size_bytes),
                sha256: file.sha256.clone(),
            }),
            failure: report
                .failure
                .as_ref()
                .map(|failure| failure.message.clone()),
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.status == ReportStatus::Running
    }
}
