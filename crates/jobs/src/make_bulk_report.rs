//! The job that makes the file of one day for a report job.
//!
//! It takes in what was acknowledged before it began, writes to a place of its
//! own and publishes only what differs from the day's latest report. A reason
//! to make the day that comes up meanwhile outlives it.

use anyhow::{Context, bail};
use showreport_lake::{ReportPath, Variant};
use showreport_meta::{BulkReportTask, ClaimedJob, NewBulkReport, Published};
use showreport_model::bulk::{DayOrder, DirtyDay, ReportType};
use showreport_model::{OrgId, ReportDay, ReportId, ReportJobId, Window, Zone};
use showreport_query::{Output, Rendered, Sink};

use crate::jobs::Jobs;

/// What came of a job.
pub(crate) struct Made {
    pub(crate) report_job: ReportJobId,
    pub(crate) org: OrgId,
    pub(crate) day: ReportDay,
    pub(crate) report_type: ReportType,
    /// What became of it.
    pub(crate) outcome: Outcome,
    /// Where its file is.
    pub(crate) file_id: ReportId,
}

/// What became of a day's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Published.
    New,
    /// Published in the place of another that said something else.
    Restated,
    /// Not published: it says what the day's latest report says.
    Unchanged,
    /// Not published: nobody wants it any more.
    Unwanted,
}

impl Outcome {
    /// How metrics and the log call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Restated => "restated",
            Self::Unchanged => "unchanged",
            Self::Unwanted => "unwanted",
        }
    }

    /// Whether the file is to be removed.
    pub(crate) const fn leaves_a_file(self) -> bool {
        matches!(self, Self::Unchanged | Self::Unwanted)
    }
}

/// The file of a day that nobody knows of yet.
pub(crate) struct Draft {
    task: BulkReportTask,
    new: NewBulkReport,
}

/// Writes the file. Nothing, if nobody wants it any more; then the job has ended.
pub(crate) async fn draft_bulk_report(
    jobs: &Jobs,
    job: &ClaimedJob,
) -> anyhow::Result<Option<Draft>> {
    let due: DirtyDay = serde_json::from_str(&job.payload).context("read which day is due")?;
    let task = jobs
        .meta
        .bulk_report_task(&due)
        .await
        .context("load what is due")?;
    let Some(task) = task else {
        jobs.meta.finish_job(job).await.context("finish the job")?;
        return Ok(None);
    };
    let report_job = &task.report_job;
    let has_room = jobs.meta.ensure_bulk_report_room(&report_job.org).await;
    has_room.context("look for room for a bulk report")?;
    let zone = jobs
        .meta
        .zone(&report_job.org)
        .await
        .context("read the zone")?;
    let question = day_order(&report_job.org, report_job.report_type, &zone, task.day)?;
    let output = output(jobs, job, &task);
    let jobs = &jobs.after(job.lost);
    let written = jobs.write_day(&question, output).await?;
    let new = NewBulkReport {
        bounds: zone.bounds(task.day).context("find the ends of the day")?,
        zone: zone.name().to_owned(),
        file: written.into_file(job.attempt),
        retention_ms: jobs.config.bulk_retention_ms,
    };
    Ok(Some(Draft { task, new }))
}

/// Publishes the file, if it says anything new, and ends the job.
pub(crate) async fn publish_bulk_report(
    jobs: &Jobs,
    job: &ClaimedJob,
    draft: Draft,
) -> anyhow::Result<Option<Made>> {
    let Draft { task, new } = draft;
    // Making it takes long; the clock may have gone forward meanwhile.
    if jobs.meta.is_clock_in_doubt().await? {
        let files = jobs.lake.report_files();
        files.delete_all(&task.report_job.org, task.file_id).await?;
        bail!("the clock is in doubt");
    }
    let published = jobs.meta.publish_bulk_report(job, &task, &new).await;
    let outcome = match published.context("publish the bulk report")? {
        Published::New(report) if report.supersedes.is_some() => Outcome::Restated,
        Published::New(_) => Outcome::New,
        Published::Unchanged => Outcome::Unchanged,
        Published::Unwanted => Outcome::Unwanted,
        // The other one may be writing to the same place.
        Published::TakenOver => return Ok(None),
    };
    let report_job = task.report_job;
    Ok(Some(Made {
        report_job: report_job.id,
        org: report_job.org,
        day: task.day,
        report_type: report_job.report_type,
        outcome,
        file_id: task.file_id,
    }))
}

/// The question for a day of an organisation's zone.
pub(crate) fn day_order(
    org: &OrgId,
    report_type: ReportType,
    zone: &Zone,
    day: ReportDay,
) -> anyhow::Result<DayOrder> {
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
    /// The same work, with the engine of a question that was lost so often.
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
    ) -> anyhow::Result<Rendered> {
        let zone = self.meta.zone(org).await.context("read the zone")?;
        let question = day_order(org, report_type, &zone, day)?;
        self.write_day(&question, output).await
    }

    async fn write_day(&self, question: &DayOrder, output: Output) -> anyhow::Result<Rendered> {
        self.flush_org(&question.org).await?;
        let heads = self.meta.heads().await.context("read the heads")?;
        let events = self
            .query
            .events_of_day(question, &heads)
            .await
            .context("find the events of the day")?;
        let known = self.meta.events_by_id(&question.org, &events).await;
        let known = known.context("read what the events are")?;
        self.query
            .write_bulk_report(question, &heads, known, output)
            .await
            .context("write the file of the day")
    }
}

fn output(jobs: &Jobs, job: &ClaimedJob, task: &BulkReportTask) -> Output {
    let files = jobs.lake.report_files();
    let create = |variant| -> Sink {
        let path = ReportPath::new(&task.report_job.org, task.file_id, job.attempt, variant);
        Box::new(files.create(&path))
    };
    Output::new(create(Variant::Main), Some(create(Variant::Raw)))
}
