//! The pages of the dashboard: their figures are the API's, and they keep to our rules.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Value, json};

use crate::harness::show::{poll, says, votes, watches};
use crate::harness::{Response, Show};
use crate::html::{ShownFigure, figures};

const PAGES: [&str; 7] = [
    "/",
    "/events/keynote",
    "/events/keynote/people",
    "/events/keynote/chat",
    "/events/keynote/polls",
    "/events/keynote/retention",
    "/events/keynote/live",
];

/// The cookie of a session with the organisation's token.
async fn sign_in(show: &Show) -> String {
    let form = Request::post("/sign-in")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ORIGIN, "http://showreport.test")
        .body(Body::from(format!("token={}", show.org.token)));
    let response = show.app.send(form.expect("a request")).await;
    let cookie = response.is(303).header("set-cookie");
    let (cookie, _) = cookie.split_once(';').expect("attributes");
    cookie.to_owned()
}

async fn open(show: &Show, cookie: &str, path: &str) -> Response {
    let request = Request::get(path)
        .header(header::COOKIE, cookie)
        .header(header::ACCEPT, "text/html");
    show.app
        .send(request.body(Body::empty()).expect("a request"))
        .await
}

/// A show with everything that pages have: spans, positions, messages, polls, names that have to be
/// escaped.
async fn keynote(zone: &str) -> Show {
    let show = Show::in_zone(zone).await;
    let mut ada = watches("ada", "p1", "10:00..10:30");
    ada["device_os"] = json!("iOS");
    ada["geo_region"] = json!("DE-BE");
    ada["position_ms"] = json!(0);
    let mut ben = watches("<ben> & \"co\"", "p2", "10:10..10:40");
    ben["device_os"] = json!("Windows");
    ben["name"] = json!("Ben '; </span><script>");
    ben["position_ms"] = json!(60_000);
    show.send([
        json!({
            "type": "event", "kind": "live", "title": "Key<note> & more",
            "starts_at": "2026-11-22T10:00:00Z", "ends_at": "2026-11-22T10:40:00Z",
            "duration_ms": 2_400_000,
        }),
        ada,
        ben,
        says("ada", "m1", "10:05", "hello <b>all</b>"),
        says("<ben> & \"co\"", "m2", "10:20", "hi"),
        poll("lunch", "single"),
        votes("ada", "lunch", "10:15", &["yes"]),
        votes("<ben> & \"co\"", "lunch", "10:16", &["no"]),
    ])
    .await;
    show
}

/// The value that the API has for a figure of a page.
fn expected(body: &Value, shown: &ShownFigure) -> Value {
    let Some(row) = shown.row else {
        return body[&shown.name].clone();
    };
    if let Some(events) = body.get("events") {
        let event = &events[row];
        return event
            .get(&shown.name)
            .unwrap_or(&event["figures"][&shown.name])
            .clone();
    }
    body["rows"][row][&shown.name].clone()
}

/// Compares every figure of a page with the operation that it names. Returns their number.
async fn compare(show: &Show, cookie: &str, path: &str) -> usize {
    let page = open(show, cookie, path).await;
    let mut compared = 0;
    let mut bodies = BTreeMap::new();
    for shown in figures(page.is(200).text()) {
        let source = shown.source.clone();
        let source = source.unwrap_or_else(|| panic!("{path}: {shown:?} has no source"));
        if !bodies.contains_key(&source) {
            let body = show.app.get(&show.org, &source).await.ok();
            bodies.insert(source.clone(), body);
        }
        assert_eq!(
            shown.value,
            expected(&bodies[&source], &shown),
            "{path}: {shown:?} of {source}"
        );
        compared += 1;
    }
    compared
}

#[tokio::test]
async fn every_figure_of_a_page_is_that_of_the_api() {
    let show = keynote("Europe/Berlin").await;
    let cookie = sign_in(&show).await;
    for (path, count) in [
        // Five figures and two texts of one show.
        ("/", 7),
        // 16 figures, 240 buckets with seven values, two systems and two regions with four.
        ("/events/keynote", 16 + 7 * 240 + 16),
        ("/events/keynote/people", 17),
        (
            "/events/keynote/people?minimum=75&order_by=name%20desc&q=ada",
            8,
        ),
        ("/events/keynote/chat", 10),
        ("/events/keynote/retention", 400),
    ] {
        assert_eq!(compare(&show, &cookie, path).await, count, "{path}");
    }
}

