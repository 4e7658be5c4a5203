//! The check of the database at a start.
//!
//! It reads every row, so its duration grows with the database. A start waits half a second for it,
//! which is enough for a database of usual size. A larger one is checked while the server runs;
//! meanwhile each row is compared as it is read, and the check finds rows that a damaged page hides.
//! **Damage ends the process** and creates a mark file. With the mark, the next start waits for the
//! whole check and fails if the damage is still there.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use showreport_meta::{Meta, private};
use showreport_model::{ErrorChain, Failure};
use tokio::runtime::Handle;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

const WAIT: Duration = Duration::from_millis(500);

const CHECK: &str = "check the database";

/// A running check of the database.
pub(super) struct Check {
    verified: AbortOnDropHandle<Result<(), showreport_meta::Error>>,
    mark: PathBuf,
}

impl Check {
    /// Begins the check and waits up to [`WAIT`]. Returns the check if it is not done by then.
    pub(super) async fn begin(meta: &Meta, mark: PathBuf) -> anyhow::Result<Option<Self>> {
        let meta = meta.clone();
        let verified = Handle::current().spawn(async move { meta.verify().await });
        let mut check = Self {
            verified: AbortOnDropHandle::new(verified),
            mark,
        };
        if check.mark.exists() {
            tracing::warn!(
                "damage was found before: the whole database is checked before the start"
            );
            check.finish().await?.context(CHECK)?;
            std::fs::remove_file(&check.mark)
                .with_context(|| format!("delete {}", check.mark.display()))?;
            return Ok(None);
        }
        let begun = Instant::now();
        match tokio::time::timeout(WAIT, check.finish()).await {
            Ok(done) => {
                done?.context(CHECK)?;
                log_whole(begun);
                Ok(None)
            }
            Err(_) => Ok(Some(check)),
        }
    }

    /// Continues while the server runs. Returns before `stop` only if damage was found.
    pub(super) async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let begun = Instant::now();
        let done = tokio::select! {
            done = self.finish() => done,
            () = stop.cancelled() => return Ok(()),
        };
        match done {
            Ok(Ok(())) => log_whole(begun),
            Ok(Err(error)) if error.damage().is_some() => return Err(error).context(CHECK),
            Ok(Err(error)) => log_unchecked(&error),
            Err(error) => log_unchecked(&error),
        }
        stop.cancelled().await;
        Ok(())
    }

    /// Waits for the end. Creates the mark if damage was found.
    async fn finish(&mut self) -> Result<Result<(), showreport_meta::Error>, JoinError> {
        let verified = (&mut self.verified).await?;
        if let Err(error) = &verified
            && error.damage().is_some()
            && let Err(error) = create_mark(&self.mark)
        {
            tracing::warn!(%error, "cannot create the mark that damage was found");
        }
        Ok(verified)
    }
}

fn log_unchecked(error: &(dyn std::error::Error + 'static)) {
    let error = ErrorChain(error).to_string();
    tracing::warn!(
        error,
        "the database was not checked; the next start tries again"
    );
}

fn log_whole(begun: Instant) {
    let duration_ms = begun.elapsed().as_millis();
    tracing::info!(duration_ms, "checked the database: nothing is damaged");
}

fn create_mark(mark: &Path) -> std::io::Result<()> {
    let mut options = private::options();
    options
        .write(true)
        .create(true)
        .truncate(false)
        .open(mark)?;
    Ok(())
}
