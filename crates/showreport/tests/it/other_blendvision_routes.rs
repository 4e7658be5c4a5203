//! Other routes of `BlendVision`'s API: daily watch time and viewers of live events.

use axum::body::Body;
use axum::http::Request;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::harness::reports::link;
use crate::harness::show::{at, watches};
use crate::harness::{Response, Show};

const WATCH_TIME: &str = "/bv/analytics/v1/reports/watch-time";
const VIEWERS: &str = "/bv/cms/v1/lives/keynote/metrics/viewers";

async fn open(show: &Show, response: &Value) -> Response {
    let path = link(&json!({"uri": response["url"]})).to_owned();
    let request = Request::get(path).body(Body::empty());
    show.app.send(request.expect("a request")).await
}

async fn watch_time(show: &Show, query: &str) -> String {
    let response = show
        .app
        .get(&show.org, &format!("{WATCH_TIME}?{query}"))
        .await
        .ok();
    open(show, &response).await.is(200).text().to_owned()
}

async fn two_contents() -> Show {
    let show = Show::new().await;
    let mut vod = watches("ada", "replay", "12:00..12:10");
    vod["event_id"] = json!("film");
    show.send([
        json!({"type": "event", "kind": "live", "title": "=Keynote", "starts_at": at("10:00")}),
        watches("ada", "tab", "10:00..10:30"),
        watches("bob", "tab-2", "23:59..23:59:30"),
    ])
    .await;
    let film = json!({"type": "event", "event_id": "film", "kind": "vod", "title": "Film"});
    // The view goes on after midnight. It belongs to the day on which it began.
    let after_midnight = json!({
        "type": "playback", "event_id": "keynote", "playback_id": "tab-2",
        "from": "2026-11-23T00:00:00Z", "to": "2026-11-23T00:00:30Z",
    });
    show.app
        .accept(&show.org, &[film, vod, after_midnight])
        .await;
    show
}

