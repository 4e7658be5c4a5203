//! Ratios between 0 and 1, exact in their decimals.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A ratio from 0 to 1, as a decimal number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ratio {
    /// In units of 10⁻¹⁸; a number with more decimals is rounded up.
    units: u64,
}

const DECIMALS: usize = 18;
const UNITS: u64 = 10_u64.pow(18);

/// Why a number is no ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a number from 0 to 1, such as 0.75")]
pub struct NoRatio;

impl Ratio {
    /// The least part of a whole that is at least this part of it. Neither is negative.
    pub fn part_of(self, whole: i64) -> i64 {
        let part = i128::from(whole) * i128::from(self.units);
        let part = (part + i128::from(UNITS) - 1) / i128::from(UNITS);
        i64::try_from(part).expect("it is at most the whole")
    }

    /// The nearest float.
    pub fn as_f64(self) -> f64 {
        self.to_string().parse().expect("decimal digits")
    }
}

impl TryFrom<f64> for Ratio {
    type Error = NoRatio;

    /// Takes the decimal number that the float is printed as.
    fn try_from(number: f64) -> Result<Self, NoRatio> {
        if !(0.0..=1.0).contains(&number) {
            return Err(NoRatio);
        }
        let text = number.abs().to_string();
        let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
        let (kept, rest) = decimals.split_at(decimals.len().min(DECIMALS));
        let units: u64 = format!("{whole}{kept:0<DECIMALS$}")
            .parse()
            .map_err(|_| NoRatio)?;
        let is_cut = rest.contains(|digit| digit != '0');
        Ok(Self {
            units: units + u64::from(is_cut),
        })
    }
}

impl FromStr for Ratio {
    type Err = NoRatio;

    fn from_str(text: &str) -> Result<Self, NoRatio> {
        let number: f64 = text.parse().map_err(|_| NoRatio)?;
        Self::try_from(number)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, units) = (self.units / UNITS, self.units % UNITS);
        let decimals = format!("{units:0>DECIMALS$}");
        match decimals.trim_end_matches('0') {
            "" => write!(f, "{whole}"),
            decimals => write!(f, "{whole}.{decimals}"),
        }
    }
}

impl Serialize for Ratio {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Ratio {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(text: &str) -> Ratio {
        text.parse().expect(text)
    }

    #[test]
    fn a_ratio_is_the_decimal_number_that_was_written() {
        for text in ["0", "1", "0.75", "0.1", "0.3333", "0.000000000000000001"] {
            assert_eq!(ratio(text).to_string(), text);
            assert_eq!(Ratio::try_from(ratio(text).as_f64()), Ok(ratio(text)));
        }
        assert_eq!(ratio("1.0"), ratio("1"));
        assert_eq!(ratio("-0"), ratio("0"));
        assert_eq!(ratio("75e-2"), ratio("0.75"));
        assert_eq!(ratio("1e-30").to_string(), "0.000000000000000001");
        for text in ["", "-0.1", "1.0001", "NaN", "inf", "75%", "0,5"] {
            assert_eq!(text.parse::<Ratio>(), Err(NoRatio), "{text}");
        }
        let stored = serde_json::to_string(&ratio("0.1")).expect("JSON");
        assert_eq!(stored, "\"0.1\"");
        assert_eq!(
            serde_json::from_str::<Ratio>(&stored).expect("read"),
            ratio("0.1")
        );
    }

    #[test]
    fn the_part_is_the_least_with_at_least_this_ratio() {
        assert_eq!(ratio("0.1").part_of(10), 1);
        assert_eq!(ratio("0.1").part_of(11), 2);
        assert_eq!(ratio("0.75").part_of(4_000), 3_000);
        assert_eq!(ratio("0.75").part_of(4_001), 3_001);
        assert_eq!(ratio("0.3333").part_of(3), 1);
        assert_eq!(ratio("0.3334").part_of(3), 2);
        assert_eq!(ratio("0").part_of(5), 0);
        assert_eq!(ratio("1").part_of(i64::MAX), i64::MAX);
    }
}
