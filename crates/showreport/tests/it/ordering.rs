//! Orders for event reports, as clients of the original API send them.

use serde_json::{Value, json};

use crate::harness::app::request;
use crate::harness::reports::{BATCH_GET, REPORTS, entry, list};
use crate::harness::show::watches;
use crate::harness::{Org, Response, Show, TestApp};
use crate::oracle::{Dimension, ReportSpec};

async fn show_with_event() -> Show {
    let show = Show::new().await;
    show.send([
        json!({"type": "event", "kind": "live", "title": "Keynote"}),
        watches("ada", "tab", "10:00..10:01"),
    ])
    .await;
    show
}

fn order(entries: &Value) -> Value {
    json!({"id": "keynote", "type": "EVENT_TYPE_LIVE", "dimension_with_conditions": entries})
}

fn watch_time() -> Value {
    json!({"dimension": "REPORT_DIMENSION_WATCH_TIME", "group_by_fields": []})
}

#[tokio::test]
async fn a_report_is_running_and_then_succeeded() {
    let show = show_with_event().await;
    let entries = json!([{
        "dimension": "REPORT_DIMENSION_WATCH_TIME",
        "group_by_fields": ["GROUP_BY_FIELD_CUSTOMER_ID"],
        "filter": {"start_time": "2026-11-22T11:00:00+01:00", "end_time": "2026-11-22T10:00:30Z"},
    }]);
    let created = show
        .app
        .post(&show.org, REPORTS, &order(&entries))
        .await
        .ok();
    let report = &list(&created, "reports")[0];
    assert_eq!(report["status"], "EVENT_REPORT_STATUS_RUNNING");
    assert_eq!(report["uri"], "");
    assert_eq!(report["error_info"], Value::Null);
    assert_eq!(report["dimension"], "REPORT_DIMENSION_WATCH_TIME");
    let echo = &report["dimension_with_condition"];
    assert_eq!(echo["dimension"], "REPORT_DIMENSION_WATCH_TIME");
    assert_eq!(
        echo["group_by_fields"],
        json!(["GROUP_BY_FIELD_CUSTOMER_ID"])
    );
    assert_eq!(
        echo["filter"],
        json!({"start_time": "2026-11-22T10:00:00.000Z", "end_time": "2026-11-22T10:00:30.000Z"})
    );
    for absent in [
        "row_count",
        "size_bytes",
        "sha256",
        "finished_at",
        "expires_at",
    ] {
        assert!(
            report.get(absent).is_some(),
            "{absent} is present, if empty: {report}"
        );
    }
    assert_eq!(report["created_at"], "2026-11-25T20:00:00.000Z");
    show.app.work().await;
    let id = report["id"].as_str().expect("an id");
    let answered = show.app.batch_get(&show.org, &[id]).await.ok();
    let report = &list(&answered, "reports")[0];
    assert_eq!(report["id"], id);
    assert_eq!(report["status"], "EVENT_REPORT_STATUS_SUCCEEDED");
    assert_eq!(report["row_count"], 1);
    assert_eq!(report["progress_percent"], 100);
    assert_eq!(report["expires_at"], "2026-12-25T20:00:00.000Z");
    assert_eq!(
        show.app.download(report, "").await.text(),
        "customer_id,views,viewers,devices,watch_seconds,attended_seconds\nada,1,1,0,30.000,30.000\n"
    );
}

#[tokio::test]
async fn one_report_is_made_for_each_entry_in_order() {
    let show = show_with_event().await;
    let entries: Vec<Value> = Dimension::ALL
        .iter()
        .map(|it| entry(&ReportSpec::new(*it)))
        .collect();
    let made = show.app.make(&show.org, "keynote", &entries).await;
    let dimensions: Vec<&str> = made
        .iter()
        .map(|it| it.report["dimension"].as_str().expect("a dimension"))
        .collect();
    assert_eq!(dimensions, Dimension::ALL.map(Dimension::wire));
}

