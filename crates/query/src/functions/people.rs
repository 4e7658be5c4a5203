//! Who is meant: viewers, senders and voters, told apart by kind and id.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeBinaryArray, Int8Array, ListArray, StringArray,
    StringBuilder, StructArray,
};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::error::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{Expr, ScalarUDF, Volatility, create_udf, lit};
use sha2::{Digest, Sha256};

/// As whom a view speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    /// As its viewer: the customer, else the device, else the playback.
    Viewer = 0,
    /// As its device, if that is known.
    Device = 1,
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

/// `voices(playback_id, customer_id, device_id)`: as whom a view is counted, as
/// structs of `voice` and `name`.
///
/// A name is only ever compared with others, never shown, so it is the first 128
/// bits of a SHA-256: short, of one width, and no two are the same by accident
/// or by design.
pub(crate) fn voices() -> ScalarUDF {
    let voices = |arguments: &[ArrayRef]| -> Result<ArrayRef> {
        let [playbacks, customers, devices] =
            [0, 1, 2].map(|index: usize| arguments[index].as_string::<i32>());
        let mut spoken = Spoken::default();
        let lengths: Vec<usize> = (0..playbacks.len())
            .map(|row| {
                let device = text(devices, row);
                let person = person(text(customers, row), device);
                spoken.say(Voice::Viewer, person.unwrap_or(('p', playbacks.value(row))));
                if let Some(device) = device {
                    spoken.say(Voice::Device, ('d', device));
                }
                1 + usize::from(device.is_some())
            })
            .collect();
        let offsets = OffsetBuffer::from_lengths(lengths);
        let lists = ListArray::try_new(voice_item(), offsets, spoken.finish()?, None)?;
        Ok(Arc::new(lists))
    };
    create_udf(
        "voices",
        vec![DataType::Utf8; 3],
        DataType::List(voice_item()),
        Volatility::Immutable,
        Arc::new(make_scalar_function(voices, vec![])),
    )
}

const NAME_BYTES: i32 = 16;

fn voice_fields() -> Fields {
    Fields::from(vec![
        Field::new("voice", DataType::Int8, false),
        Field::new("name", DataType::FixedSizeBinary(NAME_BYTES), false),
    ])
}

fn voice_item() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Struct(voice_fields()), true))
}

/// Voices one after another.
#[derive(Default)]
struct Spoken {
    voices: Vec<i8>,
    names: Vec<u8>,
}

impl Spoken {
    fn say(&mut self, voice: Voice, (kind, id): Name<'_>) {
        self.voices.push(voice as i8);
        let kind = u8::try_from(kind).expect("kinds are letters");
        let digest = Sha256::new()
            .chain_update([kind])
            .chain_update(id)
            .finalize();
        self.names
            .extend(digest.into_iter().take(NAME_BYTES.unsigned_abs() as usize));
    }

    fn finish(self) -> Result<ArrayRef> {
        let names = FixedSizeBinaryArray::try_new(NAME_BYTES, Buffer::from(self.names), None)?;
        let columns: Vec<ArrayRef> = vec![Arc::new(Int8Array::from(self.voices)), Arc::new(names)];
        Ok(Arc::new(StructArray::try_new(
            voice_fields(),
            columns,
            None,
        )?))
    }
}
