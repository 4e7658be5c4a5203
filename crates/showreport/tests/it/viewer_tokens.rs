//! Viewer tokens: a page proves who its viewer is.

use axum::body::Body;
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use showreport_meta::{Scopes, ViewerTokens};

use crate::harness::app::ndjson;
use crate::harness::show::{poll, says, votes, watches};
use crate::harness::{Org, Response, Show};
use crate::oracle::Dimension;

/// What a back end does to make a viewer token.
fn signed(secret: &str, payload: &Value) -> String {
    let text = format!("sr_v.{}", URL_SAFE_NO_PAD.encode(payload.to_string()));
    let mut code = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
    code.update(text.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(code.finalize().into_bytes());
    format!("{text}.{signature}")
}

/// A show with a token that a page has, and a secret of viewer tokens.
struct Page {
    show: Show,
    client: Org,
    secret: String,
}

impl Page {
    async fn new() -> Self {
        let show = Show::new().await;
        let client = Org {
            token: show.app.token(&show.org.id, "collect").await,
            ..show.org.clone()
        };
        let secret = show.app.token(&show.org.id, "viewer").await;
        Self {
            show,
            client,
            secret,
        }
    }

    /// The payload of Ada's token, which expires in an hour.
    fn ada(&self) -> Value {
        let exp = self.show.app.now().as_millis() / 1000 + 3_600;
        json!({"event_id": "keynote", "customer_id": "ada", "name": "Ada", "exp": exp})
    }

    fn token(&self) -> String {
        signed(&self.secret, &self.ada())
    }

    async fn collect(&self, records: &[Value]) -> Response {
        self.show.app.collect(&self.client, records).await
    }

    /// Sends records as a beacon does, with a viewer token in the address.
    async fn beacon(&self, viewer: &str, records: &[Value]) -> Response {
        let key = &self.client.token;
        let request = Request::post(format!("/collect?key={key}&viewer={viewer}"));
        let request = request.header("content-type", "text/plain");
        let request = request.body(Body::from(ndjson(records)));
        self.show.app.send(request.expect("a request")).await
    }

    async fn set(&self, viewer_tokens: ViewerTokens) {
        let meta = &self.show.app.parts.meta;
        let set = meta.set_viewer_tokens(&self.show.org.id, viewer_tokens);
        set.await.expect("set");
    }
}

/// The record without a customer, of the event.
fn anonymous(mut record: Value) -> Value {
    record["event_id"] = json!("keynote");
    record["customer_id"] = Value::Null;
    record
}

fn with_token(mut record: Value, token: &str) -> Value {
    record["viewer_token"] = json!(token);
    record
}

/// One record of each type of a viewer.
fn of_a_viewer() -> [Value; 3] {
    [
        anonymous(watches("", "tab-1", "10:00..10:30")),
        anonymous(says("", "m1", "10:05", "hello")),
        anonymous(votes("", "p1", "10:06", &["yes"])),
    ]
}

#[track_caller]
fn reasons(response: &Response) -> Vec<String> {
    let body = response.json();
    let rejected = body["rejected"].as_array().expect("a list");
    let reasons = rejected.iter().map(|it| it["reason"].as_str());
    reasons.map(|it| it.expect("a reason").to_owned()).collect()
}

#[tokio::test]
async fn records_of_a_page_have_the_customer_of_their_viewer_token() {
    for in_record in [true, false] {
        let page = Page::new().await;
        page.show.send([poll("p1", "single")]).await;
        let token = page.token();
        let response = if in_record {
            let records = of_a_viewer().map(|record| with_token(record, &token));
            page.collect(&records).await
        } else {
            page.beacon(&token, &of_a_viewer()).await
        };
        assert_eq!(response.is(202).json()["accepted"], 3);
        for (dimension, has) in [
            (Dimension::WatchTime, "tab-1,ada,"),
            (Dimension::ChatHistories, "m1,ada,,Ada,"),
            (Dimension::PollVotes, ",ada,,Ada,yes,"),
        ] {
            let report = page.show.report(dimension, &[]).await;
            assert!(report.contains(has), "{has} in {report}");
        }
    }
}

#[tokio::test]
async fn a_wrong_viewer_token_rejects_its_record_and_no_other() {
    let page = Page::new().await;
    let rival = page.show.app.org("globex", "UTC").await;
    let foreign = page.show.app.token(&rival.id, "viewer").await;
    let meta = &page.show.app.parts.meta;
    let viewer = || Scopes::parse("viewer").expect("scopes");
    let (id, revoked) = meta
        .create_token(&page.show.org.id, viewer(), None)
        .await
        .expect("create");
    let changed = |field: &str, value: Value| {
        let mut payload = page.ada();
        payload[field] = value;
        signed(&page.secret, &payload)
    };
    let [view, ..] = of_a_viewer();
    let still_good = signed(revoked.expose(), &page.ada());
    let response = page.collect(&[with_token(view.clone(), &still_good)]).await;
    response.is(202);
    meta.revoke_token(id).await.expect("revoke");
    let now = page.show.app.now().as_millis();
    let wrong = [
        format!("{}x", page.token()),
        signed(&foreign, &page.ada()),
        signed(&page.client.token, &page.ada()),
        still_good,
        changed("event_id", json!("other")),
        changed("exp", json!(now / 1000 - 1)),
        "no-token".to_owned(),
    ];
    for token in wrong {
        let records = [with_token(view.clone(), &token), view.clone()];
        let response = page.collect(&records).await;
        assert_eq!(response.is(202).json()["accepted"], 1, "{token}");
        assert_eq!(reasons(&response), ["INVALID_VIEWER_TOKEN"], "{token}");
        assert!(!response.text().contains(&token), "{token}");
        let alone = page.collect(&records[..1]).await;
        assert_eq!(alone.refused(400), "ALL_RECORDS_REJECTED");
        let beacon = page.beacon(&token, std::slice::from_ref(&view)).await;
        beacon.refused(400);
        assert_eq!(reasons(&beacon), ["INVALID_VIEWER_TOKEN"], "{token}");
    }
    let mut other = with_token(view, &page.token());
    other["customer_id"] = json!("bob");
    let response = page.collect(&[other]).await;
    response.refused(400);
    assert_eq!(reasons(&response), ["INVALID_VIEWER_TOKEN"]);
}

#[tokio::test]
async fn the_token_of_a_record_counts_before_that_of_the_request() {
    let page = Page::new().await;
    let [_, message, _] = of_a_viewer();
    let mut bob = page.ada();
    bob["customer_id"] = json!("bob");
    let record = with_token(message, &signed(&page.secret, &bob));
    page.beacon(&page.token(), &[record]).await.is(202);
    let report = page.show.report(Dimension::ChatHistories, &[]).await;
    assert!(report.contains("m1,bob,"), "{report}");
}

#[tokio::test]
async fn where_viewer_tokens_are_required_a_page_needs_one_and_a_back_end_none() {
    let page = Page::new().await;
    let show = &page.show;
    page.set(ViewerTokens::Required).await;
    let named = of_a_viewer().map(|mut record| {
        record["customer_id"] = json!("ada");
        record
    });
    let response = page.collect(&named).await;
    response.refused(400);
    assert_eq!(reasons(&response), ["MISSING_VIEWER_TOKEN"; 3]);
    assert!(response.text().contains("viewer_token"));
    page.beacon("", &named).await.refused(400);
    let signed = named.clone().map(|it| with_token(it, &page.token()));
    page.collect(&signed).await.is(202);
    page.beacon(&page.token(), &named).await.is(202);
    let mut about = poll("p1", "single");
    about["event_id"] = json!("keynote");
    let event = json!({"type": "event", "event_id": "keynote", "kind": "live", "title": "Keynote"});
    page.collect(&[about, event]).await.is(202);
    for scopes in ["admin", "collect,report"] {
        let token = show.app.token(&show.org.id, scopes).await;
        let back_end = Org {
            token,
            ..show.org.clone()
        };
        show.app.collect(&back_end, &named).await.is(202);
    }
    // Another organisation requires none.
    let rival = show.app.org("globex", "UTC").await;
    let token = show.app.token(&rival.id, "collect").await;
    show.app
        .collect(&Org { token, ..rival }, &named)
        .await
        .is(202);
    page.set(ViewerTokens::Optional).await;
    page.collect(&named).await.is(202);
}

#[tokio::test]
async fn the_secret_of_viewer_tokens_opens_no_request() {
    let page = Page::new().await;
    let org = Org {
        token: page.secret.clone(),
        ..page.client.clone()
    };
    let app = &page.show.app;
    let read = app.get(&org, "/api/v1/events").await;
    assert_eq!(read.refused(401), "UNKNOWN_TOKEN");
    assert!(
        read.text().contains("signs viewer tokens"),
        "{}",
        read.text()
    );
    app.collect(&org, &of_a_viewer()).await.refused(401);
    let request = Request::post(format!("/collect?key={}", page.secret));
    let request = request.body(Body::from(ndjson(&of_a_viewer())));
    app.send(request.expect("a request")).await.refused(401);
}

#[tokio::test]
async fn a_secret_revoked_while_the_body_arrives_verifies_nothing() {
    let page = Page::new().await;
    let meta = page.show.app.parts.meta.clone();
    let tokens = meta.tokens(Some(&page.show.org.id)).await.expect("list");
    let secret = tokens.iter().find(|it| it.scopes.is_viewer()).expect("it");
    let id = secret.id;
    let [view, ..] = of_a_viewer();
    let record = with_token(view, &page.token());
    // The body is read after the token of the head was looked up.
    let late = futures::stream::once(async move {
        meta.revoke_token(id).await.expect("revoke");
        Ok::<_, std::io::Error>(record.to_string())
    });
    let request = Request::post("/collect")
        .header("authorization", format!("Bearer {}", page.client.token))
        .body(Body::from_stream(late));
    let response = page.show.app.send(request.expect("a request")).await;
    response.refused(400);
    assert_eq!(reasons(&response), ["INVALID_VIEWER_TOKEN"]);
}

#[tokio::test]
async fn a_body_of_many_wrong_tokens_is_answered_soon() {
    let page = Page::new().await;
    for _ in 0..15 {
        page.show.app.token(&page.show.org.id, "viewer").await;
    }
    let [view, ..] = of_a_viewer();
    let text = page.token();
    let (payload, _) = text.rsplit_once('.').expect("three parts");
    let wrong = |number: usize| {
        let signature = URL_SAFE_NO_PAD.encode(format!("{number:032}"));
        with_token(view.clone(), &format!("{payload}.{signature}"))
    };
    let records: Vec<Value> = (0..20_000).map(wrong).collect();
    let began = std::time::Instant::now();
    page.collect(&records).await.refused(400);
    // Every secret is tried for each token; a development build takes 2 s for it.
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
}
