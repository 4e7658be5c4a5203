//! The rules of single fields. Each check returns the typed value, or an error with what was sent
//! and what would be right.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use showreport_model::Timestamp;
use showreport_model::ids::IdError;
use showreport_model::time::TimeError;

use crate::reason::Reason;
use crate::value::Value;

/// The first field of a record that is wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FieldError {
    pub(crate) reason: Reason,
    /// Begins with the name of the field.
    pub(crate) message: String,
    /// The path of the field inside the record.
    pub(crate) field: String,
    /// Whether the field is an id and holds a number that may be an integer of more than 64 bits.
    pub(crate) is_long_integer: bool,
}

impl FieldError {
    pub(crate) fn new(reason: Reason, field: &str, problem: impl Display) -> Self {
        Self {
            reason,
            message: format!("`{field}` {problem}"),
            field: field.to_owned(),
            is_long_integer: false,
        }
    }

    pub(crate) fn wrong_type(field: &str, is: &str, wanted: &str) -> Self {
        Self::new(
            Reason::WrongType,
            field,
            format!("is {is}; it must be {wanted}"),
        )
    }

    pub(crate) fn missing(field: &str, wanted: &str) -> Self {
        Self::new(
            Reason::MissingField,
            field,
            format!("is missing; it must be {wanted}"),
        )
    }
}

/// The most bytes of a chat text.
pub(crate) const CHAT_TEXT_BYTES_MAX: usize = 4096;
/// The most bytes of any other string.
pub const TEXT_BYTES_MAX: usize = 1024;
/// How far a time may be ahead of the server's clock, since the clocks of senders differ.
const AHEAD_MS_MAX: i64 = 3_600_000;

/// The least number above all signed 64-bit integers.
const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

const ID: &str = "a string of 1 to 128 characters, or an integer";
const TIME: &str = "an RFC 3339 time with an offset, or integer milliseconds since 1970";
const TEXT: &str = "a string";

/// A field of a record with its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'f, 'a> {
    name: &'f str,
    value: &'f Value<'a>,
}

impl<'f, 'a> Field<'f, 'a> {
    pub(crate) fn new(name: &'f str, value: &'f Value<'a>) -> Self {
        Self { name, value }
    }

    /// The field, unless it is absent. In an optional field `""` is the same as absent.
    pub(crate) fn present(self) -> Option<Self> {
        (!self.value.is_empty()).then_some(self)
    }

    /// An id: a string, or an integer, which stands for its digits.
    pub(crate) fn id<I: FromStr<Err = IdError>>(self) -> Result<I, FieldError> {
        let id = match self.value {
            Value::Integer(number) => number.to_string().parse(),
            Value::Unsigned(number) => number.to_string().parse(),
            Value::Number(_) => {
                let mut fault = self.wrong_type(ID);
                fault.is_long_integer = true;
                return Err(fault);
            }
            _ => self.text_as(ID)?.parse(),
        };
        id.map_err(|error| FieldError::new(Reason::InvalidId, self.name, error))
    }

    pub(crate) fn time(self) -> Result<Timestamp, FieldError> {
        let time = match self.value {
            Value::Integer(millis) => Timestamp::from_millis(*millis),
            Value::Unsigned(_) => Err(TimeError::TooLate),
            Value::Text(text) => text.parse(),
            _ => return Err(self.wrong_type(TIME)),
        };
        time.map_err(|error| FieldError::new(Reason::InvalidTime, self.name, error))
    }

    /// A time that is at most an hour ahead of the server's clock.
    pub(crate) fn time_until(self, now: Timestamp) -> Result<Timestamp, FieldError> {
        let time = self.time()?;
        if time > now.saturating_add_millis(AHEAD_MS_MAX) {
            return Err(FieldError::new(
                Reason::TimeInFuture,
                self.name,
                format!(
                    "is more than an hour ahead of the server's clock ({now}); set the sender's \
                     clock, or check the unit: integers are milliseconds"
                ),
            ));
        }
        Ok(time)
    }