#[tokio::test]
async fn every_spelling_of_an_order_is_accepted() {
    let show = show_with_event().await;
    let orders = [
        order(&json!([watch_time()])),
        json!({"event_id": "keynote", "event_type": "EVENT_TYPE_LIVE", "report_dimension_with_conditions": [watch_time()]}),
        json!({"eventId": "keynote", "eventType": 1, "dimensionWithConditions": [
            {"dimension": 4, "groupByFields": [1, "GROUP_BY_FIELD_GEO_REGION", 4], "filter": {"startTime": "2026-11-22T10:00:00Z"}, "granularitySeconds": 300},
        ]}),
        json!({"id": "keynote", "type": "EVENT_TYPE_LIVE", "reportDimensionWithConditions": [watch_time()], "unknown": 1}),
        // What the original deprecates: dimensions alone.
        json!({"id": "keynote", "type": "EVENT_TYPE_LIVE", "dimensions": ["REPORT_DIMENSION_WATCH_TIME"]}),
        json!({"id": "keynote", "type": "EVENT_TYPE_LIVE", "reportDimensions": [4]}),
        // The newer field wins.
        json!({"id": "keynote", "type": "EVENT_TYPE_LIVE", "dimensions": [1, 2, 3], "dimension_with_conditions": [watch_time()]}),
        // Two spellings that agree.
        json!({"id": "keynote", "event_id": "keynote", "type": "EVENT_TYPE_LIVE", "dimension_with_conditions": [watch_time()]}),
        json!({"id": "keynote", "type": "EVENT_TYPE_LIVE", "dimension_with_conditions": [
            {"dimension": "REPORT_DIMENSION_WATCH_TIME", "group_by_fields": [], "filter": null},
        ]}),
        json!({"id": "keynote", "type": "EVENT_TYPE_LIVE", "dimension_with_conditions": [
            {"dimension": "REPORT_DIMENSION_WATCH_TIME", "group_by_fields": [], "filter": {"start_time": null, "end_time": ""}, "format": "csv"},
        ]}),
    ];
    for order in orders {
        let response = show.app.post(&show.org, REPORTS, &order).await;
        assert_eq!(response.status, 200, "{order}: {}", response.text());
        let response = response.json();
        let reports = list(&response, "reports");
        assert_eq!(reports.len(), 1, "{order}");
        assert_eq!(
            reports[0]["dimension"], "REPORT_DIMENSION_WATCH_TIME",
            "{order}"
        );
    }
    show.app.work().await;
}

#[tokio::test]
async fn numbers_stand_for_the_members_in_their_order() {
    let show = show_with_event().await;
    let names = [
        "CHAT_HISTORIES",
        "POLL_SUMMARIES",
        "POLL_VOTES",
        "WATCH_TIME",
    ];
    let entries: Vec<Value> = (1..=4)
        .map(|number| json!({"dimension": number, "group_by_fields": [1, 2, 3, 4, 5]}))
        .collect();
    let created = show.app.create(&show.org, "keynote", &entries).await.ok();
    for (report, name) in list(&created, "reports").iter().zip(names) {
        assert_eq!(report["dimension"], format!("REPORT_DIMENSION_{name}"));
        assert_eq!(
            report["dimension_with_condition"]["group_by_fields"],
            json!(crate::oracle::Field::ALL.map(crate::oracle::Field::wire))
        );
    }
    show.app.work().await;
}

/// Places in an order, each with values that are wrong there.
fn wrong_values() -> Vec<(&'static str, Value)> {
    let filter = |start: &str, end: &str| json!({"start_time": start, "end_time": end});
    vec![
        ("/id", json!([null, "", 7])),
        (
            "/type",
            json!([null, "EVENT_TYPE_UNSPECIFIED", "live", 0, 99]),
        ),
        ("/dimension_with_conditions", json!([null, [], "all", {}])),
        (
            "/dimension_with_conditions/0/dimension",
            json!([null, 0, 5, "REPORT_DIMENSION_MOOD"]),
        ),
        (
            "/dimension_with_conditions/0/group_by_fields",
            json!([
                [0],
                [6],
                ["GROUP_BY_FIELD_MOOD"],
                [2, "GROUP_BY_FIELD_CUSTOMER_ID"],
                "all"
            ]),
        ),
        (
            "/dimension_with_conditions/0/granularity_seconds",
            json!([0, 7, -60, "minute"]),
        ),
        ("/dimension_with_conditions/0/format", json!(["pdf", 1])),
        (
            "/dimension_with_conditions/0/filter",
            json!([
                filter("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z"),
                filter("2026-11-22T10:00:00.001Z", "2026-11-22T10:00:00Z"),
                filter("yesterday", "2026-11-22T10:00:00Z"),
                filter("2026-11-22T10:00:00", ""),
                "today",
            ]),
        ),
    ]
}

#[tokio::test]
async fn a_refused_order_names_every_wrong_field() {
    let show = show_with_event().await;
    for (place, values) in wrong_values() {
        let field = place.rsplit('/').next().expect("a name");
        for value in values.as_array().expect("values") {
            let mut bad = order(&json!([watch_time()]));
            match bad.pointer_mut(place) {
                Some(place) => *place = value.clone(),
                None => bad["dimension_with_conditions"][0][field] = value.clone(),
            }
            let response = show.app.post(&show.org, REPORTS, &bad).await;
            assert_eq!(response.status, 400, "{bad}: {}", response.text());
            let named = response.bad_fields();
            assert!(
                named.iter().any(|name| name.contains(field)),
                "{bad}: {named:?}"
            );
        }
    }
    let mut twice = order(&json!([watch_time()]));
    twice["event_id"] = json!("another");
    let named = show.app.post(&show.org, REPORTS, &twice).await.bad_fields();
    assert_eq!(named, ["id"], "two spellings with two values");
    let several = json!({"type": "?", "dimension_with_conditions": [
        {"dimension": "?", "group_by_fields": ["?"], "format": "?", "granularity_seconds": 7},
    ]});
    let named = show
        .app
        .post(&show.org, REPORTS, &several)
        .await
        .bad_fields();
    assert_eq!(named.len(), 6, "{named:?}");
    let reports = show.app.get(&show.org, "/api/v1/reports").await.ok();
    assert!(
        list(&reports, "reports").is_empty(),
        "a refused order makes no report"
    );
}

