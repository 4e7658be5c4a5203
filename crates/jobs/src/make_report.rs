//! [`MakeReport`]: makes the file of one event report.
//!
//! It waits only for the facts of its own event, and reads pinned versions of the tables. So it
//! can run twice, even at the same time, and one file is published.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use fail::fail_point;
use showreport_lake::{ReportPath, Variant};
use showreport_meta::{ClaimedJob, MAKE_REPORT, ReportEnd, ReportTask};
use showreport_model::report::{Format, Pins, ReportFailure};
use showreport_model::{Damage, ErrorChain, ErrorKind, Failure, ReportId};
use showreport_query::{Output, Progress, Sink};

use crate::error::{Doing, Error};
use crate::job::{Attempt, Job};
use crate::jobs::Jobs;

/// With the back-off between them, these attempts take about four minutes.
const ATTEMPTS_MAX: u32 = 8;

/// The payload of this job is the report's id.
pub(crate) struct MakeReport;

#[async_trait]
impl Job for MakeReport {
    fn name(&self) -> &'static str {
        MAKE_REPORT
    }

    /// A person waits for it.
    fn priority(&self) -> i64 {
        0
    }

    fn attempts_max(&self) -> Option<u32> {
        Some(ATTEMPTS_MAX)
    }

    async fn run(&self, attempt: &Attempt<'_>) -> Result<(), Error> {
        let Attempt { jobs, claimed, .. } = attempt;
        let id = report_of(claimed)?;
        let task = jobs.meta.report_task(id).await.doing("load the report")?;
        let Some(task) = task else {
            // The report was deleted.
            return attempt.finish().await;
        };
        let began = Instant::now();
        let percent = Arc::new(AtomicU8::new(0));
        let progress = {
            let percent = Arc::clone(&percent);
            Arc::new(move |now| percent.store(now, Ordering::Relaxed))
        };
        let made = tokio::select! {
            made = make(jobs, claimed, &task, progress) => made,
            never = store_progress(jobs, id, &percent) => match never {},
        };
        let duration = began.elapsed();
        let outcome = match &made {
            Ok(()) => "succeeded",
            Err(error) if error.is_too_large() => "refused",
            Err(_) => "failed",
        };
        let dimension = task.report.order.dimension.name();
        jobs.metrics
            .report_ended(dimension, outcome, duration.as_secs_f64());
        if made.is_ok() {
            let duration_ms = duration.as_millis();
            tracing::info!(report.id = %id, dimension, duration_ms, "made a report");
        }
        made
    }

    async fn give_up(&self, attempt: &Attempt<'_>, error: &Error) -> Result<(), Error> {
        let Attempt { jobs, claimed, .. } = attempt;
        let id = report_of(claimed)?;
        let failure = failure(error);
        if error.is_too_large() {
            tracing::info!(report.id = %id, reason = failure.reason, "a report asks for too much");
        } else {
            let (attempt, error) = (claimed.attempt, ErrorChain(error).to_string());
            tracing::error!(report.id = %id, attempt, error, "a report failed");
        }
        let failed = jobs.meta.fail_report(claimed, id, &failure).await;
        failed.doing("store that the report failed").map(drop)
    }
}

fn report_of(claimed: &ClaimedJob) -> Result<ReportId, Error> {
    claimed.payload.parse().map_err(Error::payload)
}

/// Makes the file and publishes it.
async fn make(
    jobs: &Jobs,
    claimed: &ClaimedJob,
    task: &ReportTask,
    progress: Progress,
) -> Result<(), Error> {
    let order = &task.report.order;
    let pins = pinned(jobs, task).await?;
    progress(5);
    let id = task.report.id;
    let written = jobs
        .query
        .after(claimed.lost)
        .write_report(order, &pins, output(jobs, claimed, task), progress)
        .await
        .doing("write the report file")?;
    fail_point!("report-after-file", |_| std::process::abort());
    let file = written.into_file(claimed.attempt);
    let now = jobs.meta.clock().now();
    let expires_at = now.saturating_add_millis(jobs.config.report_retention_ms);
    let published = jobs
        .meta
        .publish_report(claimed, id, &file, expires_at)
        .await
        .doing("publish the report")?;
    if published != ReportEnd::Ended {
        tracing::warn!(
            report.id = %id,
            "a report was not published: another worker has claimed it, or it was deleted"
        );
    }
    Ok(())
}

