//! Stories of bulk reports: their rows, and how late records change them.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::harness::Show;
use crate::harness::bulk::TYPES;
use crate::harness::show::{poll, says, votes, watches};

/// When the day of the stories begins.
const DAY: &str = "2026-11-22T00:00:00Z";

async fn keynote() -> Show {
    let show = Show::new().await;
    let mut phone = watches("ada", "phone", "10:20..10:40");
    phone["device_os"] = json!("iOS");
    phone["geo_region"] = json!("TW");
    let mut deleted = says("bob", "m2", "10:06", "-rude");
    deleted["deleted"] = json!(true);
    show.send([
        json!({"type": "event", "kind": "live", "title": "Keynote"}),
        watches("ada", "laptop", "10:00..10:30"),
        phone,
        watches("bob", "tab", "10:00..10:00:00.001"),
        watches("bob", "late", "23:59..23:59:59"),
        says("ada", "m1", "10:05", "=1+1"),
        deleted,
        poll("q", "single"),
        votes("ada", "q", "10:07", &["yes"]),
        votes("ada", "q", "10:08", &["no"]),
        votes("bob", "q", "10:09", &["yes", "no"]),
    ])
    .await;
    show
}

/// The one report of the day of a new job.
async fn file(show: &Show, report_type: &str) -> String {
    let job = show.app.job(&show.org, report_type).await;
    show.app.keep_schedule().await;
    let reports = show.app.reports_from(&show.org, &job, DAY).await;
    assert_eq!(reports.len(), 1, "{reports:?}");
    show.app.bulk_file(&show.org, &reports[0]).await
}

