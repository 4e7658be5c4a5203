//! `showreport bulk`: the bulk report of one day without a server.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use showreport_model::bulk::ReportType;
use showreport_model::{OrgId, ReportDay};
use showreport_query::{Output, Rendered, Sink};

use super::file::{WholeFile, stdout_sink};
use super::output::{Usage, grouped};
use super::token::known;
use crate::shutdown::Shutdown;
use crate::wiring::{DataDir, Limits, Parts};

/// Makes the bulk report of one day without a server
///
/// Takes in everything that was accepted until now, then writes the CSV file to stdout or a file.
/// It says what a job's report of that day would say if it were made now.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Bulk {
    /// Whose events
    #[arg(long, value_name = "ORG")]
    org: OrgId,

    /// What about: `event_watch_time_a1`, `event_customers_a1`, `event_chat_messages_a1`,
    /// `event_poll_summaries_a1`, `event_poll_votes_a1`
    #[arg(long, value_name = "TYPE", value_parser = report_type)]
    r#type: ReportType,

    /// Which day, in the organisation's zone, such as 2026-11-22
    #[arg(long, value_name = "DAY")]
    day: ReportDay,

    /// The file to write, which appears only when it is whole [default: stdout]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    limits: Limits,
}

const EXAMPLES: &str = "\
Examples:
  How much was watched on a day, by event, system and region:
    showreport bulk --org acme --type event_watch_time_a1 --day 2026-11-22

  Everything that was said on a day, into a file:
    showreport bulk --org acme --type event_chat_messages_a1 --day 2026-11-22 --out chat.csv

It works beside a running server. The same facts give the same bytes. A day that is not over
holds what there is so far.";

impl Bulk {
    pub(super) async fn run(self, data_dir: &Path) -> anyhow::Result<ExitCode> {
        let mut shutdown = Shutdown::listen()?;
        let parts = Parts::open(&DataDir::existing(data_dir)?, &self.limits).await?;
        let outcome = tokio::select! {
            outcome = self.make(&parts) => outcome,
            () = shutdown.requested() => Err(anyhow::anyhow!("stopped before the report was whole")),
        };
        parts.close().await;
        outcome.map(|()| ExitCode::SUCCESS)
    }

    async fn make(&self, parts: &Parts) -> anyhow::Result<()> {
        known(&parts.meta, &self.org).await?;
        let zone = parts.meta.zone(&self.org).await?;
        if zone.bounds(self.day).is_none() {
            let (zone, day) = (zone.name(), self.day);
            return Err(Usage(format!("{zone}, the organisation's zone, has no {day}")).into());
        }
        let Some(path) = &self.out else {
            let stdout = stdout_sink().context("open stdout")?;
            self.write(parts, stdout).await?;
            return Ok(());
        };
        let (file, sink) =
            WholeFile::create(path).with_context(|| format!("make the file {}", path.display()))?;
        let rendered = self.write(parts, sink).await?;
        file.publish()
            .with_context(|| format!("write the file {}", path.display()))?;
        eprintln!(
            "{}: {} rows, {} bytes, sha256 {}",
            path.display(),
            grouped(rendered.row_count),
            grouped(rendered.size_bytes),
            rendered.sha256
        );
        Ok(())
    }

    async fn write(&self, parts: &Parts, main: Sink) -> anyhow::Result<Rendered> {
        let output = Output { main, raw: None };
        parts
            .jobs
            .write_bulk_day(&self.org, self.r#type, self.day, output)
            .await
    }
}

/// A type by its name, with either dash.
pub(super) fn report_type(text: &str) -> Result<ReportType, String> {
    ReportType::from_name(&text.replace('-', "_"))
        .ok_or_else(|| format!("it is one of {}", ReportType::names()))
}
