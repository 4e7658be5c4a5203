//! Identifiers, a type for each, so that the compiler refuses a customer in the place of a device.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

/// Maximum length of an id, in Unicode scalar values.
pub const ID_CHARS_MAX: usize = 128;

/// Why a text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is empty.
    #[error("is empty; an id has 1 to {ID_CHARS_MAX} characters")]
    Empty,
    /// The text has more than [`ID_CHARS_MAX`] characters.
    #[error("has {0} characters; an id has 1 to {ID_CHARS_MAX}")]
    TooLong(usize),
    /// The text has a control character.
    #[error("holds a control character; an id has none")]
    Control,
    /// The name of an organisation has a character that it may not have.
    #[error("holds {0:?}; an organisation is named by letters, digits, `.`, `-` and `_`")]
    OrgCharacter(char),
}

fn check_text(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    // A text has at most as many characters as bytes, so short ids need no count.
    if text.len() > ID_CHARS_MAX {
        let characters = text.chars().count();
        if characters > ID_CHARS_MAX {
            return Err(IdError::TooLong(characters));
        }
    }
    if text.chars().any(char::is_control) {
        return Err(IdError::Control);
    }
    Ok(())
}

fn check_org(text: &str) -> Result<(), IdError> {
    check_text(text)?;
    // The name is used in headers and in paths of files.
    match text
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')))
    {
        Some(c) => Err(IdError::OrgCharacter(c)),
        None => Ok(()),
    }
}

macro_rules! text_ids {
    ($($(#[$doc:meta])* $name:ident checked by $check:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Checks the text: 1 to [`ID_CHARS_MAX`] characters, none of them a control character.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                Self::check(&text)?;
                Ok(Self(text))
            }

            /// Checks a text without making it an id.
            pub fn check(text: &str) -> Result<(), IdError> {
                $check(text)
            }

            /// The text of the id.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    )*};
}

macro_rules! uuid_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id. Later ids sort after earlier ones.
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )*};
}

text_ids! {
    /// A customer, by the id of the organisation's own system.
    CustomerId checked by check_text;
    /// A device, by the id that its player sends.
    DeviceId checked by check_text;
    /// A show: a live, VOD or AOD event.
    EventId checked by check_text;
    /// A chat message within an event.
    MessageId checked by check_text;
    /// An option of a poll.
    OptionId checked by check_text;
    /// An organisation: it owns events, facts, tokens and reports.
    OrgId checked by check_org;
    /// A playback, which is a view, within an event.
    PlaybackId checked by check_text;
    /// A poll within an event.
    PollId checked by check_text;
    /// A vote within a poll, by the sender's number.
    VoteId checked by check_text;
}

uuid_ids! {
    /// A process that claims jobs. A new one is made each time the database is opened.
    ClaimantId;
    /// A unit of background work.
    JobId;
    /// A person that signs in.
    PersonId;
    /// A report: its order and, once made, its file.
    ReportId;
    /// A report job: it makes a report for every day.
    ReportJobId;
    /// A share link of an event.
    ShareId;
    /// An access token.
    TokenId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_counted_in_characters() {
        assert!(EventId::new("é".repeat(128)).is_ok());
        assert_eq!(EventId::new("é".repeat(129)), Err(IdError::TooLong(129)));
        assert_eq!(EventId::new(""), Err(IdError::Empty));
        assert_eq!(EventId::new("a\u{7f}"), Err(IdError::Control));
    }

    #[test]
    fn an_organisation_has_a_plain_name() {
        assert!(OrgId::new("acme-1.eu_west").is_ok());
        assert_eq!(OrgId::new("a/b"), Err(IdError::OrgCharacter('/')));
    }
}
