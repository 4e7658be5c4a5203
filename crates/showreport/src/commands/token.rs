//! `showreport token`: who may do what.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;
use showreport_meta::{Meta, Scopes, Token as Listed};
use showreport_model::{ErrorKind, Failure, OrgId, Timestamp, TokenId, Zone};

use super::output::print_line;
use crate::settings::values::duration_millis;
use crate::wiring::{DataDir, open_meta};

/// Makes, lists and revokes access tokens
#[derive(Debug, clap::Args)]
pub(super) struct Token {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Makes a token and prints it, this once and nothing else
    #[command(after_long_help = CREATE)]
    Create(Create),

    /// Lists tokens, a line each, its id first; never the tokens themselves
    #[command(after_long_help = LIST)]
    List {
        /// Only those of this organisation
        #[arg(long, value_name = "ORG")]
        org: Option<OrgId>,
    },

    /// Takes a token back, at once and for ever
    #[command(after_long_help = REVOKE)]
    Revoke {
        /// Its id, as `showreport token list` shows it
        id: TokenId,
    },
}

#[derive(Debug, clap::Args)]
struct Create {
    /// The organisation that it opens
    #[arg(long, value_name = "ORG")]
    org: OrgId,

    /// What it allows: collect, report, admin. May be repeated or hold a comma list
    #[arg(long, value_name = "SCOPE", required = true, value_parser = Scopes::parse)]
    scope: Vec<Scopes>,

    /// After how long it ends, such as 90d or 12h [default: never]
    #[arg(long, value_name = "DURATION", value_parser = duration_millis)]
    expires: Option<i64>,
}

const CREATE: &str = "\
Examples:
  showreport token create --org acme --scope collect
  TOKEN=$(showreport token create --org acme --scope report,collect --expires 90d)

Scopes:
  collect   send records, and nothing else: safe inside a page or an app
  report    read events, make and read reports
  admin     all of the organisation, the other two included

Only a digest of the token is kept. One that is lost cannot be shown again: revoke it and
make another.";

const LIST: &str = "\
Examples:
  showreport token list
  showreport token list --org acme

A line holds the id, the organisation, the scopes, when the token was made, when it ends, and
whether it still opens anything.";

const REVOKE: &str = "\
Examples:
  showreport token list --org acme
  showreport token revoke 019a1c2e-7f3a-7cc1-9d0b-0f1e2d3c4b5a";

impl Token {
    pub(super) async fn run(self, data_dir: &Path) -> anyhow::Result<ExitCode> {
        let meta = open_meta(&DataDir::existing(data_dir)?).await?;
        let outcome = match self.action {
            Action::Create(order) => create(&meta, order).await,
            Action::List { org } => list(&meta, org.as_ref()).await,
            Action::Revoke { id } => revoke(&meta, id).await,
        };
        meta.close().await;
        outcome.map(|()| ExitCode::SUCCESS)
    }
}

async fn create(meta: &Meta, order: Create) -> anyhow::Result<()> {
    let scopes = order
        .scope
        .into_iter()
        .reduce(|all, more| all.union(&more))
        .context("a token needs a scope")?;
    let ends_at = order
        .expires
        .map(|millis| meta.clock().now().saturating_add_millis(millis));
    known(meta, &order.org).await?;
    let (id, secret) = meta
        .create_token(&order.org, scopes.clone(), ends_at)
        .await?;
    tracing::info!(org = %order.org, token.id = %id, %scopes, "made a token");
    print_line(secret.expose())?;
    Ok(())
}

async fn list(meta: &Meta, org: Option<&OrgId>) -> anyhow::Result<()> {
    if let Some(org) = org {
        known(meta, org).await?;
    }
    let now = meta.clock().now();
    for token in meta.tokens(org).await? {
        print_line(line(&token, now))?;
    }
    Ok(())
}

async fn revoke(meta: &Meta, id: TokenId) -> anyhow::Result<()> {
    let org = meta
        .revoke_token(id)
        .await
        .context("revoke the token; `showreport token list` shows the ids")?;
    tracing::info!(%org, token.id = %id, "revoked a token");
    print_line(format_args!("revoked {id}"))?;
    Ok(())
}

fn line(token: &Listed, now: Timestamp) -> String {
    let ends = match token.expires_at {
        Some(at) => format!("ends {at}"),
        None => "never ends".to_owned(),
    };
    let state = match (token.revoked_at, token.expires_at) {
        (Some(at), _) => format!("revoked {at}"),
        (None, Some(at)) if at <= now => "expired".to_owned(),
        _ => "valid".to_owned(),
    };
    let Listed {
        id,
        org,
        scopes,
        created_at,
        ..
    } = token;
    format!("{id}  {org}  {scopes}  made {created_at}  {ends}  {state}")
}

/// The zone of an organisation. Fails, and says what to do, where there is no such organisation.
pub(super) async fn known(meta: &Meta, org: &OrgId) -> anyhow::Result<Zone> {
    match meta.zone(org).await {
        Ok(zone) => Ok(zone),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("{error}; `showreport org create {org}` makes it")
        }
        Err(error) => Err(error).context("look for the organisation"),
    }
}
