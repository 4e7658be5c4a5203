//! The engine in this process: bounded memory, spilling to the data directory.

use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use showreport_lake::Lake;
use url::Url;

use crate::config::Config;

/// What all questions share: memory, spill files, the store.
pub(crate) fn runtime(config: &Config, lake: &Lake) -> Result<Arc<RuntimeEnv>, DataFusionError> {
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(config.memory_bytes_max)))
        .with_temp_file_path(config.spill_dir.clone())
        .build_arc()?;
    let url = Url::parse(Lake::STORE_URL).expect("a literal URL");
    runtime.register_object_store(&url, lake.store());
    Ok(runtime)
}

/// A session for one question.
pub(crate) fn session(config: &Config, runtime: Arc<RuntimeEnv>) -> SessionContext {
    let mut session = SessionConfig::new()
        .with_target_partitions(config.threads)
        .with_batch_size(BATCH_ROWS)
        .with_collect_statistics(false);
    let options = session.options_mut();
    // A hash join holds one side in memory and cannot spill it; a merge join can.
    options.optimizer.prefer_hash_join = false;
    options.execution.parquet.pushdown_filters = true;
    options.execution.sort_spill_reservation_bytes = SPILL_RESERVATION_BYTES;
    SessionContext::new_with_config_rt(session, runtime)
}

/// Rows of a batch: the engine's own default, named because files are cut by it too.
pub(crate) const BATCH_ROWS: usize = 8192;

/// What a sort keeps back for merging its spilled runs. The engine's default,
/// 10 MB a sort, would take the whole pool when ten sorts run at once.
const SPILL_RESERVATION_BYTES: usize = 2 * 1024 * 1024;
