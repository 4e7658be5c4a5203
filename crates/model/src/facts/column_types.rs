//! What a column can hold: its Arrow type, and how values are appended to it.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, BooleanBuilder, Int64Builder, ListBuilder, StringBuilder, StructBuilder,
    TimestampMillisecondBuilder,
};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, TimeUnit};

use crate::ids::OptionId;
use crate::record::PollOption;

/// The type of a column. `Option<T>` is a column that may hold nulls, and that rows and files
/// written before the column existed may lack.
pub trait ColumnType {
    /// Whether it may hold nulls.
    const IS_OPTIONAL: bool = false;

    /// Builds the column.
    type Builder: ArrayBuilder + Debug;

    /// A value as a record has it.
    type Value<'a>;

    /// The Arrow type.
    fn data_type() -> DataType;

    /// A builder without capacity: most requests hold one record.
    fn builder() -> Self::Builder;

    /// Appends a value.
    fn append(builder: &mut Self::Builder, value: Self::Value<'_>);
}

/// A type that an optional column can have.
pub trait Nullable: ColumnType {
    /// Appends a null.
    fn append_null(builder: &mut Self::Builder);
}

impl<T: Nullable> ColumnType for Option<T> {
    const IS_OPTIONAL: bool = true;
    type Builder = T::Builder;
    type Value<'a> = Option<T::Value<'a>>;

    fn data_type() -> DataType {
        T::data_type()
    }

    fn builder() -> Self::Builder {
        T::builder()
    }

    fn append(builder: &mut Self::Builder, value: Self::Value<'_>) {
        match value {
            Some(value) => T::append(builder, value),
            None => T::append_null(builder),
        }
    }
}

/// UTF-8.
#[derive(Debug)]
pub enum Text {}

impl ColumnType for Text {
    type Builder = StringBuilder;
    type Value<'a> = &'a str;

    fn data_type() -> DataType {
        DataType::Utf8
    }

    fn builder() -> Self::Builder {
        StringBuilder::with_capacity(0, 0)
    }

    fn append(builder: &mut Self::Builder, value: Self::Value<'_>) {
        builder.append_value(value);
    }
}

impl Nullable for Text {
    fn append_null(builder: &mut Self::Builder) {
        builder.append_null();
    }
}

/// Milliseconds since 1970, UTC.
#[derive(Debug)]
pub enum Time {}

/// The type of every time.
pub fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

impl ColumnType for Time {
    type Builder = TimestampMillisecondBuilder;
    type Value<'a> = i64;

    fn data_type() -> DataType {
        time_type()
    }

    fn builder() -> Self::Builder {
        TimestampMillisecondBuilder::with_capacity(0).with_timezone("UTC")
    }

    fn append(builder: &mut Self::Builder, value: Self::Value<'_>) {
        builder.append_value(value);
    }
}

impl Nullable for Time {
    fn append_null(builder: &mut Self::Builder) {
        builder.append_null();
    }
}

/// A whole number of 64 bits.
#[derive(Debug)]
pub enum Integer {}

impl ColumnType for Integer {
    type Builder = Int64Builder;
    type Value<'a> = i64;

    fn data_type() -> DataType {
        DataType::Int64
    }

    fn builder() -> Self::Builder {
        Int64Builder::with_capacity(0)
    }

    fn append(builder: &mut Self::Builder, value: Self::Value<'_>) {
        builder.append_value(value);
    }
}

impl Nullable for Integer {
    fn append_null(builder: &mut Self::Builder) {
        builder.append_null();
    }
}

/// True or false.
#[derive(Debug)]
pub enum Flag {}

impl ColumnType for Flag {
    type Builder = BooleanBuilder;
    type Value<'a> = bool;

    fn data_type() -> DataType {
        DataType::Boolean
    }

    fn builder() -> Self::Builder {
        BooleanBuilder::with_capacity(0)
    }

    fn append(builder: &mut Self::Builder, value: Self::Value<'_>) {
        builder.append_value(value);
    }
}

/// The ids of the options that a vote chooses.
#[derive(Debug)]
pub enum OptionIds {}

impl ColumnType for OptionIds {
    type Builder = ListBuilder<StringBuilder>;
    type Value<'a> = &'a BTreeSet<OptionId>;

    fn data_type() -> DataType {
        DataType::List(list_item(DataType::Utf8))
    }

    fn builder() -> Self::Builder {
        ListBuilder::with_capacity(Text::builder(), 0).with_field(list_item(DataType::Utf8))
    }

    fn append(builder: &mut Self::Builder, value: Self::Value<'_>) {
        builder.append_value(value.iter().map(|id| Some(id.as_str())));
    }
}

/// The options of a poll: `id`, `text` and `correct` of each.
#[derive(Debug)]
pub enum Options {}

impl ColumnType for Options {
    type Builder = ListBuilder<StructBuilder>;
    type Value<'a> = &'a [PollOption];

    fn data_type() -> DataType {
        DataType::List(list_item(DataType::Struct(option_fields())))
    }

    fn builder() -> Self::Builder {
        ListBuilder::with_capacity(StructBuilder::from_fields(option_fields(), 0), 0)
            .with_field(list_item(DataType::Struct(option_fields())))
    }

    fn append(builder: &mut Self::Builder, value: Self::Value<'_>) {
        for option in value {
            let fields = builder.values();
            let kind = "the fields are built from option_fields";
            for (at, text) in [(0, option.option.as_str()), (1, &option.text)] {
                let texts = fields.field_builder::<StringBuilder>(at).expect(kind);
                texts.append_value(text);
            }
            let flags = fields.field_builder::<BooleanBuilder>(2).expect(kind);
            flags.append_value(option.correct);
            fields.append(true);
        }
        builder.append(true);
    }
}

fn option_fields() -> Fields {
    Fields::from(vec![
        Field::new("id", DataType::Utf8, false),
        Field::new("text", DataType::Utf8, false),
        Field::new("correct", DataType::Boolean, false),
    ])
}

/// The item of a list. Delta Lake calls it `element`.
fn list_item(item: DataType) -> FieldRef {
    Arc::new(Field::new("element", item, false))
}
