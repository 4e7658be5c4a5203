//! Bodies and lines.
//!
//! A body that is whole gives records and rejections, in the order of the
//! body. A body that is itself broken gives neither: nothing of it is stored.

use std::fmt;
use std::mem;

use serde::Serialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use showreport_model::Timestamp;
use showreport_model::facts::FactsBuilder;
use showreport_model::record::{Beat, Record};

use super::beat::beat;
use super::depth::{DEPTH_MAX, is_too_deep};
use super::fields::Fault;
use super::records;
use super::value::{Element, Fields, FromObject};

/// What a body is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One JSON value: an array of records, or one record.
    Json,
    /// A record a line.
    Ndjson,
    /// JSON if the whole body is one value, else a record a line.
    Either,
}

/// A record that was not taken, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Rejected {
    /// The line or the array's element, counted from 0; blank lines count.
    pub index: usize,
    /// `UPPER_SNAKE_CASE`.
    #[schema(value_type = String, example = "MISSING_FIELD")]
    pub reason: &'static str,
    /// What is wrong and what would be right.
    pub message: String,
    /// The field, where one is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// The records of a body that were not taken.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rejections {
    /// The first of them, at most [`REJECTIONS_NAMED_MAX`].
    pub named: Vec<Rejected>,
    /// How many there are.
    pub total: usize,
}

/// A body can hold millions of bad lines; naming each would take more memory than the body.
pub const REJECTIONS_NAMED_MAX: usize = 10_000;

/// Why a body is no body of records at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// There is nothing in it.
    #[error("the body is empty; send records as NDJSON, or as a JSON array or object")]
    Empty,
    /// It is not JSON from its beginning to its end.
    #[error("the body is no whole JSON value ({0}); nothing of it was stored")]
    Json(String),
    /// It has more records than a body of good ones can.
    #[error("the body has more than {RECORDS_MAX} records; nothing of it was stored")]
    TooMany,
}

/// Records in a body. Good ones are longer than 40 bytes, so no body of them has as many; one of
/// bad ones may be packed to nothing, and each takes time.
const RECORDS_MAX: usize = 400_000;

fn too_deep() -> String {
    format!("it nests deeper than {DEPTH_MAX} levels")
}

/// A good record.
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed<'a> {
    /// A playback in plain words, whose texts still lie in what was sent.
    Beat(Beat<'a>),
    /// Any other.
    Record(Record),
}

impl Parsed<'_> {
    /// Adds it to the facts. Tells whether it became a row.
    pub fn push_to(self, facts: &mut FactsBuilder) -> bool {
        match self {
            Self::Beat(beat) => facts.push_beat(&beat),
            Self::Record(record) => facts.push(record),
        }
    }
}

/// Reads one line of NDJSON.
pub fn parse_line(line: &[u8], index: usize, now: Timestamp) -> Result<Parsed<'_>, Rejected> {
    let malformed = |problem: &dyn fmt::Display| Rejected {
        index,
        reason: "MALFORMED_JSON",
        message: format!("the line is no JSON object: {problem}"),
        field: None,
    };
    let line = if index == 0 { without_mark(line) } else { line };
    // The whole line, since JSON skips the texts of unknown fields unread.
    let text = str::from_utf8(line).map_err(|_| malformed(&"it is not UTF-8"))?;
    if is_too_deep(line) {
        return Err(malformed(&too_deep()));
    }
    if let Some(beat) = beat(text, now) {
        return Ok(Parsed::Beat(beat));
    }
    let element = serde_json::from_str(text).map_err(|error| malformed(&error))?;
    check(element, index, now).map(Parsed::Record)
}

