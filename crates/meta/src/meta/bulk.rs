//! Bulk reports: ordered, due, made, published, restated, forgotten.

use std::collections::{BTreeMap, BTreeSet};

use showreport_model::bulk::{
    BulkReport, BulkReportId, DAYS_BEFORE, DirtyDay, ReportJob, ReportType,
};
use showreport_model::{OrgId, ReportDay, ReportId, ReportJobId, Timestamp};

use super::Meta;
use crate::bulk_reports::{BulkFilter, DayMade, NewBulkReport};
use crate::database::to_json;
use crate::day_files::DayFile;
use crate::dirty_events::{DirtyEvent, DirtyOrg};
use crate::error::Error;
use crate::queue::{ClaimedJob, MAKE_BULK_REPORT, NewJob};
use crate::report_jobs::Turn;
use crate::room::Addition;
use crate::{bulk_reports, day_files, dirty_days, dirty_events, orgs, queue, report_jobs, room};

/// What a worker needs to make the file of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkReportTask {
    /// What it is made for.
    pub report_job: ReportJob,
    /// The day.
    pub day: ReportDay,
    /// Where the file will lie.
    pub file_id: ReportId,
    /// The number of the reason that the worker knows.
    number: i64,
}

/// What became of a file that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// It is a report.
    New(Box<BulkReport>),
    /// The latest report of the day says the same; nobody needs the file.
    Unchanged,
    /// There is no reason any more to make it; nobody needs the file.
    Unwanted,
    /// Another worker has taken the job over, and may write beside it.
    TakenOver,
}

impl Meta {
    /// Gives a report job, which covers the days before it too. One of a type may be in force.
    pub async fn create_report_job(
        &self,
        org: &OrgId,
        report_type: ReportType,
        name: &str,
    ) -> Result<ReportJob, Error> {
        let now = self.shared.clock.now();
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        let zone = orgs::zone(&mut *write, org).await?;
        let report_job = ReportJob {
            id: ReportJobId::generate(),
            org: org.clone(),
            report_type,
            name: name.to_owned(),
            created_at: now,
            first_day: zone.day_of(now).plus(-DAYS_BEFORE),
            fetched_at: now,
            ends_at: None,
            ended_at: None,
        };
        report_jobs::insert(&mut write, &report_job).await?;
        write.commit().await?;
        self.shared.report_job_created.notify_one();
        Ok(report_job)
    }

    /// Waits until this process is given a report job. One that came while nobody waited counts.
    pub async fn report_job_created(&self) {
        self.shared.report_job_created.notified().await;
    }

    /// A report job of an organisation.
    pub async fn report_job(&self, org: &OrgId, id: ReportJobId) -> Result<ReportJob, Error> {
        report_jobs::find(self.shared.database.readers(), org, id).await
    }

    /// All report jobs of an organisation, newest first, those that have ended included.
    pub async fn report_jobs(&self, org: &OrgId) -> Result<Vec<ReportJob>, Error> {
        report_jobs::of_org(self.shared.database.readers(), org).await
    }

    /// All report jobs of all organisations, for whoever runs the installation.
    pub async fn all_report_jobs(&self) -> Result<Vec<ReportJob>, Error> {
        report_jobs::all(self.shared.database.readers()).await
    }

    /// The report jobs in force of all organisations, those of one together.
    pub async fn report_jobs_in_force(&self) -> Result<Vec<Result<ReportJob, Error>>, Error> {
        report_jobs::in_force(self.shared.database.readers()).await
    }

    /// Deletes a report job with all its reports. Gives where their files
    /// lie, for the caller to remove.
    pub async fn delete_report_job(
        &self,
        org: &OrgId,
        id: ReportJobId,
    ) -> Result<Vec<ReportId>, Error> {
        let database = &self.shared.database;
        let write = || async move {
            let mut writer = database.writer().await;
            let mut write = writer.begin_protected().await?;
            let mut files = bulk_reports::files(&mut *write, org, id).await?;
            let due = dirty_days::of_report_job(&mut *write, id).await?;
            report_jobs::delete(&mut write, org, id).await?;
            for (day, file_id) in due {
                queue::cancel(&mut write, &unique_key(id, day)).await?;
                files.push(file_id);
            }
            write.commit().await?;
            Ok(files)
        };
        database.protect(write).await
    }

    /// Notes that somebody fetched a report of the report job, so that it does not end.
    pub async fn note_fetched(&self, org: &OrgId, id: ReportJobId) -> Result<(), Error> {
        let now = self.shared.clock.now();
        self.turn((org, id), Turn::Fetched, now).await?;
        Ok(())
    }

    /// Tells that a report job will end then. False: it was told before, or is over.
    pub async fn announce_end(
        &self,
        org: &OrgId,
        id: ReportJobId,
        ends_at: Timestamp,
    ) -> Result<bool, Error> {
        self.turn((org, id), Turn::AnnounceEnd, ends_at).await
    }

