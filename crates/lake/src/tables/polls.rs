//! Polls: versions of what was asked.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::error::ArrowError;
use showreport_model::columns_of;
use showreport_model::facts::Table;
use showreport_model::facts::column_types::{Options, Text, Time};

use crate::tables::Row;
use crate::tables::cell::Cell;
use crate::tables::row::fact;

columns_of!(Polls => fact { Polls, PollRow });

impl Row for PollRow<'_> {
    /// Only equal rows are merged. The reader decides which version of a poll holds.
    fn absorb(&mut self, next: &mut Self) -> bool {
        self == next
    }

    fn is_beside(&self, other: &Self) -> bool {
        self.event_id == other.event_id && self.org == other.org
    }
}
