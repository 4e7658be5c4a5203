//! The parameters that all requests for figures have: `from`, `to` and `fresh`.

use serde::Deserialize;
use showreport_model::{Timestamp, Window};

use crate::answers::Freshness;
use crate::extract::Violations;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct FilterQuery {
    from: Option<String>,
    to: Option<String>,
    fresh: Option<String>,
}

impl FilterQuery {
    /// The filter, and how old the facts may be.
    pub(super) fn read(&self, violations: &mut Violations) -> (Window, Freshness) {
        let window = Window {
            start: read_time("from", self.from.as_deref(), violations),
            end: read_time("to", self.to.as_deref(), violations),
        };
        if !window.is_possible() {
            let problem = "must be after from, which is inclusive, as to is exclusive";
            violations.add("to", problem);
        }
        let freshness = match self.fresh.as_deref() {
            None | Some("" | "false") => Freshness::Recent,
            Some("true") => Freshness::Fresh,
            Some(_) => {
                violations.add("fresh", "must be true or false");
                Freshness::Recent
            }
        };
        (window, freshness)
    }
}

/// A whole number within bounds; the default if it is absent.
pub(super) fn read_number<T>(
    name: &str,
    text: Option<&str>,
    default: T,
    bounds: std::ops::RangeInclusive<T>,
    violations: &mut Violations,
) -> T
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return default;
    };
    match text.parse() {
        Ok(number) if bounds.contains(&number) => number,
        _ => {
            let (least, most) = bounds.into_inner();
            let problem = format!("must be a whole number from {least} to {most}");
            violations.add(name, problem);
            default
        }
    }
}

fn read_time(name: &str, text: Option<&str>, violations: &mut Violations) -> Option<Timestamp> {
    let text = text.filter(|text| !text.is_empty())?;
    let time = Timestamp::nearest(text);
    time.map_err(|error| violations.add(name, error.to_string()))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(from: &str, to: &str, fresh: &str) -> FilterQuery {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        FilterQuery {
            from: given(from),
            to: given(to),
            fresh: given(fresh),
        }
    }

    #[test]
    fn without_parameters_everything_is_asked_for_up_to_ten_seconds_old() {
        let mut violations = Violations::default();
        let read = query("", "", "").read(&mut violations);
        assert_eq!(read, (Window::ALL, Freshness::Recent));
        let read = query("2026-11-22T10:00:00Z", "", "true").read(&mut violations);
        assert!(read.0.start.is_some() && read.0.end.is_none());
        assert_eq!(read.1, Freshness::Fresh);
        assert!(violations.into_result(Some(())).is_ok());
    }

    #[test]
    fn every_wrong_parameter_is_named() {
        let mut violations = Violations::default();
        query("yesterday", "2026-11-22", "yes").read(&mut violations);
        read_number("limit", Some("1.5"), 1, 1..=9, &mut violations);
        let error = violations.into_result(Some(())).unwrap_err();
        assert_eq!(error.violated_fields(), ["from", "to", "fresh", "limit"]);
        let mut violations = Violations::default();
        query("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z", "").read(&mut violations);
        let error = violations.into_result(Some(())).unwrap_err();
        assert_eq!(error.violated_fields(), ["to"]);
    }
}
