//! Bulk reports: ordered, due, made, published, restated, forgotten.

use std::collections::{BTreeMap, BTreeSet};

use showreport_model::bulk::{
    BulkReport, BulkReportId, DAYS_BEFORE, DueDay, ReportType, StandingOrder,
};
use showreport_model::{OrgId, ReportDay, ReportId, StandingOrderId, Timestamp};

use super::Meta;
use crate::bulk_reports::{BulkFilter, DayMade, NewBulkReport};
use crate::database::to_json;
use crate::day_files::DayFile;
use crate::error::Error;
use crate::queue::{ClaimedJob, MAKE_BULK_REPORT, NewJob};
use crate::room::Addition;
use crate::standing_orders::Turn;
use crate::touched::{TouchedEvent, TouchedOrg};
use crate::{bulk_reports, day_files, due_days, orgs, queue, room, standing_orders, touched};

/// What a worker needs to make the file of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueTask {
    /// What it is made for.
    pub order: StandingOrder,
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
    /// Gives a standing order, which covers the days before it too. One of a type may be in force.
    pub async fn create_standing_order(
        &self,
        org: &OrgId,
        report_type: ReportType,
        name: &str,
    ) -> Result<StandingOrder, Error> {
        let now = self.shared.clock.now();
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        let zone = orgs::zone(&mut *write, org).await?;
        let order = StandingOrder {
            id: StandingOrderId::generate(),
            org: org.clone(),
            report_type,
            name: name.to_owned(),
            created_at: now,
            first_day: zone.day_of(now).plus(-DAYS_BEFORE),
            fetched_at: now,
            ends_at: None,
            ended_at: None,
        };
        standing_orders::insert(&mut write, &order).await?;
        write.commit().await?;
        self.shared.order_given.notify_one();
        Ok(order)
    }

    /// Waits until this process is given an order. One that came while nobody waited counts.
    pub async fn order_given(&self) {
        self.shared.order_given.notified().await;
    }

    /// A standing order of an organisation.
    pub async fn standing_order(
        &self,
        org: &OrgId,
        id: StandingOrderId,
    ) -> Result<StandingOrder, Error> {
        standing_orders::find(self.shared.database.readers(), org, id).await
    }

    /// All standing orders of an organisation, newest first, those that have ended included.
    pub async fn standing_orders(&self, org: &OrgId) -> Result<Vec<StandingOrder>, Error> {
        standing_orders::of_org(self.shared.database.readers(), org).await
    }

    /// All standing orders of all organisations, for whoever runs the installation.
    pub async fn all_standing_orders(&self) -> Result<Vec<StandingOrder>, Error> {
        standing_orders::all(self.shared.database.readers()).await
    }

    /// The standing orders in force of all organisations, those of one together.
    pub async fn orders_in_force(&self) -> Result<Vec<Result<StandingOrder, Error>>, Error> {
        standing_orders::in_force(self.shared.database.readers()).await
    }

    /// Deletes a standing order with all its reports. Gives where their files
    /// lie, for the caller to remove.
    pub async fn delete_standing_order(
        &self,
        org: &OrgId,
        id: StandingOrderId,
    ) -> Result<Vec<ReportId>, Error> {
        let database = &self.shared.database;
        let write = || async move {
            let mut writer = database.writer().await;
            let mut write = writer.begin_protected().await?;
            let mut files = bulk_reports::files(&mut *write, org, id).await?;
            let due = due_days::of_order(&mut *write, id).await?;
            standing_orders::delete(&mut write, org, id).await?;
            for (day, file_id) in due {
                queue::cancel(&mut write, &unique_key(id, day)).await?;
                files.push(file_id);
            }
            write.commit().await?;
            Ok(files)
        };
        database.protect(write).await
    }

    /// Notes that somebody fetched a report of the order, so that it does not end.
    pub async fn note_fetched(&self, org: &OrgId, id: StandingOrderId) -> Result<(), Error> {
        let now = self.shared.clock.now();
        self.turn((org, id), Turn::Fetched, now).await?;
        Ok(())
    }

    /// Tells that an order will end then. False: it was told before, or is over.
    pub async fn announce_end(
        &self,
        org: &OrgId,
        id: StandingOrderId,
        ends_at: Timestamp,
    ) -> Result<bool, Error> {
        self.turn((org, id), Turn::AnnounceEnd, ends_at).await
    }

    /// Ends an order whose announced end has come. False: it has not, or not any more.
    pub async fn end_standing_order(
        &self,
        org: &OrgId,
        id: StandingOrderId,
    ) -> Result<bool, Error> {
        let now = self.shared.clock.now();
        self.turn((org, id), Turn::End, now).await
    }

    async fn turn(
        &self,
        order: (&OrgId, StandingOrderId),
        turn: Turn,
        at: Timestamp,
    ) -> Result<bool, Error> {
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        let turned = standing_orders::turn(&mut write, order, turn, at).await?;
        write.commit().await?;
        Ok(turned)
    }

    /// Removes orders that have ended and whose last report is gone.
    pub async fn forget_ended_orders(&self) -> Result<(), Error> {
        let database = &self.shared.database;
        let write = || async move {
            let mut writer = database.writer().await;
            let mut write = writer.begin_protected().await?;
            standing_orders::forget_ended(&mut write).await?;
            write.commit().await
        };
        database.protect(write).await
    }

    /// What there is of each day of an order.
    pub async fn days_made(
        &self,
        order: StandingOrderId,
    ) -> Result<BTreeMap<ReportDay, DayMade>, Error> {
        bulk_reports::days(self.shared.database.readers(), order).await
    }

    /// The days of an order whose file is to be made.
    pub async fn due_days(&self, order: StandingOrderId) -> Result<BTreeSet<ReportDay>, Error> {
        let due = due_days::of_order(self.shared.database.readers(), order).await?;
        Ok(due.into_iter().map(|(day, _)| day).collect())
    }

    /// Gives a reason to make the files of these days.
    pub async fn want_days(&self, order: StandingOrderId, days: &[ReportDay]) -> Result<(), Error> {
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        due_days::want(&mut write, days.iter().map(|&day| (order, day))).await?;
        write.commit().await
    }

    /// Queues the making of these days of an organisation's order, but for those that are queued
    /// already.
    pub async fn queue_days(
        &self,
        org: &OrgId,
        order: StandingOrderId,
        days: &[ReportDay],
    ) -> Result<(), Error> {
        let now = self.shared.clock.now();
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        for &day in days {
            let job = NewJob {
                org,
                name: MAKE_BULK_REPORT,
                payload: &to_json(&DueDay { order, day }),
                unique_key: &unique_key(order, day),
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
    pub async fn due_task(&self, due: &DueDay) -> Result<Option<DueTask>, Error> {
        let order = self.order_in_force(due.order).await?;
        let found = due_days::find(self.shared.database.readers(), due.order, due.day).await?;
        Ok(found.zip(order).map(|((number, file_id), order)| DueTask {
            order,
            day: due.day,
            file_id,
            number,
        }))
    }

    /// An order, if it is in force. Where it is not among those that can be read, one that cannot may be it.
    async fn order_in_force(&self, id: StandingOrderId) -> Result<Option<StandingOrder>, Error> {
        let mut damaged = None;
        for order in self.orders_in_force().await? {
            match order {
                Ok(order) if order.id == id => return Ok(Some(order)),
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
        task: &DueTask,
        new: &NewBulkReport,
    ) -> Result<Published, Error> {
        let now = self.shared.clock.now();
        let (order, day) = (task.order.id, task.day);
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        if !queue::finish(&mut write, job).await? {
            return Ok(Published::TakenOver);
        }
        if due_days::find(&mut *write, order, day).await?.is_none() {
            write.commit().await?;
            return Ok(Published::Unwanted);
        }
        let latest = bulk_reports::latest(&mut *write, order, day).await?;
        // Bytes alone do not tell: a day without facts is the same in every zone, and begins elsewhere.
        let says_the_same = latest.as_ref().is_some_and(|latest| {
            let bounds = (latest.starts_at, latest.ends_at);
            latest.file.sha256 == new.file.sha256 && bounds == new.bounds
        });
        let published = if says_the_same {
            Published::Unchanged
        } else {
            let supersedes = latest.map(|latest| latest.id);
            let place = (order, day, task.file_id);
            let report = bulk_reports::insert(&mut write, place, new, supersedes, now).await?;
            Published::New(Box::new(report))
        };
        due_days::done(&mut write, order, day, task.number).await?;
        write.commit().await?;
        Ok(published)
    }

    /// A report of an organisation's standing order.
    pub async fn bulk_report(
        &self,
        org: &OrgId,
        order: StandingOrderId,
        id: BulkReportId,
    ) -> Result<BulkReport, Error> {
        bulk_reports::find(self.shared.database.readers(), org, order, id).await
    }

    /// Reports of an organisation's standing order, newest first.
    pub async fn bulk_reports(
        &self,
        org: &OrgId,
        order: StandingOrderId,
        filter: BulkFilter,
        limit: u32,
    ) -> Result<Vec<BulkReport>, Error> {
        let readers = self.shared.database.readers();
        bulk_reports::list(readers, (org, order), filter, limit).await
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
    pub async fn touched_orgs(&self) -> Result<Vec<TouchedOrg>, Error> {
        touched::orgs(self.shared.database.readers()).await
    }

    /// Since when the oldest event of an organisation waits to be looked at that has facts from
    /// before an instant.
    pub async fn touched_since(
        &self,
        org: &OrgId,
        before: Timestamp,
    ) -> Result<Option<Timestamp>, Error> {
        touched::waiting_since(self.shared.database.readers(), org, before).await
    }

    /// Since when the oldest unfinished job of bulk reports is queued.
    pub async fn bulk_queued_since(&self) -> Result<Option<Timestamp>, Error> {
        queue::queued_since(self.shared.database.readers(), MAKE_BULK_REPORT).await
    }

    /// The events of which something was said, at most `limit`. They are given again
    /// at the next call, until the caller says that it has looked at them.
    pub async fn take_touched(&self, org: &OrgId, limit: u32) -> Result<Vec<TouchedEvent>, Error> {
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        let events = touched::take(&mut write, org, limit).await?;
        write.commit().await?;
        Ok(events)
    }

    /// Forgets events that were looked at, and gives a reason to make these days again.
    pub async fn settle_touched(
        &self,
        org: &OrgId,
        events: &[TouchedEvent],
        days: &[(StandingOrderId, ReportDay)],
    ) -> Result<(), Error> {
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        due_days::want(&mut write, days.iter().copied()).await?;
        touched::forget(&mut write, org, events).await?;
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

fn unique_key(order: StandingOrderId, day: ReportDay) -> String {
    format!("{MAKE_BULK_REPORT}:{order}:{day}")
}

#[cfg(test)]
mod tests;
