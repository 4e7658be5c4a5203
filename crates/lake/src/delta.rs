//! The Delta tables: where they lie, how they are created, loaded and committed to.

use std::sync::Arc;

use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake::kernel::{Action, StructType};
use deltalake::logstore::{StorageConfig, default_logstore};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaResult, DeltaTable, TableProperty};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use showreport_model::facts::Table;
use showreport_model::report::Heads;
use url::Url;

use crate::schema::disk_schema;
use crate::{Error, Store};

/// The root of the store, as the Delta library and the query engine know it.
pub(crate) const STORE_URL: &str = "showreport://store/";

/// Where the tables lie in the store.
const LAKE: &str = "lake";

/// How long a file is kept that no version needs any more, and a version that
/// no head is.
///
/// A reader that took the heads a moment ago still finds all it needs.
pub(crate) const RETENTION_MS: i64 = 86_400_000;

/// [`RETENTION_MS`], as Delta Lake writes it.
const RETENTION: &str = "interval 1 days";

/// Where a table lies in the store.
pub(crate) fn location(table: Table) -> Path {
    Path::from_iter([LAKE, table.name()])
}

/// Loads a version of a table.
pub(crate) async fn load(store: &Store, table: Table, version: u64) -> Result<DeltaTable, Error> {
    let failed = |source| Error::LoadTable { table, source };
    let mut delta = unloaded(store, table);
    delta.load_version(version).await.map_err(failed)?;
    Ok(delta)
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
    /// Loads the tables, beside whoever changes them. They must be there.
    pub(crate) async fn load(store: Store) -> Result<Self, Error> {
        let load = async |table| {
            let mut delta = unloaded(&store, table);
            let loaded = delta.load().await;
            loaded.map_err(|source| Error::LoadTable { table, source })?;
            Ok::<_, Error>(delta)
        };
        let tables = [
            load(Table::Spans).await?,
            load(Table::Chat).await?,
            load(Table::Polls).await?,
            load(Table::Votes).await?,
        ];
        Ok(Self { store, tables })
    }

    /// Loads the tables, and creates those that are missing. The caller holds the flush lock.
    pub(crate) async fn open(store: Store) -> Result<Self, Error> {
        let open = |table| open(&store, table);
        let tables = [
            open(Table::Spans).await?,
            open(Table::Chat).await?,
            open(Table::Polls).await?,
            open(Table::Votes).await?,
        ];
        Ok(Self { store, tables })
    }

    /// The newest version of a table, on which the next one may be built.
    ///
    /// It may lie past the head, when a process died or failed between its commit
    /// and the heads. Such a version is whole, but its name may not be durable
    /// yet, and nothing may be built, or deleted, on the strength of a name that a
    /// power cut can still take away. Facts are sets, so building on it is right.
    pub(crate) async fn refresh(
        &mut self,
        table: Table,
        heads: &Heads,
    ) -> Result<&mut DeltaTable, Error> {
        let delta = &mut self.tables[table as usize];
        let failed = |source| Error::LoadTable { table, source };
        delta.update_state().await.map_err(failed)?;
        if delta.version() > heads.get(&table).copied() {
            let log = Path::from_iter([LAKE, table.name(), "_delta_log"]);
            let synced = self.store.inner().sync(&log).await;
            synced.map_err(|error| failed(error.into()))?;
        }
        Ok(delta)
    }
}

async fn open(store: &Store, table: Table) -> Result<DeltaTable, Error> {
    create(store, table)
        .await
        .map_err(|source| Error::CreateTable { table, source })
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

/// Commits the next version of a table, and returns its number.
pub(crate) async fn commit(
    delta: &mut DeltaTable,
    actions: Vec<Action>,
    operation: DeltaOperation,
) -> DeltaResult<u64> {
    let commit = CommitBuilder::from(CommitProperties::default())
        .with_actions(actions)
        .build(Some(delta.snapshot()?), delta.log_store(), operation)
        .await?;
    delta.state = Some(commit.snapshot());
    Ok(commit.version())
}
