//! Spans: when which view was playing.

use crate::tables::Row;
use crate::tables::cell::{Day, Micros, Text};
use crate::tables::row::fact;

fact! {
    /// When which view was playing, within one UTC day.
    Spans, SpanRow<'a> {
        org: Text<'a>,
        day: Day,
        event_id: Text<'a>,
        playback_id: Text<'a>,
        from_time: Micros,
        to_time: Micros,
        customer_id: Option<Text<'a>>,
        device_id: Option<Text<'a>>,
        device_os: Option<Text<'a>>,
        geo_region: Option<Text<'a>>,
    }
}

impl Row for SpanRow<'_> {
    /// Spans of one view that overlap or touch are one span; of each attribute the
    /// least value stays, which is what a view takes from all its spans anyway.
    fn absorb(&mut self, next: &mut Self) -> bool {
        // The playback differs most often, so it is compared first.
        let continues = self.playback_id == next.playback_id
            && self.is_beside(next)
            && next.from_time <= self.to_time;
        if continues {
            self.to_time = self.to_time.max(next.to_time);
            keep_least(&mut self.customer_id, &mut next.customer_id);
            keep_least(&mut self.device_id, &mut next.device_id);
            keep_least(&mut self.device_os, &mut next.device_os);
            keep_least(&mut self.geo_region, &mut next.geo_region);
        }
        continues
    }

    fn is_beside(&self, other: &Self) -> bool {
        self.event_id == other.event_id && self.day == other.day && self.org == other.org
    }
}

/// Keeps the least of two texts, by their bytes; an absent or empty one is none.
fn keep_least<'a>(kept: &mut Option<Text<'a>>, other: &mut Option<Text<'a>>) {
    let is_none = |text: &Option<Text<'_>>| text.as_ref().is_none_or(|text| text.is_empty());
    if !is_none(other) && (is_none(kept) || *other < *kept) {
        *kept = other.take();
    }
}