    /// Ends a report job whose announced end has come. False: it has not, or not any more.
    pub async fn end_report_job(&self, org: &OrgId, id: ReportJobId) -> Result<bool, Error> {
        let now = self.shared.clock.now();
        self.turn((org, id), Turn::End, now).await
    }

    async fn turn(
        &self,
        report_job: (&OrgId, ReportJobId),
        turn: Turn,
        at: Timestamp,
    ) -> Result<bool, Error> {
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        let turned = report_jobs::turn(&mut write, report_job, turn, at).await?;
        write.commit().await?;
        Ok(turned)
    }

    /// Removes orders that have ended and whose last report is gone.
    pub async fn forget_ended_orders(&self) -> Result<(), Error> {
        let database = &self.shared.database;
        let write = || async move {
            let mut writer = database.writer().await;
            let mut write = writer.begin_protected().await?;
            report_jobs::forget_ended(&mut write).await?;
            write.commit().await
        };
        database.protect(write).await
    }

    /// What there is of each day of a report job.
    pub async fn days_made(
        &self,
        report_job: ReportJobId,
    ) -> Result<BTreeMap<ReportDay, DayMade>, Error> {
        bulk_reports::days(self.shared.database.readers(), report_job).await
    }

    /// The days of a report job whose file is to be made.
    pub async fn dirty_days(&self, report_job: ReportJobId) -> Result<BTreeSet<ReportDay>, Error> {
        let due = dirty_days::of_report_job(self.shared.database.readers(), report_job).await?;
        Ok(due.into_iter().map(|(day, _)| day).collect())
    }

    /// Gives a reason to make the files of these days.
    pub async fn mark_days_dirty(
        &self,
        report_job: ReportJobId,
        days: &[ReportDay],
    ) -> Result<(), Error> {
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        dirty_days::want(&mut write, days.iter().map(|&day| (report_job, day))).await?;
        write.commit().await
    }

    /// Queues the making of these days of an organisation's report job, but for those that are queued
    /// already.
    pub async fn queue_days(
        &self,
        org: &OrgId,
        report_job: ReportJobId,
        days: &[ReportDay],
    ) -> Result<(), Error> {
        let now = self.shared.clock.now();
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        for &day in days {
            let job = NewJob {
                org,
                name: MAKE_BULK_REPORT,
                payload: &to_json(&DirtyDay { report_job, day }),
                unique_key: &unique_key(report_job, day),
                run_at: now,
            };
            queue::insert(&mut write, job, now).await?;
        }
        write.commit().await?;
        for _ in days {
            self.shared.job_added.notify_one();
        }
        Ok(())
    }

    /// What a worker needs to make the file of a day. None: there is no reason to, any more.
    pub async fn bulk_report_task(&self, due: &DirtyDay) -> Result<Option<BulkReportTask>, Error> {
        let report_job = self.report_job_in_force(due.report_job).await?;
        let found =
            dirty_days::find(self.shared.database.readers(), due.report_job, due.day).await?;
        Ok(found
            .zip(report_job)
            .map(|((number, file_id), report_job)| BulkReportTask {
                report_job,
                day: due.day,
                file_id,
                number,
            }))
    }

    /// A report job, if it is in force. Where it is not among those that can be read, one that cannot may be it.
    async fn report_job_in_force(&self, id: ReportJobId) -> Result<Option<ReportJob>, Error> {
        let mut damaged = None;
        for report_job in self.report_jobs_in_force().await? {
            match report_job {
                Ok(report_job) if report_job.id == id => return Ok(Some(report_job)),
                Ok(_) => {}
                Err(error) => damaged = Some(error),
            }
        }
        damaged.map_or(Ok(None), Err)
    }

    /// Publishes the file of a day, if it says anything new, and finishes the job.
    pub async fn publish_bulk_report(
        &self,
        job: &ClaimedJob,
        task: &BulkReportTask,
        new: &NewBulkReport,
    ) -> Result<Published, Error> {
        let now = self.shared.clock.now();
        let (report_job, day) = (task.report_job.id, task.day);
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        if !queue::finish(&mut write, job).await? {
            return Ok(Published::TakenOver);
        }
        if dirty_days::find(&mut *write, report_job, day)
            .await?
            .is_none()
        {
            write.commit().await?;
            return Ok(Published::Unwanted);
        }
        let latest = bulk_reports::latest(&mut *write, report_job, day).await?;
        // Bytes alone do not tell: a day without facts is the same in every zone, and begins elsewhere.
        let says_the_same = latest.as_ref().is_some_and(|latest| {
            let bounds = (latest.starts_at, latest.ends_at);
            latest.file.sha256 == new.file.sha256 && bounds == new.bounds
        });
        let published = if says_the_same {
            Published::Unchanged
        } else {
            let supersedes = latest.map(|latest| latest.id);
            let place = (report_job, day, task.file_id);
            let report = bulk_reports::insert(&mut write, place, new, supersedes, now).await?;
            Published::New(Box::new(report))
        };
        dirty_days::done(&mut write, report_job, day, task.number).await?;
        write.commit().await?;
        Ok(published)
    }

