//! `showreport org`: creates, lists and changes organisations.

use std::path::Path;
use std::process::ExitCode;

use clap::{ArgGroup, Subcommand, ValueEnum};
use showreport_meta::{Meta, ViewerTokens, ZoneChange};
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
    /// Changes the time zone of an organisation, or whether its viewers need viewer tokens
    #[command(after_long_help = SET)]
    #[command(group = ArgGroup::new("change").required(true).multiple(true))]
    Set {
        /// Name of the organisation
        org: OrgId,

        /// New time zone of its days, an IANA name such as Europe/Berlin
        #[arg(long, value_name = "ZONE", group = "change")]
        time_zone: Option<Zone>,

        /// Whether records of viewers that come with a collect token need a viewer token
        #[arg(
            long,
            value_name = "on|off",
            group = "change",
            hide_possible_values = true
        )]
        require_viewer_tokens: Option<Switch>,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Switch {
    On,
    Off,
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

Columns: name, time zone, creation time, and whether viewer tokens are required or optional.";

const SET: &str = "\
Examples:
  showreport org set acme --time-zone Europe/Berlin
  showreport org set acme --require-viewer-tokens on

Reports that are requested later use the new time zone; existing event reports do not change. A
running server makes the bulk reports of all days that it keeps again, in the new time zone.

With --require-viewer-tokens on, servers reject playbacks, beats, chat messages and votes without a
valid viewer token within a second, if they come with a token whose only scope is collect. Create
the secret of viewer tokens first, with `showreport token create --scope viewer`. Requests with an
admin token and `showreport import` need none.";

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
            Action::Set {
                org,
                time_zone,
                require_viewer_tokens,
            } => set(&meta, &org, time_zone, require_viewer_tokens).await,
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
        let viewer_tokens = word(org.viewer_tokens);
        print_line(format_args!(
            "{id}  {zone}  made {made}  viewer tokens {viewer_tokens}"
        ))?;
    }
    Ok(())
}

async fn set(
    meta: &Meta,
    org: &OrgId,
    zone: Option<Zone>,
    require_viewer_tokens: Option<Switch>,
) -> anyhow::Result<()> {
    zone_of(meta, org).await?;
    if let Some(zone) = zone {
        set_zone(meta, org, &zone).await?;
    }
    if let Some(switch) = require_viewer_tokens {
        set_viewer_tokens(meta, org, switch).await?;
    }
    Ok(())
}

async fn set_zone(meta: &Meta, org: &OrgId, zone: &Zone) -> anyhow::Result<()> {
    let change = meta.set_zone(org, zone).await?;
    let zone = zone.name();
    if change == ZoneChange::Changed {
        tracing::info!(%org, zone, "changed the zone of an organisation");
    }
    print_line(format_args!("the days of {org} are those of {zone}"))?;
    Ok(())
}

async fn set_viewer_tokens(meta: &Meta, org: &OrgId, switch: Switch) -> anyhow::Result<()> {
    let viewer_tokens = match switch {
        Switch::On => ViewerTokens::Required,
        Switch::Off => ViewerTokens::Optional,
    };
    meta.set_viewer_tokens(org, viewer_tokens).await?;
    let viewer_tokens = word(viewer_tokens);
    tracing::info!(%org, viewer_tokens, "changed whether viewer tokens are required");
    print_line(format_args!("viewer tokens of {org} are {viewer_tokens}"))?;
    Ok(())
}

const fn word(viewer_tokens: ViewerTokens) -> &'static str {
    match viewer_tokens {
        ViewerTokens::Optional => "optional",
        ViewerTokens::Required => "required",
    }
}
