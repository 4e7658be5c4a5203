//! The queue of jobs, which any process may work on.

use fail::fail_point;
use showreport_model::Timestamp;

use super::Meta;
use crate::error::Error;
use crate::queue::{self, ClaimedJob, IdleWorker, Offer};

impl Meta {
    /// Claims a job that is due, or whose lease ran out, for so long. None: no job is due, or every
    /// organisation that has one due has as many running as it may.
    pub async fn claim_job(&self, lease_ms: i64) -> Result<Option<ClaimedJob>, Error> {
        // Looking is cheap, and most looks find nothing.
        let now = self.shared.clock.now();
        let claimant = self.shared.claimant;
        let next = queue::next(self.shared.database.readers(), claimant, now);
        if next.await?.is_none() {
            return Ok(None);
        }
        let lease_ends_at = now.saturating_add_millis(lease_ms);
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        let job = queue::claim(&mut write, claimant, now, lease_ends_at).await?;
        fail_point!("claim-before-commit", |_| std::process::abort());
        write.commit().await?;
        fail_point!("claim-after-commit", |_| std::process::abort());
        Ok(job)
    }

    /// Offers to work: what this process adds from now on may be handed over, claimed for so long.
    pub fn offer_work(&self, lease_ms: i64) -> Offer {
        self.shared.idle_workers.join(lease_ms)
    }

    /// Hands over what was claimed for workers that wait.
    pub(super) async fn hand_over(&self, claimed: Vec<(IdleWorker, ClaimedJob)>) {
        // All at once: who is answered may go away, and this future with him.
        let hands = claimed.into_iter();
        let refused: Vec<_> = hands.filter_map(|(to, job)| to.hand(job).err()).collect();
        for job in refused {
            // Its worker has just left: anybody may have it.
            let now = self.shared.clock.now();
            match self.retry_job(&job, "its worker left", now).await {
                Ok(_) => self.shared.job_added.notify_one(),
                Err(error) => tracing::warn!(%error, "a job waits until its lease has run out"),
            }
        }
    }

    /// Keeps a claim for so long from now. False: it no longer holds.
    pub async fn renew_job(&self, job: &ClaimedJob, lease_ms: i64) -> Result<bool, Error> {
        let lease_ends_at = self.shared.clock.now().saturating_add_millis(lease_ms);
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        let holds = queue::renew(&mut write, job, lease_ends_at).await?;
        write.commit().await?;
        fail_point!("renew-after-commit", |_| std::process::abort());
        Ok(holds)
    }

    /// Removes a job as done. False: the claim no longer holds.
    pub async fn finish_job(&self, job: &ClaimedJob) -> Result<bool, Error> {
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        let holds = queue::finish(&mut write, job).await?;
        write.commit().await?;
        Ok(holds)
    }

    /// Gives a job back, to be tried again at `run_at`, and ends the claim. False: it no longer holds.
    pub async fn retry_job(
        &self,
        job: &ClaimedJob,
        error: &str,
        run_at: Timestamp,
    ) -> Result<bool, Error> {
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        let holds = queue::retry(&mut write, job, error, run_at).await?;
        write.commit().await?;
        Ok(holds)
    }

    /// Lets jobs be claimed that would wait longer than `wait_ms_max`, which no
    /// job does unless the clock has gone back since.
    pub async fn revive_jobs(&self, wait_ms_max: i64) -> Result<(), Error> {
        let now = self.shared.clock.now();
        let latest = now.saturating_add_millis(wait_ms_max);
        // Looking is cheap, and most looks find nothing.
        let last = queue::last_due_at(self.shared.database.readers()).await?;
        if last.is_none_or(|last| last <= latest) {
            return Ok(());
        }
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        queue::revive(&mut write, now, latest).await?;
        write.commit().await
    }

    /// When the next job that is due later than `after` may be claimed: the earliest time to run,
    /// or end of a lease.
    pub async fn next_job_after(&self, after: Timestamp) -> Result<Option<Timestamp>, Error> {
        queue::next_due_at(self.shared.database.readers(), after).await
    }

    /// How many jobs are unfinished.
    pub async fn queue_depth(&self) -> Result<u64, Error> {
        queue::depth(self.shared.database.readers()).await
    }

