//! The Delta tables: where they lie, how they are created, loaded and committed to.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake::kernel::{Action, Add, LogicalFileView, StructType};
use deltalake::logstore::{StorageConfig, default_logstore};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaResult, DeltaTable, TableProperty};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use showreport_meta::{KnownLake, NewHead};
use showreport_model::facts::Table;
use showreport_model::{ErrorKind, Failure};
use url::Url;

use crate::log::{self, COMMITS, Entry, location};
use crate::schema::disk_schema;
use crate::{Error, Store};

/// The root of the store, as the Delta library and the query engine know it.
pub(crate) const STORE_URL: &str = "showreport://store/";

/// How long a file is kept that no version needs any more, and a version that
/// no head is.
///
/// A reader that took the heads a moment ago still finds all it needs.
pub(crate) const RETENTION_MS: i64 = 86_400_000;

/// [`RETENTION_MS`], as Delta Lake writes it.
const RETENTION: &str = "interval 1 days";

/// Loads a version of a table that must be there.
pub(crate) async fn load(store: &Store, table: Table, version: u64) -> Result<DeltaTable, Error> {
    let mut delta = unloaded(store, table);
    bring_to(store, table, &mut delta, version).await?;
    Ok(delta)
}

/// Brings a table forward to a version that must be there.
pub(crate) async fn bring_to(
    store: &Store,
    table: Table,
    delta: &mut DeltaTable,
    version: u64,
) -> Result<(), Error> {
    let brought = delta.update_incremental(Some(version)).await;
    if brought.is_ok() && delta.version() == Some(version) {
        return Ok(());
    }
    let failed = match brought {
        Err(source) => Error::LoadTable { table, source },
        Ok(()) => store
            .damage(&log::log_of(table), "it lacks a version")
            .into(),
    };
    Err(explained(store, table, version, failed).await)
}

/// Why a version that must be there cannot be loaded: what its log lacks, if it lacks anything.
async fn explained(store: &Store, table: Table, version: u64, error: Error) -> Error {
    if error.kind() != ErrorKind::Unavailable {
        return error;
    }
    match log::demand_whole(store, table, version).await {
        Err(lack) => lack,
        Ok(()) => error,
    }
}

/// The table as it lies in the store, nothing of it loaded yet.
fn unloaded(store: &Store, table: Table) -> DeltaTable {
    let url = format!("{STORE_URL}{}", location(table));
    let url = Url::parse(&url).expect("a plain path");
    let root = Arc::new(store.clone());
    let prefixed = Arc::new(PrefixStore::new(store.clone(), location(table)));
    let options = StorageConfig::default();
    DeltaTable::new(default_logstore(prefixed, root, &url, &options))
}

/// The newest version of every table. Only who holds the flush lock has them.
#[derive(Debug)]
pub(crate) struct Newest {
    store: Store,
    tables: [DeltaTable; 4],
}

impl Newest {
    /// Loads the tables, without the lock of other processes' changes. They must be there, and those that the
    /// database counts on must be as it knows them.
    pub(crate) async fn load(store: Store, known: &KnownLake) -> Result<Self, Error> {
        let load = |table| newest(&store, table, known);
        let tables = [
            load(Table::Spans).await?,
            load(Table::Chat).await?,
            load(Table::Polls).await?,
            load(Table::Votes).await?,
        ];
        Ok(Self { store, tables })
    }

    /// Loads the tables, and creates those that are missing and that the database does not count
    /// on. The caller holds the flush lock.
    pub(crate) async fn open(store: Store, known: &KnownLake) -> Result<Self, Error> {
        for &table in Table::ALL {
            if !known.heads.contains_key(&table) {
                create(&store, table)
                    .await
                    .map_err(|source| Error::CreateTable { table, source })?;
            }
        }
        Self::load(store, known).await
    }

    /// The newest version of a table, whether it counts or not.
    #[cfg(test)]
    pub(crate) fn version(&self, table: Table) -> Option<u64> {
        self.tables[table as usize].version()
    }

    /// Demands that the database is as new as the tables. It has to be asked how many transactions
    /// it has had after they were loaded: others may go on meanwhile.
    pub(crate) async fn demand_database(&self, commits: i64) -> Result<(), Error> {
        for &table in Table::ALL {
            let version = self.tables[table as usize].version().unwrap_or(0);
            if let Some(entry) = log::entry(&self.store, table, version).await? {
                log::demand_database(table, &entry, commits)?;
            }
        }
        Ok(())
    }

    /// The version of a table on which the next one is built. The caller holds the flush lock, and
    /// has asked the database since.
    pub(crate) async fn refresh(
        &mut self,
        table: Table,
        known: &KnownLake,
    ) -> Result<Basis<'_>, Error> {
        let Self { store, tables } = self;
        log::demand_head(store, table, known).await?;
        let newest = &mut tables[table as usize];
        let failed = |source| Error::LoadTable { table, source };
        newest.update_state().await.map_err(failed)?;
        let head = known.heads.get(&table).copied();
        let version = newest.version();
        if version > head {
            // Nothing may be built, or deleted, on the strength of names that a power cut can
            // still take away.
            let synced = store.inner().sync(&log::log_of(table)).await;
            synced.map_err(|error| failed(error.into()))?;
        }
        let counts = head.unwrap_or(0);
        let counting = match version {
            Some(version) if version > counts => {
                if let Some(entry) = log::entry(store, table, version).await? {
                    log::demand_database(table, &entry, known.commits)?;
                }
                Some(load(store, table, counts).await?)
            }
            _ => None,
        };
        Ok(Basis {
            store,
            table,
            commits: known.commits,
            newest,
            counting,
        })
    }
}

