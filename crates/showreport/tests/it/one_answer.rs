//! Law 7: a figure in JSON, in CSV and in the file of a report is the same to the last digit.

use std::collections::BTreeMap;

use axum::body::Body;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::harness::app::request;
use crate::harness::reports::entry;
use crate::harness::{Org, Random, Response, TestApp};
use crate::oracle::{Dimension, Field, ReportSpec, Table, rfc3339};
use crate::streams::case::question;
use crate::streams::records::Records;

/// The middle of every stream: 2026-11-22T00:00Z.
const MIDDLE: i64 = 1_795_305_600_000;
const EVENT: &str = "keynote";

/// A list with the exact text of each cell.
#[derive(Debug, Deserialize)]
struct Answer {
    as_of: String,
    rows: Vec<BTreeMap<String, Box<RawValue>>>,
    #[serde(default)]
    next_page_token: String,
}

struct Asked {
    app: TestApp,
    org: Org,
    /// The filter of all requests, as parameters.
    filter: String,
}

impl Asked {
    async fn get(&self, path: &str, accept: &str) -> Response {
        let path = format!("/api/v1/events/{EVENT}/{path}{}", self.filter);
        let request = request("GET", &self.org, &path).header("accept", accept);
        let request = request.body(Body::empty()).expect("a request");
        self.app.send(request).await
    }

    /// The rows of a list, all pages of it, checked to be the same in JSON and in CSV.
    async fn rows(&self, path: &str) -> String {
        let mut all = String::new();
        let mut token = String::new();
        loop {
            let path = format!("{path}page_token={token}");
            let csv = self.get(&path, "text/csv").await;
            let json = self.get(&path, "application/json").await;
            let rows: Answer = serde_json::from_str(json.is(200).text()).expect("a list");
            assert_eq!(csv.is(200).header("x-showreport-as-of"), rows.as_of);
            let next = csv.header("x-showreport-next-page-token");
            assert_eq!(next, rows.next_page_token, "{path}");
            assert_eq!(csv.text(), as_csv(csv.text(), &rows.rows), "{path}");
            let (header, body) = csv.text().split_once('\n').expect("a header");
            if all.is_empty() {
                all = format!("{header}\n");
            }
            all += body;
            token = rows.next_page_token;
            if token.is_empty() {
                return all;
            }
        }
    }

    /// The rows of an answer that has no pages.
    async fn rows_without_pages(&self, path: &str) -> String {
        let csv = self.get(path, "text/csv").await;
        let json = self.get(path, "application/json").await;
        let rows: Answer = serde_json::from_str(json.is(200).text()).expect("a list");
        assert_eq!(csv.is(200).text(), as_csv(csv.text(), &rows.rows), "{path}");
        csv.text().to_owned()
    }

    async fn figures(&self) -> BTreeMap<String, String> {
        let json = self.get("figures?", "application/json").await;
        let figures: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(json.is(200).text()).expect("figures");
        let csv = self.get("figures?", "text/csv").await;
        let row = [figures];
        assert_eq!(csv.text(), as_csv(csv.text(), &row));
        let [figures] = row;
        let texts = figures
            .iter()
            .map(|(name, cell)| (name.clone(), text(cell)));
        texts.collect()
    }

    /// The files of reports within the filter.
    async fn files(&self, questions: &[ReportSpec]) -> Vec<String> {
        let entries: Vec<Value> = questions.iter().map(entry).collect();
        let made = self.app.make(&self.org, EVENT, &entries).await;
        let files = made.into_iter();
        files
            .map(|made| String::from_utf8(made.file).expect("UTF-8"))
            .collect()
    }
}

/// The CSV of rows of JSON, with the columns of another CSV.
fn as_csv(csv: &str, rows: &[BTreeMap<String, Box<RawValue>>]) -> String {
    let header = csv.lines().next().expect("a header");
    let columns: Vec<&str> = header.split(',').collect();
    let cells = |row: &BTreeMap<String, Box<RawValue>>| {
        let cells = columns.iter().map(|column| text(&row[*column]));
        cells.collect::<Vec<_>>()
    };
    let rows = rows.iter().map(cells).collect();
    let columns = header.to_owned().leak().split(',').collect();
    Table::in_order(columns, rows).guarded()
}

/// A cell as CSV has it; numbers with the digits that they have in JSON.
fn text(cell: &RawValue) -> String {
    match cell.get() {
        "null" => String::new(),
        text if text.starts_with('"') => serde_json::from_str(text).expect("a text"),
        digits => digits.to_owned(),
    }
}