    /// Waits until this process adds a job. One that was added while nobody waited counts.
    pub async fn job_added(&self) {
        self.shared.job_added.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use showreport_model::{Clock, OrgId, Timestamp};

    use super::super::testing::{Fixture, org};
    use crate::Meta;
    use crate::queue::{self, ClaimedJob, MAKE_BULK_REPORT, MAKE_REPORT, NewJob};

    impl Fixture {
        /// Queues a job of `acme`.
        async fn enqueue(&self, payload: &str, unique_key: &str, run_at: Timestamp) {
            let work = ("chore", payload, unique_key);
            self.enqueue_for(&self.org, work, run_at).await;
        }

        async fn enqueue_for(
            &self,
            org: &OrgId,
            (name, payload, unique_key): (&str, &str, &str),
            run_at: Timestamp,
        ) {
            let job = NewJob {
                org,
                name,
                payload,
                unique_key,
                run_at,
            };
            let mut writer = self.meta.shared.database.writer().await;
            let mut write = writer.begin().await.unwrap();
            let now = self.clock.now();
            queue::insert(&mut write, job, now).await.unwrap();
            write.commit().await.unwrap();
            self.meta.shared.job_added.notify_one();
        }

        /// Queues so many jobs, whose payloads begin with the organisation's name.
        async fn enqueue_many(&self, org: &OrgId, name: &str, count: u32) {
            let now = self.clock.now();
            for number in 0..count {
                let payload = format!("{org}-{number}");
                let key = format!("{name}:{payload}");
                self.enqueue_for(org, (name, &payload, &key), now).await;
            }
        }
    }

    /// Claims a job and gives what it is about.
    async fn claim(meta: &Meta) -> Option<ClaimedJob> {
        meta.claim_job(30_000).await.unwrap()
    }

    /// Claims and ends jobs until none is left; gives what each was about.
    async fn work_off(meta: &Meta) -> Vec<String> {
        let mut done = Vec::new();
        while let Some(job) = claim(meta).await {
            assert!(meta.finish_job(&job).await.unwrap());
            done.push(job.payload);
        }
        done
    }

    #[tokio::test]
    async fn a_lease_that_runs_out_is_claimed_by_another_and_the_first_claim_is_worth_nothing() {
        let show = Fixture::new().await;
        show.enqueue("about", "key", show.clock.now()).await;
        let first = show.meta.claim_job(30_000).await.unwrap().unwrap();
        assert_eq!(
            (first.name.as_str(), first.payload.as_str()),
            ("chore", "about")
        );
        assert_eq!(first.attempt, 1);
        assert_eq!(show.meta.claim_job(30_000).await.unwrap(), None);

        show.clock.advance(20_000);
        assert!(show.meta.renew_job(&first, 30_000).await.unwrap());
        show.clock.advance(29_999);
        assert_eq!(show.meta.claim_job(30_000).await.unwrap(), None);
        show.clock.advance(1);
        let other = show.reopen().await;
        let second = other.claim_job(30_000).await.unwrap().unwrap();
        assert_eq!((second.id, second.attempt), (first.id, 2));
        assert!(second.fence > first.fence);

        let now = show.clock.now();
        assert!(!show.meta.renew_job(&first, 30_000).await.unwrap());
        assert!(!show.meta.retry_job(&first, "late", now).await.unwrap());
        assert!(!show.meta.finish_job(&first).await.unwrap());
        assert!(other.finish_job(&second).await.unwrap());
        assert!(!other.finish_job(&second).await.unwrap());
        assert_eq!(show.meta.queue_depth().await.unwrap(), 0);
    }

    #[tokio::test]
    async fn the_same_work_is_queued_once_until_it_is_done() {
        let show = Fixture::new().await;
        let now = show.clock.now();
        show.enqueue("a", "key", now).await;
        show.enqueue("b", "key", now).await;
        assert_eq!(show.meta.queue_depth().await.unwrap(), 1);
        let job = show.meta.claim_job(1_000).await.unwrap().unwrap();
        show.enqueue("c", "key", now).await;
        assert_eq!(show.meta.queue_depth().await.unwrap(), 1);
        assert!(show.meta.finish_job(&job).await.unwrap());
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
        assert!(show.meta.retry_job(&job, "no luck", later).await.unwrap());
        assert!(!show.meta.renew_job(&job, 1_000).await.unwrap());
        assert_eq!(show.meta.next_job_after(now).await.unwrap(), Some(later));
        assert_eq!(show.meta.claim_job(1_000).await.unwrap(), None);
        show.clock.advance(5_000);
        assert_eq!(
            show.meta.claim_job(1_000).await.unwrap().unwrap().attempt,
            2
        );
    }

    #[tokio::test]
    async fn who_waits_for_a_job_is_woken_and_an_earlier_one_is_not_missed() {
        let show = Fixture::new().await;
        let now = show.clock.now();
        show.enqueue("", "one", now).await;
        show.meta.job_added().await;
        tokio::join!(show.enqueue("", "two", now), show.meta.job_added());
    }

    #[tokio::test]
    async fn organisations_take_turns_however_many_jobs_one_has() {
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
    async fn a_newcomer_is_claimed_for_next_and_its_own_jobs_keep_their_order() {
        let show = Fixture::new().await;
        let rival = org("rival");
        show.enqueue_many(&show.org, MAKE_REPORT, 5).await;
        for _ in 0..3 {
            let job = claim(&show.meta).await.unwrap();
            assert!(show.meta.finish_job(&job).await.unwrap());
        }
        show.clock.advance(1);
        show.enqueue_many(&rival, MAKE_REPORT, 1).await;
        let expected = ["rival-0", "acme-3", "acme-4"];
        assert_eq!(work_off(&show.meta).await, expected);
    }

    #[tokio::test]
    async fn bulk_reports_do_not_wait_for_the_end_of_event_reports() {
        let show = Fixture::new().await;
        show.enqueue_many(&show.org, MAKE_REPORT, 10).await;
        show.enqueue_many(&show.org, MAKE_BULK_REPORT, 2).await;
        let mut names = Vec::new();
        while let Some(job) = claim(&show.meta).await {
            assert!(show.meta.finish_job(&job).await.unwrap());
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

        // What ended, was put back or has lost its lease runs no longer.
        assert!(show.meta.finish_job(&first).await.unwrap());
        let third = claim(&show.meta).await.unwrap();
        let later = show.clock.now().saturating_add_millis(60_000);
        assert!(show.meta.retry_job(&third, "no luck", later).await.unwrap());
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
    async fn leases_of_a_process_that_died_keep_no_other_job_waiting() {
        let show = Fixture::with_running_jobs_each_max(2).await;
        show.enqueue_many(&show.org, MAKE_REPORT, 4).await;
        claim(&show.meta).await.unwrap();
        claim(&show.meta).await.unwrap();
        let next = show.reopen().await;
        assert_eq!(claim(&next).await.unwrap().payload, "acme-2");
        assert_eq!(claim(&next).await.unwrap().payload, "acme-3");
    }
}
