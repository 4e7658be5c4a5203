//! [`Job`]: one kind of background work. [`Attempt`]: one claim of such a job.
//!
//! To add a kind, write a file with its [`Job`] and name it in `registry.rs`. The runner claims,
//! renews the lease, backs off and gives up for all kinds alike.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use showreport_meta::ClaimedJob;

use crate::error::{Doing, Error};
use crate::jobs::Jobs;

/// One kind of background work.
#[async_trait]
pub(crate) trait Job: Send + Sync {
    /// The name of the kind in the queue and in the log.
    fn name(&self) -> &'static str;

    /// Where the turns of organisations do not decide, the lower number is claimed first.
    fn priority(&self) -> i64;

    /// Failed attempts after which the job is given up. None: it is tried until it succeeds.
    fn attempts_max(&self) -> Option<u32>;

    /// Does the work and removes the job from the queue.
    ///
    /// Two attempts can run at once: one that lost its lease notices it late. So each writes to files
    /// of its own, and publishes by a transaction that checks the fence of its claim.
    async fn run(&self, attempt: &Attempt<'_>) -> Result<(), Error>;

    /// Removes a job that is not tried again. Kinds with a result also store the failure.
    async fn give_up(&self, attempt: &Attempt<'_>, _error: &Error) -> Result<(), Error> {
        attempt.finish().await
    }
}

/// One claim of a job.
pub(crate) struct Attempt<'a> {
    pub(crate) jobs: &'a Jobs,
    pub(crate) claimed: &'a ClaimedJob,
    must_finish: AtomicBool,
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(jobs: &'a Jobs, claimed: &'a ClaimedJob) -> Self {
        Self {
            jobs,
            claimed,
            must_finish: AtomicBool::new(false),
        }
    }

    /// From here on the attempt runs to its end, also when the lease is lost or the server stops.
    pub(crate) fn set_must_finish(&self) {
        self.must_finish.store(true, Ordering::Relaxed);
    }

    pub(crate) fn must_finish(&self) -> bool {
        self.must_finish.load(Ordering::Relaxed)
    }

    /// Removes the job from the queue, unless another worker has claimed it since.
    pub(crate) async fn finish(&self) -> Result<(), Error> {
        let finished = self.jobs.meta.finish_job(self.claimed).await;
        finished.doing("remove the job from the queue").map(drop)
    }
}
