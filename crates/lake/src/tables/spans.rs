//! Spans: when which view was playing, within one UTC day.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::error::ArrowError;
use showreport_model::columns_of;
use showreport_model::facts::Table;
use showreport_model::facts::column_types::{Text, Time};

use crate::tables::Row;
use crate::tables::cell::{Cell, CowText, Day};
use crate::tables::row::fact;

columns_of!(Spans => fact { Spans, SpanRow, day: Day });

macro_rules! keep_least_attributes {
    (
        { $kept:expr, $next:expr } $names:tt
        columns $columns:tt
        attributes { $($attribute:ident: $type:ty = $value:expr,)* }
    ) => {
        $(keep_least(&mut $kept.$attribute, &mut $next.$attribute);)*
    };
}

impl Row for SpanRow<'_> {
    /// Merges spans of one view that overlap or touch. Of each attribute the least value is kept:
    /// the attribute of a view is the least over all its spans.
    fn absorb(&mut self, next: &mut Self) -> bool {
        // The playback differs most often, so it is compared first.
        let continues = self.playback_id == next.playback_id
            && self.is_beside(next)
            && next.from_time <= self.to_time;
        if continues {
            self.to_time = self.to_time.max(next.to_time);
            columns_of!(Spans => keep_least_attributes { self, next });
        }
        continues
    }

    fn is_beside(&self, other: &Self) -> bool {
        self.event_id == other.event_id && self.day == other.day && self.org == other.org
    }
}

/// Keeps the least of two texts, by their bytes; an absent or empty one counts as none.
fn keep_least<'a>(kept: &mut Option<CowText<'a>>, other: &mut Option<CowText<'a>>) {
    let is_none = |text: &Option<CowText<'_>>| text.as_ref().is_none_or(|text| text.is_empty());
    if !is_none(other) && (is_none(kept) || *other < *kept) {
        *kept = other.take();
    }
}
