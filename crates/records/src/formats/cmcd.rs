//! CMCD, version 2 and older: what players report by themselves (CTA-5004-B).
//!
//! A body has a report a line; a report is a dictionary of structured fields (RFC 8941). Each report
//! becomes a beat. Unknown keys, and values of another type than their key has, are ignored one by
//! one. A report of a higher version, or without session, time or event, is rejected.

use std::borrow::Cow;
use std::convert::Infallible;

use percent_encoding::{AsciiSet, percent_decode_str, percent_encode};
use sfv::visitor::{
    DictionaryVisitor, EntryVisitor, Ignored, InnerListVisitor, ItemVisitor, ParameterVisitor,
};
use sfv::{BareItemFromInput, KeyRef, Parser};

use super::ndjson::lines;
use crate::context::GivenFields;
use crate::fields::FieldError;
use crate::format::{DecodeError, Format, Sink};
use crate::reason::Reason;
use crate::record::{RECORD_BYTES_MAX, RecordError};
use crate::value::{Fields, Value};

/// The highest version that is understood. A report without one is of version 1.
const VERSION_MAX: i64 = 2;

/// The state of a player that plays.
const PLAYING: &str = "p";

/// A report of CMCD a line.
#[derive(Debug)]
pub(crate) struct Cmcd;

impl Format for Cmcd {
    fn media_type(&self) -> &'static str {
        "application/cmcd"
    }

    fn description(&self) -> &'static str {
        "a report of CMCD a line"
    }

    fn decode(&self, body: &[u8], sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        let given = &sink.context().given;
        for (index, line) in lines(body).enumerate() {
            let line = line.trim_ascii();
            // Players of today end each body with a blank line.
            if line.is_empty() {
                continue;
            }
            if line.len() > RECORD_BYTES_MAX {
                sink.refuse(RecordError::TooLarge(line.len()), index)?;
                continue;
            }
            let text = in_ascii(line);
            let report = Parser::new(&*text).parse_dictionary_with_visitor(Report::default());
            let Ok(mut report) = report else {
                let message = "the line is no dictionary of structured fields (RFC 8941)";
                sink.reject(index, Reason::MalformedCmcd, message.to_owned())?;
                continue;
            };
            if matches!(text, Cow::Owned(_)) {
                report.restore_texts();
            }
            match report.into_beat(given) {
                Ok(beat) => sink.fields(beat, index)?,
                Err(error) => sink.refuse(RecordError::Field(error), index)?,
            }
        }
        Ok(())
    }

    /// A player expects `204` whether or not a line can be used.
    fn may_be_empty(&self) -> bool {
        true
    }
}

/// `%`, so that [`Report::restore_texts`] gives back each text as it was. Bytes that are not ASCII
/// are always encoded.
const PERCENT: &AsciiSet = &AsciiSet::EMPTY.add(b'%');

/// The line with its characters beyond ASCII percent-encoded. Structured fields have none, but
/// players write titles and names as they are.
fn in_ascii(line: &[u8]) -> Cow<'_, [u8]> {
    if line.is_ascii() {
        Cow::Borrowed(line)
    } else {
        Cow::Owned(percent_encode(line, PERCENT).to_string().into_bytes())
    }
}

/// The keys of a report that a beat is made of.
#[derive(Default)]
struct Report<'a> {
    version: Option<i64>,
    session: Option<Cow<'a, str>>,
    content: Option<Cow<'a, str>>,
    at: Option<i64>,
    number: Option<i64>,
    is_playing: bool,
}

