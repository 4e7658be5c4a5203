//! Merges small files into larger ones, so that a reader opens few files and finds the rows of an
//! event next to each other.
//!
//! Files are sorted into tiers by size. Once a tier has enough files they are merged, so a row is
//! rewritten about once for each tier. The old files are vacuumed once no version needs them.
//!
//! Data files never change, so they are merged without the flush lock. The lock is held to make
//! the plan, and to commit the merged file if all planned files are still in the table.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use deltalake::DeltaTable;
use deltalake::datafile::BatchStream;
use deltalake::kernel::{Action, Add, Remove};
use deltalake::protocol::DeltaOperation;
use fail::fail_point;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::errors::ParquetError;
use showreport_meta::{Meta, NewHead, NewHeads};
use showreport_model::facts::Table;

use crate::coalesce::Merge;
use crate::delta::Newest;
use crate::log::location;
use crate::tables::{Fact, Row, with_fact};
use crate::write::FileWriter;
use crate::{Config, Error, Store};

/// Upper size limit of a tier divided by that of the tier below.
const TIER_RATIO: u64 = 8;

/// Files below this size are in the lowest tier.
const TIER_LOWEST_BYTES: u64 = 64 * 1024;

/// Files that are merged at once at most: each holds a row group in memory.
const MERGE_FILES_MAX: usize = 16;

/// A file may be this many times its target size, to keep the rows of an event and day in one file.
const OUTGROW_RATIO: u64 = 4;

/// The result of a round of compaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compacted {
    pub files_in: usize,
    pub files_out: usize,
}

/// Files of a table that are to be merged.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) table: Table,
    delta: DeltaTable,
    files: Vec<OldFile>,
}

/// A file that is to be replaced.
#[derive(Debug)]
struct OldFile {
    path: Path,
    remove: Remove,
}

impl Plan {
    pub(crate) fn files(&self) -> usize {
        self.files.len()
    }
}

/// Finds files of a table that are worth merging. Damaged files are left out: a merge with one
/// would fail each time, and the other files of the merge would never be merged.
pub(crate) async fn plan(
    meta: &Meta,
    newest: &mut Newest,
    config: &Config,
    store: &Store,
    table: Table,
) -> Result<Vec<Plan>, Error> {
    let known = meta.known_lake().await?;
    let basis = newest.refresh(table, &known).await?;
    let delta = basis.counting();
    let merges = worth_merging(delta, config, table, |path| is_damaged(store, table, path))?;
    let plans = merges.into_iter().map(|files| Plan {
        table,
        delta: delta.clone(),
        files,
    });
    Ok(plans.collect())
}

fn is_damaged(store: &Store, table: Table, path: &Path) -> bool {
    let location = location(table).parts().chain(path.parts()).collect();
    store.damaged_files().contains(&store.name_of(&location))
}

fn worth_merging(
    delta: &DeltaTable,
    config: &Config,
    table: Table,
    is_damaged: impl Fn(&Path) -> bool,
) -> Result<Vec<Vec<OldFile>>, Error> {
    let snapshot = delta.snapshot();
    let snapshot = snapshot.map_err(|source| Error::LoadTable { table, source })?;
    let mut tiers: BTreeMap<u32, Vec<OldFile>> = BTreeMap::new();
    for file in snapshot.log_data() {
        let bytes = u64::try_from(file.size()).unwrap_or(0);
        let path = file.object_store_path();
        // A file of half the target size or more is left as it is.
        if bytes < config.file_bytes_target / 2 && !is_damaged(&path) {
            tiers.entry(tier(bytes)).or_default().push(OldFile {
                path,
                remove: file.remove_action(false),
            });
        }
    }
    let files_min = config.compact_files_min.max(2);
    let mut merges = Vec::new();
    for files in tiers.into_values() {
        let mut files = files.into_iter();
        let mut left = files.len();
        while left >= files_min {
            let taken = left.min(MERGE_FILES_MAX.max(files_min));
            merges.push(files.by_ref().take(taken).collect());
            left -= taken;
        }
    }
    Ok(merges)
}

fn tier(bytes: u64) -> u32 {
    (bytes / TIER_LOWEST_BYTES)
        .checked_ilog(TIER_RATIO)
        .map_or(0, |tier| tier + 1)
}

/// Writes the merged files of a plan. No version has them yet.
///
/// The files are read through `store` and not through the table: merges run beside other operations
/// on the tables, and each must find only its own damage.
pub(crate) async fn merge(
    plan: &Plan,
    store: &Store,
    bytes_target: u64,
) -> Result<Vec<Add>, Error> {
    let merged = with_fact!(plan.table, F => merge_rows::<F>(plan, store, bytes_target).await);
    merged.map_err(|error| store.found().explain(error))
}

