mod quotas;

use showreport_model::facts::Table;
use showreport_model::report::{Event, ReportStatus};
use showreport_model::time::MILLIS_PER_DAY;
use showreport_model::{Clock, ErrorKind, Failure, Zone};

use super::ordering::WAITING_MAX;
use super::*;
use crate::meta::heads::NewHeads;
use crate::meta::journal;
use crate::meta::testing::{Fixture, event, org, playback, sent};

impl Fixture {
    async fn with_events(events: &[&str]) -> Self {
        let show = Self::new().await;
        show.add_events(events).await;
        show
    }

    async fn add_events(&self, events: &[&str]) {
        let parts = [sent(events.iter().map(|id| playback(id, "p"))).finish()];
        let loaded = self
            .meta
            .load_heads(&NewHeads::new(), &self.org, &parts)
            .await;
        loaded.unwrap();
    }

    /// Adds a row of the journal with facts of the event.
    async fn add_pending_event(&self, event_id: &str) {
        let row = journal::NewRow {
            payload: &[],
            rows: 1,
            events_json: &format!("[[\"acme\",\"{event_id}\"]]"),
        };
        let now = self.clock.now();
        let database = self.meta.database();
        let inserted = database.write(async |tx| journal::insert(tx, row, now).await);
        inserted.await.unwrap();
    }

    async fn create(&self, event_id: &str) -> Report {
        let orders = [self.order(event_id)];
        let created = self.meta.create_reports(&self.org, &orders, None).await;
        created.unwrap().remove(0)
    }
}

fn pins<const N: usize>(spans: [u64; N]) -> Pins {
    Pins {
        heads: spans.map(|version| (Table::Spans, version)).into(),
        zone: Zone::utc(),
        event: Event {
            id: event("keynote"),
            kind: None,
            title: None,
            starts_at: None,
            ends_at: None,
            duration_ms: None,
            updated_at: None,
        },
    }
}

fn file(attempt: u32) -> ReportFile {
    ReportFile {
        row_count: 1,
        size_bytes: 2,
        sha256: "00".to_owned(),
        attempt,
        raw_size_bytes: None,
    }
}

fn request(key: &str, body: u8) -> Idempotency {
    Idempotency {
        key: key.to_owned(),
        body_sha256: [body; 32],
    }
}

/// The ids of the expired reports; `None` for a damaged row.
async fn expired(show: &Fixture) -> Vec<Option<ReportId>> {
    let expired = show.meta.expired_reports(10).await.unwrap().into_iter();
    expired
        .map(|report| report.ok().map(|report| report.id))
        .collect()
}

#[tokio::test]
async fn a_damaged_row_does_not_hide_other_expired_reports() {
    let show = Fixture::with_events(&["keynote"]).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let created = show.create("keynote").await;
        let job = show.meta.claim_job(30_000).await.unwrap().unwrap();
        let expires_at = show.clock.now();
        let published = show
            .meta
            .publish_report(&job, created.id, &file(1), expires_at)
            .await;
        assert_eq!(published.unwrap(), ReportEnd::Ended);
        ids.push(created.id);
        show.clock.advance(1);
    }
    show.execute(&format!(
        "UPDATE reports SET ordered = replace(ordered, 'csv', 'ndjson') WHERE id = '{}'",
        ids[0]
    ))
    .await;
    assert_eq!(expired(&show).await, [None, Some(ids[1])]);
}

#[tokio::test]
async fn a_report_is_made_and_published_once() {
    let show = Fixture::with_events(&["keynote"]).await;
    let created = show.create("keynote").await;
    assert_eq!(created.status, ReportStatus::Running);
    let job = show.meta.claim_job(30_000).await.unwrap().unwrap();
    assert_eq!(
        (job.name.as_str(), job.payload.parse()),
        (MAKE_REPORT, Ok(created.id))
    );
    let task = show.meta.report_task(created.id).await.unwrap().unwrap();
    assert_eq!(
        (task.report, task.journal_last, task.pins),
        // No fact is pending, so the heads are pinned.
        (created.clone(), 0, Some(pins([])))
    );
    show.meta.set_progress(created.id, 40).await.unwrap();
    show.meta.set_progress(created.id, 30).await.unwrap();
    let report = show.meta.report(&show.org, created.id).await.unwrap();
    assert_eq!(report.progress_percent, 40);

    show.clock.advance(5);
    let now = show.clock.now();
    let expires_at = now.saturating_add_millis(1_000);
    assert_eq!(
        show.meta
            .publish_report(&job, created.id, &file(1), expires_at)
            .await
            .unwrap(),
        ReportEnd::Ended
    );
    let report = show.meta.report(&show.org, created.id).await.unwrap();
    assert_eq!(report.status, ReportStatus::Succeeded);
    assert_eq!(
        (report.finished_at, report.file),
        (Some(now), Some(file(1)))
    );
    assert_eq!(
        show.meta
            .publish_report(&job, created.id, &file(2), expires_at)
            .await
            .unwrap(),
        ReportEnd::ClaimLost
    );
    assert_eq!(show.meta.queue_depth().await.unwrap(), 0);

    assert!(show.meta.expired_reports(10).await.unwrap().is_empty());
    show.clock.advance(1_000);
    assert_eq!(expired(&show).await, [Some(created.id)]);
    show.meta.clear_report_file(created.id).await.unwrap();
    assert!(show.meta.expired_reports(10).await.unwrap().is_empty());
    let report = show.meta.report(&show.org, created.id).await.unwrap();
    assert_eq!(
        (report.status, report.file),
        (ReportStatus::Succeeded, None)
    );
}

