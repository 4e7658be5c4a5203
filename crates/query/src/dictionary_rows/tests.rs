use arrow::array::{Int64Array, StringArray};
use datafusion::object_store::ObjectStoreExt;
use datafusion::object_store::memory::InMemory;
use datafusion::object_store::path::Path;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;
use datafusion::prelude::SessionConfig;

use super::*;

/// Organisation, event, name and number.
type Row = (&'static str, &'static str, Option<&'static str>, i64);

/// Longer than the bounds that a file keeps.
const LONG: &str = "a-very-long-event-id-with-many-more-letters-than-the-sixty-four-that-are-kept";

const ROWS: [Row; 10] = [
    ("acme", "a", Some("x"), 0),
    ("acme", "a", Some("x"), 1),
    ("acme", LONG, None, 2),
    ("acme", LONG, Some("y"), 3),
    ("acme", "b", Some("y"), 4),
    ("acme", "b", None, 5),
    ("acme", "c", Some("x"), 6),
    ("zeta", "x", Some("z"), 7),
    ("zeta", "y", Some("z"), 8),
    ("zeta", "y", Some("x"), 9),
];

struct Files {
    store: Arc<InMemory>,
    files: Vec<DataFile>,
}

impl Files {
    /// Writes the rows to files; those of odd numbers are older than the column of names.
    async fn of(rows: &[Row], file_rows: usize, group_rows: usize) -> Self {
        let (store, mut files) = (Arc::new(InMemory::new()), Vec::new());
        for (number, rows) in rows.chunks(file_rows).enumerate() {
            let texts = |text: fn(&Row) -> Option<&'static str>| -> ArrayRef {
                Arc::new(rows.iter().map(text).collect::<StringArray>())
            };
            let numbers: Int64Array = rows.iter().map(|row| Some(row.3)).collect();
            let mut columns: Vec<(&str, ArrayRef, bool)> = vec![
                ("org", texts(|row| Some(row.0)), false),
                ("event_id", texts(|row| Some(row.1)), false),
                ("number", Arc::new(numbers), false),
            ];
            if number % 2 == 0 {
                columns.push(("name", texts(|row| row.2), true));
            }
            let batch = RecordBatch::try_from_iter_with_nullable(columns).expect("a batch");
            let groups = WriterProperties::builder().set_max_row_group_row_count(Some(group_rows));
            let groups = Some(groups.build());
            let mut writer =
                ArrowWriter::try_new(Vec::new(), batch.schema(), groups).expect("a writer");
            writer.write(&batch).expect("written");
            let bytes = writer.into_inner().expect("closed");
            let (path, size_bytes) = (Path::from(format!("{number}.parquet")), bytes.len() as u64);
            store.put(&path, bytes.into()).await.expect("stored");
            files.push(DataFile { path, size_bytes });
        }
        Self { store, files }
    }

    /// Names and numbers of the rows that meet the conditions.
    async fn rows(
        &self,
        conditions: &[Condition],
        batch_rows: usize,
    ) -> Vec<(Option<String>, i64)> {
        let config = SessionConfig::new().with_batch_size(batch_rows);
        let context = SessionContext::new_with_config(config.with_target_partitions(2));
        let columns = [
            Field::new("name", DataType::Utf8, true),
            Field::new("number", DataType::Int64, false),
        ];
        let store = Arc::clone(&self.store) as Arc<dyn ObjectStore>;
        let rows = DictionaryRows::new(&context, store, &columns, conditions.to_vec());
        let frame = rows.frame(&context, self.files.clone()).expect("a frame");
        let mut rows = Vec::new();
        for batch in frame.collect().await.expect("read") {
            let names = cast(batch.column(0), &DataType::Utf8).expect("texts");
            let names = names.as_string::<i32>().iter();
            let numbers: &Int64Array = batch.column(1).as_primitive();
            let names = names.map(|name| name.map(str::to_owned));
            rows.extend(names.zip(numbers.values().iter().copied()));
        }
        rows.sort_by_key(|row| row.1);
        rows
    }
}

fn of_org(org: &str) -> Condition {
    Condition {
        column: "org",
        texts: vec![org.to_owned()],
    }
}

