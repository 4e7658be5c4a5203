//! Votes.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::error::ArrowError;
use showreport_model::columns_of;
use showreport_model::facts::Table;
use showreport_model::facts::column_types::{OptionIds, Text, Time};

use crate::tables::Row;
use crate::tables::cell::{Cell, Day};
use crate::tables::row::fact;

columns_of!(Votes => fact { Votes, VoteRow, day: Day });

impl Row for VoteRow<'_> {
    /// Only equal rows are merged. The reader decides which votes count.
    fn absorb(&mut self, next: &mut Self) -> bool {
        self == next
    }

    fn is_beside(&self, other: &Self) -> bool {
        self.event_id == other.event_id && self.day == other.day && self.org == other.org
    }
}