async fn merge_rows<F: Fact>(
    plan: &Plan,
    store: &Store,
    bytes_target: u64,
) -> Result<Vec<Add>, Error> {
    let store = Arc::new(PrefixStore::new(store.clone(), location(F::TABLE)));
    let mut files = Vec::new();
    for old in &plan.files {
        let file = read_file(store.clone(), old.path.clone(), F::TABLE).await;
        files.push(file.map_err(|source| Error::ReadFile {
            table: F::TABLE,
            source: source.into(),
        })?);
    }
    fail_point!("compact-before-file", |_| std::process::abort());
    let mut merge = Merge::<F>::open(files).await?;
    let mut writer = FileWriter::<F>::new(&plan.delta)?;
    let mut row = merge.next().await?;
    while let Some(this) = row {
        row = merge.next().await?;
        let event_ends = row.as_ref().is_some_and(|next| !this.is_beside(next));
        writer.push(this).await?;
        let bytes = writer.file_bytes();
        if bytes >= bytes_target && (event_ends || bytes >= bytes_target * OUTGROW_RATIO) {
            writer.end_file().await?;
        }
    }
    writer.finish().await
}

/// The rows of a file, in small batches if rows can be large.
async fn read_file(
    store: Arc<dyn ObjectStore>,
    path: Path,
    table: Table,
) -> Result<BatchStream, ParquetError> {
    #[expect(
        deprecated,
        reason = "Delta's own reader, which knows no size of batches, is made of it, too"
    )]
    let reader = parquet::arrow::async_reader::ParquetObjectReader::new(store, path);
    let builder = ParquetRecordBatchStreamBuilder::new(reader).await?;
    let batches = builder.with_batch_size(merge_rows_max(table)).build()?;
    Ok(batches.map_err(Into::into).boxed())
}

/// Rows of a file that are in memory at once while it is merged. A poll can have 128 KiB, a message
/// 6 KiB.
const fn merge_rows_max(table: Table) -> usize {
    match table {
        Table::Polls => 16,
        Table::Chat | Table::Votes => 256,
        Table::Spans | Table::Beats | Table::Coverage => 1_024,
    }
}

/// Replaces the planned files by the merged ones, if all of them are still in the table.
pub(crate) async fn replace(
    meta: &Meta,
    newest: &mut Newest,
    plan: &Plan,
    merged: Vec<Add>,
    bytes_target: u64,
    now_ms: i64,
) -> Result<bool, Error> {
    let Some(head) = commit(meta, newest, plan, merged, bytes_target, now_ms).await? else {
        return Ok(false);
    };
    fail_point!("compact-after-commit", |_| std::process::abort());
    let moved = NewHeads::from([(plan.table, head)]);
    meta.move_heads(&moved, &[]).await?;
    Ok(true)
}

/// Commits the version with the merged files. `None` if a planned file is no longer in the table.
pub(crate) async fn commit(
    meta: &Meta,
    newest: &mut Newest,
    plan: &Plan,
    merged: Vec<Add>,
    bytes_target: u64,
    now_ms: i64,
) -> Result<Option<NewHead>, Error> {
    let table = plan.table;
    let basis = newest
        .refresh(table, &meta.announce_versions().await?)
        .await?;
    let snapshot = basis.counting().snapshot();
    let snapshot = snapshot.map_err(|source| Error::LoadTable { table, source })?;
    let files = snapshot.log_data().into_iter();
    let there: HashSet<Path> = files.map(|file| file.object_store_path()).collect();
    if plan.files.iter().any(|old| !there.contains(&old.path)) {
        return Ok(None);
    }
    fail_point!("compact-before-commit", |_| std::process::abort());
    // The rows are the same, so a reader that follows the changes of the table can skip them.
    let removes = plan.files.iter().map(|old| {
        Action::Remove(Remove {
            deletion_timestamp: Some(now_ms),
            data_change: false,
            ..old.remove.clone()
        })
    });
    let adds = merged.into_iter().map(|add| {
        Action::Add(Add {
            data_change: false,
            ..add
        })
    });
    let operation = DeltaOperation::Optimize {
        predicate: None,
        target_size: i64::try_from(bytes_target).unwrap_or(i64::MAX),
    };
    let actions = removes.chain(adds).collect();
    basis.commit(actions, operation).await.map(Some)
}
