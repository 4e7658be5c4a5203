//! Figures over HTTP: their state, their age, conditions, pages and refusals.

use axum::body::Body;
use serde_json::{Value, json};

use crate::harness::app::request;
use crate::harness::reports::list;
use crate::harness::show::{at, poll, says, votes, watches};
use crate::harness::{Response, Show};

/// The path of every answer about the event `keynote`.
const PATHS: [&str; 8] = [
    "figures",
    "attendance",
    "audience",
    "breakdown?by=device_os",
    "messages",
    "polls",
    "polls/q/votes",
    "retention",
];

impl Show {
    async fn ask(&self, path: &str) -> Response {
        self.ask_with(path, &[]).await
    }

    async fn ask_with(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        let path = format!("/api/v1/events/keynote/{path}");
        let mut request = request("GET", &self.org, &path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).expect("a request");
        self.app.send(request).await
    }

    async fn views(&self, path: &str) -> (Value, String) {
        let figures = self.ask(path).await.ok();
        let as_of = figures["as_of"].as_str().expect("as_of").to_owned();
        (figures["views"].clone(), as_of)
    }
}

/// A show with a view, a message and a vote.
async fn show() -> Show {
    let show = Show::new().await;
    show.send([
        watches("ada", "p1", "10:00..10:01"),
        says("ada", "m1", "10:00", "hello"),
        poll("q", "single"),
        votes("ada", "q", "10:00", &["yes"]),
    ])
    .await;
    show
}

#[tokio::test]
async fn a_state_stands_still_while_no_facts_of_the_event_come() {
    let mut show = show().await;
    let first = show.views("figures").await;
    assert_eq!(first.0, 1);
    let mut other = watches("ada", "p2", "10:00..10:01");
    other["event_id"] = json!("other");
    show.app.accept(&show.org, &[other]).await;
    show.app.clock.advance_hours(30);
    show.app.maintain(true).await;
    assert_eq!(show.views("figures?fresh=true").await, first);
    show.app.restart().await;
    assert_eq!(show.views("figures?fresh=true").await, first);
    show.send([watches("ben", "p2", "10:00..10:01")]).await;
    let second = show.views("figures?fresh=true").await;
    assert_eq!(second.0, 2);
    assert!(second.1 > first.1, "{second:?} after {first:?}");
    // A record of the event is a part of its state, too.
    show.send([json!({"type": "event", "kind": "live", "title": "Keynote"})])
        .await;
    let third = show.views("figures?fresh=true").await;
    assert!(third.1 > second.1, "{third:?} after {second:?}");
}

#[tokio::test]
async fn an_answer_is_up_to_ten_seconds_old_unless_a_fresh_one_is_asked_for() {
    let show = show().await;
    let views = async |path| show.views(path).await.0;
    assert_eq!(views("figures").await, 1);
    show.send([watches("ben", "p2", "10:00..10:01")]).await;
    show.app.clock.advance_millis(9_999);
    assert_eq!(views("figures").await, 1);
    assert_eq!(views("figures?from=2026-11-22T10:00:00Z").await, 1);
    show.app.clock.advance_millis(1);
    assert_eq!(views("figures").await, 2);
    show.send([watches("eve", "p3", "10:00..10:01")]).await;
    assert_eq!(views("figures").await, 2);
    assert_eq!(views("figures?fresh=true").await, 3);
    assert_eq!(views("figures").await, 3);
}

