//! Coverage: which parts of the content a view has played. It has no day: the media axis is not
//! the clock.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::error::ArrowError;
use showreport_model::columns_of;
use showreport_model::coverage::GAP_MS_MAX;
use showreport_model::facts::Table;
use showreport_model::facts::column_types::{Integer, Text};

use crate::tables::Row;
use crate::tables::cell::Cell;
use crate::tables::row::fact;

columns_of!(Coverage => fact { Coverage, CoverageRow });

impl Row for CoverageRow<'_> {
    /// Merges intervals of one view that overlap, touch or have a gap between them that counts as
    /// closed.
    fn absorb(&mut self, next: &mut Self) -> bool {
        // The playback differs most often, so it is compared first.
        let continues = self.playback_id == next.playback_id
            && self.is_beside(next)
            && next.from_ms <= self.to_ms + GAP_MS_MAX;
        if continues {
            self.to_ms = self.to_ms.max(next.to_ms);
        }
        continues
    }

    fn is_beside(&self, other: &Self) -> bool {
        self.event_id == other.event_id && self.org == other.org
    }
}
