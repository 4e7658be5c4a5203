//! A wrong clock of the machine: no data is lost and no report published.

use serde_json::json;

use crate::harness::Show;
use crate::harness::show::{says, watches};
use crate::maintaining::is_expired;

const DAY_HOURS: i64 = 24;

async fn clock(show: &Show) -> String {
    let status = show.app.get(&show.org, "/api/v1/status").await.ok();
    status["clock"].as_str().expect("a word").to_owned()
}

async fn reports_of(show: &Show, job: &str) -> usize {
    show.app.bulk_reports(&show.org, job, "").await.len()
}

#[tokio::test]
async fn with_a_clock_days_ahead_nothing_is_deleted_or_published_and_records_are_accepted() {
    let show = Show::new().await;
    show.send([watches("ada", "tab", "10:00..10:30")]).await;
    let watch_time = json!({"dimension": "REPORT_DIMENSION_WATCH_TIME", "group_by_fields": []});
    let made = show
        .app
        .make(&show.org, "keynote", std::slice::from_ref(&watch_time))
        .await
        .remove(0);
    let job = show.app.job(&show.org, "event_customers_a1").await;
    show.app.keep_schedule().await;
    let published = reports_of(&show, &job).await;
    assert!(published > 0);
    assert_eq!(clock(&show).await, "right");

    show.app.clock.set_hours(40 * DAY_HOURS);
    show.app.maintain(true).await;
    show.app.keep_schedule().await;
    show.send([says("ada", "m1", "10:00", "hello")]).await;
    assert_eq!(reports_of(&show, &job).await, published);
    assert_eq!(clock(&show).await, "in_doubt");
    // An ordered report is made.
    show.app.make(&show.org, "keynote", &[watch_time]).await;
    show.app.get(&show.org, "/readyz").await.is(200);

    show.app.clock.set_hours(-40 * DAY_HOURS);
    assert_eq!(clock(&show).await, "right");
    show.app.maintain(true).await;
    let file = show.app.download(&made.report, "").await;
    assert_eq!(file.is(200).body, made.file);
    show.send([says("ada", "m2", "10:01", "hello")]).await;

    // The clock is confirmed, and all of it is done.
    show.app.clock.set_hours(40 * DAY_HOURS);
    show.app.maintain(true).await;
    let beside = show.app.open_beside().await;
    beside.meta.confirm_clock().await.expect("confirmed");
    show.app.maintain(true).await;
    assert!(is_expired(&show, &made.report).await);
    show.app.keep_schedule().await;
    let newest = show.app.bulk_reports(&show.org, &job, "").await;
    assert!(newest.len() > 1, "days of the new time are published");
}

#[tokio::test]
async fn with_a_clock_a_day_behind_records_get_503_until_it_is_confirmed() {
    let show = Show::new().await;
    show.send([watches("ada", "tab", "10:00..10:30")]).await;
    show.app.clock.set_hours(-DAY_HOURS);
    // By this clock the record is of tomorrow.
    let live = json!({
        "type": "chat", "event_id": "keynote", "message_id": "live", "text": "now",
        "sent_at": "2026-11-25T19:59:00Z",
    });
    let refused = show
        .app
        .collect(&show.org, std::slice::from_ref(&live))
        .await;
    let why = refused.refused(503);
    assert!(why.contains("CLOCK_BEHIND"), "{why}");
    assert!(!refused.header("retry-after").is_empty());
    let ready = show.app.get(&show.org, "/readyz").await;
    assert!(ready.refused(503).contains("CLOCK_BEHIND"));
    assert_eq!(clock(&show).await, "behind");

    show.app.clock.set_hours(DAY_HOURS);
    show.app.accept(&show.org, &[live]).await;
    show.app.clock.set_hours(-DAY_HOURS);
    show.app.collect(&show.org, &[]).await.is(503);
    let beside = show.app.open_beside().await;
    beside.meta.confirm_clock().await.expect("confirmed");
    show.app.get(&show.org, "/readyz").await.is(200);
    show.send([says("ada", "m1", "10:00", "hello")]).await;
}
