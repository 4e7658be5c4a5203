//! The first and the last instant at which each event was watched.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;

use super::reading::{texts, times};
use super::{Collected, Table};
use crate::ids::EventId;
use crate::span::Span;

impl Collected {
    /// The span from the first to the last instant of the views of each event. A beat counts as a
    /// millisecond: it claims at most the time up to another beat.
    pub fn watched(&self) -> BTreeMap<EventId, Span> {
        let mut watched = BTreeMap::new();
        let spans = self.facts.batch(Table::Spans);
        let [from, to] = ["from_time", "to_time"].map(|column| times(spans, column).values());
        let ends = from.iter().copied().zip(to.iter().copied());
        widen(&mut watched, spans, ends);
        let beats = self.facts.batch(Table::Beats);
        let at = times(beats, "at").values().iter();
        widen(&mut watched, beats, at.map(|&at| (at, at + 1)));
        let checked = |event| EventId::new(event).expect("the event of a record was checked");
        let watched = watched.into_iter();
        watched
            .map(|(event, span)| (checked(event), span))
            .collect()
    }
}

/// Widens the span of each event by the ends of its rows.
fn widen<'f>(
    watched: &mut BTreeMap<&'f str, Span>,
    rows: &'f RecordBatch,
    ends: impl Iterator<Item = (i64, i64)>,
) {
    let events = texts(rows, "event_id");
    for (row, (from, to)) in ends.enumerate() {
        if let Some(span) = Span::new(from, to) {
            let whole = watched.entry(events.value(row)).or_insert(span);
            *whole = whole.hull(span);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::FactsBuilder;
    use crate::ids::{OrgId, PlaybackId};
    use crate::record::{BeatRecord, PlaybackRef, Record};
    use crate::time::Timestamp;

    #[test]
    fn an_event_is_watched_from_its_first_span_or_beat_to_its_last() {
        let base = Timestamp::MIN.as_millis();
        let mut builder = FactsBuilder::new(OrgId::new("acme").expect("an id"));
        for (event, from) in [("spans", 0), ("spans", 50), ("both", 20)] {
            builder.push_playback(&PlaybackRef {
                event,
                playback: "p",
                span: Span::new(base + from, base + from + 10).expect("a span"),
                coverage: None,
                device: None,
                customer: None,
                device_os: None,
                geo_region: None,
                name: None,
            });
        }
        for (event, at) in [("both", 7), ("both", 100), ("beats", 3)] {
            builder.push(Record::Beat(BeatRecord {
                event: EventId::new(event).expect("an id"),
                playback: PlaybackId::new("p").expect("an id"),
                at: Timestamp::MIN.saturating_add_millis(at),
                seq: None,
                playing: false,
                customer: None,
                device: None,
                device_os: None,
                geo_region: None,
                name: None,
            }));
        }
        let watched = builder.finish().watched();
        let watched = watched
            .iter()
            .map(|(event, span)| (event.as_str(), span.from() - base, span.to() - base));
        assert_eq!(
            watched.collect::<Vec<_>>(),
            [("beats", 3, 4), ("both", 7, 101), ("spans", 0, 60)]
        );
    }
}
