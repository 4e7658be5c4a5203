//! The Delta tables: creating, loading and committing.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use deltalake::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake::kernel::{Action, Add, LogicalFileView, SchemaRef, StructType};
use deltalake::logstore::{StorageConfig, default_logstore};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaResult, DeltaTable, TableProperty};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use showreport_meta::{KnownLake, NewHead};
use showreport_model::facts::Table;
use showreport_model::{ErrorKind, Failure};
use url::Url;

use crate::damaged::FoundDamage;
use crate::log::{self, COMMITS, Entry, location};
use crate::schema::kernel_schema;
use crate::{Error, Store};

/// The URL of the store's root in the Delta library and the query engine.
pub(crate) const STORE_URL: &str = "showreport://store/";

/// How long a file is kept that no version needs any more, and a version that is no longer a head,
/// so that readers that took the heads before still find their files.
pub(crate) const RETENTION_MS: i64 = 86_400_000;

/// [`RETENTION_MS`] as a table property.
const RETENTION: &str = "interval 1 days";

/// Loads a version of a table that must be there.
pub(crate) async fn load(store: &Store, table: Table, version: u64) -> Result<DeltaTable, Error> {
    let mut delta = unloaded(store, table);
    update_to(store, table, &mut delta, version).await?;
    Ok(delta)
}

/// Updates a table to a version that must be there. `store` is the handle that the table was loaded
/// with.
pub(crate) async fn update_to(
    store: &Store,
    table: Table,
    delta: &mut DeltaTable,
    version: u64,
) -> Result<(), Error> {
    store.found().clear();
    let updated = delta.update_incremental(Some(version)).await;
    if updated.is_ok() && delta.version() == Some(version) {
        return Ok(());
    }
    let failed = match updated {
        Err(source) => Error::LoadTable { table, source },
        Ok(()) => store
            .damage(&log::log_of(table), "it lacks a version")
            .into(),
    };
    Err(explained(store, table, version, failed).await)
}

/// The cause why a version cannot be loaded: the file that its log lacks, or else `error`.
async fn explained(store: &Store, table: Table, version: u64, error: Error) -> Error {
    let error = store.found().explain(error);
    if error.kind() != ErrorKind::Unavailable {
        return error;
    }
    match log::demand_whole(store, table, version).await {
        Err(lack) => lack,
        Ok(()) => error,
    }
}

/// The table in the store; nothing of it is loaded yet.
fn unloaded(store: &Store, table: Table) -> DeltaTable {
    let url = format!("{STORE_URL}{}", location(table));
    let url = Url::parse(&url).expect("a plain path");
    let root = Arc::new(store.clone());
    let prefixed = Arc::new(PrefixStore::new(store.clone(), location(table)));
    let options = StorageConfig::default();
    DeltaTable::new(default_logstore(prefixed, root, &url, &options))
}

/// The newest version of each table. It is changed under the flush lock.
#[derive(Debug)]
pub(crate) struct Newest {
    store: Store,
    /// One for each table, in the order of [`Table::ALL`].
    tables: Vec<DeltaTable>,
}

impl Newest {
    /// Loads the tables. The flush lock is not needed. The tables must exist, and the entries of
    /// the heads must be those that the database has.
    pub(crate) async fn load(store: Store, known: &KnownLake) -> Result<Self, Error> {
        let mut tables = Vec::with_capacity(Table::COUNT);
        for &table in Table::ALL {
            tables.push(newest(&store, table, known).await?);
        }
        Ok(Self { store, tables })
    }

    /// Loads the tables, and creates missing ones that have no head. The caller holds the flush
    /// lock.
    pub(crate) async fn open(store: Store, known: &KnownLake) -> Result<Self, Error> {
        for &table in Table::ALL {
            if !known.heads.contains_key(&table) {
                let schema = kernel_schema(table)?;
                create(&store, table, &schema)
                    .await
                    .map_err(|source| Error::CreateTable { table, source })
                    .map_err(|error| store.found().explain(error))?;
            }
        }
        Self::load(store, known).await
    }

