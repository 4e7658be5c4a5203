//! `showreport report`: one report without a server.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use showreport_meta::Meta;
use showreport_model::buckets::Granularity;
use showreport_model::report::{Dimension, Format, GroupBy, ReportOrder};
use showreport_model::time::Moment;
use showreport_model::{ErrorKind, EventId, Failure, OrgId, Timestamp, Window, Zone};
use showreport_query::{Edition, Output, Rendered};

use super::columns;
use super::destination::{edition, ensure_readable, form, write_out};
use super::output::Usage;
use super::token::known;
use crate::shutdown::Shutdown;
use crate::wiring::{DataDir, Limits, Parts};

/// Makes one report without a server
///
/// Takes in everything that was accepted until now, then writes the report to stdout or a file.
#[derive(Debug, clap::Args)]
#[command(after_long_help = format!("{EXAMPLES}\n{}", columns::of_event_reports()))]
pub(super) struct Report {
    /// The organisation that the event belongs to
    #[arg(long, value_name = "ORG")]
    org: OrgId,

    /// The event
    #[arg(long, value_name = "ID")]
    event: EventId,

    /// Dimension: watch-time, chat-histories, poll-summaries, poll-votes
    #[arg(long, value_name = "DIMENSION", value_parser = dimension)]
    dimension: Dimension,

    /// Group by: watch-timestamp, customer-id, device-id, device-os, geo-region. May be
    /// repeated or hold a comma list; without it there is a row a view, message, option or vote
    #[arg(long, value_name = "FIELD", value_delimiter = ',', value_parser = group_by)]
    group_by: Vec<GroupBy>,

    /// The width of a bucket of watch-timestamp: 1, 5, 10, 15, 30, 60, 300, 900, 3600, 86400
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = granularity)]
    granularity: Granularity,

    /// From this time on: RFC 3339, or a date or date and time of the organisation's zone, such as
    /// 2026-03-12 or '2026-03-12 19:00' [default: the beginning]
    #[arg(long, value_name = "TIME")]
    from: Option<Moment>,

    /// Until this time, itself left out; a date is its first instant [default: the end]
    #[arg(long, value_name = "TIME")]
    to: Option<Moment>,

    /// The file's form: csv, ndjson, parquet, xlsx [default: as the name of --out ends, else csv]
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    format: Option<Format>,

    /// The text of a CSV file: guarded (cells that a spreadsheet would run as formulas begin with `'`),
    /// raw (the exact text, for databases), excel (guarded, after a byte-order mark)
    #[arg(long, value_name = "VARIANT", default_value = "guarded", value_parser = edition)]
    variant: Edition,

    /// The file to write, which appears only when it is whole [default: stdout]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    limits: Limits,
}

const EXAMPLES: &str = "\
Examples:
  A row a view, on the terminal:
    showreport report --org acme --event keynote --dimension watch-time

  The audience minute by minute and by system, of the first half hour, into a file:
    showreport report --org acme --event keynote --dimension watch-time \\
        --group-by watch-timestamp,device-os --granularity 60 \\
        --from '2026-03-12 19:00' --to '2026-03-12 19:30' --out audience.csv

  The polls as a spreadsheet:
    showreport report --org acme --event keynote --dimension poll-summaries --out polls.xlsx

  The chat as it was written, for a database:
    showreport report --org acme --event keynote --dimension chat-histories \\
        --variant raw --out chat.csv

It works beside a running server. The same facts give the same bytes.";

impl Report {
    pub(super) async fn run(self, data_dir: &Path) -> anyhow::Result<ExitCode> {
        let out = self.out.as_deref();
        let format = form(out, self.format)?;
        ensure_readable(out, format)?;
        let mut shutdown = Shutdown::listen()?;
        let parts = Parts::open(&DataDir::existing(data_dir)?, &self.limits).await?;
        let outcome = tokio::select! {
            outcome = self.make(&parts, format) => outcome,
            () = shutdown.requested() => Err(anyhow::anyhow!("stopped before the report was whole")),
        };
        parts.close().await;
        outcome.map(|()| ExitCode::SUCCESS)
    }

    async fn make(&self, parts: &Parts, format: Format) -> anyhow::Result<()> {
        let zone = known(&parts.meta, &self.org).await?;
        let order = self.order(format, &zone)?;
        known_event(&parts.meta, &self.org, &self.event).await?;
        parts
            .jobs
            .flush_event(&order.org, &order.event)
            .await
            .context("take in what was accepted")?;
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
            return Err(Usage("--to is not after --from".to_owned()));
        }
        let mut group_by: Vec<GroupBy> = Vec::new();
        for &field in &self.group_by {
            if group_by.contains(&field) {
                return Err(Usage(format!("--group-by names {field} twice")));
            }
            group_by.push(field);
        }
        Ok(ReportOrder {
            org: self.org.clone(),
            event: self.event.clone(),
            dimension: self.dimension,
            group_by,
            window,
            granularity: self.granularity,
            format,
        })
    }
}

fn instant(flag: &str, given: Option<Moment>, zone: &Zone) -> Result<Option<Timestamp>, Usage> {
    let at = given.map(|moment| moment.in_zone(zone)).transpose();
    at.map_err(|error| Usage(format!("{flag}: {error}")))
}

/// Fails, and says what to do, where there is no such organisation or event.
pub(super) async fn known_event(meta: &Meta, org: &OrgId, event: &EventId) -> anyhow::Result<()> {
    known(meta, org).await?;
    match meta.event(org, event).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("{error} in {org}; its first record makes it known")
        }
        Err(error) => Err(error).context("look for the event"),
    }
}

async fn write(parts: &Parts, order: &ReportOrder, output: Output) -> anyhow::Result<Rendered> {
    let pins = parts
        .jobs
        .pins(&order.org, &order.event)
        .await
        .context("choose the facts")?;
    let rendered = parts
        .query
        .write_report(order, &pins, output, Arc::new(|_| {}))
        .await?;
    Ok(rendered)
}

fn dimension(text: &str) -> Result<Dimension, String> {
    Dimension::from_name(&text.replace('-', "_")).ok_or_else(|| none_of(&Dimension::names()))
}

fn group_by(text: &str) -> Result<GroupBy, String> {
    GroupBy::from_name(&text.replace('-', "_")).ok_or_else(|| none_of(&GroupBy::names()))
}

fn format(text: &str) -> Result<Format, String> {
    Format::from_name(text).ok_or_else(|| none_of(&Format::names()))
}

fn granularity(text: &str) -> Result<Granularity, String> {
    let seconds: u32 = text
        .parse()
        .map_err(|_| "is no number of seconds".to_owned())?;
    seconds
        .try_into()
        .map_err(|error: showreport_model::buckets::UnknownGranularity| error.to_string())
}

fn none_of(names: &str) -> String {
    format!("it must be one of {}", names.replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_with_either_dash() {
        assert_eq!(dimension("watch-time"), Ok(Dimension::WatchTime));
        assert_eq!(dimension("chat_histories"), Ok(Dimension::ChatHistories));
        assert_eq!(group_by("device-os"), Ok(GroupBy::DeviceOs));
        let error = dimension("watchtime").expect_err("no such thing");
        assert!(error.contains("watch-time"), "{error}");
        assert!(granularity("61").is_err());
    }
}
