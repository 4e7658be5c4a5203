//! The text of a file in blocks of whole lines and bounded memory.

use std::io::{self, BufRead, Read};

use memchr::{memchr, memchr_iter, memrchr};

/// The longest line: as long as the longest body that `POST /collect` takes.
pub(super) const LINE_BYTES_MAX: usize = 16 << 20;

/// A block is about so long, unless its line is longer: a thousand records, so
/// that handing it to a thread costs nothing, and it stays in a processor's cache.
pub(super) const BLOCK_BYTES: usize = 256 << 10;

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
    /// One line that is no record, and why.
    Bad(String),
}

/// Reads blocks one after the other.
pub(super) struct Blocks {
    input: Box<dyn BufRead>,
    /// What was read and not given out yet.
    rest: Vec<u8>,
    next_line: usize,
}

impl Blocks {
    pub(super) fn new(input: Box<dyn BufRead>) -> Self {
        Self {
            input,
            rest: Vec::new(),
            next_line: 0,
        }
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

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// All lines with their numbers; nothing for one that is too long.
    fn lines(bytes: Vec<u8>) -> io::Result<Vec<(usize, Option<String>)>> {
        let mut blocks = Blocks::new(Box::new(Cursor::new(bytes)));
        let mut all = Vec::new();
        while let Some(Block { first_line, text }) = blocks.next()? {
            match text {
                Text::Lines(text) => {
                    let text = String::from_utf8(text).expect("UTF-8");
                    let lines = text.lines().map(|line| Some(line.to_owned()));
                    all.extend((first_line..).zip(lines));
                }
                Text::TooLong | Text::Bad(_) => all.push((first_line, None)),
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
