//! XLSX: one sheet. Times are texts as in CSV, exact and in UTC; figures are numbers.
//!
//! Rows go to a temporary file as they come. No cell needs a guard: a sheet
//! tells texts from formulas by itself.

use std::io::Seek;
use std::sync::Arc;

use arrow::array::RecordBatch;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook};

use super::cells::{Cell, Cells, Texts};
use super::{Bytes, Failure, Renderer};
use crate::error::Error;
use crate::plans::answer::Column;

/// Rows of a sheet (Excel specifications and limits), less the header.
const ROWS_MAX: u32 = 1_048_576 - 1;

pub(super) struct Xlsx {
    columns: Arc<[Column]>,
    texts: Texts,
    book: Workbook,
    seconds: Format,
    rows: u32,
}

impl Xlsx {
    pub(super) fn new(columns: Arc<[Column]>) -> Result<Self, Failure> {
        let mut book = Workbook::new();
        // The same rows must give the same bytes, so the file cannot tell when it was made.
        let epoch = ExcelDateTime::from_ymd(2000, 1, 1)?;
        book.set_properties(&DocProperties::new().set_creation_datetime(&epoch));
        let sheet = book.add_worksheet_with_constant_memory()?;
        sheet.set_name("report")?;
        sheet.set_freeze_panes(1, 0)?;
        let bold = Format::new().set_bold();
        for (place, column) in (0..).zip(columns.iter()) {
            sheet.write_string_with_format(0, place, column.name, &bold)?;
        }
        Ok(Self {
            columns,
            texts: Texts::default(),
            book,
            seconds: Format::new().set_num_format("0.000"),
            rows: 0,
        })
    }
}

impl Renderer for Xlsx {
    fn rows(&mut self, batch: &RecordBatch, _bytes: &mut Bytes) -> Result<(), Failure> {
        let cells = Cells::of(batch, &self.columns);
        let sheet = self.book.worksheet_from_index(0)?;
        let mut text = String::new();
        for number in 0..batch.num_rows() {
            self.rows += 1;
            if self.rows > ROWS_MAX {
                return Err(Box::new(Error::SheetFull {
                    rows_max: ROWS_MAX.into(),
                }));
            }
            for (place, cell) in (0..).zip(cells.row(number)) {
                match cell {
                    Cell::Absent => {}
                    Cell::Text(value) => {
                        sheet.write_string(self.rows, place, value)?;
                    }
                    Cell::Time(_) => {
                        text.clear();
                        self.texts.append(cell, &mut text);
                        sheet.write_string(self.rows, place, &text)?;
                    }
                    Cell::Flag(value) => {
                        sheet.write_boolean(self.rows, place, value)?;
                    }
                    Cell::Count(value) => {
                        sheet.write_number(self.rows, place, number_of(value))?;
                    }
                    Cell::Number(value) => {
                        sheet.write_number(self.rows, place, value)?;
                    }
                    Cell::Seconds(millis) => {
                        let seconds = number_of(millis) / 1000.0;
                        sheet.write_number_with_format(self.rows, place, seconds, &self.seconds)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, bytes: &mut Bytes) -> Result<(), Failure> {
        let mut file = tempfile::tempfile()?;
        self.book.save_to_writer(&mut file)?;
        file.rewind()?;
        bytes.spooled = Some(file);
        Ok(())
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a sheet knows no other numbers; figures stay far below 2^53"
)]
fn number_of(figure: i64) -> f64 {
    figure as f64
}
