//! Beats, and the time that they claim.

use insta::assert_snapshot;
use serde_json::{Value, json};
use showreport_model::beats::Beats;
use showreport_model::claims::Beat;

use crate::cmcd::recording;
use crate::harness::Show;
use crate::harness::show::{at, says, watches};
use crate::oracle::Dimension::{ChatHistories, WatchTime};
use crate::oracle::Field::{CustomerId, DeviceOs};
use crate::oracle::{Dimension, Field, ReportSpec};

/// A beat of Ada's.
fn beat(playback: &str, seq: Option<i64>, clock: &str, playing: bool) -> Value {
    json!({
        "type": "beat",
        "playback_id": playback,
        "customer_id": "ada",
        "seq": seq,
        "at": at(clock),
        "playing": playing,
    })
}

#[tokio::test]
async fn a_playing_beat_claims_the_time_up_to_the_next_one() {
    let show = Show::new().await;
    show.send([
        beat("tab", Some(0), "10:00", true),
        beat("tab", Some(1), "10:00:10", true),
        beat("tab", Some(2), "10:00:20", false),
        beat("tab", Some(3), "10:01", true),
        // The successor of this one is lost.
        beat("tab", Some(4), "10:01:05", true),
        beat("tab", Some(6), "10:01:25", true),
        beat("tv", None, "10:00", true),
        beat("tv", None, "10:01:05", true),
        beat("tv", None, "10:02:10.001", true),
    ])
    .await;
    assert_snapshot!(show.report(WatchTime, &[]).await, @"
    started_at,ended_at,playback_id,customer_id,device_id,device_os,geo_region,watch_seconds
    2026-11-22T10:00:00.000Z,2026-11-22T10:01:05.000Z,tab,ada,,,,25.000
    2026-11-22T10:00:00.000Z,2026-11-22T10:01:05.000Z,tv,ada,,,,65.000
    ");
    assert_snapshot!(show.report(WatchTime, &[CustomerId]).await, @"
    customer_id,views,viewers,devices,watch_seconds,attended_seconds
    ada,2,1,0,90.000,65.000
    ");
}

#[tokio::test]
async fn a_late_beat_takes_away_the_time_that_it_contradicts() {
    let show = Show::new().await;
    show.send([
        beat("tab", Some(0), "10:00", true),
        beat("tab", Some(1), "10:01", true),
    ])
    .await;
    let minute = show.report(WatchTime, &[CustomerId]).await;
    assert!(minute.ends_with("ada,1,1,0,60.000,60.000\n"), "{minute}");
    show.send([beat("tab", Some(1), "10:00:07", false)]).await;
    let seconds = show.report(WatchTime, &[CustomerId]).await;
    assert!(seconds.ends_with("ada,1,1,0,7.000,7.000\n"), "{seconds}");
}

#[tokio::test]
async fn claims_join_the_spans_of_the_view_and_attributes_are_the_least_of_both() {
    let show = Show::new().await;
    let mut span = watches("ben", "tab", "10:00..10:00:30");
    span["device_os"] = json!("iOS");
    let mut silent = beat("tab", None, "09:00", false);
    silent["device_os"] = json!("Android");
    show.send([
        span,
        silent,
        beat("tab", Some(7), "10:00:20", true),
        beat("tab", Some(8), "10:00:45", false),
    ])
    .await;
    assert_snapshot!(show.report(WatchTime, &[CustomerId, DeviceOs]).await, @"
    customer_id,device_os,views,viewers,devices,watch_seconds,attended_seconds
    ada,Android,1,1,0,45.000,45.000
    ");
}

#[tokio::test]
async fn a_filter_cuts_claims_after_they_are_worked_out() {
    let show = Show::new().await;
    show.send([
        beat("tab", Some(0), "10:00", true),
        beat("tab", Some(1), "10:01", false),
    ])
    .await;
    // No beat lies inside.
    let question = ReportSpec {
        start: Some(1_795_341_610_000), // 10:00:10
        end: Some(1_795_341_625_000),
        ..ReportSpec::new(WatchTime)
    };
    assert_snapshot!(show.csv(&question).await, @"
    started_at,ended_at,playback_id,customer_id,device_id,device_os,geo_region,watch_seconds
    2026-11-22T10:00:10.000Z,2026-11-22T10:00:25.000Z,tab,ada,,,,15.000
    ");
}

#[tokio::test]
async fn a_view_that_was_never_playing_is_not_counted_and_still_has_an_operating_system() {
    let show = Show::new().await;
    let mut silent = beat("tab", Some(0), "10:00", false);
    silent["device_os"] = json!("webOS");
    show.send([silent, says("ada", "m1", "10:05", "hi")]).await;
    let none = show.report(WatchTime, &[CustomerId]).await;
    assert_eq!(none.lines().count(), 1, "{none}");
    let chat = show.report(ChatHistories, &[DeviceOs]).await;
    assert!(chat.ends_with("webOS,1,1\n"), "{chat}");
    let figures = show
        .app
        .get(&show.org, "/api/v1/events/keynote/figures")
        .await
        .ok();
    assert_eq!(
        (&figures["views"], &figures["viewers"]),
        (&json!(0), &json!(0))
    );
    // An earlier view that was playing holds over one that was not.
    let mut watched = watches("ada", "tv", "11:00..11:01");
    watched["device_os"] = json!("tvOS");
    show.send([watched]).await;
    let chat = show.report(ChatHistories, &[DeviceOs]).await;
    assert!(chat.ends_with("tvOS,1,1\n"), "{chat}");
}

#[tokio::test]
async fn time_that_beats_claim_over_midnight_counts_on_both_days() {
    let show = Show::new().await;
    let midnight = 1_795_392_000_000_i64; // 2026-11-23T00:00Z
    let beats = [(0, midnight - 10_000, true), (1, midnight + 20_000, false)];
    show.send(beats.map(|(seq, at, playing)| {
        json!({"type": "beat", "playback_id": "tab", "seq": seq, "at": at, "playing": playing})
    }))
    .await;
    let question = ReportSpec {
        granularity_seconds: 86_400,
        ..ReportSpec::new(Dimension::WatchTime).by(&[Field::WatchTimestamp])
    };
    assert_snapshot!(show.csv(&question).await, @"
    watch_timestamp,views,viewers,devices,watch_seconds,attended_seconds
    2026-11-22T00:00:00.000Z,1,1,0,10.000,10.000
    2026-11-23T00:00:00.000Z,1,1,0,20.000,20.000
    ");
}

/// The beats of all bodies. Values in these captures have no commas outside of lists.
fn beats_of(capture: &str) -> Beats {
    let mut beats = Beats::default();
    for line in capture.lines() {
        let request: Value = serde_json::from_str(line).expect("a request");
        for line in request["body"].as_str().expect("a body").lines() {
            let value = |key: &str| {
                let pairs = line.split(',').filter_map(|pair| pair.split_once('='));
                pairs
                    .filter(|(name, _)| *name == key)
                    .map(|(_, value)| value)
                    .next()
            };
            let number = |key: &str| value(key).map(|text| text.parse().expect("a number"));
            if let Some(at) = number("ts") {
                beats.insert(Beat {
                    seq: number("sn"),
                    at,
                    playing: value("sta") == Some("p"),
                });
            }
        }
    }
    beats
}

#[test]
fn the_captures_of_players_claim_what_was_played() {
    for (name, millis) in [
        ("hls.js-1.7.4.jsonl", 13_075),
        ("dashjs-5.2.1.jsonl", 13_048),
    ] {
        let Some(capture) = recording(name) else {
            return;
        };
        assert_eq!(beats_of(&capture).claims().measure(), millis);
    }
}