#[tokio::test]
async fn a_client_that_has_the_answer_gets_304_until_facts_zone_or_format_differ() {
    let show = show().await;
    for path in PATHS {
        let answer = show.ask(path).await;
        let etag = answer.is(200).header("etag").to_owned();
        assert_eq!(
            answer.header("cache-control"),
            "private, no-cache",
            "{path}"
        );
        assert_eq!(answer.header("vary"), "accept", "{path}");
        let again = show.ask_with(path, &[("if-none-match", &etag)]).await;
        assert!(again.is(304).body.is_empty(), "{path}");
        assert_eq!(again.header("etag"), etag, "{path}");
        let csv = [("if-none-match", etag.as_str()), ("accept", "text/csv")];
        let csv = show.ask_with(path, &csv).await;
        assert!(csv.is(200).header("content-type").starts_with("text/csv"));
        assert_eq!(csv.header("x-showreport-as-of"), answer.json()["as_of"]);
    }
    let etag = show.ask("figures").await.header("etag").to_owned();
    let conditional = async || {
        let headers = [("if-none-match", etag.as_str())];
        show.ask_with("figures?fresh=true", &headers).await.status
    };
    let taipei = "Asia/Taipei".parse().expect("a zone");
    let utc = "UTC".parse().expect("a zone");
    let meta = &show.app.parts.meta;
    meta.set_zone(&show.org.id, &taipei).await.expect("a zone");
    assert_eq!(conditional().await, 200);
    meta.set_zone(&show.org.id, &utc).await.expect("a zone");
    assert_eq!(conditional().await, 304);
    show.send([watches("ben", "p2", "10:00..10:01")]).await;
    assert_eq!(conditional().await, 200);
}

