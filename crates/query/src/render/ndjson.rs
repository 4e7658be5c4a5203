//! NDJSON: each line is an object with every column. Times are strings.

use std::sync::Arc;

use arrow::array::RecordBatch;
use showreport_model::column::Column;

use super::cells::{Cell, Cells, Texts};
use super::{Bytes, RenderError, Renderer};

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
        let line = &mut bytes.main;
        let mut text = String::new();
        for number in 0..batch.num_rows() {
            let named = self.columns.iter().zip(cells.row(number));
            for (index, (column, cell)) in named.enumerate() {
                line.extend_from_slice(if index == 0 { b"{" } else { b"," });
                serde_json::to_writer(&mut *line, column.name)?;
                line.push(b':');
                text.clear();
                self.texts.append(cell, &mut text);
                match cell {
                    Cell::Absent => line.extend_from_slice(b"null"),
                    Cell::Text(_) | Cell::Time(_) => serde_json::to_writer(&mut *line, &text)?,
                    Cell::Flag(_) | Cell::Count(_) | Cell::Seconds(_) | Cell::Number(_) => {
                        line.extend_from_slice(text.as_bytes());
                    }
                }
            }
            line.extend_from_slice(b"}\n");
        }
        Ok(())
    }

    fn finish(self: Box<Self>, _bytes: &mut Bytes) -> Result<(), RenderError> {
        Ok(())
    }
}
