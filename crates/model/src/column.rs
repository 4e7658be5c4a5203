//! Columns of reports: name, type and meaning. Plans, files, help and documentation read them here.

use crate::record::named;

named! {
    /// The type of a column's cells.
    ColumnType {
        /// `true` or `false`.
        Boolean = "boolean",
        /// A day as eight digits, such as `20261122`.
        Date = "date",
        /// A whole number, 64 bits.
        Integer = "integer",
        /// A number with as many decimals as it needs.
        Number = "number",
        /// Seconds with three decimals.
        Seconds = "seconds",
        /// Text; empty where the value is unknown.
        Text = "text",
        /// An instant: RFC 3339 in UTC with three decimals.
        Time = "time",
    }
}

/// A column of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    pub kind: ColumnType,
    /// A phrase that begins with a small letter and has no full stop.
    pub meaning: &'static str,
}

impl Column {
    pub const fn new(name: &'static str, kind: ColumnType, meaning: &'static str) -> Self {
        Self {
            name,
            kind,
            meaning,
        }
    }
}

pub(crate) const fn text(name: &'static str, meaning: &'static str) -> Column {
    Column::new(name, ColumnType::Text, meaning)
}

pub(crate) const fn time(name: &'static str, meaning: &'static str) -> Column {
    Column::new(name, ColumnType::Time, meaning)
}

pub(crate) const fn boolean(name: &'static str, meaning: &'static str) -> Column {
    Column::new(name, ColumnType::Boolean, meaning)
}

pub(crate) const fn integer(name: &'static str, meaning: &'static str) -> Column {
    Column::new(name, ColumnType::Integer, meaning)
}

pub(crate) const fn number(name: &'static str, meaning: &'static str) -> Column {
    Column::new(name, ColumnType::Number, meaning)
}

pub(crate) const fn seconds(name: &'static str, meaning: &'static str) -> Column {
    Column::new(name, ColumnType::Seconds, meaning)
}
