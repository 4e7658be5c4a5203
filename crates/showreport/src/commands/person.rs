//! `showreport person`: invites, lists and removes people.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;
use showreport_meta::{EmailAddress, Meta, Person as Listed, Role};
use showreport_model::OrgId;

use super::links::Links;
use super::lookup::zone_of;
use super::output::print_line;
use crate::wiring::{DataDir, ServerArgs, base_url, open_meta};

/// Invites, lists and removes people of the dashboard
#[derive(Debug, clap::Args)]
pub(super) struct Person {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Invites a person and prints the link to send; it is good once, for 24 hours
    #[command(after_long_help = INVITE)]
    Invite(Invite),

    /// Lists people by organisation and address, one line for each
    #[command(after_long_help = LIST)]
    List {
        /// Only the people of this organisation
        #[arg(long, value_name = "ORG")]
        org: Option<OrgId>,
    },

    /// Removes a person, at once and with all sessions
    #[command(after_long_help = REMOVE)]
    Remove {
        /// E-mail address of the person
        email: EmailAddress,

        /// Organisation of the person
        #[arg(long, value_name = "ORG")]
        org: OrgId,
    },
}

#[derive(Debug, clap::Args)]
struct Invite {
    /// E-mail address of the person; nothing is sent to it
    email: EmailAddress,

    /// Organisation that the person sees
    #[arg(long, value_name = "ORG")]
    org: OrgId,

    /// Role: reader, analyst, admin
    #[arg(long, value_name = "ROLE")]
    role: Role,

    #[command(flatten)]
    links: Links,

    /// Address that the server listens on, for the link without --public-url [default:
    /// 127.0.0.1:8470]
    #[arg(long, value_name = "ADDR", help_heading = "Server")]
    listen: Option<SocketAddr>,
}

const INVITE: &str = "\
Examples:
  showreport person invite ada@example.com --org acme --role admin
  showreport person invite ada@example.com --org acme --role reader \\
      --public-url https://reports.example.com

Roles:
  reader    sees events, figures and finished reports
  analyst   makes reports and share links too
  admin     everything in the organisation: tokens, people and settings too

Showreport sends no mail: send the link yourself. It asks for a new password. Inviting a person
again replaces the link and sets the role; so a forgotten password is set anew.";

const LIST: &str = "\
Examples:
  showreport person list
  showreport person list --org acme

Columns: e-mail address, organisation, role, creation time, state (active, invited, or invitation
expired).";

const REMOVE: &str = "\
Examples:
  showreport person remove ada@example.com --org acme

A running server refuses the person's sessions within a second.";

impl Person {
    pub(super) async fn run(self, data_dir: &Path) -> anyhow::Result<ExitCode> {
        let meta = open_meta(&DataDir::existing(data_dir)?).await?;
        let outcome = match self.action {
            Action::Invite(order) => invite(&meta, order).await,
            Action::List { org } => list(&meta, org.as_ref()).await,
            Action::Remove { email, org } => remove(&meta, &org, &email).await,
        };
        meta.close().await;
        outcome.map(|()| ExitCode::SUCCESS)
    }
}

async fn invite(meta: &Meta, order: Invite) -> anyhow::Result<()> {
    zone_of(meta, &order.org).await?;
    let Invite { org, role, .. } = &order;
    let (id, secret) = meta.invite_person(org, &order.email, *role).await?;
    tracing::info!(%org, person.id = %id, %role, "invited a person");
    let listen = order.listen.unwrap_or(ServerArgs::LISTEN);
    let base = order.links.public_url.unwrap_or_else(|| base_url(listen));
    print_line(format_args!("{base}/invitations/{}", secret.expose()))?;
    Ok(())
}

async fn list(meta: &Meta, org: Option<&OrgId>) -> anyhow::Result<()> {
    if let Some(org) = org {
        zone_of(meta, org).await?;
    }
    for person in meta.people(org).await? {
        print_line(line(&person))?;
    }
    Ok(())
}

async fn remove(meta: &Meta, org: &OrgId, email: &EmailAddress) -> anyhow::Result<()> {
    zone_of(meta, org).await?;
    let people = meta.people(Some(org)).await?;
    let Some(person) = people.into_iter().find(|person| person.email == *email) else {
        bail!("{org} has no person {email}; `showreport person list --org {org}` lists them");
    };
    meta.remove_person(org, person.id)
        .await
        .context("remove the person")?;
    tracing::info!(%org, person.id = %person.id, "removed a person");
    print_line(format_args!("removed {email} from {org}"))?;
    Ok(())
}

fn line(person: &Listed) -> String {
    let state = match (person.has_password, person.invited_until) {
        (true, _) => "active".to_owned(),
        (false, Some(until)) => format!("invited until {until}"),
        (false, None) => "invitation expired".to_owned(),
    };
    let Listed {
        email,
        org,
        role,
        created_at,
        ..
    } = person;
    format!("{email}  {org}  {role}  made {created_at}  {state}")
}
