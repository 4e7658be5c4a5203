//! Tables in memory as JSON and CSV, with the digits and quotes of files.

use showreport_model::column::Column;
use showreport_model::table::{Cell, Table, Texts, Value};

use super::{csv, ndjson};

/// The rows as a JSON array of objects.
pub fn json_of_rows(table: &Table) -> String {
    let (mut json, mut texts) = (Vec::from(b"["), Texts::default());
    for (number, row) in table.rows.iter().enumerate() {
        json.extend_from_slice(if number == 0 { b"" } else { b"," });
        ndjson::append_object(&table.columns, cells(row), &mut texts, &mut json).expect(INFALLIBLE);
    }
    json.push(b']');
    String::from_utf8(json).expect(TEXT)
}

/// A row as a JSON object.
pub fn json_of_row(columns: &[Column], row: &[Value]) -> String {
    let (mut json, mut texts) = (Vec::new(), Texts::default());
    ndjson::append_object(columns, cells(row), &mut texts, &mut json).expect(INFALLIBLE);
    String::from_utf8(json).expect(TEXT)
}

/// The table as CSV, guarded against formulas as files are.
pub fn csv_of(table: &Table) -> String {
    let mut bytes = Vec::new();
    let rows = table.rows.iter().map(|row| cells(row));
    csv::append_header(&table.columns, &mut bytes)
        .and_then(|()| csv::append_rows(rows, &mut Texts::default(), &mut bytes, csv::guarded))
        .expect(INFALLIBLE);
    String::from_utf8(bytes).expect(TEXT)
}

const INFALLIBLE: &str = "writing to memory cannot fail";
const TEXT: &str = "only texts were written";

fn cells(row: &[Value]) -> impl Iterator<Item = Cell<'_>> {
    row.iter().map(Value::cell)
}

#[cfg(test)]
mod tests {
    use showreport_model::column::ColumnType;

    use super::*;

    #[test]
    fn json_and_csv_have_the_same_digits() {
        let columns = vec![
            Column::new("name", ColumnType::Text, "a name"),
            Column::new("watch_seconds", ColumnType::Seconds, "seconds"),
            Column::new("share", ColumnType::Number, "a share"),
        ];
        let row = |name: &str, millis, share| {
            vec![Value::Text(name.to_owned()), Value::Seconds(millis), share]
        };
        let table = Table {
            columns,
            rows: vec![
                row("=1+\"1\",2", 5_000, Value::Number(0.3333)),
                row("Zoë", 61_005, Value::Absent),
            ],
        };
        assert_eq!(
            csv_of(&table),
            "name,watch_seconds,share\n\"'=1+\"\"1\"\",2\",5.000,0.3333\nZoë,61.005,\n"
        );
        assert_eq!(
            json_of_rows(&table),
            "[{\"name\":\"=1+\\\"1\\\",2\",\"watch_seconds\":5.000,\"share\":0.3333},\
             {\"name\":\"Zoë\",\"watch_seconds\":61.005,\"share\":null}]"
        );
        assert_eq!(
            json_of_row(&table.columns, &table.rows[1]),
            "{\"name\":\"Zoë\",\"watch_seconds\":61.005,\"share\":null}"
        );
        let empty = Table {
            rows: Vec::new(),
            ..table
        };
        assert_eq!(json_of_rows(&empty), "[]");
        assert_eq!(csv_of(&empty), "name,watch_seconds,share\n");
    }
}
