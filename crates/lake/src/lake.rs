//! [`Lake`]: the operations on the tables and on the files of reports.

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use showreport_meta::{EventSnapshot, Meta};
use showreport_model::facts::{Collected, Table};
use showreport_model::report::Heads;
use showreport_model::{ErrorKind, EventId, Failure, OrgId};
use tokio::sync::Mutex;

use crate::compact::{self, Compacted};
use crate::delta::{Newest, STORE_URL};
use crate::exclusive::{Exclusive, NewestGuard, run_aside, take_lock};
use crate::files::{Files, Sought};
use crate::flush::{self, Flushed};
use crate::new_columns;
use crate::pin::Pinning;
use crate::vacuum;
use crate::{
    Config, DamagedFiles, DataFile, DurableStore, Error, FoundDamage, Metrics, ReportFiles, Store,
};

/// Damaged files that are read again in one round at most. Each is read up to its first damaged
/// block.
const RECHECKED_MAX: usize = 16;

/// The tables and the files of reports. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lake {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: Config,
    meta: Meta,
    store: Store,
    exclusive: Exclusive,
    /// Held while files are merged, so that no file is merged twice at once.
    compacting: Mutex<()>,
    /// Held by long work while it waits for `exclusive` and runs. So at most one long work waits
    /// there, and a flush ahead waits for one of them, not for a queue.
    long: Mutex<()>,
    files: Files,
    report_files: ReportFiles,
    metrics: Metrics,
}

impl Lake {
    /// The URL of the store in the query engine.
    pub const STORE_URL: &'static str = STORE_URL;

    /// Opens the lake: creates tables and columns that are missing, and removes what processes
    /// that died left unfinished.
    ///
    /// Refuses a lake and a database that are not of the same time ([`Error::Damaged`]).
    pub async fn open(config: &Config, meta: Meta) -> Result<Self, Error> {
        let (root, lock) = (config.root.clone(), config.lock.clone());
        let known = meta.known_lake().await?;
        let adding_meta = meta.clone();
        let (store, newest) = run_aside(move || async move {
            let durable =
                DurableStore::open(&root).map_err(|source| Error::OpenStore { source })?;
            let name = root.file_name().unwrap_or(root.as_os_str());
            let store = Store::new(durable, &name.to_string_lossy());
            let for_newest = || store.for_operation(&FoundDamage::default());
            match Newest::load(for_newest(), &known).await {
                Ok(newest) => {
                    if !new_columns::are_due(&newest, &known).await? {
                        return Ok((store, newest));
                    }
                }
                Err(error) if error.kind() == ErrorKind::Damaged => return Err(error),
                Err(_) => {}
            }
            // Creating tables and adding columns needs the lock. Only the first start of a version
            // waits here: an import may hold the lock for long, and a start must not wait for it.
            let held = take_lock(&lock)?;
            let mut newest = Newest::open(for_newest(), &known).await?;
            new_columns::add(&adding_meta, &mut newest).await?;
            drop(held);
            Ok((store, newest))
        })
        .await?;
        let commits = meta.known_lake().await?.commits;
        newest.demand_database(commits).await?;
        Ok(Self {
            shared: Arc::new(Shared {
                config: config.clone(),
                meta,
                exclusive: Exclusive::new(config.lock.clone(), newest),
                compacting: Mutex::default(),
                long: Mutex::default(),
                files: Files::new(store.clone()),
                report_files: ReportFiles::new(store.clone()),
                store,
                metrics: Metrics::default(),
            }),
        })
    }

    /// The store, for one operation. Paths that the lake returns begin at its root.
    pub fn store(&self, found: &FoundDamage) -> Arc<dyn ObjectStore> {
        Arc::new(self.shared.store.for_operation(found))
    }

    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    pub fn report_files(&self) -> ReportFiles {
        self.shared.report_files.clone()
    }

    /// Ends present and future waits for another process that changes the lake, when this process
    /// stops. Work that has not begun fails; work that has begun is finished.
    pub fn stop_waiting(&self) {
        self.shared.exclusive.stop_waiting();
    }

