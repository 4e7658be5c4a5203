//! CSV: a header of the names of fields, then one record a row. RFC 4180, with commas, semicolons
//! or tabs.
//!
//! A row becomes one line of NDJSON. A row of several lines becomes one line and blank lines after
//! it, so that numbers of lines stay those of the file.

use std::io::{self, BufRead, Read};

use serde::de::IgnoredAny;

use crate::blocks::{BLOCK_BYTES, Block, Content, LINE_BYTES_MAX};
use crate::format::{Blocks, FileFormat};
use crate::reason::Reason;
use crate::record::without_bom;
use crate::value::FIELD_NAMES;

/// CSV with a header.
#[derive(Debug)]
pub(crate) struct Csv;

impl FileFormat for Csv {
    fn extensions(&self) -> &'static [&'static str] {
        &["csv"]
    }

    fn read(&self, input: Box<dyn BufRead>) -> io::Result<Blocks> {
        Ok(Box::new(CsvBlocks::open(input)?))
    }
}

const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

/// Fields with cells that are JSON lists.
const LISTS: [&str; 2] = ["options", "option_ids"];
const NUMBERS: [&str; 4] = ["seq", "position_ms", "rate", "duration_ms"];
const FLAGS: [&str; 2] = ["playing", "deleted"];
/// Times are texts, or integers of milliseconds.
const TIMES: [&str; 10] = [
    "at",
    "from",
    "to",
    "sent_at",
    "voted_at",
    "updated_at",
    "starts_at",
    "ends_at",
    "started_at",
    "ended_at",
];

/// Reads blocks one after the other.
struct CsvBlocks {
    input: Box<dyn BufRead>,
    separator: u8,
    /// The field of each column; `None` if records have no such field.
    columns: Vec<Option<&'static str>>,
    next_line: usize,
    /// The block after the one that was returned last.
    next: Option<Block>,
}

impl CsvBlocks {
    /// Reads the header.
    fn open(mut input: Box<dyn BufRead>) -> io::Result<Self> {
        let mut header = Vec::new();
        let mut lines = 0;
        // Blank lines before the header are skipped.
        while header.trim_ascii().is_empty() {
            header.clear();
            let mut line = (&mut input).take(LINE_BYTES_MAX as u64);
            if line.read_until(b'\n', &mut header)? == 0 {
                break;
            }
            lines += 1;
        }
        let is_empty = header.is_empty();
        let (separator, cells) = header_cells(&header);
        let columns = columns(&cells)?;
        if !is_empty && !columns.contains(&Some("type")) {
            return Err(invalid(
                "the first line has no column `type`; it must be a header of the names of fields",
            ));
        }
        Ok(Self {
            input,
            separator,
            columns,
            next_line: lines,
            next: None,
        })
    }

    fn read(&mut self) -> io::Result<Option<Block>> {
        if let Some(next) = self.next.take() {
            return Ok(Some(next));
        }
        let first_line = self.next_line;
        let mut text = Vec::new();
        while text.len() < BLOCK_BYTES {
            let row_line = self.next_line;
            let content = match self.read_row()? {
                None => break,
                Some(Ok(row)) => match self.record(&row.cells) {
                    Ok(record) => {
                        text.extend(record);
                        text.resize(text.len() + self.next_line - row_line, b'\n');
                        continue;
                    }
                    Err(message) => Content::Rejected(Reason::MalformedCsv, message),
                },
                Some(Err(TooLong)) => Content::too_long(),
            };
            let rejected = Block {
                first_line: row_line,
                content,
            };
            if text.is_empty() {
                return Ok(Some(rejected));
            }
            self.next = Some(rejected);
            break;
        }
        Ok((!text.is_empty()).then_some(Block {
            first_line,
            content: Content::Lines(text),
        }))
    }

    /// The next row; `None` at the end.
    fn read_row(&mut self) -> io::Result<Option<Result<Row, TooLong>>> {
        let mut row = Row::default();
        let mut line = Vec::new();
        let mut bytes = 0;
        loop {
            line.clear();
            let room = LINE_BYTES_MAX + 1 - bytes;
            let read = (&mut self.input)
                .take(room as u64)
                .read_until(b'\n', &mut line)?;
            bytes += read;
            if read == 0 {
                return Ok((bytes > 0).then(|| {
                    row.end();
                    Ok(row)
                }));
            }
            self.next_line += 1;
            if bytes > LINE_BYTES_MAX {
                if line.last() != Some(&b'\n') {
                    self.input.skip_until(b'\n')?;
                }
                return Ok(Some(Err(TooLong)));
            }
            // Where files were joined, a row in the middle begins with a byte-order mark.
            let line = if row.is_new() {
                without_bom(&line)
            } else {
                &line
            };
            if row.feed(line, self.separator) {
                return Ok(Some(Ok(row)));
            }
        }
    }

    /// The record of a row as JSON without the end of its line. It is empty for a blank row, and
    /// for a header that is repeated because files were joined.
    fn record(&self, cells: &[Vec<u8>]) -> Result<Vec<u8>, String> {
        if cells.iter().all(|cell| cell.trim_ascii().is_empty()) || self.is_header(cells) {
            return Ok(Vec::new());
        }
        if cells.len() != self.columns.len() {
            return Err(format!(
                "the row has {} cells and the header has {}; a cell with a separator, a quote or a new \
                 line in it stands in quotes",
                cells.len(),
                self.columns.len()
            ));
        }
        let mut record = vec![b'{'];
        for (field, cell) in self.columns.iter().zip(cells) {
            let Some(field) = field else { continue };
            if cell.is_empty() && !is_text(field) {
                continue;
            }
            if record.len() > 1 {
                record.push(b',');
            }
            record.extend(format!("\"{field}\":").into_bytes());
            push_value(&mut record, field, cell);
        }
        record.push(b'}');
        Ok(record)
    }

