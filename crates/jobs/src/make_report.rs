//! The job that makes one report.
//!
//! It waits for its own event only, pins what it reads, writes to a path of
//! its own attempt and publishes with one statement. So it can be done twice,
//! by two workers at once, and still there is one file.

use anyhow::Context;
use fail::fail_point;
use showreport_lake::{ReportPath, Variant};
use showreport_meta::{ClaimedJob, ReportEnd, ReportTask};
use showreport_model::report::{Format, Pins, ReportFailure};
use showreport_model::{Damage, ErrorKind, Failure, ReportId};
use showreport_query::{Output, Progress, Query, Sink};

use crate::jobs::Jobs;

/// Attempts at a report before it fails for good. With the back-off between
/// them they span about four minutes.
pub(crate) const ATTEMPTS_MAX: u32 = 8;

/// Claims of a report before it fails for good, those included that were given back when the server
/// was stopped.
const CLAIMS_MAX: u32 = 3 * ATTEMPTS_MAX;

/// Makes and publishes the report; what it returns was not published.
pub(crate) async fn make_report(
    jobs: &Jobs,
    job: &ClaimedJob,
    task: &ReportTask,
    progress: Progress,
) -> anyhow::Result<()> {
    let order = &task.report.order;
    let pins = pinned(jobs, task).await?;
    progress(5);
    let id = task.report.id;
    let written = jobs
        .query
        .after(job.lost)
        .write_report(order, &pins, output(jobs, job, task), progress)
        .await
        .context("write the report file")?;
    fail_point!("report-after-file", |_| std::process::abort());
    let file = written.into_file(job.attempt);
    let now = jobs.meta.clock().now();
    let expires_at = now.saturating_add_millis(jobs.config.report_retention_ms);
    let published = jobs
        .meta
        .publish_report(job, id, &file, expires_at)
        .await
        .context("publish the report")?;
    if published != ReportEnd::Ended {
        tracing::warn!(report.id = %id, "the report was taken over or deleted meanwhile");
    }
    Ok(())
}

/// What the report is made from: pinned when it was asked for, or by an attempt
/// before, or now that the journal has been flushed.
async fn pinned(jobs: &Jobs, task: &ReportTask) -> anyhow::Result<Pins> {
    if let Some(pins) = &task.pins {
        return Ok(pins.clone());
    }
    let order = &task.report.order;
    jobs.flush_up_to(&order.org, &order.event, task.journal_last)
        .await?;
    let pins = jobs.pins(&order.org, &order.event).await?;
    jobs.meta
        .pin_report(task.report.id, &pins)
        .await
        .context("pin the facts")
}

fn output(jobs: &Jobs, job: &ClaimedJob, task: &ReportTask) -> Output {
    let files = jobs.lake.report_files();
    let order = &task.report.order;
    let create = |variant| -> Sink {
        let path = ReportPath::new(&order.org, task.report.id, job.attempt, variant);
        Box::new(files.create(&path))
    };
    // Only CSV has a guard, and so a text that differs from it.
    let raw = (order.format == Format::Csv).then(|| create(Variant::Raw));
    Output::new(create(Variant::Main), raw)
}

/// How a failed attempt goes on.
pub(crate) enum Verdict {
    /// It may work later.
    TryAgain,
    /// More was asked for than any report may have.
    Refuse(ReportFailure),
    /// It never will.
    Fail(ReportFailure),
}

/// Judges a failed attempt.
pub(crate) fn judge(error: &anyhow::Error, attempt: u32) -> Verdict {
    let query = error.downcast_ref::<showreport_query::Error>();
    if let Some(full @ showreport_query::Error::SheetFull { .. }) = query {
        return Verdict::Refuse(ReportFailure {
            reason: "XLSX_ROW_LIMIT".to_owned(),
            message: full.to_string(),
        });
    }
    if let Some(rows @ showreport_query::Error::TooManyRows(_)) = query {
        return Verdict::Refuse(ReportFailure {
            reason: "REPORT_ROW_LIMIT".to_owned(),
            message: rows.to_string(),
        });
    }
    // What is on the disk does not heal; the caller should learn of it at once.
    if let Some(damage) = Damage::below(error.as_ref()) {
        return Verdict::Fail(ReportFailure {
            reason: Damage::REASON.to_owned(),
            message: damage.to_string(),
        });
    }
    if attempt < ATTEMPTS_MAX {
        return Verdict::TryAgain;
    }
    let storage_is_full = kind_of(error) == Some(ErrorKind::StorageFull);
    Verdict::Fail(if storage_is_full {
        ReportFailure {
            reason: "STORAGE_FULL".to_owned(),
            message: "there was no room to write the file; ask again when there is".to_owned(),
        }
    } else {
        ReportFailure {
            reason: "INTERNAL".to_owned(),
            message: format!(
                "the report could not be made in {ATTEMPTS_MAX} attempts; the server's log says \
                 why under this report's id"
            ),
        }
    })
}

/// Whether a report has been lost too often to be tried once more, and what to say then. It is tried in
/// one way after the other, never twice in the same.
pub(crate) fn lost_too_often(job: &ClaimedJob) -> Option<ReportFailure> {
    let lost = job.lost;
    (lost >= Query::WAYS || job.attempt > CLAIMS_MAX).then(|| ReportFailure {
        reason: "INTERNAL".to_owned(),
        message: format!(
            "the report was begun {} times, and {lost} times the server ended, or stopped answering, \
             before it was made, though it took less memory each time; ask for less of it at once",
            job.attempt - 1
        ),
    })
}

pub(crate) fn kind_of(error: &anyhow::Error) -> Option<ErrorKind> {
    let query = error
        .downcast_ref::<showreport_query::Error>()
        .map(Failure::kind);
    let lake = || {
        error
            .downcast_ref::<showreport_lake::Error>()
            .map(Failure::kind)
    };
    let meta = || {
        error
            .downcast_ref::<showreport_meta::Error>()
            .map(Failure::kind)
    };
    query.or_else(lake).or_else(meta)
}

/// The report that a job is about.
pub(crate) fn report_of(job: &ClaimedJob) -> anyhow::Result<ReportId> {
    job.payload.parse().context("read the job's report id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_asks_for_too_much_is_refused_and_no_fault_of_ours() {
        let too_much = [
            (
                showreport_query::Error::SheetFull { rows_max: 7 },
                "XLSX_ROW_LIMIT",
            ),
            (
                showreport_query::Error::TooManyRows(showreport_query::error::TooManyRows {
                    rows_max: 7,
                }),
                "REPORT_ROW_LIMIT",
            ),
        ];
        for (error, reason) in too_much {
            match judge(&error.into(), 1) {
                Verdict::Refuse(failure) => assert_eq!(failure.reason, reason),
                Verdict::TryAgain | Verdict::Fail(_) => panic!("{reason} is no fault of ours"),
            }
        }
        let ours = anyhow::anyhow!("something else");
        assert!(matches!(judge(&ours, 1), Verdict::TryAgain));
        assert!(matches!(judge(&ours, ATTEMPTS_MAX), Verdict::Fail(_)));
    }
}
