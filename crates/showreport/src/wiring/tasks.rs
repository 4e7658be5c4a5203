//! The tasks of this process, in the order in which they stop.

use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long one task may take to stop. Open requests are finished for ten seconds, and a report stops
/// at its next batch. A task that takes longer hangs; the journal is safe without it.
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// Tasks that run until they are stopped. A task that ends by itself has failed.
#[derive(Debug, Default)]
pub(super) struct Tasks(Vec<Task>);

#[derive(Debug)]
struct Task {
    name: &'static str,
    stop: CancellationToken,
    handle: JoinHandle<anyhow::Result<()>>,
}

impl Tasks {
    /// Starts a task, which stops after those started before it.
    pub(super) fn start<T>(
        &mut self,
        name: &'static str,
        threads: &Handle,
        task: impl FnOnce(CancellationToken) -> T,
    ) where
        T: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let handle = threads.spawn(task(stop.clone()));
        self.0.push(Task { name, stop, handle });
    }

    /// Waits until a task ends by itself, and returns why.
    pub(super) async fn failed(&mut self) -> anyhow::Error {
        if self.0.is_empty() {
            return std::future::pending().await;
        }
        let handles = self.0.iter_mut().map(|task| &mut task.handle);
        let (ended, index, _) = futures::future::select_all(handles).await;
        let task = self.0.remove(index);
        match ended {
            Ok(Ok(())) => anyhow!("the {} ended", task.name),
            Ok(Err(error)) => error.context(format!("the {} failed", task.name)),
            Err(error) => anyhow!(error).context(format!("the {} broke off", task.name)),
        }
    }

    /// Stops one task after the other. Returns the first failure.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        let mut outcome = Ok(());
        for task in self.0 {
            tracing::debug!(task = task.name, "stopping");
            outcome = outcome.and(task.stop().await);
        }
        outcome
    }
}

impl Task {
    async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        let Ok(ended) = tokio::time::timeout(STOP_WITHIN, &mut self.handle).await else {
            self.handle.abort();
            return Err(anyhow!(
                "the {} did not stop within {} s",
                self.name,
                STOP_WITHIN.as_secs()
            ));
        };
        ended
            .unwrap_or_else(|error| Err(error.into()))
            .with_context(|| format!("stop the {}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn tasks_stop_in_the_order_in_which_they_started() {
        let stopped = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Tasks::default();
        for name in ["server", "runner", "journal"] {
            let stopped = stopped.clone();
            tasks.start(name, &Handle::current(), |stop| async move {
                stop.cancelled().await;
                stopped.lock().expect("no panic").push(name);
                Ok(())
            });
        }
        tasks.stop().await.expect("nothing failed");
        assert_eq!(
            *stopped.lock().expect("no panic"),
            ["server", "runner", "journal"]
        );
    }

    #[tokio::test]
    async fn a_task_that_ends_by_itself_is_a_failure() {
        let mut tasks = Tasks::default();
        tasks.start("server", &Handle::current(), |stop| async move {
            stop.cancelled().await;
            Ok(())
        });
        tasks.start("journal", &Handle::current(), |_| async {
            Err(anyhow!("the disk is gone"))
        });
        let error = tasks.failed().await;
        assert_eq!(format!("{error:#}"), "the journal failed: the disk is gone");
        tasks.stop().await.expect("the others stop");
    }
}
