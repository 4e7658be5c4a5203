//! Measurements, and how they are printed.

use std::fmt;

/// One measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) seconds: f64,
    pub(crate) peak_bytes: u64,
}

/// Several measurements of the same, sorted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn new(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    pub(crate) fn of_seconds(runs: &[Measured]) -> Self {
        Self::new(runs.iter().map(|run| run.seconds).collect())
    }

    pub(crate) fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        if self.0.len().is_multiple_of(2) && middle > 0 {
            return f64::midpoint(self.0[middle - 1], self.0[middle]);
        }
        self.0.get(middle).copied().unwrap_or(f64::NAN)
    }

    /// The value that `percent` of all values are below.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let place = (self.0.len() * percent / 100).min(self.0.len().saturating_sub(1));
        self.0.get(place).copied().unwrap_or(f64::NAN)
    }

    /// The median, with the least and the greatest.
    pub(crate) fn shown(&self, unit: Unit) -> String {
        let median = unit.shown(self.median());
        match self.0.as_slice() {
            [least, .., most] => {
                format!("{median} ({}..{})", unit.shown(*least), unit.shown(*most))
            }
            _ => median,
        }
    }
}

/// The greatest peak, in bytes.
pub(crate) fn peak(runs: &[Measured]) -> Option<u64> {
    runs.iter().map(|run| run.peak_bytes).max()
}

/// The unit of a figure, which says whether more is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    PerSecond,
}

impl Unit {
    /// How many times better the product is.
    pub(crate) fn ratio(self, ours: f64, theirs: f64) -> f64 {
        match self {
            Self::Seconds => theirs / ours,
            Self::PerSecond => ours / theirs,
        }
    }

    pub(crate) fn shown(self, value: f64) -> String {
        match self {
            Self::Seconds if value < 0.1 => format!("{:.1} ms", value * 1_000.0),
            Self::Seconds if value < 1.0 => format!("{:.0} ms", value * 1_000.0),
            Self::Seconds => format!("{value:.2} s"),
            Self::PerSecond => format!("{}/s", thousands(value)),
        }
    }
}

/// A number with commas.
pub(crate) fn thousands(value: impl fmt::Display) -> String {
    let digits = format!("{value:.0}");
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// Bytes in KiB, MiB or GiB.
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
pub(crate) fn bytes(count: u64) -> String {
    const MIB: f64 = 1_048_576.0;
    match count as f64 {
        few if few < MIB => format!("{:.0} KiB", few / 1_024.0),
        some if some < MIB * 10_240.0 => format!("{:.1} MiB", some / MIB),
        many => format!("{:.1} GiB", many / MIB / 1_024.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((Samples::new(vec![3.0, 1.0, 2.0]).median() - 2.0).abs() < 1e-9);
        assert!((Samples::new(vec![4.0, 1.0, 2.0, 3.0]).median() - 2.5).abs() < 1e-9);
    }

    #[test]
    fn figures_are_short() {
        assert_eq!(Unit::PerSecond.shown(1_234_567.8), "1,234,568/s");
        assert_eq!(Unit::Seconds.shown(0.012_34), "12.3 ms");
        assert_eq!(bytes(536_870_912), "512.0 MiB");
    }
}
