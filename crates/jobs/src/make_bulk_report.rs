//! [`MakeBulkReport`]: makes the file of one day for a report job.
//!
//! It reads everything that was acknowledged before it began, writes to files of its own, and
//! publishes the file only if it differs from the day's latest report. Facts that arrive meanwhile
//! make the day dirty again.

use std::time::Instant;

use async_trait::async_trait;
use showreport_lake::{ReportPath, Variant};
use showreport_meta::{BulkReportTask, ClaimedJob, MAKE_BULK_REPORT, NewBulkReport, Published};
use showreport_model::bulk::{DayOrder, DirtyDay, ReportType};
use showreport_model::time::NoSuchDay;
use showreport_model::{OrgId, ReportDay, Window, Zone};
use showreport_query::{Output, Rendered, Sink};

use crate::error::{Doing, Error};
use crate::job::{Attempt, Job};
use crate::jobs::Jobs;

/// The payload of this job is the day, as JSON.
pub(crate) struct MakeBulkReport;

#[async_trait]
impl Job for MakeBulkReport {
    fn name(&self) -> &'static str {
        MAKE_BULK_REPORT
    }

    fn priority(&self) -> i64 {
        1
    }

    /// Its report job expects a report of each day.
    fn attempts_max(&self) -> Option<u32> {
        None
    }

    async fn run(&self, attempt: &Attempt<'_>) -> Result<(), Error> {
        let Attempt { jobs, claimed, .. } = attempt;
        jobs.demand_clock().await?;
        let began = Instant::now();
        let written = write(jobs, claimed).await;
        let ended = match written {
            Ok(Some(written)) => {
                // An attempt that stopped between publishing and deleting would leave a file that
                // no row of the database names.
                attempt.set_must_finish();
                publish(jobs, claimed, written, began).await
            }
            Ok(None) => attempt.finish().await,
            Err(error) => Err(error),
        };
        ended.inspect_err(|_| jobs.metrics.bulk_failed())
    }
}

/// The file of a day that is not published.
struct Written {
    task: BulkReportTask,
    new: NewBulkReport,
}

/// Writes the file. None: the day is no longer due.
async fn write(jobs: &Jobs, claimed: &ClaimedJob) -> Result<Option<Written>, Error> {
    let due: DirtyDay = serde_json::from_str(&claimed.payload).map_err(Error::payload)?;
    let task = jobs
        .meta
        .bulk_report_task(&due)
        .await
        .doing("load what is due")?;
    let Some(task) = task else {
        return Ok(None);
    };
    let report_job = &task.report_job;
    let has_room = jobs.meta.ensure_bulk_report_room(&report_job.org).await;
    has_room.doing("look for room for a bulk report")?;
    let zone = jobs
        .meta
        .zone(&report_job.org)
        .await
        .doing("read the zone")?;
    let question = day_order(&report_job.org, report_job.report_type, &zone, task.day)?;
    let bounds = zone.day(task.day)?;
    let output = output(jobs, claimed, &task);
    let jobs = &jobs.after(claimed.lost);
    let written = jobs.write_day(&question, output).await?;
    let new = NewBulkReport {
        bounds,
        zone: zone.name().to_owned(),
        file: written.into_file(claimed.attempt),
        retention_ms: jobs.config.bulk_retention_ms,
    };
    Ok(Some(Written { task, new }))
}

/// Publishes the file if it differs from the day's latest, and deletes it otherwise. Ends the job.
async fn publish(
    jobs: &Jobs,
    claimed: &ClaimedJob,
    written: Written,
    began: Instant,
) -> Result<(), Error> {
    let Written { task, new } = written;
    let report_job = &task.report_job;
    let delete = async || {
        let files = jobs.lake.report_files();
        let deleted = files.delete_all(&report_job.org, task.file_id).await;
        deleted.doing("delete a file that was not published")
    };
    // The file took long to write; the clock may have jumped meanwhile.
    if let Err(error) = jobs.demand_clock().await {
        delete().await?;
        return Err(error);
    }
    let published = jobs.meta.publish_bulk_report(claimed, &task, &new).await;
    let outcome = match published.doing("publish the bulk report")? {
        Published::New(report) if report.supersedes.is_some() => "restated",
        Published::New(_) => "new",
        Published::Unchanged => {
            delete().await?;
            "unchanged"
        }
        Published::Unwanted => {
            delete().await?;
            "unwanted"
        }
        // The worker that has claimed the job may be writing to the same files.
        Published::TakenOver => return Ok(()),
    };
    jobs.metrics.bulk_made(report_job.report_type, outcome);
    tracing::info!(
        report_job.id = %report_job.id,
        day = %task.day,
        report_type = %report_job.report_type,
        outcome,
        duration_ms = began.elapsed().as_millis(),
        "made a bulk report"
    );
    Ok(())
}

/// The question for a day of an organisation's zone.
pub(crate) fn day_order(
    org: &OrgId,
    report_type: ReportType,
    zone: &Zone,
    day: ReportDay,
) -> Result<DayOrder, NoSuchDay> {
    let (start, end) = zone.day(day)?;
    Ok(DayOrder {
        org: org.clone(),
        report_type,
        day,
        window: Window {
            start: Some(start),
            end: Some(end),
        },
    })
}

impl Jobs {
    /// The same, with the memory profile of an attempt after so many lost ones.
    fn after(&self, lost: u32) -> Self {
        Self {
            query: self.query.after(lost),
            ..self.clone()
        }
    }

    /// Writes the file of a day of an organisation, from everything acknowledged so far.
    pub async fn write_bulk_day(
        &self,
        org: &OrgId,
        report_type: ReportType,
        day: ReportDay,
        output: Output,
    ) -> Result<Rendered, Error> {
        let zone = self.meta.zone(org).await.doing("read the zone")?;
        let question = day_order(org, report_type, &zone, day)?;
        self.write_day(&question, output).await
    }

    async fn write_day(&self, question: &DayOrder, output: Output) -> Result<Rendered, Error> {
        self.flush_org(&question.org).await?;
        let heads = self.meta.heads().await.doing("read the heads")?;
        let events = self
            .query
            .events_of_day(question, &heads)
            .await
            .doing("find the events of the day")?;
        let known = self.meta.events_by_id(&question.org, &events).await;
        let known = known.doing("read what the events are")?;
        self.query
            .write_bulk_report(question, &heads, known, output)
            .await
            .doing("write the file of the day")
    }
}

fn output(jobs: &Jobs, claimed: &ClaimedJob, task: &BulkReportTask) -> Output {
    let files = jobs.lake.report_files();
    let create = |variant| -> Sink {
        let path = ReportPath::new(&task.report_job.org, task.file_id, claimed.attempt, variant);
        Box::new(files.create(&path))
    };
    Output::new(create(Variant::Main), Some(create(Variant::Raw)))
}