    /// A report of an organisation's report job.
    pub async fn bulk_report(
        &self,
        org: &OrgId,
        report_job: ReportJobId,
        id: BulkReportId,
    ) -> Result<BulkReport, Error> {
        bulk_reports::find(self.shared.database.readers(), org, report_job, id).await
    }

    /// Reports of an organisation's report job, newest first.
    pub async fn bulk_reports(
        &self,
        org: &OrgId,
        report_job: ReportJobId,
        filter: BulkFilter,
        limit: u32,
    ) -> Result<Vec<BulkReport>, Error> {
        let readers = self.shared.database.readers();
        bulk_reports::list(readers, (org, report_job), filter, limit).await
    }

    /// Bulk reports of all organisations that are past their time, oldest first. A row that is
    /// damaged is an error of its own.
    pub async fn expired_bulk_reports(
        &self,
        limit: u32,
    ) -> Result<Vec<Result<(OrgId, BulkReport), Error>>, Error> {
        let now = self.shared.clock.now();
        bulk_reports::expired(self.shared.database.readers(), now, limit).await
    }

    /// Removes a bulk report whose file is gone.
    pub async fn forget_bulk_report(&self, id: BulkReportId) -> Result<(), Error> {
        let database = &self.shared.database;
        let write = || async move {
            let mut writer = database.writer().await;
            let mut write = writer.begin_protected().await?;
            bulk_reports::delete(&mut write, id).await?;
            write.commit().await
        };
        database.protect(write).await
    }

    /// The organisations of which something was said since their days were last looked at.
    pub async fn dirty_orgs(&self) -> Result<Vec<DirtyOrg>, Error> {
        dirty_events::orgs(self.shared.database.readers()).await
    }

    /// Since when the oldest event of an organisation waits to be looked at that has facts from
    /// before an instant.
    pub async fn dirty_since(
        &self,
        org: &OrgId,
        before: Timestamp,
    ) -> Result<Option<Timestamp>, Error> {
        dirty_events::waiting_since(self.shared.database.readers(), org, before).await
    }

    /// Since when the oldest unfinished job of bulk reports is queued.
    pub async fn bulk_queued_since(&self) -> Result<Option<Timestamp>, Error> {
        queue::queued_since(self.shared.database.readers(), MAKE_BULK_REPORT).await
    }

    /// The events of which something was said, at most `limit`. They are given again
    /// at the next call, until the caller says that it has looked at them.
    pub async fn take_dirty_events(
        &self,
        org: &OrgId,
        limit: u32,
    ) -> Result<Vec<DirtyEvent>, Error> {
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        let events = dirty_events::take(&mut write, org, limit).await?;
        write.commit().await?;
        Ok(events)
    }

    /// Forgets events that were looked at, and gives a reason to make these days again.
    pub async fn resolve_dirty_events(
        &self,
        org: &OrgId,
        events: &[DirtyEvent],
        days: &[(ReportJobId, ReportDay)],
    ) -> Result<(), Error> {
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        dirty_days::want(&mut write, days.iter().copied()).await?;
        dirty_events::forget(&mut write, org, events).await?;
        write.commit().await
    }

    /// Refuses where the organisation may have no more files made at a request.
    pub async fn ensure_day_file_room(&self, org: &OrgId) -> Result<(), Error> {
        let mut read = self.shared.database.snapshot().await?;
        room::ensure(&mut read, &self.shared.quotas, org, Addition::DayFile).await
    }

    /// Refuses where the organisation may have no more bytes of files.
    pub async fn ensure_bulk_report_room(&self, org: &OrgId) -> Result<(), Error> {
        let mut read = self.shared.database.snapshot().await?;
        room::ensure(&mut read, &self.shared.quotas, org, Addition::BulkReport).await
    }

    /// Notes a file that was made at a request.
    pub async fn add_day_file(&self, file: &DayFile) -> Result<(), Error> {
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        day_files::insert(&mut write, file).await?;
        write.commit().await
    }

    /// A file that was made at a request, for who has its link.
    pub async fn day_file(&self, id: ReportId) -> Result<Option<DayFile>, Error> {
        day_files::find(self.shared.database.readers(), id).await
    }

    /// Such files of all organisations that are past their time. A row that is damaged is an error
    /// of its own.
    pub async fn expired_day_files(
        &self,
        limit: u32,
    ) -> Result<Vec<Result<DayFile, Error>>, Error> {
        let now = self.shared.clock.now();
        day_files::expired(self.shared.database.readers(), now, limit).await
    }

    /// Forgets such a file, which is gone.
    pub async fn forget_day_file(&self, id: ReportId) -> Result<(), Error> {
        let database = &self.shared.database;
        let write = || async move {
            let mut writer = database.writer().await;
            let mut write = writer.begin_protected().await?;
            day_files::delete(&mut write, id).await?;
            write.commit().await
        };
        database.protect(write).await
    }
}

fn unique_key(report_job: ReportJobId, day: ReportDay) -> String {
    format!("{MAKE_BULK_REPORT}:{report_job}:{day}")
}

#[cfg(test)]
mod tests;
