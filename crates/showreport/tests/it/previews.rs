//! The first rows of a report before it is made, beside the file that is made of the same facts.

use serde_json::Value;
use showreport_model::ReportId;

use crate::harness::reports::entry;
use crate::harness::{Random, TestApp};
use crate::oracle::{Dimension, Field, ReportSpec};
use crate::streams::case::question;
use crate::streams::records::Records;

/// 2026-11-22T00:00Z.
const MIDDLE: i64 = 1_795_305_600_000;

/// Rows of a preview.
const ROWS: usize = 10;

/// Every dimension, with groupings whose plans differ, and random ones.
fn questions(random: &mut Random) -> Vec<ReportSpec> {
    let mut questions: Vec<_> = Dimension::ALL.map(ReportSpec::new).into();
    for dimension in Dimension::GROUPABLE {
        for fields in [
            &[Field::WatchTimestamp][..],
            &[Field::CustomerId],
            &[Field::DeviceOs, Field::WatchTimestamp],
            &[Field::GeoRegion, Field::DeviceId],
        ] {
            questions.push(ReportSpec::new(dimension).by(fields));
        }
    }
    questions.extend((0..10).map(|_| question(random, MIDDLE)));
    questions
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_has_the_first_rows_of_the_file_and_the_number_of_all() {
    let mut random = Random::new(505);
    let around = Records::around(MIDDLE);
    let records: Vec<Value> = (0..200)
        .map(|_| around.record(&mut random, "keynote"))
        .collect();
    let app = TestApp::new().await;
    let org = app.org("acme", "Europe/Berlin").await;
    app.accept(&org, &records).await;
    let questions = questions(&mut random);
    let entries: Vec<Value> = questions.iter().map(entry).collect();
    let made = app.make(&org, "keynote", &entries).await;
    let mut longer = 0;
    for (question, made) in questions.iter().zip(made) {
        let id: ReportId = made.report["id"]
            .as_str()
            .expect("an id")
            .parse()
            .expect("an id");
        let report = app.parts.meta.report(&org.id, id).await.expect("a report");
        let pins = app.parts.jobs.pins(&org.id, &report.order.event).await;
        let pins = pins.expect("pins");
        let preview = app.parts.query.preview(&report.order, &pins, ROWS).await;
        let preview = preview.expect("a preview");

        let file = app.download(&made.report, "?variant=raw").await;
        let mut file = csv::Reader::from_reader(&*file.body);
        let header = file.headers().expect("a header").clone();
        let columns = preview.table.columns.iter().map(|column| column.name);
        assert!(columns.eq(&header), "{question:?}");
        let rows: Vec<Vec<String>> = file.deserialize().map(|row| row.expect("a row")).collect();
        let texts = |row: &Vec<_>| row.iter().map(ToString::to_string).collect();
        let first: Vec<Vec<String>> = preview.table.rows.iter().map(texts).collect();
        assert_eq!(first, rows[..rows.len().min(ROWS)], "{question:?}");
        assert_eq!(preview.row_count, rows.len() as u64, "{question:?}");
        longer += usize::from(rows.len() > ROWS);
    }
    assert!(
        longer > 3,
        "{longer} reports are longer than their previews"
    );
}
