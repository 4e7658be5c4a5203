//! Merges facts of many requests or journal rows. Memory grows with the number of different rows.

use std::collections::BTreeMap;

use arrow::array::{Array, RecordBatch};

use super::reading::texts;
use super::{Collected, Facts, FactsBuilder, Table};
use crate::ids::{IdError, OrgId};

/// Facts of any number of organisations.
#[derive(Debug, Default)]
pub struct FactsMerger {
    of_orgs: BTreeMap<OrgId, FactsBuilder>,
}

impl FactsMerger {
    /// Adds the contents of a builder, which keeps them.
    pub fn absorb(&mut self, sent: &mut FactsBuilder) {
        self.of_org(sent.org().clone()).absorb(sent);
    }

    /// Adds facts. Spans of a view that overlap or touch become one row. The events of these facts
    /// are not noted: that was done when they were collected.
    pub fn add(&mut self, facts: &Facts) -> Result<(), IdError> {
        for &table in Table::ALL {
            let batch = facts.batch(table);
            let mut from = 0;
            while from < batch.num_rows() {
                let length = length_of_org(batch, from);
                let rows = batch.slice(from, length);
                let org = OrgId::new(org_of(batch, from))?;
                self.of_org(org).add_rows(table, rows);
                from += length;
            }
        }
        Ok(())
    }

    fn of_org(&mut self, org: OrgId) -> &mut FactsBuilder {
        let of_org = self.of_orgs.entry(org);
        of_org.or_insert_with_key(|org| FactsBuilder::new(org.clone()))
    }

    /// Approximate bytes in memory.
    pub fn memory_bytes(&mut self) -> usize {
        let of_orgs = self.of_orgs.values_mut();
        of_orgs.map(FactsBuilder::memory_bytes).sum()
    }

    /// The facts of each organisation.
    pub fn finish(self) -> impl Iterator<Item = (OrgId, Collected)> {
        self.of_orgs.into_iter().map(|(org, mut of_org)| {
            let collected = of_org.finish();
            (org, collected)
        })
    }
}

fn org_of(batch: &RecordBatch, row: usize) -> &str {
    texts(batch, "org").value(row)
}

/// The number of consecutive rows of one organisation from this row on.
fn length_of_org(batch: &RecordBatch, from: usize) -> usize {
    let orgs = texts(batch, "org");
    let org = orgs.value(from);
    let others = (from + 1..orgs.len()).find(|&row| orgs.value(row) != org);
    others.unwrap_or(orgs.len()) - from
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::PlaybackRef;
    use crate::span::Span;

    fn playback(playback: &'static str, from: i64, to: i64) -> PlaybackRef<'static> {
        PlaybackRef {
            event: "keynote",
            playback,
            span: Span::new(from, to).expect("a span"),
            coverage: None,
            device: Some("phone"),
            customer: None,
            device_os: None,
            geo_region: None,
            name: None,
        }
    }

    fn sent(org: &str, playbacks: &[PlaybackRef<'_>]) -> FactsBuilder {
        let mut builder = FactsBuilder::new(OrgId::new(org).expect("an id"));
        for playback in playbacks {
            builder.push_playback(playback);
        }
        builder
    }

    #[test]
    fn organisations_stay_apart_and_views_meet() {
        let parts = [
            sent("acme", &[playback("ada", 0, 10), playback("bob", 0, 10)]),
            sent("rival", &[playback("ada", 10, 20)]),
            sent("acme", &[playback("ada", 10, 20)]),
        ];
        let mut merger = FactsMerger::default();
        for mut part in parts {
            let facts = part.finish().facts;
            merger.add(&facts).expect("the organisation is valid");
            merger.add(&facts).expect("twice is once");
        }
        assert!(merger.memory_bytes() > 0);
        let rows: Vec<(String, usize)> = merger
            .finish()
            .map(|(org, collected)| (org.to_string(), collected.facts.rows()))
            .collect();
        assert_eq!(rows, [("acme".to_owned(), 2), ("rival".to_owned(), 1)]);
    }

    #[test]
    fn facts_of_many_organisations_in_one_batch_are_taken_apart() {
        let mut merger = FactsMerger::default();
        for org in ["acme", "rival", "zeta"] {
            merger.absorb(&mut sent(org, &[playback("ada", 0, 10)]));
        }
        let of_orgs: Vec<Facts> = merger.finish().map(|(_, of_org)| of_org.facts).collect();
        let mut merger = FactsMerger::default();
        merger.add(&Facts::concat(&of_orgs)).expect("valid");
        let again: Vec<Facts> = merger.finish().map(|(_, of_org)| of_org.facts).collect();
        assert_eq!(again, of_orgs);
    }
}