/// Loads the newest version of a table.
async fn newest(store: &Store, table: Table, known: &KnownLake) -> Result<DeltaTable, Error> {
    log::demand_head(store, table, known).await?;
    let mut delta = unloaded(store, table);
    match (delta.load().await, known.heads.get(&table)) {
        (Ok(()), _) => Ok(delta),
        (Err(source), None) => Err(Error::LoadTable { table, source }),
        (Err(source), Some(&head)) => {
            let error = Error::LoadTable { table, source };
            Err(explained(store, table, head, error).await)
        }
    }
}

/// A version of a table on which the next one may be built.
///
/// It may lie past the head, when a process died or failed between its commit and the heads. What
/// such a version added or removed counts for nothing: the database knows nothing of its events
/// and of the days that it changed, and the records may never be sent again. So the next version
/// takes it back.
#[derive(Debug)]
pub(crate) struct Basis<'n> {
    store: &'n Store,
    table: Table,
    commits: i64,
    newest: &'n mut DeltaTable,
    /// The version that counts, where it is not the newest.
    counting: Option<DeltaTable>,
}

impl Basis<'_> {
    /// The version that counts.
    pub(crate) fn counting(&self) -> &DeltaTable {
        self.counting.as_ref().unwrap_or(self.newest)
    }

    /// The newest version, whether it counts or not.
    pub(crate) fn newest(&self) -> &DeltaTable {
        self.newest
    }

    /// Commits the next version: that which counts, and these actions.
    pub(crate) async fn commit(
        self,
        mut actions: Vec<Action>,
        operation: DeltaOperation,
    ) -> Result<NewHead, Error> {
        let table = self.table;
        let failed = |source| Error::Commit { table, source };
        let back = self.taking_back(&actions).map_err(failed)?;
        actions.extend(back);
        let noted = (COMMITS.to_owned(), self.commits.into());
        let commit = CommitBuilder::from(CommitProperties::default().with_metadata([noted]))
            .with_actions(actions)
            .build(
                Some(self.newest.snapshot().map_err(failed)?),
                self.newest.log_store(),
                operation,
            )
            .await
            .map_err(failed)?;
        self.newest.state = Some(commit.snapshot());
        let version = commit.version();
        match log::entry(self.store, table, version).await? {
            Some(Entry { digest: entry, .. }) => Ok(NewHead { version, entry }),
            None => Err(self
                .store
                .damage(&log::log_of(table), "it lost an entry")
                .into()),
        }
    }

    /// What makes the newest version the one that counts, beside these actions.
    fn taking_back(&self, actions: &[Action]) -> DeltaResult<Vec<Action>> {
        let Some(counting) = &self.counting else {
            return Ok(Vec::new());
        };
        let removed: HashSet<&str> = actions
            .iter()
            .filter_map(|action| match action {
                Action::Remove(remove) => Some(remove.path.as_str()),
                _ => None,
            })
            .collect();
        let (counts, there) = (files(counting)?, files(self.newest)?);
        let added = there.iter().filter(|(path, _)| !counts.contains_key(*path));
        let gone = counts.iter().filter(|(path, _)| !there.contains_key(*path));
        let back = added.map(|(_, file)| Action::Remove(file.remove_action(true)));
        let again = gone
            .filter(|(_, file)| !removed.contains(file.path().as_ref()))
            .map(|(_, file)| Action::Add(as_added(file)));
        Ok(back.chain(again).collect())
    }
}

/// The action that added a file.
fn as_added(file: &LogicalFileView) -> Add {
    Add {
        path: file.path().into_owned(),
        partition_values: file.partition_values_map(),
        size: file.size(),
        modification_time: file.modification_time(),
        data_change: true,
        stats: file.stats(),
        ..Add::default()
    }
}

/// The files of a version, by their paths.
fn files(delta: &DeltaTable) -> DeltaResult<BTreeMap<Path, LogicalFileView>> {
    let files = delta.snapshot()?.log_data().into_iter();
    Ok(files.map(|file| (file.object_store_path(), file)).collect())
}

async fn create(store: &Store, table: Table) -> DeltaResult<DeltaTable> {
    let schema: StructType = disk_schema(table).as_ref().try_into_kernel()?;
    let statistics = match table {
        Table::Polls => "org,event_id",
        Table::Spans | Table::Chat | Table::Votes => "org,day,event_id",
    };
    let properties = [
        (TableProperty::DataSkippingStatsColumns, statistics),
        (TableProperty::DeletedFileRetentionDuration, RETENTION),
        (TableProperty::LogRetentionDuration, RETENTION),
        // Ours cleans up, with an eye on the versions that reports have pinned.
        (TableProperty::EnableExpiredLogCleanup, "false"),
    ];
    let create = unloaded(store, table)
        .create()
        .with_table_name(table.name())
        .with_save_mode(SaveMode::Ignore)
        .with_columns(schema.fields().cloned());
    properties
        .into_iter()
        .fold(create, |create, (property, value)| {
            create.with_configuration_property(property, Some(value))
        })
        .await
}
