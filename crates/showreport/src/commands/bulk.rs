//! `showreport bulk`: makes the bulk report of one day without a server.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::anyhow;
use showreport_model::bulk::ReportType;
use showreport_model::report::Format;
use showreport_model::{OrgId, ReportDay};
use showreport_query::CsvVariant;

use super::columns;
use super::destination::{csv_variant, output_format, write_out};
use super::lookup::zone_of;
use super::output::Usage;
use crate::shutdown::Shutdown;
use crate::wiring::{DataDir, Limits, Parts};

/// Makes the bulk report of one day without a server
///
/// The report holds every record that was accepted before the command started, and equals the
/// report that a job would make now. It is written as CSV to stdout or to a file.
#[derive(Debug, clap::Args)]
#[command(after_long_help = format!("{EXAMPLES}\n{}", columns::of_bulk_reports()))]
pub(super) struct Bulk {
    /// Organisation that owns the events
    #[arg(long, value_name = "ORG")]
    org: OrgId,

    /// Report type: `event_watch_time_a1`, `event_customers_a1`, `event_chat_messages_a1`,
    /// `event_poll_summaries_a1`, `event_poll_votes_a1`
    #[arg(long, value_name = "TYPE", value_parser = report_type)]
    r#type: ReportType,

    /// Day in the organisation's time zone, such as 2026-11-22
    #[arg(long, value_name = "DAY")]
    day: ReportDay,

    /// CSV variant: guarded (`'` before texts that a spreadsheet would run as formulas), raw (the
    /// exact texts, for databases), excel (guarded, with a byte-order mark)
    #[arg(long, value_name = "VARIANT", default_value = "guarded", value_parser = csv_variant)]
    variant: CsvVariant,

    /// Output file. It gets this name only when it is complete [default: stdout]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    limits: Limits,
}

const EXAMPLES: &str = "\
Examples:
  Watch time of one day by event, operating system and region:
    showreport bulk --org acme --type event_watch_time_a1 --day 2026-11-22

  The chat of one day with its exact texts, for a database:
    showreport bulk --org acme --type event_chat_messages_a1 --day 2026-11-22 \\
        --variant raw --out chat.csv

A server may run on the same data directory. The same records give the same bytes. A day that is
not over yet holds the records so far; a day that has not begun is refused.
docs/bulk-reports.md explains every report type.";

impl Bulk {
    pub(super) async fn run(self, data_dir: &Path) -> anyhow::Result<ExitCode> {
        output_format(self.out.as_deref(), Some(Format::Csv))?;
        let mut shutdown = Shutdown::listen()?;
        let parts = Parts::open(&DataDir::existing(data_dir)?, &self.limits).await?;
        let outcome = tokio::select! {
            outcome = self.make(&parts) => outcome,
            () = shutdown.requested() => Err(anyhow!("stopped before the report was complete")),
        };
        parts.close().await;
        outcome.map(|()| ExitCode::SUCCESS)
    }

    async fn make(&self, parts: &Parts) -> anyhow::Result<()> {
        let zone = zone_of(&parts.meta, &self.org).await?;
        let day = zone.day(self.day);
        let (start, _) = day.map_err(|error| Usage(format!("--day: {error}")))?;
        let now = parts.meta.clock().now();
        if now < start {
            let (day, zone, today) = (self.day, zone.name(), zone.day_of(now));
            return Err(Usage(format!(
                "--day: {day} has not begun in {zone}, where it is {today}"
            ))
            .into());
        }
        let (jobs, report_type) = (&parts.jobs, self.r#type);
        write_out(self.out.as_deref(), self.variant, async |output| {
            let written = jobs.write_bulk_day(&self.org, report_type, self.day, output);
            Ok(written.await?)
        })
        .await
    }
}

/// Parses a report type, written with underscores or hyphens.
pub(super) fn report_type(text: &str) -> Result<ReportType, String> {
    ReportType::from_name(&text.replace('-', "_"))
        .ok_or_else(|| format!("must be one of {}", ReportType::names()))
}
