//! The `Range` header: one range of bytes is honoured, everything else is ignored.
//!
//! Read by hand: `http-range-header` takes no capital letter in `Bytes=` and no space, which RFC
//! 9110 allows, and calls a range of an empty file satisfiable. `headers` takes `bytes=+1-2` and
//! `bytes=5-2`, which are malformed, and drops a suffix that is longer than the file.

use std::ops::Range;

/// Which bytes of a file are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of them: there is no range, or none that we read.
    Whole,
    /// These.
    Part(Range<u64>),
    /// Some that it does not have.
    Unsatisfiable,
}

/// Reads the header for a file of this size. What is malformed, or several
/// ranges at once, is ignored, as RFC 9110 allows.
pub(crate) fn wanted(header: &str, size_bytes: u64) -> Wanted {
    parse(header, size_bytes).unwrap_or(Wanted::Whole)
}

fn parse(header: &str, size_bytes: u64) -> Option<Wanted> {
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

fn part(start: u64, end: u64) -> Wanted {
    if start < end {
        Wanted::Part(start..end)
    } else {
        Wanted::Unsatisfiable
    }
}

/// Digits only; a number beyond every file is as good as the greatest.
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
    fn one_range_is_read() {
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
            assert_eq!(wanted(header, 10), Wanted::Part(part), "{header}");
        }
    }

    #[test]
    fn a_range_outside_is_unsatisfiable() {
        for header in [
            "bytes=10-",
            "bytes=10-20",
            "bytes=-0",
            "bytes=99999999999999999999999-",
        ] {
            assert_eq!(wanted(header, 10), Wanted::Unsatisfiable, "{header}");
        }
        assert_eq!(wanted("bytes=0-", 0), Wanted::Unsatisfiable);
        assert_eq!(wanted("bytes=-1", 0), Wanted::Unsatisfiable);
    }

    #[test]
    fn what_is_no_single_range_is_ignored() {
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
            assert_eq!(wanted(header, 10), Wanted::Whole, "{header}");
        }
    }
}
