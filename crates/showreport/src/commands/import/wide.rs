//! Converts UTF-16 to UTF-8 while it is read.

use std::io::{self, Read};

/// Bytes of UTF-16 that are read at once.
const CHUNK_BYTES: usize = 64 << 10;

/// Reads UTF-16 as UTF-8.
///
/// Half of a surrogate pair becomes bytes that are not UTF-8, so that only its line is rejected.
pub(super) struct Utf16Reader<R> {
    input: R,
    to_unit: fn([u8; 2]) -> u16,
    /// The first byte of a unit, if its second byte is not read yet.
    odd: Option<u8>,
    /// The first half of a surrogate pair.
    high: Option<u16>,
    /// UTF-8 that was converted. Bytes before `returned` were returned.
    converted: Vec<u8>,
    returned: usize,
}

impl<R: Read> Utf16Reader<R> {
    /// In little-endian order.
    pub(super) fn little(input: R) -> Self {
        Self::new(input, u16::from_le_bytes)
    }

    /// In big-endian order.
    pub(super) fn big(input: R) -> Self {
        Self::new(input, u16::from_be_bytes)
    }

    fn new(input: R, to_unit: fn([u8; 2]) -> u16) -> Self {
        Self {
            input,
            to_unit,
            odd: None,
            high: None,
            converted: Vec::new(),
            returned: 0,
        }
    }

    /// Reads and converts more. At the end there is nothing more.
    fn convert(&mut self) -> io::Result<()> {
        self.converted.clear();
        self.returned = 0;
        while self.converted.is_empty() {
            let mut chunk = Vec::with_capacity(CHUNK_BYTES);
            chunk.extend(self.odd.take());
            let wanted = (CHUNK_BYTES - chunk.len()) as u64;
            if (&mut self.input).take(wanted).read_to_end(&mut chunk)? == 0 {
                if let Some(high) = self.high.take() {
                    self.push_half(high);
                }
                // A single byte is not a unit.
                self.converted.extend(chunk.first().map(|_| 0xff));
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
                self.converted.extend(pair.collect::<String>().into_bytes());
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
                self.converted.extend_from_slice(text.as_bytes());
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
        self.converted.extend_from_slice(&bytes);
    }
}

impl<R: Read> Read for Utf16Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.returned == self.converted.len() {
            self.convert()?;
        }
        let rest = &self.converted[self.returned..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.returned += count;
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
    fn utf_16_is_read_as_utf_8() {
        // Longer than a chunk, with surrogate pairs across its end.
        for shift in ["", "x"] {
            let text = shift.to_owned() + &"\u{feff}é漢\u{1f44b}\n".repeat(20_000);
            let units: Vec<u16> = text.encode_utf16().collect();
            assert!(read(&units) == text.as_bytes());
        }
        assert!(read(&[]).is_empty());
    }

    #[test]
    fn half_of_a_pair_becomes_invalid_and_nothing_else_does() {
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
