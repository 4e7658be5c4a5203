//! Who is meant: viewers, senders and voters as one text that tells kinds apart.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int8Builder, ListBuilder, StringArray, StringBuilder, StructBuilder,
};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::error::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{Expr, ScalarUDF, Volatility, create_udf, lit};

/// As whom a view speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    /// As itself.
    View = 0,
    /// As its viewer: the customer, else the device, else the playback.
    Viewer = 1,
    /// As its device, if that is known.
    Device = 2,
}

impl Voice {
    /// The voice as an expression.
    pub(crate) fn literal(self) -> Expr {
        lit(self as i8)
    }
}

/// A person, a device or a playback: its kind as a letter, then its id. Kinds
/// never collide, since the letter comes first.
type Name<'a> = (char, &'a str);

/// A customer, else a device; nothing for nobody.
fn person<'a>(customer: Option<&'a str>, device: Option<&'a str>) -> Option<Name<'a>> {
    customer
        .map(|customer| ('c', customer))
        .or(device.map(|device| ('d', device)))
}

fn text(array: &StringArray, row: usize) -> Option<&str> {
    array.is_valid(row).then(|| array.value(row))
}

fn append(builder: &mut StringBuilder, (kind, value): Name<'_>) {
    use std::fmt::Write;
    let wrote = builder.write_char(kind).and(builder.write_str(value));
    wrote.expect("writing to memory cannot fail");
    builder.append_value("");
}

/// `person(customer_id, device_id)`: who sent a message or cast a vote.
pub(crate) fn person_of() -> ScalarUDF {
    let person_of = |arguments: &[ArrayRef]| -> Result<ArrayRef> {
        let (customers, devices) = (
            arguments[0].as_string::<i32>(),
            arguments[1].as_string::<i32>(),
        );
        let mut people = StringBuilder::new();
        for row in 0..customers.len() {
            match person(text(customers, row), text(devices, row)) {
                Some(person) => append(&mut people, person),
                None => people.append_null(),
            }
        }
        Ok(Arc::new(people.finish()))
    };
    create_udf(
        "person",
        vec![DataType::Utf8; 2],
        DataType::Utf8,
        Volatility::Immutable,
        Arc::new(make_scalar_function(person_of, vec![])),
    )
}

/// `voices(playback_id, customer_id, device_id)`: as whom a view is counted.
pub(crate) fn voices() -> ScalarUDF {
    said("voices", |voices, playback, viewer, device| {
        say(voices, Voice::View, playback);
        say_people(voices, viewer, device);
    })
}

/// `people(playback_id, customer_id, device_id)`: as whom a view is counted, but for itself.
pub(crate) fn people() -> ScalarUDF {
    said("people", |voices, _, viewer, device| {
        say_people(voices, viewer, device);
    })
}

fn said(
    name: &str,
    say: fn(&mut StructBuilder, Name<'_>, Name<'_>, Option<Name<'_>>),
) -> ScalarUDF {
    let said = move |arguments: &[ArrayRef]| -> Result<ArrayRef> {
        let [playbacks, customers, devices] =
            [0, 1, 2].map(|index: usize| arguments[index].as_string::<i32>());
        let mut lists = ListBuilder::new(StructBuilder::from_fields(voice_fields(), 0))
            .with_field(Arc::new(voice_item()));
        for row in 0..playbacks.len() {
            let device = text(devices, row);
            let playback = ('p', playbacks.value(row));
            let viewer = person(text(customers, row), device).unwrap_or(playback);
            let device = device.map(|device| ('d', device));
            say(lists.values(), playback, viewer, device);
            lists.append(true);
        }
        Ok(Arc::new(lists.finish()))
    };
    create_udf(
        name,
        vec![DataType::Utf8; 3],
        DataType::List(Arc::new(voice_item())),
        Volatility::Immutable,
        Arc::new(make_scalar_function(said, vec![])),
    )
}

fn say_people(voices: &mut StructBuilder, viewer: Name<'_>, device: Option<Name<'_>>) {
    say(voices, Voice::Viewer, viewer);
    if let Some(device) = device {
        say(voices, Voice::Device, device);
    }
}

fn voice_fields() -> Fields {
    Fields::from(vec![
        Field::new("voice", DataType::Int8, false),
        Field::new("name", DataType::Utf8, false),
    ])
}

fn voice_item() -> Field {
    Field::new("item", DataType::Struct(voice_fields()), true)
}

fn say(voices: &mut StructBuilder, voice: Voice, name: Name<'_>) {
    let kind = "the fields are those of voice_fields";
    voices
        .field_builder::<Int8Builder>(0)
        .expect(kind)
        .append_value(voice as i8);
    append(voices.field_builder::<StringBuilder>(1).expect(kind), name);
    voices.append(true);
}
