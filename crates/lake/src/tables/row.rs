//! Defines the row of a table once: its columns, in the order in which rows are sorted.

/// Defines a kind of fact and its row. The fields are named as the columns.
macro_rules! fact {
    ($(#[$doc:meta])* $fact:ident, $row:ident<$life:lifetime> { $($column:ident: $cell:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $fact;

        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) struct $row<$life> { $(pub(crate) $column: $cell,)* }

        impl $crate::tables::Fact for $fact {
            const TABLE: showreport_model::facts::Table = showreport_model::facts::Table::$fact;

            type Row<$life> = $row<$life>;

            fn read(
                batch: &arrow::array::RecordBatch,
            ) -> Result<Vec<$row<'_>>, arrow::error::ArrowError> {
                use $crate::tables::cell::Cell;
                $(let $column = $crate::schema::column(batch, stringify!($column))?.as_ref();)*
                let rows = (0..batch.num_rows()).map(|row| $row {
                    $($column: Cell::read($column, row),)*
                });
                Ok(rows.collect())
            }

            fn text_bytes(row: &$row<'_>) -> usize {
                use $crate::tables::cell::Cell;
                0 $(+ Cell::text_bytes(&row.$column))*
            }

            fn own(row: $row<'_>) -> $row<'static> {
                use $crate::tables::cell::Cell;
                $row { $($column: Cell::own(row.$column),)* }
            }

            fn write<$life>(rows: &[$row<$life>]) -> arrow::array::RecordBatch {
                use $crate::tables::cell::Cell;
                let schema = $crate::schema::disk_schema(Self::TABLE);
                let columns = schema.fields().iter().map(|field| match field.name().as_str() {
                    $(stringify!($column) => {
                        let mut builder = <$cell as Cell>::builder(field.data_type());
                        for row in rows {
                            Cell::append(&row.$column, &mut builder);
                        }
                        std::sync::Arc::new(builder.finish()) as arrow::array::ArrayRef
                    })*
                    other => unreachable!("the row has no column {other}"),
                });
                let columns = columns.collect();
                arrow::array::RecordBatch::try_new(schema, columns)
                    .expect("the builders follow the schema")
            }
        }
    };
}
pub(super) use fact;
