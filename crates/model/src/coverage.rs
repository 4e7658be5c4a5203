//! Coverage: which parts of the content a view has played, in milliseconds of the media axis.
//!
//! It is a union of intervals in which small gaps are closed. Closing gaps and joining intervals
//! give the same result in any order, so intervals can be merged at any step on the way.

use crate::span::Span;

/// Gaps of at most this length between covered intervals are closed: the positions that players
/// report jitter.
pub const GAP_MS_MAX: i64 = 250;

/// Positions above 30 days cover nothing: players of live streams send the wall clock.
const POSITION_MS_MAX: f64 = 2_592_000_000.0;

/// Rates above 16 cover nothing. In thousandths.
const RATE_MAX: f64 = 16_000.0;

/// The interval of the content that was played within the span, from this position on at this rate.
///
/// Both are at least 0. The position is floored to whole milliseconds and the rate rounded to three
/// decimals; the result is exact from there on. `None` if nothing is covered.
pub fn covered(span: Span, position_ms: f64, rate: f64) -> Option<Span> {
    let position_ms = position_ms.floor();
    let thousandths = (rate * 1_000.0).round();
    let is_covering =
        (0.0..=POSITION_MS_MAX).contains(&position_ms) && (1.0..=RATE_MAX).contains(&thousandths);
    if !is_covering {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the ranges are checked")]
    let (from, thousandths) = (position_ms as i64, thousandths as i64);
    let length = span.millis().checked_mul(thousandths)? / 1_000;
    Span::new(from, from.checked_add(length)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(millis: i64, position_ms: f64, rate: f64) -> Option<(i64, i64)> {
        let span = Span::new(1_000_000, 1_000_000 + millis).expect("a span");
        covered(span, position_ms, rate).map(|interval| (interval.from(), interval.to()))
    }

    #[test]
    fn a_span_covers_its_length_times_the_rate() {
        for (rate, to) in [
            (1.0, 10_000),
            (0.25, 2_500),
            (1.5, 15_000),
            (16.0, 160_000),
            (0.001, 10),
        ] {
            assert_eq!(interval(10_000, 0.0, rate), Some((0, to)), "{rate}");
        }
        assert_eq!(interval(10_000, 61_000.0, 2.0), Some((61_000, 81_000)));
        // An interval of less than a millisecond is empty.
        assert_eq!(interval(1, 0.0, 0.999), None);
        assert_eq!(interval(1_001, 5.0, 0.333), Some((5, 338)));
    }

    #[test]
    fn the_position_is_floored_and_the_rate_rounded_to_three_decimals() {
        assert_eq!(interval(1_000, 12.999, 1.0), Some((12, 1_012)));
        assert_eq!(interval(10_000, 0.0, 1.000_4), Some((0, 10_000)));
        assert_eq!(interval(10_000, 0.0, 1.000_6), Some((0, 10_010)));
        assert_eq!(interval(10_000, 0.0, 0.000_4), None);
        assert_eq!(interval(10_000, 0.0, 0.000_5), Some((0, 10)));
        assert_eq!(interval(1_000, 0.0, 16.000_1), Some((0, 16_000)));
        assert_eq!(interval(1_000, 0.0, 16.000_6), None);
    }

    #[test]
    fn a_position_or_a_rate_out_of_bounds_covers_nothing() {
        let days_30 = 30.0 * 86_400_000.0;
        assert_eq!(
            interval(1, days_30 + 0.9, 1.0),
            Some((2_592_000_000, 2_592_000_001))
        );
        assert_eq!(interval(1, days_30 + 1.0, 1.0), None);
        for (position, rate) in [
            (0.0, 0.0),
            (0.0, -0.0),
            (0.0, 17.0),
            (0.0, 9e307),
            (1_795_341_600_000.0, 1.0),
            (9e307, 1.0),
            (-1.0, 1.0),
        ] {
            assert_eq!(interval(1_000, position, rate), None, "{position} {rate}");
        }
    }
}
