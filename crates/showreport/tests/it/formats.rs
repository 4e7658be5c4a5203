//! The same rows in every file format.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    DataType, Decimal128Type, Float64Type, Int64Type, TimeUnit, TimestampMillisecondType,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, Value, json};

use crate::harness::reports::entry;
use crate::harness::zip::unzip;
use crate::harness::{MadeReport, Random, Show};
use crate::oracle::{self, Dimension, Field, ReportSpec, Table};
use crate::streams::records::Records;
use crate::streams::run::load;

const MIDDLE: i64 = 1_795_305_600_000;
const TIMES: [&str; 8] = [
    "started_at",
    "ended_at",
    "first_joined_at",
    "last_left_at",
    "sent_at",
    "voted_at",
    "watch_timestamp",
    "updated_at",
];
const SECONDS: [&str; 4] = [
    "watch_seconds",
    "attended_seconds",
    "live_seconds",
    "position_seconds",
];
const NUMBERS: [&str; 2] = ["share", "live_ratio"];
const COUNTS: [&str; 8] = [
    "views",
    "viewers",
    "devices",
    "messages",
    "senders",
    "votes",
    "voters",
    "polls_answered",
];
const FLAGS: [&str; 3] = ["deleted", "correct", "counted"];

/// Every dimension, ungrouped and grouped by everything, in one format, beside the oracle's tables.
async fn made_in(format: &str) -> Vec<(MadeReport, Table)> {
    let mut random = Random::new(7);
    let around = Records::around(MIDDLE);
    let mut records: Vec<Value> = (0..150)
        .map(|_| around.record(&mut random, "keynote"))
        .collect();
    // Only some formats distinguish an empty text from an absent one.
    records.retain(|record| record["text"] != "");
    let show = Show::new().await;
    show.app.accept(&show.org, &records).await;
    let mut questions: Vec<ReportSpec> = Dimension::ALL.map(ReportSpec::new).to_vec();
    let grouped = Dimension::GROUPABLE.map(|it| ReportSpec::new(it).by(&Field::ALL));
    questions.extend(grouped);
    let entries: Vec<Value> = questions
        .iter()
        .map(|question| {
            let mut entry = entry(question);
            entry["format"] = json!(format);
            entry
        })
        .collect();
    let made = show.app.make(&show.org, "keynote", &entries).await;
    let table = |question: &ReportSpec| {
        oracle::report(&records, "keynote", question, &jiff::tz::TimeZone::UTC)
    };
    made.into_iter().zip(questions.iter().map(table)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ndjson_has_every_column_in_every_row() {
    for (made, table) in made_in("ndjson").await {
        let text = std::str::from_utf8(&made.file).expect("UTF-8");
        assert_eq!(text.lines().count(), table.rows.len());
        for (line, row) in text.lines().zip(&table.rows) {
            let found: Map<String, Value> = serde_json::from_str(line).expect("an object");
            assert_eq!(found.len(), table.columns.len(), "{line}");
            for (name, cell) in table.columns.iter().zip(row) {
                assert_eq!(found[*name], expected_json(name, cell), "{name}: {line}");
            }
        }
    }
}

fn expected_json(name: &str, cell: &str) -> Value {
    if cell.is_empty() {
        Value::Null
    } else if [&COUNTS[..], &SECONDS, &NUMBERS, &FLAGS]
        .concat()
        .contains(&name)
    {
        serde_json::from_str(cell).expect("a number or a truth")
    } else {
        cell.into()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parquet_has_types() {
    for (made, table) in made_in("parquet").await {
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(made.file))
            .expect("a Parquet file");
        let schema = reader.schema().clone();
        for (field, name) in schema.fields().iter().zip(&table.columns) {
            assert_eq!(field.name(), name);
            match name {
                name if TIMES.contains(name) => {
                    let time = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
                    assert_eq!(*field.data_type(), time, "{name}");
                }
                name if SECONDS.contains(name) => {
                    assert_eq!(*field.data_type(), DataType::Decimal128(18, 3), "{name}");
                }
                name if NUMBERS.contains(name) => {
                    assert_eq!(*field.data_type(), DataType::Float64, "{name}");
                }
                name if FLAGS.contains(name) => {
                    assert_eq!(*field.data_type(), DataType::Boolean, "{name}");
                }
                name if COUNTS.contains(name) => {
                    assert_eq!(*field.data_type(), DataType::Int64, "{name}");
                }
                _ => assert!(field.data_type().is_string(), "{name}: {field:?}"),
            }
        }
        assert_eq!(schema.fields().len(), table.columns.len());
        let mut rows = Vec::new();
        for batch in reader.build().expect("a reader") {
            let batch = batch.expect("a batch");
            for row in 0..batch.num_rows() {
                rows.push(
                    batch
                        .columns()
                        .iter()
                        .map(|column| cell_text(column, row))
                        .collect::<Vec<_>>(),
                );
            }
        }
        assert_eq!(rows, table.rows);
    }
}

/// A value as the CSV file shows it.
fn cell_text(column: &dyn Array, row: usize) -> String {
    if column.is_null(row) {
        return String::new();
    }
    match column.data_type() {
        DataType::Timestamp(..) => {
            oracle::rfc3339(column.as_primitive::<TimestampMillisecondType>().value(row))
        }
        DataType::Decimal128(..) => {
            let millis = column.as_primitive::<Decimal128Type>().value(row);
            oracle::seconds_text(i64::try_from(millis).expect("seconds of a test"))
        }
        DataType::Boolean => column.as_boolean().value(row).to_string(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).to_string(),
        DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        DataType::LargeUtf8 => column.as_string::<i64>().value(row).to_owned(),
        other => panic!("an unexpected type: {other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spreadsheet_opens() {
    for (made, table) in made_in("xlsx").await {
        let files: BTreeMap<String, Vec<u8>> = unzip(&made.file);
        let part = |name: &str| String::from_utf8(files[name].clone()).expect("UTF-8");
        let sheet = part("xl/worksheets/sheet1.xml");
        assert_eq!(sheet.matches("<row ").count(), table.rows.len() + 1);
        assert!(!sheet.contains("<f>"), "no cell is a formula");
        assert!(files.contains_key("[Content_Types].xml"));
        // The frozen header, the filter, and a width for each column.
        assert!(sheet.contains("state=\"frozen\"") && sheet.contains("<autoFilter "));
        // Neighbours of one width are one element.
        let last = format!(" max=\"{}\"", table.columns.len());
        assert!(sheet.contains(&last), "{last}: {sheet}");
        let dates = table.columns.iter().filter(|name| TIMES.contains(name));
        assert_eq!(
            sheet.matches(" (UTC)</t>").count(),
            dates.count(),
            "headers name the zone"
        );
        for (row, line) in sheet.split("<row ").skip(2).zip(&table.rows) {
            let numbers = numbers(row);
            for (place, (name, cell)) in table.columns.iter().zip(line).enumerate() {
                if TIMES.contains(name) && !cell.is_empty() {
                    assert_eq!(date(numbers[&place]), *cell, "{name}: {row}");
                }
            }
        }
        // The other sheet has the meaning of each column.
        let about = part("xl/worksheets/sheet2.xml");
        let lines = about.matches("<row ").count();
        assert!(lines > 8 + table.columns.len(), "{about}");
        let explained = about.matches("<c r=\"B").count();
        assert_eq!(explained, lines, "each line has two cells: {about}");
    }
}

/// The numbers of a row of a sheet, by the place of their column.
fn numbers(row: &str) -> BTreeMap<usize, f64> {
    let cells = row.split("<c r=\"").skip(1);
    let numbers = cells.filter_map(|cell| {
        let (_, rest) = cell.split_once("<v>")?;
        let number = rest.split('<').next()?.parse().ok()?;
        Some((usize::from(cell.as_bytes()[0] - b'A'), number))
    });
    numbers.collect()
}

/// A date of a sheet, which counts days since 30 December 1899.
fn date(days: f64) -> String {
    let millis = ((days - 25_569.0) * 86_400_000.0).round();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an instant of a test, in milliseconds"
    )]
    oracle::rfc3339(millis as i64)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_facts_give_the_same_bytes_in_every_format() {
    for format in ["csv", "ndjson", "parquet", "xlsx"] {
        let (first, second) = (made_in(format).await, made_in(format).await);
        for ((first, _), (second, _)) in first.iter().zip(&second) {
            assert!(first.file == second.file, "{format}: {}", first.report);
            assert_eq!(first.report["row_count"], second.report["row_count"]);
        }
    }
}

/// What a sheet of a spreadsheet holds; one of them is the header's.
const SHEET_ROWS_MAX: usize = 1_048_576;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_sheet_that_would_be_too_long_fails_and_names_the_limit() {
    let show = Show::new().await;
    let message = |number: usize| {
        json!({
            "type": "chat", "event_id": "keynote", "message_id": format!("{number}"), "text": "",
            "sent_at": "2026-11-22T10:00:00Z",
        })
    };
    for first in (0..SHEET_ROWS_MAX).step_by(1 << 16) {
        let records: Vec<Value> = (first..first + (1 << 16)).map(message).collect();
        load(&show.app.parts, &show.org.id, show.app.now(), &records).await;
    }
    let chat = |format: &str| {
        json!({
            "dimension": "REPORT_DIMENSION_CHAT_HISTORIES",
            "group_by_fields": [],
            "format": format,
        })
    };
    let created = show
        .app
        .create(&show.org, "keynote", &[chat("xlsx"), chat("csv")])
        .await;
    show.app.work().await;
    let created = created.ok();
    let ids = [0, 1].map(|place| created["reports"][place]["id"].as_str().expect("an id"));
    let answered = show.app.batch_get(&show.org, &ids).await.ok();
    let [sheet, csv] = [0, 1].map(|place| &answered["reports"][place]);
    assert_eq!(sheet["status"], "EVENT_REPORT_STATUS_FAILED", "{sheet}");
    assert_eq!(sheet["uri"], "");
    assert_eq!(sheet["error_info"]["domain"], "showreport");
    let reason = sheet["error_info"]["reason"].as_str().expect("a reason");
    assert!(
        reason.chars().all(|c| c.is_ascii_uppercase() || c == '_'),
        "{reason}"
    );
    assert_eq!(csv["status"], "EVENT_REPORT_STATUS_SUCCEEDED", "{csv}");
    assert_eq!(csv["row_count"], SHEET_ROWS_MAX);
}
