//! `showreport clock`: confirms that the machine's clock is right.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;

use super::output::print_line;
use crate::wiring::{DataDir, open_meta};

/// Confirms that the machine's clock is right
#[derive(Debug, clap::Args)]
pub(super) struct Clock {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Confirms the clock for all processes on the data directory
    #[command(after_long_help = CONFIRM)]
    Confirm,
}

const CONFIRM: &str = "\
Examples:
  date --utc
  showreport clock confirm

After the clock jumped forward by more than an hour, or after a start more than an hour after the
last transaction, nothing is deleted or published for an hour: the clock may be wrong. While the
clock is more than an hour before the last transaction, /collect refuses records. Check the clock
and set it first; confirming it ends both at once.";

impl Clock {
    pub(super) async fn run(self, data_dir: &Path) -> anyhow::Result<ExitCode> {
        let Action::Confirm = self.action;
        let meta = open_meta(&DataDir::existing(data_dir)?).await?;
        let confirmed = meta.confirm_clock().await.context("confirm the clock");
        let now = meta.clock().now();
        meta.close().await;
        confirmed?;
        print_line(format_args!("the clock is right: {now}"))?;
        Ok(ExitCode::SUCCESS)
    }
}
