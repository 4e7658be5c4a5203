//! `POST /collect`: bodies, encodings, responses.

use std::io::Write;

use axum::body::Body;
use axum::http::Request;
use flate2::Compression;
use flate2::write::GzEncoder;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::harness::app::ndjson;
use crate::harness::show::{says, watches};
use crate::harness::{Org, Response, Show, TestApp};
use crate::oracle::Dimension::ChatHistories;

const NDJSON: &str = "application/x-ndjson";
const UNPACKED_BYTES_MAX: usize = 16 << 20;

/// Names and values.
type Headers<'a> = &'a [(&'a str, &'a str)];

fn message(id: &str) -> Value {
    let mut record = says("ada", id, "10:00", "hello");
    record["event_id"] = json!("keynote");
    record
}

fn lines(ids: &[&str]) -> String {
    ndjson(&ids.iter().map(|id| message(id)).collect::<Vec<_>>())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// Posts a body with exactly these headers, beside the authorization.
async fn post(app: &TestApp, org: &Org, headers: Headers<'_>, body: impl Into<Body>) -> Response {
    let mut request = crate::harness::app::request("POST", org, "/collect");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.send(request.body(body.into()).expect("a request"))
        .await
}

/// The messages that are stored, by their ids.
async fn stored(show: &Show) -> Vec<String> {
    let file = show.report(ChatHistories, &[]).await;
    file.lines()
        .skip(1)
        .map(|row| row.split(',').nth(1).expect("an id").to_owned())
        .collect()
}

#[tokio::test]
async fn valid_records_are_stored_and_others_named() {
    let show = Show::new().await;
    let body = format!(
        "{}\n\n{{broken\n{}\n  \r\n\"text\"\n{}",
        message("m1"),
        json!({"type": "chat"}),
        message("m2")
    );
    let response = show
        .app
        .post_bytes(&show.org, "/collect", NDJSON, body)
        .await;
    response.is(202);
    let response = response.json();
    assert_eq!(response["accepted"], 2);
    let rejected: Vec<i64> = response["rejected"]
        .as_array()
        .expect("rejected")
        .iter()
        .map(|it| it["index"].as_i64().expect("index"))
        .collect();
    // Blank lines are skipped, but counted in line numbers.
    assert_eq!(rejected, [2, 3, 5]);
    for rejected in response["rejected"].as_array().expect("rejected") {
        let reason = rejected["reason"].as_str().expect("a reason");
        assert!(
            reason.chars().all(|c| c.is_ascii_uppercase() || c == '_'),
            "{rejected}"
        );
        assert!(
            rejected["message"]
                .as_str()
                .is_some_and(|text| text.len() > 10),
            "{rejected}"
        );
    }
    assert_eq!(stored(&show).await, ["m1", "m2"]);
}

#[tokio::test]
async fn a_body_with_invalid_records_only_is_refused() {
    let show = Show::new().await;
    let response = show
        .app
        .post_bytes(&show.org, "/collect", NDJSON, "{}\nnonsense\n")
        .await;
    response.refused(400);
    let response = response.json();
    assert_eq!(response["accepted"], 0);
    assert_eq!(response["rejected"].as_array().expect("rejected").len(), 2);
}

#[tokio::test]
async fn an_empty_body_is_refused_and_an_empty_list_is_not() {
    let show = Show::new().await;
    for (content_type, body) in [
        (NDJSON, ""),
        ("application/json", ""),
        ("text/plain", ""),
        (NDJSON, "\n \n"),
    ] {
        show.app
            .post_bytes(&show.org, "/collect", content_type, body)
            .await
            .refused(400);
    }
    for content_type in ["application/json", "text/plain"] {
        let response = show
            .app
            .post_bytes(&show.org, "/collect", content_type, " [] ")
            .await;
        response.is(202);
        assert_eq!(response.json(), json!({"accepted": 0, "rejected": []}));
    }
}

#[tokio::test]
async fn a_body_is_lines_an_array_or_an_object() {
    let show = Show::new().await;
    let (app, org) = (&show.app, &show.org);
    let array = json!([message("m1"), message("m2")]).to_string();
    let pretty = serde_json::to_string_pretty(&message("m9")).expect("JSON");
    let bodies: [(Headers, String, i64); 9] = [
        (&[("content-type", "application/json")], array.clone(), 2),
        (
            &[("content-type", "application/json; charset=utf-8")],
            message("m3").to_string(),
            1,
        ),
        (
            &[("content-type", "application/x-ndjson")],
            lines(&["m4", "m5"]),
            2,
        ),
        (
            &[("content-type", "text/plain;charset=UTF-8")],
            lines(&["m6", "m7"]),
            2,
        ),
        (&[("content-type", "text/plain")], array.clone(), 2),
        (&[("content-type", "text/plain")], pretty.clone(), 1),
        (&[], lines(&["m8", "m1"]).replace('\n', "\r\n"), 2),
        (&[], array, 2),
        (&[], pretty, 1),
    ];
    for (headers, body, accepted) in bodies {
        let response = post(app, org, headers, body).await;
        response.is(202);
        assert_eq!(response.json()["accepted"], accepted, "{headers:?}");
    }
    assert_eq!(
        stored(&show).await,
        ["m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9"]
    );
}

#[tokio::test]
async fn an_array_is_indexed_by_element() {
    let show = Show::new().await;
    let body = json!([message("m1"), 7, message("m2"), {"type": "dance"}]);
    let response = show.app.post(&show.org, "/collect", &body).await;
    response.is(202);
    let response = response.json();
    assert_eq!(response["accepted"], 2);
    let rejected = response["rejected"].as_array().expect("rejected");
    assert_eq!([&rejected[0]["index"], &rejected[1]["index"]], [1, 3]);
    assert_eq!(rejected[1]["field"], "type");
}

#[tokio::test]
async fn a_body_may_be_compressed() {
    let show = Show::new().await;
    let mut brotli = Vec::new();
    brotli::CompressorWriter::new(&mut brotli, 4096, 5, 22)
        .write_all(lines(&["m3"]).as_bytes())
        .expect("memory");
    let bodies = [
        ("gzip", gzip(lines(&["m1"]).as_bytes())),
        (
            "zstd",
            zstd::encode_all(lines(&["m2"]).as_bytes(), 1).expect("memory"),
        ),
        ("br", brotli),
    ];
    for (encoding, body) in bodies {
        let headers = [("content-type", NDJSON), ("content-encoding", encoding)];
        let response = post(&show.app, &show.org, &headers, body).await;
        assert_eq!(response.status, 202, "{encoding}: {}", response.text());
    }
    assert_eq!(stored(&show).await, ["m1", "m2", "m3"]);
}

#[tokio::test]
async fn other_types_and_encodings_are_refused() {
    let show = Show::new().await;
    let refused: [Headers; 6] = [
        &[("content-type", NDJSON), ("content-encoding", "deflate")],
        &[("content-type", NDJSON), ("content-encoding", "gzip, gzip")],
        &[
            ("content-type", NDJSON),
            ("content-encoding", "gzip"),
            ("content-encoding", "gzip"),
        ],
        &[("content-type", "text/csv")],
        &[("content-type", "application/xml")],
        &[("content-type", "multipart/form-data; boundary=x")],
    ];
    for headers in refused {
        let response = post(
            &show.app,
            &show.org,
            headers,
            gzip(&gzip(lines(&["m1"]).as_bytes())),
        )
        .await;
        assert_eq!(response.status, 415, "{headers:?}: {}", response.text());
        response.refused(415);
    }
}

#[tokio::test]
async fn a_broken_body_stores_nothing() {
    let show = Show::new().await;
    show.send([says("ada", "m0", "10:00", "first")]).await;
    let packed = gzip(lines(&["m1", "m2", "m3"]).as_bytes());
    let cut = packed[..packed.len() - 9].to_vec();
    let mut bent = packed.clone();
    let last = bent.len() - 5;
    bent[last] ^= 0xff; // The checksum.
    for body in [cut, bent, b"no gzip".to_vec()] {
        let headers = [("content-type", NDJSON), ("content-encoding", "gzip")];
        post(&show.app, &show.org, &headers, body)
            .await
            .refused(400);
    }
    let zstd = zstd::encode_all(lines(&["m1", "m2"]).as_bytes(), 1).expect("memory");
    let headers = [("content-type", NDJSON), ("content-encoding", "zstd")];
    post(
        &show.app,
        &show.org,
        &headers,
        zstd[..zstd.len() - 4].to_vec(),
    )
    .await
    .refused(400);
    let half = format!("[{}, {}", message("m4"), message("m5"));
    show.app
        .post_bytes(&show.org, "/collect", "application/json", half)
        .await
        .refused(400);
    assert_eq!(stored(&show).await, ["m0"]);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let show = Show::new().await;
    let mut fits = lines(&["m1"]).into_bytes();
    fits.resize(UNPACKED_BYTES_MAX, b' ');
    let mut too_large = fits.clone();
    too_large.push(b' ');
    let (app, org) = (&show.app, &show.org);
    let headers = [("content-type", NDJSON), ("content-encoding", "gzip")];
    post(app, org, &headers, gzip(&too_large))
        .await
        .refused(413);
    post(app, org, &headers[..1], too_large).await.refused(413);
    post(app, org, &headers, gzip(&fits)).await.is(202);
    post(app, org, &headers[..1], fits).await.is(202);
    // Much more than fits in memory limits.
    post(app, org, &headers, gzip(&vec![b' '; 300 << 20]))
        .await
        .refused(413);
}

#[tokio::test]
async fn a_beacon_signs_in_with_a_key_in_the_url() {
    let show = Show::new().await;
    let collect = show.app.token(&show.org.id, "collect").await;
    let beacon = |key: &str| {
        let request =
            Request::post(format!("/collect?key={key}")).header("content-type", "text/plain");
        request
            .body(Body::from(message("m1").to_string()))
            .expect("a request")
    };
    show.app.send(beacon(&collect)).await.is(202);
    // Only a token without other scopes is accepted in a URL.
    for scopes in ["report", "admin", "collect,report"] {
        let token = show.app.token(&show.org.id, scopes).await;
        show.app.send(beacon(&token)).await.refused(403);
    }
    show.app.send(beacon("sr_nonsense")).await.refused(401);
    let elsewhere = Request::get(format!("/api/v1/events?key={collect}")).body(Body::empty());
    show.app
        .send(elsewhere.expect("a request"))
        .await
        .refused(401);
}

/// Checks that a page of this origin can read the response, also with credentials.
fn is_open_to(response: &Response, origin: &str) {
    assert_eq!(response.header("access-control-allow-origin"), origin);
    assert_eq!(response.header("access-control-allow-credentials"), "true");
    assert_eq!(response.header("vary"), "origin");
    let exposed = response.header("access-control-expose-headers");
    for header in ["x-request-id", "retry-after", "x-showreport-time"] {
        assert!(exposed.contains(header), "{exposed}");
    }
}

#[tokio::test]
async fn a_page_of_any_origin_may_collect() {
    let show = Show::new().await;
    let (app, org) = (&show.app, &show.org);
    for origin in ["https://player.example", "null"] {
        let preflight = Request::options("/collect")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization,content-type,content-encoding,x-bv-org-id,x-request-id",
            )
            .body(Body::empty());
        let response = app.send(preflight.expect("a request")).await;
        response.is(204);
        is_open_to(&response, origin);
        assert_eq!(response.header("access-control-allow-methods"), "POST");
        let allowed = response.header("access-control-allow-headers");
        let allowed: Vec<&str> = allowed.split(',').collect();
        for header in [
            "authorization",
            "content-type",
            "content-encoding",
            "x-bv-org-id",
            "x-request-id",
        ] {
            assert!(allowed.contains(&header), "{allowed:?}");
        }
        let headers = [("content-type", NDJSON), ("origin", origin)];
        let response = post(app, org, &headers, lines(&["m1"])).await;
        response.is(202);
        is_open_to(&response, origin);
        let time: i64 = response
            .header("x-showreport-time")
            .parse()
            .expect("a time");
        assert_eq!(time, app.now().as_millis());
    }
}

