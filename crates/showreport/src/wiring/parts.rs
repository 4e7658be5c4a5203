//! The parts of an installation, opened over one data directory.

use std::sync::Arc;

use anyhow::Context;
use fail::fail_point;
use showreport_jobs::Jobs;
use showreport_lake::Lake;
use showreport_meta::Meta;
use showreport_model::SystemClock;
use showreport_query::Query;

use super::check::Check;
use super::data_dir::DataDir;
use super::limits::{Limits, ServerLimits};
use super::spill::SpillDir;
use super::threads::Threads;

/// The memory of the rows of one flush. Sorting and writing them takes a few times as much. A report
/// of another organisation waits for one flush; twice as much takes half a second on a busy machine.
const FLUSH_BYTES_MAX: u64 = 16 << 20;
/// The memory of the rows of one file of an import. No report waits for it, so it can be larger.
const LOAD_BYTES_MAX: u64 = 32 << 20;
const FILE_BYTES_TARGET: u64 = 128 << 20;
/// The number of files of about one size at which they are merged.
const COMPACT_FILES_MIN: usize = 8;

/// The parts that work on the data, with or without a server.
pub struct Parts {
    pub meta: Meta,
    pub lake: Lake,
    pub query: Query,
    pub jobs: Jobs,
    /// The check of the database, if it takes longer than the start waits.
    pub(super) check: Option<Check>,
    cpu: Threads,
    spill: SpillDir,
}

impl Parts {
    /// Opens the parts for a command that works on the data itself.
    pub async fn open(directory: &DataDir, limits: &Limits) -> anyhow::Result<Self> {
        let meta = open_meta(directory).await?;
        // First, so that no figure is made from damaged rows.
        meta.verify().await.context("check the database")?;
        let jobs = showreport_jobs::Config::default();
        Self::assemble(directory, limits, meta, jobs).await
    }

    /// Opens the parts for a server.
    pub async fn open_server(directory: &DataDir, limits: &ServerLimits) -> anyhow::Result<Self> {
        directory.warn_if_open();
        let config = showreport_meta::Config {
            journal_bytes_max: limits.journal_size,
            running_jobs_each_max: limits.report_workers.into(),
            job_priorities: showreport_jobs::priorities(),
            quotas: showreport_meta::Quotas {
                reports_max: limits.org_reports,
                day_files_max: limits.org_day_files,
                file_bytes_max: limits.org_files_size,
                events_max: limits.org_events,
                records_max: limits.org_records,
            },
            ..showreport_meta::Config::new(directory.database())
        };
        let meta = open_database(&config).await?;
        let check = Check::begin(&meta, directory.damage_mark()).await?;
        let jobs = showreport_jobs::Config {
            report_workers: limits.report_workers.into(),
            report_retention_ms: limits.report_retention,
            history_ms: limits.history,
            settle_ms: limits.bulk_settle,
            bulk_retention_ms: limits.bulk_retention,
            idle_report_job_ms: limits.job_expiry,
            flush_after_ms: limits.flush_after.unsigned_abs(),
            ..showreport_jobs::Config::default()
        };
        let jobs = shortened_by_tests(jobs);
        let parts = Self::assemble(directory, &limits.limits, meta, jobs).await?;
        Ok(Self { check, ..parts })
    }

    async fn assemble(
        directory: &DataDir,
        limits: &Limits,
        meta: Meta,
        jobs: showreport_jobs::Config,
    ) -> anyhow::Result<Self> {
        let lake = open_lake(directory, &meta).await?;
        let threads = match limits.query_threads {
            Some(threads) => usize::from(threads),
            None => std::thread::available_parallelism().map_or(1, usize::from),
        };
        let cpu =
            Threads::start("query", threads).context("start the threads that make reports")?;
        // A server has to start on a full disk, since it deletes expired files.
        let spill = meta.with_reserve(|| SpillDir::create(&directory.spill()));
        let spill = spill.await;
        let spill = spill.with_context(|| format!("make {}", directory.spill().display()))?;
        let config = showreport_query::Config {
            memory_bytes_max: usize::try_from(limits.query_memory)
                .context("--query-memory is more than this machine can address")?,
            spill_dir: spill.path().to_owned(),
            threads,
        };
        let query = Query::new(&config, lake.clone(), cpu.handle())?;
        let jobs = Jobs::new(jobs, meta.clone(), lake.clone(), query.clone());
        Ok(Self {
            meta,
            lake,
            query,
            jobs,
            check: None,
            cpu,
            spill,
        })
    }

    pub async fn close(self) {
        drop(self.cpu);
        drop(self.spill);
        self.meta.close().await;
    }
}

/// Shorter times for tests that kill the process: they cannot wait for maintenance and for leases.
fn shortened_by_tests(jobs: showreport_jobs::Config) -> showreport_jobs::Config {
    fail_point!("hurry", |_| showreport_jobs::Config {
        lease_ms: 1_500,
        maintain_every_ms: 30,
        restate_ms_max: 200,
        ..jobs
    });
    jobs
}

/// Opens the metadata database, as every command does.
pub async fn open_meta(directory: &DataDir) -> anyhow::Result<Meta> {
    open_database(&showreport_meta::Config::new(directory.database())).await
}

async fn open_database(config: &showreport_meta::Config) -> anyhow::Result<Meta> {
    Meta::open(config, Arc::new(SystemClock))
        .await
        .with_context(|| format!("open the database {}", config.path.display()))
}

/// Opens the lake.
pub async fn open_lake(directory: &DataDir, meta: &Meta) -> anyhow::Result<Lake> {
    let config = showreport_lake::Config {
        root: directory.store(),
        lock: directory.flush_lock(),
        flush_bytes_max: FLUSH_BYTES_MAX,
        load_bytes_max: LOAD_BYTES_MAX,
        file_bytes_target: FILE_BYTES_TARGET,
        compact_files_min: COMPACT_FILES_MIN,
    };
    Lake::open(&config, meta.clone())
        .await
        .with_context(|| format!("open the lake in {}", config.root.display()))
}
