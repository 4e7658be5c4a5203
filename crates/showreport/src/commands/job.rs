//! `showreport job`: the report jobs, each of which makes a bulk report of every day.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;
use showreport_meta::Meta;
use showreport_model::bulk::{ReportJob, ReportType};
use showreport_model::{OrgId, ReportJobId};

use super::bulk::report_type;
use super::lookup::zone_of;
use super::output::{counted, print_line};
use crate::wiring::{DataDir, open_lake, open_meta};

/// Creates, lists and deletes jobs that make a bulk report of every day
#[derive(Debug, clap::Args)]
pub(super) struct Job {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Creates a job and prints its id; the server makes the reports
    #[command(after_long_help = CREATE)]
    Create {
        /// Organisation that owns the events
        #[arg(long, value_name = "ORG")]
        org: OrgId,

        /// Report type: `event_watch_time_a1`, `event_customers_a1`, `event_chat_messages_a1`,
        /// `event_poll_summaries_a1`, `event_poll_votes_a1`
        #[arg(long, value_name = "TYPE", value_parser = report_type)]
        r#type: ReportType,

        /// Name of the job, at most 100 characters [default: the title of the type]
        #[arg(long, value_name = "NAME", value_parser = name)]
        name: Option<String>,
    },

    /// Lists jobs, one line for each, with the id first
    #[command(after_long_help = LIST)]
    List {
        /// Only the jobs of this organisation
        #[arg(long, value_name = "ORG")]
        org: Option<OrgId>,
    },

    /// Deletes a job and all its reports
    #[command(after_long_help = DELETE)]
    Delete {
        /// Id of the job, from `showreport job list`
        id: ReportJobId,
    },
}

const CREATE: &str = "\
Examples:
  showreport job create --org acme --type event_watch_time_a1
  showreport job create --org acme --type event_chat_messages_a1 --name 'daily chat'

The server makes a report of each of the 30 days before, and then of every day, one hour after its
end in the organisation's time zone. An organisation can have one job of each type. Programs list
and download the reports with YouTube's Reporting API: docs/bulk-reports.md.";

const LIST: &str = "\
Examples:
  showreport job list
  showreport job list --org acme

Columns: id, organisation, report type, creation time, number of days that have a report, newest
of these days, whether and when the job ends, name.";

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
    zone_of(meta, org).await?;
    let name = name.unwrap_or_else(|| report_type.title().to_owned());
    let report_job = meta.create_report_job(org, report_type, &name).await?;
    tracing::info!(%org, report_job.id = %report_job.id, %report_type, "created a report job");
    print_line(report_job.id)?;
    Ok(())
}

async fn list(meta: &Meta, org: Option<&OrgId>) -> anyhow::Result<()> {
    let report_jobs = match org {
        Some(org) => {
            zone_of(meta, org).await?;
            meta.report_jobs(org).await?
        }
        None => meta.all_report_jobs().await?,
    };
    for report_job in report_jobs {
        let made = meta.days_made(report_job.id).await?;
        let newest = made.last_key_value();
        let newest = newest.map_or_else(|| "none".to_owned(), |(day, _)| day.to_string());
        let days = counted(made.len() as u64, "day");
        let ReportJob {
            id,
            org,
            report_type,
            name,
            created_at,
            ..
        } = &report_job;
        let state = match (report_job.ended_at, report_job.ends_at) {
            (Some(at), _) => format!("ended {at}"),
            (None, Some(at)) => format!("ends {at}"),
            (None, None) => "active".to_owned(),
        };
        print_line(format_args!(
            "{id}  {org}  {report_type}  made {created_at}  {days}  newest {newest}  {state}  \
             {name}"
        ))?;
    }
    Ok(())
}

async fn delete(meta: &Meta, directory: &DataDir, id: ReportJobId) -> anyhow::Result<()> {
    let mut report_jobs = meta.all_report_jobs().await?;
    report_jobs.retain(|report_job| report_job.id == id);
    let Some(report_job) = report_jobs.pop() else {
        bail!("job {id} does not exist; `showreport job list` prints the ids")
    };
    let files = open_lake(directory, meta).await?.report_files();
    for file in meta.delete_report_job(&report_job.org, id).await? {
        let deleted = files.delete_all(&report_job.org, file).await;
        deleted.context("delete the file of a report")?;
    }
    tracing::info!(org = %report_job.org, report_job.id = %id, "deleted a report job");
    print_line(format_args!("deleted {id}"))?;
    Ok(())
}

fn name(text: &str) -> Result<String, String> {
    /// The same limit as in the API.
    const CHARACTERS_MAX: usize = 100;
    let characters = text.chars().count();
    if (1..=CHARACTERS_MAX).contains(&characters) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "must have 1 to {CHARACTERS_MAX} characters, not {characters}"
        ))
    }
}