#[tokio::test]
async fn a_page_can_read_every_refusal() {
    let show = Show::new().await;
    let origin = "https://player.example";
    let page = || Request::post("/collect").header("origin", origin);
    let with_two_hosts = page().header("host", "a").header("host", "b");
    for (request, status) in [
        (page().body(Body::empty()), 401),
        (with_two_hosts.body(Body::empty()), 400),
        (page().method("PUT").body(Body::empty()), 405),
        (page().uri("/collect/nowhere").body(Body::empty()), 404),
    ] {
        let response = show.app.send(request.expect("a request")).await;
        response.is(status);
        is_open_to(&response, origin);
    }
    let headers = [("content-type", NDJSON), ("origin", origin)];
    let response = post(&show.app, &show.org, &headers, "").await;
    response.refused(400);
    is_open_to(&response, origin);
    // Other routes are closed to web pages.
    for path in ["/api/v1/events", "/collection"] {
        let request = Request::get(path).header("origin", origin);
        let response = show
            .app
            .send(request.body(Body::empty()).expect("a request"))
            .await;
        assert!(
            response
                .headers
                .get("access-control-allow-origin")
                .is_none()
        );
    }
}

#[tokio::test]
async fn accepted_records_are_in_every_report_created_afterwards() {
    let mut show = Show::new().await;
    show.send([watches("ada", "a", "10:00..10:01")]).await;
    show.app.crash().await;
    show.send([watches("bob", "b", "10:00..10:02")]).await;
    show.app.restart().await;
    assert_snapshot!(show.report(crate::oracle::Dimension::WatchTime, &[crate::oracle::Field::CustomerId]).await, @"
    customer_id,views,viewers,devices,watch_seconds,attended_seconds
    ada,1,1,0,60.000,60.000
    bob,1,1,0,120.000,120.000
    ");
}

/// Many events that compress well: the work of storing them is much more than their size suggests.
fn many_events(count: usize) -> Vec<u8> {
    let events = (0..count).map(|id| {
        let event = format!("event-{id}");
        json!({"type": "event", "event_id": event, "kind": "vod", "title": ""})
    });
    gzip(ndjson(&events.collect::<Vec<_>>()).as_bytes())
}

#[tokio::test]
async fn other_requests_are_stored_between_the_parts_of_a_large_one() {
    let show = Show::new().await;
    let rival = show.app.org("rival", "UTC").await;
    let large = post(
        &show.app,
        &show.org,
        &[("content-encoding", "gzip"), ("content-type", NDJSON)],
        many_events(30_000),
    );
    let others = async {
        // It is half stored.
        let path = "/api/v1/events?page_size=1";
        while show.app.get(&show.org, path).await.json()["events"] == json!([]) {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        let mut responses = Vec::new();
        for id in ["m1", "m2", "m3"] {
            responses.push(show.app.collect(&rival, &[message(id)]).await.status);
        }
        responses
    };
    let mut large = Box::pin(large);
    let responses = tokio::select! {
        biased;
        responses = others => responses,
        response = &mut large => panic!("others waited for all of it: {}", response.text()),
    };
    assert_eq!(responses, [202, 202, 202]);
    let response = large.await;
    response.is(202);
    assert_eq!(response.json()["accepted"], 30_000);
}
