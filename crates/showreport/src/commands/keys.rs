//! `showreport keys`: the keys that download links are signed with.

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use showreport_meta::{LINK_LIFETIME_MS, Meta};

use super::output::print_line;
use crate::wiring::{DataDir, open_meta};

/// Changes the key that download links are signed with
#[derive(Debug, clap::Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Makes a new key; links signed with the one before open until their hour is over
    #[command(after_long_help = ROTATE)]
    Rotate,
}

const ROTATE: &str = "\
Examples:
  showreport keys rotate

For when the database, or a copy of it, was read by others: the key in it makes links to every
report. It works beside running servers, which sign with the new key two seconds later. An hour
after that the old key opens nothing; delete a report to end its links at once.";

impl Keys {
    pub(super) async fn run(self, data_dir: &Path) -> anyhow::Result<ExitCode> {
        let meta = open_meta(&DataDir::existing(data_dir)?).await?;
        let outcome = match self.action {
            Action::Rotate => rotate(&meta).await,
        };
        meta.close().await;
        outcome.map(|()| ExitCode::SUCCESS)
    }
}

async fn rotate(meta: &Meta) -> anyhow::Result<()> {
    let signs_from = meta.rotate_signing_key().await?;
    let opens_until = signs_from.saturating_add_millis(LINK_LIFETIME_MS);
    tracing::info!(%signs_from, "made a new key for links");
    print_line(format_args!(
        "the new key signs from {signs_from}; links that were signed before open until {opens_until} at the latest"
    ))?;
    Ok(())
}
