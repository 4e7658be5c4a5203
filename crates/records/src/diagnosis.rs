//! Finds the field that makes a record malformed, and how to correct it.
//!
//! The parser reports only a position. Here the record is split into its fields, and the first with
//! a value that cannot be parsed is reported. This is slow, and done for rejected records only.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::reason::Reason;
use crate::scan::{Parts, key_and_value, string_end};
use crate::value::{Fields, PollOptionFields};

/// The levels that are searched: `options[3].text` is on the third.
const LEVELS_MAX: usize = 3;

/// Why a record cannot be parsed.
pub(crate) struct Malformed {
    pub(crate) reason: Reason,
    pub(crate) message: String,
    /// The field; `None` if records do not have it.
    pub(crate) field: Option<String>,
}

/// Why the parser refused a record with this error.
pub(crate) fn diagnose(record: &[u8], error: &dyn fmt::Display) -> Malformed {
    if let Some(found) = malformed_field(record) {
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
    Malformed {
        reason: Reason::MalformedJson,
        message,
        field: None,
    }
}

/// The first field with a value that cannot be parsed.
fn malformed_field(record: &[u8]) -> Option<Malformed> {
    Parts::of_object(record)?.find_map(|member| {
        let (key, value) = key_and_value(member)?;
        if can_be_parsed(value) {
            return None;
        }
        let name = str::from_utf8(key).ok()?;
        // An unknown name may be personal data, so it is not repeated.
        if Fields::NAMES.contains(&name) {
            return Some(malformed_within(name.to_owned(), value, LEVELS_MAX));
        }
        let (reason, problem) = problem(value);
        Some(Malformed {
            reason,
            message: format!("a field that records do not have {problem}"),
            field: None,
        })
    })
}

fn malformed_within(path: String, value: &[u8], levels: usize) -> Malformed {
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
        let within = elements
            .chain(members)
            .find(|(_, part)| !can_be_parsed(part));
        if let Some((name, part)) = within {
            return malformed_within(path + &name, part, levels - 1);
        }
    }
    let (reason, problem) = problem(value);
    Malformed {
        reason,
        message: format!("`{path}` {problem}"),
        field: Some(path),
    }
}

fn can_be_parsed(value: &[u8]) -> bool {
    serde_json::from_slice::<Parsed>(value).is_ok()
}

/// The reason and the message for a value, without the name of its field.
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
        // The opening quote does not count.
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

/// Whether a value follows the grammar of JSON, whether or not it can be represented.
fn is_well_formed(value: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(value).is_ok()
}

/// Any value that can be parsed to its end. Nothing of it is kept.
struct Parsed;

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Parsed {
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
