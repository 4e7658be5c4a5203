//! `showreport clock`: what an operator says of the machine's clock.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;

use super::output::print_line;
use crate::wiring::{DataDir, open_meta};

/// Says that the machine's clock is right
#[derive(Debug, clap::Args)]
pub(super) struct Clock {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Ends every doubt in the clock, in all servers on the data directory
    #[command(after_long_help = CONFIRM)]
    Confirm,
}

const CONFIRM: &str = "\
Examples:
  date --utc
  showreport clock confirm

A clock that goes forward by more than an hour, or a start more than an hour after anything was
last stored, may be wrong: for an hour nothing is deleted or published. A clock that is more than
an hour before what was last stored is wrong now, or was wrong then: nothing is collected. Look at
the clock first, set it right if it is not, and then confirm it.";

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
