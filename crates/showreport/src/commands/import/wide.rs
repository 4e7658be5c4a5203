//! UTF-16 as UTF-8, on the way.

use std::io::{self, Read};

/// Bytes of UTF-16 that are read at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// The text of a file in UTF-16.
///
/// Half a surrogate pair comes out as bytes that are no UTF-8, so that its line is rejected and no other.
pub(super) struct Utf16Reader<R> {
    input: R,
    to_unit: fn([u8; 2]) -> u16,
    /// A byte whose other half has not come yet.
    odd: Option<u8>,
    /// The first half of a surrogate pair.
    high: Option<u16>,
    /// What was made and not given out yet, from `given` on.
    made: Vec<u8>,
    given: usize,
}

impl<R: Read> Utf16Reader<R> {
    /// Of the order of bytes that PowerShell writes.
    pub(super) fn little(input: R) -> Self {
        Self::new(input, u16::from_le_bytes)
    }

    /// Of the order of networks.
    pub(super) fn big(input: R) -> Self {
        Self::new(input, u16::from_be_bytes)
    }

    fn new(input: R, to_unit: fn([u8; 2]) -> u16) -> Self {
        Self {
            input,
            to_unit,
            odd: None,
            high: None,
            made: Vec::new(),
            given: 0,
        }
    }

    /// Reads and makes more. Makes nothing only at the end.
    fn make(&mut self) -> io::Result<()> {
        self.made.clear();
        self.given = 0;
        while self.made.is_empty() {
            let mut chunk = Vec::with_capacity(CHUNK_BYTES);
            chunk.extend(self.odd.take());
            let wanted = (CHUNK_BYTES - chunk.len()) as u64;
            if (&mut self.input).take(wanted).read_to_end(&mut chunk)? == 0 {
                if let Some(high) = self.high.take() {
                    self.push_half(high);
                }
                // Half a unit is no character.
                self.made.extend(chunk.first().map(|_| 0xff));
                return Ok(());
            }
            let (units, odd) = chunk.as_chunks::<2>();
            self.odd = odd.first().copied();
            for unit in units {
                self.push((self.to_unit)(*unit));
            }
        }
        Ok(())
    }

    fn push(&mut self, unit: u16) {
        if let Some(high) = self.high.take() {
            if (0xdc00..=0xdfff).contains(&unit) {
                let pair = char::decode_utf16([high, unit]).filter_map(Result::ok);
                self.made.extend(pair.collect::<String>().into_bytes());
                return;
            }
            self.push_half(high);
        }
        match unit {
            0xd800..=0xdbff => self.high = Some(unit),
            0xdc00..=0xdfff => self.push_half(unit),
            _ => {
                let mut bytes = [0; 3];
                let character = char::from_u32(u32::from(unit)).unwrap_or_default();
                let text = character.encode_utf8(&mut bytes);
                self.made.extend_from_slice(text.as_bytes());
            }
        }
    }

    /// The three bytes that would be UTF-8, if half a pair were a character.
    fn push_half(&mut self, unit: u16) {
        let [high, low] = unit.to_be_bytes();
        let bytes = [
            0xe0 | (high >> 4),
            0x80 | ((high & 0x0f) << 2) | (low >> 6),
            0x80 | (low & 0x3f),
        ];
        self.made.extend_from_slice(&bytes);
    }
}

impl<R: Read> Read for Utf16Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.made.len() {
            self.make()?;
        }
        let rest = &self.made[self.given..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(units: &[u16]) -> Vec<u8> {
        let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        let mut text = Vec::new();
        let mut reader = Utf16Reader::little(&little[..]);
        reader.read_to_end(&mut text).expect("memory");
        let mut same = Vec::new();
        let mut reader = Utf16Reader::big(&big[..]);
        reader.read_to_end(&mut same).expect("memory");
        assert!(text == same);
        text
    }

    #[test]
    fn a_text_comes_out_as_utf_8() {
        // Longer than a chunk, and with pairs across its end.
        for shift in ["", "x"] {
            let text = shift.to_owned() + &"\u{feff}é漢\u{1f44b}\n".repeat(20_000);
            let units: Vec<u16> = text.encode_utf16().collect();
            assert!(read(&units) == text.as_bytes());
        }
        assert!(read(&[]).is_empty());
    }

    #[test]
    fn half_a_pair_is_no_utf_8_and_breaks_nothing_else() {
        for broken in [0xd83d, 0xdc4b] {
            let text = read(&[u16::from(b'a'), broken, u16::from(b'\n'), u16::from(b'b')]);
            let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
            assert!(str::from_utf8(lines[0]).is_err());
            assert_eq!(lines[1], b"b");
        }
        let mut cut = Vec::new();
        let mut reader = Utf16Reader::little(&b"a\0b"[..]);
        reader.read_to_end(&mut cut).expect("memory");
        assert_eq!(cut, b"a\xff");
    }
}