    fn is_header(&self, cells: &[Vec<u8>]) -> bool {
        let mut named = self.columns.iter().zip(cells);
        cells.len() == self.columns.len()
            && named.all(|(field, cell)| {
                field.is_none_or(|field| field.as_bytes() == cell.trim_ascii())
            })
    }
}

impl Iterator for CsvBlocks {
    type Item = io::Result<Block>;

    fn next(&mut self) -> Option<io::Result<Block>> {
        self.read().transpose()
    }
}

/// The separator, and the cells of the header: the separator is the one that gives a column `type`.
fn header_cells(header: &[u8]) -> (u8, Vec<Vec<u8>>) {
    let by = |separator| {
        let mut row = Row::default();
        if !row.feed(without_bom(header), separator) {
            row.end();
        }
        (separator, row.cells)
    };
    let is_type = |cell: &Vec<u8>| cell.trim_ascii() == b"type";
    let mut all = SEPARATORS.map(by).into_iter();
    let found = all.find(|(_, cells)| cells.iter().any(is_type));
    found.unwrap_or_else(|| by(SEPARATORS[0]))
}

/// The field of each column; `None` if records have no such field.
fn columns(cells: &[Vec<u8>]) -> io::Result<Vec<Option<&'static str>>> {
    let field = |cell: &Vec<u8>| {
        let mut fields = FIELD_NAMES.iter().copied();
        fields.find(|field| field.as_bytes() == cell.trim_ascii())
    };
    let columns: Vec<_> = cells.iter().map(field).collect();
    for (index, field) in columns.iter().enumerate() {
        if field.is_some() && columns[..index].contains(field) {
            return Err(invalid("the header has two columns of one name"));
        }
    }
    Ok(columns)
}

/// A row that is longer than a line may be.
struct TooLong;

fn invalid(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

fn is_text(field: &str) -> bool {
    let others = [&LISTS[..], &NUMBERS, &FLAGS, &TIMES].concat();
    !others.contains(&field)
}

/// Writes a cell as the type of its field. A cell of another type is written as a string, so that
/// the record is rejected with the name of the field.
fn push_value(record: &mut Vec<u8>, field: &str, cell: &[u8]) {
    let trimmed = cell.trim_ascii();
    let is_json = || serde_json::from_slice::<IgnoredAny>(trimmed).is_ok();
    let is_number = || trimmed.last().is_some_and(u8::is_ascii_digit) && is_json();
    let is_integer = || trimmed.iter().all(u8::is_ascii_digit) && is_json();
    if (LISTS.contains(&field) && trimmed.starts_with(b"[") && is_json())
        || (NUMBERS.contains(&field) && is_number())
        || (TIMES.contains(&field) && is_integer())
    {
        // A new line between the elements of a list would end the record.
        record.extend(trimmed.iter().map(|byte| match byte {
            b'\n' | b'\r' => b' ',
            byte => *byte,
        }));
    } else if FLAGS.contains(&field) && trimmed.eq_ignore_ascii_case(b"true") {
        record.extend(b"true");
    } else if FLAGS.contains(&field) && trimmed.eq_ignore_ascii_case(b"false") {
        record.extend(b"false");
    } else {
        push_text(record, cell);
    }
}

/// Writes bytes as a JSON string. Bytes that are not UTF-8 are rejected when the record is decoded.
fn push_text(record: &mut Vec<u8>, text: &[u8]) {
    record.push(b'"');
    for byte in text {
        match byte {
            b'"' | b'\\' => record.extend([b'\\', *byte]),
            0..b' ' => record.extend(format!("\\u{byte:04x}").into_bytes()),
            byte => record.push(*byte),
        }
    }
    record.push(b'"');
}

/// A row that is being read.
#[derive(Default)]
struct Row {
    cells: Vec<Vec<u8>>,
    cell: Vec<u8>,
    state: State,
}

/// The position inside a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Start,
    Plain,
    Quoted,
    /// After a quote that either closes the cell or is the first of two.
    AfterQuote,
}

impl Row {
    fn is_new(&self) -> bool {
        self.cells.is_empty() && self.state == State::Start
    }

    /// Adds a line with its end. Returns whether the row ends with it.
    fn feed(&mut self, line: &[u8], separator: u8) -> bool {
        let mut bytes = line.iter().peekable();
        while let Some(&byte) = bytes.next() {
            match (self.state, byte) {
                (State::Quoted, b'"') => self.state = State::AfterQuote,
                (State::Quoted, byte) => self.cell.push(byte),
                (State::Start, b'"') => self.state = State::Quoted,
                (State::AfterQuote, b'"') => {
                    self.cell.push(b'"');
                    self.state = State::Quoted;
                }
                (_, b'\r') if bytes.peek() == Some(&&b'\n') => {}
                (_, b'\n') => {
                    self.end();
                    return true;
                }
                (_, byte) if byte == separator => self.end(),
                (_, byte) => {
                    self.cell.push(byte);
                    self.state = State::Plain;
                }
            }
        }
        false
    }

    /// Ends a cell.
    fn end(&mut self) {
        self.cells.push(std::mem::take(&mut self.cell));
        self.state = State::Start;
    }
}

#[cfg(test)]
mod tests;
