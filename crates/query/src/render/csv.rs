//! CSV: RFC 4180, `\n`, UTF-8. One text is guarded against formulas, the other exact.

use std::sync::Arc;

use arrow::array::RecordBatch;
use showreport_model::column::Column;
use showreport_model::table::{Cell, Texts};

use super::{Bytes, RenderError, Renderer};
use crate::cells::Cells;

/// A spreadsheet runs a text as a formula if it begins with one of these: the list of OWASP ("CSV
/// Injection"; CWE-1236). The last four are the full-width signs of East Asian keyboards.
const TRIGGERS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

pub(super) struct Csv {
    columns: Arc<[Column]>,
    texts: Texts,
}

impl Csv {
    pub(super) fn new(columns: Arc<[Column]>, bytes: &mut Bytes) -> Result<Self, RenderError> {
        append_header(&columns, &mut bytes.main)?;
        append_header(&columns, &mut bytes.raw)?;
        Ok(Self {
            columns,
            texts: Texts::default(),
        })
    }
}

impl Renderer for Csv {
    fn rows(&mut self, batch: &RecordBatch, bytes: &mut Bytes) -> Result<(), RenderError> {
        let cells = Cells::of(batch, &self.columns);
        let rows = || (0..batch.num_rows()).map(|row| cells.row(row));
        let begun = bytes.main.len();
        if cells.texts().any(|text| text.starts_with(TRIGGERS)) {
            bytes.guarded = true;
            append_rows(rows(), &mut self.texts, &mut bytes.raw, exact)?;
            append_rows(rows(), &mut self.texts, &mut bytes.main, guarded)?;
            return Ok(());
        }
        append_rows(rows(), &mut self.texts, &mut bytes.main, exact)?;
        bytes.raw.extend_from_slice(&bytes.main[begun..]);
        Ok(())
    }

    fn finish(self: Box<Self>, _bytes: &mut Bytes) -> Result<(), RenderError> {
        Ok(())
    }
}

pub(super) fn append_header(columns: &[Column], bytes: &mut Vec<u8>) -> csv::Result<()> {
    writer(bytes).write_record(columns.iter().map(|column| column.name))
}

pub(super) fn append_rows<'a, R: Iterator<Item = Cell<'a>>>(
    rows: impl Iterator<Item = R>,
    texts: &mut Texts,
    bytes: &mut Vec<u8>,
    prefix: fn(&Cell<'_>) -> &'static str,
) -> csv::Result<()> {
    let mut writer = writer(bytes);
    let mut text = String::new();
    for row in rows {
        for cell in row {
            text.clear();
            text.push_str(prefix(&cell));
            texts.append(cell, &mut text);
            writer.write_field(&text)?;
        }
        writer.write_record(None::<&[u8]>)?;
    }
    Ok(())
}

/// The prefix of a cell in the exact text.
fn exact(_cell: &Cell<'_>) -> &'static str {
    ""
}

/// The prefix of a cell in the guarded text. A spreadsheet does not run a cell that begins with
/// `'`.
pub(super) fn guarded(cell: &Cell<'_>) -> &'static str {
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
