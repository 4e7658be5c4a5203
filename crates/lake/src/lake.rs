//! [`Lake`]: all that is done with the tables and the files of reports.

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use showreport_meta::Meta;
use showreport_model::facts::{Collected, Table};
use showreport_model::report::Heads;
use showreport_model::{Damage, ErrorKind, Failure, OrgId};
use tokio::sync::Mutex;

use crate::compact::{self, Compacted};
use crate::delta::{Newest, STORE_URL};
use crate::exclusive::{Exclusive, Held, run_aside, take_lock};
use crate::files::{Files, Sought};
use crate::flush::{self, Flushed};
use crate::vacuum;
use crate::{Config, DamagedFiles, DataFile, DurableStore, Error, Metrics, ReportFiles, Store};

/// Damaged files that are read again in one round. Each is read up to its first damaged block.
const RECHECKED_MAX: usize = 16;

/// The big facts, and the files of reports. Cheap to clone.
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
    /// Held while files are merged, so that none is merged twice at once.
    compacting: Mutex<()>,
    /// Held by long work before it waits for `exclusive`, so that of all that wait there at most one is
    /// long: a flush ahead waits for the one that is under way, and not for a queue of them.
    long: Mutex<()>,
    files: Files,
    report_files: ReportFiles,
    metrics: Metrics,
}

impl Lake {
    /// The URL under which the query engine knows the store.
    pub const STORE_URL: &'static str = STORE_URL;

