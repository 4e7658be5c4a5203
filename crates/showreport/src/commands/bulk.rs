//! `showreport bulk`: the bulk report of one day without a server.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use showreport_model::bulk::ReportType;
use showreport_model::report::Format;
use showreport_model::{OrgId, ReportDay};
use showreport_query::Edition;

use super::columns;
use super::destination::{edition, form, write_out};
use super::output::Usage;
use super::token::known;
use crate::shutdown::Shutdown;
use crate::wiring::{DataDir, Limits, Parts};

/// Makes the bulk report of one day without a server
///
/// Takes in everything that was accepted until now, then writes the CSV file to stdout or a file.
/// It says what a job's report of that day would say if it were made now.
#[derive(Debug, clap::Args)]
#[command(after_long_help = format!("{EXAMPLES}\n{}", columns::of_bulk_reports()))]
pub(super) struct Bulk {
    /// The organisation that the events belong to
    #[arg(long, value_name = "ORG")]
    org: OrgId,

    /// Report type: `event_watch_time_a1`, `event_customers_a1`, `event_chat_messages_a1`,
    /// `event_poll_summaries_a1`, `event_poll_votes_a1`
    #[arg(long, value_name = "TYPE", value_parser = report_type)]
    r#type: ReportType,

    /// The day, in the organisation's zone, such as 2026-11-22
    #[arg(long, value_name = "DAY")]
    day: ReportDay,

    /// The text of the file: guarded (cells that a spreadsheet would run as formulas begin with `'`),
    /// raw (the exact text, for databases), excel (guarded, after a byte-order mark)
    #[arg(long, value_name = "VARIANT", default_value = "guarded", value_parser = edition)]
    variant: Edition,

    /// The CSV file to write, which appears only when it is whole [default: stdout]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    limits: Limits,
}

const EXAMPLES: &str = "\
Examples:
  How much was watched on a day, by event, system and region:
    showreport bulk --org acme --type event_watch_time_a1 --day 2026-11-22

  Everything that was said on a day, as it was written, into a file for a database:
    showreport bulk --org acme --type event_chat_messages_a1 --day 2026-11-22 \\
        --variant raw --out chat.csv

It works beside a running server. The same facts give the same bytes. A day that is not over
holds what there is so far; one that has not begun is refused.";

impl Bulk {
    pub(super) async fn run(self, data_dir: &Path) -> anyhow::Result<ExitCode> {
        form(self.out.as_deref(), Some(Format::Csv))?;
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
        let zone = known(&parts.meta, &self.org).await?;
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
        write_out(self.out.as_deref(), self.variant, |output| {
            jobs.write_bulk_day(&self.org, report_type, self.day, output)
        })
        .await
    }
}

/// A type by its name, with either dash.
pub(super) fn report_type(text: &str) -> Result<ReportType, String> {
    ReportType::from_name(&text.replace('-', "_"))
        .ok_or_else(|| format!("it must be one of {}", ReportType::names()))
}
