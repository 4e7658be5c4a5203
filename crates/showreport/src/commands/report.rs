//! `showreport report`: makes one report without a server.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use showreport_model::buckets::Granularity;
use showreport_model::ratio::Ratio;
use showreport_model::report::{Dimension, Format, GroupBy, ReportOrder};
use showreport_model::time::Moment;
use showreport_model::{EventId, OrgId, Timestamp, Window, Zone};
use showreport_query::{CsvVariant, Output, Rendered};

use super::columns;
use super::destination::{csv_variant, ensure_not_on_terminal, output_format, write_out};
use super::lookup::{require_event, zone_of};
use super::output::Usage;
use crate::shutdown::Shutdown;
use crate::wiring::{DataDir, Limits, Parts};

/// Makes one report without a server
///
/// The report holds every record that was accepted before the command started. It is written to
/// stdout or to a file.
#[derive(Debug, clap::Args)]
#[command(after_long_help = format!("{EXAMPLES}\n{}", columns::of_event_reports()))]
pub(super) struct Report {
    /// Organisation that owns the event
    #[arg(long, value_name = "ORG")]
    org: OrgId,

    /// Id of the event
    #[arg(long, value_name = "ID")]
    event: EventId,

    /// Dimension: attendance, watch-time, chat-histories, poll-summaries, poll-votes, retention
    #[arg(long, value_name = "DIMENSION", value_parser = dimension)]
    dimension: Dimension,

    /// Group by: watch-timestamp, customer-id, device-id, device-os, geo-region. Repeat the flag
    /// or separate fields by commas. Without it there is one row for each view, message, option or
    /// vote. Attendance and retention cannot be grouped
    #[arg(long, value_name = "FIELD", value_delimiter = ',', value_parser = group_by)]
    group_by: Vec<GroupBy>,

    /// Width of the watch-timestamp buckets, or of the content's in retention, in seconds: 1, 5,
    /// 10, 15, 30, 60, 300, 900, 3600, 86400 [default: 60, of retention 10]
    #[arg(long, value_name = "SECONDS", value_parser = granularity)]
    granularity: Option<Granularity>,

    /// Start of the period, included: RFC 3339, or a date or a date and time in the organisation's
    /// time zone, such as 2026-03-12 or '2026-03-12 19:00' [default: the first record]
    #[arg(long, value_name = "TIME")]
    from: Option<Moment>,

    /// End of the period, excluded, written as --from is. A date means its first instant
    /// [default: the last record]
    #[arg(long, value_name = "TIME")]
    to: Option<Moment>,

    /// Least live ratio of a row of attendance, from 0 to 1: the part of the event's window that a
    /// person watched [default: every person]
    #[arg(long, value_name = "RATIO")]
    minimum_live_ratio: Option<Ratio>,

    /// Output format: csv, ndjson, parquet, xlsx [default: from the extension of --out, else csv]
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    format: Option<Format>,

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
  One row for each view, on the terminal:
    showreport report --org acme --event keynote --dimension watch-time

  The first half hour by minute and operating system, into a file:
    showreport report --org acme --event keynote --dimension watch-time \\
        --group-by watch-timestamp,device-os --granularity 60 \\
        --from '2026-03-12 19:00' --to '2026-03-12 19:30' --out audience.csv

  The people that watched three quarters of the event while it was live:
    showreport report --org acme --event keynote --dimension attendance \\
        --minimum-live-ratio 0.75 --out present.xlsx

  The polls as a spreadsheet:
    showreport report --org acme --event keynote --dimension poll-summaries --out polls.xlsx

  How many viewers saw each half minute of a recording:
    showreport report --org acme --event replay --dimension retention --granularity 30

  The chat with its exact texts, for a database:
    showreport report --org acme --event keynote --dimension chat-histories \\
        --variant raw --out chat.csv

A server may run on the same data directory. The same records give the same bytes.
docs/reports.md explains every column.";

impl Report {
    pub(super) async fn run(self, data_dir: &Path) -> anyhow::Result<ExitCode> {
        let out = self.out.as_deref();
        let format = output_format(out, self.format)?;
        ensure_not_on_terminal(out, format)?;
        let mut shutdown = Shutdown::listen()?;
        let parts = Parts::open(&DataDir::existing(data_dir)?, &self.limits).await?;
        let outcome = tokio::select! {
            outcome = self.make(&parts, format) => outcome,
            () = shutdown.requested() => Err(anyhow!("stopped before the report was complete")),
        };
        parts.close().await;
        outcome.map(|()| ExitCode::SUCCESS)
    }

