//! Questions about an event, each answered by a table.
//!
//! A question has only checked values and can be compared and hashed, so that equal questions about
//! equal facts need one answer.

mod columns;

use std::collections::HashSet;

use crate::audience::Resolution;
use crate::buckets::Granularity;
use crate::column::Column;
use crate::ids::PollId;
use crate::ratio::Ratio;
use crate::record::named;
use crate::report::Dimension;
use crate::retention::Division;
use crate::search::SearchText;
use crate::span::Window;
use crate::table::{Table, Value};

pub use columns::{AUDIENCE, BREAKDOWN, POLLS};

/// A question about an event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Question {
    /// What each person did.
    Attendance {
        window: Window,
        /// The least `live_ratio` of a row.
        minimum_live_ratio: Option<Ratio>,
        /// A part of a name or of an id.
        search: Option<SearchText>,
        /// The order of the rows; where it leaves rows equal, and if it is empty, that of the
        /// report.
        order_by: Vec<OrderBy>,
        rows: RowRange,
    },
    /// Viewers, joins and leaves in each bucket of time.
    Audience {
        window: Window,
        resolution: Resolution,
    },
    /// The figures of each value of an attribute, the most watched first.
    Breakdown {
        window: Window,
        by: Attribute,
        /// The most values that have a row; the others are taken together.
        limit: u32,
    },
    /// Messages, in the order of the report.
    Messages {
        window: Window,
        /// A part of the text or of the sender's name.
        search: Option<SearchText>,
        /// A customer or a device.
        sender: Option<String>,
        rows: RowRange,
    },
    /// Every option of every poll, with its votes.
    Polls { window: Window },
    /// The votes in a poll, in the order of the report.
    PollVotes {
        window: Window,
        poll: PollId,
        rows: RowRange,
    },
    /// The views and viewers of each part of the content.
    Retention { window: Window, division: Division },
}

named! {
    /// An attribute of views that a breakdown is by.
    Attribute {
        /// The customer.
        CustomerId = "customer_id",
        /// The device.
        DeviceId = "device_id",
        /// The device's operating system.
        DeviceOs = "device_os",
        /// The region, by its ISO 3166 code.
        GeoRegion = "geo_region",
    }
}

/// A part of the rows of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RowRange {
    /// Rows that are left out before the first one.
    pub skip: u64,
    /// The most rows.
    pub limit: u64,
}

/// A column that rows are ordered by. Absent values are the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OrderBy {
    pub column: &'static str,
    pub descending: bool,
}

/// Why a text is no order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be columns with commas between them, each alone or with `desc`: {columns}")]
pub struct NoOrder {
    columns: String,
}

impl OrderBy {
    /// Reads an order such as `attended_seconds desc, name`. An empty text is no order.
    pub fn parse(text: &str, columns: &[Column]) -> Result<Vec<Self>, NoOrder> {
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        let order: Option<Vec<Self>> = text.split(',').map(|it| Self::one(it, columns)).collect();
        let mut seen = HashSet::new();
        let order = order.filter(|order| order.iter().all(|it| seen.insert(it.column)));
        order.ok_or_else(|| {
            let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
            NoOrder {
                columns: names.join(", "),
            }
        })
    }

    fn one(text: &str, columns: &[Column]) -> Option<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (name, descending) = match words[..] {
            [name] | [name, "asc"] => (name, false),
            [name, "desc"] => (name, true),
            _ => return None,
        };
        let column = columns.iter().find(|column| column.name == name)?;
        Some(Self {
            column: column.name,
            descending,
        })
    }
}

impl Question {
    /// The columns of the answer.
    pub fn columns(&self) -> Vec<Column> {
        match self {
            Self::Attendance { .. } => Dimension::Attendance.columns(&[]),
            Self::Audience { .. } => AUDIENCE.to_vec(),
            Self::Breakdown { .. } => BREAKDOWN.to_vec(),
            Self::Messages { .. } => Dimension::ChatHistories.columns(&[]),
            Self::Polls { .. } => POLLS.to_vec(),
            Self::PollVotes { .. } => Dimension::PollVotes.columns(&[]),
            Self::Retention { .. } => Dimension::Retention.columns(&[]),
        }
    }
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    pub table: Table,
    /// The figures of all groups that the table leaves out, taken as one group; the value of its
    /// group is absent. `None` if the table leaves out none.
    pub other: Option<Vec<Value>>,
    /// The figures of all groups, in the same columns.
    pub total: Option<Vec<Value>>,
    /// The width of the buckets of an audience curve.
    pub granularity: Option<Granularity>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_names_columns_and_directions() {
        let columns = Dimension::Attendance.columns(&[]);
        let order = OrderBy::parse(" attended_seconds  desc,name ", &columns);
        let by = |column, descending| OrderBy { column, descending };
        assert_eq!(
            order,
            Ok(vec![by("attended_seconds", true), by("name", false)])
        );
        assert_eq!(
            OrderBy::parse("name asc", &columns),
            Ok(vec![by("name", false)])
        );
        assert_eq!(OrderBy::parse(" ", &columns), Ok(Vec::new()));
        for text in [
            "names",
            "name down",
            "name,",
            "name desc, name",
            "-name",
            "name desc asc",
        ] {
            let error = OrderBy::parse(text, &columns).expect_err(text);
            assert!(
                error.to_string().contains("live_ratio, messages"),
                "{error}"
            );
        }
    }
}
