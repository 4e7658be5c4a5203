//! `showreport figures`: an event in figures without a server.

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use showreport_model::{EventId, OrgId};
use showreport_server::FiguresAnswer;

use super::output::{grouped, print_line};
use super::report::known_event;
use crate::shutdown::Shutdown;
use crate::wiring::{DataDir, Limits, Parts};

/// Shows an event in figures without a server
///
/// Takes in everything that was accepted until now, then prints what `GET
/// /api/v1/events/{id}/figures` answers: a line a figure, or with --json the same JSON.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Figures {
    /// The organisation that the event belongs to
    #[arg(long, value_name = "ORG")]
    org: OrgId,

    /// The event
    #[arg(long, value_name = "ID")]
    event: EventId,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    limits: Limits,
}

const EXAMPLES: &str = "\
Examples:
  showreport figures --org acme --event keynote
  showreport figures --org acme --event keynote --json | jq .peak_viewers

It works beside a running server. docs/figures.md says what each figure is.";

impl Figures {
    pub(super) async fn run(self, data_dir: &Path) -> anyhow::Result<ExitCode> {
        let mut shutdown = Shutdown::listen()?;
        let parts = Parts::open(&DataDir::existing(data_dir)?, &self.limits).await?;
        let outcome = tokio::select! {
            outcome = self.ask(&parts) => outcome,
            () = shutdown.requested() => Err(anyhow::anyhow!("stopped before the figures were known")),
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
        known_event(&parts.meta, &self.org, &self.event).await?;
        let flushed = parts.jobs.flush_event(&self.org, &self.event).await;
        flushed.context("take in what was accepted")?;
        let pins = parts.jobs.pins(&self.org, &self.event).await;
        let pins = pins.context("choose the facts")?;
        let figures = parts.query.figures(&self.org, &self.event, &pins).await?;
        let answer = FiguresAnswer::new(&self.event, &figures);
        serde_json::to_string(&answer).context("write the figures")
    }
}

/// A value as people read it: with thousands separators, and `-` where there is none.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => {
            let text = number.to_string();
            let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
            match whole.parse() {
                Ok(whole) => format!("{}{rest}", grouped(whole)),
                Err(_) => text,
            }
        }
        other => other.to_string(),
    }
}

/// The fields of an object, in the order in which they stand.
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
    fn figures_are_written_as_people_write_them() {
        assert_eq!(shown(&json!(1_234_567)), "1,234,567");
        assert_eq!(shown(&json!(1234.5)), "1,234.5");
        assert_eq!(shown(&json!(0.25)), "0.25");
        assert_eq!(shown(&json!(null)), "-");
        assert_eq!(shown(&json!("keynote")), "keynote");
    }
}
