//! Compares two files of a bulk report, row by row.

use std::cmp::Ordering;

use csv::{ByteRecord, Reader};

use crate::error::Error;

/// The rows by which a file differs from the one before it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Rows that only the file before has.
    pub removed: u64,
    /// Rows that only the file has.
    pub added: u64,
    /// The first of both, in the order of the files.
    pub first: Vec<ChangedRow>,
}

/// A row that only one of two files has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedRow {
    /// Whether the file has it, and not the one before.
    pub is_added: bool,
    /// The texts, in the order of the columns.
    pub cells: Vec<String>,
}

/// Compares the exact texts of two files with a header. Rows are sorted by their columns from left
/// to right, so that one pass over both is enough. At most `rows_max` rows are listed.
pub(crate) fn changes(before: &[u8], after: &[u8], rows_max: usize) -> Result<Changes, Error> {
    let (mut before, mut after) = (Rows::open(before)?, Rows::open(after)?);
    let mut changes = Changes::default();
    loop {
        let order = match (before.is_row(), after.is_row()) {
            (false, false) => return Ok(changes),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (true, true) => before.row.iter().cmp(after.row.iter()),
        };
        let (count, row) = match order {
            Ordering::Equal => {
                before.advance()?;
                after.advance()?;
                continue;
            }
            Ordering::Less => (&mut changes.removed, &mut before),
            Ordering::Greater => (&mut changes.added, &mut after),
        };
        *count += 1;
        if changes.first.len() < rows_max {
            let texts = row.row.iter().map(String::from_utf8_lossy);
            changes.first.push(ChangedRow {
                is_added: order == Ordering::Greater,
                cells: texts.map(String::from).collect(),
            });
        }
        row.advance()?;
    }
}

/// A file at one of its rows, or at its end.
struct Rows<'f> {
    reader: Reader<&'f [u8]>,
    row: ByteRecord,
}

impl<'f> Rows<'f> {
    fn open(file: &'f [u8]) -> Result<Self, Error> {
        let mut rows = Self {
            reader: Reader::from_reader(file),
            row: ByteRecord::new(),
        };
        rows.advance()?;
        Ok(rows)
    }

    fn is_row(&self) -> bool {
        !self.row.is_empty()
    }

    fn advance(&mut self) -> Result<(), Error> {
        let read = self.reader.read_byte_record(&mut self.row);
        if !read.map_err(|source| Error::CompareFiles { source })? {
            self.row.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(before: &str, after: &str) -> (u64, u64, Vec<String>) {
        let changes = changes(before.as_bytes(), after.as_bytes(), 3).expect("two files");
        let sign = |row: &ChangedRow| if row.is_added { '+' } else { '-' };
        let first = changes.first.iter();
        let first = first.map(|row| format!("{}{}", sign(row), row.cells.join("|")));
        (changes.removed, changes.added, first.collect())
    }

    #[test]
    fn rows_of_one_file_alone_are_found_in_order() {
        let before = "id,n\na,1\nb,2\nc,3\n";
        assert_eq!(compared(before, before), (0, 0, vec![]));
        let after = "id,n\na,1\nb,9\n\"c,x\",3\nd,4\n";
        let lines = ["-b|2", "+b|9", "-c|3"].map(str::to_owned).to_vec();
        assert_eq!(compared(before, after), (2, 3, lines));
        let lines = ["-a|1", "-b|2", "-c|3"].map(str::to_owned).to_vec();
        assert_eq!(compared(before, "id,n\n"), (3, 0, lines));
        assert_eq!(compared("id,n\n", "id,n\na,1\n").1, 1);
    }

    #[test]
    fn an_empty_cell_is_before_every_text() {
        let (before, after) = ("id,n\n,1\na,1\n", "id,n\n,1\na,2\n");
        let lines = ["-a|1", "+a|2"].map(str::to_owned).to_vec();
        assert_eq!(compared(before, after), (1, 1, lines));
    }

    #[test]
    fn a_file_with_a_row_of_another_width_is_an_error() {
        assert!(changes(b"id,n\na\n", b"id,n\n", 3).is_err());
    }
}
