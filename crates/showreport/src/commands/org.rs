//! `showreport org`: the organisations of an installation.

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use showreport_model::{OrgId, Zone};

use super::output::print_line;
use crate::wiring::{DataDir, open_meta};

/// Makes organisations, to which everything else belongs
#[derive(Debug, clap::Args)]
pub(super) struct Org {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Makes an organisation
    #[command(after_long_help = CREATE)]
    Create {
        /// Its name: letters, digits, `.`, `-` and `_`
        org: OrgId,

        /// The zone whose days its daily figures follow, by its IANA name
        #[arg(long, value_name = "ZONE", default_value = "UTC")]
        time_zone: Zone,
    },
}

const CREATE: &str = "\
Examples:
  showreport org create acme
  showreport org create acme-tw --time-zone Asia/Taipei --data-dir /var/lib/showreport

The data directory is made if it is missing. Tokens for the organisation come from
`showreport token create`.";

impl Org {
    pub(super) async fn run(self, data_dir: &Path) -> anyhow::Result<ExitCode> {
        let Action::Create { org, time_zone } = self.action;
        let meta = open_meta(&DataDir::create(data_dir)?).await?;
        let outcome = meta.create_org(&org, &time_zone).await;
        meta.close().await;
        outcome?;
        tracing::info!(%org, "made an organisation");
        print_line(format_args!(
            "created {org}, whose days are those of {}",
            time_zone.name()
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}
