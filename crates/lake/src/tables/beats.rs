//! Beats: whether a view was playing at an instant. Sorted by view and number, so that numbers and
//! times of a file pack to a few bytes a beat.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::error::ArrowError;
use showreport_model::columns_of;
use showreport_model::facts::Table;
use showreport_model::facts::column_types::{Flag, Integer, Text, Time};

use crate::tables::Row;
use crate::tables::cell::{Cell, Day};
use crate::tables::row::fact;

columns_of!(Beats => fact { Beats, BeatRow, day: Day });

impl Row for BeatRow<'_> {
    /// Only equal rows are merged. A beat that lies between two others changes what the first one
    /// claims, so none is redundant.
    fn absorb(&mut self, next: &mut Self) -> bool {
        self == next
    }

    fn is_beside(&self, other: &Self) -> bool {
        self.event_id == other.event_id && self.day == other.day && self.org == other.org
    }
}
