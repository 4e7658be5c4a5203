//! `showreport org`: creates, lists and changes organisations.

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use showreport_meta::{Meta, ZoneChange};
use showreport_model::{OrgId, Zone};

use super::lookup::zone_of;
use super::output::print_line;
use crate::wiring::{DataDir, open_meta};

/// Creates, lists and changes organisations, which own events, records, tokens and reports
#[derive(Debug, clap::Args)]
pub(super) struct Org {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Creates an organisation
    #[command(after_long_help = CREATE)]
    Create {
        /// Name of the organisation: letters, digits, `.`, `-` and `_`
        org: OrgId,

        /// Time zone of its days, an IANA name such as Europe/Berlin
        #[arg(long, value_name = "ZONE", default_value = "UTC")]
        time_zone: Zone,
    },
    /// Lists the organisations, oldest first
    #[command(after_long_help = LIST)]
    List,
    /// Changes the time zone of an organisation
    #[command(after_long_help = SET)]
    Set {
        /// Name of the organisation
        org: OrgId,

        /// New time zone of its days, an IANA name such as Europe/Berlin
        #[arg(long, value_name = "ZONE")]
        time_zone: Zone,
    },
}

const CREATE: &str = "\
Examples:
  showreport org create acme
  showreport org create acme-tw --time-zone Asia/Taipei --data-dir /var/lib/showreport

Creates the data directory if it does not exist. Create tokens for the organisation with
`showreport token create`.";

const LIST: &str = "\
Examples:
  showreport org list

Columns: name, time zone, creation time.";

const SET: &str = "\
Examples:
  showreport org set acme --time-zone Europe/Berlin

Reports that are requested later use the new time zone; existing event reports do not change. A
running server makes the bulk reports of all days that it keeps again, in the new time zone.";

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
    tracing::info!(%org, "created an organisation");
    let zone = zone.name();
    print_line(format_args!("created {org}; its days are those of {zone}"))?;
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
    zone_of(meta, org).await?;
    let change = meta.set_zone(org, zone).await?;
    let zone = zone.name();
    if change == ZoneChange::Changed {
        tracing::info!(%org, zone, "changed the zone of an organisation");
    }
    print_line(format_args!("the days of {org} are those of {zone}"))?;
    Ok(())
}
