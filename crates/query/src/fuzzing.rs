//! CSV with arbitrary texts, for fuzzing.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use showreport_model::column::{Column, ColumnType};

use crate::render;

/// Writes the texts of the input, which the byte 0x1e separates, as rows of two cells. Then checks
/// with another CSV reader that the exact file has every text unchanged, and that the guarded file
/// has no cell that a spreadsheet would run.
pub fn csv(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let cells: Vec<&str> = text.split('\u{1e}').collect();
    let (rows, _) = cells.as_chunks::<2>();
    let columns: [ArrayRef; 2] = [0, 1].map(|place| {
        let cells = rows.iter().map(|row| Some(row[place]));
        Arc::new(cells.collect::<StringArray>()) as ArrayRef
    });
    let [left, right] = columns;
    let batch = RecordBatch::try_from_iter([("left", left), ("right", right)]);
    let batch = batch.expect("columns of equal length");
    let columns = ["left", "right"].map(|name| Column::new(name, ColumnType::Text, "a text"));
    let (guarded, exact) = render::csv(columns.to_vec(), &batch).expect("memory cannot fail");
    assert_eq!(read(&exact), rows, "the exact text");
    for (cell, text) in read(&guarded).iter().flatten().zip(rows.iter().flatten()) {
        let runs = cell.starts_with(|first| "=+-@\t\r\n＝＋－＠".contains(first));
        assert!(!runs, "a spreadsheet would run {cell:?}");
        let unguarded = cell.strip_prefix('\'').unwrap_or(cell);
        assert!(cell == text || unguarded == *text, "{cell:?} was {text:?}");
    }
}

/// The rows below the header.
fn read(file: &[u8]) -> Vec<[String; 2]> {
    let mut reader = csv::Reader::from_reader(file);
    let rows = reader.records().map(|row| {
        let row = row.expect("the file can be read");
        [row[0].to_owned(), row[1].to_owned()]
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    #[test]
    fn every_input_of_the_corpus_passes() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/csv");
        let mut inputs = 0;
        for file in fs::read_dir(folder).unwrap() {
            super::csv(&fs::read(file.unwrap().path()).unwrap());
            inputs += 1;
        }
        assert!(inputs > 0);
    }
}
