//! NDJSON: one record a line.

use std::io::{self, BufRead};

use memchr::memchr_iter;

use crate::blocks::LineBlocks;
use crate::format::{Blocks, DecodeError, FileFormat, Format, Sink};
use crate::record::without_bom;

/// One JSON object a line. Blank lines are skipped, and counted.
#[derive(Debug)]
pub struct Ndjson;

impl Format for Ndjson {
    fn media_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn description(&self) -> &'static str {
        "a record a line"
    }

    fn decode(&self, body: &[u8], sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        for (index, line) in lines(body).enumerate() {
            // Where files were joined, a line in the middle begins with a byte-order mark.
            if !without_bom(line).trim_ascii().is_empty() {
                sink.record(line, index)?;
            }
        }
        Ok(())
    }
}

impl FileFormat for Ndjson {
    fn extensions(&self) -> &'static [&'static str] {
        &["ndjson", "jsonl"]
    }

    fn read(&self, input: Box<dyn BufRead>) -> io::Result<Blocks> {
        Ok(Box::new(LineBlocks::new(input)))
    }
}

/// The lines of a text, without their ends.
pub fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    let ends = memchr_iter(b'\n', text).chain([text.len()]);
    ends.map(move |end| {
        let line = &text[start..end];
        start = end + 1;
        line
    })
}
