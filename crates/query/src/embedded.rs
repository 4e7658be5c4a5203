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

/// How a question is answered: with how much at once. One that took its process down is not
/// answered in the same way again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Way(u32);

impl Way {
    /// How many there are.
    pub(crate) const COUNT: u32 = 4;

    /// All, each with less at once than the one before.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// The way after so many that did not end well.
    pub(crate) fn after(lost: u32) -> Self {
        Self(lost.min(Self::COUNT - 1))
    }

    /// Its place among all.
    pub(crate) fn number(self) -> usize {
        self.0 as usize
    }

    fn memory_bytes(self, config: &Config) -> usize {
        config.memory_bytes_max >> self.0
    }

    fn threads(self, config: &Config) -> usize {
        // Undivided, the engine would join by hash whatever it is told.
        let threads = if self.0 == 0 { config.threads } else { 2 };
        threads.max(2)
    }

    fn batch_rows(self, usual: usize) -> usize {
        (usual >> (2 * self.0)).max(1)
    }
}

/// Spilled runs that are merged at once; more are merged in rounds. Of each a merge holds two
/// batches and what they are compared by, and the pool gives a merge whatever it asks for.
const MERGED_AT_ONCE: usize = 8;

/// What all questions of a way share: memory, spill files, footers.
pub(crate) fn runtime(config: &Config, way: Way) -> Result<Arc<RuntimeEnv>, DataFusionError> {
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(SharedPool::new(way.memory_bytes(config))))
        .with_temp_file_path(config.spill_dir.clone())
        .with_metadata_cache_limit(METADATA_BYTES_MAX)
        // Both would only keep what lies in the names of files that no question reads twice.
        .with_object_list_cache_limit(0)
        .with_file_statistics_cache_limit(0)
        .build_arc()?;
    runtime
        .disk_manager
        .set_max_spill_merge_fan_in(MERGED_AT_ONCE);
    Ok(runtime)
}

/// The runtime of one question: it shares all but the store, which tells the question what it finds
/// damaged.
pub(crate) fn runtime_of_question(
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

/// Footers of Parquet files that are kept for the next question. Those of stages are never read again,
/// and fill whatever there is: the engine's defaults kept 71 MiB, in steps of some KiB a report.
const METADATA_BYTES_MAX: usize = 8 << 20;

/// A session for one question, whose operators usually work on batches of so many rows.
pub(crate) fn session(
    config: &Config,
    runtime: Arc<RuntimeEnv>,
    way: Way,
    batch_rows: usize,
) -> SessionContext {
    divided(way.threads(config), runtime, way.batch_rows(batch_rows))
}

/// The same for rows that must keep their order: the engine hands none to another thread.
pub(crate) fn serial_session(runtime: Arc<RuntimeEnv>) -> SessionContext {
    divided(1, runtime, BATCH_ROWS)
}

fn divided(threads: usize, runtime: Arc<RuntimeEnv>, batch_rows: usize) -> SessionContext {
    let mut session = SessionConfig::new()
        .with_target_partitions(threads)
        .with_batch_size(batch_rows)
        .with_collect_statistics(false);
    let options = session.options_mut();
    // A hash join holds one side in memory and cannot spill it; a merge join can.
    options.optimizer.prefer_hash_join = false;
    // Sorts that run side by side are merged in memory that cannot spill.
    options.optimizer.repartition_sorts = false;
    options.execution.sort_spill_reservation_bytes = SPILL_RESERVATION_BYTES;
    // The newer groupings fail when what they give out is larger than what they held.
    options.execution.enable_migration_aggregate = false;
    options.execution.parquet.pushdown_filters = true;
    // For the files between stages: written in the order of the rows, and in bounded memory.
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

/// Rows of a batch. Files are cut by it too, so it is part of what the same facts look like.
pub(crate) const BATCH_ROWS: usize = 4096;

/// The same where polls are read: one can have 128 KiB.
pub(crate) const POLLS_BATCH_ROWS: usize = 16;

/// The same for messages, of which one can have 7 KiB.
pub(crate) const CHAT_BATCH_ROWS: usize = 2_048;

/// The same for votes and options of polls, of which one can have 64 KiB and 4 KiB.
pub(crate) const WIDE_BATCH_ROWS: usize = 256;

/// What a sort keeps back for merging its spilled runs. The engine's default,
/// 10 MB a sort, would take the whole pool when ten sorts stand in a plan.
const SPILL_RESERVATION_BYTES: usize = 2 << 20;

/// Batches that make a row group of a file between two stages.
const STAGED_GROUP_BATCHES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_takes_less_at_once_than_the_one_before() {
        let config = Config {
            memory_bytes_max: 128 << 20,
            spill_dir: std::path::PathBuf::new(),
            threads: 8,
        };
        let taken: Vec<_> = Way::all()
            .map(|way| {
                (
                    way.memory_bytes(&config) >> 20,
                    way.threads(&config),
                    way.batch_rows(4_096),
                )
            })
            .collect();
        assert_eq!(
            taken,
            [(128, 8, 4_096), (64, 2, 1_024), (32, 2, 256), (16, 2, 64)]
        );
        assert_eq!(Way::after(0), Way::default());
        assert_eq!(Way::all().last(), Some(Way::after(100)));
    }
}