#[tokio::test]
async fn a_body_that_is_no_order_is_refused() {
    let show = show_with_event().await;
    for body in ["", "{", "[]", "7", "null", "{\"id\": \"\\ud800\"}"] {
        show.app
            .post_bytes(&show.org, REPORTS, "application/json", body)
            .await
            .refused(400);
        show.app
            .post_bytes(&show.org, BATCH_GET, "application/json", body)
            .await
            .refused(400);
    }
}

#[tokio::test]
async fn at_most_fifty_entries_and_a_hundred_ids_go_at_once() {
    let show = show_with_event().await;
    let entries = |count: usize| order(&json!(vec![watch_time(); count]));
    show.app
        .post(&show.org, REPORTS, &entries(51))
        .await
        .refused(400);
    let created = show.app.post(&show.org, REPORTS, &entries(50)).await.ok();
    assert_eq!(list(&created, "reports").len(), 50);
    let id = created["reports"][0]["id"].as_str().expect("an id");
    let answered = show.app.batch_get(&show.org, &vec![id; 100]).await.ok();
    assert_eq!(list(&answered, "reports").len(), 100);
    show.app
        .batch_get(&show.org, &vec![id; 101])
        .await
        .refused(400);
    show.app.batch_get(&show.org, &[]).await.refused(400);
    show.app.work().await;
}

#[tokio::test]
async fn an_unknown_event_or_report_is_not_found() {
    let show = show_with_event().await;
    show.app
        .create(&show.org, "no-such-event", &[watch_time()])
        .await
        .refused(404);
    let created = show
        .app
        .create(&show.org, "keynote", &[watch_time()])
        .await
        .ok();
    let known = created["reports"][0]["id"].as_str().expect("an id");
    let unknown = "01930000-0000-7000-8000-000000000000";
    let response = show.app.batch_get(&show.org, &[known, unknown]).await;
    response.refused(404);
    assert!(
        response.text().contains(unknown) && !response.text().contains(known),
        "{}",
        response.text()
    );
    // Whether it has the form of an id or not.
    show.app
        .batch_get(&show.org, &["no-such-report"])
        .await
        .refused(404);
    show.app.work().await;
}

#[tokio::test]
async fn a_type_must_be_the_events_kind_where_it_has_one() {
    let show = show_with_event().await;
    let create = async |event: &str, kind: &str| {
        let order = json!({"id": event, "type": kind, "dimension_with_conditions": [watch_time()]});
        show.app.post(&show.org, REPORTS, &order).await
    };
    create("keynote", "EVENT_TYPE_LIVE").await.is(200);
    create("keynote", "EVENT_TYPE_VOD").await.refused(400);
    let mut unregistered = watches("ada", "tab", "10:00..10:01");
    unregistered["event_id"] = json!("rehearsal");
    show.app.accept(&show.org, &[unregistered]).await;
    for kind in ["EVENT_TYPE_LIVE", "EVENT_TYPE_VOD", "EVENT_TYPE_AOD"] {
        create("rehearsal", kind).await.is(200);
    }
    show.app.work().await;
}

async fn create_once(app: &TestApp, org: &Org, key: &str, body: &Value) -> Response {
    let request = request("POST", org, REPORTS)
        .header("content-type", "application/json")
        .header("idempotency-key", key);
    app.send(request.body(body.to_string().into()).expect("a request"))
        .await
}

#[tokio::test]
async fn an_order_with_an_idempotency_key_is_carried_out_once() {
    let show = show_with_event().await;
    let (app, org) = (&show.app, &show.org);
    let body = order(&json!([watch_time()]));
    let first = create_once(app, org, "key-1", &body).await.ok();
    app.work().await;
    let again = create_once(app, org, "key-1", &body).await.ok();
    assert_eq!(again["reports"][0]["id"], first["reports"][0]["id"]);
    assert_eq!(
        again["reports"][0]["status"],
        "EVENT_REPORT_STATUS_SUCCEEDED"
    );
    let other = order(&json!([watch_time(), watch_time()]));
    create_once(app, org, "key-1", &other).await.refused(422);
    let second = create_once(app, org, "key-2", &body).await.ok();
    assert_ne!(second["reports"][0]["id"], first["reports"][0]["id"]);
    // Keys are separate for each organisation.
    let elsewhere = app.org("globex", "UTC").await;
    create_once(app, &elsewhere, "key-1", &body)
        .await
        .refused(404);
    create_once(app, org, &"k".repeat(255), &body).await.is(200);
    create_once(app, org, &"k".repeat(256), &body)
        .await
        .refused(400);
    // Kept for seven days.
    app.work().await;
    app.clock.advance_hours(7 * 24 - 1);
    let kept = create_once(app, org, "key-1", &body).await.ok();
    assert_eq!(kept["reports"][0]["id"], first["reports"][0]["id"]);
    app.clock.advance_hours(2);
    let new = create_once(app, org, "key-1", &other).await.ok();
    assert_eq!(list(&new, "reports").len(), 2);
    app.work().await;
}
