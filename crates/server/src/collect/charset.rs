//! Texts that are not UTF-8 by what they begin with.

/// The code of a text in which each character has two bytes or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wide {
    /// UTF-16, the lower byte first: what PowerShell's `>` writes.
    Utf16Le,
    /// UTF-16, the higher byte first.
    Utf16Be,
    /// UTF-32 of either order.
    Utf32,
}

impl Wide {
    /// What a text is that begins so: by its byte-order mark, else by zeros, of which the beginning
    /// of JSON or CSV in UTF-8 has none.
    pub fn of(head: &[u8]) -> Option<Self> {
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

    /// Its name, as `iconv` has it.
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
    fn a_text_is_known_by_its_mark_or_its_zeros() {
        let texts = ["{\"a\":1}", "type,event_id", "[", "\u{feff}{}", "\u{feff}"];
        for text in texts {
            assert_eq!(Wide::of(text.as_bytes()), None, "{text}");
            let units: Vec<u16> = text.encode_utf16().collect();
            let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
            let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
            assert_eq!(Wide::of(&little), Some(Wide::Utf16Le), "{text}");
            assert_eq!(Wide::of(&big), Some(Wide::Utf16Be), "{text}");
            let little: Vec<u8> = text
                .chars()
                .flat_map(|c| u32::from(c).to_le_bytes())
                .collect();
            let big: Vec<u8> = text
                .chars()
                .flat_map(|c| u32::from(c).to_be_bytes())
                .collect();
            assert_eq!(Wide::of(&little), Some(Wide::Utf32), "{text}");
            assert_eq!(Wide::of(&big), Some(Wide::Utf32), "{text}");
        }
        assert_eq!(Wide::of(b""), None);
        assert_eq!(Wide::of(b"\0"), None);
    }
}