    /// Moves the oldest journal rows to the tables.
    ///
    /// After a failure it can be repeated: no fact is lost or counted twice.
    pub async fn flush(&self) -> Result<Flushed, Error> {
        let _one_at_a_time = self.shared.long.lock().await;
        let shared = self.shared.clone();
        let work = move |mut newest: NewestGuard| async move {
            let bytes_max = shared.config.flush_bytes_max;
            let metrics = &shared.metrics;
            flush::flush(&shared.meta, &mut newest, i64::MAX, bytes_max, metrics).await
        };
        self.shared.exclusive.run(work).await
    }

    /// Moves these journal rows to the tables ahead of older ones, as many as one flush takes. They
    /// stay in the journal until [`Lake::flush`] reaches them.
    pub async fn flush_ahead(&self, rows: Vec<i64>) -> Result<Flushed, Error> {
        let shared = self.shared.clone();
        let work = move |mut newest: NewestGuard| async move {
            let bytes_max = shared.config.flush_bytes_max;
            flush::flush_ahead(&shared.meta, &mut newest, &rows, bytes_max, &shared.metrics).await
        };
        self.shared.exclusive.run(work).await
    }

    /// The state of an event, with heads that have exactly the facts of its `changed_at`. Moves to
    /// the tables what is pending of it.
    pub async fn pin_event(&self, org: &OrgId, event: &EventId) -> Result<EventSnapshot, Error> {
        let snapshot = self.shared.meta.event_snapshot(org, event).await?;
        let Some(pending) = &snapshot.pending else {
            return Ok(snapshot);
        };
        // A flush ahead is no long work.
        let _one_at_a_time = if pending.is_far_behind {
            None
        } else {
            Some(self.shared.long.lock().await)
        };
        let shared = self.shared.clone();
        let (org, event) = (org.clone(), event.clone());
        let work = move |mut newest: NewestGuard| async move {
            let pinning = Pinning {
                meta: &shared.meta,
                damaged: shared.store.damaged_files(),
                metrics: &shared.metrics,
                flush_bytes_max: shared.config.flush_bytes_max,
            };
            pinning.pin(&mut newest, &org, &event).await
        };
        self.shared.exclusive.run(work).await
    }

    /// Puts facts into the tables without the journal. All facts and the records of events become
    /// visible at once.
    pub async fn load(&self, org: &OrgId, collected: &[Collected]) -> Result<(), Error> {
        let _one_at_a_time = self.shared.long.lock().await;
        let shared = self.shared.clone();
        let (org, collected) = (org.clone(), collected.to_vec());
        let work = move |mut newest: NewestGuard| async move {
            let bytes_max = shared.config.load_bytes_max;
            let metrics = &shared.metrics;
            flush::load(
                &shared.meta,
                &mut newest,
                &org,
                &collected,
                bytes_max,
                metrics,
            )
            .await
        };
        self.shared.exclusive.run(work).await
    }

    /// Merges small files of every table, one round.
    pub async fn compact(&self) -> Result<Compacted, Error> {
        let mut compacted = Compacted::default();
        for &table in Table::ALL {
            let of_table = self.compact_table(table).await?;
            compacted.files_in += of_table.files_in;
            compacted.files_out += of_table.files_out;
        }
        Ok(compacted)
    }

    /// Merges small files of one table. A damaged file fails only the merge that it is a part of;
    /// later rounds leave it out.
    pub async fn compact_table(&self, table: Table) -> Result<Compacted, Error> {
        let _one_at_a_time = self.shared.compacting.lock().await;
        let shared = self.shared.clone();
        let work = move |mut newest: NewestGuard| async move {
            let Shared {
                config,
                meta,
                store,
                ..
            } = &*shared;
            compact::plan(meta, &mut newest, config, store, table).await
        };
        let plans = self.shared.exclusive.run(work).await?;
        let mut compacted = Compacted::default();
        let mut damaged = None;
        for plan in plans {
            let files_in = plan.files();
            match self.carry_out(plan).await {
                Ok(Some(files_out)) => {
                    compacted.files_in += files_in;
                    compacted.files_out += files_out;
                    self.shared.metrics.files_compacted.inc_by(files_in as u64);
                    tracing::info!(%table, files_in, files_out, "merged files");
                }
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::Damaged => damaged = Some(error),
                Err(error) => return Err(error),
            }
        }
        damaged.map_or(Ok(compacted), Err)
    }

