//! `/v1/batch` and `/v1/track`: calls of Segment's libraries.

use std::io::Write;

use axum::body::Body;
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::harness::show::at;
use crate::harness::{Response, Show};
use crate::oracle::Dimension::WatchTime;

/// A show with a write key.
async fn show() -> (Show, String) {
    let show = Show::new().await;
    let key = show.app.token(&show.org.id, "collect").await;
    (show, key)
}

fn track(event: &str, clock: &str) -> Value {
    json!({
        "type": "track", "event": event, "timestamp": at(clock), "userId": "ada",
        "anonymousId": "phone", "messageId": format!("{event} {clock}"),
        "properties": {"session_id": "s", "content_asset_id": "keynote", "position": 7},
        "context": {"library": {"name": "@segment/analytics-node"}},
    })
}

/// Sends a body; with a key, as the user name of Basic authentication.
async fn send(show: &Show, path: &str, key: Option<&str>, body: impl Into<Body>) -> Response {
    let mut request = Request::post(path).header("content-type", "application/json");
    if let Some(key) = key {
        let credentials = STANDARD.encode(format!("{key}:"));
        request = request.header("authorization", format!("Basic {credentials}"));
    }
    let request = request.body(body.into()).expect("a request");
    show.app.send(request).await
}

#[track_caller]
fn succeeded(response: &Response) {
    assert_eq!(response.ok(), json!({"success": true}));
}

#[tokio::test]
async fn calls_about_playing_give_watch_time_however_the_key_is_sent() {
    let (show, key) = show().await;
    let batch = json!({"batch": [
        {"type": "identify", "userId": "ada", "traits": {"name": "Ada"}},
        track("Video Playback Started", "10:00:00"),
        track("Video Content Playing", "10:00:10.250"),
        track("Video Playback Paused", "10:00:15"),
        {"type": "page", "name": "Keynote", "userId": "ada"},
        track("Order Completed", "10:00:16"),
    ], "sentAt": at("10:00:20"), "writeKey": key});
    let batch = batch.to_string();
    succeeded(&send(&show, "/v1/batch", Some(&key), batch.clone()).await);
    // The same again changes nothing, whichever way the key is sent.
    succeeded(&send(&show, "/v1/batch", None, batch.clone()).await);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(batch.as_bytes()).expect("memory");
    let packed = encoder.finish().expect("memory");
    for authorization in ["", "Bearer"] {
        let mut request = Request::post("/v1/batch").header("content-encoding", "gzip");
        if !authorization.is_empty() {
            request = request.header("authorization", format!("{authorization} {key}"));
        }
        let request = request.body(Body::from(packed.clone())).expect("a request");
        succeeded(&show.app.send(request).await);
    }
    let resumed = track("Playback Resumed", "10:01:00").to_string();
    succeeded(&send(&show, "/v1/track", Some(&key), resumed).await);
    let mut exited = track("Video Playback Exited", "10:01:05");
    exited["writeKey"] = json!(key);
    succeeded(&send(&show, "/v1/track", None, exited.to_string()).await);
    let csv = show.report(WatchTime, &[]).await;
    let row = csv.lines().nth(1).expect("a row");
    assert_eq!(
        row,
        "2026-11-22T10:00:00.000Z,2026-11-22T10:01:05.000Z,s,ada,phone,,,20.000"
    );
}

#[tokio::test]
async fn calls_that_cannot_be_used_are_accepted_and_dropped() {
    let (show, key) = show().await;
    let mut homeless = track("Video Playback Started", "10:00:00");
    homeless["properties"] = json!({});
    for body in [
        json!({"batch": [homeless]}),
        json!({"batch": []}),
        json!({"batch": [7, null, "text"]}),
        json!({}),
    ] {
        succeeded(&send(&show, "/v1/batch", Some(&key), body.to_string()).await);
    }
    let events = show.app.get(&show.org, "/api/v1/events").await;
    assert_eq!(events.ok()["events"], json!([]));
}

#[tokio::test]
async fn a_body_that_is_broken_is_refused() {
    let (show, key) = show().await;
    for (body, reason) in [
        ("", "EMPTY_BODY"),
        ("[]", "BROKEN_BODY"),
        ("{\"batch\": [", "BROKEN_BODY"),
        ("{\"batch\": {}}", "BROKEN_BODY"),
    ] {
        let response = send(&show, "/v1/batch", Some(&key), body).await;
        assert_eq!(response.refused(400), reason, "{body}");
    }
}

#[tokio::test]
async fn a_write_key_is_a_token_that_may_collect() {
    let (show, key) = show().await;
    let call = track("Video Playback Started", "10:00:00");
    let reader = show.app.token(&show.org.id, "report").await;
    let with_key = |key: Value| {
        let mut call = call.clone();
        call["writeKey"] = key;
        call.to_string()
    };
    let plain = call.to_string();
    for path in ["/v1/track", "/v1/batch"] {
        for (header, body, status, reason) in [
            (None, plain.clone(), 401, "TOKEN_MISSING"),
            (None, String::new(), 401, "TOKEN_MISSING"),
            (None, with_key(json!(7)), 401, "TOKEN_MISSING"),
            (None, with_key(json!("sr_x")), 401, "UNKNOWN_TOKEN"),
            (None, with_key(json!(reader)), 403, "SCOPE_MISSING"),
            (Some("sr_x"), with_key(json!(key)), 401, "UNKNOWN_TOKEN"),
            (Some(reader.as_str()), plain.clone(), 403, "SCOPE_MISSING"),
        ] {
            let response = send(&show, path, header, body).await;
            assert_eq!(response.refused(status), reason, "{path} {header:?}");
        }
    }
    succeeded(&send(&show, "/v1/track", None, with_key(json!(key))).await);
}

#[tokio::test]
async fn a_body_with_its_key_inside_is_bounded() {
    let (show, key) = show().await;
    let long = json!({"batch": [], "writeKey": key, "filler": "x".repeat(512 << 10)});
    let long = long.to_string();
    let response = send(&show, "/v1/batch", None, long.clone()).await;
    assert_eq!(response.refused(413), "BODY_TOO_LARGE");
    let request = Request::post("/v1/batch")
        .header("content-encoding", "zstd")
        .body(Body::from(
            zstd::encode_all(long.as_bytes(), 1).expect("memory"),
        ));
    let response = show.app.send(request.expect("a request")).await;
    assert_eq!(response.refused(413), "BODY_TOO_LARGE");
    succeeded(&send(&show, "/v1/batch", Some(&key), long).await);
}
