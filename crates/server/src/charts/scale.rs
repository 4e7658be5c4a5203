//! Scales: from values to coordinates, and where an axis has its marks.

use showreport_model::{Timestamp, Zone};

/// A linear map of `[from, to]` onto `[start, end]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Scale {
    /// A range without a length is taken for one of 1.
    pub(super) fn new(from: f64, to: f64, start: f64, end: f64) -> Self {
        let to = if to > from { to } else { from + 1.0 };
        Self {
            from,
            to,
            start,
            end,
        }
    }

    pub(super) fn at(&self, value: f64) -> f64 {
        let part = (value.clamp(self.from, self.to) - self.from) / (self.to - self.from);
        self.start + part * (self.end - self.start)
    }
}

/// A whole number as a coordinate. Exact up to 2^53.
#[expect(
    clippy::cast_precision_loss,
    reason = "a picture is a thousand units wide"
)]
pub(super) fn float(value: i64) -> f64 {
    value as f64
}

/// Marks for counts from 0 up: steps of 1, 2 or 5 times a power of ten, about `wanted` of them. The
/// last one is not below the greatest count.
pub(super) fn counts(greatest: i64, wanted: i64) -> Vec<i64> {
    let greatest = greatest.max(1);
    let mut step = 1;
    'search: loop {
        for factor in [1, 2, 5] {
            if step * factor * wanted >= greatest {
                step *= factor;
                break 'search;
            }
        }
        step *= 10;
    }
    let steps = (greatest + step - 1) / step;
    (0..=steps).map(|index| index * step).collect()
}

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Distances of marks on an axis of time, in milliseconds.
const TIME_STEPS: [i64; 19] = [
    1_000,
    5_000,
    15_000,
    30_000,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    7 * DAY,
    30 * DAY,
    365 * DAY,
];

/// The distance at which at most `marks_max` marks are in a range.
pub(super) fn time_step(length: i64, marks_max: i64) -> i64 {
    let fits = |step: &&i64| length / **step <= marks_max;
    let step = TIME_STEPS.iter().find(fits);
    // The longest distance, as often as needed.
    step.copied()
        .unwrap_or_else(|| 365 * DAY * (length / (365 * DAY) / marks_max.max(1) + 1))
}

/// Instants in a range whose time on the clocks of a zone is a multiple of the step.
pub(super) fn instants(from: i64, to: i64, step: i64, zone: &Zone) -> Vec<i64> {
    let wall = |at: i64| Timestamp::from_millis(at).map_or(at, |at| zone.wall_millis(at));
    let mut marks = Vec::new();
    let mut at = from;
    // Each round adds a mark or moves to the next one, so a range of `n` steps takes `2n` rounds.
    while at <= to {
        let past = wall(at).rem_euclid(step);
        if past == 0 {
            marks.push(at);
            at += step;
        } else {
            at += step - past;
        }
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::super::svg::At;
    use super::*;

    #[test]
    fn counts_are_round_and_reach_the_greatest() {
        assert_eq!(counts(0, 4), [0, 1]);
        assert_eq!(counts(3, 4), [0, 1, 2, 3]);
        assert_eq!(counts(7, 4), [0, 2, 4, 6, 8]);
        assert_eq!(counts(100, 4), [0, 50, 100]);
        assert_eq!(counts(1_234, 4), [0, 500, 1_000, 1_500]);
        assert_eq!(counts(1_000_000, 4).last(), Some(&1_000_000));
    }

    #[test]
    fn marks_of_time_are_round_on_the_clocks_of_the_zone() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_millis();
        let zone: Zone = "Asia/Kathmandu".parse().unwrap();
        let (from, to) = (at("2026-11-22T10:00:00Z"), at("2026-11-22T12:00:00Z"));
        assert_eq!(time_step(to - from, 8), 15 * MINUTE);
        assert_eq!(time_step(to - from, 4), 30 * MINUTE);
        let marks = instants(from, to, HOUR, &zone);
        assert_eq!(
            marks,
            [at("2026-11-22T10:15:00Z"), at("2026-11-22T11:15:00Z")]
        );
        assert_eq!(time_step(10 * 365 * DAY, 5), 3 * 365 * DAY);
    }

    #[test]
    fn marks_follow_the_clocks_over_a_change() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_millis();
        let zone: Zone = "Europe/Berlin".parse().unwrap();
        let (from, to) = (at("2026-10-24T00:00:00Z"), at("2026-10-26T12:00:00Z"));
        let marks = instants(from, to, DAY, &zone);
        let hours: Vec<i64> = marks.windows(2).map(|it| (it[1] - it[0]) / HOUR).collect();
        assert_eq!(hours, [25]);
    }

    #[test]
    fn a_scale_keeps_to_its_range() {
        let scale = Scale::new(0.0, 10.0, 100.0, 0.0);
        let places = [0.0, 5.0, 10.0, 20.0].map(|it| At(scale.at(it)).to_string());
        assert_eq!(places, ["100", "50", "0", "0"]);
        let point = Scale::new(3.0, 3.0, 0.0, 7.0);
        assert_eq!(At(point.at(3.0)).to_string(), "0");
    }
}
