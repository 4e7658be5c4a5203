//! The earliest time of each event's facts.

use std::collections::BTreeMap;

use super::reading::{texts, times};
use super::{Collected, Facts, Table};
use crate::claims::CLAIM_MS_MAX;
use crate::ids::EventId;
use crate::time::Timestamp;

impl Collected {
    /// The earliest instant for each event that its facts may change in a report. Coverage has
    /// none; it comes with the span of its record.
    ///
    /// Of polls, and of deletions of a message by its id, this is [`Timestamp::MIN`]: a poll
    /// changes all of its votes, and the time of the message is not known.
    pub fn earliest(&self) -> BTreeMap<EventId, Timestamp> {
        self.facts.earliest()
    }
}

impl Facts {
    fn earliest(&self) -> BTreeMap<EventId, Timestamp> {
        let mut earliest = BTreeMap::new();
        for &table in Table::ALL {
            if table == Table::Coverage {
                continue;
            }
            for (event, millis) in self.least(table) {
                let event = EventId::new(event).expect("the event of a record was checked");
                let at = Timestamp::from_millis(millis - reach_ms(table));
                let at = at.unwrap_or(Timestamp::MIN);
                let known = earliest.entry(event).or_insert(at);
                *known = at.min(*known);
            }
        }
        earliest
    }

    /// The least time of each event's rows; without a time, the earliest that there is.
    fn least(&self, table: Table) -> BTreeMap<&str, i64> {
        let batch = self.batch(table);
        let events = texts(batch, "event_id");
        let times = table.time_column().map(|column| times(batch, column));
        let mut least: BTreeMap<&str, i64> = BTreeMap::new();
        // Consecutive rows are nearly always of the same event.
        let mut run: Option<(&str, i64)> = None;
        for row in 0..batch.num_rows() {
            let event = events.value(row);
            let at = times.map_or(Timestamp::MIN.as_millis(), |times| times.value(row));
            run = match run {
                Some((running, first)) if running == event => Some((event, first.min(at))),
                ended => {
                    note(&mut least, ended);
                    Some((event, at))
                }
            };
        }
        note(&mut least, run);
        least
    }
}

/// How long before its time a fact changes reports: a late beat ends the claim of the one before.
const fn reach_ms(table: Table) -> i64 {
    match table {
        Table::Beats => CLAIM_MS_MAX,
        _ => 0,
    }
}

fn note<'a>(least: &mut BTreeMap<&'a str, i64>, run: Option<(&'a str, i64)>) {
    if let Some((event, at)) = run {
        let known = least.entry(event).or_insert(at);
        *known = at.min(*known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::FactsBuilder;
    use crate::ids::{MessageId, OrgId, PlaybackId, PollId};
    use crate::record::{
        BeatRecord, ChatDeletion, Choice, PlaybackRecord, PollRecord, PollStatus, Record,
    };
    use crate::span::Span;

    fn event(id: &str) -> EventId {
        EventId::new(id).expect("id")
    }

    fn playback(id: &str, from: i64) -> Record {
        Record::Playback(PlaybackRecord {
            event: event(id),
            playback: PlaybackId::new(format!("p{from}")).expect("id"),
            span: Span::new(from, from + 1).expect("span"),
            coverage: Span::new(0, 1),
            device: None,
            customer: None,
            device_os: None,
            geo_region: None,
            name: None,
        })
    }

    fn beat(id: &str, at: i64) -> Record {
        Record::Beat(BeatRecord {
            event: event(id),
            playback: PlaybackId::new("p").expect("id"),
            at: Timestamp::from_millis(at).expect("an instant"),
            seq: None,
            playing: true,
            customer: None,
            device: None,
            device_os: None,
            geo_region: None,
            name: None,
        })
    }

    #[test]
    fn the_earliest_of_each_event_is_known_and_a_poll_or_a_deletion_reaches_back_for_ever() {
        let base = 1_800_000_000_000;
        let mut builder = FactsBuilder::new(OrgId::new("acme").expect("id"));
        for (id, from) in [("a", 7), ("b", 5), ("a", 3), ("a", 4), ("c", 1)] {
            builder.push(playback(id, base + from));
        }
        builder.push(Record::Poll(PollRecord {
            event: event("c"),
            poll: PollId::new("q").expect("id"),
            question: "?".to_owned(),
            choice: Choice::Single,
            options: Vec::new(),
            status: PollStatus::Active,
            started_at: None,
            ended_at: None,
            updated_at: None,
        }));
        builder.push(Record::ChatDeletion(ChatDeletion {
            event: event("d"),
            message: MessageId::new("m").expect("id"),
            updated_at: None,
        }));
        builder.push(beat("e", base + 100_000));
        builder.push(beat("a", base + 65_004));
        builder.push(beat("b", base + 65_004));
        let at = |millis| Timestamp::from_millis(millis).expect("an instant");
        let expected = BTreeMap::from([
            (event("a"), at(base + 3)),
            (event("b"), at(base + 4)),
            (event("c"), Timestamp::MIN),
            (event("d"), Timestamp::MIN),
            (event("e"), at(base + 35_000)),
        ]);
        assert_eq!(builder.finish().earliest(), expected);
    }
}
