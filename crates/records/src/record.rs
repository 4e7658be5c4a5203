//! One record: from its JSON to a [`Decoded`] record or a [`Rejection`].

use showreport_model::facts::FactsBuilder;
use showreport_model::record::{PlaybackRef, Record};

use crate::context::Context;
use crate::diagnosis::{Malformed, diagnose};
use crate::fields::FieldError;
use crate::long_ids::with_long_ids_as_strings;
use crate::playback::decode_playback;
use crate::reason::Reason;
use crate::repeated::repeated_field;
use crate::rules;
use crate::value::{Element, Fields, PollOptionFields, Value};

/// The most bytes of a record as it is sent. It bounds what one record takes of every later step.
pub(crate) const RECORD_BYTES_MAX: usize = 64 << 10;

/// A record that is rejected, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The line, or the element of the array, counted from 0. Blank lines count.
    pub index: usize,
    /// Why.
    pub reason: Reason,
    /// What is wrong and what would be right.
    pub message: String,
    /// The field that is wrong, with its path inside the record.
    pub field: Option<String>,
}

/// A record that was accepted.
#[derive(Debug, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// A playback that borrows its texts from the body.
    Playback(PlaybackRef<'a>),
    Record(Record),
}

impl Decoded<'_> {
    /// Adds the record to the facts. Returns whether it became a row of its own.
    #[inline]
    pub fn push_to(self, facts: &mut FactsBuilder) -> bool {
        match self {
            Self::Playback(playback) => facts.push_playback(&playback),
            Self::Record(record) => facts.push(record),
        }
    }
}

/// Decodes the JSON of one record, which is number `index` of its body or file.
pub fn decode_record<'a>(
    record: &'a [u8],
    index: usize,
    context: &'a Context,
) -> Result<Decoded<'a>, Rejection> {
    decode(record, context).map_err(|error| error.rejection(index))
}

/// Why a record is rejected. The message is only made for records that a response names.
pub(crate) enum RecordError<'a> {
    /// Not JSON. There is no error of the parser where the record is not UTF-8.
    Malformed(&'a [u8], Option<serde_json::Error>),
    /// The number of its bytes.
    TooLarge(usize),
    NotAnObject(&'static str),
    /// The path of a field that is given twice.
    Repeated(String),
    Field(FieldError),
}

impl RecordError<'_> {
    pub(crate) fn rejection(self, index: usize) -> Rejection {
        let (reason, message, field) = match self {
            Self::Malformed(record, error) => {
                let error = error.map_or("it is not UTF-8".to_owned(), |error| error.to_string());
                let Malformed {
                    reason,
                    message,
                    field,
                } = diagnose(record, &error);
                (reason, message, field)
            }
            Self::TooLarge(bytes) => {
                let message =
                    format!("the record has {bytes} bytes; it may have {RECORD_BYTES_MAX}");
                (Reason::RecordTooLarge, message, None)
            }
            Self::NotAnObject(is) => {
                let message = format!("the record is {is}; it must be a JSON object");
                (Reason::NotAnObject, message, None)
            }
            Self::Repeated(path) => {
                // An unknown name may be personal data, so it is not repeated.
                let field = is_known(&path).then_some(path);
                let named = field.as_ref().map(|field| format!("`{field}`"));
                let named = named.unwrap_or_else(|| "a field that records do not have".to_owned());
                let message = format!("{named} is given twice; give each field once");
                (Reason::RepeatedField, message, field)
            }
            Self::Field(error) => (error.reason, error.message, Some(error.field)),
        };
        Rejection {
            index,
            reason,
            message,
            field,
        }
    }
}

pub(crate) fn decode<'a>(
    record: &'a [u8],
    context: &'a Context,
) -> Result<Decoded<'a>, RecordError<'a>> {
    decode_as(record, None, context)
}

/// Decodes the JSON of a record that may lack its type, which is then `record_type`.
pub(crate) fn decode_as<'a>(
    record: &'a [u8],
    record_type: Option<&str>,
    context: &'a Context,
) -> Result<Decoded<'a>, RecordError<'a>> {
    let record = without_bom(record).trim_ascii();
    if record.len() > RECORD_BYTES_MAX {
        return Err(RecordError::TooLarge(record.len()));
    }
    // The parser does not check the strings of unknown fields.
    let text = str::from_utf8(record).map_err(|_| RecordError::Malformed(record, None))?;
    // The fast decoder knows no viewer tokens. It leaves records that have one to the general one.
    if !context.viewer_tokens.concerns_all()
        && let Some(playback) = decode_playback(text, context)
    {
        return Ok(Decoded::Playback(playback));
    }
    let malformed = |error| RecordError::Malformed(record, Some(error));
    let element = serde_json::from_str(text).map_err(malformed)?;
    ensure_fields_once(&element, text)?;
    match check(with_type(element, record_type), context) {
        Err(RecordError::Field(error)) if error.is_long_integer => {
            let text = with_long_ids_as_strings(text);
            let element = serde_json::from_str(&text).map_err(malformed)?;
            check(with_type(element, record_type), context).map(Decoded::Record)
        }
        checked => checked.map(Decoded::Record),
    }
}

/// Gives a record its type if it has none.
fn with_type<'a>(
    mut element: Element<Fields<'a>>,
    record_type: Option<&'a str>,
) -> Element<Fields<'a>> {
    if let (Element::Object(fields), Some(name)) = (&mut element, record_type)
        && fields.record_type.is_empty()
    {
        fields.record_type = Value::Text(name.into());
    }
    element
}

/// Removes the UTF-8 byte-order mark that some editors write at the beginning of a file.
pub fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// Rejects a record that gives a field twice, since readers of JSON disagree on which one counts.
pub(crate) fn ensure_fields_once(
    element: &Element<Fields<'_>>,
    text: &str,
) -> Result<(), RecordError<'static>> {
    match element {
        Element::Object(_) => {
            repeated_field(text).map_or(Ok(()), |path| Err(RecordError::Repeated(path)))
        }
        Element::Other(_) => Ok(()),
    }
}

/// Whether records have every field of a path such as `options[0].text`.
fn is_known(path: &str) -> bool {
    let mut names = path.split('.').filter_map(|part| part.split('[').next());
    names.all(|name| Fields::NAMES.contains(&name) || PollOptionFields::NAMES.contains(&name))
}

pub(crate) fn check(
    element: Element<Fields<'_>>,
    context: &Context,
) -> Result<Record, RecordError<'static>> {
    match element {
        Element::Object(mut fields) => {
            let viewer_tokens = &context.viewer_tokens;
            viewer_tokens
                .apply(&mut fields, context.now)
                .and_then(|()| rules::record(&fields, context))
                .map_err(RecordError::Field)
        }
        Element::Other(is) => Err(RecordError::NotAnObject(is)),
    }
}