    pub(crate) fn text(self, bytes_max: usize) -> Result<&'f str, FieldError> {
        let text = self.text_as(TEXT)?;
        if text.len() > bytes_max {
            return Err(FieldError::new(
                Reason::TooLong,
                self.name,
                format!("has {} bytes; it may have {bytes_max}", text.len()),
            ));
        }
        if text.contains('\0') {
            return Err(FieldError::new(
                Reason::InvalidText,
                self.name,
                "holds the character NUL (U+0000); leave it out",
            ));
        }
        Ok(text)
    }

    /// A member of an enum, by its name.
    pub(crate) fn named<T>(
        self,
        from_name: fn(&str) -> Option<T>,
        names: fn() -> String,
    ) -> Result<T, FieldError> {
        let name = self.text_as("a string")?;
        from_name(name).ok_or_else(|| {
            FieldError::new(
                Reason::UnknownValue,
                self.name,
                format!("is {}; it must be one of {}", shortened(name), names()),
            )
        })
    }

    pub(crate) fn flag(self) -> Result<bool, FieldError> {
        match self.value {
            Value::Bool(flag) => Ok(*flag),
            _ => Err(self.wrong_type("true or false")),
        }
    }

    /// A whole number from 0 on.
    pub(crate) fn count(self) -> Result<i64, FieldError> {
        match self.value {
            Value::Integer(count) if *count >= 0 => Ok(*count),
            Value::Integer(_) | Value::Unsigned(_) => Err(FieldError::new(
                Reason::OutOfRange,
                self.name,
                format!(
                    "is out of range; it must be an integer from 0 to {}",
                    i64::MAX
                ),
            )),
            _ => Err(self.wrong_type("an integer from 0, such as 1")),
        }
    }

    /// Milliseconds, 0 or more. Fractions are dropped: players send seconds with many decimals.
    pub(crate) fn millis(self) -> Result<i64, FieldError> {
        self.not_negative()?;
        match self.value {
            Value::Integer(millis) => Ok(*millis),
            // Below 2^63 the conversion only drops the fraction.
            #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
            Value::Number(millis) if *millis < TWO_TO_63 => Ok(*millis as i64),
            _ => Err(FieldError::new(
                Reason::OutOfRange,
                self.name,
                "is too large; it is a number of milliseconds",
            )),
        }
    }

    /// A number from 0 on. Integers of more than 53 bits are rounded.
    pub(crate) fn not_negative(self) -> Result<f64, FieldError> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "no bound of a number is that large"
        )]
        let number = match self.value {
            Value::Integer(number) => *number as f64,
            Value::Unsigned(number) => *number as f64,
            Value::Number(number) => *number,
            _ => return Err(self.wrong_type("a number from 0, such as 1 or 1.5")),
        };
        if number < 0.0 {
            return Err(FieldError::new(
                Reason::OutOfRange,
                self.name,
                "is negative; it must be 0 or more",
            ));
        }
        Ok(number)
    }

    /// A text with the form of an ISO 3166 code, in upper case.
    pub(crate) fn region(self) -> Result<String, FieldError> {
        let text = self.text_as("a string such as TW or DE-BY")?;
        let code = text.to_ascii_uppercase();
        if is_region(code.as_bytes()) {
            Ok(code)
        } else {
            Err(FieldError::new(
                Reason::InvalidRegion,
                self.name,
                format!(
                    "is {}; it must be an ISO 3166 code such as TW (3166-1) or DE-BY (3166-2)",
                    shortened(text)
                ),
            ))
        }
    }

    fn text_as(self, wanted: &str) -> Result<&'f str, FieldError> {
        match self.value {
            Value::Text(text) => Ok(text),
            Value::Absent => Err(FieldError::missing(self.name, wanted)),
            _ => Err(self.wrong_type(wanted)),
        }
    }

    fn wrong_type(self, wanted: &str) -> FieldError {
        match self.value {
            Value::Absent => FieldError::missing(self.name, wanted),
            value => FieldError::wrong_type(self.name, value.kind(), wanted),
        }
    }
}

/// Whether this is two letters, then optionally a hyphen and one to three letters or digits.
pub(crate) fn is_region(code: &[u8]) -> bool {
    let Some((country, rest)) = code.split_first_chunk::<2>() else {
        return false;
    };
    let subdivision = match rest.split_first() {
        None => return country.iter().all(u8::is_ascii_uppercase),
        Some((b'-', subdivision)) => subdivision,
        Some(_) => return false,
    };
    country.iter().all(u8::is_ascii_uppercase)
        && (1..=3).contains(&subdivision.len())
        && subdivision
            .iter()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// A value in quotes, cut to 32 characters, so that no message grows with what was sent.
pub fn shortened(text: &str) -> Cow<'static, str> {
    const CHARACTERS_MAX: usize = 32;
    match text.char_indices().nth(CHARACTERS_MAX) {
        None => format!("{text:?}").into(),
        Some((end, _)) => format!("{:?}…", &text[..end]).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_has_the_form_of_iso_3166() {
        for code in ["TW", "DE-BY", "US-CA", "FR-75", "GB-ENG", "JP-13", "AU-1"] {
            assert!(is_region(code.as_bytes()), "{code}");
        }
        for code in [
            "", "T", "TWN", "T1", "DE-", "DE-ABCD", "DE_BY", "DE-B!", "D-BY", "TW-X-Y",
        ] {
            assert!(!is_region(code.as_bytes()), "{code}");
        }
    }

    #[test]
    fn quoted_values_are_short() {
        assert_eq!(shortened("live"), "\"live\"");
        assert_eq!(shortened(&"é".repeat(40)).chars().count(), 35);
    }
}