impl<'a> Report<'a> {
    /// Takes the value of a key, or nothing if it has another type. The last value of a key counts.
    fn set(&mut self, key: &str, value: Option<&BareItemFromInput<'a>>) {
        let integer = || Some(i64::from(value?.as_integer()?));
        let text = || match value {
            Some(BareItemFromInput::String(Cow::Borrowed(text))) => {
                Some(Cow::Borrowed(text.as_str()))
            }
            Some(BareItemFromInput::String(Cow::Owned(text))) => {
                Some(Cow::Owned(text.as_str().to_owned()))
            }
            _ => None,
        };
        match key {
            "v" => self.version = integer(),
            "sid" => self.session = text(),
            "cid" => self.content = text(),
            "ts" => self.at = integer(),
            "sn" => self.number = integer().filter(|number| *number >= 0),
            "sta" => {
                let state = value.and_then(BareItemFromInput::as_token);
                self.is_playing = state.is_some_and(|state| state.as_str() == PLAYING);
            }
            _ => {}
        }
    }

    /// Undoes [`in_ascii`]. A text that is not UTF-8 is as good as none.
    fn restore_texts(&mut self) {
        for text in [&mut self.session, &mut self.content] {
            let Some(encoded) = text.take() else { continue };
            let decoded = percent_decode_str(&encoded).decode_utf8();
            *text = decoded.ok().map(|text| Cow::Owned(text.into_owned()));
        }
    }

    /// The beat that the report states, with what its request gives.
    fn into_beat(self, given: &'a GivenFields) -> Result<Fields<'a>, FieldError> {
        if let Some(version) = self.version
            && version > VERSION_MAX
        {
            return Err(FieldError::new(
                Reason::UnsupportedVersion,
                "v",
                format!("is {version}; versions up to {VERSION_MAX} are read"),
            ));
        }
        let missing = |key, wanted| FieldError::missing(key, wanted);
        let session = self.session.filter(|session| !session.is_empty());
        let session = session.ok_or_else(|| missing("sid", "a string, one for each playback"))?;
        let at = self
            .at
            .ok_or_else(|| missing("ts", "an integer, milliseconds since 1970"))?;
        let event = given.event_id.as_deref().map(Cow::Borrowed);
        let event = event.or(self.content.filter(|content| !content.is_empty()));
        let event = event
            .ok_or_else(|| missing("cid", "the event as a string, unless the address names it"))?;
        let optional = |text: &'a Option<String>| match text {
            Some(text) => Value::Text(Cow::Borrowed(text)),
            None => Value::Absent,
        };
        Ok(Fields {
            record_type: Value::Text(Cow::Borrowed("beat")),
            event_id: Value::Text(event),
            playback_id: Value::Text(session),
            at: Value::Integer(at),
            seq: self.number.map_or(Value::Absent, Value::Integer),
            playing: Value::Bool(self.is_playing),
            customer_id: optional(&given.customer_id),
            device_id: optional(&given.device_id),
            name: optional(&given.name),
            ..Fields::default()
        })
    }
}

impl<'a> DictionaryVisitor<'a> for Report<'a> {
    type Out = Self;
    type Error = Infallible;

    fn entry(&mut self, key: &'a KeyRef) -> Result<impl EntryVisitor<'a>, Infallible> {
        Ok(Entry {
            key: key.as_str(),
            report: self,
        })
    }

    fn finish(self) -> Result<Self, Infallible> {
        Ok(self)
    }
}

/// The key of the value that is being parsed.
struct Entry<'r, 'a> {
    key: &'a str,
    report: &'r mut Report<'a>,
}

impl<'a> EntryVisitor<'a> for Entry<'_, 'a> {
    type Error = Infallible;

    fn item(self) -> Result<impl ItemVisitor<'a>, Infallible> {
        Ok(self)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'a>, Infallible> {
        self.report.set(self.key, None);
        Ok(Ignored)
    }
}

impl<'a> ItemVisitor<'a> for Entry<'_, 'a> {
    type Out = ();
    type Error = Infallible;

    fn bare_item(
        self,
        value: BareItemFromInput<'a>,
    ) -> Result<impl ParameterVisitor<'a, Out = ()>, Infallible> {
        self.report.set(self.key, Some(&value));
        Ok(Ignored)
    }
}

#[cfg(test)]
mod tests;
