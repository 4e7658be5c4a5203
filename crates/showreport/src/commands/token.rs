//! `showreport token`: creates, lists and revokes access tokens.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use showreport_meta::{Meta, Scopes, Token as Listed};
use showreport_model::{OrgId, Timestamp, TokenId};

use super::lookup::zone_of;
use super::output::{Usage, print_line};
use crate::settings::values::duration_millis;
use crate::wiring::{DataDir, open_meta};

/// Creates, lists and revokes access tokens
#[derive(Debug, clap::Args)]
pub(super) struct Token {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Creates a token and prints it; it cannot be printed again
    #[command(after_long_help = CREATE)]
    Create(Create),

    /// Lists tokens by id, one line for each, without the tokens themselves
    #[command(after_long_help = LIST)]
    List {
        /// Only the tokens of this organisation
        #[arg(long, value_name = "ORG")]
        org: Option<OrgId>,
    },

    /// Revokes a token, at once and for good
    #[command(after_long_help = REVOKE)]
    Revoke {
        /// Id of the token, from `showreport token list`
        id: TokenId,
    },
}

#[derive(Debug, clap::Args)]
struct Create {
    /// Organisation that the token gives access to
    #[arg(long, value_name = "ORG")]
    org: OrgId,

    /// Scope: collect, report, admin, viewer. Repeat the flag or separate scopes by commas
    #[arg(long, value_name = "SCOPE", required = true, value_parser = Scopes::parse)]
    scope: Vec<Scopes>,

    /// Lifetime of the token, such as 90d or 12h [default: no end]
    #[arg(long, value_name = "DURATION", value_parser = duration_millis)]
    expires: Option<i64>,
}

const CREATE: &str = "\
Examples:
  showreport token create --org acme --scope collect
  TOKEN=$(showreport token create --org acme --scope report,collect --expires 90d)
  showreport token create --org acme --scope viewer

Scopes:
  collect   send records and nothing else; safe inside a page or an app
  report    read events, make and read reports
  admin     everything in the organisation, including the other two scopes
  viewer    the secret of viewer tokens, with which your back end says who a viewer is; it opens
            nothing, and has no other scope beside it

Only a hash of the token is stored, of one with the scope viewer the token itself: signatures are
verified with it. A lost token cannot be printed again: revoke it and create another.";

const LIST: &str = "\
Examples:
  showreport token list
  showreport token list --org acme

Columns: id, organisation, scopes, creation time, end, state (valid, expired or revoked).";

const REVOKE: &str = "\
Examples:
  showreport token list --org acme
  showreport token revoke 019a1c2e-7f3a-7cc1-9d0b-0f1e2d3c4b5a";

impl Token {
    pub(super) async fn run(self, data_dir: &Path) -> anyhow::Result<ExitCode> {
        if let Action::Create(order) = &self.action {
            order.scopes()?;
        }
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

impl Create {
    /// The scopes of all flags together.
    fn scopes(&self) -> anyhow::Result<Scopes> {
        let (first, rest) = self.scope.split_first().context("a token needs a scope")?;
        let all = rest.iter().try_fold(first.clone(), Scopes::union);
        Ok(all.map_err(|error| Usage(format!("--scope: {error}")))?)
    }
}

async fn create(meta: &Meta, order: Create) -> anyhow::Result<()> {
    let scopes = order.scopes()?;
    let ends_at = order
        .expires
        .map(|millis| meta.clock().now().saturating_add_millis(millis));
    zone_of(meta, &order.org).await?;
    let (id, secret) = meta
        .create_token(&order.org, scopes.clone(), ends_at)
        .await?;
    tracing::info!(org = %order.org, token.id = %id, %scopes, "created a token");
    print_line(secret.expose())?;
    Ok(())
}

async fn list(meta: &Meta, org: Option<&OrgId>) -> anyhow::Result<()> {
    if let Some(org) = org {
        zone_of(meta, org).await?;
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
        .context("revoke the token; `showreport token list` prints the ids")?;
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
