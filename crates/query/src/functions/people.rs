//! Who is meant: viewers, senders and voters, told apart by kind and id.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeBinaryArray, Int8Array, ListArray, StringArray,
    StringBuilder,
};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field};
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

/// `voices(playback_id, customer_id, device_id)`: the names as which a view is counted.
///
/// A name is only ever compared with others, never shown, so it is a byte that says which voice
/// it is, and the first 120 bits of a SHA-256: short, of one width, and no two are the same by
/// accident or by design.
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
        let lists = ListArray::try_new(name_item(), offsets, spoken.finish()?, None)?;
        Ok(Arc::new(lists))
    };
    create_udf(
        "voices",
        vec![DataType::Utf8; 3],
        DataType::List(name_item()),
        Volatility::Immutable,
        Arc::new(make_scalar_function(voices, vec![])),
    )
}

/// `voice(name)`: which of the voices a name is of.
pub(crate) fn voice_of() -> ScalarUDF {
    let voice_of = |arguments: &[ArrayRef]| -> Result<ArrayRef> {
        let names = arguments[0].as_fixed_size_binary();
        let voices = names
            .iter()
            .map(|name| name.map(|name| name[0].cast_signed()));
        Ok(Arc::new(voices.collect::<Int8Array>()))
    };
    create_udf(
        "voice",
        vec![DataType::FixedSizeBinary(NAME_BYTES)],
        DataType::Int8,
        Volatility::Immutable,
        Arc::new(make_scalar_function(voice_of, vec![])),
    )
}

const NAME_BYTES: i32 = 16;

fn name_item() -> Arc<Field> {
    let name = DataType::FixedSizeBinary(NAME_BYTES);
    Arc::new(Field::new("item", name, true))
}

/// Names one after another.
#[derive(Default)]
struct Spoken(Vec<u8>);

impl Spoken {
    fn say(&mut self, voice: Voice, (kind, id): Name<'_>) {
        let kind = u8::try_from(kind).expect("kinds are letters");
        let digest = Sha256::new()
            .chain_update([kind])
            .chain_update(id)
            .finalize();
        let digest = digest
            .into_iter()
            .take(NAME_BYTES.unsigned_abs() as usize - 1);
        self.0.push(voice as u8);
        self.0.extend(digest);
    }

    fn finish(self) -> Result<ArrayRef> {
        let names = FixedSizeBinaryArray::try_new(NAME_BYTES, Buffer::from(self.0), None)?;
        Ok(Arc::new(names))
    }
}