    /// Merges files and replaces them by the result. `None` if another process has replaced one of
    /// them meanwhile.
    async fn carry_out(&self, plan: compact::Plan) -> Result<Option<usize>, Error> {
        let bytes_target = self.shared.config.file_bytes_target;
        let store = self.shared.store.for_operation(&FoundDamage::default());
        let merging = move || async move {
            let merged = compact::merge(&plan, &store, bytes_target).await?;
            Ok((plan, merged))
        };
        let (plan, merged) = run_aside(merging).await?;
        let files_out = merged.len();
        let shared = self.shared.clone();
        let work = move |mut newest: NewestGuard| async move {
            let now_ms = shared.meta.clock().now().as_millis();
            compact::replace(
                &shared.meta,
                &mut newest,
                &plan,
                merged,
                bytes_target,
                now_ms,
            )
            .await
        };
        let replaced = self.shared.exclusive.run(work).await?;
        Ok(replaced.then_some(files_out))
    }

    /// Removes data files that left the tables over a day ago and that neither the heads nor a
    /// running report need, and files of that age that belong to no report. Returns how many.
    pub async fn vacuum(&self) -> Result<usize, Error> {
        let mut removed = self.vacuum_reports().await?;
        for &table in Table::ALL {
            removed += self.vacuum_table(table).await?;
        }
        Ok(removed)
    }

    /// Removes the files that one table no longer needs, unless the clock is in doubt. Returns how
    /// many.
    pub async fn vacuum_table(&self, table: Table) -> Result<usize, Error> {
        let _one_at_a_time = self.shared.long.lock().await;
        let shared = self.shared.clone();
        let work = move |mut newest: NewestGuard| async move {
            // Checked here, since the wait for the lock may be long.
            if shared.meta.is_clock_in_doubt().await? {
                return Ok(0);
            }
            vacuum::vacuum(&shared.meta, &mut newest, table).await
        };
        let removed = self.shared.exclusive.run(work).await?;
        self.shared.metrics.files_removed.inc_by(removed as u64);
        tracing::info!(%table, files.removed = removed, "vacuumed a table");
        Ok(removed)
    }

    /// Removes the files that belong to no report, unless the clock is in doubt. Returns how
    /// many.
    pub async fn vacuum_reports(&self) -> Result<usize, Error> {
        if self.shared.meta.is_clock_in_doubt().await? {
            return Ok(0);
        }
        let removed = self.report_files().delete_strays(&self.shared.meta).await?;
        self.shared.metrics.files_removed.inc_by(removed as u64);
        tracing::info!(files.removed = removed, "vacuumed the files of reports");
        Ok(removed)
    }

    /// The files that were found damaged.
    pub fn damaged_files(&self) -> &DamagedFiles {
        self.shared.store.damaged_files()
    }

    /// Reads some of the damaged files again, and removes those from the list that are whole.
    pub async fn recheck_damaged(&self) {
        let store = &self.shared.store;
        for file in store.damaged_files().next_batch(RECHECKED_MAX) {
            let is_right = match store.location_of(&file) {
                Some(location) => is_right(store, &location).await,
                // A file outside of the store: it is found again when it is read.
                None => true,
            };
            if is_right {
                tracing::info!(file, "a damaged file was restored or deleted");
                store.damaged_files().remove(&file);
            }
        }
    }

    /// The files of a table at these heads that may have rows that are sought. They may have other
    /// rows too.
    pub async fn files(
        &self,
        heads: &Heads,
        table: Table,
        sought: Sought<'_>,
    ) -> Result<Vec<DataFile>, Error> {
        self.shared.files.find(heads, table, sought).await
    }
}

/// Whether a file can be read whole, or was deleted. A data file that is missing counts as damaged
/// while its checksums are there.
async fn is_right(store: &Store, location: &Path) -> bool {
    let read = async {
        let mut bytes = store.get(location).await?.into_stream();
        while bytes.try_next().await?.is_some() {}
        Ok(())
    };
    match read.await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => true,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests;
