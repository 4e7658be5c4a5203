//! [`IdleWorkers`]: the workers of this process that wait for a job.
//!
//! A transaction that adds a job while a worker waits also claims a job for it. That saves the
//! worker a transaction of its own, which on a busy server waits behind others.

use std::sync::Mutex;

use tokio::sync::oneshot;

use super::ClaimedJob;

/// Oldest first.
#[derive(Debug, Default)]
pub(crate) struct IdleWorkers(Mutex<Vec<IdleWorker>>);

/// A worker that waits for a job.
#[derive(Debug)]
pub(crate) struct IdleWorker {
    /// The lease of the job that it is handed.
    pub(crate) lease_ms: i64,
    hand: oneshot::Sender<ClaimedJob>,
}

/// The receiving end of an idle worker.
#[derive(Debug)]
pub struct Offer(oneshot::Receiver<ClaimedJob>);

impl IdleWorkers {
    /// Adds a worker.
    pub(crate) fn join(&self, lease_ms: i64) -> Offer {
        let (hand, offer) = oneshot::channel();
        self.waiting().push(IdleWorker { lease_ms, hand });
        Offer(offer)
    }

    /// Takes a worker. If it is dropped without a job, [`Offer::job`] returns `None`.
    pub(crate) fn take(&self) -> Option<IdleWorker> {
        self.waiting().pop()
    }

    /// The workers that still wait.
    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<IdleWorker>> {
        let mut workers = self.0.lock().expect("no code panics while it is locked");
        workers.retain(|worker| !worker.hand.is_closed());
        workers
    }
}

impl IdleWorker {
    /// Hands over a claimed job; returns it if the worker no longer waits.
    pub(crate) fn hand(self, job: ClaimedJob) -> Result<(), ClaimedJob> {
        self.hand.send(job)
    }
}

impl Offer {
    /// Waits for a job. `None`: there may be one in the queue.
    pub async fn job(&mut self) -> Option<ClaimedJob> {
        (&mut self.0).await.ok()
    }

    /// Stops waiting. Returns a job that was handed over at the last moment.
    pub fn withdraw(mut self) -> Option<ClaimedJob> {
        self.0.close();
        self.0.try_recv().ok()
    }
}
