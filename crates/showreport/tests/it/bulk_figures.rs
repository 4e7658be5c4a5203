//! Bulk reports and event reports of the same day have the same figures.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::reports::entry;
use crate::harness::{Random, TestApp};
use crate::oracle::Dimension::{ChatHistories, PollSummaries, PollVotes, WatchTime};
use crate::oracle::Field::{CustomerId, DeviceOs, GeoRegion};
use crate::oracle::ReportSpec;
use crate::streams::records::Records;

/// 22 November 2026, 00:00 UTC, the middle of the records.
const MIDNIGHT: i64 = 1_795_305_600_000;
const DAY_MS: i64 = 86_400_000;
const EVENTS: [&str; 3] = ["a", "b", "keynote"];

type Row = BTreeMap<String, String>;

fn rows(file: &str) -> Vec<Row> {
    let mut reader = csv::Reader::from_reader(file.as_bytes());
    let names = reader.headers().expect("a header").clone();
    let records = reader.records().map(|record| record.expect("a row"));
    let row = |record: csv::StringRecord| {
        let cells = names.iter().zip(record.iter());
        cells
            .map(|(name, cell)| (name.to_owned(), cell.to_owned()))
            .collect()
    };
    records.map(row).collect()
}

/// The cells of a row, in this order.
fn cells(row: &Row, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| row[*name].clone()).collect()
}

/// Minutes converted to the seconds of event reports.
fn seconds(minutes: &str) -> String {
    let minutes: f64 = minutes.parse().expect("a number");
    let millis = minutes * 60_000.0;
    assert!((millis - millis.round()).abs() < 1e-3, "{minutes} minutes");
    format!("{:.3}", millis.round() / 1000.0)
}

/// The rows of an event in a bulk file, as the columns of its event report.
fn of_event(report_type: &str, bulk: &[Row], event: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for row in bulk.iter().filter(|row| row["event_id"] == event) {
        let (names, minutes): (&[&str], &[&str]) = match report_type {
            "event_watch_time_a1" => (
                &["device_os", "geo_region", "views", "viewers"],
                &["watch_time_minutes"],
            ),
            "event_customers_a1" => (
                &["customer_id", "views"],
                &["watch_time_minutes", "attended_minutes"],
            ),
            "event_chat_messages_a1" => (
                &[
                    "message_id",
                    "sent_at",
                    "customer_id",
                    "device_id",
                    "name",
                    "role",
                    "text",
                    "deleted",
                ],
                &[],
            ),
            "event_poll_summaries_a1" => (
                &[
                    "poll_id",
                    "question",
                    "option_id",
                    "option_text",
                    "votes",
                    "voters",
                ],
                &[],
            ),
            _ => (
                &[
                    "poll_id",
                    "option_id",
                    "customer_id",
                    "device_id",
                    "voted_at",
                    "counted",
                ],
                &[],
            ),
        };
        let mut line = cells(row, names);
        line.extend(minutes.iter().map(|name| seconds(&row[*name])));
        found.push(line);
    }
    found.sort();
    found
}

/// The same of the event report of the day.
fn expected(report_type: &str, event_report: &[Row]) -> Vec<Vec<String>> {
    let names: &[&str] = match report_type {
        "event_watch_time_a1" => &[
            "device_os",
            "geo_region",
            "views",
            "viewers",
            "watch_seconds",
        ],
        "event_customers_a1" => &["customer_id", "views", "watch_seconds", "attended_seconds"],
        "event_chat_messages_a1" => &[
            "message_id",
            "sent_at",
            "customer_id",
            "device_id",
            "name",
            "role",
            "text",
            "deleted",
        ],
        "event_poll_summaries_a1" => &[
            "poll_id",
            "question",
            "option_id",
            "option_text",
            "votes",
            "voters",
        ],
        _ => &[
            "poll_id",
            "option_id",
            "customer_id",
            "device_id",
            "voted_at",
            "counted",
        ],
    };
    let rows = event_report.iter();
    // Bulk reports have no options without votes on the day.
    let rows = rows.filter(|row| report_type != "event_poll_summaries_a1" || row["votes"] != "0");
    let mut lines: Vec<Vec<String>> = rows.map(|row| cells(row, names)).collect();
    lines.sort();
    lines
}

fn question(report_type: &str) -> ReportSpec {
    match report_type {
        "event_watch_time_a1" => ReportSpec::new(WatchTime).by(&[DeviceOs, GeoRegion]),
        "event_customers_a1" => ReportSpec::new(WatchTime).by(&[CustomerId]),
        "event_chat_messages_a1" => ReportSpec::new(ChatHistories),
        "event_poll_summaries_a1" => ReportSpec::new(PollSummaries),
        _ => ReportSpec::new(PollVotes),
    }
}

#[tokio::test]
async fn bulk_reports_and_event_reports_of_a_day_have_the_same_figures() {
    let mut random = Random::new(4);
    let around = Records::around(MIDNIGHT);
    let app = TestApp::new().await;
    let org = app.org("acme", "UTC").await;
    for event in EVENTS {
        let records: Vec<Value> = (0..250)
            .map(|_| around.record(&mut random, event))
            .collect();
        app.accept(&org, &records).await;
    }
    let mut compared = 0;
    for report_type in crate::harness::bulk::TYPES {
        let job = app.job(&org, report_type).await;
        app.keep_schedule().await;
        for day in [-1, 0] {
            let start = MIDNIGHT + day * DAY_MS;
            let begins = crate::oracle::rfc3339(start).replace(".000Z", "Z");
            let report = app.reports_from(&org, &job, &begins).await.remove(0);
            let bulk = rows(&app.bulk_file(&org, &report).await);
            for event in EVENTS {
                let question = ReportSpec {
                    start: Some(start),
                    end: Some(start + DAY_MS),
                    ..question(report_type)
                };
                let made = app.make(&org, event, &[entry(&question)]).await.remove(0);
                let event_report = rows(std::str::from_utf8(&made.file).expect("UTF-8"));
                let found = of_event(report_type, &bulk, event);
                assert_eq!(
                    found,
                    expected(report_type, &event_report),
                    "{report_type} {event} {begins}"
                );
                compared += found.len();
            }
        }
    }
    assert!(compared > 100, "only {compared} rows were compared");
}
