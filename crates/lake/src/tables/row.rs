//! Defines the row of a table from the columns that the model lists, in that order.

/// Defines a kind of fact and its row. The fields are named as the columns.
///
/// `columns_of!(Chat => fact { Chat, ChatRow, day: Day })`; the part with the day is left out for
/// a table without one.
macro_rules! fact {
    (
        { $fact:ident, $row:ident $(, $day:ident: $day_type:ty)? } $names:tt
        columns { org: $org_type:ty = $org_value:expr, $($column:ident: $type:ty = $value:expr,)* }
        attributes { $($attribute:ident: $attribute_type:ty = $attribute_value:expr,)* }
    ) => {
        fact! { @ $fact, $row {
            org: $org_type,
            $($day: $day_type,)?
            $($column: $type,)*
            $($attribute: $attribute_type,)*
        } }
    };
    (@ $fact:ident, $row:ident { $($column:ident: $type:ty,)* }) => {
        /// The kind of fact.
        #[derive(Debug)]
        pub(crate) struct $fact;

        /// A row, ordered by its columns one after the other.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) struct $row<'a> { $(pub(crate) $column: <$type as Cell>::Value<'a>,)* }

        impl $crate::tables::Fact for $fact {
            const TABLE: Table = Table::$fact;

            type Row<'a> = $row<'a>;

            fn read(batch: &RecordBatch) -> Result<Vec<$row<'_>>, ArrowError> {
                $(let $column = $crate::schema::column(batch, stringify!($column))?.as_ref();)*
                let rows = (0..batch.num_rows()).map(|row| $row {
                    $($column: <$type as Cell>::read($column, row),)*
                });
                Ok(rows.collect())
            }

            fn text_bytes(row: &$row<'_>) -> usize {
                0 $(+ <$type as Cell>::text_bytes(&row.$column))*
            }

            fn own(row: $row<'_>) -> $row<'static> {
                $row { $($column: <$type as Cell>::own(row.$column),)* }
            }

            fn write(rows: &[$row<'_>]) -> RecordBatch {
                let schema = $crate::schema::disk_schema(Self::TABLE);
                let mut types = schema.fields().iter().map(|field| field.data_type());
                let columns = vec![$({
                    let data_type = types.next().expect("a field for each column");
                    let mut builder = <$type as Cell>::builder(data_type);
                    for row in rows {
                        <$type as Cell>::append(&row.$column, &mut builder);
                    }
                    Arc::new(builder.finish()) as ArrayRef
                },)*];
                RecordBatch::try_new(schema, columns).expect("the builders follow the schema")
            }
        }
    };
}
pub(super) use fact;
