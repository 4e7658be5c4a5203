use showreport_model::bulk::{DAYS_BEFORE, ReportType};
use showreport_model::facts::Table;
use showreport_model::report::{Heads, ReportFile};
use showreport_model::{Clock, ErrorKind, Failure, Zone};

use super::*;
use crate::meta::day_files::DayFile;
use crate::meta::heads::NewHeads;
use crate::meta::report_jobs::ReportJobUpdate;
use crate::meta::testing::{Fixture, event, moved, org, playback, registration, sent};

const LEASE_MS: i64 = 30_000;

impl Fixture {
    async fn with_report_job(&self) -> ReportJob {
        let given = self
            .meta
            .create_report_job(&self.org, ReportType::WatchTime, "daily");
        given.await.unwrap()
    }

    /// Marks the day dirty, queues it and claims the job.
    async fn claimed(
        &self,
        report_job: &ReportJob,
        day: ReportDay,
    ) -> (ClaimedJob, BulkReportTask) {
        self.meta
            .mark_days_dirty(report_job.id, &[day])
            .await
            .unwrap();
        self.meta
            .queue_days(&report_job.org, report_job.id, &[day])
            .await
            .unwrap();
        let job = self.meta.claim_job(LEASE_MS).await.unwrap().unwrap();
        let due: DirtyDay = serde_json::from_str(&job.payload).unwrap();
        (
            job,
            self.meta.bulk_report_task(&due).await.unwrap().unwrap(),
        )
    }

    async fn made(&self, report_job: &ReportJob, day: ReportDay, content: &str) -> Published {
        let (job, task) = self.claimed(report_job, day).await;
        let new = new(content);
        let published = self.meta.publish_bulk_report(&job, &task, &new);
        published.await.unwrap()
    }

    async fn listed(&self, report_job: &ReportJob) -> Vec<BulkReport> {
        let all = BulkFilter::default();
        let reports = self.meta.bulk_reports(&self.org, report_job.id, all, 100);
        reports.await.unwrap()
    }
}

fn new(content: &str) -> NewBulkReport {
    let start = "2027-01-10T00:00:00Z".parse().unwrap();
    NewBulkReport {
        bounds: (start, start.saturating_add_millis(86_400_000)),
        zone: "UTC".to_owned(),
        file: ReportFile {
            row_count: 1,
            size_bytes: 1,
            sha256: content.to_owned(),
            attempt: 1,
            raw_size_bytes: None,
        },
        retention_ms: 1_000,
    }
}

fn day() -> ReportDay {
    "2027-01-10".parse().unwrap()
}

