//! The fields of a record as JSON values of any type, so that a wrong type is reported with its
//! field.
//!
//! Strings are borrowed from the body. Unknown fields and deeper levels than records have are
//! skipped.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The value of a field. `L` is the type of lists; by default they are skipped.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum Value<'a, L = Skipped> {
    /// Missing or `null`.
    #[default]
    Absent,
    Bool(bool),
    Integer(i64),
    /// An integer above `i64::MAX`.
    Unsigned(u64),
    /// A number with a fraction or an exponent, or an integer of more than 64 bits.
    Number(f64),
    Text(Cow<'a, str>),
    List(L),
    Object,
}

impl<L> Value<'_, L> {
    /// Whether the field is missing, `null` or `""`.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Absent => true,
            Self::Text(text) => text.is_empty(),
            _ => false,
        }
    }

    /// The type, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Absent => "null",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) | Self::Unsigned(_) => "an integer",
            Self::Number(_) => "a number that is no 64-bit integer",
            Self::Text(_) => "a string",
            Self::List(_) => "an array",
            Self::Object => "an object",
        }
    }
}

/// A type that lists are parsed into.
pub(crate) trait FromList<'de>: Sized {
    fn from_list<A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error>;
}

/// A list that is parsed and dropped.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Skipped;

impl<'de> FromList<'de> for Skipped {
    fn from_list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self)
    }
}

/// The elements of a list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Elements<T> {
    /// At most [`ELEMENTS_MAX`].
    pub(crate) kept: Vec<T>,
    /// Whether there were more.
    pub(crate) more: bool,
}

/// The most elements of a list. It bounds the memory that a hostile record takes.
pub(crate) const ELEMENTS_MAX: usize = 1000;

impl<'de, T: Deserialize<'de>> FromList<'de> for Elements<T> {
    fn from_list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let mut kept = Vec::new();
        while kept.len() < ELEMENTS_MAX {
            match list.next_element()? {
                Some(element) => kept.push(element),
                None => return Ok(Self { kept, more: false }),
            }
        }
        let more = list.next_element::<IgnoredAny>()?.is_some();
        Skipped::from_list(list)?;
        Ok(Self { kept, more })
    }
}

impl<'de: 'a, 'a, L: FromList<'de>> Deserialize<'de> for Value<'a, L> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor(PhantomData))
    }
}

struct ValueVisitor<L>(PhantomData<L>);

impl<'de, L: FromList<'de>> Visitor<'de> for ValueVisitor<L> {
    type Value = Value<'de, L>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Value::Absent)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(value).map_or(Value::Unsigned(value), Value::Integer))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        L::from_list(list).map(Value::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        skip_object(map)?;
        Ok(Value::Object)
    }
}

/// An object of known fields.
pub(crate) trait FromObject<'de>: Sized {
    fn from_object<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error>;
}

/// An object, or the type of the value that was sent in place of it.
#[derive(Debug)]
pub(crate) enum Element<T> {
    Object(T),
    Other(&'static str),
}

impl<'de, T: FromObject<'de>> Deserialize<'de> for Element<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ElementVisitor(PhantomData))
    }
}

struct ElementVisitor<T>(PhantomData<T>);

impl<'de, T: FromObject<'de>> Visitor<'de> for ElementVisitor<T> {
    type Value = Element<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Element::Other("null"))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Element::Other("a boolean"))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Element::Other("a number"))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Element::Other("a number"))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Element::Other("a number"))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Element::Other("a string"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        Skipped::from_list(list)?;
        Ok(Element::Other("an array"))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::from_object(map).map(Element::Object)
    }
}

/// The name of a field.
pub(crate) struct Key<'a>(pub(crate) Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = Key<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Borrowed(name)))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Owned(name.to_owned())))
    }
}

fn skip_object<'de, A: MapAccess<'de>>(mut map: A) -> Result<(), A::Error> {
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

/// Defines an object by its fields. Of a repeated field the last counts; the record is rejected
/// later.
macro_rules! object {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty = $key:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(crate) struct $name<'a> { $(pub(crate) $field: $type,)* }

        impl<'de> $crate::value::FromObject<'de> for $name<'de> {
            fn from_object<A: serde::de::MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
                let mut object = Self::default();
                while let Some($crate::value::Key(name)) = map.next_key()? {
                    match name.as_ref() {
                        $($key => object.$field = map.next_value()?,)*
                        _ => { map.next_value::<serde::de::IgnoredAny>()?; }
                    }
                }
                Ok(object)
            }
        }
    };
}

pub(crate) use object;

/// Defines an object, and the names of its fields for messages.
macro_rules! named_object {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty = $key:literal,)* }) => {
        object! { $(#[$doc])* $name { $($field: $type = $key,)* } }

        impl $name<'_> {
            /// The name of each field.
            pub(crate) const NAMES: &'static [&'static str] = &[$($key,)*];
        }
    };
}

named_object! {
    /// An option of a poll.
    PollOptionFields {
        id: Value<'a> = "id",
        text: Value<'a> = "text",
        correct: Value<'a> = "correct",
    }
}

named_object! {
    /// Every field that a record of any type can have.
    Fields {
        record_type: Value<'a> = "type",
        event_id: Value<'a> = "event_id",
        playback_id: Value<'a> = "playback_id",
        message_id: Value<'a> = "message_id",
        poll_id: Value<'a> = "poll_id",
        vote_id: Value<'a> = "vote_id",
        customer_id: Value<'a> = "customer_id",
        device_id: Value<'a> = "device_id",
        device_os: Value<'a> = "device_os",
        geo_region: Value<'a> = "geo_region",
        user_agent: Value<'a> = "user_agent",
        ip: Value<'a> = "ip",
        position_ms: Value<'a> = "position_ms",
        rate: Value<'a> = "rate",
        seq: Value<'a> = "seq",
        at: Value<'a> = "at",
        playing: Value<'a> = "playing",
        from: Value<'a> = "from",
        to: Value<'a> = "to",
        kind: Value<'a> = "kind",
        title: Value<'a> = "title",
        starts_at: Value<'a> = "starts_at",
        ends_at: Value<'a> = "ends_at",
        duration_ms: Value<'a> = "duration_ms",
        updated_at: Value<'a> = "updated_at",
        sent_at: Value<'a> = "sent_at",
        text: Value<'a> = "text",
        name: Value<'a> = "name",
        role: Value<'a> = "role",
        deleted: Value<'a> = "deleted",
        question: Value<'a> = "question",
        choice: Value<'a> = "choice",
        options: Value<'a, Elements<Element<PollOptionFields<'a>>>> = "options",
        status: Value<'a> = "status",
        started_at: Value<'a> = "started_at",
        ended_at: Value<'a> = "ended_at",
        option_ids: Value<'a, Elements<Value<'a>>> = "option_ids",
        voted_at: Value<'a> = "voted_at",
        viewer_token: Value<'a> = "viewer_token",
    }
}

/// The name of every field that a record of any type can have.
pub(crate) const FIELD_NAMES: &[&str] = Fields::NAMES;
