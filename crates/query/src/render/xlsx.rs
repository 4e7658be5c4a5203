//! XLSX, made to be read by people: the rows on one sheet, and what they are on another.
//!
//! Times are dates of the organisation's zone, figures are numbers. Rows go to a temporary file as
//! they come. No cell needs a guard: a sheet tells texts from formulas by itself.

mod about;

use std::io::Seek;
use std::sync::Arc;

use arrow::array::RecordBatch;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};
use showreport_model::column::{Column, ColumnType};
use showreport_model::{Timestamp, Zone};

use super::cells::{Cell, Cells};
use super::{Bytes, Failure, Renderer};
use crate::error::Error;

pub(crate) use about::About;

/// Rows of a sheet (Excel specifications and limits), less the header.
const ROWS_MAX: u32 = 1_048_576 - 1;

/// Columns are as wide as the cells of the first batch, within these numbers of digits.
const WIDTHS: (usize, usize) = (10, 60);

/// The arrow of the filter covers the end of a header.
const FILTER_ARROW: usize = 4;

/// As wide as a date with its time.
const DATE: &str = "yyyy-mm-dd hh:mm:ss.000";

pub(super) struct Xlsx {
    columns: Arc<[Column]>,
    about: About,
    book: Workbook,
    formats: Formats,
    rows: u32,
}

/// How cells look.
struct Formats {
    date: Format,
    seconds: Format,
    bold: Format,
}

impl Xlsx {
    pub(super) fn new(columns: Arc<[Column]>, about: About) -> Result<Self, Failure> {
        let mut book = Workbook::new();
        // The same rows must give the same bytes, so the file cannot tell when it was made.
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
        for (place, column) in (0..).zip(columns.iter()) {
            sheet.write_string_with_format(0, place, header(column, &about.zone), &formats.bold)?;
        }
        Ok(Self {
            columns,
            about,
            book,
            formats,
            rows: 0,
        })
    }

    /// Makes each column wide enough for what is known to be in it.
    fn set_widths(&mut self, first: Option<&Cells<'_>>) -> Result<(), XlsxError> {
        let sheet = self.book.worksheet_from_index(0)?;
        for (place, column) in self.columns.iter().enumerate() {
            let header = width(&header(column, &self.about.zone)) + FILTER_ARROW;
            let cells = match (column.kind, first) {
                (ColumnType::Time, _) => DATE.len(),
                (ColumnType::Text, Some(first)) => {
                    first.texts_of(place).map(width).max().unwrap_or(0)
                }
                _ => 0,
            };
            let digits = header.max(cells + 1).clamp(WIDTHS.0, WIDTHS.1);
            let digits = u32::try_from(digits).expect("at most 60");
            sheet.set_column_width(place_of(place), digits)?;
        }
        Ok(())
    }
}

impl Renderer for Xlsx {
    fn rows(&mut self, batch: &RecordBatch, _bytes: &mut Bytes) -> Result<(), Failure> {
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
            for (place, cell) in (0..).zip(cells.row(number)) {
                write_cell(
                    sheet,
                    self.rows,
                    place,
                    cell,
                    &self.about.zone,
                    &self.formats,
                )?;
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, bytes: &mut Bytes) -> Result<(), Failure> {
        if self.rows == 0 {
            self.set_widths(None)?;
        }
        let last = place_of(self.columns.len().saturating_sub(1));
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

/// The name of a column; a time is not known without its zone.
fn header(column: &Column, zone: &Zone) -> String {
    match column.kind {
        ColumnType::Time => format!("{} ({})", column.name, zone.name()),
        _ => column.name.to_owned(),
    }
}

fn write_cell(
    sheet: &mut Worksheet,
    row: u32,
    place: u16,
    cell: Cell<'_>,
    zone: &Zone,
    formats: &Formats,
) -> Result<(), XlsxError> {
    match cell {
        Cell::Absent => return Ok(()),
        Cell::Text(value) => sheet.write_string(row, place, value)?,
        Cell::Time(at) => {
            sheet.write_number_with_format(row, place, date_of(at, zone), &formats.date)?
        }
        Cell::Flag(value) => sheet.write_boolean(row, place, value)?,
        Cell::Count(value) => sheet.write_number(row, place, number_of(value))?,
        Cell::Number(value) => sheet.write_number(row, place, value)?,
        Cell::Seconds(millis) => {
            let seconds = number_of(millis) / 1000.0;
            sheet.write_number_with_format(row, place, seconds, &formats.seconds)?
        }
    };
    Ok(())
}

/// A date of a sheet: days of the zone's clocks since 30 December 1899.
fn date_of(at: Timestamp, zone: &Zone) -> f64 {
    const DAYS_TO_1970: i64 = 25_569;
    const DAY_MS: i64 = 86_400_000;
    // One division, so that the date is the nearest that there is: closer than a microsecond.
    number_of(zone.wall_millis(at) + DAYS_TO_1970 * DAY_MS) / number_of(DAY_MS)
}

/// How many digits a text is wide. Letters of East Asian scripts are two.
fn width(text: &str) -> usize {
    let widths = text.chars().map(|c| if c < '\u{1100}' { 1 } else { 2 });
    widths.sum()
}

fn place_of(column: usize) -> u16 {
    u16::try_from(column).expect("a few columns")
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a sheet knows no other numbers; figures stay far below 2^53"
)]
fn number_of(figure: i64) -> f64 {
    figure as f64
}