    /// The columns of the version of a table that counts.
    pub(crate) async fn columns(
        &self,
        table: Table,
        known: &KnownLake,
    ) -> Result<SchemaRef, Error> {
        let newest = &self.tables[table as usize];
        let counts = known.heads.get(&table).copied().unwrap_or(0);
        if newest.version() > Some(counts) {
            columns_of(table, &load(&self.store, table, counts).await?)
        } else {
            columns_of(table, newest)
        }
    }

    /// What the present operation on the tables has found. Operations run one at a time.
    pub(crate) fn found(&self) -> &FoundDamage {
        self.store.found()
    }

    /// The newest version of a table, whether it counts or not.
    #[cfg(test)]
    pub(crate) fn version(&self, table: Table) -> Option<u64> {
        self.tables[table as usize].version()
    }

    /// Fails if the database is older than the tables. `commits` must be read after the tables were
    /// loaded, since other processes may write meanwhile.
    pub(crate) async fn demand_database(&self, commits: i64) -> Result<(), Error> {
        for &table in Table::ALL {
            let version = self.tables[table as usize].version().unwrap_or(0);
            if let Some(entry) = log::entry(&self.store, table, version).await? {
                log::demand_database(table, &entry, commits)?;
            }
        }
        Ok(())
    }

    /// The version of a table on which the next one is built. The caller holds the flush lock and
    /// has read `known` under it.
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
            // A power cut can still remove the names of entries past the head. They must be durable
            // before a version is built on them.
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

/// The columns of a loaded version.
pub(crate) fn columns_of(table: Table, delta: &DeltaTable) -> Result<SchemaRef, Error> {
    let snapshot = delta.snapshot();
    let snapshot = snapshot.map_err(|source| Error::LoadTable { table, source })?;
    Ok(snapshot.schema())
}

/// Loads the newest version of a table.
async fn newest(store: &Store, table: Table, known: &KnownLake) -> Result<DeltaTable, Error> {
    log::demand_head(store, table, known).await?;
    let mut delta = unloaded(store, table);
    match (delta.load().await, known.heads.get(&table)) {
        (Ok(()), _) => Ok(delta),
        (Err(source), None) => Err(store.found().explain(Error::LoadTable { table, source })),
        (Err(source), Some(&head)) => {
            let error = Error::LoadTable { table, source };
            Err(explained(store, table, head, error).await)
        }
    }
}

/// A version of a table on which the next one may be built.
///
/// It is past the head if a process failed between its commit and moving the heads. Files that such
/// a version added or removed do not count: the database lacks its events and dirty days, and the
/// records may never be sent again. So the next version undoes it.
#[derive(Debug)]
pub(crate) struct Basis<'n> {
    store: &'n Store,
    table: Table,
    commits: i64,
    newest: &'n mut DeltaTable,
    /// The version that counts, if it is not the newest.
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

    /// Commits the next version: the one that counts, with these actions applied.
    pub(crate) async fn commit(
        self,
        mut actions: Vec<Action>,
        operation: DeltaOperation,
    ) -> Result<NewHead, Error> {
        let table = self.table;
        let failed = |source| Error::Commit { table, source };
        let back = self.undoing(&actions).map_err(failed)?;
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

    /// The actions that undo the versions past the head, beside these actions.
    fn undoing(&self, actions: &[Action]) -> DeltaResult<Vec<Action>> {
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

pub(crate) async fn create(
    store: &Store,
    table: Table,
    schema: &StructType,
) -> DeltaResult<DeltaTable> {
    let statistics = match table.time_column() {
        Some(_) => "org,day,event_id",
        None => "org,event_id",
    };
    let properties = [
        (TableProperty::DataSkippingStatsColumns, statistics),
        (TableProperty::DeletedFileRetentionDuration, RETENTION),
        (TableProperty::LogRetentionDuration, RETENTION),
        // `vacuum` removes entries, but keeps the versions that reports have pinned.
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
