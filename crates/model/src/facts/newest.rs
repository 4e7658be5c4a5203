//! The newest time of each event's facts.

use std::collections::BTreeMap;

use super::reading::{texts, times};
use super::{Collected, Table};
use crate::ids::EventId;
use crate::time::Timestamp;

/// The tables with facts about an instant, and the column of its end. Deletions of a message by its
/// id have a time before all others, which [`Timestamp::from_millis`] refuses.
const ENDS: [(Table, &str); 4] = [
    (Table::Spans, "to_time"),
    (Table::Beats, "at"),
    (Table::Chat, "sent_at"),
    (Table::Votes, "voted_at"),
];

impl Collected {
    /// The newest instant that the views, beats, messages and votes of each event are about.
    pub fn newest(&self) -> BTreeMap<EventId, Timestamp> {
        let mut newest: BTreeMap<&str, i64> = BTreeMap::new();
        for (table, column) in ENDS {
            let rows = self.facts.batch(table);
            let events = texts(rows, "event_id");
            for (row, &at) in times(rows, column).values().iter().enumerate() {
                let known = newest.entry(events.value(row)).or_insert(at);
                *known = at.max(*known);
            }
        }
        let checked = |event| EventId::new(event).expect("the event of a record was checked");
        let newest = newest.into_iter();
        newest
            .filter_map(|(event, millis)| {
                let at = Timestamp::from_millis(millis).ok()?;
                Some((checked(event), at))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::FactsBuilder;
    use crate::ids::{MessageId, OrgId, PlaybackId};
    use crate::record::{BeatRecord, ChatDeletion, Record};
    use crate::span::Span;

    fn event(id: &str) -> EventId {
        EventId::new(id).expect("an id")
    }

    #[test]
    fn the_newest_instant_is_the_end_of_a_span_or_the_time_of_a_beat() {
        let at = |millis| Timestamp::MIN.saturating_add_millis(millis);
        let mut builder = FactsBuilder::new(OrgId::new("acme").expect("an id"));
        builder.push_playback(&crate::record::PlaybackRef {
            event: "spans",
            playback: "p",
            span: Span::new(at(0).as_millis(), at(60).as_millis()).expect("a span"),
            coverage: None,
            device: None,
            customer: None,
            device_os: None,
            geo_region: None,
            name: None,
        });
        for (id, millis) in [("beats", 7), ("beats", 3), ("spans", 50)] {
            builder.push(Record::Beat(BeatRecord {
                event: event(id),
                playback: PlaybackId::new("p").expect("an id"),
                at: at(millis),
                seq: None,
                playing: true,
                customer: None,
                device: None,
                device_os: None,
                geo_region: None,
                name: None,
            }));
        }
        builder.push(Record::ChatDeletion(ChatDeletion {
            event: event("deletions"),
            message: MessageId::new("m").expect("an id"),
            updated_at: None,
        }));
        let newest = builder.finish().newest();
        let expected = [(event("beats"), at(7)), (event("spans"), at(60))];
        assert_eq!(newest.into_iter().collect::<Vec<_>>(), expected);
    }
}
