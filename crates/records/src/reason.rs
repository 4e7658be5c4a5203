//! Why a record is rejected.

use std::fmt;

/// Defines the reasons with their names, so that none is without one.
macro_rules! reasons {
    ($($(#[$doc:meta])* $reason:ident = $name:literal,)*) => {
        /// Why a record is rejected. Senders compare the names, so a name never changes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Reason { $($(#[$doc])* $reason,)* }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$reason,)*];

            /// The name in responses.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$reason => $name,)* }
            }
        }
    };
}

reasons! {
    EmptySpan = "EMPTY_SPAN",
    InvalidId = "INVALID_ID",
    /// Not an ISO 3166 code.
    InvalidRegion = "INVALID_REGION",
    /// NUL, or half of a surrogate pair.
    InvalidText = "INVALID_TEXT",
    InvalidTime = "INVALID_TIME",
    /// A viewer token that is malformed, not signed, expired, or for another event or customer.
    InvalidViewerToken = "INVALID_VIEWER_TOKEN",
    /// A line of CMCD is no dictionary of structured fields.
    MalformedCmcd = "MALFORMED_CMCD",
    /// A row of a CSV file does not have the cells of the header.
    MalformedCsv = "MALFORMED_CSV",
    MalformedJson = "MALFORMED_JSON",
    MissingField = "MISSING_FIELD",
    /// The organisation requires a viewer token.
    MissingViewerToken = "MISSING_VIEWER_TOKEN",
    /// A vote without customer and device.
    MissingVoter = "MISSING_VOTER",
    NotAnObject = "NOT_AN_OBJECT",
    OutOfRange = "OUT_OF_RANGE",
    /// More than 64 KiB.
    RecordTooLarge = "RECORD_TOO_LARGE",
    RepeatedField = "REPEATED_FIELD",
    /// Two options of a poll have one id.
    RepeatedOption = "REPEATED_OPTION",
    SpanTooLong = "SPAN_TOO_LONG",
    TimeInFuture = "TIME_IN_FUTURE",
    TooFewOptions = "TOO_FEW_OPTIONS",
    /// A text or a list.
    TooLong = "TOO_LONG",
    UnknownType = "UNKNOWN_TYPE",
    UnknownValue = "UNKNOWN_VALUE",
    /// Of CMCD or `CloudEvents`.
    UnsupportedVersion = "UNSUPPORTED_VERSION",
    WrongType = "WRONG_TYPE",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_lists_every_reason() {
        let text = include_str!("../../../docs/records.md");
        for reason in Reason::ALL {
            assert!(text.contains(&format!("`{reason}`")), "{reason}");
        }
    }
}
