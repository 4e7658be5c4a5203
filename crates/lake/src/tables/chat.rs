//! Chat: versions of messages.

use crate::tables::Row;
use crate::tables::cell::{Day, Micros, Text};
use crate::tables::row::fact;

fact! {
    /// A version of a chat message.
    Chat, ChatRow<'a> {
        org: Text<'a>,
        day: Day,
        event_id: Text<'a>,
        message_id: Text<'a>,
        sent_at: Micros,
        updated_at: Micros,
        deleted: bool,
        text: Text<'a>,
        name: Option<Text<'a>>,
        role: Option<Text<'a>>,
        customer_id: Option<Text<'a>>,
        device_id: Option<Text<'a>>,
    }
}

impl Row for ChatRow<'_> {
    /// Only what is equal in every column is one row; which version holds is for the reader.
    fn absorb(&mut self, next: &mut Self) -> bool {
        self == next
    }

    fn is_beside(&self, other: &Self) -> bool {
        self.event_id == other.event_id && self.day == other.day && self.org == other.org
    }
}
