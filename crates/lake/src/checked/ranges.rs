//! Ranges of bytes of a file.

use std::ops::Range;

use bytes::Bytes;

/// The bytes of `wanted`, out of the bytes of the range `around`.
pub(super) fn cut(around: &Range<u64>, bytes: &Bytes, wanted: &Range<u64>) -> Bytes {
    let place = |at: u64| usize::try_from(at - around.start).expect("it was read into memory");
    bytes.slice(place(wanted.start)..place(wanted.end))
}

/// Sorts ranges, and joins those that touch or overlap.
pub(super) fn merged(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}
