//! `showreport keys`: replaces the key that signs download links.

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use showreport_meta::{LINK_LIFETIME_MS, Meta};

use super::output::print_line;
use crate::wiring::{DataDir, open_meta};

/// Replaces the key that signs download links
#[derive(Debug, clap::Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Creates a new key; links signed with the old key work until they expire
    #[command(after_long_help = ROTATE)]
    Rotate,
}

const ROTATE: &str = "\
Examples:
  showreport keys rotate

Use it when the database, or a copy of it, may have been read by others: with the key in it they
can sign links to every report. Running servers sign with the new key after two seconds. One hour
later the old key is refused. To end the links of a report at once, delete the report.";

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
    tracing::info!(%signs_from, "created a new key for links");
    print_line(format_args!(
        "the new key signs from {signs_from}; links signed before work until {opens_until} at the \
         latest"
    ))?;
    Ok(())
}
