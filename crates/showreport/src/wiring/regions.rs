//! Where the regions of addresses come from.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use showreport_model::ErrorChain;
use showreport_origins::Origins;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

/// Where the regions of addresses come from.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Regions")]
pub struct RegionArgs {
    /// Database of regions (.mmdb), read again when it changes [default:
    /// the countries that the program carries]
    #[arg(long, value_name = "FILE")]
    pub geoip: Option<PathBuf>,
}

impl RegionArgs {
    /// Opens the database, if there is one.
    pub fn open(&self) -> anyhow::Result<Origins> {
        Origins::open(self.geoip.clone()).context("open the database of --geoip")
    }
}

/// How often it is looked whether the file has changed.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Prepares the rules of systems, and reads the file again whenever it has changed. A file that
/// cannot be read is logged once; the one that was read before serves on.
pub(super) async fn tend_origins(origins: Origins, stop: CancellationToken) -> anyhow::Result<()> {
    let prepared = origins.clone();
    let prepared = spawn_blocking(move || prepared.prepare()).await;
    prepared.context("prepare the rules of systems")?;
    let mut logged = String::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let origins = origins.clone();
        let looked = spawn_blocking(move || origins.reopen_if_changed());
        match looked.await.context("look at the database of regions")? {
            Ok(true) => tracing::info!("read the database of regions again"),
            Ok(false) => {}
            Err(error) => {
                let error = ErrorChain(&error).to_string();
                if error != logged {
                    tracing::warn!(error, "kept the database of regions as it was");
                    logged = error;
                }
            }
        }
    }
}