fn of_events(events: &[&str]) -> Condition {
    let mut texts: Vec<String> = events.iter().map(|event| (*event).to_owned()).collect();
    texts.sort();
    Condition {
        column: "event_id",
        texts,
    }
}

#[tokio::test]
async fn rows_that_meet_the_conditions_are_read_from_files_and_groups_of_any_size() {
    let events: [&[&str]; 6] = [&["a"], &["b"], &[LONG], &["a", "b"], &["a", "c", "q"], &[]];
    for (file_rows, group_rows, batch_rows) in [(10, 10, 10), (10, 2, 2), (3, 2, 1), (4, 1, 8)] {
        let files = Files::of(&ROWS, file_rows, group_rows).await;
        for events in events {
            let conditions = [of_org("acme"), of_events(events)];
            let wanted = ROWS.iter().filter(|row| row.0 == "acme");
            let wanted = wanted.filter(|row| events.contains(&row.1));
            let wanted = wanted.map(|&(_, _, name, number)| {
                let row = usize::try_from(number).expect("small");
                let has_names = row / file_rows % 2 == 0;
                (name.filter(|_| has_names).map(str::to_owned), number)
            });
            let wanted: Vec<_> = wanted.collect();
            let read = files.rows(&conditions, batch_rows).await;
            assert_eq!(read, wanted, "{events:?} {file_rows} {group_rows}");
        }
    }
}

#[tokio::test]
async fn groups_of_sought_rows_are_not_tested_and_those_of_others_not_read() {
    let files = Files::of(&ROWS, 10, 2).await;
    let context = SessionContext::new();
    let part = FilePart {
        file: files.files[0].clone(),
        share: 0,
        shares: 1,
    };
    let store = Arc::clone(&files.store) as Arc<dyn ObjectStore>;
    for (conditions, groups, tested) in [
        (vec![of_org("acme")], vec![0, 1, 2, 3], vec![0]),
        (vec![of_org("zeta")], vec![3, 4], vec![0]),
        (vec![of_org("acme"), of_events(&["a"])], vec![0], vec![]),
        (vec![of_org("acme"), of_events(&["b"])], vec![2], vec![]),
        (vec![of_org("acme"), of_events(&[LONG])], vec![1], vec![1]),
        (vec![of_org("acme"), of_events(&["c"])], vec![3], vec![0, 1]),
        (vec![of_org("zeta"), of_events(&["y"])], vec![4], vec![]),
        (vec![of_org("zz")], vec![], vec![]),
    ] {
        let rows = DictionaryRows::new(&context, Arc::clone(&store), [], conditions.clone());
        let file = PartitionedFile::new(part.file.path.to_string(), part.file.size_bytes);
        let metrics = ExecutionPlanMetricsSet::new();
        let file = rows.files.create_reader(0, file, None, &metrics);
        let mut file: Box<dyn AsyncFileReader> = file.expect("a reader");
        let footer = file.get_metadata(None).await.expect("a footer");
        let chosen = rows.groups(footer.row_groups(), &part);
        assert_eq!(chosen, (groups, tested), "{conditions:?}");
    }
}

#[test]
fn large_files_are_shared_by_all_partitions_and_small_ones_are_spread() {
    let file = |number: u64, size_bytes: u64| DataFile {
        path: Path::from(number.to_string()),
        size_bytes,
    };
    let files = vec![
        file(0, 9),
        file(1, DIVIDED_BYTES_MIN),
        file(2, 3),
        file(3, 7),
        file(4, 5),
    ];
    let parts = divided(files.clone(), 2);
    let numbers = |partition: usize| -> Vec<(String, usize, usize)> {
        let parts = parts[partition].iter();
        parts
            .map(|part| (part.file.path.to_string(), part.share, part.shares))
            .collect()
    };
    let whole = |number: usize| (number.to_string(), 0, 1);
    let half = |share: usize| ("1".to_owned(), share, 2);
    assert_eq!(numbers(0), [whole(0), half(0), whole(4)]);
    assert_eq!(numbers(1), [half(1), whole(2), whole(3)]);
}
