//! `CloudEvents` at `POST /collect`, in their three modes.

use axum::body::Body;
use serde_json::{Value, json};

use crate::harness::app::request;
use crate::harness::show::says;
use crate::harness::{Response, Show};
use crate::oracle::Dimension::ChatHistories;

const STRUCTURED: &str = "application/cloudevents+json; charset=utf-8";
const BATCH: &str = "application/cloudevents-batch+json";

/// A chat record without its type.
fn message(id: &str) -> Value {
    let mut record = says("ada", id, "10:00", "hello");
    record["event_id"] = json!("keynote");
    record.as_object_mut().expect("an object").remove("type");
    record
}

fn envelope(id: &str) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/app", "type": "com.example.chat",
        "datacontenttype": "application/json", "data": message(id),
    })
}

/// Sends a record in binary mode with these headers.
async fn send_binary(show: &Show, headers: &[(&str, &str)], body: &Value) -> Response {
    let mut request = request("POST", &show.org, "/collect");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_string()));
    show.app.send(request.expect("a request")).await
}

async fn stored(show: &Show) -> Vec<String> {
    let file = show.report(ChatHistories, &[]).await;
    let rows = file.lines().skip(1);
    rows.map(|row| row.split(',').nth(1).expect("an id").to_owned())
        .collect()
}

#[tokio::test]
async fn records_are_collected_from_events_of_each_mode() {
    let show = Show::new().await;
    let (app, org) = (&show.app, &show.org);
    let one = envelope("m1").to_string();
    let batch = json!([envelope("m2"), {"specversion": "1.0"}, envelope("m3")]).to_string();
    let response = app.post_bytes(org, "/collect", STRUCTURED, one).await;
    assert_eq!(response.is(202).json()["accepted"], 1);
    let response = app.post_bytes(org, "/collect", BATCH, batch).await;
    let response = response.is(202).json();
    assert_eq!(response["accepted"], 2);
    let rejected = &response["rejected"][0];
    assert_eq!(rejected["index"], 1);
    assert_eq!(rejected["reason"], "MISSING_FIELD");
    assert_eq!(rejected["field"], "data");
    let headers = [
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-type", "com.example.chat"),
        ("ce-id", "1"),
        ("ce-source", "/app"),
    ];
    let response = send_binary(&show, &headers, &message("m4")).await;
    assert_eq!(response.is(202).json()["accepted"], 1);
    assert_eq!(stored(&show).await, ["m1", "m2", "m3", "m4"]);
}

#[tokio::test]
async fn wrong_events_are_refused_and_named() {
    let show = Show::new().await;
    let (app, org) = (&show.app, &show.org);
    let mut old = envelope("m1");
    old["specversion"] = json!("0.3");
    let response = app
        .post_bytes(org, "/collect", STRUCTURED, old.to_string())
        .await;
    assert_eq!(response.refused(400), "ALL_RECORDS_REJECTED");
    let rejected = &response.json()["rejected"][0];
    assert_eq!(rejected["reason"], "UNSUPPORTED_VERSION");
    assert_eq!(rejected["field"], "specversion");
    let envelope = envelope("m1").to_string();
    for (content_type, body) in [
        (STRUCTURED, format!("[{envelope}]")),
        (BATCH, envelope.clone()),
        (STRUCTURED, envelope[..20].to_owned()),
    ] {
        let response = app.post_bytes(org, "/collect", content_type, body).await;
        assert_eq!(response.refused(400), "BROKEN_BODY");
    }
    let version = |version| {
        [
            ("content-type", "application/json"),
            ("ce-specversion", version),
        ]
    };
    let response = send_binary(&show, &version("0.3"), &message("m1")).await;
    assert_eq!(response.bad_fields(), ["ce-specversion"]);
    let response = send_binary(&show, &version("1.0"), &message("m1")).await;
    assert_eq!(response.json()["rejected"][0]["field"], "type");
    let text = [("content-type", "text/plain"), ("ce-specversion", "1.0")];
    let response = send_binary(&show, &text, &message("m1")).await;
    assert_eq!(response.refused(415), "UNSUPPORTED_TYPE");
}
