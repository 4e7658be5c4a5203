//! Votes.

use crate::tables::Row;
use crate::tables::cell::{Day, Micros, Text};
use crate::tables::row::fact;

fact! {
    /// A vote.
    Votes, VoteRow<'a> {
        org: Text<'a>,
        day: Day,
        event_id: Text<'a>,
        poll_id: Text<'a>,
        voted_at: Micros,
        vote_id: Option<Text<'a>>,
        option_ids: Vec<Text<'a>>,
        customer_id: Option<Text<'a>>,
        device_id: Option<Text<'a>>,
        name: Option<Text<'a>>,
    }
}

impl Row for VoteRow<'_> {
    /// Only what is equal in every column is one row; which votes count is for the reader.
    fn absorb(&mut self, next: &mut Self) -> bool {
        self == next
    }

    fn is_beside(&self, other: &Self) -> bool {
        self.event_id == other.event_id && self.day == other.day && self.org == other.org
    }
}
