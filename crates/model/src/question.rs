//! Questions about an event, each answered by a table.
//!
//! A question has only checked values and can be compared and hashed, so that equal questions about
//! equal facts need one answer.

mod columns;

use crate::audience::Resolution;
use crate::buckets::Granularity;
use crate::column::Column;
use crate::ids::PollId;
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
    /// Who was there in each bucket of time.
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

impl Question {
    /// The columns of the answer.
    pub fn columns(&self) -> Vec<Column> {
        match self {
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
