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
        .build_arc()?;
    let url = Url::parse(Lake::STORE_URL).expect("a literal URL");
    runtime.register_object_store(&url, lake.store());
    Ok(runtime)
}

/// A session for one question, whose operators work on batches of so many rows.
pub(crate) fn session(
    config: &Config,
    runtime: Arc<RuntimeEnv>,
    batch_rows: usize,
) -> SessionContext {
    // Undivided, the engine would join by hash whatever it is told.
    divided(config.threads.max(2), runtime, batch_rows)
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

/// The same for votes, messages and options of polls, of which one can have 64 KiB, 7 KiB and 4 KiB.
pub(crate) const WIDE_BATCH_ROWS: usize = 256;

/// What a sort keeps back for merging its spilled runs. The engine's default,
/// 10 MB a sort, would take the whole pool when ten sorts stand in a plan.
const SPILL_RESERVATION_BYTES: usize = 2 << 20;

/// Batches that make a row group of a file between two stages.
const STAGED_GROUP_BATCHES: usize = 16;
