//! XLSX, for people: one sheet with the rows and one that describes the report.
//!
//! Times are dates in the organisation's zone, figures are numbers. Rows are written to a temporary
//! file at once. No cell needs a guard, since XLSX stores texts and formulas differently.

mod about;

use std::io::Seek;
use std::sync::Arc;

use arrow::array::RecordBatch;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};
use showreport_model::column::{Column, ColumnType};
use showreport_model::table::Cell;
use showreport_model::{Timestamp, Zone};

use super::{Bytes, RenderError, Renderer};
use crate::cells::Cells;
use crate::error::Error;

pub(crate) use about::About;

/// The limit of a sheet ("Excel specifications and limits") without the header.
const ROWS_MAX: u32 = 1_048_576 - 1;

/// Least and greatest width of a column in digits. Between them it follows the cells of the first
/// batch.
const WIDTHS: (usize, usize) = (10, 60);

/// Digits that the button of the filter covers.
const FILTER_BUTTON: usize = 4;

const DATE: &str = "yyyy-mm-dd hh:mm:ss.000";

pub(super) struct Xlsx {
    columns: Arc<[Column]>,
    about: About,
    book: Workbook,
    formats: Formats,
    rows: u32,
}

struct Formats {
    date: Format,
    seconds: Format,
    bold: Format,
}

impl Xlsx {
    pub(super) fn new(columns: Arc<[Column]>, about: About) -> Result<Self, RenderError> {
        let mut book = Workbook::new();
        // The same rows must give the same bytes, so the date of creation is fixed.
        let epoch = ExcelDateTime::from_ymd(2000, 1, 1)?;
        book.set_properties(&DocProperties::new().set_creation_datetime(&epoch));
        let formats = Formats {
            date: Format::new().set_num_format(DATE),
            seconds: Format::new().set_num_format("0.000"),
            bold: Format::new().set_bold(),
        };
        let sheet = book.add_worksheet_with_constant_memory()?;
        sheet.set_name("report")?;
        sheet.set_freeze_panes(1, 0)?;
        for (index, column) in (0..).zip(columns.iter()) {
            sheet.write_string_with_format(0, index, header(column, &about.zone), &formats.bold)?;
        }
        Ok(Self {
            columns,
            about,
            book,
            formats,
            rows: 0,
        })
    }

    /// Sets the widths of all columns by their headers and the first batch.
    fn set_widths(&mut self, first: Option<&Cells<'_>>) -> Result<(), XlsxError> {
        let sheet = self.book.worksheet_from_index(0)?;
        for (index, column) in self.columns.iter().enumerate() {
            let header = width(&header(column, &self.about.zone)) + FILTER_BUTTON;
            let cells = match (column.kind, first) {
                (ColumnType::Time, _) => DATE.len(),
                (ColumnType::Text, Some(first)) => {
                    first.texts_of(index).map(width).max().unwrap_or(0)
                }
                _ => 0,
            };
            let digits = header.max(cells + 1).clamp(WIDTHS.0, WIDTHS.1);
            let digits = u32::try_from(digits).expect("at most 60");
            sheet.set_column_width(index_of(index), digits)?;
        }
        Ok(())
    }
}

impl Renderer for Xlsx {
    fn rows(&mut self, batch: &RecordBatch, _bytes: &mut Bytes) -> Result<(), RenderError> {
        let cells = Cells::of(batch, &self.columns);
        if self.rows == 0 {
            self.set_widths(Some(&cells))?;
        }
        let sheet = self.book.worksheet_from_index(0)?;
        for number in 0..batch.num_rows() {
            self.rows += 1;
            if self.rows > ROWS_MAX {
                return Err(Box::new(Error::SheetFull {
                    rows_max: ROWS_MAX.into(),
                }));
            }
            for (index, cell) in (0..).zip(cells.row(number)) {
                write_cell(
                    sheet,
                    self.rows,
                    index,
                    cell,
                    &self.about.zone,
                    &self.formats,
                )?;
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, bytes: &mut Bytes) -> Result<(), RenderError> {
        if self.rows == 0 {
            self.set_widths(None)?;
        }
        let last = index_of(self.columns.len().saturating_sub(1));
        let sheet = self.book.worksheet_from_index(0)?;
        sheet.autofilter(0, 0, self.rows, last)?;
        let sheet = self.book.add_worksheet();
        self.about
            .write(sheet, &self.columns, self.rows, &self.formats)?;
        let mut file = tempfile::tempfile()?;
        self.book.save_to_writer(&mut file)?;
        file.rewind()?;
        bytes.spooled = Some(file);
        Ok(())
    }
}

/// The header of a column; for times with the zone.
fn header(column: &Column, zone: &Zone) -> String {
    match column.kind {
        ColumnType::Time => format!("{} ({})", column.name, zone.name()),
        _ => column.name.to_owned(),
    }
}

fn write_cell(
    sheet: &mut Worksheet,
    row: u32,
    index: u16,
    cell: Cell<'_>,
    zone: &Zone,
    formats: &Formats,
) -> Result<(), XlsxError> {
    match cell {
        Cell::Absent => return Ok(()),
        Cell::Text(value) => sheet.write_string(row, index, value)?,
        Cell::Time(at) => {
            sheet.write_number_with_format(row, index, date_of(at, zone), &formats.date)?
        }
        Cell::Flag(value) => sheet.write_boolean(row, index, value)?,
        Cell::Count(value) => sheet.write_number(row, index, number_of(value))?,
        Cell::Number(value) => sheet.write_number(row, index, value)?,
        Cell::Seconds(millis) => {
            let seconds = number_of(millis) / 1000.0;
            sheet.write_number_with_format(row, index, seconds, &formats.seconds)?
        }
    };
    Ok(())
}

/// An instant as XLSX stores dates: days since 30 December 1899, by the clocks of the zone.
fn date_of(at: Timestamp, zone: &Zone) -> f64 {
    const DAYS_TO_1970: i64 = 25_569;
    const DAY_MS: i64 = 86_400_000;
    // One division: the result is the nearest `f64`, within a microsecond.
    number_of(zone.wall_millis(at) + DAYS_TO_1970 * DAY_MS) / number_of(DAY_MS)
}

/// The width of a text in digits. Letters of East Asian scripts count two.
fn width(text: &str) -> usize {
    let widths = text.chars().map(|c| if c < '\u{1100}' { 1 } else { 2 });
    widths.sum()
}

fn index_of(column: usize) -> u16 {
    u16::try_from(column).expect("a few columns")
}

#[expect(
    clippy::cast_precision_loss,
    reason = "XLSX has only f64; figures stay far below 2^53"
)]
fn number_of(figure: i64) -> f64 {
    figure as f64
}
