//! The lines of a file, packed or not, in bounded memory.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

/// The longest line: as long as the longest body that `POST /collect` takes.
pub(super) const LINE_BYTES_MAX: usize = 16 << 20;

/// How much is read at a time.
const BUFFER_BYTES: usize = 256 << 10;

/// A line, without what ends it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// It is longer than [`LINE_BYTES_MAX`]; the rest was skipped.
    TooLong,
}

/// Reads lines one after the other.
pub(super) struct Lines {
    input: Box<dyn BufRead>,
    line: Vec<u8>,
}

impl Lines {
    /// Unpacks what is packed: gzip and zstd tell themselves by their first bytes.
    pub(super) fn open(input: impl Read + 'static) -> io::Result<Self> {
        let mut input = BufReader::with_capacity(BUFFER_BYTES, input);
        // A pipe may give less than asked for, but never nothing before its end.
        let head = input.fill_buf()?;
        let input: Box<dyn BufRead> = if head.starts_with(&[0x1f, 0x8b]) {
            let unpacked = MultiGzDecoder::new(input);
            Box::new(BufReader::with_capacity(BUFFER_BYTES, unpacked))
        } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            let unpacked = zstd::Decoder::with_buffer(input)?;
            Box::new(BufReader::with_capacity(BUFFER_BYTES, unpacked))
        } else {
            Box::new(input)
        };
        Ok(Self {
            input,
            line: Vec::new(),
        })
    }

    /// The next line, or nothing at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let mut is_too_long = false;
        let mut is_any = false;
        loop {
            let part = self.input.fill_buf()?;
            if part.is_empty() {
                break;
            }
            is_any = true;
            let end = part.iter().position(|&byte| byte == b'\n');
            let text = &part[..end.unwrap_or(part.len())];
            if self.line.len() + text.len() > LINE_BYTES_MAX {
                is_too_long = true;
            } else {
                self.line.extend_from_slice(text);
            }
            let used = text.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                break;
            }
        }
        Ok(match (is_any, is_too_long) {
            (false, _) => None,
            (true, true) => Some(Line::TooLong),
            (true, false) => Some(Line::Whole(&self.line)),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use super::*;

    fn lines(bytes: Vec<u8>) -> io::Result<Vec<Option<String>>> {
        let mut lines = Lines::open(Cursor::new(bytes))?;
        let mut all = Vec::new();
        while let Some(line) = lines.next()? {
            all.push(match line {
                Line::Whole(line) => Some(String::from_utf8_lossy(line).into_owned()),
                Line::TooLong => None,
            });
        }
        Ok(all)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(bytes).expect("memory");
        packer.finish().expect("memory")
    }

    #[test]
    fn packed_or_not_the_lines_are_the_same() {
        let text = b"one\n\ntwo\r\nthree".to_vec();
        let wanted = ["one", "", "two\r", "three"].map(|line| Some(line.to_owned()));
        assert_eq!(lines(text.clone()).expect("whole"), wanted);
        assert_eq!(lines(gzip(&text)).expect("whole"), wanted);
        let zstd = zstd::encode_all(&text[..], 1).expect("memory");
        assert_eq!(lines(zstd).expect("whole"), wanted);
        // Files that were packed in parts are one file.
        let parts = [gzip(&text[..4]), gzip(&text[4..])].concat();
        assert_eq!(lines(parts).expect("whole"), wanted);
        assert!(lines(Vec::new()).expect("empty").is_empty());
    }

    #[test]
    fn a_packed_file_that_is_cut_short_is_an_error() {
        let mut packed = gzip(b"one\ntwo\n");
        packed.truncate(packed.len() - 5);
        assert!(lines(packed).is_err());
    }

    #[test]
    fn a_line_without_end_costs_no_memory_without_end() {
        let mut text = vec![b'x'; LINE_BYTES_MAX + 1];
        text.extend_from_slice(b"\nnext\n");
        assert_eq!(lines(text).expect("whole"), [None, Some("next".to_owned())]);
    }
}
