//! The check of the database at a start.
//!
//! It reads every row, so it takes longer the more there is. A start waits for it for half a second:
//! damage in a database of ordinary size is found before anything is answered. A larger one is
//! checked while the server runs. Until then rows are compared as they are read; the check finds
//! what a damaged page hides. **What it finds ends the process**, and leaves a mark, so that the
//! next start waits for the whole check, however long, and refuses what is still damaged.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use showreport_meta::{Meta, private};
use showreport_model::Damage;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// How long a start waits for the check.
const WAIT: Duration = Duration::from_millis(500);

/// A check of the database that has begun.
pub(super) struct Check {
    verified: AbortOnDropHandle<Result<(), showreport_meta::Error>>,
    mark: PathBuf,
}

impl Check {
    /// Begins to check, and waits for a while. Gives the check if it is not done by then.
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
            check.finish().await?;
            std::fs::remove_file(&check.mark)
                .with_context(|| format!("delete {}", check.mark.display()))?;
            return Ok(None);
        }
        let begun = Instant::now();
        match tokio::time::timeout(WAIT, check.finish()).await {
            Ok(done) => {
                done?;
                log_whole(begun);
                Ok(None)
            }
            Err(_) => Ok(Some(check)),
        }
    }

    /// Goes on beside the server, until the check is done or the server stops; ends only with `stop`
    /// unless damage was found.
    pub(super) async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let begun = Instant::now();
        let done = tokio::select! {
            done = self.finish() => done,
            () = stop.cancelled() => return Ok(()),
        };
        match done {
            Ok(()) => log_whole(begun),
            Err(error) if damage_in(&error) => return Err(error),
            Err(error) => {
                let error = format!("{error:#}");
                tracing::warn!(
                    error,
                    "the database was not checked; the next start tries again"
                );
            }
        }
        stop.cancelled().await;
        Ok(())
    }

    /// Waits for the end, and leaves the mark where damage was found.
    async fn finish(&mut self) -> anyhow::Result<()> {
        let verified = (&mut self.verified).await;
        let verified = verified.context("wait for the check of the database")?;
        let verified = verified.context("check the database");
        if let Err(error) = &verified
            && damage_in(error)
            && let Err(error) = leave(&self.mark)
        {
            tracing::warn!(%error, "cannot leave a mark that damage was found");
        }
        verified
    }
}

fn log_whole(begun: Instant) {
    let duration_ms = begun.elapsed().as_millis();
    tracing::info!(duration_ms, "checked the database: nothing is damaged");
}

fn damage_in(error: &anyhow::Error) -> bool {
    Damage::below(error.as_ref()).is_some()
}

fn leave(mark: &Path) -> std::io::Result<()> {
    let mut options = private::options();
    options
        .write(true)
        .create(true)
        .truncate(false)
        .open(mark)?;
    Ok(())
}
