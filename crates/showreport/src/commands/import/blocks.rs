//! The text of a file, packed or not, in blocks of whole lines and bounded memory.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use memchr::{memchr, memchr_iter, memrchr};

/// The longest line: as long as the longest body that `POST /collect` takes.
pub(super) const LINE_BYTES_MAX: usize = 16 << 20;

/// A block is about so long, unless its line is longer: a thousand records, so
/// that handing it to a thread costs nothing, and it stays in a processor's cache.
const BLOCK_BYTES: usize = 256 << 10;

/// Some lines that follow each other.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// The number of the first one in its file, counted from 0.
    pub(super) first_line: usize,
    pub(super) text: Text,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// Whole lines.
    Lines(Vec<u8>),
    /// One line, longer than [`LINE_BYTES_MAX`]; it was skipped.
    TooLong,
}

/// Reads blocks one after the other.
pub(super) struct Blocks {
    input: Box<dyn BufRead>,
    /// What was read and not given out yet.
    rest: Vec<u8>,
    next_line: usize,
}

impl Blocks {
    /// Unpacks what is packed: gzip and zstd tell themselves by their first bytes.
    pub(super) fn open(input: impl Read + 'static) -> io::Result<Self> {
        let mut input = BufReader::with_capacity(BLOCK_BYTES, input);
        // A pipe may give less than asked for, but never nothing before its end.
        let head = input.fill_buf()?;
        let mut input: Box<dyn BufRead> = if head.starts_with(&[0x1f, 0x8b]) {
            let unpacked = MultiGzDecoder::new(input);
            Box::new(BufReader::with_capacity(BLOCK_BYTES, unpacked))
        } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            let unpacked = zstd::Decoder::with_buffer(input)?;
            Box::new(BufReader::with_capacity(BLOCK_BYTES, unpacked))
        } else {
            Box::new(input)
        };
        skip_mark(&mut input)?;
        Ok(Self {
            input,
            rest: Vec::new(),
            next_line: 0,
        })
    }

    /// The next block, or nothing at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Block>> {
        let mut text = std::mem::take(&mut self.rest);
        loop {
            let wanted = (BLOCK_BYTES - text.len() % BLOCK_BYTES) as u64;
            let is_end = (&mut self.input).take(wanted).read_to_end(&mut text)? == 0;
            if is_end {
                return Ok((!text.is_empty()).then(|| self.lines(text)));
            }
            match memchr(b'\n', &text) {
                Some(end) if end > LINE_BYTES_MAX => {
                    self.rest = text.split_off(end + 1);
                    return Ok(Some(self.block(Text::TooLong, 1)));
                }
                Some(_) => {
                    let last = memrchr(b'\n', &text);
                    self.rest = text.split_off(last.map_or(0, |last| last + 1));
                    return Ok(Some(self.lines(text)));
                }
                None if text.len() > LINE_BYTES_MAX => {
                    self.input.skip_until(b'\n')?;
                    return Ok(Some(self.block(Text::TooLong, 1)));
                }
                None => {}
            }
        }
    }

    fn lines(&mut self, text: Vec<u8>) -> Block {
        let lines = memchr_iter(b'\n', &text).count();
        self.block(Text::Lines(text), lines)
    }

    fn block(&mut self, text: Text, lines: usize) -> Block {
        let first_line = self.next_line;
        self.next_line += lines;
        Block { first_line, text }
    }
}

/// Editors of some systems put a byte-order mark at the beginning.
fn skip_mark(input: &mut dyn BufRead) -> io::Result<()> {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    if input.fill_buf()?.starts_with(MARK) {
        input.consume(MARK.len());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use super::*;

    /// All lines with their numbers; nothing for one that is too long.
    fn lines(bytes: Vec<u8>) -> io::Result<Vec<(usize, Option<String>)>> {
        let mut blocks = Blocks::open(Cursor::new(bytes))?;
        let mut all = Vec::new();
        while let Some(Block { first_line, text }) = blocks.next()? {
            match text {
                Text::Lines(text) => {
                    let text = String::from_utf8(text).expect("UTF-8");
                    let lines = text.lines().map(|line| Some(line.to_owned()));
                    all.extend((first_line..).zip(lines));
                }
                Text::TooLong => all.push((first_line, None)),
            }
        }
        Ok(all)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(bytes).expect("memory");
        packer.finish().expect("memory")
    }

    fn numbered<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<(usize, Option<String>)> {
        let lines = lines.into_iter().map(|line| Some(line.to_owned()));
        lines.enumerate().collect()
    }

    #[test]
    fn packed_or_not_the_lines_are_the_same() {
        let text = b"\xef\xbb\xbfone\n\ntwo\r\nthree".to_vec();
        let wanted = numbered(["one", "", "two", "three"]);
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
    fn lines_keep_their_numbers_over_many_blocks() {
        let text: Vec<String> = (0..300_000).map(|number| number.to_string()).collect();
        let wanted = numbered(text.iter().map(String::as_str));
        assert_eq!(lines(text.join("\n").into_bytes()).expect("whole"), wanted);
    }

    #[test]
    fn a_line_without_end_costs_no_memory_without_end() {
        let long = "x".repeat(LINE_BYTES_MAX + 1);
        let text = format!("first\n{long}\nnext\n{long}{long}\nlast");
        let wanted = [
            (0, Some("first".to_owned())),
            (1, None),
            (2, Some("next".to_owned())),
            (3, None),
            (4, Some("last".to_owned())),
        ];
        assert_eq!(lines(text.into_bytes()).expect("whole"), wanted);
        let just = "x".repeat(LINE_BYTES_MAX);
        let wanted = numbered([just.as_str(), "next"]);
        assert_eq!(
            lines(format!("{just}\nnext").into_bytes()).expect("whole"),
            wanted
        );
    }
}
