//! `showreport report`: one report without a server.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use showreport_model::buckets::Granularity;
use showreport_model::report::{Dimension, Format, GroupBy, ReportOrder};
use showreport_model::{ErrorKind, EventId, Failure, OrgId, Timestamp, Window};
use showreport_query::{Output, Rendered, Sink};

use super::file::{WholeFile, stdout_sink};
use super::output::{Usage, grouped};
use super::token::known;
use crate::settings::values::instant;
use crate::shutdown::Shutdown;
use crate::wiring::{DataDir, Limits, Parts};

/// Makes one report without a server
///
/// Takes in everything that was accepted until now, then writes the report to stdout or a file.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Report {
    /// Whose event
    #[arg(long, value_name = "ORG")]
    org: OrgId,

    /// The event
    #[arg(long, value_name = "ID")]
    event: EventId,

    /// What about: watch-time, chat-histories, poll-summaries, poll-votes
    #[arg(long, value_name = "DIMENSION", value_parser = dimension)]
    dimension: Dimension,

    /// Gathered by: watch-timestamp, customer-id, device-id, device-os, geo-region. May be
    /// repeated or hold a comma list; without it there is a row a view, message, option or vote
    #[arg(long, value_name = "FIELD", value_delimiter = ',', value_parser = group_by)]
    group_by: Vec<GroupBy>,

    /// The width of a bucket of watch-timestamp: 1, 5, 10, 15, 30, 60, 300, 900, 3600, 86400
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = granularity)]
    granularity: Granularity,

    /// From this instant on (RFC 3339) [default: the beginning]
    #[arg(long, value_name = "TIME", value_parser = instant)]
    from: Option<Timestamp>,

    /// Until this instant, itself left out (RFC 3339) [default: the end]
    #[arg(long, value_name = "TIME", value_parser = instant)]
    to: Option<Timestamp>,

    /// In which form: csv, ndjson, parquet, xlsx
    #[arg(long, value_name = "FORMAT", default_value = "csv", value_parser = format)]
    format: Format,

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
        --from 2026-03-12T18:00:00Z --to 2026-03-12T18:30:00Z --out audience.csv

  The polls as a spreadsheet:
    showreport report --org acme --event keynote --dimension poll-summaries \\
        --format xlsx --out polls.xlsx

It works beside a running server. The same facts give the same bytes.";

impl Report {
    pub(super) async fn run(self, data_dir: &Path) -> anyhow::Result<ExitCode> {
        let order = self.order()?;
        if self.out.is_none() && std::io::stdout().is_terminal() && !is_text(order.format) {
            return Err(Usage(format!(
                "{} is not for a terminal; name a file with --out, or send stdout to one",
                order.format
            ))
            .into());
        }
        let mut shutdown = Shutdown::listen()?;
        let parts = Parts::open(&DataDir::existing(data_dir)?, &self.limits).await?;
        let outcome = tokio::select! {
            outcome = make(&parts, &order, self.out.as_deref()) => outcome,
            () = shutdown.requested() => Err(anyhow::anyhow!("stopped before the report was whole")),
        };
        parts.close().await;
        outcome.map(|()| ExitCode::SUCCESS)
    }

    fn order(&self) -> Result<ReportOrder, Usage> {
        let window = Window {
            start: self.from,
            end: self.to,
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
            format: self.format,
        })
    }
}

async fn make(parts: &Parts, order: &ReportOrder, out: Option<&Path>) -> anyhow::Result<()> {
    known(&parts.meta, &order.org).await?;
    match parts.meta.event(&order.org, &order.event).await {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("{error} in {}; its first record makes it known", order.org)
        }
        event => event.context("look for the event")?,
    };
    parts
        .jobs
        .flush_event(&order.org, &order.event)
        .await
        .context("take in what was accepted")?;
    let Some(path) = out else {
        let stdout = stdout_sink().context("open stdout")?;
        write(parts, order, stdout).await?;
        return Ok(());
    };
    let (file, sink) =
        WholeFile::create(path).with_context(|| format!("make the file {}", path.display()))?;
    let rendered = write(parts, order, sink).await?;
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

async fn write(parts: &Parts, order: &ReportOrder, main: Sink) -> anyhow::Result<Rendered> {
    let pins = parts
        .jobs
        .pins(&order.org, &order.event)
        .await
        .context("choose the facts")?;
    let output = Output { main, raw: None };
    let rendered = parts
        .query
        .write_report(order, &pins, output, Arc::new(|_| {}))
        .await?;
    Ok(rendered)
}

const fn is_text(format: Format) -> bool {
    matches!(format, Format::Csv | Format::Ndjson)
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
    format!("it is one of {}", names.replace('_', "-"))
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