#[tokio::test]
async fn a_file_is_in_use_while_its_report_is_made_and_until_it_is_deleted() {
    let show = Fixture::with_events(&["keynote"]).await;
    let id = show.create("keynote").await.id;
    let unknown = ReportId::generate();
    let kept = async || show.meta.kept_files(&[id, unknown].into()).await.unwrap();
    assert_eq!(kept().await, [id].into());
    let job = show.meta.claim_job(30_000).await.unwrap().unwrap();
    let expires_at = show.clock.now().saturating_add_millis(1_000);
    let published = show
        .meta
        .publish_report(&job, id, &file(1), expires_at)
        .await;
    assert_eq!(published.unwrap(), ReportEnd::Ended);
    assert_eq!(kept().await, [id].into());
    show.meta.clear_report_file(id).await.unwrap();
    assert!(kept().await.is_empty());
}

#[tokio::test]
async fn a_stale_claim_can_neither_publish_nor_fail_a_report() {
    let show = Fixture::with_events(&["keynote"]).await;
    let id = show.create("keynote").await.id;
    let stale = show.meta.claim_job(30_000).await.unwrap().unwrap();
    show.clock.advance(30_000);
    let fresh = show.meta.claim_job(30_000).await.unwrap().unwrap();
    let later = show.clock.now().saturating_add_millis(1_000);
    let failure = ReportFailure {
        reason: "NO_LUCK".to_owned(),
        message: "try again".to_owned(),
    };
    assert_eq!(
        show.meta
            .publish_report(&stale, id, &file(1), later)
            .await
            .unwrap(),
        ReportEnd::ClaimLost
    );
    assert_eq!(
        show.meta.fail_report(&stale, id, &failure).await.unwrap(),
        ReportEnd::ClaimLost
    );
    let report = show.meta.report(&show.org, id).await.unwrap();
    assert_eq!(report.status, ReportStatus::Running);
    assert_eq!(
        show.meta.fail_report(&fresh, id, &failure).await.unwrap(),
        ReportEnd::Ended
    );
    let report = show.meta.report(&show.org, id).await.unwrap();
    assert_eq!(
        (report.status, report.failure),
        (ReportStatus::Failed, Some(failure))
    );
}

