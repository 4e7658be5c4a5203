//! Identities: what views, messages and votes are counted under.

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

/// The identities that a view is counted under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// The customer, else the device, else the playback.
    Viewer = 0,
    /// The device, if known.
    Device = 1,
}

impl Identity {
    pub(crate) fn literal(self) -> Expr {
        lit(self as i8)
    }
}

/// A letter for the kind of id, then the id. The letter keeps equal ids of different kinds apart.
type Key<'a> = (char, &'a str);

/// The customer, else the device.
fn person<'a>(customer: Option<&'a str>, device: Option<&'a str>) -> Option<Key<'a>> {
    customer
        .map(|customer| ('c', customer))
        .or(device.map(|device| ('d', device)))
}

fn text(array: &StringArray, row: usize) -> Option<&str> {
    array.is_valid(row).then(|| array.value(row))
}

fn append(builder: &mut StringBuilder, (kind, value): Key<'_>) {
    use std::fmt::Write;
    let wrote = builder.write_char(kind).and(builder.write_str(value));
    wrote.expect("writing to memory cannot fail");
    builder.append_value("");
}

/// `person(customer_id, device_id)`: the identity of a sender or voter: customer, else device.
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

/// The kind of id that a person is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PersonKind {
    Customer,
    Device,
    Playback,
}

impl PersonKind {
    const fn letter(self) -> char {
        match self {
            Self::Customer => 'c',
            Self::Device => 'd',
            Self::Playback => 'p',
        }
    }
}

/// `viewer(playback_id, customer_id, device_id)`: the person that a view is of: the customer, else
/// the device, else the playback.
pub(crate) fn viewer_of() -> ScalarUDF {
    let viewer_of = |arguments: &[ArrayRef]| -> Result<ArrayRef> {
        let [playbacks, customers, devices] =
            [0, 1, 2].map(|index: usize| arguments[index].as_string::<i32>());
        let mut people = StringBuilder::new();
        for row in 0..playbacks.len() {
            let person = person(text(customers, row), text(devices, row));
            append(&mut people, person.unwrap_or(('p', playbacks.value(row))));
        }
        Ok(Arc::new(people.finish()))
    };
    create_udf(
        "viewer",
        vec![DataType::Utf8; 3],
        DataType::Utf8,
        Volatility::Immutable,
        Arc::new(make_scalar_function(viewer_of, vec![])),
    )
}

/// `customer_of(person)` and so on: the id of a person of this kind; null for other people.
pub(crate) fn id_of(kind: PersonKind) -> ScalarUDF {
    let id_of = move |arguments: &[ArrayRef]| -> Result<ArrayRef> {
        let people = arguments[0].as_string::<i32>().iter();
        let ids = people.map(|person| person?.strip_prefix(kind.letter()));
        Ok(Arc::new(ids.collect::<StringArray>()))
    };
    create_udf(
        match kind {
            PersonKind::Customer => "customer_of",
            PersonKind::Device => "device_of",
            PersonKind::Playback => "playback_of",
        },
        vec![DataType::Utf8],
        DataType::Utf8,
        Volatility::Immutable,
        Arc::new(make_scalar_function(id_of, vec![])),
    )
}

/// `identities(playback_id, customer_id, device_id)`: the identities that a view is counted under.
///
/// They are compared, never shown. Each is a byte with the [`Identity`], then the first 120 bits of
/// a SHA-256: short, of one width, and without collisions, also between ids that are chosen to
/// collide.
pub(crate) fn identities() -> ScalarUDF {
    let identities = |arguments: &[ArrayRef]| -> Result<ArrayRef> {
        let [playbacks, customers, devices] =
            [0, 1, 2].map(|index: usize| arguments[index].as_string::<i32>());
        let mut hashes = Hashes::default();
        let lengths: Vec<usize> = (0..playbacks.len())
            .map(|row| {
                let device = text(devices, row);
                let person = person(text(customers, row), device);
                hashes.push(
                    Identity::Viewer,
                    person.unwrap_or(('p', playbacks.value(row))),
                );
                if let Some(device) = device {
                    hashes.push(Identity::Device, ('d', device));
                }
                1 + usize::from(device.is_some())
            })
            .collect();
        let offsets = OffsetBuffer::from_lengths(lengths);
        let lists = ListArray::try_new(hash_item(), offsets, hashes.finish()?, None)?;
        Ok(Arc::new(lists))
    };
    create_udf(
        "identities",
        vec![DataType::Utf8; 3],
        DataType::List(hash_item()),
        Volatility::Immutable,
        Arc::new(make_scalar_function(identities, vec![])),
    )
}

/// `viewer_hash(playback_id, customer_id, device_id)`: the entry of the viewer alone.
pub(crate) fn viewer_hash() -> ScalarUDF {
    let viewer_hash = |arguments: &[ArrayRef]| -> Result<ArrayRef> {
        let [playbacks, customers, devices] =
            [0, 1, 2].map(|index: usize| arguments[index].as_string::<i32>());
        let mut hashes = Hashes::default();
        for row in 0..playbacks.len() {
            let person = person(text(customers, row), text(devices, row));
            let viewer = person.unwrap_or(('p', playbacks.value(row)));
            hashes.push(Identity::Viewer, viewer);
        }
        hashes.finish()
    };
    create_udf(
        "viewer_hash",
        vec![DataType::Utf8; 3],
        DataType::FixedSizeBinary(HASH_BYTES),
        Volatility::Immutable,
        Arc::new(make_scalar_function(viewer_hash, vec![])),
    )
}

/// `identity(hash)`: the [`Identity`] of an entry of `identities`.
pub(crate) fn identity_of() -> ScalarUDF {
    let identity_of = |arguments: &[ArrayRef]| -> Result<ArrayRef> {
        let hashes = arguments[0].as_fixed_size_binary();
        let identities = hashes
            .iter()
            .map(|hash| hash.map(|hash| hash[0].cast_signed()));
        Ok(Arc::new(identities.collect::<Int8Array>()))
    };
    create_udf(
        "identity",
        vec![DataType::FixedSizeBinary(HASH_BYTES)],
        DataType::Int8,
        Volatility::Immutable,
        Arc::new(make_scalar_function(identity_of, vec![])),
    )
}

/// One byte for the identity, fifteen of the hash.
const HASH_BYTES: i32 = 16;

fn hash_item() -> Arc<Field> {
    let hash = DataType::FixedSizeBinary(HASH_BYTES);
    Arc::new(Field::new("item", hash, true))
}

#[derive(Default)]
struct Hashes(Vec<u8>);

impl Hashes {
    fn push(&mut self, identity: Identity, (kind, id): Key<'_>) {
        let kind = u8::try_from(kind).expect("kinds are letters");
        let digest = Sha256::new()
            .chain_update([kind])
            .chain_update(id)
            .finalize();
        let digest = digest
            .into_iter()
            .take(HASH_BYTES.unsigned_abs() as usize - 1);
        self.0.push(identity as u8);
        self.0.extend(digest);
    }

    fn finish(self) -> Result<ArrayRef> {
        let hashes = FixedSizeBinaryArray::try_new(HASH_BYTES, Buffer::from(self.0), None)?;
        Ok(Arc::new(hashes))
    }
}
