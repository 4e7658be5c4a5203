//! [`Meta`], the front of the crate. Each noun is a module, with its statements and transactions.
//!
//! A new noun takes three steps. Its module has the statements as constants, with parameters as
//! `$1`; functions that run them on a connection; and an `impl Meta`, where each method that
//! writes is one call of `Database::write`, or of `Database::write_protected` if it frees room or
//! protects. A module uses only the modules above it; a transaction of several nouns belongs to the
//! last of them. A table has checksums in its rows if reports depend on it, and [`Meta::verify`]
//! then checks it.

mod orgs;
mod tokens;
mod roles;
mod people;
mod sessions;
mod passwords;
mod sign_in_links;
mod viewer_keys;
mod signing_keys;
mod clock;
mod jobs;
mod dirty_events;
mod events;
mod shares;
mod listed_events;
mod org_totals;
mod journal;
mod heads;
mod event_snapshots;
mod file_quotas;
mod reports;
mod dirty_days;
mod bulk_reports;
mod report_jobs;
mod zones;
mod day_files;
mod kept_files;
mod history;
mod verify;

#[cfg(test)]
mod testing;

use std::io;
use std::sync::{Arc, Mutex};

use showreport_model::{ClaimantId, Clock, Timestamp, is_storage_full};
use sqlx::SqlitePool;
use tokio::sync::Notify;

pub use bulk_reports::{BulkFilter, BulkReportTask, DayMade, NewBulkReport, Published};
pub use day_files::DayFile;
pub use dirty_events::{DirtyEvent, DirtyOrg};
pub use event_snapshots::EventSnapshot;
pub use heads::{EntryDigest, KnownLake, NewHead, NewHeads};
pub use jobs::{Claim, ClaimedJob, MAKE_BULK_REPORT, MAKE_REPORT, Offer};
pub use journal::{
    Commit, Commits, CommittedRow, Journal, JournalDepth, JournalRow, JournalWriter, MovedHead,
    PendingRows, Storage, TakenCommits,
};
pub use listed_events::{EventFilter, EventOrder, EventPlace, ListedEvent};
pub use orgs::{Org, ViewerTokens, ZoneChange};
pub use passwords::{NewPassword, PASSWORD_CHARACTERS_MIN, PasswordProblem};
pub use people::{EmailAddress, EmailError, Person};
pub use report_jobs::ReportJobUpdate;
pub use reports::{Idempotency, ReportEnd, ReportFilter, ReportTask};
pub use roles::{Role, RoleError};
pub use sessions::{SESSION_LIFETIME_MS, Session, SessionOwner};
pub use shares::{Share, ShareRights};
pub use signing_keys::{LINK_LIFETIME_MS, SigningKey, SigningKeys};
pub use tokens::{Access, Scope, ScopeError, Scopes, Token, TokenSecret};
pub use viewer_keys::ViewerKeys;

use crate::config::Config;
use crate::database::{Database, Ledger, to_json};
use crate::error::Error;
use crate::metrics::Metrics;
use crate::quotas::Quotas;
use jobs::{Claimant, IdleWorkers};
use journal::JournalReceiver;
use passwords::Hashing;
use sessions::SessionCache;
use shares::ShareCache;
use signing_keys::SigningKeyCache;
use tokens::TokenCache;
use viewer_keys::ViewerKeyCache;

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
    tokens: TokenCache<Access>,
    sessions: SessionCache,
    hashing: Hashing,
    shares: ShareCache,
    viewer_keys: ViewerKeyCache,
    signing_keys: SigningKeyCache,
    journal: Journal,
    journal_bytes_max: u64,
    quotas: Quotas,
    /// For the one writer of the journal, until it is taken.
    journal_receiver: Mutex<Option<JournalReceiver>>,
    claimant: Claimant,
    job_added: Notify,
    idle_workers: IdleWorkers,
    report_job_created: Notify,
}

impl Meta {
    /// Opens the database, and creates and migrates it as needed. Its directory must exist.
    pub async fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let database = Arc::new(Database::open(config, clock.clone()).await?);
        let journal_bytes = journal::size(database.readers()).await?;
        let (journal, receiver) = Journal::new(database.clone(), journal_bytes);
        let meta = Self {
            shared: Arc::new(Shared {
                database,
                clock,
                metrics: Metrics::new(),
                tokens: TokenCache::default(),
                sessions: SessionCache::default(),
                hashing: Hashing::default(),
                shares: ShareCache::default(),
                viewer_keys: ViewerKeyCache::default(),
                signing_keys: SigningKeyCache::default(),
                journal,
                journal_bytes_max: config.journal_bytes_max,
                quotas: config.quotas,
                journal_receiver: Mutex::new(Some(receiver)),
                claimant: Claimant {
                    id: ClaimantId::generate(),
                    running_each_max: config.running_jobs_each_max,
                    priorities: to_json(&config.job_priorities),
                },
                job_added: Notify::new(),
                idle_workers: IdleWorkers::default(),
                report_job_created: Notify::new(),
            }),
        };
        meta.check_clock_at_start().await?;
        Ok(meta)
    }

    /// The clock that this database uses.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.clock
    }

    /// The metrics of the journal.
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Bytes that the disk or the user's quota has left for the database; `None` where the system
    /// does not report them.
    pub fn disk_free_bytes(&self) -> Option<u64> {
        self.database().free_bytes()
    }

    /// Fails while the disk or the user's quota is full, as every write that needs room does.
    pub async fn ensure_room(&self) -> Result<(), Error> {
        self.database().ensure_room().await
    }

    /// Calls `attempt`, which needs room on the disk to start. If the disk is full, the reserve is
    /// released and it is called once more.
    pub async fn with_reserve<T>(&self, attempt: impl Fn() -> io::Result<T>) -> io::Result<T> {
        match attempt() {
            Err(error) if is_storage_full(&error) => {
                let _released = self.database().release_reserve().await;
                attempt()
            }
            made => made,
        }
    }

    /// Moves what was committed from the log into the database file, as far as readers let it.
    ///
    /// Every transaction does so when the log has grown large. If the disk fails meanwhile, the
    /// process ends.
    pub async fn checkpoint(&self) -> Result<(), Error> {
        self.database().checkpoint().await
    }

    /// Limits every wait for another process that writes to one second: a transaction that cannot
    /// begin by then fails as busy. For a process that stops.
    pub fn stop_waiting(&self) {
        self.database().stop_waiting();
    }

    /// Checkpoints and closes. No method may be called afterwards.
    pub async fn close(&self) {
        if let Err(error) = self.checkpoint().await {
            // The log holds everything; the next start reads it.
            tracing::warn!(%error, "cannot checkpoint while closing");
        }
        self.database().close().await;
    }

    fn database(&self) -> &Database {
        &self.shared.database
    }

    fn readers(&self) -> &SqlitePool {
        self.shared.database.readers()
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    async fn ledger(&self) -> Result<Ledger, Error> {
        Ledger::read(self.readers()).await
    }
}

#[cfg(test)]
mod tests {
    use showreport_model::{OrgId, Zone};

    use super::testing::Fixture;
    use super::*;

    #[tokio::test]
    async fn a_write_may_be_dropped_at_any_point_and_holds_no_lock() {
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