#[tokio::test]
async fn a_deleted_report_takes_its_job_with_it() {
    let show = Fixture::with_events(&["keynote"]).await;
    let id = show.create("keynote").await.id;
    let job = show.meta.claim_job(30_000).await.unwrap().unwrap();
    let foreign = show.meta.delete_report(&org("rival"), id).await;
    assert_eq!(foreign.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(show.meta.delete_report(&show.org, id).await.unwrap(), None);
    let later = show.clock.now();
    assert_eq!(
        show.meta.renew_job(&job, 30_000).await.unwrap(),
        Claim::Lost
    );
    assert_eq!(
        show.meta
            .publish_report(&job, id, &file(1), later)
            .await
            .unwrap(),
        ReportEnd::ClaimLost
    );
    assert_eq!(show.meta.report_task(id).await.unwrap(), None);
    assert!(matches!(
        show.meta.delete_report(&show.org, id).await,
        Err(Error::UnknownReport { .. })
    ));

    let id = show.create("keynote").await.id;
    let job = show.meta.claim_job(30_000).await.unwrap().unwrap();
    assert_eq!(
        show.meta
            .publish_report(&job, id, &file(1), later)
            .await
            .unwrap(),
        ReportEnd::Ended
    );
    assert_eq!(
        show.meta.delete_report(&show.org, id).await.unwrap(),
        Some(file(1))
    );
}

#[tokio::test]
async fn the_first_pins_stay() {
    let show = Fixture::with_events(&["keynote"]).await;
    show.add_pending_event("keynote").await;
    let id = show.create("keynote").await.id;
    assert!(show.meta.pinned_heads().await.unwrap().is_empty());
    for version in [1, 2] {
        let held = show.meta.pin_report(id, &pins([version])).await.unwrap();
        assert_eq!(held, pins([1]));
    }
    let task = show.meta.report_task(id).await.unwrap().unwrap();
    assert_eq!(task.pins, Some(pins([1])));
    assert_eq!(show.meta.pinned_heads().await.unwrap(), [pins([1]).heads]);
    let job = show.meta.claim_job(30_000).await.unwrap().unwrap();
    let published = show
        .meta
        .publish_report(&job, id, &file(1), show.clock.now())
        .await;
    assert_eq!(published.unwrap(), ReportEnd::Ended);
    assert!(show.meta.pinned_heads().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_repeated_request_returns_the_same_reports_for_seven_days() {
    let show = Fixture::with_events(&["keynote"]).await;
    let orders = [show.order("keynote"), show.order("keynote")];
    let create = async |request: &Idempotency| {
        let created = show
            .meta
            .create_reports(&show.org, &orders, Some(request))
            .await;
        created.map(|reports| reports.iter().map(|report| report.id).collect::<Vec<_>>())
    };
    let first = create(&request("k", 1)).await.unwrap();
    assert_eq!(first.len(), 2);
    show.clock.advance(7 * MILLIS_PER_DAY - 1);
    assert_eq!(create(&request("k", 1)).await.unwrap(), first);
    assert_eq!(show.meta.queue_depth().await.unwrap(), 2);
    let other_body = create(&request("k", 2)).await.unwrap_err();
    assert!(matches!(other_body, Error::IdempotencyMismatch));
    assert_ne!(create(&request("other", 2)).await.unwrap(), first);
    show.clock.advance(1);
    assert_ne!(create(&request("k", 2)).await.unwrap(), first);
}

#[tokio::test]
async fn an_idempotency_key_belongs_to_one_organisation() {
    let show = Fixture::with_events(&["keynote"]).await;
    let rival = org("rival");
    show.meta.create_org(&rival, &Zone::utc()).await.unwrap();
    let orders = [show.order("keynote")];
    let same = request("k", 1);
    show.meta
        .create_reports(&show.org, &orders, Some(&same))
        .await
        .unwrap();
    let none = show
        .meta
        .create_reports(&rival, &[], Some(&same))
        .await
        .unwrap();
    assert!(none.is_empty());
    let foreign = show.meta.create_reports(&rival, &orders, None).await;
    assert!(matches!(foreign, Err(Error::UnknownEvent { .. })));
    assert!(
        show.meta
            .reports(&rival, ReportFilter::default(), None, 10)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn an_unknown_event_creates_none_of_the_reports() {
    let show = Fixture::with_events(&["keynote"]).await;
    let orders = [show.order("keynote"), show.order("missing")];
    let refused = show.meta.create_reports(&show.org, &orders, None).await;
    assert!(matches!(refused, Err(Error::UnknownEvent { .. })));
    assert!(
        show.meta
            .reports(&show.org, ReportFilter::default(), None, 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(show.meta.queue_depth().await.unwrap(), 0);
}

#[tokio::test]
async fn reports_are_listed_newest_first_in_pages() {
    let show = Fixture::with_events(&["a", "b"]).await;
    let mut ids = Vec::new();
    for event_id in ["a", "b", "a", "b"] {
        ids.push(show.create(event_id).await.id);
    }
    let page = async |event: Option<&EventId>, before, limit| {
        let filter = ReportFilter {
            event,
            is_finished: false,
        };
        let reports = show
            .meta
            .reports(&show.org, filter, before, limit)
            .await
            .unwrap();
        reports.iter().map(|report| report.id).collect::<Vec<_>>()
    };
    assert_eq!(page(None, None, 3).await, [ids[3], ids[2], ids[1]]);
    assert_eq!(page(None, Some(ids[1]), 3).await, [ids[0]]);
    assert_eq!(page(Some(&event("b")), None, 3).await, [ids[3], ids[1]]);
    assert_eq!(page(Some(&event("b")), Some(ids[3]), 3).await, [ids[1]]);
    let foreign = show.meta.report(&org("rival"), ids[0]).await;
    assert!(matches!(foreign, Err(Error::UnknownReport { .. })));
}

#[tokio::test]
async fn reports_that_are_not_finished_can_be_left_out() {
    let show = Fixture::with_events(&["a", "b"]).await;
    let (first, _) = (show.create("a").await, show.create("b").await);
    let job = show.meta.claim_job(30_000).await.unwrap().unwrap();
    let (file, expires_at) = (file(1), show.clock.now());
    let published = show.meta.publish_report(&job, first.id, &file, expires_at);
    assert_eq!(published.await.unwrap(), ReportEnd::Ended);
    for event in [None, Some(&event("a"))] {
        let filter = ReportFilter {
            event,
            is_finished: true,
        };
        let listed = show
            .meta
            .reports(&show.org, filter, None, 10)
            .await
            .unwrap();
        let ids: Vec<_> = listed.iter().map(|report| report.id).collect();
        assert_eq!(ids, [first.id]);
    }
}

#[tokio::test]
async fn the_number_of_waiting_reports_is_limited() {
    let show = Fixture::with_events(&["keynote"]).await;
    let orders: Vec<_> = (0..WAITING_MAX).map(|_| show.order("keynote")).collect();
    let created = show.meta.create_reports(&show.org, &orders, None).await;
    let created = created.unwrap();
    let again = || show.meta.create_reports(&show.org, &orders[..1], None);
    assert_eq!(again().await.unwrap_err().kind(), ErrorKind::Busy);
    show.meta
        .delete_report(&show.org, created[0].id)
        .await
        .unwrap();
    assert_eq!(again().await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_idle_worker_is_handed_a_claimed_job() {
    let show = Fixture::with_events(&["keynote"]).await;
    let mut offer = show.meta.offer_work(30_000);
    let report = show.create("keynote").await;
    let job = offer.job().await.unwrap();
    assert_eq!(job.payload, report.id.to_string());
    assert_eq!((job.name.as_str(), job.attempt), (MAKE_REPORT, 1));
    assert_eq!(show.meta.claim_job(30_000).await.unwrap(), None);
    assert_eq!(
        show.meta.renew_job(&job, 30_000).await.unwrap(),
        Claim::Holds
    );

    // Like any other claim it ends with its lease.
    show.clock.advance(30_000);
    let other = show.meta.claim_job(30_000).await.unwrap().unwrap();
    assert_eq!((other.id, other.attempt), (job.id, 2));
    assert_eq!(show.meta.finish_job(&job).await.unwrap(), Claim::Lost);
}

#[tokio::test]
async fn a_withdrawn_offer_returns_a_job_that_was_handed_over_and_gets_none_later() {
    let show = Fixture::with_events(&["keynote"]).await;
    let offer = show.meta.offer_work(30_000);
    let first = show.create("keynote").await;
    let job = offer.withdraw().unwrap();
    assert_eq!(job.payload, first.id.to_string());

    assert_eq!(show.meta.offer_work(30_000).withdraw(), None);
    let second = show.create("keynote").await;
    let job = show.meta.claim_job(30_000).await.unwrap().unwrap();
    assert_eq!(job.payload, second.id.to_string());
}

#[tokio::test]
async fn the_worker_of_a_report_that_was_not_created_gets_no_job() {
    let show = Fixture::with_events(&["keynote"]).await;
    let mut offer = show.meta.offer_work(30_000);
    let orders = [show.order("keynote"), show.order("unknown")];
    let created = show.meta.create_reports(&show.org, &orders, None).await;
    created.unwrap_err();
    assert_eq!(offer.job().await, None);
    assert_eq!(show.meta.queue_depth().await.unwrap(), 0);
}

#[tokio::test]
async fn a_job_whose_worker_leaves_meanwhile_is_put_back() {
    let show = Fixture::with_events(&["keynote"]).await;
    let mut left = 0;
    for turns in 0..200 {
        let offer = show.meta.offer_work(30_000);
        let leave = async {
            for _ in 0..turns {
                tokio::task::yield_now().await;
                std::thread::sleep(std::time::Duration::from_micros(5));
            }
            offer.withdraw()
        };
        let both = async { tokio::join!(show.create("keynote"), leave) };
        let both = tokio::time::timeout(std::time::Duration::from_secs(10), both).await;
        let (report, handed) = both.expect("it does not wait for its own lock");
        let claimed = show.meta.claim_job(30_000).await.unwrap();
        left += u32::from(claimed.as_ref().is_some_and(|job| job.attempt == 2));
        let job = handed.or(claimed).expect("a worker has it");
        assert_eq!(job.payload, report.id.to_string());
        assert_eq!(show.meta.finish_job(&job).await.unwrap(), Claim::Holds);
        assert_eq!(show.meta.queue_depth().await.unwrap(), 0);
    }
    assert!(left > 0, "no worker left in between");
}
