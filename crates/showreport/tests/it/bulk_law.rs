//! The law of restatement: the latest report of every settled day is what would be made now.

use serde_json::Value;
use showreport_model::bulk::ReportType;
use showreport_model::{ReportDay, Zone};
use showreport_query::Output;

use crate::harness::bulk::TYPES;
use crate::harness::{Org, Random, TestApp};
use crate::oracle::rfc3339;
use crate::streams::records::Records;

/// 25 November 2026, 00:00 UTC: twenty hours ago, so that one day around it is settled and one is not.
const MIDNIGHT: i64 = 1_795_564_800_000;
const EVENTS: [&str; 2] = ["keynote", "other"];

/// What the report of a day would be if it were made now.
async fn now(app: &TestApp, org: &Org, report_type: &str, day: ReportDay) -> String {
    let report_type = ReportType::from_name(report_type).expect("a type");
    let output = Output {
        main: Box::new(tokio::io::sink()),
        raw: None,
    };
    let written = app
        .parts
        .jobs
        .write_bulk_day(&org.id, report_type, day, output);
    written.await.expect("write the day").sha256
}

/// Checks every day around the middle, and returns how many reports they have.
async fn check(app: &TestApp, org: &Org, jobs: &[(&str, String)], days: &[&str]) -> usize {
    let zone: Zone = "UTC".parse().expect("a zone");
    let mut count = 0;
    for (report_type, job) in jobs {
        for day in days {
            let day: ReportDay = day.parse().expect("a day");
            let (start, _) = zone.bounds(day).expect("a day");
            let start = rfc3339(start.as_millis()).replace(".000Z", "Z");
            let reports = app.reports_from(org, job, &start).await;
            let made = reports[0]["sha256"].as_str().expect("a digest");
            let expected = now(app, org, report_type, day).await;
            assert_eq!(made, expected, "{report_type} of {day}");
            count += reports.len();
        }
    }
    count
}

#[tokio::test]
async fn the_latest_report_of_each_day_is_what_would_be_made_now() {
    let mut random = Random::new(20);
    let around = Records::around(MIDNIGHT);
    let app = TestApp::new().await;
    let org = app.org("acme", "UTC").await;
    let mut jobs = Vec::new();
    for report_type in TYPES {
        jobs.push((report_type, app.job(&org, report_type).await));
    }
    app.keep_schedule().await;
    let settled = ["2026-11-22", "2026-11-23", "2026-11-24"];
    let mut counts = Vec::new();
    for _ in 0..8 {
        for event in EVENTS {
            let records: Vec<Value> = (0..6).map(|_| around.record(&mut random, event)).collect();
            app.collect(&org, &records).await;
        }
        // What is late is looked at at once, and waits an hour at most.
        app.clock.advance_hours(1);
        app.keep_schedule().await;
        app.clock.advance_hours(1);
        app.keep_schedule().await;
        let mut days = settled.to_vec();
        if counts.len() > 2 {
            days.push("2026-11-25");
        }
        counts.push(check(&app, &org, &jobs, &days).await);
    }
    assert!(counts.is_sorted() && counts[7] > 40, "{counts:?}");
}
