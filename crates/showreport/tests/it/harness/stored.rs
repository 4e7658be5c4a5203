//! Rows as the files of the lake have them.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::util::display::array_value_to_string;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use showreport_lake::Sought;
use showreport_model::facts::Table;
use showreport_model::{EventId, Window};

use super::{Org, TestApp};

/// The cells of these columns of the rows about `keynote` that the lake has in a table, sorted.
pub(crate) async fn stored(
    app: &TestApp,
    org: &Org,
    table: Table,
    columns: &[&str],
) -> Vec<String> {
    let heads = app.parts.meta.heads().await.expect("heads");
    let event: EventId = "keynote".parse().expect("an id");
    let sought = Sought {
        org: &org.id,
        events: Some(std::slice::from_ref(&event)),
        window: Window::ALL,
    };
    let files = app.parts.lake.files(&heads, table, sought).await;
    let store = app.data_dir().join("store");
    let files = files.expect("files").into_iter();
    let mut rows = rows_of(files.map(|file| store.join(file.path.to_string())), columns);
    rows.sort();
    rows
}

/// The same of all data files in a data directory, also of those that no version has.
pub(crate) fn all_stored(data: &Path, table: Table, columns: &[&str]) -> Vec<String> {
    let folder = data.join("store/lake").join(table.name());
    let files = std::fs::read_dir(folder).expect("a table");
    let files = files.map(|file| file.expect("an entry").path());
    let files = files.filter(|path| path.extension().is_some_and(|it| it == "parquet"));
    let mut rows = rows_of(files, columns);
    rows.sort();
    rows
}

fn rows_of(files: impl Iterator<Item = PathBuf>, columns: &[&str]) -> Vec<String> {
    let mut rows = Vec::new();
    for path in files {
        let file = File::open(path).expect("a data file");
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
        for batch in reader.build().expect("a reader") {
            let batch = batch.expect("rows");
            for row in 0..batch.num_rows() {
                let cells = columns.iter().map(|name| {
                    let column = batch.column_by_name(name).expect("a column");
                    array_value_to_string(column, row).expect("a text")
                });
                rows.push(cells.collect::<Vec<_>>().join(" "));
            }
        }
    }
    rows
}