#[tokio::test]
async fn pages_of_a_list_come_from_the_state_of_the_first_one() {
    let mut show = show().await;
    let more = (2..=5).map(|number| says("ada", &format!("m{number}"), "10:00", "more"));
    show.send(more).await;
    let first = show.ask("messages?page_size=2&fresh=true").await.ok();
    let token = first["next_page_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    // It would be the first of all.
    show.send([says("ada", "m0", "09:00", "early")]).await;
    assert_eq!(ids(&show.ask("messages?fresh=true").await.ok()).len(), 6);
    let path = format!("messages?page_size=2&page_token={token}&fresh=true");
    let second = show.ask(&path).await.ok();
    assert_eq!(ids(&second), ["m3", "m4"]);
    assert_eq!(second["as_of"], first["as_of"]);
    // Without the state the page is made from the present one, and says so.
    show.app.restart().await;
    let second = show.ask(&path).await.ok();
    assert_eq!(ids(&second), ["m2", "m3"]);
    assert_ne!(second["as_of"], first["as_of"]);
    let last = show.ask("messages?page_size=6").await.ok();
    assert_eq!(last["next_page_token"], "");
}

fn ids(page: &Value) -> Vec<&str> {
    let rows = list(page, "rows").iter();
    rows.map(|row| row["message_id"].as_str().expect("an id"))
        .collect()
}

#[tokio::test]
async fn messages_are_found_by_text_name_and_sender() {
    let show = Show::new().await;
    let mut named = says("ben", "m2", "10:01", "good morning");
    named["name"] = json!("Ben Hello");
    show.send([
        says("ada", "m1", "10:00", "HELLO all"),
        named,
        says("eve", "m3", "10:02", "bye"),
    ])
    .await;
    for (path, expected) in [
        ("messages?q=hello", &["m1", "m2"][..]),
        ("messages?q=hello&sender=ben", &["m2"]),
        ("messages?sender=eve", &["m3"]),
        ("messages?sender=other", &[]),
        (
            "messages?from=2026-11-22T10:01:00Z&to=2026-11-22T10:02:00Z",
            &["m2"],
        ),
    ] {
        let page = show.ask(path).await.ok();
        assert_eq!(ids(&page), expected, "{path}");
    }
}

#[tokio::test]
async fn polls_have_their_options_and_an_unknown_poll_has_no_votes() {
    let show = show().await;
    show.send([votes("ben", "undefined", "10:00", &["yes"])])
        .await;
    let polls = show.ask("polls?fresh=true").await.ok();
    let [row] = list(&polls, "rows").as_slice() else {
        panic!("one poll: {polls}");
    };
    assert_eq!((&row["poll_id"], &row["voters"]), (&json!("q"), &json!(1)));
    assert_eq!(row["votes"], 1, "{polls}");
    assert_eq!(row["question"], "q?");
    let options: Vec<_> = list(row, "options")
        .iter()
        .map(|option| {
            (
                &option["option_id"],
                &option["votes"],
                option["share"].as_f64(),
            )
        })
        .collect();
    let (no, yes) = (json!("no"), json!("yes"));
    let expected = [(&no, &json!(0), Some(0.0)), (&yes, &json!(1), Some(1.0))];
    assert_eq!(options, expected, "{polls}");
    let votes = show.ask("polls/undefined/votes").await.ok();
    assert_eq!(votes["rows"][0]["counted"], false, "{votes}");
    let reason = show.ask("polls/unknown/votes").await.refused(404);
    assert_eq!(reason, "POLL_NOT_FOUND");
}

#[tokio::test]
async fn attendance_has_an_order_a_search_and_a_minimum() {
    let show = Show::new().await;
    let mut named = watches("ben", "p2", "10:00..10:30");
    named["name"] = json!("Ben Hur");
    show.send([
        json!({"type": "event", "kind": "live", "title": "Keynote", "starts_at": at("10:00"),
            "ends_at": at("10:40")}),
        watches("ada", "p1", "10:00..10:10"),
        named,
        watches("eve", "p3", "10:00..10:20"),
    ])
    .await;
    for (path, expected) in [
        ("attendance", &["ada", "ben", "eve"][..]),
        (
            "attendance?order_by=attended_seconds%20desc",
            &["ben", "eve", "ada"],
        ),
        ("attendance?q=HUR", &["ben"]),
        (
            "attendance?minimum_live_ratio=0.5&order_by=live_ratio",
            &["eve", "ben"],
        ),
    ] {
        let page = show.ask(path).await.ok();
        let rows = list(&page, "rows").iter();
        let people: Vec<_> = rows.map(|row| row["customer_id"].as_str()).collect();
        let expected: Vec<_> = expected.iter().map(|id| Some(*id)).collect();
        assert_eq!(people, expected, "{path}");
    }
    let bad = show
        .ask("attendance?minimum_live_ratio=2&order_by=size")
        .await;
    assert_eq!(bad.bad_fields(), ["minimum_live_ratio", "order_by"]);
}

#[tokio::test]
async fn a_breakdown_has_the_most_watched_values_and_the_rest_as_one_group() {
    let show = Show::new().await;
    let on = |system: &str, customer: &str, span: &str| {
        let mut view = watches(customer, customer, span);
        view["device_os"] = json!(system);
        view
    };
    show.send([
        on("iOS", "ada", "10:00..10:10"),
        on("Android", "ben", "10:00..10:05"),
        on("webOS", "eve", "10:00..10:01"),
        watches("guest", "p", "10:00..10:02"),
    ])
    .await;
    let answer = show.ask("breakdown?by=device_os&limit=2").await.ok();
    let of = |row: &Value| (row["value"].clone(), row["watch_seconds"].as_f64());
    let rows: Vec<_> = list(&answer, "rows").iter().map(of).collect();
    assert_eq!(
        rows,
        [(json!("iOS"), Some(600.0)), (json!("Android"), Some(300.0))]
    );
    assert_eq!(
        answer["other"]["watch_seconds"].as_f64(),
        Some(180.0),
        "{answer}"
    );
    assert_eq!(answer["other"]["viewers"], 2);
    assert_eq!(answer["total"]["viewers"], 4);
    let answer = show.ask("breakdown?by=device_os").await.ok();
    assert_eq!(answer["other"], Value::Null);
    assert_eq!(list(&answer, "rows")[2]["value"], Value::Null, "{answer}");
}

#[tokio::test]
async fn a_curve_has_at_most_ten_thousand_buckets() {
    let show = Show::new().await;
    show.send([watches("ada", "p", "10:00..13:00")]).await;
    let refused = show.ask("audience?granularity_seconds=1").await;
    assert_eq!(refused.bad_fields(), ["granularity_seconds"]);
    assert!(refused.text().contains("10000"), "{}", refused.text());
    let curve = show.ask("audience").await.ok();
    assert_eq!(curve["granularity_seconds"], 30);
    assert_eq!(list(&curve, "rows").len(), 360);
    let hours = show.ask("audience?granularity_seconds=3600").await.ok();
    let row = &list(&hours, "rows")[0];
    assert_eq!(row["at"], at("10:00:00.000"), "{hours}");
    assert_eq!(
        (&row["peak_viewers"], &row["joined"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test]
async fn wrong_parameters_are_named_and_events_of_others_do_not_exist() {
    let show = show().await;
    let rival = show.app.org("rival", "UTC").await;
    for path in PATHS {
        let and = if path.contains('?') { '&' } else { '?' };
        let bad = show
            .ask(&format!(
                "{path}{and}from=2026-11-22T10:00:00Z&to=2026-11-22T10:00:00Z&fresh=1"
            ))
            .await;
        let mut fields = bad.bad_fields();
        fields.sort_unstable();
        assert_eq!(fields, ["fresh", "to"], "{path}");
        let unknown = show.ask(&format!("{path}{and}filter=x")).await;
        assert_eq!(unknown.bad_fields(), ["filter"], "{path}");
        let foreign = format!("/api/v1/events/keynote/{path}");
        let reason = show.app.get(&rival, &foreign).await.refused(404);
        assert_eq!(reason, "EVENT_NOT_FOUND", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_at_the_same_time_get_the_same_answer() {
    let show = show().await;
    let paths = (0..12).map(|_| show.ask("breakdown?by=customer_id&fresh=true"));
    let answers = futures::future::join_all(paths).await;
    assert!(answers.iter().all(|it| it.is(200).body == answers[0].body));
}

#[tokio::test]
async fn a_request_that_ends_early_fails_no_other() {
    let show = show().await;
    for limit in 1..20 {
        // Another question in each round, so that the answer is not kept yet.
        let path = format!("breakdown?by=device_id&limit={limit}");
        let mut first = Box::pin(show.ask(&path));
        let mut second = Box::pin(show.ask(&path));
        assert!(futures::poll!(first.as_mut()).is_pending());
        assert!(futures::poll!(second.as_mut()).is_pending());
        for _ in 0..limit {
            tokio::task::yield_now().await;
            if futures::poll!(first.as_mut()).is_ready() {
                break;
            }
        }
        drop(first);
        second.await.is(200);
    }
}

#[tokio::test]
async fn events_are_listed_with_their_figures_and_by_their_viewers() {
    let show = Show::new().await;
    let mut records = Vec::new();
    for (event, viewers) in [("a", 1), ("b", 3), ("c", 2)] {
        for viewer in 0..viewers {
            let mut view = watches(&format!("v{viewer}"), &format!("p{viewer}"), "10:00..10:01");
            view["event_id"] = json!(event);
            records.push(view);
        }
    }
    records.push(json!({"type": "event", "event_id": "d", "kind": "vod", "title": "None"}));
    show.app.accept(&show.org, &records).await;
    let page = async |query: &str| {
        let path = format!("/api/v1/events?{query}");
        show.app.get(&show.org, &path).await.ok()
    };
    let ids = |page: &Value| -> Vec<String> {
        let events = list(page, "events").iter();
        events
            .map(|it| it["id"].as_str().expect("an id").to_owned())
            .collect()
    };
    let first = page("order_by=viewers&page_size=2&view=figures").await;
    assert_eq!(ids(&first), ["b", "c"]);
    assert_eq!(first["events"][0]["figures"]["viewers"], 3, "{first}");
    let token = first["next_page_token"].as_str().expect("a token");
    let last = page(&format!("order_by=viewers&page_size=2&page_token={token}")).await;
    assert_eq!(ids(&last), ["a", "d"]);
    assert_eq!(last["events"][0].get("figures"), None);
    let of_event = show
        .app
        .get(&show.org, "/api/v1/events/b/figures")
        .await
        .ok();
    assert_eq!(first["events"][0]["figures"], of_event);
    let wrong = "/api/v1/events?view=all&order_by=size&kind=film&state=over&page_size=0";
    let mut fields = show.app.get(&show.org, wrong).await.bad_fields();
    fields.sort_unstable();
    assert_eq!(fields, ["kind", "order_by", "page_size", "state", "view"]);
    let other = format!("/api/v1/events?order_by=title&page_token={token}");
    let fields = show.app.get(&show.org, &other).await.bad_fields();
    assert_eq!(fields, ["page_token"]);
}