#[tokio::test]
async fn the_live_page_has_the_figures_of_now_and_says_when_the_show_has_ended() {
    let show = keynote("Europe/Berlin").await;
    let cookie = sign_in(&show).await;
    let path = "/events/keynote/live";
    let page = open(&show, &cookie, path).await;
    let body = show
        .app
        .get(&show.org, "/api/v1/events/keynote/live")
        .await
        .ok();
    let shown = figures(page.is(200).text());
    let own: Vec<_> = shown.iter().filter(|it| it.row.is_none()).collect();
    assert_eq!(own.len(), 9);
    for shown in own {
        assert_eq!(shown.value, body[&shown.name], "{shown:?}");
    }
    assert!(page.text().contains("This show has ended"));
    assert!(!page.text().contains("data-stream="));
    show.send([watches("eve", "p9", "10:00..10:01")]).await;
    let next = json!({
        "type": "event", "kind": "live", "title": "Next", "starts_at": "2026-11-22T10:00:00Z",
        "ends_at": "2027-01-01T00:00:00Z", "updated_at": "2026-11-22T10:00:00Z",
    });
    show.send([next]).await;
    let wall = open(&show, &cookie, "/events/keynote/live?wall").await;
    let text = wall.is(200).text();
    figures(text);
    assert!(
        text.contains("data-stream=\"/api/v1/events/keynote/live/stream\""),
        "{text}"
    );
    assert!(text.contains("http-equiv=\"refresh\"") && text.contains("class=\"wall\""));
}

#[tokio::test]
async fn a_range_of_local_time_filters_the_figures() {
    let show = keynote("Europe/Berlin").await;
    let cookie = sign_in(&show).await;
    let path = "/events/keynote?from=2026-11-22T11:05&to=2026-11-22T11:15";
    assert!(compare(&show, &cookie, path).await > 16);
    let page = open(&show, &cookie, path).await;
    let shown = figures(page.text());
    let watched = shown
        .iter()
        .find(|it| it.name == "watch_seconds")
        .expect("the figure");
    // Ada's ten minutes, and five of Ben's.
    assert_eq!(watched.value, json!(900.0));
    assert!(page.text().contains("value=\"2026-11-22T11:05:00\""));
    let wrong = open(&show, &cookie, "/events/keynote?from=soon&to=later").await;
    assert!(
        wrong
            .is(400)
            .header("content-type")
            .starts_with("text/html")
    );
    assert!(wrong.text().contains("<code>from</code>") && wrong.text().contains("<code>to</code>"));
}

#[tokio::test]
async fn pages_are_well_formed_and_load_nothing_but_our_files() {
    let show = keynote("UTC").await;
    let cookie = sign_in(&show).await;
    for path in PAGES.into_iter().chain([
        "/?q=key",
        "/?q=nothing",
        "/?state=upcoming",
        "/events/keynote?with=keynote",
        "/events/keynote?from=2030-01-01",
        "/events/keynote/chat?q=hello",
        "/events/keynote/polls?poll=lunch",
        "/nothing",
    ]) {
        let page = open(&show, &cookie, path).await;
        figures(page.text());
        let policy = page.header("content-security-policy");
        assert!(policy.contains("default-src"), "{path}");
        assert!(!policy.contains("unsafe-"), "{path}: {policy}");
        assert_eq!(page.header("cache-control"), "no-store", "{path}");
        let text = page.text();
        for address in text.split('"').filter(|it| it.starts_with("/assets/")) {
            open(&show, "", address).await.is(200);
        }
    }
}

#[tokio::test]
async fn a_page_without_a_session_leads_to_signing_in_and_back() {
    let show = keynote("UTC").await;
    for path in PAGES {
        let response = open(&show, "", path).await;
        let location = response.is(303).header("location");
        assert!(location.starts_with("/sign-in"), "{path}: {location}");
    }
}

#[tokio::test]
async fn an_event_of_another_organisation_is_unknown() {
    let show = keynote("UTC").await;
    let rival = show.app.org("globex", "UTC").await;
    let rival = Show {
        app: show.app,
        org: rival,
    };
    let cookie = sign_in(&rival).await;
    let unknown = open(&rival, &cookie, "/events/unknown").await;
    for path in &PAGES[1..] {
        let page = open(&rival, &cookie, path).await;
        let text = page.is(404).text().replace("keynote", "unknown");
        assert_eq!(text, unknown.is(404).text(), "{path}");
    }
    open(&rival, &cookie, "/events/keynote/csv/messages")
        .await
        .is(404);
    let home = open(&rival, &cookie, "/").await;
    assert!(
        home.is(200).text().contains("No show yet"),
        "{}",
        home.text()
    );
    assert!(!home.text().contains("keynote"));
}

