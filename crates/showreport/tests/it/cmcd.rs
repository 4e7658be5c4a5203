//! `/collect/cmcd`: what players report by themselves.

use std::fs;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use showreport_meta::Scopes;
use showreport_model::TokenId;
use showreport_testkit::shared_data;

use crate::harness::{Response, Show, TestApp};

/// A time before that of the tests' clock.
const AT: i64 = 1_795_305_426_732;

/// The requests of hls.js and dash.js, and the playing that their beats claim.
const RECORDINGS: [(&str, &str); 2] = [
    ("hls.js-1.7.4.jsonl", "13.075"),
    ("dashjs-5.2.1.jsonl", "13.048"),
];

/// The text of a recording; `None` if the recordings are missing, which fails on CI.
pub(crate) fn recording(name: &str) -> Option<String> {
    let path = shared_data(&format!("cmcd/{name}")).expect("the recordings");
    path.map(|path| fs::read_to_string(path).expect("a recording"))
}

/// A show with a token that may only collect.
struct Players {
    show: Show,
    key: String,
    key_id: TokenId,
}

impl Players {
    async fn new() -> Self {
        let show = Show::new().await;
        let scopes = Scopes::parse("collect").expect("scopes");
        let meta = &show.app.parts.meta;
        let created = meta.create_token(&show.org.id, scopes, None).await;
        let (key_id, secret) = created.expect("create a token");
        Self {
            key: secret.expose().to_owned(),
            key_id,
            show,
        }
    }

    fn app(&self) -> &TestApp {
        &self.show.app
    }

    /// Posts a body, as players do. The path and query come without the key.
    async fn post(&self, path: &str, body: impl Into<Body>) -> Response {
        let request = Request::post(self.with_key(path));
        let request = request.header("content-type", "application/cmcd");
        let request = request.body(body.into()).expect("a request");
        self.app().send(request).await
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = Request::get(self.with_key(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).expect("a request");
        self.app().send(request).await
    }

    fn with_key(&self, path: &str) -> String {
        let separator = if path.contains('?') { '&' } else { '?' };
        format!("{path}{separator}key={}", self.key)
    }

    /// The value of a metric, 0 if it is not there.
    async fn metric(&self, name: &str) -> u64 {
        let response = self.app().get(&self.show.org, "/metrics").await;
        let mut lines = response.text().lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().expect("a count"))
    }

    async fn accepted(&self) -> u64 {
        self.metric("showreport_records_accepted_total").await
    }

    async fn dropped(&self, reason: &str) -> u64 {
        let name = format!("showreport_cmcd_lines_dropped_total{{reason=\"{reason}\"}}");
        self.metric(&name).await
    }

    /// The ids of the events.
    async fn events(&self) -> Vec<String> {
        let events = self.app().get(&self.show.org, "/api/v1/events").await.ok();
        let events = events["events"].as_array().expect("events").iter();
        events
            .map(|event| event["id"].as_str().expect("an id").to_owned())
            .collect()
    }
}

fn line(session: &str, number: u32, at: i64, state: &str) -> String {
    format!("cid=\"from-cid\",e=ps,sid=\"{session}\",sn={number},sta={state},ts={at},v=2")
}

#[track_caller]
fn is_empty(response: &Response) {
    assert_eq!(response.is(204).text(), "");
    assert_eq!(response.header("cache-control"), "no-store");
    assert!(!response.header("x-showreport-time").is_empty());
}

#[tokio::test]
async fn each_usable_line_is_a_durable_beat() {
    let players = Players::new().await;
    let body = format!(
        "{}\n{}\n\n",
        line("s", 0, AT, "p"),
        line("s", 1, AT + 10_000, "a")
    );
    is_empty(&players.post("/collect/cmcd/keynote", body.clone()).await);
    is_empty(&players.post("/collect/cmcd", body.clone()).await);
    assert_eq!(players.accepted().await, 4);
    assert_eq!(players.events().await, ["from-cid", "keynote"]);
    for content_type in ["text/cmcd", "text/plain;charset=UTF-8", ""] {
        let mut request = Request::post(players.with_key("/collect/cmcd/keynote"));
        if !content_type.is_empty() {
            request = request.header("content-type", content_type);
        }
        let request = request.body(Body::from(body.clone())).expect("a request");
        is_empty(&players.app().send(request).await);
    }
    let request = Request::post("/collect/cmcd/keynote")
        .header("authorization", format!("Bearer {}", players.key))
        .header("content-encoding", "zstd")
        .body(Body::from(
            zstd::encode_all(body.as_bytes(), 1).expect("memory"),
        ));
    is_empty(&players.app().send(request.expect("a request")).await);
    assert_eq!(players.accepted().await, 12);
}

