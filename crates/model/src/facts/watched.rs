//! The first and the last instant at which each event was watched.

use std::collections::BTreeMap;

use super::reading::{texts, times};
use super::{Collected, Table};
use crate::ids::EventId;
use crate::span::Span;

impl Collected {
    /// The span from the first to the last instant of the views of each event.
    pub fn watched(&self) -> BTreeMap<EventId, Span> {
        let spans = self.facts.batch(Table::Spans);
        let events = texts(spans, "event_id");
        let [from, to] = ["from_time", "to_time"].map(|column| times(spans, column));
        let mut watched: BTreeMap<&str, Span> = BTreeMap::new();
        for row in 0..spans.num_rows() {
            let Some(span) = Span::new(from.value(row), to.value(row)) else {
                continue;
            };
            let whole = watched.entry(events.value(row)).or_insert(span);
            *whole = whole.hull(span);
        }
        let checked = |event| EventId::new(event).expect("the event of a record was checked");
        let watched = watched.into_iter();
        watched
            .map(|(event, span)| (checked(event), span))
            .collect()
    }
}
