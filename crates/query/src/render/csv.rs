//! CSV: RFC 4180, `\n`, UTF-8; texts guarded against spreadsheets, and beside it the exact text.

use std::sync::Arc;

use arrow::array::RecordBatch;
use showreport_model::column::Column;

use super::cells::{Cell, Cells, Texts};
use super::{Bytes, Failure, Renderer};

/// First characters by which a spreadsheet takes a text for a formula: the list of OWASP
/// ("CSV Injection"; CWE-1236). The last four are the full-width signs that East Asian keyboards type.
const TRIGGERS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

pub(super) struct Csv {
    columns: Arc<[Column]>,
    texts: Texts,
}

impl Csv {
    pub(super) fn new(columns: Arc<[Column]>, bytes: &mut Bytes) -> Result<Self, Failure> {
        let names = || columns.iter().map(|column| column.name);
        writer(&mut bytes.main).write_record(names())?;
        writer(&mut bytes.raw).write_record(names())?;
        Ok(Self {
            columns,
            texts: Texts::default(),
        })
    }
}

impl Renderer for Csv {
    fn rows(&mut self, batch: &RecordBatch, bytes: &mut Bytes) -> Result<(), Failure> {
        let cells = Cells::of(batch, &self.columns);
        let begun = bytes.main.len();
        if cells.texts().any(|text| text.starts_with(TRIGGERS)) {
            bytes.guarded = true;
            self.write(&cells, batch.num_rows(), &mut bytes.raw, exact)?;
            return self.write(&cells, batch.num_rows(), &mut bytes.main, guarded);
        }
        self.write(&cells, batch.num_rows(), &mut bytes.main, exact)?;
        bytes.raw.extend_from_slice(&bytes.main[begun..]);
        Ok(())
    }

    fn finish(self: Box<Self>, _bytes: &mut Bytes) -> Result<(), Failure> {
        Ok(())
    }
}

impl Csv {
    fn write(
        &mut self,
        cells: &Cells<'_>,
        rows: usize,
        bytes: &mut Vec<u8>,
        lead: fn(&Cell<'_>) -> &'static str,
    ) -> Result<(), Failure> {
        let mut writer = writer(bytes);
        let mut text = String::new();
        for row in 0..rows {
            for cell in cells.row(row) {
                text.clear();
                text.push_str(lead(&cell));
                self.texts.append(cell, &mut text);
                writer.write_field(&text)?;
            }
            writer.write_record(None::<&[u8]>)?;
        }
        Ok(())
    }
}

/// What is put before the text of a cell: nothing.
fn exact(_cell: &Cell<'_>) -> &'static str {
    ""
}

/// The same, but what makes a spreadsheet take a formula for the text that it is.
fn guarded(cell: &Cell<'_>) -> &'static str {
    match cell {
        Cell::Text(text) if text.starts_with(TRIGGERS) => "'",
        _ => "",
    }
}

fn writer(bytes: &mut Vec<u8>) -> csv::Writer<&mut Vec<u8>> {
    csv::WriterBuilder::new()
        .terminator(csv::Terminator::Any(b'\n'))
        .from_writer(bytes)
}
