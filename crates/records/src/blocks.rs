//! A file in blocks of whole lines, so that threads can share the work and memory is bounded.

use std::io::{self, BufRead, Read};
use std::mem;

use memchr::{memchr, memchr_iter, memrchr};

use crate::reason::Reason;

/// The longest line. A longer one is skipped without being held in memory.
pub(crate) const LINE_BYTES_MAX: usize = 16 << 20;

/// The usual size of a block: about a thousand records. Handing it to a thread costs little beside
/// decoding it, and it fits into a processor's cache.
pub(crate) const BLOCK_BYTES: usize = 256 << 10;

/// Some lines that follow each other.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    /// The number of its first line in the file, from 0.
    pub first_line: usize,
    /// What is in it.
    pub content: Content,
}

/// What is in a [`Block`].
#[derive(Debug, PartialEq, Eq)]
pub enum Content {
    /// Whole lines of NDJSON.
    Lines(Vec<u8>),
    /// One record that cannot be written as a line, with the reason and the message.
    Rejected(Reason, String),
}

impl Content {
    /// A line that is longer than [`LINE_BYTES_MAX`].
    pub(crate) fn too_long() -> Self {
        let message = format!("the line is longer than {LINE_BYTES_MAX} bytes");
        Self::Rejected(Reason::RecordTooLarge, message)
    }
}

/// Reads the blocks of a file with one record a line.
pub(crate) struct LineBlocks {
    input: Box<dyn BufRead>,
    /// What was read after the end of the last block.
    rest: Vec<u8>,
    next_line: usize,
}

impl LineBlocks {
    pub(crate) fn new(input: Box<dyn BufRead>) -> Self {
        Self {
            input,
            rest: Vec::new(),
            next_line: 0,
        }
    }

    fn read(&mut self) -> io::Result<Option<Block>> {
        let mut text = mem::take(&mut self.rest);
        loop {
            let wanted = (BLOCK_BYTES - text.len() % BLOCK_BYTES) as u64;
            let is_end = (&mut self.input).take(wanted).read_to_end(&mut text)? == 0;
            if is_end {
                return Ok((!text.is_empty()).then(|| self.lines(text)));
            }
            match memchr(b'\n', &text) {
                Some(end) if end > LINE_BYTES_MAX => {
                    self.rest = text.split_off(end + 1);
                    return Ok(Some(self.block(Content::too_long(), 1)));
                }
                Some(_) => {
                    let last = memrchr(b'\n', &text);
                    self.rest = text.split_off(last.map_or(0, |last| last + 1));
                    return Ok(Some(self.lines(text)));
                }
                None if text.len() > LINE_BYTES_MAX => {
                    self.input.skip_until(b'\n')?;
                    return Ok(Some(self.block(Content::too_long(), 1)));
                }
                None => {}
            }
        }
    }

    fn lines(&mut self, text: Vec<u8>) -> Block {
        let lines = memchr_iter(b'\n', &text).count();
        self.block(Content::Lines(text), lines)
    }

    fn block(&mut self, content: Content, lines: usize) -> Block {
        let first_line = self.next_line;
        self.next_line += lines;
        Block {
            first_line,
            content,
        }
    }
}

impl Iterator for LineBlocks {
    type Item = io::Result<Block>;

    fn next(&mut self) -> Option<io::Result<Block>> {
        self.read().transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// All lines with their numbers; nothing for one that is too long.
    fn lines(bytes: Vec<u8>) -> io::Result<Vec<(usize, Option<String>)>> {
        let blocks = LineBlocks::new(Box::new(Cursor::new(bytes)));
        let mut all = Vec::new();
        for block in blocks {
            let Block {
                first_line,
                content,
            } = block?;
            match content {
                Content::Lines(text) => {
                    let text = String::from_utf8(text).expect("UTF-8");
                    let lines = text.lines().map(|line| Some(line.to_owned()));
                    all.extend((first_line..).zip(lines));
                }
                Content::Rejected(..) => all.push((first_line, None)),
            }
        }
        Ok(all)
    }

    fn numbered<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<(usize, Option<String>)> {
        let lines = lines.into_iter().map(|line| Some(line.to_owned()));
        lines.enumerate().collect()
    }

    #[test]
    fn lines_keep_their_numbers_over_many_blocks() {
        let text: Vec<String> = (0..300_000).map(|number| number.to_string()).collect();
        let wanted = numbered(text.iter().map(String::as_str));
        assert_eq!(lines(text.join("\n").into_bytes()).expect("whole"), wanted);
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped() {
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
