use std::collections::BTreeMap;

use showreport_model::Clock;

use super::*;
use crate::meta::testing::{Fixture, org};

impl Fixture {
    /// Queues a job of `acme`.
    async fn enqueue(&self, payload: &str, unique_key: &str, run_at: Timestamp) {
        self.enqueue_for(&self.org, "work", payload, unique_key, run_at)
            .await;
    }

    async fn enqueue_for(
        &self,
        org: &OrgId,
        name: &str,
        payload: &str,
        unique_key: &str,
        run_at: Timestamp,
    ) {
        let job = NewJob {
            org,
            name,
            payload,
            unique_key,
            run_at,
        };
        let now = self.clock.now();
        let database = self.meta.database();
        let added = database.write(async |tx| insert(tx, job, now).await).await;
        added.unwrap();
        self.meta.shared.job_added.notify_one();
    }

    /// Queues `count` jobs with payloads that begin with the organisation's name.
    async fn enqueue_many(&self, org: &OrgId, name: &str, count: u32) {
        let now = self.clock.now();
        for number in 0..count {
            let payload = format!("{org}-{number}");
            let key = format!("{name}:{payload}");
            self.enqueue_for(org, name, &payload, &key, now).await;
        }
    }
}

async fn claim(meta: &Meta) -> Option<ClaimedJob> {
    meta.claim_job(30_000).await.unwrap()
}

/// Claims and finishes jobs until none is left; returns their payloads.
async fn work_off(meta: &Meta) -> Vec<String> {
    let mut done = Vec::new();
    while let Some(job) = claim(meta).await {
        assert_eq!(meta.finish_job(&job).await.unwrap(), Claim::Holds);
        done.push(job.payload);
    }
    done
}

#[tokio::test]
async fn a_lease_that_runs_out_is_claimed_by_another_and_the_first_claim_is_lost() {
    let show = Fixture::new().await;
    show.enqueue("about", "key", show.clock.now()).await;
    let first = show.meta.claim_job(30_000).await.unwrap().unwrap();
    assert_eq!(
        (first.name.as_str(), first.payload.as_str()),
        ("work", "about")
    );
    assert_eq!(first.attempt, 1);
    assert_eq!(show.meta.claim_job(30_000).await.unwrap(), None);

    show.clock.advance(20_000);
    assert_eq!(
        show.meta.renew_job(&first, 30_000).await.unwrap(),
        Claim::Holds
    );
    show.clock.advance(29_999);
    assert_eq!(show.meta.claim_job(30_000).await.unwrap(), None);
    show.clock.advance(1);
    let other = show.reopen().await;
    let second = other.claim_job(30_000).await.unwrap().unwrap();
    assert_eq!((second.id, second.attempt), (first.id, 2));
    assert!(second.fence > first.fence);

    let now = show.clock.now();
    assert_eq!(
        show.meta.renew_job(&first, 30_000).await.unwrap(),
        Claim::Lost
    );
    assert_eq!(
        show.meta.retry_job(&first, "late", now).await.unwrap(),
        Claim::Lost
    );
    assert_eq!(show.meta.finish_job(&first).await.unwrap(), Claim::Lost);
    assert_eq!(other.finish_job(&second).await.unwrap(), Claim::Holds);
    assert_eq!(other.finish_job(&second).await.unwrap(), Claim::Lost);
    assert_eq!(show.meta.queue_depth().await.unwrap(), 0);
}

#[tokio::test]
async fn the_same_job_is_queued_once_until_it_is_done() {
    let show = Fixture::new().await;
    let now = show.clock.now();
    show.enqueue("a", "key", now).await;
    show.enqueue("b", "key", now).await;
    assert_eq!(show.meta.queue_depth().await.unwrap(), 1);
    let job = show.meta.claim_job(1_000).await.unwrap().unwrap();
    show.enqueue("c", "key", now).await;
    assert_eq!(show.meta.queue_depth().await.unwrap(), 1);
    assert_eq!(show.meta.finish_job(&job).await.unwrap(), Claim::Holds);
    show.enqueue("d", "key", now).await;
    let job = show.meta.claim_job(1_000).await.unwrap().unwrap();
    assert_eq!((job.payload.as_str(), job.attempt), ("d", 1));
}

#[tokio::test]
async fn a_job_that_failed_waits_for_its_time_and_its_old_claim_ends() {
    let show = Fixture::new().await;
    let now = show.clock.now();
    let before = now.saturating_add_millis(-1);
    assert_eq!(show.meta.next_job_after(before).await.unwrap(), None);
    show.enqueue("", "key", now).await;
    assert_eq!(show.meta.next_job_after(before).await.unwrap(), Some(now));
    assert_eq!(show.meta.next_job_after(now).await.unwrap(), None);
    let job = show.meta.claim_job(1_000).await.unwrap().unwrap();
    let later = now.saturating_add_millis(5_000);
    assert_eq!(
        show.meta.retry_job(&job, "no luck", later).await.unwrap(),
        Claim::Holds
    );
    assert_eq!(show.meta.renew_job(&job, 1_000).await.unwrap(), Claim::Lost);
    assert_eq!(show.meta.next_job_after(now).await.unwrap(), Some(later));
    assert_eq!(show.meta.claim_job(1_000).await.unwrap(), None);
    show.clock.advance(5_000);
    assert_eq!(
        show.meta.claim_job(1_000).await.unwrap().unwrap().attempt,
        2
    );
}

