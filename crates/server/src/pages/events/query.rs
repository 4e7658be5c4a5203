//! [`EventQuery`]: the parameters of the pages of an event.

use serde::Deserialize;
use showreport_model::question::RowRange;
use showreport_model::time::Moment;
use showreport_model::{Timestamp, Window, Zone};

use crate::error::ApiError;
use crate::extract::Violations;
use crate::pages::address::Address;
use crate::texts;

/// Rows of a page, as many as a page of the API has by default.
pub(super) const PAGE_ROWS: u64 = 100;

/// The last page that can be asked for.
const PAGES_MAX: u64 = 100_000;

/// The parameters of the pages of an event. Each page reads some of them, and the links between the
/// pages keep the range.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct EventQuery {
    /// A date, a date and time of the organisation's zone, or RFC 3339.
    from: Option<String>,
    to: Option<String>,
    /// The id of a second event.
    pub(super) with: Option<String>,
    /// A text to search for.
    pub(super) q: Option<String>,
    pub(super) sender: Option<String>,
    /// The least share of the show that people have stayed, in percent.
    pub(super) minimum: Option<String>,
    pub(super) order_by: Option<String>,
    /// The number of the page, from 1.
    page: Option<String>,
    /// The id of a poll.
    pub(super) poll: Option<String>,
}

/// The range of time that a page is about.
#[derive(Debug, Clone)]
pub(crate) struct Range {
    pub(crate) window: Window,
    /// Values of the form's fields, in the organisation's zone.
    pub(crate) from_field: String,
    pub(crate) to_field: String,
}

impl EventQuery {
    /// The range of time; the error names every wrong parameter.
    pub(super) fn range(&self, zone: &Zone) -> Result<Range, ApiError> {
        let mut violations = Violations::default();
        let window = Window {
            start: moment("from", self.from.as_deref(), zone, &mut violations),
            end: moment("to", self.to.as_deref(), zone, &mut violations),
        };
        if !window.is_possible() {
            violations.add("to", "must be after from");
        }
        let field = |at: Option<Timestamp>| at.map(|at| texts::field(at, zone));
        violations.into_result(Some(Range {
            window,
            from_field: field(window.start).unwrap_or_default(),
            to_field: field(window.end).unwrap_or_default(),
        }))
    }

    /// The rows of the page, and one more, which shows whether another page follows.
    pub(super) fn rows(&self) -> Result<RowRange, ApiError> {
        Ok(RowRange {
            skip: (self.page()? - 1) * PAGE_ROWS,
            limit: PAGE_ROWS + 1,
        })
    }

    /// The number of the page.
    pub(super) fn page(&self) -> Result<u64, ApiError> {
        let Some(text) = given(self.page.as_deref()) else {
            return Ok(1);
        };
        let page = text.parse().ok();
        page.filter(|page| (1..=PAGES_MAX).contains(page))
            .ok_or_else(|| {
                ApiError::violation(
                    "page",
                    format!("must be a whole number from 1 to {PAGES_MAX}"),
                )
            })
    }

    /// An address with the range of this page.
    pub(super) fn ranged(&self, address: Address) -> Address {
        address
            .with("from", self.from.clone())
            .with("to", self.to.clone())
    }
}

/// A parameter that is not empty.
pub(super) fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

fn moment(
    name: &str,
    text: Option<&str>,
    zone: &Zone,
    violations: &mut Violations,
) -> Option<Timestamp> {
    let moment: Result<Moment, _> = given(text)?.parse();
    match moment.map(|moment| moment.in_zone(zone)) {
        Ok(Ok(at)) => Some(at),
        Ok(Err(problem)) => {
            violations.add(name, problem.to_string());
            None
        }
        Err(problem) => {
            violations.add(name, problem.to_string());
            None
        }
    }
}

/// An operation of the API with the same range.
pub(super) fn within(address: Address, window: Window) -> Address {
    let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
    address
        .with("from", text(window.start))
        .with("to", text(window.end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(from: &str, to: &str, page: &str) -> EventQuery {
        let given = |text: &str| Some(text.to_owned());
        EventQuery {
            from: given(from),
            to: given(to),
            page: given(page),
            ..EventQuery::default()
        }
    }

    #[test]
    fn a_time_without_an_offset_is_one_of_the_zone() {
        let zone: Zone = "Europe/Berlin".parse().unwrap();
        let range = query("2026-11-22T10:00", "2026-11-22T09:30:00Z", "").range(&zone);
        let range = range.unwrap();
        let texts = [range.window.start, range.window.end].map(|at| at.unwrap().to_string());
        assert_eq!(
            texts,
            ["2026-11-22T09:00:00.000Z", "2026-11-22T09:30:00.000Z"]
        );
        assert_eq!(range.to_field, "2026-11-22T10:30:00");
        let all = query("", " ", "").range(&zone).unwrap();
        assert_eq!(all.window, Window::ALL);
    }

    #[test]
    fn wrong_parameters_are_named() {
        let zone: Zone = "Europe/Berlin".parse().unwrap();
        let error = query("soon", "2026-10-25T02:30", "")
            .range(&zone)
            .unwrap_err();
        assert_eq!(error.violated_fields(), ["from", "to"]);
        let error = query("2026-11-22", "2026-11-22", "")
            .range(&zone)
            .unwrap_err();
        assert_eq!(error.violated_fields(), ["to"]);
        for wrong in ["0", "-1", "x", "100001"] {
            assert!(query("", "", wrong).rows().is_err(), "{wrong}");
        }
        let rows = query("", "", "3").rows().unwrap();
        assert_eq!((rows.skip, rows.limit), (200, 101));
    }
}