fn report(published: Published) -> BulkReport {
    match published {
        Published::New(report) => *report,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn one_report_job_of_a_type_is_in_force_and_the_error_names_it() {
    let show = Fixture::new().await;
    let first = show.with_report_job().await;
    let today = Zone::utc().day_of(show.clock.now());
    assert_eq!(first.first_day, today.plus(-DAYS_BEFORE));
    let second = show
        .meta
        .create_report_job(&show.org, ReportType::WatchTime, "again")
        .await
        .unwrap_err();
    assert_eq!(second.kind(), ErrorKind::Conflict);
    assert!(second.to_string().contains(&first.id.to_string()));
    let other = show
        .meta
        .create_report_job(&show.org, ReportType::Customers, "other");
    other.await.unwrap();
    let foreign = show.meta.report_job(&org("rival"), first.id).await;
    assert_eq!(foreign.unwrap_err().kind(), ErrorKind::NotFound);
    let unknown = org("unknown");
    let unknown = show
        .meta
        .create_report_job(&unknown, ReportType::WatchTime, "n")
        .await;
    assert!(matches!(unknown, Err(Error::UnknownOrg { .. })));
}

#[tokio::test]
async fn a_day_is_published_once_for_each_content_and_names_what_it_replaces() {
    let show = Fixture::new().await;
    let report_job = show.with_report_job().await;
    let first = report(show.made(&report_job, day(), "a").await);
    assert_eq!(first.supersedes, None);
    assert_eq!(
        show.made(&report_job, day(), "a").await,
        Published::Unchanged
    );
    let second = report(show.made(&report_job, day(), "b").await);
    assert_eq!(second.supersedes, Some(first.id));
    // The content of an earlier report may come again.
    let third = report(show.made(&report_job, day(), "a").await);
    assert_eq!(third.supersedes, Some(second.id));
    assert_eq!(
        show.listed(&report_job).await,
        [third.clone(), second, first]
    );
    let made = show.meta.days_made(report_job.id).await.unwrap()[&day()];
    assert_eq!((made.reports, made.last_created_at), (3, third.created_at));
    assert!(
        show.meta
            .dirty_days(report_job.id)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_day_that_becomes_dirty_while_it_is_made_stays_dirty() {
    let show = Fixture::new().await;
    let report_job = show.with_report_job().await;
    let (job, task) = show.claimed(&report_job, day()).await;
    show.meta
        .mark_days_dirty(report_job.id, &[day()])
        .await
        .unwrap();
    let published = show.meta.publish_bulk_report(&job, &task, &new("a")).await;
    report(published.unwrap());
    assert!(
        show.meta
            .dirty_days(report_job.id)
            .await
            .unwrap()
            .contains(&day())
    );
    // It gets another file, because the first one is in use.
    let (job, again) = show.claimed(&report_job, day()).await;
    assert_ne!(again.file_id, task.file_id);
    let published = show.meta.publish_bulk_report(&job, &again, &new("b")).await;
    report(published.unwrap());
    assert_eq!(show.meta.queue_depth().await.unwrap(), 0);
}

#[tokio::test]
async fn only_the_last_claim_of_a_day_publishes() {
    let show = Fixture::new().await;
    let report_job = show.with_report_job().await;
    let (first, task) = show.claimed(&report_job, day()).await;
    show.clock.advance(LEASE_MS);
    let second = show.meta.claim_job(LEASE_MS).await.unwrap().unwrap();
    let late = show
        .meta
        .publish_bulk_report(&first, &task, &new("a"))
        .await;
    assert_eq!(late.unwrap(), Published::TakenOver);
    let published = show
        .meta
        .publish_bulk_report(&second, &task, &new("a"))
        .await;
    report(published.unwrap());
    assert_eq!(show.listed(&report_job).await.len(), 1);
}

#[tokio::test]
async fn a_deleted_report_job_takes_reports_dirty_days_and_jobs_with_it() {
    let show = Fixture::new().await;
    let report_job = show.with_report_job().await;
    let made = report(show.made(&report_job, day(), "a").await);
    let (job, task) = show.claimed(&report_job, day()).await;
    let foreign = show
        .meta
        .delete_report_job(&org("rival"), report_job.id)
        .await;
    assert_eq!(foreign.unwrap_err().kind(), ErrorKind::NotFound);
    let files = show.meta.delete_report_job(&show.org, report_job.id).await;
    assert_eq!(files.unwrap(), [made.file_id, task.file_id]);
    let late = show.meta.publish_bulk_report(&job, &task, &new("b")).await;
    assert_eq!(late.unwrap(), Published::TakenOver);
    assert_eq!(show.meta.queue_depth().await.unwrap(), 0);
    assert!(show.listed(&report_job).await.is_empty());
    // Numbers are never given twice.
    let next = show.with_report_job().await;
    assert!(report(show.made(&next, day(), "a").await).id > made.id);
}

#[tokio::test]
async fn later_reports_have_later_times_whatever_the_clock_says() {
    let show = Fixture::new().await;
    let report_job = show.with_report_job().await;
    let mut created = Vec::new();
    for (number, millis) in [0, 0, 5_000, -10_000, 0].into_iter().enumerate() {
        show.clock.advance(millis);
        let content = number.to_string();
        created.push(report(show.made(&report_job, day(), &content).await).created_at);
    }
    assert!(created.is_sorted_by(|one, next| one < next), "{created:?}");
    // Also after the latest was deleted.
    let latest = show.listed(&report_job).await[0].clone();
    show.meta.remove_bulk_report(latest.id).await.unwrap();
    let next = report(show.made(&report_job, day(), "again").await);
    assert!(next.created_at > latest.created_at);
}

#[tokio::test]
async fn a_report_job_ends_after_it_was_announced_unless_a_report_was_fetched() {
    let show = Fixture::new().await;
    let report_job = show.with_report_job().await;
    let ends_at = show.clock.now().saturating_add_millis(1_000);
    let meta = &show.meta;
    let end = async || meta.end_report_job(&show.org, report_job.id).await.unwrap();
    let announce = async |at| {
        let announced = meta.announce_end(&show.org, report_job.id, at).await;
        announced.unwrap()
    };
    assert_eq!(end().await, ReportJobUpdate::Outdated, "not announced");
    assert_eq!(announce(ends_at).await, ReportJobUpdate::Applied);
    let later = ends_at.saturating_add_millis(1);
    assert_eq!(announce(later).await, ReportJobUpdate::Outdated);
    assert_eq!(end().await, ReportJobUpdate::Outdated, "too early");
    meta.note_fetched(&show.org, report_job.id).await.unwrap();
    show.clock.advance(1_000);
    assert_eq!(end().await, ReportJobUpdate::Outdated, "fetched");
    assert_eq!(announce(ends_at).await, ReportJobUpdate::Applied);
    assert_eq!(end().await, ReportJobUpdate::Applied);
    assert!(meta.report_jobs_in_force().await.unwrap().is_empty());
    assert_eq!(meta.report_jobs(&show.org).await.unwrap().len(), 1);
    // Another of the type may be created, and without reports the first one is deleted.
    let next = show.with_report_job().await;
    meta.delete_ended_report_jobs().await.unwrap();
    assert_eq!(meta.report_jobs(&show.org).await.unwrap(), [next]);
}

#[tokio::test]
async fn an_event_is_dirty_until_it_is_resolved() {
    let show = Fixture::new().await;
    let load = async |parts: &[showreport_model::facts::Collected]| {
        let heads = moved(&Heads::from([(Table::Spans, 1)]));
        show.meta
            .load_heads(&heads, &show.org, parts)
            .await
            .unwrap();
    };
    let beat = || sent([playback("keynote", "p")]).finish();
    load(&[beat()]).await;
    assert!(
        show.meta.dirty_orgs().await.unwrap().is_empty(),
        "there is no report job"
    );
    show.with_report_job().await;
    load(&[beat()]).await;
    let [waiting] = &show.meta.dirty_orgs().await.unwrap()[..] else {
        panic!("one organisation")
    };
    assert_eq!((&waiting.org, waiting.is_taken), (&show.org, false));
    let first = show.meta.take_dirty_events(&show.org, 100).await.unwrap();
    assert_eq!(first[0].event, event("keynote"));
    // New facts came and were taken again: resolving the first does not suffice.
    load(&[beat()]).await;
    let second = show.meta.take_dirty_events(&show.org, 100).await.unwrap();
    show.meta
        .resolve_dirty_events(&show.org, &first, &[])
        .await
        .unwrap();
    assert!(show.meta.dirty_orgs().await.unwrap()[0].is_taken);
    // New facts came and were not taken: the event stays dirty.
    load(&[beat()]).await;
    show.meta
        .resolve_dirty_events(&show.org, &second, &[])
        .await
        .unwrap();
    assert!(!show.meta.dirty_orgs().await.unwrap()[0].is_taken);
    let third = show.meta.take_dirty_events(&show.org, 100).await.unwrap();
    show.meta
        .resolve_dirty_events(&show.org, &third, &[])
        .await
        .unwrap();
    assert!(show.meta.dirty_orgs().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_new_event_record_marks_the_event_dirty_from_the_beginning_of_time_once() {
    let show = Fixture::new().await;
    show.with_report_job().await;
    let record = || [sent([registration("keynote", "Keynote", Some(1_000))]).finish()];
    let load = async || {
        let loaded = show
            .meta
            .load_heads(&NewHeads::new(), &show.org, &record())
            .await;
        loaded.unwrap();
        show.meta.take_dirty_events(&show.org, 100).await.unwrap()
    };
    let dirty = load().await;
    assert_eq!(dirty[0].earliest, Timestamp::MIN);
    show.meta
        .resolve_dirty_events(&show.org, &dirty, &[])
        .await
        .unwrap();
    assert!(load().await.is_empty(), "the record is not new");
}

#[tokio::test]
async fn a_file_is_in_use_from_the_time_its_day_is_dirty_until_its_report_is_deleted() {
    let show = Fixture::new().await;
    let report_job = show.with_report_job().await;
    let (job, task) = show.claimed(&report_job, day()).await;
    let linked = DayFile {
        id: ReportId::generate(),
        org: show.org.clone(),
        file: new("b").file,
        expires_at: show.clock.now(),
    };
    let (dirty, linked_id) = (task.file_id, linked.id);
    let kept = async || {
        show.meta
            .kept_files(&[dirty, linked_id].into())
            .await
            .unwrap()
    };
    assert_eq!(kept().await, [dirty].into());
    let published = show.meta.publish_bulk_report(&job, &task, &new("a")).await;
    show.meta.add_day_file(&linked).await.unwrap();
    assert_eq!(kept().await, [dirty, linked_id].into());
    let report = report(published.unwrap());
    show.meta.remove_bulk_report(report.id).await.unwrap();
    assert_eq!(kept().await, [linked_id].into());
    show.meta.remove_day_file(linked_id).await.unwrap();
    assert!(kept().await.is_empty());
}

#[tokio::test]
async fn work_of_a_clock_ahead_is_revived() {
    let show = Fixture::new().await;
    let report_job = show.with_report_job().await;
    let (job, task) = show.claimed(&report_job, day()).await;
    show.clock.set(-86_400_000);
    assert_eq!(show.meta.claim_job(LEASE_MS).await.unwrap(), None);
    show.meta.revive_jobs(600_000).await.unwrap();
    let again = show.meta.claim_job(LEASE_MS).await.unwrap().unwrap();
    assert_eq!(again.id, job.id);
    let late = show.meta.publish_bulk_report(&job, &task, &new("a")).await;
    assert_eq!(late.unwrap(), Published::TakenOver);
    // What is claimed in order is left alone.
    show.meta.revive_jobs(600_000).await.unwrap();
    let renewed = show.meta.renew_job(&again, LEASE_MS).await;
    assert_eq!(renewed.unwrap(), Claim::Holds);
}
