//! `showreport figures`: prints the figures of an event without a server.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use showreport_model::figures::{FIGURES, Figures as EventFigures};
use showreport_model::report::Pins;
use showreport_model::table::Value;
use showreport_model::{EventId, OrgId, Timestamp, Window};
use showreport_server::figures_json;

use super::lookup::require_event;
use super::output::{print_line, with_thousands};
use crate::shutdown::Shutdown;
use crate::wiring::{DataDir, Limits, Parts};

/// Prints the figures of an event without a server
///
/// The figures are those of `GET /api/v1/events/{id}/figures`, of every record that was accepted
/// before the command started: one line for each, or the same JSON with --json.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Figures {
    /// Organisation that owns the event
    #[arg(long, value_name = "ORG")]
    org: OrgId,

    /// Id of the event
    #[arg(long, value_name = "ID")]
    event: EventId,

    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    limits: Limits,
}

const EXAMPLES: &str = "\
Examples:
  showreport figures --org acme --event keynote
  showreport figures --org acme --event keynote --json | jq .peak_viewers

A server may run on the same data directory. docs/figures.md explains every figure.";

impl Figures {
    pub(super) async fn run(self, data_dir: &Path) -> anyhow::Result<ExitCode> {
        let mut shutdown = Shutdown::listen()?;
        let parts = Parts::open(&DataDir::existing(data_dir)?, &self.limits).await?;
        let outcome = tokio::select! {
            outcome = self.ask(&parts) => outcome,
            () = shutdown.requested() => Err(anyhow!("stopped before the figures were complete")),
        };
        parts.close().await;
        let (as_of, figures) = outcome?;
        if self.json {
            print_line(figures_json(&self.event, as_of, &figures))?;
            return Ok(ExitCode::SUCCESS);
        }
        print_figure("event_id", self.event.as_str())?;
        print_figure("as_of", &as_of.to_string())?;
        for (column, value) in FIGURES.iter().zip(figures.row()) {
            print_figure(column.name, &shown(&value))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn ask(&self, parts: &Parts) -> anyhow::Result<(Timestamp, EventFigures)> {
        require_event(&parts.meta, &self.org, &self.event).await?;
        let pinned = parts.lake.pin_event(&self.org, &self.event).await;
        let pinned = pinned.context("pin the facts")?;
        let pins = Pins {
            heads: pinned.heads,
            zone: pinned.zone,
            event: pinned.event,
        };
        let figures = parts.query.figures(&self.org, &pins, Window::ALL);
        let figures = figures.await.context("work out the figures")?;
        Ok((pinned.changed_at, figures))
    }
}

fn print_figure(name: &str, value: &str) -> io::Result<()> {
    print_line(format_args!("{:<26}{value}", name.replace('_', " ")))
}

/// A figure as text, with thousands separators; an absent one is `-`.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    match (value, whole.parse()) {
        (Value::Absent, _) => "-".to_owned(),
        (Value::Count(_) | Value::Seconds(_) | Value::Number(_), Ok(whole)) => {
            format!("{}{rest}", with_thousands(whole))
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_thousands_separators_and_an_absent_one_is_a_hyphen() {
        assert_eq!(shown(&Value::Count(1_234_567)), "1,234,567");
        assert_eq!(shown(&Value::Seconds(1_234_500)), "1,234.500");
        assert_eq!(shown(&Value::Number(0.25)), "0.25");
        assert_eq!(shown(&Value::Absent), "-");
        let at = Timestamp::MIN;
        assert_eq!(shown(&Value::Time(at)), at.to_string());
    }
}
