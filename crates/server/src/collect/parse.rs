//! Bodies and lines.
//!
//! A body that is whole gives records and rejections, in the order of the
//! body. A body that is itself broken gives neither: nothing of it is stored.

use std::mem;

use serde::Serialize;
use serde::de::IgnoredAny;
use showreport_model::Timestamp;
use showreport_model::facts::FactsBuilder;
use showreport_model::record::{Beat, Record};

use super::beat::beat;
use super::charset::Wide;
use super::decompress::Encoding;
use super::depth::{DEPTH_MAX, is_too_deep};
use super::diagnosis::{Unreadable, diagnose};
use super::fields::Fault;
use super::long_ids::as_texts;
use super::records;
use super::scan::Parts;
use super::value::{Element, Fields, PollOptionFields};
use crate::extract::repeated_field;

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
    #[error("the body is no whole JSON value: {0}; nothing of it was stored")]
    Json(&'static str),
    /// It is another code than UTF-8.
    #[error(
        "the body is {name}; records are UTF-8: convert it with `iconv -f {name} -t UTF-8`, in PowerShell \
         write it with `-Encoding utf8`; nothing of it was stored",
        name = .0.name()
    )]
    Wide(Wide),
    /// It is packed, and its headers do not say so.
    #[error("the body is packed; send `Content-Encoding: {0}` with it; nothing of it was stored")]
    Packed(&'static str),
    /// It has more records than a body of good ones can.
    #[error("the body has more than {RECORDS_MAX} records; nothing of it was stored")]
    TooMany,
}

/// Records in a body. Good ones are longer than 40 bytes, so no body of them has as many; one of
/// bad ones may be packed to nothing, and each takes time.
const RECORDS_MAX: usize = 400_000;

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

/// Reads one line of NDJSON, or one element of an array.
pub fn parse_line(line: &[u8], index: usize, now: Timestamp) -> Result<Parsed<'_>, Rejected> {
    read_record(line, now).map_err(|wrong| wrong.rejected(index))
}

/// Why a record is not taken. The words are only found where they are wanted.
enum Wrong<'a> {
    /// No JSON reader takes it; without an error, since it is no UTF-8.
    Unreadable(&'a [u8], Option<serde_json::Error>),
    TooDeep,
    NotAnObject(&'static str),
    /// The path of a field that it has twice.
    Repeated(String),
    Fault(Fault),
}

impl Wrong<'_> {
    fn rejected(self, index: usize) -> Rejected {
        let (reason, message, field) = match self {
            Self::Unreadable(record, error) => {
                let error = error.map_or("it is not UTF-8".to_owned(), |error| error.to_string());
                let Unreadable {
                    reason,
                    message,
                    field,
                } = diagnose(record, &error);
                (reason, message, field)
            }
            Self::TooDeep => {
                let message = format!("the record nests deeper than {DEPTH_MAX} levels");
                ("MALFORMED_JSON", message, None)
            }
            Self::NotAnObject(is) => {
                let message = format!("the record is {is}; it must be a JSON object");
                ("NOT_AN_OBJECT", message, None)
            }
            Self::Repeated(path) => {
                // A key may be anything that was sent, so only names of ours are repeated.
                let field = is_of_ours(&path).then_some(path);
                let named = field.as_ref().map(|field| format!("`{field}`"));
                let named = named.unwrap_or_else(|| "a field that records do not have".to_owned());
                let message = format!("{named} is given twice; give each field once");
                ("REPEATED_FIELD", message, field)
            }
            Self::Fault(fault) => (fault.reason, fault.message, Some(fault.field)),
        };
        Rejected {
            index,
            reason,
            message,
            field,
        }
    }
}

