//! [`Messages`]: the version of each message that holds, and how many were sent lately.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use showreport_model::Span;

use crate::texts::TextId;

/// The messages of an event.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    of_ids: HashMap<TextId, Message>,
    /// How many messages that are not deleted were sent at each instant.
    sent: BTreeMap<i64, u32>,
    /// How many messages are not deleted.
    count: u64,
    heap_bytes: usize,
}

/// A version of a message. The greatest is the message: fields are compared in their order.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    pub(crate) updated_at: i64,
    pub(crate) deleted: bool,
    /// Text, name, role, customer and device, with NUL between them, which none of them has. So an
    /// absent one is less than any other.
    pub(crate) texts: Box<str>,
    pub(crate) sent_at: i64,
}

#[derive(Debug, Default)]
struct Message {
    version: Option<Version>,
    /// Versions up to this time are deleted by a deletion by id alone.
    deleted_until: Option<i64>,
}

impl Messages {
    /// Adds a version of a message.
    pub(crate) fn add(&mut self, id: TextId, version: Version) {
        self.change(id, |message| {
            if message.version.as_ref() < Some(&version) {
                message.version = Some(version);
            }
        });
    }

    /// Deletes the versions of a message up to a time, those that are added later too.
    pub(crate) fn delete(&mut self, id: TextId, until: i64) {
        self.change(id, |message| {
            message.deleted_until = message.deleted_until.max(Some(until));
        });
    }

    /// The number of messages that are not deleted.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// How many messages that are not deleted were sent inside a span.
    pub(crate) fn count_within(&self, within: Span) -> u64 {
        let sent = self.sent.range(within.from()..within.to());
        sent.map(|(_, &count)| u64::from(count)).sum()
    }

    /// Bytes on the heap, about.
    pub(crate) fn heap_bytes(&self) -> usize {
        let entry = size_of::<(TextId, Message)>() + 1;
        let sent = self.sent.len() * size_of::<(i64, u32)>() * 2;
        self.of_ids.capacity() * entry + sent + self.heap_bytes
    }

    fn change(&mut self, id: TextId, change: impl FnOnce(&mut Message)) {
        let message = self.of_ids.entry(id).or_default();
        let (before, bytes_before) = (message.sent_at(), message.heap_bytes());
        change(message);
        let (after, bytes) = (message.sent_at(), message.heap_bytes());
        self.heap_bytes = self.heap_bytes + bytes - bytes_before;
        if before == after {
            return;
        }
        if let Some(at) = before
            && let Some(count) = self.sent.get_mut(&at)
        {
            *count -= 1;
            self.count -= 1;
            if *count == 0 {
                self.sent.remove(&at);
            }
        }
        if let Some(at) = after {
            *self.sent.entry(at).or_default() += 1;
            self.count += 1;
        }
    }
}

impl Message {
    /// When it was sent; `None` if it is deleted or has no version.
    fn sent_at(&self) -> Option<i64> {
        let version = self.version.as_ref().filter(|version| !version.deleted)?;
        let is_deleted = self.deleted_until >= Some(version.updated_at);
        (!is_deleted).then_some(version.sent_at)
    }

    fn heap_bytes(&self) -> usize {
        self.version
            .as_ref()
            .map_or(0, |version| version.texts.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Texts;

    fn version(updated_at: i64, deleted: bool, text: &str, sent_at: i64) -> Version {
        Version {
            updated_at,
            deleted,
            texts: text.into(),
            sent_at,
        }
    }

    fn counts(messages: &Messages) -> (u64, u64) {
        let within = Span::new(0, 100).expect("a span");
        (messages.count(), messages.count_within(within))
    }

    #[test]
    fn a_message_counts_by_the_version_that_holds_in_any_order() {
        let mut texts = Texts::default();
        let id = texts.intern("message");
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let mut messages = Messages::default();
            for number in order {
                let version = match number {
                    0 => version(5, false, "b\0", 150),
                    1 => version(5, false, "b\0a", 50),
                    _ => version(4, true, "z", 60),
                };
                messages.add(id, version);
            }
            assert_eq!(counts(&messages), (1, 1), "{order:?}");
            messages.delete(id, 4);
            assert_eq!(counts(&messages), (1, 1), "{order:?}");
            messages.delete(id, 5);
            assert_eq!(counts(&messages), (0, 0), "{order:?}");
            messages.add(id, version(6, false, "c", 100));
            assert_eq!(counts(&messages), (1, 0), "{order:?}");
        }
    }
}
