//! Between which instants each event was watched.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::TimestampMillisecondType;

use super::{Collected, Table};
use crate::ids::EventId;
use crate::span::Span;

impl Collected {
    /// For each event that was watched the span from the first instant to the last.
    pub fn watched(&self) -> BTreeMap<EventId, Span> {
        let spans = self.facts.batch(Table::Spans);
        let events = spans.column(1).as_string::<i32>();
        let [from, to] = [3, 4].map(|column| {
            let times = spans.column(column);
            times.as_primitive::<TimestampMillisecondType>()
        });
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
