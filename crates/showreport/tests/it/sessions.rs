//! Signing in to the dashboard with an API token, sessions, and what they open.

use axum::body::Body;
use axum::http::Request;
use axum::http::request::Builder;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::harness::reports::REPORTS;
use crate::harness::show::says;
use crate::harness::{Response, Show};

const FORM: &str = "application/x-www-form-urlencoded";

/// A form as a browser sends it from a page of this server.
pub(crate) fn form(path: &str) -> Builder {
    Request::post(path)
        .header("content-type", FORM)
        .header("origin", "http://showreport.test")
}

pub(crate) async fn send(show: &Show, request: Builder, body: &str) -> Response {
    let request = request.body(Body::from(body.to_owned()));
    show.app.send(request.expect("a request")).await
}

pub(crate) async fn sign_in(show: &Show, token: &str) -> Response {
    send(show, form("/sign-in"), &format!("token={token}")).await
}

/// The cookie of a new session, as a browser sends it back.
pub(crate) async fn session(show: &Show, scopes: &str) -> String {
    let token = show.app.token(&show.org.id, scopes).await;
    cookie(&sign_in(show, &token).await)
}

#[track_caller]
pub(crate) fn cookie(response: &Response) -> String {
    response.is(303);
    let header = response.header("set-cookie");
    let (cookie, _) = header.split_once(';').expect("attributes");
    cookie.to_owned()
}

pub(crate) async fn get(show: &Show, path: &str, cookie: &str) -> Response {
    send(show, Request::get(path).header("cookie", cookie), "").await
}

#[tokio::test]
async fn a_token_signs_in_and_the_cookie_reads_like_the_token() {
    let show = Show::new().await;
    show.send([says("ada", "m1", "10:00", "hello")]).await;
    let token = show.app.token(&show.org.id, "report").await;
    let signed_in = sign_in(&show, &token).await;
    assert_eq!(signed_in.header("location"), "/");
    let header = signed_in.header("set-cookie");
    for part in [
        "showreport_session=sr_",
        "HttpOnly",
        "SameSite=Lax",
        "Path=/",
    ] {
        assert!(header.contains(part), "{header}");
    }
    assert!(
        !header.contains("Secure"),
        "the public URL is http: {header}"
    );
    let cookie = cookie(&signed_in);
    for path in [
        "/api/v1/events",
        "/api/v1/events/keynote",
        "/api/v1/events/keynote/figures",
        "/api/v1/reports",
        "/v1/jobs",
        "/v1/reportTypes",
        "/bv/cms/v1/lives/keynote/metrics/viewers",
    ] {
        let by_cookie = get(&show, path, &cookie).await;
        let by_token = show.app.get(&show.org, path).await;
        assert_eq!(by_cookie.ok(), by_token.ok(), "{path}");
    }
    let rival = show.app.org("globex", "UTC").await;
    assert_ne!(rival.id, show.org.id);
    let foreign = Request::get("/api/v1/events").header("x-bv-org-id", "globex");
    let foreign = send(&show, foreign.header("cookie", cookie), "").await;
    foreign.refused(403);
}

#[tokio::test]
async fn wrong_tokens_do_not_sign_in_and_the_page_says_why() {
    let show = Show::new().await;
    let collector = show.app.token(&show.org.id, "collect").await;
    let viewer = show.app.token(&show.org.id, "viewer").await;
    let own_session = session(&show, "admin").await;
    let (_, of_session) = own_session.split_once('=').expect("a value");
    for (token, status) in [
        ("garbage", 401),
        ("", 401),
        (viewer.as_str(), 401),
        (collector.as_str(), 403),
        (of_session, 401),
    ] {
        let refused = sign_in(&show, token).await;
        refused.is(status);
        assert!(refused.header("content-type").starts_with("text/html"));
        assert_eq!(refused.header("set-cookie"), "", "{token}");
        assert!(refused.text().contains("role=\"alert\""));
        assert!(token.len() < 10 || !refused.text().contains(token));
        assert_eq!(refused.header("www-authenticate").is_empty(), status == 403);
    }
    for (content_type, body) in [("text/plain", "token=a"), (FORM, "token=a&token=b")] {
        let request = Request::post("/sign-in").header("content-type", content_type);
        let reason = send(&show, request, body).await.refused(400);
        assert_eq!(reason, "INVALID_FORM");
    }
}

#[tokio::test]
async fn a_visitor_is_led_back_to_the_page_and_to_no_other_host() {
    let show = Show::new().await;
    let unsigned = get(&show, "/organisation?a=b%20c", "").await;
    unsigned.is(303);
    let address = unsigned.header("location");
    assert_eq!(address, "/sign-in?next=%2Forganisation%3Fa%3Db%2520c");
    let page = get(&show, address, "").await;
    assert!(page.is(200).text().contains("/organisation?a=b%20c"));
    let token = show.app.token(&show.org.id, "admin").await;
    for (next, location) in [
        ("%2Forganisation%3Fa%3Db%2520c", "/organisation?a=b%20c"),
        ("%2F%2Fevil.example", "/"),
        ("https%3A%2F%2Fevil.example", "/"),
        ("%2F%5Cevil.example", "/"),
        ("%2F%09%2Fevil.example", "/"),
    ] {
        let body = format!("token={token}&next={next}");
        let signed_in = send(&show, form("/sign-in"), &body).await;
        assert_eq!(signed_in.is(303).header("location"), location);
        let shown = get(&show, &format!("/sign-in?next={next}"), "").await;
        assert!(!shown.is(200).text().contains("evil.example"));
    }
}