    /// Opens the lake: creates what is missing, and clears what the dead have left unfinished.
    ///
    /// Refuses a lake that is not of the database's moment ([`Damage`]).
    pub async fn open(config: &Config, meta: Meta) -> Result<Self, Error> {
        let (root, lock) = (config.root.clone(), config.lock.clone());
        let known = meta.known_lake().await?;
        let (store, newest) = run_aside(move || async move {
            let durable =
                DurableStore::open(&root).map_err(|source| Error::OpenStore { source })?;
            let name = root.file_name().unwrap_or(root.as_os_str());
            let store = Store::new(durable, &name.to_string_lossy());
            match Newest::load(store.clone(), &known).await {
                Ok(newest) => return Ok((store, newest)),
                Err(error) if Damage::below(&error).is_some() => return Err(error),
                Err(_) => {}
            }
            // What is missing is made, and what else is wrong is found, alone. Nothing else
            // waits here: an import may hold the lock for long, and a start must not wait for it.
            let held = take_lock(&lock)?;
            let newest = Newest::open(store.clone(), &known).await?;
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

    /// The store; its root is that of every path that the lake gives.
    pub fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::new(self.shared.store.clone())
    }

    /// What the lake counts.
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// The files of reports.
    pub fn report_files(&self) -> ReportFiles {
        self.shared.report_files.clone()
    }

    /// Ends every wait for another process that changes the lake: what is not begun fails.
    ///
    /// For a process that stops. Work that is under way is finished.
    pub fn stop_waiting(&self) {
        self.shared.exclusive.stop_waiting();
    }

    /// Moves one set of journal rows to the tables, and the heads with them.
    ///
    /// Done again after a failure it loses nothing and doubles nothing.
    pub async fn flush(&self) -> Result<Flushed, Error> {
        let _one_at_a_time = self.shared.long.lock().await;
        let shared = self.shared.clone();
        let work = move |mut newest: Held| async move {
            let bytes_max = shared.config.flush_bytes_max;
            flush::flush(&shared.meta, &mut newest, bytes_max, &shared.metrics).await
        };
        self.shared.exclusive.run(work).await
    }

    /// Moves these journal rows to the tables, as many as one flush takes, ahead of those before them. They
    /// stay in the journal until [`Lake::flush`] comes to them.
    pub async fn flush_ahead(&self, rows: Vec<i64>) -> Result<Flushed, Error> {
        let shared = self.shared.clone();
        let work = move |mut newest: Held| async move {
            let rows = (rows.as_slice(), shared.config.flush_bytes_max);
            flush::flush_ahead(&shared.meta, &mut newest, rows, &shared.metrics).await
        };
        self.shared.exclusive.run(work).await
    }

    /// Puts facts into the tables without the journal. They, and what the events
    /// are, appear together.
    pub async fn load(&self, org: &OrgId, collected: &[Collected]) -> Result<(), Error> {
        let _one_at_a_time = self.shared.long.lock().await;
        let shared = self.shared.clone();
        let (org, collected) = (org.clone(), collected.to_vec());
        let work = move |mut newest: Held| async move {
            let bytes_max = shared.config.load_bytes_max;
            let facts = (&org, collected.as_slice());
            flush::load(&shared.meta, &mut newest, facts, bytes_max, &shared.metrics).await
        };
        self.shared.exclusive.run(work).await
    }

    /// Merges small files into larger ones: one round over every table.
    pub async fn compact(&self) -> Result<Compacted, Error> {
        let mut compacted = Compacted::default();
        for &table in Table::ALL {
            let of_table = self.compact_table(table).await?;
            compacted.files_in += of_table.files_in;
            compacted.files_out += of_table.files_out;
        }
        Ok(compacted)
    }

    /// Merges small files of one table. A damaged file fails the merge that it is a part of, and
    /// no other; later rounds leave it out.
    pub async fn compact_table(&self, table: Table) -> Result<Compacted, Error> {
        let _one_at_a_time = self.shared.compacting.lock().await;
        let shared = self.shared.clone();
        let work = move |mut newest: Held| async move {
            let of_lake = (&shared.config, &shared.store);
            compact::plan(&shared.meta, &mut newest, of_lake, table).await
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

    /// Merges files and puts the result in their place. Nothing, if another process was faster.
    async fn carry_out(&self, plan: compact::Plan) -> Result<Option<usize>, Error> {
        let bytes_target = self.shared.config.file_bytes_target;
        let merging = move || async move {
            let merged = compact::merge(&plan, bytes_target).await?;
            Ok((plan, merged))
        };
        let (plan, merged) = run_aside(merging).await?;
        let files_out = merged.len();
        let shared = self.shared.clone();
        let work = move |mut newest: Held| async move {
            let sizes = (bytes_target, shared.meta.clock().now().as_millis());
            compact::replace(&shared.meta, &mut newest, &plan, merged, sizes).await
        };
        let replaced = self.shared.exclusive.run(work).await?;
        Ok(replaced.then_some(files_out))
    }

    /// Removes the files that left the tables over a day ago and that neither the heads nor a
    /// running report need, and the files of reports that are as old and nobody's. Returns how many.
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
        let work = move |mut newest: Held| async move {
            // Not before: the wait for the lock may be long.
            if shared.meta.clock_in_doubt().await? {
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
        if self.shared.meta.clock_in_doubt().await? {
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

    /// Reads some of the damaged files again, and forgets those that have been put right.
    pub async fn recheck_damaged(&self) {
        let store = &self.shared.store;
        for file in store.damaged_files().next_batch(RECHECKED_MAX) {
            let is_right = match store.location_of(&file) {
                Some(location) => is_right(store, &location).await,
                // Not of the store: found again, if it still is, by what reads it.
                None => true,
            };
            if is_right {
                tracing::info!(file, "a damaged file is put right");
                store.damaged_files().forget(&file);
            }
        }
    }

    /// The files of a table, at these heads, that can have rows that are looked
    /// for. They may have others too.
    pub async fn files(
        &self,
        heads: &Heads,
        table: Table,
        sought: Sought<'_>,
    ) -> Result<Vec<DataFile>, Error> {
        self.shared.files.find(heads, table, sought).await
    }
}

/// Whether a file can be read from one end to the other, or was deleted. A data file that is missing
/// is damaged as long as its checksums are there.
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
