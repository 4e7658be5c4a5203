//! The queue of jobs, which any process may work on.

use fail::fail_point;
use showreport_model::Timestamp;

use super::Meta;
use crate::error::Error;
use crate::queue::{self, ClaimedJob, IdleWorker, NewJob, Offer};

impl Meta {
    /// Adds a job, or nothing while one of the same key is unfinished.
    pub async fn enqueue(
        &self,
        name: &str,
        payload: &str,
        unique_key: &str,
        run_at: Timestamp,
    ) -> Result<(), Error> {
        let job = NewJob {
            name,
            payload,
            unique_key,
            run_at,
        };
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        queue::insert(&mut write, job).await?;
        write.commit().await?;
        self.shared.job_added.notify_one();
        Ok(())
    }

    /// Claims a job that is due, or whose lease ran out, for so long.
    pub async fn claim_job(&self, lease_ms: i64) -> Result<Option<ClaimedJob>, Error> {
        // Looking is cheap, and most looks find nothing.
        let now = self.shared.clock.now();
        if self.next_job_at().await?.is_none_or(|due| due > now) {
            return Ok(None);
        }
        let lease_ends_at = now.saturating_add_millis(lease_ms);
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        let job = queue::claim(&mut write, now, lease_ends_at).await?;
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

    /// When the next job may be claimed: the earliest time to run, or end of a lease.
    pub async fn next_job_at(&self) -> Result<Option<Timestamp>, Error> {
        queue::next_due_at(self.shared.database.readers()).await
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
    use showreport_model::Clock;

    use super::super::testing::Fixture;

    #[tokio::test]
    async fn a_lease_that_runs_out_is_claimed_by_another_and_the_first_claim_is_worth_nothing() {
        let show = Fixture::new().await;
        show.meta
            .enqueue("chore", "about", "key", show.clock.now())
            .await
            .unwrap();
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
        show.meta.enqueue("chore", "a", "key", now).await.unwrap();
        show.meta.enqueue("chore", "b", "key", now).await.unwrap();
        assert_eq!(show.meta.queue_depth().await.unwrap(), 1);
        let job = show.meta.claim_job(1_000).await.unwrap().unwrap();
        show.meta.enqueue("chore", "c", "key", now).await.unwrap();
        assert_eq!(show.meta.queue_depth().await.unwrap(), 1);
        assert!(show.meta.finish_job(&job).await.unwrap());
        show.meta.enqueue("chore", "d", "key", now).await.unwrap();
        let job = show.meta.claim_job(1_000).await.unwrap().unwrap();
        assert_eq!((job.payload.as_str(), job.attempt), ("d", 1));
    }

    #[tokio::test]
    async fn a_job_that_failed_waits_for_its_time_and_its_old_claim_ends() {
        let show = Fixture::new().await;
        let now = show.clock.now();
        assert_eq!(show.meta.next_job_at().await.unwrap(), None);
        show.meta.enqueue("chore", "", "key", now).await.unwrap();
        assert_eq!(show.meta.next_job_at().await.unwrap(), Some(now));
        let job = show.meta.claim_job(1_000).await.unwrap().unwrap();
        let later = now.saturating_add_millis(5_000);
        assert!(show.meta.retry_job(&job, "no luck", later).await.unwrap());
        assert!(!show.meta.renew_job(&job, 1_000).await.unwrap());
        assert_eq!(show.meta.next_job_at().await.unwrap(), Some(later));
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
        show.meta.enqueue("chore", "", "one", now).await.unwrap();
        show.meta.job_added().await;
        let (added, ()) = tokio::join!(
            show.meta.enqueue("chore", "", "two", now),
            show.meta.job_added()
        );
        added.unwrap();
    }
}
