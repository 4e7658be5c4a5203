//! Removes data files and log entries that are no longer needed.
//!
//! Kept are the files of the newest versions, of the heads, and of the versions that running
//! reports have pinned, and files that left a table less than a day ago.

use std::sync::Arc;

use deltalake::checkpoints::cleanup_expired_logs_for;
use deltalake::operations::vacuum::{self, VacuumMode};
use deltalake::{DeltaResult, DeltaTable};
use fail::fail_point;
use futures::{StreamExt, stream};
use object_store::ObjectStore;
use object_store::path::Path;
use showreport_meta::Meta;
use showreport_model::Clock;
use showreport_model::facts::Table;

use crate::Error;
use crate::delta::{Newest, RETENTION_MS};

/// Removes the files of a table that are no longer needed. Returns the number of data files.
pub(crate) async fn vacuum(meta: &Meta, newest: &mut Newest, table: Table) -> Result<usize, Error> {
    let known = meta.known_lake().await?;
    let pinned = meta.pinned_heads().await?;
    let basis = newest.refresh(table, &known).await?;
    let kept = std::iter::once(&known.heads).chain(&pinned);
    let kept = kept.filter_map(|heads| heads.get(&table).copied());
    let kept: Vec<u64> = kept.collect();
    remove(basis.newest(), &kept, judged_at(meta.clock().as_ref()))
        .await
        .map_err(|source| Error::Vacuum { table, source })
}

/// The time by which the age of files is judged. Crash tests move it ahead by days, so that there
/// is something to remove.
fn judged_at(clock: &dyn Clock) -> i64 {
    let now_ms = clock.now().as_millis();
    fail_point!("vacuum-from-ahead", |_| now_ms + 2 * RETENTION_MS);
    now_ms
}

async fn remove(delta: &DeltaTable, kept: &[u64], now_ms: i64) -> DeltaResult<usize> {
    // The library only lists what to remove. Its own deletion would count files that were removed
    // long ago each time, and would commit two versions.
    let (_, found) = delta
        .clone()
        .vacuum()
        // Also files that no version ever had: those of failed writes.
        .with_mode(VacuumMode::Full)
        .with_keep_versions(kept)
        .with_clock(Arc::new(VacuumClock(now_ms)))
        .with_dry_run(true)
        .await?;
    let paths = found
        .files_deleted
        .into_iter()
        .map(|path| Ok(Path::parse(path)?));
    let mut deleted = delta
        .object_store()
        .delete_stream(stream::iter(paths).boxed());
    let mut removed = 0;
    while let Some(deleted) = deleted.next().await {
        match deleted {
            Ok(_) => {
                fail_point!("vacuum-after-file", |_| std::process::abort());
                removed += 1;
            }
            Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if let Some(&oldest) = kept.iter().min() {
        let log_store = delta.log_store();
        cleanup_expired_logs_for(oldest, log_store.as_ref(), now_ms - RETENTION_MS, None).await?;
    }
    Ok(removed)
}

/// The time of the vacuum, as a clock of the library.
#[derive(Debug)]
struct VacuumClock(i64);

impl vacuum::Clock for VacuumClock {
    fn current_timestamp_millis(&self) -> i64 {
        self.0
    }
}
