//! The front of the crate: what can be asked, and which statements share a transaction.

mod access;
mod collecting;
mod reporting;
mod bulk;
mod work;
mod forgetting;
mod verifying;
mod timekeeping;

#[cfg(test)]
mod testing;

use std::io;
use std::sync::{Arc, Mutex};

use showreport_model::{ClaimantId, Clock, is_storage_full};
use tokio::sync::Notify;

pub use bulk::{BulkReportTask, Published};

use crate::config::Config;
use crate::database::Database;
use crate::error::Error;
use crate::journal::{self, Journal, JournalReceiver};
use crate::metrics::Metrics;
use crate::queue::{Claimant, Idle};
use crate::quotas::Quotas;
use crate::signing::KnownKeys;
use crate::tokens::KnownTokens;

/// The metadata database. Clones are the same database.
#[derive(Debug, Clone)]
pub struct Meta {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    database: Arc<Database>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    tokens: KnownTokens,
    signing_keys: KnownKeys,
    journal: Journal,
    journal_bytes_max: u64,
    quotas: Quotas,
    /// For the one writer of the journal, until it is taken.
    journal_receiver: Mutex<Option<JournalReceiver>>,
    /// As which this process claims jobs.
    claimant: Claimant,
    job_added: Notify,
    idle_workers: Idle,
    report_job_created: Notify,
}

impl Meta {
    /// Opens the database, making and migrating it as needed. Its directory must exist.
    pub async fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let database = Arc::new(Database::open(config, clock.clone()).await?);
        let waiting_bytes = journal::size(database.readers()).await?;
        let (journal, receiver) = Journal::new(database.clone(), waiting_bytes);
        let meta = Self {
            shared: Arc::new(Shared {
                database,
                clock,
                metrics: Metrics::new(),
                tokens: KnownTokens::default(),
                signing_keys: KnownKeys::default(),
                journal,
                journal_bytes_max: config.journal_bytes_max,
                quotas: config.quotas,
                journal_receiver: Mutex::new(Some(receiver)),
                claimant: Claimant {
                    id: ClaimantId::generate(),
                    running_each_max: config.running_jobs_each_max,
                },
                job_added: Notify::new(),
                idle_workers: Idle::default(),
                report_job_created: Notify::new(),
            }),
        };
        meta.look_at_clock().await?;
        Ok(meta)
    }

    /// Where "now" comes from.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.clock
    }

    /// What the journal counts of itself.
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// How many bytes the disk or the quota has left for the database, where the system says it.
    pub fn disk_free_bytes(&self) -> Option<u64> {
        self.shared.database.free_bytes()
    }

    /// Refuses while the disk or the quota is full, as everything is then that takes room.
    pub async fn ensure_room(&self) -> Result<(), Error> {
        self.shared.database.ensure_room().await
    }

    /// Does what needs room to start, again if the disk is full: then the room in reserve is given
    /// up for it.
    pub async fn with_reserve<T>(&self, attempt: impl Fn() -> io::Result<T>) -> io::Result<T> {
        match attempt() {
            Err(error) if is_storage_full(&error) => {
                let _released = self.shared.database.release_reserve().await;
                attempt()
            }
            made => made,
        }
    }

    /// Moves what was committed from the log into the database file, as far as readers let it.
    ///
    /// Every transaction does it by itself when the log has grown large. A disk that fails in it
    /// ends the process.
    pub async fn checkpoint(&self) -> Result<(), Error> {
        self.shared.database.checkpoint().await
    }

    /// Bounds every wait for another process that writes to a moment: what cannot begin by then
    /// fails as busy. For a process that stops.
    pub fn stop_waiting(&self) {
        self.shared.database.stop_waiting();
    }

    /// Checkpoints and closes. Nothing may be asked afterwards.
    pub async fn close(&self) {
        if let Err(error) = self.checkpoint().await {
            // The log holds everything; the next start reads it.
            tracing::warn!(%error, "cannot checkpoint while closing");
        }
        self.shared.database.close().await;
    }
}

#[cfg(test)]
mod tests {
    use showreport_model::{OrgId, Zone};

    use super::testing::Fixture;
    use super::*;

    #[tokio::test]
    async fn a_write_may_be_dropped_at_any_point_and_holds_nothing() {
        let show = Fixture::new().await;
        let other = show.reopen().await;
        let mut finished = 0;
        for turns in 0..200 {
            let org = OrgId::new(format!("org-{turns}")).unwrap();
            let utc = Zone::utc();
            tokio::select! {
                biased;
                result = show.meta.create_org(&org, &utc) => {
                    result.unwrap();
                    finished += 1;
                }
                () = async {
                    for _ in 0..turns {
                        tokio::task::yield_now().await;
                        std::thread::sleep(std::time::Duration::from_micros(5));
                    }
                } => {}
            }
            // Another process can write at once, without this one doing anything.
            let theirs = OrgId::new(format!("their-{turns}")).unwrap();
            other.create_org(&theirs, &utc).await.unwrap();
        }
        assert!(finished > 0, "no write ever finished");
        show.meta
            .zone(&OrgId::new("their-199").unwrap())
            .await
            .unwrap();
        let last = OrgId::new("last").unwrap();
        show.meta.create_org(&last, &Zone::utc()).await.unwrap();
        other.zone(&last).await.unwrap();
    }

    #[tokio::test]
    async fn two_processes_open_a_new_database_at_the_same_time() {
        let directory = tempfile::tempdir().unwrap();
        let config = Config::new(directory.path().join("meta.sqlite"));
        let clock: Arc<dyn Clock> = Arc::new(showreport_model::SystemClock);
        let opened = tokio::join!(
            Meta::open(&config, clock.clone()),
            Meta::open(&config, clock.clone()),
            Meta::open(&config, clock.clone())
        );
        opened.0.unwrap().close().await;
        opened.1.unwrap().close().await;
        opened.2.unwrap().close().await;
        assert!(!directory.path().join("meta.sqlite-wal").exists());
    }
}