/// What the report is made from: pinned when it was created, by an earlier attempt, or now that
/// the journal has been flushed.
async fn pinned(jobs: &Jobs, task: &ReportTask) -> Result<Pins, Error> {
    if let Some(pins) = &task.pins {
        return Ok(pins.clone());
    }
    let order = &task.report.order;
    jobs.flush_up_to(&order.org, &order.event, task.journal_last)
        .await?;
    let pins = jobs.pins(&order.org, &order.event).await?;
    let pinned = jobs.meta.pin_report(task.report.id, &pins).await;
    pinned.doing("pin the facts")
}

fn output(jobs: &Jobs, claimed: &ClaimedJob, task: &ReportTask) -> Output {
    let files = jobs.lake.report_files();
    let order = &task.report.order;
    let create = |variant| -> Sink {
        let path = ReportPath::new(&order.org, task.report.id, claimed.attempt, variant);
        Box::new(files.create(&path))
    };
    // Only CSV is guarded against formulas, so only CSV has a text that differs from its file.
    let raw = (order.format == Format::Csv).then(|| create(Variant::Raw));
    Output::new(create(Variant::Main), raw)
}

/// Stores the progress whenever it has changed, until the report is made.
async fn store_progress(jobs: &Jobs, id: ReportId, percent: &AtomicU8) -> Infallible {
    let mut ticks = tokio::time::interval(jobs.config.lease_part(PROGRESS_PER_LEASE));
    let mut stored = 0;
    loop {
        ticks.tick().await;
        let now = percent.load(Ordering::Relaxed);
        if now != stored {
            stored = now;
            if let Err(error) = jobs.meta.set_progress(id, now).await {
                tracing::warn!(%error, "progress could not be stored");
            }
        }
    }
}

/// How often progress is stored: with the usual lease, once a second.
const PROGRESS_PER_LEASE: u64 = 30;

/// The failure that is stored with a report that is given up.
fn failure(error: &Error) -> ReportFailure {
    let (reason, message) = if let Some((reason, bound)) = error.too_large() {
        (reason, bound.to_string())
    } else if let Some(damage) = error.damage() {
        (Damage::REASON, damage.to_string())
    } else if let Error::Lost { begun, lost } = error {
        (
            "INTERNAL",
            format!(
                "the report was begun {begun} times, and {lost} times the server ended, or stopped \
                 answering, before it was made, though it took less memory each time; ask for less \
                 of it at once"
            ),
        )
    } else if error.kind() == ErrorKind::StorageFull {
        (
            "STORAGE_FULL",
            "there was no room to write the file; ask again when there is".to_owned(),
        )
    } else {
        (
            "INTERNAL",
            format!(
                "the report could not be made in {ATTEMPTS_MAX} attempts; the server's log says \
                 why under this report's id"
            ),
        )
    };
    ReportFailure {
        reason: reason.to_owned(),
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_query(source: showreport_query::Error) -> Error {
        let done: Result<(), _> = Err(source);
        done.doing("write the report file").unwrap_err()
    }

    #[test]
    fn a_report_that_is_too_large_is_refused_at_once_and_other_failures_are_tried_again() {
        let rows_max = 7;
        let too_large = [
            (
                showreport_query::Error::SheetFull { rows_max },
                "XLSX_ROW_LIMIT",
            ),
            (
                showreport_query::Error::TooManyRows(showreport_query::error::TooManyRows {
                    rows_max,
                }),
                "REPORT_ROW_LIMIT",
            ),
        ];
        for (source, reason) in too_large {
            let error = of_query(source);
            assert!(error.is_too_large() && error.is_final(), "{reason}");
            assert_eq!(failure(&error).reason, reason);
        }
        let stopped = of_query(showreport_query::Error::Stopped);
        assert!(!stopped.is_too_large() && !stopped.is_final());
        assert_eq!(failure(&stopped).reason, "INTERNAL");
    }

    #[test]
    fn a_damaged_file_fails_a_report_at_once_and_is_named() {
        let damage = Damage {
            file: "store/lake/spans/1.parquet".to_owned(),
            problem: "it is missing".to_owned(),
        };
        let message = damage.to_string();
        let error = of_query(showreport_query::Error::Damaged { damage });
        assert!(error.is_final() && !error.is_too_large());
        let failure = failure(&error);
        assert_eq!(
            (failure.reason, failure.message),
            (Damage::REASON.to_owned(), message)
        );
    }
}
