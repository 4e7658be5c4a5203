//! Why a record is no JSON: the field, what it holds and how to mend it.
//!
//! The reader says only where it stopped. Here the record is divided into its members, and the
//! first whose value cannot be read is named. Slow, and only for records that are refused.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::reason::Reason;
use crate::scan::{Parts, key_and_value, string_end};
use crate::value::{Fields, PollOptionFields};

/// How deep a field is looked for: `options[3].text` lies in the third.
const LEVELS_MAX: usize = 3;

/// What keeps a record from being read.
pub(crate) struct Unreadable {
    pub(crate) reason: Reason,
    pub(crate) message: String,
    /// The field, if it is one of those that records have.
    pub(crate) field: Option<String>,
}

/// What is wrong with a record that the reader refused with this error.
pub(crate) fn diagnose(record: &[u8], error: &dyn fmt::Display) -> Unreadable {
    if let Some(found) = unreadable_field(record) {
        return found;
    }
    let rest = Parts::of_object(record).map(Parts::end);
    let message = match rest {
        Some(None) => "the record is cut short: a quote or a bracket is missing".to_owned(),
        Some(Some(rest)) if !rest.trim_ascii().is_empty() => {
            "something follows the record; put each record on a line of its own, or all into one \
             array"
                .to_owned()
        }
        _ if record.is_empty() => {
            "there is no record before a comma or before the end of the array".to_owned()
        }
        _ => format!("the record is no JSON object: {error}"),
    };
    Unreadable {
        reason: Reason::MalformedJson,
        message,
        field: None,
    }
}

/// The first field whose value cannot be read.
fn unreadable_field(record: &[u8]) -> Option<Unreadable> {
    Parts::of_object(record)?.find_map(|member| {
        let (key, value) = key_and_value(member)?;
        if is_readable(value) {
            return None;
        }
        let name = str::from_utf8(key).ok()?;
        // A key may be anything that was sent, so only names of ours are repeated.
        if Fields::NAMES.contains(&name) {
            return Some(unreadable_within(name.to_owned(), value, LEVELS_MAX));
        }
        let (reason, problem) = problem(value);
        Some(Unreadable {
            reason,
            message: format!("a field that records do not have {problem}"),
            field: None,
        })
    })
}

fn unreadable_within(path: String, value: &[u8], levels: usize) -> Unreadable {
    if levels > 1 {
        let elements = Parts::of_array(value).into_iter().flatten().enumerate();
        let elements = elements.map(|(index, element)| (format!("[{index}]"), element));
        let members = Parts::of_object(value).into_iter().flatten();
        let members = members
            .filter_map(key_and_value)
            .filter_map(|(key, value)| {
                let name = PollOptionFields::NAMES
                    .iter()
                    .find(|name| name.as_bytes() == key)?;
                Some((format!(".{name}"), value))
            });
        let within = elements.chain(members).find(|(_, part)| !is_readable(part));
        if let Some((name, part)) = within {
            return unreadable_within(path + &name, part, levels - 1);
        }
    }
    let (reason, problem) = problem(value);
    Unreadable {
        reason,
        message: format!("`{path}` {problem}"),
        field: Some(path),
    }
}

fn is_readable(value: &[u8]) -> bool {
    serde_json::from_slice::<Readable>(value).is_ok()
}

/// What is wrong with a value, and what would be right.
fn problem(value: &[u8]) -> (Reason, String) {
    let malformed = |problem: &str| (Reason::MalformedJson, problem.to_owned());
    match value.first() {
        Some(b'"') => text_problem(value),
        Some(b'-' | b'0'..=b'9') if is_well_formed(value) => (
            Reason::OutOfRange,
            "is a number too large to be read; send one below 1e308, or leave it out".to_owned(),
        ),
        None => malformed("has no value; send null, or leave it out"),
        Some(_) => malformed(
            "is no JSON value; those are numbers such as 0.5, \"texts\", true, false, null, arrays \
             and objects",
        ),
    }
}

fn text_problem(text: &[u8]) -> (Reason, String) {
    let problem = if let Err(error) = str::from_utf8(text) {
        // The opening quote is no byte of the text.
        let byte = error.valid_up_to().saturating_sub(1);
        format!("is not UTF-8 from its byte {byte} on; write it as UTF-8")
    } else if let Some(byte) = text.iter().find(|byte| **byte < b' ') {
        format!("holds the control character U+{byte:04X} as it is; write an escape, such as \\n")
    } else if is_well_formed(text) {
        let problem = "holds half of a surrogate pair, such as \\ud83d: the text was cut in the \
                       middle of a character; cut it between characters";
        return (Reason::InvalidText, problem.to_owned());
    } else if string_end(text, 1) != Some(text.len() - 1) {
        "holds a quote as it is; write \\\"".to_owned()
    } else {
        "holds an escape that JSON does not have; it has \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u with \
         four digits"
            .to_owned()
    };
    (Reason::MalformedJson, problem)
}

/// Whether a value has the form of JSON, whatever it stands for.
fn is_well_formed(value: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(value).is_ok()
}

/// Any value that can be read to its end; nothing of it is kept.
struct Readable;

impl<'de> Deserialize<'de> for Readable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Readable {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}