#[tokio::test]
async fn a_waiting_worker_is_woken_and_a_job_that_was_added_before_is_not_missed() {
    let show = Fixture::new().await;
    let now = show.clock.now();
    show.enqueue("", "one", now).await;
    show.meta.job_added().await;
    tokio::join!(show.enqueue("", "two", now), show.meta.job_added());
}

#[tokio::test]
async fn jobs_are_claimed_round_robin_by_organisation() {
    let show = Fixture::new().await;
    let (rival, third) = (org("rival"), org("third"));
    show.enqueue_many(&show.org, MAKE_REPORT, 50).await;
    show.enqueue_many(&rival, MAKE_REPORT, 2).await;
    show.enqueue_many(&third, MAKE_BULK_REPORT, 2).await;
    let done = work_off(&show.meta).await;
    assert_eq!(done.len(), 54);
    let of = |org: &OrgId| done.iter().position(|done| *done == format!("{org}-1"));
    assert_eq!(of(&show.org), Some(3), "{done:?}");
    assert_eq!(of(&rival), Some(4), "{done:?}");
    assert_eq!(of(&third), Some(5), "{done:?}");
}

#[tokio::test]
async fn the_first_job_of_an_organisation_is_claimed_next_and_its_jobs_keep_their_order() {
    let show = Fixture::new().await;
    let rival = org("rival");
    show.enqueue_many(&show.org, MAKE_REPORT, 5).await;
    for _ in 0..3 {
        let job = claim(&show.meta).await.unwrap();
        assert_eq!(show.meta.finish_job(&job).await.unwrap(), Claim::Holds);
    }
    show.clock.advance(1);
    show.enqueue_many(&rival, MAKE_REPORT, 1).await;
    let expected = ["rival-0", "acme-3", "acme-4"];
    assert_eq!(work_off(&show.meta).await, expected);
}

#[tokio::test]
async fn of_two_kinds_with_as_many_turns_that_of_higher_priority_is_claimed_first() {
    let show = Fixture::new().await;
    show.enqueue_many(&show.org, "of another version", 1).await;
    show.enqueue_many(&show.org, MAKE_BULK_REPORT, 1).await;
    show.enqueue_many(&show.org, MAKE_REPORT, 1).await;
    let mut names = Vec::new();
    while let Some(job) = claim(&show.meta).await {
        assert_eq!(show.meta.finish_job(&job).await.unwrap(), Claim::Holds);
        names.push(job.name);
    }
    assert_eq!(names, [MAKE_REPORT, MAKE_BULK_REPORT, "of another version"]);
}

#[tokio::test]
async fn bulk_reports_do_not_wait_for_the_end_of_event_reports() {
    let show = Fixture::new().await;
    show.enqueue_many(&show.org, MAKE_REPORT, 10).await;
    show.enqueue_many(&show.org, MAKE_BULK_REPORT, 2).await;
    let mut names = Vec::new();
    while let Some(job) = claim(&show.meta).await {
        assert_eq!(show.meta.finish_job(&job).await.unwrap(), Claim::Holds);
        names.push(job.name == MAKE_BULK_REPORT);
    }
    assert_eq!(names[..5], [false, true, false, true, false]);
}

#[tokio::test]
async fn an_organisation_has_no_more_jobs_running_than_it_may() {
    let show = Fixture::with_running_jobs_each_max(2).await;
    let rival = org("rival");
    show.enqueue_many(&show.org, MAKE_REPORT, 5).await;
    let first = claim(&show.meta).await.unwrap();
    claim(&show.meta).await.unwrap();
    assert_eq!(claim(&show.meta).await, None);

    show.enqueue_many(&rival, MAKE_REPORT, 1).await;
    assert_eq!(claim(&show.meta).await.unwrap().payload, "rival-0");
    assert_eq!(claim(&show.meta).await, None);

    // A job that ended, was put back or lost its lease no longer runs.
    assert_eq!(show.meta.finish_job(&first).await.unwrap(), Claim::Holds);
    let third = claim(&show.meta).await.unwrap();
    let later = show.clock.now().saturating_add_millis(60_000);
    assert_eq!(
        show.meta.retry_job(&third, "no luck", later).await.unwrap(),
        Claim::Holds
    );
    assert_eq!(claim(&show.meta).await.unwrap().payload, "acme-3");
    assert_eq!(claim(&show.meta).await, None);
    show.clock.advance(30_000);
    let mut claimed = BTreeMap::new();
    while let Some(job) = claim(&show.meta).await {
        *claimed.entry(job.payload).or_insert(0) += job.attempt;
    }
    let expected = [("acme-1", 2), ("acme-4", 1), ("rival-0", 2)];
    let expected = expected.map(|(job, attempt)| (job.to_owned(), attempt));
    assert_eq!(claimed.into_iter().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn leases_of_a_process_that_died_block_no_other_job() {
    let show = Fixture::with_running_jobs_each_max(2).await;
    show.enqueue_many(&show.org, MAKE_REPORT, 4).await;
    claim(&show.meta).await.unwrap();
    claim(&show.meta).await.unwrap();
    let next = show.reopen().await;
    assert_eq!(claim(&next).await.unwrap().payload, "acme-2");
    assert_eq!(claim(&next).await.unwrap().payload, "acme-3");
}