/// The last column's sum, which is in whole thousandths if it has decimals.
fn sum(csv: &str, column: &str) -> i64 {
    let (header, rows) = csv.split_once('\n').expect("a header");
    // Figures stand behind every text, so they are counted from the end.
    let from_end = header.split(',').rev().position(|name| name == column);
    let from_end = from_end.expect("the column");
    let cell = |row: &str| -> i64 {
        let cell = row.rsplit(',').nth(from_end).expect("a cell");
        cell.replace('.', "").parse().expect("digits")
    };
    rows.lines().map(cell).sum()
}

async fn asked(seed: u64) -> (Asked, [Option<i64>; 2]) {
    let mut random = Random::new(seed);
    let around = Records::around(MIDDLE);
    let records: Vec<Value> = (0..200)
        .map(|_| around.record(&mut random, EVENT))
        .collect();
    let app = TestApp::new().await;
    let org = app.org("acme", "Europe/Berlin").await;
    app.accept(&org, &records).await;
    let window = question(&mut random, MIDDLE);
    let ends = [("from", window.start), ("to", window.end)];
    let filter = ends.map(|(name, end)| end.map(|end| format!("&{name}={}", rfc3339(end))));
    let asked = Asked {
        app,
        org,
        filter: filter.into_iter().flatten().collect(),
    };
    (asked, [window.start, window.end])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_csv_and_file_have_the_same_rows() {
    for seed in 707..711 {
        let (asked, [start, end]) = asked(seed).await;
        let spec = |dimension| ReportSpec {
            start,
            end,
            ..ReportSpec::new(dimension)
        };
        let files = asked
            .files(&[
                spec(Dimension::ChatHistories),
                spec(Dimension::PollVotes),
                spec(Dimension::Attendance),
            ])
            .await;
        assert_eq!(asked.rows("attendance?page_size=3&").await, files[2]);
        assert_eq!(asked.rows("messages?page_size=3&").await, files[0]);
        let mut votes = String::new();
        // In the order of the report, which sorts by the poll first.
        for poll in ["-q3", "never-defined", "q1", "q2"] {
            let rows = asked.get(&format!("polls/{poll}/votes?"), "*/*").await;
            if rows.status == 404 {
                continue;
            }
            let rows = asked
                .rows(&format!("polls/{poll}/votes?page_size=4&"))
                .await;
            let (header, rows) = rows.split_once('\n').expect("a header");
            if votes.is_empty() {
                votes = format!("{header}\n");
            }
            votes += rows;
        }
        assert_eq!(votes, files[1]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_in_json_and_csv_is_that_of_the_file() {
    let (asked, [start, end]) = asked(721).await;
    let spec = ReportSpec {
        start,
        end,
        granularity_seconds: 10,
        ..ReportSpec::new(Dimension::Retention)
    };
    let file = asked.files(&[spec]).await.remove(0);
    let buckets = file.lines().count() - 1;
    let path = format!("retention?buckets={}", buckets.max(1));
    let csv = asked.rows_without_pages(&path).await;
    assert_eq!(csv.lines().count() - 1, buckets);
    assert_eq!(csv.lines().next(), file.lines().next());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_are_the_sums_of_the_rows_of_reports() {
    for seed in 731..735 {
        let (asked, [start, end]) = asked(seed).await;
        let spec = |dimension, fields: &[Field]| ReportSpec {
            start,
            end,
            ..ReportSpec::new(dimension).by(fields)
        };
        let customers = [Field::CustomerId, Field::DeviceId];
        let files = asked
            .files(&[
                spec(Dimension::WatchTime, &[]),
                spec(Dimension::WatchTime, &customers),
                spec(Dimension::ChatHistories, &customers),
            ])
            .await;
        let figures = asked.figures().await;
        let figure = |name: &str| -> i64 {
            let digits = figures[name].replace('.', "");
            digits.parse().unwrap_or_else(|_| panic!("{figures:?}"))
        };
        assert_eq!(figure("watch_seconds"), sum(&files[0], "watch_seconds"));
        assert_eq!(figure("views"), sum(&files[1], "views"));
        assert_eq!(figure("messages"), sum(&files[2], "messages"));
        let breakdown = asked.get("breakdown?by=device_os", "*/*").await.ok();
        let total = &breakdown["total"];
        assert_eq!(total["views"], figure("views"), "{breakdown}");
        assert_eq!(total["viewers"], figure("viewers"), "{breakdown}");
        let systems = asked
            .rows_without_pages("breakdown?by=device_os&limit=1000")
            .await;
        assert_eq!(sum(&systems, "watch_seconds"), figure("watch_seconds"));
        let curve = asked.rows_without_pages("audience?points=10").await;
        assert_eq!(sum(&curve, "messages"), figure("messages"));
    }
}
