//! The latest report of every closed day equals a report that is made now.

use serde_json::{Value, json};
use showreport_model::bulk::ReportType;
use showreport_model::{ReportDay, Zone};
use showreport_query::Output;

use crate::harness::bulk::TYPES;
use crate::harness::{Org, Random, TestApp};
use crate::oracle::rfc3339;
use crate::streams::records::Records;

/// 25 November 2026, 00:00 UTC: twenty hours ago, so one of the days beside it is closed and one is
/// open.
const MIDNIGHT: i64 = 1_795_564_800_000;
const EVENTS: [&str; 2] = ["keynote", "other"];

/// The report of a day, made now.
async fn now(app: &TestApp, org: &Org, report_type: &str, day: ReportDay) -> String {
    let report_type = ReportType::from_name(report_type).expect("a type");
    let output = Output::new(Box::new(tokio::io::sink()), None);
    let written = app
        .parts
        .jobs
        .write_bulk_day(&org.id, report_type, day, output);
    written.await.expect("write the day").sha256
}

/// Checks every day around the middle. Returns the number of reports.
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

/// The latest report of each day, and the minutes that were watched in each, in the order of days.
async fn days(app: &TestApp, org: &Org, job: &str) -> Vec<(String, String, f64)> {
    let reports = app.bulk_reports(org, job, "?pageSize=1000").await;
    let mut days = std::collections::BTreeMap::new();
    // Newest first.
    for report in reports.iter().rev() {
        let file = app.bulk_file(org, report).await;
        let mut rows = csv::Reader::from_reader(file.as_bytes());
        let columns = rows.headers().expect("a header").clone();
        let minutes = columns.iter().position(|name| name == "watch_time_minutes");
        let minutes = minutes.expect("the column");
        let rows: Vec<_> = rows.records().map(|row| row.expect("a row")).collect();
        let watched: f64 = rows
            .iter()
            .map(|row| row[minutes].parse::<f64>().expect("minutes"))
            .sum();
        let bound = |name: &str| report[name].as_str().expect("a time").to_owned();
        let day = bound("day");
        assert!(rows.iter().all(|row| row[0] == day), "{report}");
        days.insert(day, (bound("startTime"), bound("endTime"), watched));
    }
    days.into_values().collect()
}

#[tokio::test]
async fn after_a_change_of_zone_no_fact_is_in_two_days_or_in_none() {
    const HOUR: i64 = 3_600_000;
    let app = TestApp::new().await;
    let org = app.org("acme", "UTC").await;
    // Every hour of the four days before the last midnight, and of the day itself so far.
    let watched = (-96..12).map(|hour| {
        json!({"type": "playback", "event_id": "keynote", "playback_id": format!("p{hour}"),
            "customer_id": "ada", "from": MIDNIGHT + hour * HOUR, "to": MIDNIGHT + (hour + 1) * HOUR})
    });
    app.collect(&org, &watched.collect::<Vec<_>>()).await;
    let job = app.job(&org, "event_customers_a1").await;
    app.keep_schedule().await;
    for name in [
        "UTC",
        "Asia/Taipei",
        "America/Los_Angeles",
        "Asia/Kathmandu",
        "UTC",
    ] {
        let zone: Zone = name.parse().expect("a zone");
        let set = app.parts.meta.set_zone(&org.id, &zone).await;
        set.expect("set the zone");
        // Late enough for the last day to be closed in every zone.
        app.clock.advance_hours(24);
        app.keep_schedule().await;
        let newest = app.bulk_reports(&org, &job, "").await.remove(0);
        assert_eq!(newest["timeZone"], name);
        let days = days(&app, &org, &job).await;
        let total: f64 = days.iter().map(|(_, _, minutes)| minutes).sum();
        assert!(
            (total - 108.0 * 60.0).abs() < 0.001,
            "{name}: {total} {days:?}"
        );
        for pair in days.windows(2) {
            assert_eq!(pair[0].1, pair[1].0, "{name}: {days:?}");
        }
    }
}

#[tokio::test]
async fn the_latest_report_of_each_day_equals_one_made_now() {
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
        // Late records are processed at once, or after an hour at most.
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
