//! `showreport job`: standing orders for a report a day.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;
use showreport_meta::Meta;
use showreport_model::bulk::{ReportType, StandingOrder};
use showreport_model::{OrgId, StandingOrderId};

use super::bulk::report_type;
use super::output::{counted, print_line};
use super::token::known;
use crate::wiring::{DataDir, open_lake, open_meta};

/// Makes, lists and deletes jobs, each of which gives a bulk report for every day
#[derive(Debug, clap::Args)]
pub(super) struct Job {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Makes a job and prints its id; the server makes the reports
    #[command(after_long_help = CREATE)]
    Create {
        /// The organisation that the events belong to
        #[arg(long, value_name = "ORG")]
        org: OrgId,

        /// Report type: `event_watch_time_a1`, `event_customers_a1`, `event_chat_messages_a1`,
        /// `event_poll_summaries_a1`, `event_poll_votes_a1`
        #[arg(long, value_name = "TYPE", value_parser = report_type)]
        r#type: ReportType,

        /// Name of the job, at most 100 characters [default: the type]
        #[arg(long, value_name = "NAME", value_parser = name)]
        name: Option<String>,
    },

    /// Lists jobs, a line each, its id first
    #[command(after_long_help = LIST)]
    List {
        /// Only those of this organisation
        #[arg(long, value_name = "ORG")]
        org: Option<OrgId>,
    },

    /// Deletes a job with all its reports
    #[command(after_long_help = DELETE)]
    Delete {
        /// Its id, as `showreport job list` shows it
        id: StandingOrderId,
    },
}

const CREATE: &str = "\
Examples:
  showreport job create --org acme --type event_watch_time_a1
  showreport job create --org acme --type event_chat_messages_a1 --name 'daily chat'

The server makes a report for each of the 30 days before, and then for every day, an hour after
it has ended in the organisation's zone. An organisation has one job of a type. Programs list and
fetch the reports as from YouTube's Reporting API: docs/bulk-reports.md.";

const LIST: &str = "\
Examples:
  showreport job list
  showreport job list --org acme

A line holds the id, the organisation, the type, when the job was made, how many days have a
report, the newest of them, and the name.";

const DELETE: &str = "\
Examples:
  showreport job list --org acme
  showreport job delete 019a1c2e-7f3a-7cc1-9d0b-0f1e2d3c4b5a";

impl Job {
    pub(super) async fn run(self, data_dir: &Path) -> anyhow::Result<ExitCode> {
        let directory = DataDir::existing(data_dir)?;
        let meta = open_meta(&directory).await?;
        let outcome = match self.action {
            Action::Create { org, r#type, name } => create(&meta, &org, r#type, name).await,
            Action::List { org } => list(&meta, org.as_ref()).await,
            Action::Delete { id } => delete(&meta, &directory, id).await,
        };
        meta.close().await;
        outcome.map(|()| ExitCode::SUCCESS)
    }
}

async fn create(
    meta: &Meta,
    org: &OrgId,
    report_type: ReportType,
    name: Option<String>,
) -> anyhow::Result<()> {
    known(meta, org).await?;
    let name = name.unwrap_or_else(|| report_type.title().to_owned());
    let order = meta.create_standing_order(org, report_type, &name).await?;
    tracing::info!(%org, standing_order.id = %order.id, %report_type, "made a job of bulk reports");
    print_line(order.id)?;
    Ok(())
}

async fn list(meta: &Meta, org: Option<&OrgId>) -> anyhow::Result<()> {
    let orders = match org {
        Some(org) => {
            known(meta, org).await?;
            meta.standing_orders(org).await?
        }
        None => meta.all_standing_orders().await?,
    };
    for order in orders {
        let made = meta.days_made(order.id).await?;
        let newest = made.last_key_value();
        let newest = newest.map_or_else(|| "none".to_owned(), |(day, _)| day.to_string());
        let days = counted(made.len() as u64, "day");
        let StandingOrder {
            id,
            org,
            report_type,
            name,
            created_at,
            ..
        } = &order;
        let state = match (order.ended_at, order.ends_at) {
            (Some(at), _) => format!("ended {at}"),
            (None, Some(at)) => format!("ends {at}"),
            (None, None) => "goes on".to_owned(),
        };
        print_line(format_args!(
            "{id}  {org}  {report_type}  made {created_at}  {days}  newest {newest}  {state}  {name}"
        ))?;
    }
    Ok(())
}

async fn delete(meta: &Meta, directory: &DataDir, id: StandingOrderId) -> anyhow::Result<()> {
    let mut orders = meta.all_standing_orders().await?;
    orders.retain(|order| order.id == id);
    let Some(order) = orders.pop() else {
        bail!("there is no job {id}; `showreport job list` shows the ids")
    };
    let files = open_lake(directory, meta).await?.report_files();
    for file in meta.delete_standing_order(&order.org, id).await? {
        let deleted = files.delete_all(&order.org, file).await;
        deleted.context("delete the file of a report")?;
    }
    tracing::info!(org = %order.org, standing_order.id = %id, "deleted a job of bulk reports");
    print_line(format_args!("deleted {id}"))?;
    Ok(())
}

fn name(text: &str) -> Result<String, String> {
    /// As over HTTP.
    const CHARACTERS_MAX: usize = 100;
    let characters = text.chars().count();
    if (1..=CHARACTERS_MAX).contains(&characters) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "has {characters} characters; a name must have 1 to {CHARACTERS_MAX}"
        ))
    }
}
