//! CSV: RFC 4180, `\n`, UTF-8; texts guarded against spreadsheets, and beside it the exact text.

use std::sync::Arc;

use arrow::array::RecordBatch;

use super::cells::{Cell, row};
use super::{Bytes, Failure, Renderer};
use crate::plans::answer::Column;

/// First characters by which a spreadsheet takes a text for a formula
/// (OWASP, "CSV Injection"; CWE-1236).
const TRIGGERS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

pub(super) struct Csv {
    columns: Arc<[Column]>,
}

impl Csv {
    pub(super) fn new(columns: Arc<[Column]>, bytes: &mut Bytes) -> Result<Self, Failure> {
        let names = || columns.iter().map(|column| column.name);
        writer(&mut bytes.main).write_record(names())?;
        writer(&mut bytes.raw).write_record(names())?;
        Ok(Self { columns })
    }
}

impl Renderer for Csv {
    fn rows(&mut self, batch: &RecordBatch, bytes: &mut Bytes) -> Result<(), Failure> {
        let mut main = writer(&mut bytes.main);
        let mut raw = writer(&mut bytes.raw);
        let mut text = String::new();
        for number in 0..batch.num_rows() {
            for cell in row(batch, &self.columns, number) {
                text.clear();
                cell.write(&mut text);
                raw.write_field(&text)?;
                if matches!(cell, Cell::Text(value) if value.starts_with(TRIGGERS)) {
                    bytes.guarded = true;
                    text.insert(0, '\'');
                }
                main.write_field(&text)?;
            }
            main.write_record(None::<&[u8]>)?;
            raw.write_record(None::<&[u8]>)?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>, _bytes: &mut Bytes) -> Result<(), Failure> {
        Ok(())
    }
}

fn writer(bytes: &mut Vec<u8>) -> csv::Writer<&mut Vec<u8>> {
    csv::WriterBuilder::new()
        .terminator(csv::Terminator::Any(b'\n'))
        .from_writer(bytes)
}
