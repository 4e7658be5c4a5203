//! Questions about an event, each answered by a table.
//!
//! A question has only checked values and can be compared and hashed, so that equal questions about
//! equal facts need one answer.

use crate::column::Column;
use crate::report::Dimension;
use crate::retention::Division;
use crate::span::Window;
use crate::table::{Table, Value};

/// A question about an event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Question {
    /// The views and viewers of each part of the content.
    Retention { window: Window, division: Division },
}

impl Question {
    /// The columns of the answer.
    pub fn columns(&self) -> Vec<Column> {
        match self {
            Self::Retention { .. } => Dimension::Retention.columns(&[]),
        }
    }
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    pub table: Table,
    /// The figures of all groups that the table leaves out, taken as one group.
    pub other: Option<Vec<Value>>,
    /// The figures of all groups.
    pub total: Option<Vec<Value>>,
}