#[tokio::test]
async fn every_type_has_its_columns_and_rows() {
    let show = keynote().await;
    assert_snapshot!(file(&show, "event_watch_time_a1").await, @"
    date,event_id,event_type,device_os,geo_region,views,viewers,watch_time_minutes,average_view_duration_seconds
    20261122,keynote,live,,,3,2,30.98335,619.667
    20261122,keynote,live,iOS,TW,1,1,20,1200
    ");
    assert_snapshot!(file(&show, "event_customers_a1").await, @"
    date,event_id,event_type,customer_id,views,watch_time_minutes,attended_minutes
    20261122,keynote,live,ada,2,50,40
    20261122,keynote,live,bob,2,0.98335,0.98335
    ");
    assert_snapshot!(file(&show, "event_chat_messages_a1").await, @"
    date,event_id,event_type,message_id,sent_at,customer_id,device_id,name,role,text,deleted
    20261122,keynote,live,m1,2026-11-22T10:05:00.000Z,ada,,,,'=1+1,false
    20261122,keynote,live,m2,2026-11-22T10:06:00.000Z,bob,,,,'-rude,true
    ");
    assert_snapshot!(file(&show, "event_poll_summaries_a1").await, @"
    date,event_id,event_type,poll_id,question,option_id,option_text,votes,voters
    20261122,keynote,live,q,q?,no,No.,1,1
    ");
    assert_snapshot!(file(&show, "event_poll_votes_a1").await, @"
    date,event_id,event_type,poll_id,option_id,customer_id,device_id,voted_at,counted
    20261122,keynote,live,q,no,ada,,2026-11-22T10:08:00.000Z,true
    20261122,keynote,live,q,no,bob,,2026-11-22T10:09:00.000Z,false
    20261122,keynote,live,q,yes,ada,,2026-11-22T10:07:00.000Z,false
    20261122,keynote,live,q,yes,bob,,2026-11-22T10:09:00.000Z,false
    ");
}

#[tokio::test]
async fn equal_ids_in_two_events_are_counted_apart() {
    let show = Show::new().await;
    let both = |record: Value| {
        ["a", "b"].map(|event| {
            let mut record = record.clone();
            record["event_id"] = json!(event);
            record
        })
    };
    let mut records = Vec::new();
    for record in [
        watches("ada", "tab", "10:00..10:01"),
        says("ada", "m", "10:00", "hello"),
        poll("q", "single"),
        votes("ada", "q", "10:00", &["yes"]),
    ] {
        records.extend(both(record));
    }
    show.app.accept(&show.org, &records).await;
    for report_type in TYPES {
        let file = file(&show, report_type).await;
        let events: Vec<&str> = file
            .lines()
            .skip(1)
            .filter_map(|line| line.split(',').nth(1))
            .collect();
        assert_eq!(events, ["a", "b"], "{report_type}: {file}");
    }
}

#[tokio::test]
async fn a_new_job_has_the_thirty_days_before_and_days_without_data_have_a_header() {
    let show = keynote().await;
    let job = show.app.job(&show.org, "event_customers_a1").await;
    show.app.keep_schedule().await;
    let mut reports = show.app.bulk_reports(&show.org, &job, "").await;
    assert_eq!(reports.len(), 30);
    let made = reports.clone();
    // Two workers make them, so their order may differ.
    reports.sort_by_key(|report| std::cmp::Reverse(report["startTime"].to_string()));
    assert_eq!(reports[0]["startTime"], "2026-11-24T00:00:00Z");
    assert_eq!(reports[0]["endTime"], "2026-11-25T00:00:00Z");
    assert_eq!(reports[29]["startTime"], "2026-10-26T00:00:00Z");
    let file = show.app.bulk_file(&show.org, &reports[0]).await;
    assert_eq!(
        file,
        "date,event_id,event_type,customer_id,views,watch_time_minutes,attended_minutes\n"
    );
    let status = show.app.get(&show.org, &format!("/v1/jobs/{job}")).await;
    assert_eq!(status.ok()["status"]["state"], "NO_DATA");
    // No day is made twice.
    show.app.keep_schedule().await;
    assert_eq!(show.app.bulk_reports(&show.org, &job, "").await, made);
}

#[tokio::test]
async fn a_report_is_made_when_its_day_closes() {
    let show = Show::new().await;
    let job = show.app.job(&show.org, "event_customers_a1").await;
    show.app.keep_schedule().await;
    let status = async || {
        let job = show.app.get(&show.org, &format!("/v1/jobs/{job}")).await;
        job.ok()["status"]["state"]
            .as_str()
            .expect("a state")
            .to_owned()
    };
    // It is 20:00 on the 25th.
    show.app.clock.advance_hours(5);
    show.app.clock.advance_millis(-1);
    show.app.keep_schedule().await;
    assert_eq!(show.app.bulk_reports(&show.org, &job, "").await.len(), 30);
    assert_eq!(status().await, "TOO_EARLY");
    show.app.clock.advance_millis(1);
    assert_eq!(status().await, "MAKING");
    show.app.keep_schedule().await;
    let reports = show.app.bulk_reports(&show.org, &job, "").await;
    assert_eq!(reports.len(), 31);
    assert_eq!(reports[0]["startTime"], "2026-11-25T00:00:00Z");
    assert_eq!(status().await, "NO_DATA");
}

/// Sends records, waits until late records are processed, and returns the reports of the day.
async fn restated(show: &Show, job: &str, records: Vec<Value>) -> Vec<Value> {
    show.send(records).await;
    show.app.clock.advance_hours(1);
    show.app.keep_schedule().await;
    show.app.reports_from(&show.org, job, DAY).await
}

#[tokio::test]
async fn a_late_record_restates_its_day() {
    let show = keynote().await;
    let job = show.app.job(&show.org, "event_customers_a1").await;
    show.app.keep_schedule().await;
    let first = show.app.reports_from(&show.org, &job, DAY).await;
    let late = watches("eve", "tablet", "11:00..11:01");
    let reports = restated(&show, &job, vec![late.clone()]).await;
    assert_eq!(reports.len(), 2);
    assert_eq!(reports[0]["supersedes"], first[0]["id"]);
    assert_eq!(reports[1], first[0]);
    let file = show.app.bulk_file(&show.org, &reports[0]).await;
    assert!(file.contains("eve,1,1,1\n"), "{file}");
    // Repeated records, and records that do not change the day, make no new report.
    let beside = says("eve", "m9", "11:00", "late");
    assert_eq!(restated(&show, &job, vec![late, beside]).await, reports);
    // No other day has changed.
    assert_eq!(show.app.bulk_reports(&show.org, &job, "").await.len(), 31);
    // `createdAfter` the former report selects only the new one.
    let all = show.app.bulk_reports(&show.org, &job, "").await;
    let since = all[1]["createTime"].as_str().expect("a time");
    let newer = show
        .app
        .bulk_reports(&show.org, &job, &format!("?createdAfter={since}"))
        .await;
    assert_eq!(newer, reports[..1]);
}

#[tokio::test]
async fn a_record_of_today_restates_an_earlier_day_of_its_view() {
    let show = keynote().await;
    let job = show.app.job(&show.org, "event_watch_time_a1").await;
    show.app.keep_schedule().await;
    // The view goes on three days later, and only that record has the OS.
    let today = json!({
        "type": "playback", "playback_id": "laptop", "device_os": "Android",
        "from": "2026-11-25T19:00:00Z", "to": "2026-11-25T19:01:00Z",
    });
    let reports = restated(&show, &job, vec![today]).await;
    assert_eq!(reports.len(), 2);
    let file = show.app.bulk_file(&show.org, &reports[0]).await;
    assert!(
        file.contains("keynote,live,Android,,1,1,30,1800\n"),
        "{file}"
    );
}

#[tokio::test]
async fn a_late_poll_restates_the_days_of_its_votes() {
    let show = keynote().await;
    show.send([votes("eve", "unknown", "10:00", &["a"])]).await;
    let job = show.app.job(&show.org, "event_poll_votes_a1").await;
    show.app.keep_schedule().await;
    let late = json!({
        "type": "poll", "poll_id": "unknown", "question": "?", "choice": "single", "status": "closed",
        "options": [{"id": "a", "text": "A"}, {"id": "b", "text": "B"}],
    });
    let reports = restated(&show, &job, vec![late]).await;
    assert_eq!(reports.len(), 2);
    // A vote of another day replaces the one of this day.
    let other_day = json!({
        "type": "vote", "poll_id": "unknown", "customer_id": "eve", "option_ids": ["b"],
        "voted_at": "2026-11-25T20:30:00Z",
    });
    let reports = restated(&show, &job, vec![other_day]).await;
    assert_eq!(reports.len(), 3);
    let file = show.app.bulk_file(&show.org, &reports[0]).await;
    assert!(
        file.contains("unknown,a,eve,,2026-11-22T10:00:00.000Z,false\n"),
        "{file}"
    );
}

#[tokio::test]
async fn a_new_event_type_restates_all_days_of_the_event() {
    let show = keynote().await;
    let mut jobs = Vec::new();
    for report_type in TYPES {
        jobs.push(show.app.job(&show.org, report_type).await);
    }
    show.app.keep_schedule().await;
    let vod = json!({"type": "event", "kind": "vod", "title": "Keynote", "updated_at": "2026-11-25T12:00:00Z"});
    for job in jobs {
        let reports = restated(&show, &job, vec![vod.clone()]).await;
        assert_eq!(reports.len(), 2, "{reports:?}");
        let file = show.app.bulk_file(&show.org, &reports[0]).await;
        assert!(
            file.lines().skip(1).all(|line| line.contains(",vod,")),
            "{file}"
        );
    }
}

#[tokio::test]
async fn a_message_that_moves_to_another_day_restates_both() {
    let show = keynote().await;
    let job = show.app.job(&show.org, "event_chat_messages_a1").await;
    show.app.keep_schedule().await;
    let moved = json!({
        "type": "chat", "message_id": "m1", "text": "moved", "customer_id": "ada",
        "sent_at": "2026-11-24T10:00:00Z", "updated_at": "2026-11-24T10:00:00Z",
    });
    let reports = restated(&show, &job, vec![moved]).await;
    assert_eq!(reports[0]["rowCount"], 1);
    let other = show
        .app
        .reports_from(&show.org, &job, "2026-11-24T00:00:00Z")
        .await;
    assert_eq!(other.len(), 2);
    assert_eq!(other[0]["rowCount"], 1);
}

#[tokio::test]
async fn imported_records_restate_days_too() {
    let show = keynote().await;
    let job = show.app.job(&show.org, "event_customers_a1").await;
    show.app.keep_schedule().await;
    let mut late = watches("eve", "tablet", "11:00..11:01");
    late["event_id"] = json!("elsewhere");
    let now = show.app.now();
    crate::streams::run::load(&show.app.parts, &show.org.id, now, &[late]).await;
    show.app.clock.advance_millis(10_500);
    show.app.keep_schedule().await;
    let reports = show.app.reports_from(&show.org, &job, DAY).await;
    assert_eq!(reports.len(), 2);
}

#[tokio::test]
async fn late_records_gather_before_a_day_is_restated_again() {
    let show = keynote().await;
    let job = show.app.job(&show.org, "event_customers_a1").await;
    show.app.keep_schedule().await;
    let reports = async || show.app.reports_from(&show.org, &job, DAY).await.len();
    let late = |number: usize| watches("late", &format!("tab-{number}"), "11:00..11:01");
    show.send([late(1)]).await;
    show.app.keep_schedule().await;
    assert_eq!(
        reports().await,
        1,
        "ten seconds after the first report at the earliest"
    );
    show.send([late(2)]).await;
    show.app.clock.advance_millis(10_500);
    show.app.keep_schedule().await;
    assert_eq!(reports().await, 2);
    show.send([late(3)]).await;
    show.app.clock.advance_millis(10_500);
    show.app.keep_schedule().await;
    assert_eq!(reports().await, 2, "then twenty");
    show.app.clock.advance_millis(10_500);
    show.app.keep_schedule().await;
    assert_eq!(reports().await, 3);
}
