//! The engine in this process: bounded memory, spilling to the data directory.

use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::object_store::DefaultObjectStoreRegistry;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use showreport_lake::{FoundDamage, Lake};
use url::Url;

use crate::config::Config;
use crate::pool::SharedPool;
use crate::single_pass::SinglePass;

/// The memory, threads and batch size of an attempt. After an attempt during which the process
/// ended, the next one uses less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct MemoryProfile(u32);

impl MemoryProfile {
    pub(crate) const COUNT: u32 = 4;

    /// All profiles, from the largest to the smallest.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// The profile after this number of lost attempts.
    pub(crate) fn after(lost: u32) -> Self {
        Self(lost.min(Self::COUNT - 1))
    }

    /// The position in [`MemoryProfile::all`].
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }

    fn memory_bytes(self, config: &Config) -> usize {
        config.memory_bytes_max >> self.0
    }

    fn threads(self, config: &Config) -> usize {
        // With one partition the engine uses hash joins in spite of `prefer_hash_join`.
        let threads = if self.0 == 0 { config.threads } else { 2 };
        threads.max(2)
    }

    fn batch_rows(self, usual: usize) -> usize {
        (usual >> (2 * self.0)).max(1)
    }
}

/// Spilled runs that are merged at once; more are merged in rounds. A merge holds two batches of
/// each run with their sort keys, in memory that the pool never refuses.
const MERGED_AT_ONCE: usize = 8;

/// The environment of all queries with a profile: memory pool, spill files, footers.
pub(crate) fn runtime(
    config: &Config,
    profile: MemoryProfile,
) -> Result<Arc<RuntimeEnv>, DataFusionError> {
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(SharedPool::new(profile.memory_bytes(config))))
        .with_temp_file_path(config.spill_dir.clone())
        .with_metadata_cache_limit(METADATA_BYTES_MAX)
        // No query reads the same file names twice, so both caches would only hold memory.
        .with_object_list_cache_limit(0)
        .with_file_statistics_cache_limit(0)
        .build_arc()?;
    runtime
        .disk_manager
        .set_max_spill_merge_fan_in(MERGED_AT_ONCE);
    Ok(runtime)
}

/// The environment of one query. The store is its own and adds damaged files to `found`.
pub(crate) fn runtime_of_query(
    shared: &RuntimeEnv,
    lake: &Lake,
    found: &FoundDamage,
) -> Result<Arc<RuntimeEnv>, DataFusionError> {
    let runtime = RuntimeEnvBuilder::from_runtime_env(shared)
        .with_object_store_registry(Arc::new(DefaultObjectStoreRegistry::new()))
        .build_arc()?;
    let url = Url::parse(Lake::STORE_URL).expect("a literal URL");
    runtime.register_object_store(&url, lake.store(found));
    Ok(runtime)
}

/// Cache of Parquet footers. Those of staged files are never read again but fill the cache: with
/// the engine's default it grew to 71 MiB.
const METADATA_BYTES_MAX: usize = 8 << 20;

/// A session for one query. `batch_rows` is the batch size of the largest profile.
pub(crate) fn session(
    config: &Config,
    runtime: Arc<RuntimeEnv>,
    profile: MemoryProfile,
    batch_rows: usize,
) -> SessionContext {
    open(
        profile.threads(config),
        runtime,
        profile.batch_rows(batch_rows),
    )
}

/// A session for rows that must keep their order: with one partition they are never redistributed.
pub(crate) fn serial_session(runtime: Arc<RuntimeEnv>) -> SessionContext {
    open(1, runtime, BATCH_ROWS)
}

fn open(partitions: usize, runtime: Arc<RuntimeEnv>, batch_rows: usize) -> SessionContext {
    let mut session = SessionConfig::new()
        .with_target_partitions(partitions)
        .with_batch_size(batch_rows)
        .with_collect_statistics(false);
    let options = session.options_mut();
    // A hash join holds one side in memory and cannot spill it; a merge join can.
    options.optimizer.prefer_hash_join = false;
    // Sorts that run side by side are merged in memory that cannot spill.
    options.optimizer.repartition_sorts = false;
    options.execution.sort_spill_reservation_bytes = SPILL_RESERVATION_BYTES;
    // A first grouping that leaves more than half of the rows is stopped after one batch. With the
    // engine's defaults a chat report takes 14 % more CPU time and 30 % more memory.
    options
        .execution
        .skip_partial_aggregation_probe_rows_threshold = BATCH_ROWS;
    options
        .execution
        .skip_partial_aggregation_probe_ratio_threshold = 0.5;
    // The newer implementation fails when emitted groups are larger than the memory reserved for
    // them.
    options.execution.enable_migration_aggregate = false;
    options.execution.parquet.pushdown_filters = true;
    // Staged files are written in the order of the rows and in bounded memory.
    options.execution.parquet.allow_single_file_parallelism = false;
    options.execution.parquet.max_row_group_size = STAGED_GROUP_BATCHES * batch_rows;
    let state = SessionStateBuilder::new()
        .with_config(session)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_physical_optimizer_rule(Arc::new(SinglePass))
        .build();
    SessionContext::new_with_state(state)
}

/// Rows of a batch. Files are cut by it too, so a change changes the bytes of Parquet files.
pub(crate) const BATCH_ROWS: usize = 4096;

/// Rows of a batch of whole polls, which may have 128 KiB each.
pub(crate) const POLLS_BATCH_ROWS: usize = 16;

/// Rows of a batch of messages, which may have 7 KiB each.
pub(crate) const CHAT_BATCH_ROWS: usize = 2_048;

/// Rows of a batch of votes or poll options, which may have 64 KiB and 4 KiB each.
pub(crate) const WIDE_BATCH_ROWS: usize = 256;

/// Memory that a sort keeps for merging its spilled runs. With the engine's default of 10 MB, ten
/// sorts in a plan would take the whole pool.
const SPILL_RESERVATION_BYTES: usize = 2 << 20;

/// Batches in a row group of a staged file.
const STAGED_GROUP_BATCHES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_profile_uses_less_than_the_one_before() {
        let config = Config {
            memory_bytes_max: 128 << 20,
            spill_dir: std::path::PathBuf::new(),
            threads: 8,
        };
        let profiles: Vec<_> = MemoryProfile::all()
            .map(|profile| {
                (
                    profile.memory_bytes(&config) >> 20,
                    profile.threads(&config),
                    profile.batch_rows(4_096),
                )
            })
            .collect();
        assert_eq!(
            profiles,
            [(128, 8, 4_096), (64, 2, 1_024), (32, 2, 256), (16, 2, 64)]
        );
        assert_eq!(MemoryProfile::after(0), MemoryProfile::default());
        assert_eq!(MemoryProfile::all().last(), Some(MemoryProfile::after(100)));
    }
}
