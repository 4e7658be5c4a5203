//! The state of the newest period of a job: why the list of its reports ends where it does.

use serde::Serialize;
use showreport_model::bulk::ReportJob;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::ApiError;

/// The newest day that is over, and its report. Google's jobs do not have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PeriodStatus {
    /// `READY`; `NO_DATA` (the report has a header only); `TOO_EARLY` (records of the day are still
    /// expected, so the report is not made yet); `MAKING`; `ENDED` (the job makes no more reports).
    #[schema(example = "READY")]
    state: &'static str,
    /// The start of the day in its time zone.
    start_time: String,
    /// The first instant after the day.
    end_time: String,
    /// When the report is made at the earliest.
    due_time: String,
    /// Rows of the latest report of the day.
    #[serde(skip_serializing_if = "Option::is_none")]
    row_count: Option<u64>,
    /// The state in words.
    pub(crate) message: String,
}

/// The state of the newest day of a job that is over; `None` if the time zone has no such day.
pub(crate) async fn newest_period(
    app: &App,
    report_job: &ReportJob,
) -> Result<Option<PeriodStatus>, ApiError> {
    let zone = app.meta().zone(&report_job.org).await?;
    let made = app.meta().days_made(report_job.id).await?;
    let now = app.now();
    let today = zone.day_of(now);
    let mut over = (1..=2).map(|days| today.plus(-days));
    let found = over.find_map(|day| zone.bounds(day).map(|bounds| (day, bounds)));
    let Some((day, (start, end))) = found else {
        return Ok(None);
    };
    let due = app.jobs().day_closing().closes_at(end);
    let rows = made.get(&day).map(|made| made.last_row_count);
    let (state, message) = match rows {
        Some(0) => (
            "NO_DATA",
            format!("nothing was collected for {day}; its report has a header only"),
        ),
        Some(_) => ("READY", format!("the report of {day} is there")),
        None if report_job.ended_at.is_some() => (
            "ENDED",
            "the job has ended, since its reports were not downloaded; create it again".to_owned(),
        ),
        None if now < due => (
            "TOO_EARLY",
            format!("the report of {day} is made from {} on", due.to_proto()),
        ),
        None => ("MAKING", format!("the report of {day} is being made")),
    };
    Ok(Some(PeriodStatus {
        state,
        start_time: start.to_proto(),
        end_time: end.to_proto(),
        due_time: due.to_proto(),
        row_count: rows,
        message,
    }))
}
