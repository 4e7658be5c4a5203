//! Finds text that is UTF-16 or UTF-32 by its first bytes.

/// A character encoding other than UTF-8 in which every character takes two bytes or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// UTF-16 in little-endian order, which PowerShell's `>` writes.
    Utf16Le,
    /// UTF-16 in big-endian order.
    Utf16Be,
    /// UTF-32 in either order.
    Utf32,
}

impl Charset {
    /// Detects the encoding by the byte-order mark, else by zero bytes: JSON and CSV in UTF-8 have
    /// none among their first bytes. `None` is UTF-8.
    pub fn detect(head: &[u8]) -> Option<Self> {
        match head {
            [0xff, 0xfe, 0, 0, ..]
            | [0, 0, 0xfe, 0xff, ..]
            | [1..=0xff, 0, 0, 0, ..]
            | [0, 0, 0, 1..=0xff, ..] => Some(Self::Utf32),
            [0xff, 0xfe, ..] | [1..=0xff, 0, ..] => Some(Self::Utf16Le),
            [0xfe, 0xff, ..] | [0, 1..=0xff, ..] => Some(Self::Utf16Be),
            _ => None,
        }
    }

    /// The name that `iconv` takes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Utf16Le | Self::Utf16Be => "UTF-16",
            Self::Utf32 => "UTF-32",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charset_is_detected_by_byte_order_mark_or_zeros() {
        let texts = ["{\"a\":1}", "type,event_id", "[", "\u{feff}{}", "\u{feff}"];
        for text in texts {
            assert_eq!(Charset::detect(text.as_bytes()), None, "{text}");
            let units: Vec<u16> = text.encode_utf16().collect();
            let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
            let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
            assert_eq!(Charset::detect(&little), Some(Charset::Utf16Le), "{text}");
            assert_eq!(Charset::detect(&big), Some(Charset::Utf16Be), "{text}");
            let little: Vec<u8> = text
                .chars()
                .flat_map(|c| u32::from(c).to_le_bytes())
                .collect();
            let big: Vec<u8> = text
                .chars()
                .flat_map(|c| u32::from(c).to_be_bytes())
                .collect();
            assert_eq!(Charset::detect(&little), Some(Charset::Utf32), "{text}");
            assert_eq!(Charset::detect(&big), Some(Charset::Utf32), "{text}");
        }
        assert_eq!(Charset::detect(b""), None);
        assert_eq!(Charset::detect(b"\0"), None);
    }
}
