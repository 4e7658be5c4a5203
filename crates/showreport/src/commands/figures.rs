//! `showreport figures`: prints the figures of an event without a server.

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use showreport_model::{EventId, OrgId, Window};
use showreport_server::FiguresResponse;

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
        let json = outcome?;
        if self.json {
            print_line(json)?;
        } else {
            let figures: InOrder = serde_json::from_str(&json).context("read the figures")?;
            for (name, value) in figures.0 {
                print_line(format_args!(
                    "{:<26}{}",
                    name.replace('_', " "),
                    shown(&value)
                ))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn ask(&self, parts: &Parts) -> anyhow::Result<String> {
        require_event(&parts.meta, &self.org, &self.event).await?;
        let flushed = parts.jobs.flush_event(&self.org, &self.event).await;
        flushed.context("flush the journal")?;
        let pins = parts.jobs.pins(&self.org, &self.event).await;
        let pins = pins.context("pin the facts")?;
        let figures = parts.query.figures(&self.org, &pins, Window::ALL);
        let figures = figures.await.context("work out the figures")?;
        let answer = FiguresResponse::new(&self.event, &figures);
        serde_json::to_string(&answer).context("write the figures")
    }
}

/// A value as text, with thousands separators; null is `-`.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => {
            let text = number.to_string();
            let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
            match whole.parse() {
                Ok(whole) => format!("{}{rest}", with_thousands(whole)),
                Err(_) => text,
            }
        }
        other => other.to_string(),
    }
}

/// The fields of a JSON object in their order, which `serde_json::Map` does not keep.
struct InOrder(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for InOrder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrderVisitor)
    }
}

struct InOrderVisitor;

impl<'de> Visitor<'de> for InOrderVisitor {
    type Value = InOrder;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<InOrder, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(InOrder(fields))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_have_thousands_separators_and_null_is_a_hyphen() {
        assert_eq!(shown(&json!(1_234_567)), "1,234,567");
        assert_eq!(shown(&json!(1234.5)), "1,234.5");
        assert_eq!(shown(&json!(0.25)), "0.25");
        assert_eq!(shown(&json!(null)), "-");
        assert_eq!(shown(&json!("keynote")), "keynote");
    }
}
