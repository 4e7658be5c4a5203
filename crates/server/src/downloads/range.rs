//! The `Range` header: one range of bytes is honoured, everything else is ignored.
//!
//! Read by hand: `http-range-header` takes no capital letter in `Bytes=` and no space, which RFC
//! 9110 allows, and calls a range of an empty file satisfiable. `headers` takes `bytes=+1-2` and
//! `bytes=5-2`, which are malformed, and drops a suffix that is longer than the file.

use std::ops::Range;

/// The bytes of a file that a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RequestedRange {
    /// No range, or one that is ignored.
    Whole,
    Part(Range<u64>),
    /// The file has none of the bytes.
    Unsatisfiable,
}

/// Parses the header for a file of this size. A malformed header and one with several ranges are
/// ignored, as RFC 9110 allows.
pub(crate) fn parse_range(header: &str, size_bytes: u64) -> RequestedRange {
    parse(header, size_bytes).unwrap_or(RequestedRange::Whole)
}

fn parse(header: &str, size_bytes: u64) -> Option<RequestedRange> {
    let (unit, range) = header.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = range.trim().split_once('-')?;
    if first.is_empty() {
        let length = number(last)?.min(size_bytes);
        return Some(part(size_bytes - length, size_bytes));
    }
    let first = number(first)?;
    let end = if last.is_empty() {
        size_bytes
    } else {
        let last = number(last)?;
        if last < first {
            return None;
        }
        last.saturating_add(1).min(size_bytes)
    };
    Some(part(first, end))
}

fn part(start: u64, end: u64) -> RequestedRange {
    if start < end {
        RequestedRange::Part(start..end)
    } else {
        RequestedRange::Unsatisfiable
    }
}

/// A number of digits only. One that is too large for 64 bits becomes the largest of these.
fn number(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_honoured() {
        for (header, part) in [
            ("bytes=0-0", 0..1),
            ("bytes=2-4", 2..5),
            ("bytes=2-", 2..10),
            ("bytes=-3", 7..10),
            ("bytes=-30", 0..10),
            ("bytes=9-99", 9..10),
            ("Bytes= 1-2 ", 1..3),
            ("bytes=1-99999999999999999999999", 1..10),
        ] {
            assert_eq!(
                parse_range(header, 10),
                RequestedRange::Part(part),
                "{header}"
            );
        }
    }

    #[test]
    fn a_range_outside_of_the_file_is_unsatisfiable() {
        for header in [
            "bytes=10-",
            "bytes=10-20",
            "bytes=-0",
            "bytes=99999999999999999999999-",
        ] {
            assert_eq!(
                parse_range(header, 10),
                RequestedRange::Unsatisfiable,
                "{header}"
            );
        }
        assert_eq!(parse_range("bytes=0-", 0), RequestedRange::Unsatisfiable);
        assert_eq!(parse_range("bytes=-1", 0), RequestedRange::Unsatisfiable);
    }

    #[test]
    fn malformed_and_multiple_ranges_are_ignored() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-2",
            "bytes=0-1,3-4",
            "bytes=a-b",
            "items=0-1",
            "bytes=+1-2",
            "bytes=1--2",
            "bytes=0x1-2",
        ] {
            assert_eq!(parse_range(header, 10), RequestedRange::Whole, "{header}");
        }
    }
}
