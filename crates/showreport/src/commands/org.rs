//! `showreport org`: the organisations of an installation.

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use showreport_meta::Meta;
use showreport_model::{OrgId, Zone};

use super::output::print_line;
use super::token::known;
use crate::wiring::{DataDir, open_meta};

/// Makes, lists and changes organisations, to which everything else belongs
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
    /// Lists the organisations, oldest first
    #[command(after_long_help = LIST)]
    List,
    /// Changes what an organisation is set to
    #[command(after_long_help = SET)]
    Set {
        /// The organisation
        org: OrgId,

        /// The zone whose days its daily figures follow from now on, by its IANA name
        #[arg(long, value_name = "ZONE")]
        time_zone: Zone,
    },
}

const CREATE: &str = "\
Examples:
  showreport org create acme
  showreport org create acme-tw --time-zone Asia/Taipei --data-dir /var/lib/showreport

The data directory is made if it is missing. Tokens for the organisation come from
`showreport token create`.";

const LIST: &str = "\
Examples:
  showreport org list

A line holds the name, the zone, and when the organisation was made.";

const SET: &str = "\
Examples:
  showreport org set acme --time-zone Europe/Berlin

Reports that are ordered from then on use the new zone; those that were made stay as they are. A
running server makes the bulk reports of all days that it keeps again, by the days of the new zone.";

impl Org {
    pub(super) async fn run(self, data_dir: &Path) -> anyhow::Result<ExitCode> {
        let directory = match self.action {
            Action::Create { .. } => DataDir::create(data_dir)?,
            Action::List | Action::Set { .. } => DataDir::existing(data_dir)?,
        };
        let meta = open_meta(&directory).await?;
        let outcome = match self.action {
            Action::Create { org, time_zone } => create(&meta, &org, &time_zone).await,
            Action::List => list(&meta).await,
            Action::Set { org, time_zone } => set(&meta, &org, &time_zone).await,
        };
        meta.close().await;
        outcome.map(|()| ExitCode::SUCCESS)
    }
}

async fn create(meta: &Meta, org: &OrgId, zone: &Zone) -> anyhow::Result<()> {
    meta.create_org(org, zone).await?;
    tracing::info!(%org, "made an organisation");
    let zone = zone.name();
    print_line(format_args!(
        "created {org}, whose days are those of {zone}"
    ))?;
    Ok(())
}

async fn list(meta: &Meta) -> anyhow::Result<()> {
    for org in meta.orgs().await? {
        let (id, zone, made) = (&org.id, org.zone.name(), org.created_at);
        print_line(format_args!("{id}  {zone}  made {made}"))?;
    }
    Ok(())
}

async fn set(meta: &Meta, org: &OrgId, zone: &Zone) -> anyhow::Result<()> {
    known(meta, org).await?;
    let is_new = meta.set_zone(org, zone).await?;
    let zone = zone.name();
    if is_new {
        tracing::info!(%org, zone, "changed the zone of an organisation");
    }
    print_line(format_args!("the days of {org} are those of {zone}"))?;
    Ok(())
}