#[tokio::test]
async fn a_daily_watch_time_file_has_a_link() {
    let show = two_contents().await;
    let live = "streaming_type=REPORT_STREAMING_TYPE_LIVE&time=2026-11-22T00:00:00Z";
    assert_snapshot!(watch_time(&show, live).await, @"
    title,content_id,streaming_type,created_time,customer_id,watch_time_seconds
    '=Keynote,keynote,live,2026-11-22T10:00:00.000Z,ada,1800.000
    '=Keynote,keynote,live,2026-11-22T10:00:00.000Z,bob,60.000
    ");
    let vod = "streaming_type=REPORT_STREAMING_TYPE_VOD&time=2026-11-22T00:00:00Z";
    assert_snapshot!(watch_time(&show, vod).await, @"
    title,content_id,streaming_type,created_time,customer_id,watch_time_seconds
    Film,film,vod,,ada,600.000
    ");
    let all = watch_time(
        &show,
        "streaming_type=REPORT_STREAMING_TYPE_UNSPECIFIED&time=2026-11-22",
    )
    .await;
    assert_eq!(all.lines().count(), 4);
    let next_day = watch_time(&show, "time=2026-11-23").await;
    assert_eq!(next_day.lines().count(), 1, "{next_day}");
}

#[tokio::test]
async fn a_daily_watch_time_file_is_not_found_before_the_day_is_over() {
    let show = two_contents().await;
    for time in ["2026-11-25T00:00:00Z", "2030-01-01"] {
        let response = show
            .app
            .get(&show.org, &format!("{WATCH_TIME}?time={time}"))
            .await;
        assert_eq!(response.refused(404), "REPORT_NOT_AVAILABLE");
    }
    let wrong = show
        .app
        .get(&show.org, &format!("{WATCH_TIME}?streaming_type=CDN"))
        .await;
    assert_eq!(wrong.bad_fields(), ["streaming_type", "time"]);
}

#[tokio::test]
async fn the_link_of_a_daily_watch_time_file_lasts_an_hour() {
    let show = two_contents().await;
    let response = show
        .app
        .get(&show.org, &format!("{WATCH_TIME}?time=2026-11-22"))
        .await
        .ok();
    assert!(
        open(&show, &response)
            .await
            .header("content-disposition")
            .contains("watch-time-20261122.csv")
    );
    show.app.clock.advance_hours(1);
    assert_eq!(open(&show, &response).await.refused(403), "LINK_EXPIRED");
    show.app.clock.advance_hours(1);
    show.app.maintain(false).await;
    assert_eq!(open(&show, &response).await.refused(403), "LINK_EXPIRED");
    let folder = show.app.data_dir().join("store/reports/acme");
    let left = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let left = left
        .filter(|entry| std::fs::read_dir(entry.path()).is_ok_and(|mut it| it.next().is_some()));
    assert_eq!(left.count(), 0);
}

/// The count and the moment of a point, as `count at`.
fn point(point: &Value) -> String {
    format!(
        "{} at {}",
        point["count"],
        point["updated_at"].as_str().expect("a time")
    )
}

async fn viewers(show: &Show) -> Value {
    show.app.get(&show.org, VIEWERS).await.ok()
}

/// A viewer of the current day, as `2026-11-25T20:00:00Z..20`.
fn now_watching(customer: &str, from: &str, to: &str) -> Value {
    json!({
        "type": "playback", "playback_id": format!("tab-{customer}"), "customer_id": customer,
        "from": format!("2026-11-25T{from}Z"), "to": format!("2026-11-25T{to}Z"),
    })
}

#[tokio::test]
async fn a_live_event_has_concurrent_and_total_viewers() {
    let show = Show::new().await;
    show.send([
        now_watching("ada", "19:00:00", "19:59:50"),
        now_watching("bob", "19:00:00", "19:30:00"),
        now_watching("eve", "19:59:30", "19:59:55"),
    ])
    .await;
    let metrics = viewers(&show).await;
    assert_eq!(
        point(&metrics["viewer_metrics"]["concurrent"]),
        "2 at 2026-11-25T19:59:45.000Z"
    );
    assert_eq!(
        point(&metrics["viewer_metrics"]["total"]),
        "3 at 2026-11-25T19:59:45.000Z"
    );
    assert_eq!(
        metrics["viewer_metrics_per_event"]["live"],
        metrics["viewer_metrics"]
    );
    assert_eq!(
        metrics["viewer_metrics_per_event"]["live_to_vod"]["total"]["count"],
        0
    );
    // No more records come.
    show.app.clock.advance_millis(120_000);
    let metrics = viewers(&show).await;
    assert_eq!(
        point(&metrics["viewer_metrics"]["concurrent"]),
        "0 at 2026-11-25T20:01:45.000Z"
    );
    assert_eq!(metrics["viewer_metrics"]["total"]["count"], 3);
}

#[tokio::test]
async fn an_event_that_is_over_keeps_its_last_point() {
    let show = Show::new().await;
    show.send([
        json!({"type": "event", "kind": "live", "title": "Keynote", "ends_at": "2026-11-25T19:30:00Z"}),
        now_watching("ada", "19:00:00", "19:30:10"),
        now_watching("bob", "19:00:00", "19:10:00"),
        now_watching("eve", "19:40:00", "19:50:00"),
    ])
    .await;
    let metrics = viewers(&show).await;
    let per_event = &metrics["viewer_metrics_per_event"];
    assert_eq!(
        point(&per_event["live"]["concurrent"]),
        "1 at 2026-11-25T19:30:00.000Z"
    );
    assert_eq!(
        point(&per_event["live"]["total"]),
        "2 at 2026-11-25T19:30:00.000Z"
    );
    assert_eq!(per_event["live_to_vod"]["total"]["count"], 2);
    assert_eq!(per_event["live_to_vod"]["concurrent"]["count"], 0);
    assert_eq!(metrics["viewer_metrics"]["total"]["count"], 3);
}

#[tokio::test]
async fn only_live_events_have_a_viewers_route() {
    let show = two_contents().await;
    for id in ["nothing", "film"] {
        let path = VIEWERS.replace("keynote", id);
        assert_eq!(
            show.app.get(&show.org, &path).await.refused(404),
            "EVENT_NOT_FOUND"
        );
    }
    let rival = show.app.org("rival", "UTC").await;
    assert_eq!(
        show.app.get(&rival, VIEWERS).await.refused(404),
        "EVENT_NOT_FOUND"
    );
}
