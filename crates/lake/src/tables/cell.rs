//! Values of one column: how each is read from an array and written to one.

use std::borrow::Cow;

use arrow::array::types::{Date32Type, TimestampMicrosecondType};
use arrow::array::{
    Array, ArrayBuilder, AsArray, BooleanBuilder, Date32Builder, ListBuilder, StringBuilder,
    StructArray, StructBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Fields};

/// A value of a column.
pub(super) trait Cell<'a>: Sized {
    /// Builds the column.
    type Builder: ArrayBuilder;

    /// The same value with texts of its own.
    type Lasting;

    fn builder(data_type: &DataType) -> Self::Builder;

    /// The column has the type of the schema.
    fn read(column: &'a dyn Array, row: usize) -> Self;

    fn append(&self, builder: &mut Self::Builder);

    fn own(self) -> Self::Lasting;

    /// Bytes of its texts.
    fn text_bytes(&self) -> usize {
        0
    }
}

/// A text.
pub(crate) type Text<'a> = Cow<'a, str>;

/// Microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Micros(pub(crate) i64);

/// A UTC day, as days since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Day(pub(crate) i32);

/// An option of a poll: id, text and whether it is correct.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Choosable<'a>(Text<'a>, Text<'a>, bool);

fn own(text: Text<'_>) -> Text<'static> {
    Cow::Owned(text.into_owned())
}

fn text(column: &dyn Array, row: usize) -> Text<'_> {
    Cow::Borrowed(column.as_string::<i32>().value(row))
}

fn micros(column: &dyn Array, row: usize) -> Micros {
    Micros(column.as_primitive::<TimestampMicrosecondType>().value(row))
}

impl<'a> Cell<'a> for Text<'a> {
    type Builder = StringBuilder;
    type Lasting = Text<'static>;

    fn builder(_: &DataType) -> Self::Builder {
        StringBuilder::new()
    }

    fn read(column: &'a dyn Array, row: usize) -> Self {
        text(column, row)
    }

    fn append(&self, builder: &mut Self::Builder) {
        builder.append_value(self);
    }

    fn own(self) -> Self::Lasting {
        own(self)
    }

    fn text_bytes(&self) -> usize {
        self.len()
    }
}

impl<'a> Cell<'a> for Option<Text<'a>> {
    type Builder = StringBuilder;
    type Lasting = Option<Text<'static>>;

    fn builder(_: &DataType) -> Self::Builder {
        StringBuilder::new()
    }

    fn read(column: &'a dyn Array, row: usize) -> Self {
        column.is_valid(row).then(|| text(column, row))
    }

    fn append(&self, builder: &mut Self::Builder) {
        builder.append_option(self.as_deref());
    }

    fn own(self) -> Self::Lasting {
        self.map(own)
    }

    fn text_bytes(&self) -> usize {
        self.as_deref().map_or(0, str::len)
    }
}

impl<'a> Cell<'a> for Micros {
    type Builder = TimestampMicrosecondBuilder;
    type Lasting = Self;

    fn builder(data_type: &DataType) -> Self::Builder {
        TimestampMicrosecondBuilder::new().with_data_type(data_type.clone())
    }

    fn read(column: &'a dyn Array, row: usize) -> Self {
        micros(column, row)
    }

    fn append(&self, builder: &mut Self::Builder) {
        builder.append_value(self.0);
    }

    fn own(self) -> Self {
        self
    }
}

impl<'a> Cell<'a> for Option<Micros> {
    type Builder = TimestampMicrosecondBuilder;
    type Lasting = Self;

    fn builder(data_type: &DataType) -> Self::Builder {
        <Micros as Cell>::builder(data_type)
    }

    fn read(column: &'a dyn Array, row: usize) -> Self {
        column.is_valid(row).then(|| micros(column, row))
    }

    fn append(&self, builder: &mut Self::Builder) {
        builder.append_option(self.map(|micros| micros.0));
    }

    fn own(self) -> Self {
        self
    }
}

impl<'a> Cell<'a> for Day {
    type Builder = Date32Builder;
    type Lasting = Self;