    async fn make(&self, parts: &Parts, format: Format) -> anyhow::Result<()> {
        let zone = zone_of(&parts.meta, &self.org).await?;
        let order = self.order(format, &zone)?;
        require_event(&parts.meta, &self.org, &self.event).await?;
        parts
            .jobs
            .flush_event(&order.org, &order.event)
            .await
            .context("flush the journal")?;
        write_out(self.out.as_deref(), self.variant, |output| {
            write(parts, &order, output)
        })
        .await
    }

    fn order(&self, format: Format, zone: &Zone) -> Result<ReportOrder, Usage> {
        let window = Window {
            start: instant("--from", self.from, zone)?,
            end: instant("--to", self.to, zone)?,
        };
        if !window.is_possible() {
            return Err(Usage("--to must be after --from".to_owned()));
        }
        let mut group_by: Vec<GroupBy> = Vec::new();
        for &field in &self.group_by {
            if group_by.contains(&field) {
                return Err(Usage(format!("--group-by names {field} twice")));
            }
            group_by.push(field);
        }
        if self.dimension.grouped_columns().is_none() && !group_by.is_empty() {
            let name = self.dimension.name().replace('_', "-");
            return Err(Usage(format!("--dimension {name} takes no --group-by")));
        }
        if self.dimension != Dimension::Attendance && self.minimum_live_ratio.is_some() {
            let problem = "--minimum-live-ratio needs --dimension attendance";
            return Err(Usage(problem.to_owned()));
        }
        Ok(ReportOrder {
            org: self.org.clone(),
            event: self.event.clone(),
            dimension: self.dimension,
            group_by,
            window,
            granularity: self
                .granularity
                .unwrap_or_else(|| self.dimension.granularity_default()),
            minimum_live_ratio: self.minimum_live_ratio,
            format,
        })
    }
}

fn instant(flag: &str, given: Option<Moment>, zone: &Zone) -> Result<Option<Timestamp>, Usage> {
    let at = given.map(|moment| moment.in_zone(zone)).transpose();
    at.map_err(|error| Usage(format!("{flag}: {error}")))
}

async fn write(parts: &Parts, order: &ReportOrder, output: Output) -> anyhow::Result<Rendered> {
    let pins = parts
        .jobs
        .pins(&order.org, &order.event)
        .await
        .context("pin the facts")?;
    let rendered = parts
        .query
        .write_report(order, &pins, output, Arc::new(|_| {}))
        .await?;
    Ok(rendered)
}

fn dimension(text: &str) -> Result<Dimension, String> {
    Dimension::from_name(&text.replace('-', "_")).ok_or_else(|| must_be_one_of(&Dimension::names()))
}

fn group_by(text: &str) -> Result<GroupBy, String> {
    GroupBy::from_name(&text.replace('-', "_")).ok_or_else(|| must_be_one_of(&GroupBy::names()))
}

fn format(text: &str) -> Result<Format, String> {
    Format::from_name(text).ok_or_else(|| must_be_one_of(&Format::names()))
}

fn granularity(text: &str) -> Result<Granularity, String> {
    let seconds: u32 = text
        .parse()
        .map_err(|_| "must be a number of seconds, such as 60".to_owned())?;
    seconds
        .try_into()
        .map_err(|error: showreport_model::buckets::UnknownGranularity| error.to_string())
}

fn must_be_one_of(names: &str) -> String {
    format!("must be one of {}", names.replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_with_hyphens_and_underscores() {
        assert_eq!(dimension("watch-time"), Ok(Dimension::WatchTime));
        assert_eq!(dimension("chat_histories"), Ok(Dimension::ChatHistories));
        assert_eq!(group_by("device-os"), Ok(GroupBy::DeviceOs));
        let error = dimension("watchtime").expect_err("no such thing");
        assert!(error.contains("watch-time"), "{error}");
        assert!(granularity("61").is_err());
    }
}
