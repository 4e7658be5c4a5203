//! The engine in this process: bounded memory, spilling to the data directory.

use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use showreport_lake::Lake;
use url::Url;

use crate::config::Config;
use crate::pool::SharedPool;
use crate::single_pass::SinglePass;

/// What all questions share: memory, spill files, the store.
pub(crate) fn runtime(config: &Config, lake: &Lake) -> Result<Arc<RuntimeEnv>, DataFusionError> {
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(SharedPool::new(config.memory_bytes_max)))
        .with_temp_file_path(config.spill_dir.clone())
        .with_metadata_cache_limit(METADATA_BYTES_MAX)
        // Both would only keep what lies in the names of files that no question reads twice.
        .with_object_list_cache_limit(0)
        .with_file_statistics_cache_limit(0)
        .build_arc()?;
    let url = Url::parse(Lake::STORE_URL).expect("a literal URL");
    runtime.register_object_store(&url, lake.store());
    Ok(runtime)
}

/// Footers of Parquet files that are kept for the next question. Those of stages are never read again,
/// and fill whatever there is: the engine's defaults kept 71 MiB, in steps of some KiB a report.
const METADATA_BYTES_MAX: usize = 8 << 20;

/// A session for one question.
pub(crate) fn session(config: &Config, runtime: Arc<RuntimeEnv>) -> SessionContext {
    let mut session = SessionConfig::new()
        // Undivided, the engine would join by hash whatever it is told.
        .with_target_partitions(config.threads.max(2))
        .with_batch_size(BATCH_ROWS)
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
    options.execution.parquet.max_row_group_size = STAGED_GROUP_ROWS;
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

/// What a sort keeps back for merging its spilled runs. The engine's default,
/// 10 MB a sort, would take the whole pool when ten sorts stand in a plan.
const SPILL_RESERVATION_BYTES: usize = 2 << 20;

/// Rows of a row group of a file between two stages.
const STAGED_GROUP_ROWS: usize = 64 << 10;