fn read_record(record: &[u8], now: Timestamp) -> Result<Parsed<'_>, Wrong<'_>> {
    let record = without_mark(record);
    // All of it, since JSON skips the texts of unknown fields unread.
    let text = str::from_utf8(record).map_err(|_| Wrong::Unreadable(record, None))?;
    if is_too_deep(record) {
        return Err(Wrong::TooDeep);
    }
    if let Some(beat) = beat(text, now) {
        return Ok(Parsed::Beat(beat));
    }
    let unreadable = |error| Wrong::Unreadable(record, Some(error));
    let element = serde_json::from_str(text).map_err(unreadable)?;
    ensure_fields_once(&element, text)?;
    match check(element, now) {
        Err(Wrong::Fault(fault)) if fault.is_long_integer => {
            let texts = as_texts(text);
            let element = serde_json::from_str(&texts).map_err(unreadable)?;
            check(element, now).map(Parsed::Record)
        }
        checked => checked.map(Parsed::Record),
    }
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
    if let Some(wide) = Wide::of(body) {
        return Err(Broken::Wide(wide));
    }
    if let Some(encoding) = Encoding::from_head(body) {
        return Err(Broken::Packed(encoding.name()));
    }
    let body = without_mark(body);
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Broken::Empty);
    }
    let form = match form {
        Form::Either if is_one_value(body) => Form::Json,
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

/// The bytes without the byte-order mark that some editors begin a file with.
pub fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// Whether a body in either form is JSON. An array whose elements cannot all be read is one, too.
fn is_one_value(body: &[u8]) -> bool {
    match Parts::of_array(body) {
        Some(elements) => elements.are_all(),
        None => !is_too_deep(body) && serde_json::from_slice::<IgnoredAny>(body).is_ok(),
    }
}

/// Refuses a record that has a field twice: which of the two holds would be our guess.
fn ensure_fields_once(element: &Element<Fields<'_>>, text: &str) -> Result<(), Wrong<'static>> {
    match element {
        Element::Object(_) => {
            repeated_field(text).map_or(Ok(()), |path| Err(Wrong::Repeated(path)))
        }
        Element::Other(_) => Ok(()),
    }
}

/// Whether each name of a path, such as `options[0].text`, is one that records have.
fn is_of_ours(path: &str) -> bool {
    let mut names = path.split('.').filter_map(|part| part.split('[').next());
    names.all(|name| Fields::NAMES.contains(&name) || PollOptionFields::NAMES.contains(&name))
}

fn check(element: Element<Fields<'_>>, now: Timestamp) -> Result<Record, Wrong<'static>> {
    match element {
        Element::Object(fields) => records::record(&fields, now).map_err(Wrong::Fault),
        Element::Other(is) => Err(Wrong::NotAnObject(is)),
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
            // Of files that were joined, each may begin with a mark.
            let line = without_mark(line);
            if !line.iter().all(u8::is_ascii_whitespace) {
                self.sort(read_record(line, self.now), index);
            }
            if self.records > RECORDS_MAX {
                return Err(Broken::TooMany);
            }
        }
        Ok(())
    }

    fn json(&mut self, body: &[u8]) -> Result<(), Broken> {
        if let Some(elements) = Parts::of_array(body) {
            return self.elements(elements);
        }
        match Parts::of_object(body).map(Parts::end) {
            Some(None) => return Err(Broken::Json("it is cut short")),
            Some(Some(rest)) if !rest.trim_ascii().is_empty() => {
                return Err(Broken::Json(
                    "something follows the record; send records a line each as \
                     application/x-ndjson, or all in one array",
                ));
            }
            // A value that is no object is named as a record; what is no value is none.
            None if serde_json::from_slice::<IgnoredAny>(body).is_err() => {
                return Err(Broken::Json("it is no JSON"));
            }
            _ => {}
        }
        self.sort(read_record(body.trim_ascii(), self.now), 0);
        Ok(())
    }

    /// Sorts elements as they are found, so that the array is never in memory twice.
    fn elements(&mut self, mut elements: Parts<'_>) -> Result<(), Broken> {
        for (index, element) in elements.by_ref().enumerate() {
            self.sort(read_record(element, self.now), index);
            if self.records > RECORDS_MAX {
                return Err(Broken::TooMany);
            }
        }
        match elements.end() {
            None => Err(Broken::Json("the array is cut short")),
            Some(rest) if rest.trim_ascii().is_empty() => Ok(()),
            Some(_) => Err(Broken::Json("something follows the array")),
        }
    }

    fn sort(&mut self, outcome: Result<Parsed<'_>, Wrong<'_>>, index: usize) {
        self.records += 1;
        match outcome {
            Ok(record) => (self.keep)(record),
            Err(wrong) => {
                self.rejections.total += 1;
                if self.rejections.named.len() < REJECTIONS_NAMED_MAX {
                    self.rejections.named.push(wrong.rejected(index));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