#[tokio::test]
async fn who_stayed_for_most_of_the_show_is_one_field_away() {
    let show = keynote("UTC").await;
    let cookie = sign_in(&show).await;
    let all = open(&show, &cookie, "/events/keynote/people").await;
    assert!(all.is(200).text().contains("Stayed at least"));
    for (minimum, people) in [("75", 2), ("75.1", 0), ("75,0%20%25", 2), ("0", 2)] {
        let path = format!("/events/keynote/people?minimum={minimum}");
        let page = open(&show, &cookie, &path).await;
        let shown = figures(page.is(200).text());
        let ratios = shown.iter().filter(|it| it.name == "live_ratio").count();
        assert_eq!(ratios, people, "{minimum}");
    }
    let file = open(&show, &cookie, "/events/keynote/csv/people?minimum=75").await;
    assert_eq!(file.is(200).text().lines().count(), 3);
    let wrong = open(&show, &cookie, "/events/keynote/people?minimum=most").await;
    assert!(wrong.is(400).text().contains("<code>minimum</code>"));
}

#[tokio::test]
async fn a_table_of_a_page_is_a_file_with_all_rows() {
    let show = keynote("UTC").await;
    let cookie = sign_in(&show).await;
    let file = open(&show, &cookie, "/events/keynote/csv/messages?q=HELLO").await;
    let name = file.is(200).header("content-disposition");
    assert!(name.contains("key-note-more-messages.csv"), "{name}");
    let lines: Vec<&str> = file.text().lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[1].contains("hello <b>all</b>"));
    let polls = open(&show, &cookie, "/events/keynote/csv/polls").await;
    assert_eq!(polls.is(200).text().lines().count(), 3);
    open(&show, &cookie, "/events/keynote/csv/secrets")
        .await
        .is(404);
    open(&show, &cookie, "/events/keynote/csv/breakdown?by=shoe")
        .await
        .is(400);
}

#[tokio::test]
async fn the_curve_is_a_picture_with_a_title_and_its_peak() {
    let show = keynote("Europe/Berlin").await;
    let picture = show
        .app
        .get(&show.org, "/api/v1/events/keynote/audience.svg")
        .await;
    assert_eq!(picture.is(200).header("content-type"), "image/svg+xml");
    let text = picture.text();
    assert!(
        text.contains("Viewers of Key&lt;note&gt; &amp; more by time"),
        "{text}"
    );
    assert!(text.contains("Peak: 2 at 11:10:00"), "{text}");
    let with = "/api/v1/events/keynote/audience.svg?with=keynote";
    let with = show.app.get(&show.org, with).await;
    assert!(with.is(200).text().contains("class=\"with\""));
    let unknown = "/api/v1/events/keynote/audience.svg?with=nothing";
    show.app.get(&show.org, unknown).await.refused(404);
}

/// The secret address of a share link.
async fn share(show: &Show, rights: &Value) -> String {
    let path = "/api/v1/events/keynote/shares";
    let made = show.app.post(&show.org, path, rights).await.ok();
    let uri = made["uri"].as_str().expect("an address");
    let (_, secret) = uri.split_once("/s/").expect("the path of shares");
    format!("/s/{secret}")
}

#[tokio::test]
async fn a_share_link_shows_what_it_may_and_no_names() {
    let show = keynote("UTC").await;
    let cookie = sign_in(&show).await;
    let path = share(&show, &json!({"people": "hidden"})).await;
    let own = open(&show, &cookie, "/events/keynote").await;
    let shared = open(&show, "", &path).await;
    let values = |page: &Response| -> Vec<(String, Value)> {
        let shown = figures(page.is(200).text()).into_iter();
        shown.map(|it| (it.name, it.value)).collect()
    };
    assert_eq!(values(&shared), values(&own));
    assert_eq!(shared.header("referrer-policy"), "no-referrer");
    for page in ["", "/polls", "/retention"] {
        let page = open(&show, "", &format!("{path}{page}")).await;
        let text = page.is(200).text();
        figures(text);
        for hidden in [
            "ada", "Ben", "ben", "/people", "/chat", "/csv/", "curl", "/live",
        ] {
            assert!(!text.contains(hidden), "{hidden}: {text}");
        }
    }
    for page in [
        "/people",
        "/chat",
        "/live",
        "/csv/polls",
        "/csv/people",
        "/x",
    ] {
        open(&show, "", &format!("{path}{page}")).await.is(404);
    }
    let poll = open(&show, "", &format!("{path}/polls?poll=lunch")).await;
    assert!(!poll.is(200).text().contains("ada"));
}

#[tokio::test]
async fn a_share_link_with_all_rights_shows_people_live_figures_and_files() {
    let show = keynote("UTC").await;
    let rights = json!({"people": "shown", "live": true, "downloads": true});
    let path = share(&show, &rights).await;
    for page in [
        "/people",
        "/chat",
        "/live",
        "/csv/people",
        "/csv/votes?poll=lunch",
    ] {
        let page = open(&show, "", &format!("{path}{page}")).await;
        page.is(200);
        assert_eq!(page.header("x-robots-tag"), "noindex");
    }
    let chat = open(&show, "", &format!("{path}/chat")).await;
    assert!(chat.text().contains("ada"));
    let unknown = open(&show, "", "/s/unknown/people").await;
    unknown.is(404);
}
