//! NDJSON: each line is an object with every column. Times are strings.

use std::sync::Arc;

use arrow::array::RecordBatch;
use showreport_model::column::Column;
use showreport_model::table::{Cell, Texts};

use super::{Bytes, RenderError, Renderer};
use crate::cells::Cells;

pub(super) struct Ndjson {
    columns: Arc<[Column]>,
    texts: Texts,
}

impl Ndjson {
    pub(super) fn new(columns: Arc<[Column]>) -> Self {
        Self {
            columns,
            texts: Texts::default(),
        }
    }
}

impl Renderer for Ndjson {
    fn rows(&mut self, batch: &RecordBatch, bytes: &mut Bytes) -> Result<(), RenderError> {
        let cells = Cells::of(batch, &self.columns);
        for number in 0..batch.num_rows() {
            let row = cells.row(number);
            append_object(&self.columns, row, &mut self.texts, &mut bytes.main)?;
            bytes.main.push(b'\n');
        }
        Ok(())
    }

    fn finish(self: Box<Self>, _bytes: &mut Bytes) -> Result<(), RenderError> {
        Ok(())
    }
}

/// Appends a row as a JSON object with every column.
pub(super) fn append_object<'a>(
    columns: &[Column],
    cells: impl Iterator<Item = Cell<'a>>,
    texts: &mut Texts,
    json: &mut Vec<u8>,
) -> serde_json::Result<()> {
    let mut text = String::new();
    for (index, (column, cell)) in columns.iter().zip(cells).enumerate() {
        json.push(if index == 0 { b'{' } else { b',' });
        serde_json::to_writer(&mut *json, column.name)?;
        json.push(b':');
        text.clear();
        texts.append(cell, &mut text);
        match cell {
            Cell::Absent => json.extend_from_slice(b"null"),
            Cell::Text(_) | Cell::Time(_) => serde_json::to_writer(&mut *json, &text)?,
            Cell::Flag(_) | Cell::Count(_) | Cell::Seconds(_) | Cell::Number(_) => {
                json.extend_from_slice(text.as_bytes());
            }
        }
    }
    json.push(b'}');
    Ok(())
}
