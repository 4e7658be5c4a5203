//! The rows of a report: the columns of its table in `model`, typed and sorted.

use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, SortExpr, cast};
use datafusion::prelude::{DataFrame, col};
use showreport_model::column::{Column, ColumnType};
use showreport_model::facts::time_type;
use showreport_model::question::RowRange;
use showreport_model::report::ReportOrder;
use showreport_model::table::{Table, Value};

use crate::cells::Cells;
use crate::functions::owned::owned;
use crate::functions::spans::seconds;

/// Sorted rows and their columns.
pub(crate) struct ReportRows {
    pub(crate) frame: DataFrame,
    pub(crate) columns: Vec<Column>,
}

impl ReportRows {
    /// The rows of an event report, which differ in `keys` or in a group column.
    pub(crate) fn of_order(order: &ReportOrder, frame: DataFrame, keys: &[&str]) -> Result<Self> {
        let group = order.group_by.iter().map(|field| field.name());
        let keys: Vec<&str> = keys.iter().copied().chain(group).collect();
        Self::sort(frame, order.dimension.columns(&order.group_by), &keys)
    }

    /// The columns of the frame, sorted from left to right by the bytes of their text, empty first.
    ///
    /// No two rows are equal in all of `keys`, so only these columns are sorted by: each further
    /// sort key costs memory and changes nothing. Times have one width and so sort as their text
    /// does.
    pub(crate) fn sort(frame: DataFrame, columns: Vec<Column>, keys: &[&str]) -> Result<Self> {
        let keys = columns
            .iter()
            .filter(|column| keys.contains(&column.name))
            .map(|column| col(column.name).sort(true, true))
            .collect();
        let rows = Self::sorted(frame, columns)?;
        Ok(Self {
            frame: rows.frame.sort(keys)?,
            columns: rows.columns,
        })
    }

    /// A part of the rows, in this order.
    pub(crate) fn page(
        frame: DataFrame,
        columns: Vec<Column>,
        order: Vec<SortExpr>,
        rows: RowRange,
    ) -> Result<Self> {
        let typed = Self::sorted(frame, columns)?;
        Ok(Self {
            frame: limited(typed.frame.sort(order)?, rows)?,
            columns: typed.columns,
        })
    }

    /// All rows, in memory.
    pub(crate) async fn collect(self) -> Result<Table> {
        let mut rows = Vec::new();
        for batch in self.frame.collect().await? {
            let cells = Cells::of(&batch, &self.columns);
            let of_batch = (0..batch.num_rows()).map(|row| cells.row(row).map(Value::from));
            rows.extend(of_batch.map(Iterator::collect::<Vec<_>>));
        }
        Ok(Table {
            columns: self.columns,
            rows,
        })
    }

    /// The columns of a frame that is sorted in that order already, in one partition.
    pub(crate) fn sorted(frame: DataFrame, columns: Vec<Column>) -> Result<Self> {
        Ok(Self {
            frame: frame.select(columns.iter().map(typed).collect::<Vec<_>>())?,
            columns,
        })
    }
}

/// A part of the rows of a frame, sorted by these columns: ascending, empty first.
pub(crate) fn page_of(frame: DataFrame, rows: RowRange, keys: &[&str]) -> Result<DataFrame> {
    let keys = keys.iter().map(|key| col(*key).sort(true, true));
    limited(frame.sort(keys.collect())?, rows)
}

fn limited(frame: DataFrame, rows: RowRange) -> Result<DataFrame> {
    let [skip, limit] =
        [rows.skip, rows.limit].map(|rows| usize::try_from(rows).unwrap_or(usize::MAX));
    frame.limit(skip, Some(limit))
}

/// The column of the frame in the type that files are written from.
fn typed(column: &Column) -> Expr {
    let value = col(column.name);
    let typed = match column.kind {
        ColumnType::Date | ColumnType::Text => cast(value, DataType::Utf8),
        ColumnType::Time => cast(value, time_type()),
        ColumnType::Boolean => cast(value, DataType::Boolean),
        ColumnType::Integer => cast(value, DataType::Int64),
        ColumnType::Number => cast(value, DataType::Float64),
        // The frame has milliseconds.
        ColumnType::Seconds => seconds().call(vec![cast(value, DataType::Int64)]),
    };
    // Aggregates give out slices of one batch, and the sort would keep the whole batch for each.
    owned(typed).alias(column.name)
}
