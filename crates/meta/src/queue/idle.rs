//! [`Idle`]: the workers of this process that wait for a job.
//!
//! Who adds a job while one waits claims one for it in the same transaction. That saves the worker
//! a turn among all who want to write, and on a busy server turns are what a job waits for.

use std::sync::Mutex;

use tokio::sync::oneshot;

use super::ClaimedJob;

/// Workers that wait, those who came last at the end.
#[derive(Debug, Default)]
pub(crate) struct Idle(Mutex<Vec<IdleWorker>>);

/// A worker that waits.
#[derive(Debug)]
pub(crate) struct IdleWorker {
    /// How long its claim is good for.
    pub(crate) lease_ms: i64,
    hand: oneshot::Sender<ClaimedJob>,
}

/// What a worker waits with.
#[derive(Debug)]
pub struct Offer(oneshot::Receiver<ClaimedJob>);

impl Idle {
    /// Puts a worker in the row.
    pub(crate) fn join(&self, lease_ms: i64) -> Offer {
        let (hand, offer) = oneshot::channel();
        self.waiting().push(IdleWorker { lease_ms, hand });
        Offer(offer)
    }

    /// Takes a worker out of the row. One who is dropped without a job looks for itself.
    pub(crate) fn take(&self) -> Option<IdleWorker> {
        self.waiting().pop()
    }

    /// The row, without those who have left it.
    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<IdleWorker>> {
        let mut workers = self.0.lock().expect("nothing panics while it is held");
        workers.retain(|worker| !worker.hand.is_closed());
        workers
    }
}

impl IdleWorker {
    /// Hands a claimed job over; gives it back if the worker has left meanwhile.
    pub(crate) fn hand(self, job: ClaimedJob) -> Result<(), ClaimedJob> {
        self.hand.send(job)
    }
}

impl Offer {
    /// Waits for a job. None: there may be one in the queue.
    pub async fn job(&mut self) -> Option<ClaimedJob> {
        (&mut self.0).await.ok()
    }

    /// Waits no longer. Gives the job that was handed over in the last moment.
    pub fn withdraw(mut self) -> Option<ClaimedJob> {
        self.0.close();
        self.0.try_recv().ok()
    }
}
