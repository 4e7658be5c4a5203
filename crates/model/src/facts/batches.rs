//! The records of one request, in batches of limited size.

use super::FactsBuilder;
use crate::ids::{EventId, OrgId};

/// Events in a batch at most. Each is a row of the registry, which takes most of the time of
/// storing a batch.
const EVENTS_MAX: usize = 1_024;

/// Memory of a batch at most, as far as it is measured.
const BATCH_BYTES: usize = 8 << 20;

/// Number of records after which the memory is measured.
const MEASURED_EVERY: usize = 1_024;

/// The records of a request. A large request is divided, so that other requests are stored between
/// its parts.
#[derive(Debug)]
pub struct Batches {
    full: Vec<FactsBuilder>,
    filling: FactsBuilder,
}

impl Batches {
    /// Empty, for the records of an organisation.
    pub fn new(org: OrgId) -> Self {
        Self {
            full: Vec::new(),
            filling: FactsBuilder::new(org),
        }
    }

    /// The batch for the next record.
    pub fn filling(&mut self) -> &mut FactsBuilder {
        if is_full(&mut self.filling) {
            let next = FactsBuilder::new(self.filling.org().clone());
            self.full.push(std::mem::replace(&mut self.filling, next));
        }
        &mut self.filling
    }

    pub const fn org(&self) -> &OrgId {
        self.filling.org()
    }

    /// Records of all batches.
    pub fn records(&self) -> usize {
        let full = self.full.iter().map(FactsBuilder::records);
        full.sum::<usize>() + self.filling.records()
    }

    /// The event of the last record that is a fact, of those in the last batch.
    pub const fn last_event(&self) -> Option<&EventId> {
        self.filling.last_event()
    }

    /// Approximate bytes in memory.
    pub fn memory_bytes(&mut self) -> usize {
        let full = self.full.iter_mut().map(FactsBuilder::memory_bytes);
        full.sum::<usize>() + self.filling.memory_bytes()
    }
}

impl From<FactsBuilder> for Batches {
    fn from(filling: FactsBuilder) -> Self {
        Self {
            full: Vec::new(),
            filling,
        }
    }
}

impl IntoIterator for Batches {
    type Item = FactsBuilder;
    type IntoIter =
        std::iter::Chain<std::vec::IntoIter<FactsBuilder>, std::iter::Once<FactsBuilder>>;

    /// The batches in the order in which they were filled; at least one.
    fn into_iter(self) -> Self::IntoIter {
        self.full.into_iter().chain(std::iter::once(self.filling))
    }
}

fn is_full(batch: &mut FactsBuilder) -> bool {
    let records = batch.records();
    let is_measured = records > 0 && records.is_multiple_of(MEASURED_EVERY);
    batch.events() >= EVENTS_MAX || is_measured && batch.memory_bytes() >= BATCH_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{MessageId, PlaybackId};
    use crate::record::{ChatRecord, EventKind, EventRecord, PlaybackRecord, Record};
    use crate::span::Span;
    use crate::time::Timestamp;

    fn batches(records: impl Iterator<Item = Record>) -> Vec<FactsBuilder> {
        let mut batches = Batches::new(OrgId::new("acme").expect("an id"));
        for record in records {
            batches.filling().push(record);
        }
        batches.into_iter().collect()
    }

    fn event(id: usize) -> EventId {
        EventId::new(format!("event {id}")).expect("an id")
    }

    fn registration(id: usize) -> Record {
        Record::Event(EventRecord {
            event: event(id),
            kind: EventKind::Live,
            title: "A title".to_owned(),
            starts_at: None,
            ends_at: None,
            duration_ms: None,
            updated_at: None,
        })
    }

    fn playback(id: usize) -> Record {
        Record::Playback(PlaybackRecord {
            event: event(id),
            playback: PlaybackId::new("p").expect("an id"),
            span: Span::new(1, 2).expect("a span"),
            coverage: None,
            device: None,
            customer: None,
            device_os: None,
            geo_region: None,
            name: None,
        })
    }

    fn message(id: usize) -> Record {
        Record::Chat(ChatRecord {
            event: event(1),
            message: MessageId::new(id.to_string()).expect("an id"),
            sent_at: Timestamp::MIN,
            text: "x".repeat(4096),
            customer: None,
            device: None,
            name: None,
            role: None,
            deleted: false,
            updated_at: None,
        })
    }

    #[test]
    fn many_events_or_much_memory_are_cut_and_nothing_is_lost() {
        let count = 10_000;
        let registered = batches((0..count).map(registration));
        let watched = batches((0..count).map(playback));
        let both = batches((0..count).flat_map(|id| [registration(id), playback(count + id)]));
        let said = batches((0..count).map(message));
        for (mut batches, records) in [
            (registered, count),
            (watched, count),
            (both, 2 * count),
            (said, count),
        ] {
            assert!(batches.len() > 3, "{} batches", batches.len());
            for batch in &mut batches {
                assert!(batch.events() <= EVENTS_MAX);
                // The memory is only measured every `MEASURED_EVERY` records.
                assert!(batch.memory_bytes() < 3 * BATCH_BYTES);
            }
            let all = batches.iter().map(FactsBuilder::records).sum::<usize>();
            assert_eq!(all, records);
        }
        let mut last = Batches::new(OrgId::new("acme").expect("an id"));
        last.filling().push(playback(1));
        last.filling().push(registration(2));
        assert_eq!(last.last_event(), Some(&event(1)));
        // Records of the same event take no more work.
        assert_eq!(batches((0..count).map(|_| registration(1))).len(), 1);
        assert_eq!(batches((0..count).map(|_| playback(1))).len(), 1);
    }
}
