//! The rows of an answer: named, typed and sorted.

use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, cast};
use datafusion::prelude::{DataFrame, col};
use showreport_model::bulk::{ColumnType, ReportColumn};
use showreport_model::facts::time_type;

use crate::functions::owned::owned;
use crate::functions::spans::seconds;

/// What a column holds, which is how its cells are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text, guarded against spreadsheets; ids too.
    Text,
    /// An instant in milliseconds, UTC.
    Time,
    /// Yes or no.
    Flag,
    /// A whole number.
    Count,
    /// Seconds with three decimals.
    Seconds,
    /// A number with as many decimals as it needs.
    Number,
}

/// A column of an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    sorts: bool,
}

impl Column {
    const fn new(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            sorts: true,
        }
    }

    pub(crate) const fn text(name: &'static str) -> Self {
        Self::new(name, Kind::Text)
    }

    pub(crate) const fn time(name: &'static str) -> Self {
        Self::new(name, Kind::Time)
    }

    pub(crate) const fn flag(name: &'static str) -> Self {
        Self::new(name, Kind::Flag)
    }

    /// A number. It never decides the order, since no two rows are equal before it.
    pub(crate) const fn count(name: &'static str) -> Self {
        Self::new(name, Kind::Count).settled()
    }

    /// Milliseconds, given as seconds. Never decides the order either.
    pub(crate) const fn seconds(name: &'static str) -> Self {
        Self::new(name, Kind::Seconds).settled()
    }

    /// A column of a bulk report.
    pub(crate) const fn of(column: &ReportColumn) -> Self {
        let kind = match column.kind {
            ColumnType::Boolean => Kind::Flag,
            ColumnType::Date | ColumnType::Text => Kind::Text,
            ColumnType::Integer => Kind::Count,
            ColumnType::Number => Kind::Number,
            ColumnType::Time => Kind::Time,
        };
        Self::new(column.name, kind)
    }

    /// Says that the columns to the left settle the order already: files are
    /// sorted by all columns, and a key that cannot decide only costs memory.
    pub(crate) const fn settled(self) -> Self {
        Self {
            sorts: false,
            ..self
        }
    }

    fn expression(self) -> Expr {
        let value = col(self.name);
        let typed = match self.kind {
            Kind::Text => cast(value, DataType::Utf8),
            Kind::Time => cast(value, time_type()),
            Kind::Flag => cast(value, DataType::Boolean),
            Kind::Count => cast(value, DataType::Int64),
            Kind::Number => cast(value, DataType::Float64),
            Kind::Seconds => seconds().call(vec![cast(value, DataType::Int64)]),
        };
        // What was grouped comes in slices; the sort keeps them.
        owned(typed).alias(self.name)
    }
}

/// Sorted rows and what their columns hold.
pub(crate) struct Answer {
    pub(crate) frame: DataFrame,
    pub(crate) columns: Vec<Column>,
}

impl Answer {
    /// The named columns of the frame, sorted from left to right by the bytes
    /// of their text, empty first.
    ///
    /// Times have one width and so sort as their text does.
    pub(crate) fn new(frame: DataFrame, columns: Vec<Column>) -> Result<Self> {
        let expressions: Vec<Expr> = columns.iter().map(|column| column.expression()).collect();
        let keys = columns
            .iter()
            .filter(|column| column.sorts)
            .map(|column| col(column.name).sort(true, true))
            .collect();
        Ok(Self {
            frame: frame.select(expressions)?.sort(keys)?,
            columns,
        })
    }

    /// The same of a frame whose rows come in that order, each from one thread.
    pub(crate) fn sorted(frame: DataFrame, columns: Vec<Column>) -> Result<Self> {
        let expressions: Vec<Expr> = columns.iter().map(|column| column.expression()).collect();
        Ok(Self {
            frame: frame.select(expressions)?,
            columns,
        })
    }
}