#[tokio::test]
async fn a_session_writes_nothing_through_the_api() {
    let show = Show::new().await;
    show.send([says("ada", "m1", "10:00", "hello")]).await;
    let cookie = session(&show, "admin").await;
    let order = json!({
        "id": "keynote", "type": "EVENT_TYPE_LIVE",
        "dimension_with_conditions": [{"dimension": "REPORT_DIMENSION_WATCH_TIME"}],
    });
    for (method, path) in [
        ("POST", REPORTS),
        ("POST", "/collect"),
        ("POST", "/v1/jobs"),
        (
            "DELETE",
            "/api/v1/reports/019a1c2e-7f3a-7cc1-9d0b-0f1e2d3c4b5a",
        ),
    ] {
        let request = Request::builder().method(method).uri(path);
        let request = request
            .header("content-type", "application/json")
            .header("cookie", &cookie);
        let refused = send(&show, request, &order.to_string()).await;
        assert_eq!(refused.status, 401, "{method} {path}");
    }
    let overridden = Request::post("/v1/jobs/x")
        .header("x-http-method-override", "DELETE")
        .header("cookie", &cookie);
    send(&show, overridden, "").await.is(401);
}

#[tokio::test]
async fn signing_out_ends_the_session_and_signing_in_again_ends_the_one_before() {
    let show = Show::new().await;
    let token = show.app.token(&show.org.id, "report").await;
    let first = cookie(&sign_in(&show, &token).await);
    let again = form("/sign-in").header("cookie", &first);
    let second = cookie(&send(&show, again, &format!("token={token}")).await);
    assert_ne!(first, second);
    let reason = get(&show, "/api/v1/events", &first).await.refused(401);
    assert_eq!(reason, "SESSION_ENDED");
    get(&show, "/api/v1/events", &second).await.is(200);
    let out = send(&show, form("/sign-out").header("cookie", &second), "").await;
    out.is(303);
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    get(&show, "/api/v1/events", &second).await.refused(401);
    // A stolen copy opens nothing either, and a page sends it to sign in.
    let page = get(&show, "/organisation", &second).await;
    assert!(page.is(303).header("location").starts_with("/sign-in"));
}

#[tokio::test]
async fn a_form_of_another_site_is_refused() {
    let show = Show::new().await;
    let cookie = session(&show, "admin").await;
    let forms: [&[(&str, &str)]; 5] = [
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
        &[
            ("sec-fetch-site", "same-site"),
            ("origin", "http://a.showreport.test"),
        ],
        &[
            ("sec-fetch-site", "cross-site"),
            ("origin", "http://showreport.test"),
            ("host", "x"),
        ],
    ];
    for (place, headers) in forms.iter().enumerate() {
        // The public URL is trusted, whatever a proxy makes of `Host`.
        let is_trusted = place == 4;
        for path in ["/sign-in", "/sign-out"] {
            let mut request = Request::post(path)
                .header("content-type", FORM)
                .header("cookie", &cookie);
            for (name, value) in *headers {
                request = request.header(*name, *value);
            }
            let response = send(&show, request, "token=x").await;
            if is_trusted {
                assert_ne!(response.status, 403, "{headers:?}");
            } else {
                assert_eq!(response.refused(403), "CROSS_ORIGIN", "{headers:?}");
            }
        }
        if !is_trusted {
            get(&show, "/api/v1/events", &cookie).await.is(200);
        }
    }
}

#[tokio::test]
async fn a_role_opens_its_pages() {
    let show = Show::new().await;
    let analyst = session(&show, "report").await;
    let refused = get(&show, "/organisation", &analyst).await;
    assert_eq!(refused.refused(403), "ROLE_MISSING");
    let admin = session(&show, "admin").await;
    let page = get(&show, "/organisation", &admin).await;
    assert!(page.is(200).text().contains("acme"));
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src") && !policy.contains("unsafe"));
}

#[tokio::test]
async fn a_token_is_taken_as_the_password_of_reads() {
    let show = Show::new().await;
    show.send([says("ada", "m1", "10:00", "hello")]).await;
    let basic = |user: &str, password: &str| {
        format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
    };
    let token = show.app.token(&show.org.id, "report").await;
    for path in [
        "/api/v1/events",
        "/api/v1/events/keynote/figures",
        "/v1/jobs",
    ] {
        for user in ["", "excel", "a b"] {
            let request = Request::get(path).header("authorization", basic(user, &token));
            send(&show, request, "").await.is(200);
        }
        let wrong = Request::get(path).header("authorization", basic(&token, ""));
        send(&show, wrong, "").await.is(401);
    }
    let write = Request::post(REPORTS).header("authorization", basic("", &token));
    send(&show, write, "{}").await.refused(401);
    let collector = show.app.token(&show.org.id, "collect").await;
    let request = Request::get("/api/v1/events").header("authorization", basic("", &collector));
    send(&show, request, "").await.refused(403);
}