/// Reads a body, gives each good record to `keep`, and returns the bad ones.
///
/// On an error whatever `keep` was given must be dropped.
pub fn parse_body(
    body: &[u8],
    form: Form,
    now: Timestamp,
    keep: impl FnMut(Parsed<'_>),
) -> Result<Rejections, Broken> {
    let body = without_mark(body);
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Broken::Empty);
    }
    let form = match form {
        Form::Either if !is_too_deep(body) && is_one_value(body) => Form::Json,
        Form::Either => Form::Ndjson,
        other => other,
    };
    let mut sieve = Sieve {
        now,
        keep,
        records: 0,
        rejections: Rejections::default(),
    };
    if form == Form::Json {
        sieve.json(body)?;
    } else {
        sieve.lines(body)?;
    }
    Ok(mem::take(&mut sieve.rejections))
}

/// Some editors begin a file with a byte-order mark.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

fn is_one_value(body: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(body).is_ok()
}

fn check(element: Element<Fields<'_>>, index: usize, now: Timestamp) -> Result<Record, Rejected> {
    match element {
        Element::Object(fields) => records::record(&fields, now).map_err(|fault| {
            let Fault {
                reason,
                message,
                field,
            } = fault;
            Rejected {
                index,
                reason,
                message,
                field: Some(field),
            }
        }),
        Element::Other(is) => Err(Rejected {
            index,
            reason: "NOT_AN_OBJECT",
            message: format!("the record is {is}; it must be a JSON object"),
            field: None,
        }),
    }
}

/// Parts good records from bad ones.
struct Sieve<F> {
    now: Timestamp,
    keep: F,
    records: usize,
    rejections: Rejections,
}

impl<F: FnMut(Parsed<'_>)> Sieve<F> {
    fn lines(&mut self, body: &[u8]) -> Result<(), Broken> {
        for (index, line) in body.split(|&byte| byte == b'\n').enumerate() {
            if !line.iter().all(u8::is_ascii_whitespace) {
                self.sort(parse_line(line, index, self.now));
            }
            if self.records > RECORDS_MAX {
                return Err(Broken::TooMany);
            }
        }
        Ok(())
    }

    fn json(&mut self, body: &[u8]) -> Result<(), Broken> {
        let text = str::from_utf8(body).map_err(|_| Broken::Json("it is not UTF-8".to_owned()))?;
        if is_too_deep(body) {
            return Err(Broken::Json(too_deep()));
        }
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let read = Whole(&mut *self).deserialize(&mut deserializer);
        let read = read.and_then(|()| deserializer.end());
        if self.records > RECORDS_MAX {
            return Err(Broken::TooMany);
        }
        read.map_err(|error| Broken::Json(error.to_string()))
    }

    fn sort(&mut self, outcome: Result<Parsed<'_>, Rejected>) {
        self.records += 1;
        match outcome {
            Ok(record) => (self.keep)(record),
            Err(rejected) => {
                self.rejections.total += 1;
                if self.rejections.named.len() < REJECTIONS_NAMED_MAX {
                    self.rejections.named.push(rejected);
                }
            }
        }
    }

    fn element(&mut self, index: usize, element: Element<Fields<'_>>) {
        self.sort(check(element, index, self.now).map(Parsed::Record));
    }
}

/// A whole JSON body: an array of records, or what stands for the only one.
/// Elements are sorted as they come, so that the array is never in memory twice.
struct Whole<'s, F>(&'s mut Sieve<F>);

impl<F: FnMut(Parsed<'_>)> Whole<'_, F> {
    fn only(self, is: &'static str) {
        self.0.element(0, Element::Other(is));
    }
}

impl<'de, F: FnMut(Parsed<'_>)> DeserializeSeed<'de> for Whole<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(Parsed<'_>)> Visitor<'de> for Whole<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records, or one record")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut index = 0;
        while let Some(element) = list.next_element()? {
            self.0.element(index, element);
            index += 1;
            if index > RECORDS_MAX {
                return Err(A::Error::custom("too many records"));
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let fields = Fields::from_object(map)?;
        self.0.element(0, Element::Object(fields));
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.only("null");
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.only("a boolean");
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.only("a number");
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.only("a number");
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.only("a number");
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.only("a string");
        Ok(())
    }
}

#[cfg(test)]
mod tests;