#[tokio::test]
async fn a_line_that_cannot_be_used_is_dropped_and_counted() {
    let players = Players::new().await;
    let good = line("s", 0, AT, "p");
    let future = line("s", 1, players.app().now().as_millis() + 3_600_001, "p");
    let soon = line("s", 1, players.app().now().as_millis() + 3_600_000, "p");
    let body = [
        good.as_str(),
        "nonsense \"",
        "sid=\"s\",v=2",
        &future,
        &soon,
        "cid=\"e\",sid=\"s\",ts=1795305426732,v=3",
    ];
    is_empty(&players.post("/collect/cmcd/keynote", body.join("\n")).await);
    assert_eq!(players.accepted().await, 2);
    let reasons = [
        "MALFORMED_CMCD",
        "MISSING_FIELD",
        "TIME_IN_FUTURE",
        "UNSUPPORTED_VERSION",
    ];
    for reason in reasons {
        assert_eq!(players.dropped(reason).await, 1, "{reason}");
    }
    // Requests without any usable line are answered in the same way.
    for body in ["", "\n", "e=t,ts=1795305426732,v=2", "{\"records\": []}"] {
        is_empty(&players.post("/collect/cmcd/keynote", body).await);
    }
    let with_viewer = "/collect/cmcd/keynote?viewer=sr_v.bent.token";
    is_empty(&players.post(with_viewer, good).await);
    assert_eq!(players.dropped("INVALID_VIEWER_TOKEN").await, 1);
    // Without an event in the address a line has to name it.
    is_empty(
        &players
            .post("/collect/cmcd", "sid=\"s\",ts=1795305426732")
            .await,
    );
    assert_eq!(players.accepted().await, 2);
}

#[tokio::test]
async fn older_players_report_by_get() {
    let players = Players::new().await;
    let report = "sid%3D%22s%22%2Csn%3D0%2Csta%3Dp%2Cts%3D1795305426732%2Cv%3D2";
    let path = format!("/collect/cmcd/keynote?CMCD={report}&customer=ada");
    is_empty(&players.get(&path, &[]).await);
    assert_eq!(players.accepted().await, 1);
    let headers = [
        ("cmcd-session", "sid=\"s\",v=2"),
        ("cmcd-request", "sn=1,ts=1795305436732"),
        ("cmcd-status", "sta=a"),
    ];
    is_empty(&players.get("/collect/cmcd/keynote", &headers).await);
    assert_eq!(players.accepted().await, 2);
    // With a header the address is not read.
    is_empty(&players.get(&path, &[("cmcd-status", "bs")]).await);
    is_empty(&players.get("/collect/cmcd/keynote", &[]).await);
    assert_eq!(players.accepted().await, 2);
    assert_eq!(players.events().await, ["keynote"]);
}

#[tokio::test]
async fn a_revoked_token_ends_the_reports_of_a_player() {
    let players = Players::new().await;
    let good = line("s", 0, AT, "p");
    let path = "/collect/cmcd/keynote";
    is_empty(&players.post(path, good.clone()).await);
    let meta = &players.app().parts.meta;
    meta.revoke_token(players.key_id).await.expect("revoke");
    let response = players.post(path, good.clone()).await;
    assert_eq!(response.refused(410), "TOKEN_REVOKED");
    assert_eq!(response.header("www-authenticate"), "");
    assert_eq!(players.get(path, &[]).await.refused(410), "TOKEN_REVOKED");
    let request = Request::post(path)
        .header("authorization", format!("Bearer {}", players.key))
        .body(Body::from(good.clone()));
    let response = players.app().send(request.expect("a request")).await;
    assert_eq!(response.refused(410), "TOKEN_REVOKED");
    // Other paths say no more than before.
    let response = players.post("/collect", "{}").await;
    assert_eq!(response.refused(401), "UNKNOWN_TOKEN");
    // After a year the token is forgotten.
    players.app().clock.advance_hours(24 * 366);
    players.app().confirm_clock().await;
    players.app().maintain(true).await;
    assert_eq!(players.post(path, good).await.refused(401), "UNKNOWN_TOKEN");
}

#[tokio::test]
async fn other_tokens_are_refused_as_everywhere() {
    let players = Players::new().await;
    let (app, org) = (players.app(), &players.show.org);
    let send = async |path: &str| {
        let request = Request::post(path).body(Body::from(line("s", 0, AT, "p")));
        app.send(request.expect("a request")).await
    };
    assert_eq!(
        send("/collect/cmcd/keynote").await.refused(401),
        "TOKEN_MISSING"
    );
    let bent = format!("/collect/cmcd/keynote?key={}x", players.key);
    assert_eq!(send(&bent).await.refused(401), "UNKNOWN_TOKEN");
    let strong = format!("/collect/cmcd/keynote?key={}", org.token);
    assert_eq!(send(&strong).await.refused(403), "KEY_TOO_POWERFUL");
    let in_an_hour = app.now().saturating_add_millis(3_600_000);
    let scopes = Scopes::parse("collect").expect("scopes");
    let meta = &app.parts.meta;
    let created = meta.create_token(&org.id, scopes, Some(in_an_hour)).await;
    let (_, secret) = created.expect("create a token");
    let path = format!("/collect/cmcd/keynote?key={}", secret.expose());
    is_empty(&send(&path).await);
    app.clock.advance_hours(1);
    // A token that has expired was not revoked.
    assert_eq!(send(&path).await.refused(401), "UNKNOWN_TOKEN");
}

