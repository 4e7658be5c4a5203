//! Polls: versions of what was asked.

use crate::tables::Row;
use crate::tables::cell::{Choosable, Micros, Text};
use crate::tables::row::fact;

fact! {
    /// A version of a poll.
    Polls, PollRow<'a> {
        org: Text<'a>,
        event_id: Text<'a>,
        poll_id: Text<'a>,
        updated_at: Option<Micros>,
        question: Text<'a>,
        choice: Text<'a>,
        status: Text<'a>,
        started_at: Option<Micros>,
        ended_at: Option<Micros>,
        options: Vec<Choosable<'a>>,
        record: Text<'a>,
    }
}

impl Row for PollRow<'_> {
    /// Only what is equal in every column is one row; which version holds is for the reader.
    fn absorb(&mut self, next: &mut Self) -> bool {
        self == next
    }

    fn is_beside(&self, other: &Self) -> bool {
        self.event_id == other.event_id && self.org == other.org
    }
}
