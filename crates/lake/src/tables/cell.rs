//! Values of one column of a file: how each is read from an array and written to one.

use std::borrow::Cow;

use arrow::array::types::{Date32Type, Int64Type, TimestampMicrosecondType};
use arrow::array::{
    Array, ArrayBuilder, AsArray, BooleanBuilder, Date32Builder, Int64Builder, ListBuilder,
    StringBuilder, StructArray, StructBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, FieldRef, Fields};
use showreport_model::facts::column_types::{Flag, Integer, OptionIds, Options, Text, Time};

/// A type of column, as the files of the lake hold it.
pub(crate) trait Cell {
    /// Builds the column.
    type Builder: ArrayBuilder;

    /// A value. Its texts may be those of the array.
    type Value<'a>;

    fn builder(data_type: &DataType) -> Self::Builder;

    /// The column has the type of the schema.
    fn read(column: &dyn Array, row: usize) -> Self::Value<'_>;

    fn append(value: &Self::Value<'_>, builder: &mut Self::Builder);

    /// The value with texts of its own.
    fn own(value: Self::Value<'_>) -> Self::Value<'static>;

    /// Bytes of its texts.
    fn text_bytes(_: &Self::Value<'_>) -> usize {
        0
    }
}

/// A type that an optional column can have.
pub(crate) trait NullableCell: Cell {
    fn append_null(builder: &mut Self::Builder);
}

impl<T: NullableCell> Cell for Option<T> {
    type Builder = T::Builder;
    type Value<'a> = Option<T::Value<'a>>;

    fn builder(data_type: &DataType) -> Self::Builder {
        T::builder(data_type)
    }

    fn read(column: &dyn Array, row: usize) -> Self::Value<'_> {
        column.is_valid(row).then(|| T::read(column, row))
    }

    fn append(value: &Self::Value<'_>, builder: &mut Self::Builder) {
        match value {
            Some(value) => T::append(value, builder),
            None => T::append_null(builder),
        }
    }

    fn own(value: Self::Value<'_>) -> Self::Value<'static> {
        value.map(T::own)
    }

    fn text_bytes(value: &Self::Value<'_>) -> usize {
        value.as_ref().map_or(0, T::text_bytes)
    }
}

/// A text, which may be that of an array.
pub(crate) type CowText<'a> = Cow<'a, str>;

impl Cell for Text {
    type Builder = StringBuilder;
    type Value<'a> = CowText<'a>;

    fn builder(_: &DataType) -> Self::Builder {
        StringBuilder::new()
    }

    fn read(column: &dyn Array, row: usize) -> Self::Value<'_> {
        Cow::Borrowed(column.as_string::<i32>().value(row))
    }

    fn append(value: &Self::Value<'_>, builder: &mut Self::Builder) {
        builder.append_value(value);
    }

    fn own(value: Self::Value<'_>) -> Self::Value<'static> {
        Cow::Owned(value.into_owned())
    }

    fn text_bytes(value: &Self::Value<'_>) -> usize {
        value.len()
    }
}

impl NullableCell for Text {
    fn append_null(builder: &mut Self::Builder) {
        builder.append_null();
    }
}

/// Microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Micros(pub(crate) i64);

impl Cell for Time {
    type Builder = TimestampMicrosecondBuilder;
    type Value<'a> = Micros;

    fn builder(data_type: &DataType) -> Self::Builder {
        TimestampMicrosecondBuilder::new().with_data_type(data_type.clone())
    }

    fn read(column: &dyn Array, row: usize) -> Micros {
        Micros(column.as_primitive::<TimestampMicrosecondType>().value(row))
    }

    fn append(value: &Micros, builder: &mut Self::Builder) {
        builder.append_value(value.0);
    }

    fn own(value: Micros) -> Micros {
        value
    }
}

impl NullableCell for Time {
    fn append_null(builder: &mut Self::Builder) {
        builder.append_null();
    }
}

/// A UTC day, as days since 1970. It is a type of column and a value of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Day(pub(crate) i32);

impl Cell for Day {
    type Builder = Date32Builder;
    type Value<'a> = Self;

    fn builder(_: &DataType) -> Self::Builder {
        Date32Builder::new()
    }

    fn read(column: &dyn Array, row: usize) -> Self {
        Self(column.as_primitive::<Date32Type>().value(row))
    }

    fn append(value: &Self, builder: &mut Self::Builder) {
        builder.append_value(value.0);
    }

    fn own(value: Self) -> Self {
        value
    }
}

impl Cell for Integer {
    type Builder = Int64Builder;
    type Value<'a> = i64;

    fn builder(_: &DataType) -> Self::Builder {
        Int64Builder::new()
    }

    fn read(column: &dyn Array, row: usize) -> i64 {
        column.as_primitive::<Int64Type>().value(row)
    }

    fn append(value: &i64, builder: &mut Self::Builder) {
        builder.append_value(*value);
    }

    fn own(value: i64) -> i64 {
        value
    }
}

impl NullableCell for Integer {
    fn append_null(builder: &mut Self::Builder) {
        builder.append_null();
    }
}

impl Cell for Flag {
    type Builder = BooleanBuilder;
    type Value<'a> = bool;

    fn builder(_: &DataType) -> Self::Builder {
        BooleanBuilder::new()
    }

    fn read(column: &dyn Array, row: usize) -> bool {
        column.as_boolean().value(row)
    }

    fn append(value: &bool, builder: &mut Self::Builder) {
        builder.append_value(*value);
    }

    fn own(value: bool) -> bool {
        value
    }
}

/// The values of a list column, and the range of a row's items in them.
fn items(column: &dyn Array, row: usize) -> (&dyn Array, std::ops::Range<usize>) {
    let lists = column.as_list::<i32>();
    let offset = |at: usize| usize::try_from(lists.value_offsets()[at]).expect("never negative");
    (lists.values().as_ref(), offset(row)..offset(row + 1))
}

fn item_type(data_type: &DataType) -> &FieldRef {
    match data_type {
        DataType::List(item) => item,
        other => unreachable!("the schema has a list here, not {other}"),
    }
}

impl Cell for OptionIds {
    type Builder = ListBuilder<StringBuilder>;
    type Value<'a> = Vec<CowText<'a>>;

    fn builder(data_type: &DataType) -> Self::Builder {
        ListBuilder::new(StringBuilder::new()).with_field(item_type(data_type).clone())
    }

    fn read(column: &dyn Array, row: usize) -> Self::Value<'_> {
        let (values, range) = items(column, row);
        range.map(|item| Text::read(values, item)).collect()
    }

    fn append(value: &Self::Value<'_>, builder: &mut Self::Builder) {
        for item in value {
            builder.values().append_value(item);
        }
        builder.append(true);
    }

    fn own(value: Self::Value<'_>) -> Self::Value<'static> {
        value.into_iter().map(Text::own).collect()
    }

    fn text_bytes(value: &Self::Value<'_>) -> usize {
        value.iter().map(|text| text.len()).sum()
    }
}

/// An option of a poll: id, text and whether it is correct.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PollOption<'a>(CowText<'a>, CowText<'a>, bool);

impl Cell for Options {
    type Builder = ListBuilder<StructBuilder>;
    type Value<'a> = Vec<PollOption<'a>>;

    fn builder(data_type: &DataType) -> Self::Builder {
        let item = item_type(data_type);
        let fields = match item.data_type() {
            DataType::Struct(fields) => fields.clone(),
            _ => Fields::empty(),
        };
        ListBuilder::new(StructBuilder::from_fields(fields, 0)).with_field(item.clone())
    }

    fn read(column: &dyn Array, row: usize) -> Self::Value<'_> {
        let (values, range) = items(column, row);
        let options: &StructArray = values.as_struct();
        let column = |at: usize| options.column(at).as_ref();
        let option = |item| {
            PollOption(
                Text::read(column(0), item),
                Text::read(column(1), item),
                Flag::read(column(2), item),
            )
        };
        range.map(option).collect()
    }

    fn append(value: &Self::Value<'_>, builder: &mut Self::Builder) {
        let kind = "the schema has id, text and correct";
        for PollOption(id, text, correct) in value {
            let option = builder.values();
            for (at, text) in [(0, id), (1, text)] {
                let builder = option.field_builder::<StringBuilder>(at).expect(kind);
                builder.append_value(text);
            }
            let builder = option.field_builder::<BooleanBuilder>(2).expect(kind);
            builder.append_value(*correct);
            option.append(true);
        }
        builder.append(true);
    }

    fn own(value: Self::Value<'_>) -> Self::Value<'static> {
        let own =
            |PollOption(id, text, correct)| PollOption(Text::own(id), Text::own(text), correct);
        value.into_iter().map(own).collect()
    }

    fn text_bytes(value: &Self::Value<'_>) -> usize {
        let bytes = |PollOption(id, text, _): &PollOption<'_>| id.len() + text.len();
        value.iter().map(bytes).sum()
    }
}