#[tokio::test]
async fn a_request_that_is_wrong_as_a_whole_is_refused() {
    let players = Players::new().await;
    let good = line("s", 0, AT, "p");
    let long = "x".repeat(129);
    let path = format!("/collect/cmcd/{long}?customer={long}&device=%00&name=a%00");
    let response = players.post(&path, good.clone()).await;
    assert_eq!(
        response.bad_fields(),
        ["event_id", "customer", "device", "name"]
    );
    let path = "/collect/cmcd/keynote?customer=a&customer=b";
    assert_eq!(
        players.post(path, good.clone()).await.refused(400),
        "INVALID_QUERY"
    );
    let request = Request::post(players.with_key("/collect/cmcd/keynote"))
        .header("content-type", "application/json")
        .body(Body::from(good.clone()));
    let response = players.app().send(request.expect("a request")).await;
    assert_eq!(response.refused(415), "UNSUPPORTED_TYPE");
    assert!(
        response.text().contains("application/cmcd"),
        "{}",
        response.text()
    );
    let request = Request::post(players.with_key("/collect/cmcd/keynote"))
        .header("content-encoding", "gzip")
        .body(Body::from(good));
    let response = players.app().send(request.expect("a request")).await;
    assert_eq!(response.refused(400), "BROKEN_ENCODING");
    assert_eq!(players.accepted().await, 0);
}

#[tokio::test]
async fn a_player_on_any_page_may_report() {
    let players = Players::new().await;
    let preflight = Request::options("/collect/cmcd/keynote?key=x")
        .header("origin", "https://page.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type")
        .body(Body::empty());
    let response = players.app().send(preflight.expect("a request")).await;
    response.is(204);
    let value = |name: &str| response.header(name).to_owned();
    assert_eq!(value("access-control-allow-origin"), "https://page.example");
    assert_eq!(value("access-control-max-age"), "86400");
    assert_eq!(value("access-control-allow-methods"), "GET,HEAD,POST");
    let allowed = value("access-control-allow-headers");
    for name in [
        "authorization",
        "content-type",
        "content-encoding",
        "cmcd-object",
        "cmcd-request",
        "cmcd-session",
        "cmcd-status",
    ] {
        assert!(allowed.split(',').any(|it| it == name), "{name}: {allowed}");
    }
}

#[tokio::test]
async fn beats_give_the_watch_time_of_the_players() {
    use crate::oracle::Dimension::WatchTime;
    for (name, seconds) in RECORDINGS {
        let Some(recording) = recording(name) else {
            return;
        };
        let players = Players::new().await;
        let requests = recording.lines().map(|line| {
            let request: Value = serde_json::from_str(line).expect("JSON");
            request["body"].as_str().expect("a body").to_owned()
        });
        let bodies: Vec<String> = requests.filter(|body| !body.is_empty()).collect();
        // A player sends a body again if the first answer was lost. The order does not matter.
        for body in bodies.iter().rev().chain(&bodies) {
            let path = "/collect/cmcd/keynote?customer=ada&device=phone&name=Ada";
            is_empty(&players.post(path, body.clone()).await);
        }
        let csv = players.show.report(WatchTime, &[]).await;
        let rows: Vec<Vec<&str>> = csv.lines().map(|row| row.split(',').collect()).collect();
        assert_eq!(rows.len(), 2, "{csv}");
        let column = |name: &str| {
            let place = rows[0].iter().position(|it| *it == name);
            rows[1][place.expect("a column")]
        };
        assert_eq!(column("watch_seconds"), seconds, "{csv}");
        assert_eq!(column("customer_id"), "ada");
        assert_eq!(column("device_id"), "phone");
    }
}

#[tokio::test]
async fn a_second_path_serves_everything_of_the_first() {
    let players = Players::new().await;
    let good = line("s", 0, AT, "p");
    is_empty(&players.post("/v/cmcd/keynote", good.clone()).await);
    is_empty(&players.post("/v/cmcd", good).await);
    let record = json!({"type": "event", "event_id": "second", "kind": "live", "title": "t"});
    for path in ["/v", "/v/"] {
        let app = players.app();
        let response = app.post(&players.show.org, path, &record).await;
        assert_eq!(response.is(202).json()["accepted"], 1, "{path}");
    }
    let preflight = Request::options("/v")
        .header("origin", "https://page.example")
        .header("access-control-request-method", "POST")
        .body(Body::empty());
    let response = players.app().send(preflight.expect("a request")).await;
    let origin = response.header("access-control-allow-origin");
    assert_eq!(origin, "https://page.example");
    assert_eq!(players.events().await, ["from-cid", "keynote", "second"]);
    for path in ["/v/nothing", "/vv", "/v1/nothing"] {
        assert_eq!(players.post(path, "{}").await.status, 404, "{path}");
    }
}
