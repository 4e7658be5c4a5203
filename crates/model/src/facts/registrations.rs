//! Event records: the one of each event that holds.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::ids::EventId;
use crate::record::EventRecord;

/// One record for each event, however many were sent.
#[derive(Debug, Clone, Default)]
pub struct Registrations {
    of_events: BTreeMap<EventId, EventRecord>,
    /// Bytes of the texts.
    text_bytes: usize,
}

/// Memory of an entry beside its texts: the id as key, the record, and an allocation a text.
const ENTRY_BYTES: usize = size_of::<EventId>() + size_of::<EventRecord>() + 3 * 16;

impl Registrations {
    /// Adds a record, unless one of the same event is there that holds over it.
    pub fn push(&mut self, record: EventRecord) {
        match self.of_events.entry(record.event.clone()) {
            Entry::Vacant(none) => {
                self.text_bytes += text_bytes(&record);
                none.insert(record);
            }
            Entry::Occupied(mut present) => {
                if record.holds_over(present.get()) {
                    self.text_bytes += text_bytes(&record);
                    self.text_bytes -= text_bytes(&present.insert(record));
                }
            }
        }
    }

    /// Adds the records of another set, which keeps them.
    pub fn absorb(&mut self, others: &Self) {
        for record in others.iter() {
            self.push(record.clone());
        }
    }

    /// The records, ordered by event.
    pub fn iter(&self) -> impl Iterator<Item = &EventRecord> {
        self.of_events.values()
    }

    /// Whether there is a record of the event.
    pub fn contains(&self, event: &EventId) -> bool {
        self.of_events.contains_key(event)
    }

    /// The number of events.
    pub fn len(&self) -> usize {
        self.of_events.len()
    }

    pub fn is_empty(&self) -> bool {
        self.of_events.is_empty()
    }

    /// Approximate bytes in memory.
    pub fn memory_bytes(&self) -> usize {
        self.len() * ENTRY_BYTES + self.text_bytes
    }
}

/// The id is stored twice: in the record, and as key.
fn text_bytes(record: &EventRecord) -> usize {
    2 * record.event.as_str().len() + record.title.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::EventKind;
    use crate::time::Timestamp;

    fn record(event: &str, title: &str, updated_ms: Option<i64>) -> EventRecord {
        EventRecord {
            event: EventId::new(event).expect("an id"),
            kind: EventKind::Live,
            title: title.to_owned(),
            starts_at: None,
            ends_at: None,
            duration_ms: None,
            updated_at: updated_ms.map(|millis| Timestamp::MIN.saturating_add_millis(millis)),
        }
    }

    #[test]
    fn of_each_event_one_record_is_kept_in_any_order() {
        let mut longer = record("a", "new", Some(2));
        longer.duration_ms = Some(5);
        let records = [
            record("a", "undated: zzz", None),
            record("a", "old", Some(1)),
            record("a", "new", Some(2)),
            longer.clone(),
            record("b", "other", None),
        ];
        for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 3, 1]] {
            let mut parts = [Registrations::default(), Registrations::default()];
            for (place, index) in order.into_iter().enumerate() {
                parts[place % 2].push(records[index].clone());
            }
            let [mut all, others] = parts;
            all.absorb(&others);
            // The JSON that begins with "duration_ms" is less than the one that begins with
            // "event_id".
            let kept: Vec<_> = all.iter().cloned().collect();
            assert_eq!(kept, [records[2].clone(), records[4].clone()], "{order:?}");
            let mut alone = Registrations::default();
            alone.absorb(&all);
            assert_eq!(all.memory_bytes(), alone.memory_bytes(), "{order:?}");
        }
        assert!(!longer.holds_over(&longer), "a record twice is one");
    }
}