    fn builder(_: &DataType) -> Self::Builder {
        Date32Builder::new()
    }

    fn read(column: &'a dyn Array, row: usize) -> Self {
        Self(column.as_primitive::<Date32Type>().value(row))
    }

    fn append(&self, builder: &mut Self::Builder) {
        builder.append_value(self.0);
    }

    fn own(self) -> Self {
        self
    }
}

impl<'a> Cell<'a> for bool {
    type Builder = BooleanBuilder;
    type Lasting = Self;

    fn builder(_: &DataType) -> Self::Builder {
        BooleanBuilder::new()
    }

    fn read(column: &'a dyn Array, row: usize) -> Self {
        column.as_boolean().value(row)
    }

    fn append(&self, builder: &mut Self::Builder) {
        builder.append_value(*self);
    }

    fn own(self) -> Self {
        self
    }
}

/// Where the items of a row lie in a list's values.
fn items(column: &dyn Array, row: usize) -> (&dyn Array, std::ops::Range<usize>) {
    let lists = column.as_list::<i32>();
    let offset = |at: usize| usize::try_from(lists.value_offsets()[at]).expect("never negative");
    (lists.values().as_ref(), offset(row)..offset(row + 1))
}

fn item_type(data_type: &DataType) -> &arrow::datatypes::FieldRef {
    match data_type {
        DataType::List(item) => item,
        other => unreachable!("the schema has a list here, not {other}"),
    }
}

impl<'a> Cell<'a> for Vec<Text<'a>> {
    type Builder = ListBuilder<StringBuilder>;
    type Lasting = Vec<Text<'static>>;

    fn builder(data_type: &DataType) -> Self::Builder {
        ListBuilder::new(StringBuilder::new()).with_field(item_type(data_type).clone())
    }

    fn read(column: &'a dyn Array, row: usize) -> Self {
        let (values, range) = items(column, row);
        range.map(|item| text(values, item)).collect()
    }

    fn append(&self, builder: &mut Self::Builder) {
        for item in self {
            builder.values().append_value(item);
        }
        builder.append(true);
    }

    fn own(self) -> Self::Lasting {
        self.into_iter().map(own).collect()
    }

    fn text_bytes(&self) -> usize {
        self.iter().map(|text| text.len()).sum()
    }
}

impl<'a> Cell<'a> for Vec<Choosable<'a>> {
    type Builder = ListBuilder<StructBuilder>;
    type Lasting = Vec<Choosable<'static>>;

    fn builder(data_type: &DataType) -> Self::Builder {
        let item = item_type(data_type);
        let fields = match item.data_type() {
            DataType::Struct(fields) => fields.clone(),
            _ => Fields::empty(),
        };
        ListBuilder::new(StructBuilder::from_fields(fields, 0)).with_field(item.clone())
    }

    fn read(column: &'a dyn Array, row: usize) -> Self {
        let (values, range) = items(column, row);
        let options: &StructArray = values.as_struct();
        let column = |at: usize| options.column(at).as_ref();
        let option = |item| {
            Choosable(
                text(column(0), item),
                text(column(1), item),
                column(2).as_boolean().value(item),
            )
        };
        range.map(option).collect()
    }

    fn append(&self, builder: &mut Self::Builder) {
        let kind = "the schema has id, text and correct";
        for Choosable(id, text, correct) in self {
            let option = builder.values();
            let texts = [(0, id), (1, text)];
            for (at, text) in texts {
                let builder = option.field_builder::<StringBuilder>(at).expect(kind);
                builder.append_value(text);
            }
            let builder = option.field_builder::<BooleanBuilder>(2).expect(kind);
            builder.append_value(*correct);
            option.append(true);
        }
        builder.append(true);
    }

    fn own(self) -> Self::Lasting {
        self.into_iter()
            .map(|Choosable(id, text, correct)| Choosable(own(id), own(text), correct))
            .collect()
    }

    fn text_bytes(&self) -> usize {
        self.iter()
            .map(|Choosable(id, text, _)| id.len() + text.len())
            .sum()
    }
}
