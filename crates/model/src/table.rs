//! Tables in memory: rows of typed cells, and the text of a cell.
//!
//! Files, JSON and pages write cells with [`Texts`], so a figure has the same digits everywhere.

use std::fmt::{self, Write};

use crate::column::Column;
use crate::time::Timestamp;

/// A cell of a row, borrowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    Absent,
    Text(&'a str),
    Time(Timestamp),
    Flag(bool),
    Count(i64),
    /// In milliseconds.
    Seconds(i64),
    Number(f64),
}

/// A cell of a row, owned.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Absent,
    Text(String),
    Time(Timestamp),
    Flag(bool),
    Count(i64),
    /// In milliseconds.
    Seconds(i64),
    Number(f64),
}

impl Value {
    /// The cell.
    pub fn cell(&self) -> Cell<'_> {
        match self {
            Self::Absent => Cell::Absent,
            Self::Text(text) => Cell::Text(text),
            Self::Time(at) => Cell::Time(*at),
            Self::Flag(flag) => Cell::Flag(*flag),
            Self::Count(count) => Cell::Count(*count),
            Self::Seconds(millis) => Cell::Seconds(*millis),
            Self::Number(number) => Cell::Number(*number),
        }
    }

    /// One number by another, floored to this many decimals; absent for a division by 0. Neither is
    /// negative.
    pub fn quotient(dividend: i64, divisor: i64, decimals: u32) -> Self {
        let scale = 10_i64.pow(decimals);
        let scaled = i128::from(dividend) * i128::from(scale);
        let Some(floored) = scaled.checked_div(i128::from(divisor)) else {
            return Self::Absent;
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "the nearest number to a quotient of few digits has these digits"
        )]
        let number = floored as f64 / scale as f64;
        Self::Number(number)
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.capacity(),
            _ => 0,
        }
    }
}

impl From<Cell<'_>> for Value {
    fn from(cell: Cell<'_>) -> Self {
        match cell {
            Cell::Absent => Self::Absent,
            Cell::Text(text) => Self::Text(text.to_owned()),
            Cell::Time(at) => Self::Time(at),
            Cell::Flag(flag) => Self::Flag(flag),
            Cell::Count(count) => Self::Count(count),
            Cell::Seconds(millis) => Self::Seconds(millis),
            Cell::Number(number) => Self::Number(number),
        }
    }
}

impl fmt::Display for Value {
    /// As in a CSV file, without quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        Texts::default().append(self.cell(), &mut text);
        f.write_str(&text)
    }
}

/// Rows of cells, in the order of the columns.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Value>>,
}

impl Table {
    /// The position of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        let cells = |row: &Vec<Value>| {
            let texts: usize = row.iter().map(Value::heap_bytes).sum();
            row.capacity() * size_of::<Value>() + texts
        };
        self.columns.capacity() * size_of::<Column>()
            + self.rows.capacity() * size_of::<Vec<Value>>()
            + self.rows.iter().map(cells).sum::<usize>()
    }
}

/// Formats cells as text. The text of the last instant is kept: rows are often sorted by time, so
/// the next row is likely to have the same one.
#[derive(Default)]
pub struct Texts {
    digits: itoa::Buffer,
    last: Option<Timestamp>,
    last_text: String,
}

impl Texts {
    /// Appends the text of the cell; none for an absent one.
    pub fn append(&mut self, cell: Cell<'_>, text: &mut String) {
        match cell {
            Cell::Absent => {}
            Cell::Text(value) => text.push_str(value),
            Cell::Time(at) => text.push_str(self.time(at)),
            Cell::Flag(value) => text.push_str(if value { "true" } else { "false" }),
            Cell::Count(value) => text.push_str(self.digits.format(value)),
            Cell::Seconds(millis) => {
                text.push_str(self.digits.format(millis / 1_000));
                text.push('.');
                // 1,000 is added for the leading zeros, and its digit is cut off.
                text.push_str(&self.digits.format(1_000 + millis % 1_000)[1..]);
            }
            // The shortest text that parses to the same number.
            Cell::Number(value) => write!(text, "{value}").expect(INFALLIBLE),
        }
    }

    fn time(&mut self, at: Timestamp) -> &str {
        if self.last != Some(at) {
            self.last = Some(at);
            self.last_text.clear();
            write!(self.last_text, "{at}").expect(INFALLIBLE);
        }
        &self.last_text
    }
}

const INFALLIBLE: &str = "writing to memory cannot fail";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cell_has_one_text() {
        let at = "2026-11-22T19:30:00+01:00".parse().expect("a time");
        let texts = [
            (Value::Absent, ""),
            (Value::Text("a,\"b".to_owned()), "a,\"b"),
            (Value::Time(at), "2026-11-22T18:30:00.000Z"),
            (Value::Flag(false), "false"),
            (Value::Count(1_234_567), "1234567"),
            (Value::Seconds(0), "0.000"),
            (Value::Seconds(61_005), "61.005"),
            (Value::Number(0.25), "0.25"),
            (Value::Number(1.0), "1"),
        ];
        for (value, text) in texts {
            assert_eq!(value.to_string(), text);
            assert_eq!(Value::from(value.cell()), value);
        }
    }

    #[test]
    fn a_quotient_is_floored_and_absent_for_a_division_by_0() {
        assert_eq!(Value::quotient(2, 3, 4).to_string(), "0.6666");
        assert_eq!(Value::quotient(2_999_999, 1_000, 2).to_string(), "2999.99");
        assert_eq!(Value::quotient(7, 7, 4).to_string(), "1");
        assert_eq!(Value::quotient(0, 5, 3).to_string(), "0");
        assert_eq!(Value::quotient(1, 0, 4), Value::Absent);
    }

    proptest! {
        #[test]
        fn the_digits_of_a_quotient_are_exact(
            dividend in 0i64..100_000_000_000,
            divisor in 1i64..100_000_000,
        ) {
            let text = Value::quotient(dividend, divisor, 3).to_string();
            let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
            let thousandths: i64 = format!("{whole}{decimals:0<3}").parse().expect("digits");
            prop_assert_eq!(thousandths, dividend * 1_000 / divisor);
        }
    }
}
