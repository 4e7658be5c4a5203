//! Requests for data of another organisation get the same response as for data that does not exist.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::harness::app::request;
use crate::harness::reports::{REPORTS, entry, link};
use crate::harness::{Org, Response, TestApp};
use crate::oracle::{Dimension, ReportSpec};

/// An id in the form of a report's, that no report has.
const NO_REPORT: &str = "01930000-0000-7000-8000-000000000000";
const CANARY: &str = "canary-7f3a";

/// Two organisations; the first has an event and a report, each holding the canary.
async fn two_orgs() -> (TestApp, Org, Org, String) {
    let app = TestApp::new().await;
    let (ours, theirs) = (app.org("acme", "UTC").await, app.org("globex", "UTC").await);
    let message = json!({
        "type": "chat", "event_id": CANARY, "message_id": CANARY, "text": CANARY,
        "sent_at": "2026-11-22T10:00:00Z", "customer_id": CANARY,
    });
    app.accept(&ours, &[message]).await;
    let made = app
        .make(
            &ours,
            CANARY,
            &[entry(&ReportSpec::new(Dimension::ChatHistories))],
        )
        .await;
    let id = made[0].report["id"].as_str().expect("an id").to_owned();
    (app, ours, theirs, id)
}

/// Checks that two responses are equal except for the requested id.
fn assert_same(foreign: &Response, id: &str, unknown: &Response, no_id: &str) {
    foreign.refused(404);
    assert_eq!(foreign.text().replace(id, no_id), unknown.text());
    let names = |response: &Response| {
        response
            .headers
            .keys()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(names(foreign), names(unknown));
}

#[tokio::test]
async fn an_event_of_another_organisation_is_not_found() {
    let (app, _, theirs, _) = two_orgs().await;
    for path in ["/api/v1/events/", "/api/v1/events/{}/figures"] {
        let path = |id: &str| {
            if path.contains("{}") {
                path.replace("{}", id)
            } else {
                format!("{path}{id}")
            }
        };
        let foreign = app.get(&theirs, &path(CANARY)).await;
        assert_same(
            &foreign,
            CANARY,
            &app.get(&theirs, &path("no-such")).await,
            "no-such",
        );
    }
    let order = |event: &str| {
        json!({
            "id": event, "type": "EVENT_TYPE_LIVE",
            "dimension_with_conditions": [entry(&ReportSpec::new(Dimension::WatchTime))],
        })
    };
    let foreign = app.post(&theirs, REPORTS, &order(CANARY)).await;
    assert_same(
        &foreign,
        CANARY,
        &app.post(&theirs, REPORTS, &order("no-such")).await,
        "no-such",
    );
}

#[tokio::test]
async fn a_report_of_another_organisation_is_not_found() {
    let (app, ours, theirs, id) = two_orgs().await;
    let path = |id: &str| format!("/api/v1/reports/{id}");
    assert_same(
        &app.get(&theirs, &path(&id)).await,
        &id,
        &app.get(&theirs, &path(NO_REPORT)).await,
        NO_REPORT,
    );
    assert_same(
        &app.delete(&theirs, &path(&id)).await,
        &id,
        &app.delete(&theirs, &path(NO_REPORT)).await,
        NO_REPORT,
    );
    let (foreign, unknown) = (
        app.batch_get(&theirs, &[&id]).await,
        app.batch_get(&theirs, &[NO_REPORT]).await,
    );
    assert_same(&foreign, &id, &unknown, NO_REPORT);
    app.get(&ours, &path(&id)).await.is(200);
}

#[tokio::test]
async fn lists_have_nothing_of_other_organisations() {
    let (app, ours, theirs, _) = two_orgs().await;
    for path in [
        "/api/v1/events",
        "/api/v1/reports",
        &format!("/api/v1/reports?event_id={CANARY}"),
    ] {
        let response = app.get(&theirs, path).await;
        assert!(
            response.status == 404 || response.status == 200,
            "{path}: {}",
            response.text()
        );
        assert!(
            path.contains(CANARY) || !response.text().contains(CANARY),
            "{path}: {}",
            response.text()
        );
        assert!(
            app.get(&ours, path).await.ok().to_string().contains(CANARY),
            "{path}"
        );
    }
}

#[tokio::test]
async fn equal_ids_in_two_organisations_are_counted_apart() {
    let (app, ours, theirs, _) = two_orgs().await;
    let mut message = json!({
        "type": "chat", "event_id": CANARY, "message_id": CANARY, "text": "theirs",
        "sent_at": "2026-11-22T10:00:00Z", "updated_at": "2026-11-22T12:00:00Z",
    });
    app.accept(&theirs, &[message.clone()]).await;
    message["event_id"] = json!("another");
    app.accept(&ours, &[message]).await;
    let question = ReportSpec::new(Dimension::ChatHistories);
    // First the rows of the organisations are in files of their own, then in common ones.
    for _ in 0..2 {
        for (org, text) in [(&ours, CANARY), (&theirs, "theirs")] {
            let file = app.csv(org, CANARY, &question).await;
            assert_eq!(file.lines().count(), 2, "{file}");
            assert!(file.contains(&format!(",{text},false,")), "{file}");
        }
        app.parts.lake.compact().await.expect("compact");
    }
}

#[tokio::test]
async fn an_idempotency_key_of_another_organisation_is_a_new_key() {
    let (app, ours, theirs, _) = two_orgs().await;
    let message = json!({
        "type": "chat", "event_id": CANARY, "message_id": "m", "text": "theirs",
        "sent_at": "2026-11-22T10:00:00Z",
    });
    app.accept(&theirs, &[message]).await;
    let order = json!({
        "id": CANARY, "type": "EVENT_TYPE_LIVE",
        "dimension_with_conditions": [entry(&ReportSpec::new(Dimension::ChatHistories))],
    });
    let create = async |org: &Org| {
        let request = request("POST", org, REPORTS).header("idempotency-key", "the same");
        let body = order.to_string().into();
        let response = app.send(request.body(body).expect("a request")).await.ok();
        let id = response["reports"][0]["id"].as_str().map(str::to_owned);
        id.expect("a report of its own")
    };
    let (first, other, again) = (
        create(&ours).await,
        create(&theirs).await,
        create(&ours).await,
    );
    assert_ne!(first, other);
    assert_eq!(first, again);
    app.work().await;
}

#[tokio::test]
async fn a_link_with_the_signature_of_another_report_is_not_found() {
    let (app, ours, theirs, id) = two_orgs().await;
    let report = app.get(&ours, &format!("/api/v1/reports/{id}")).await.ok();
    let path = link(&report);
    let get = async |path: String| {
        app.send(Request::get(path).body(Body::empty()).expect("a request"))
            .await
    };
    get(path.to_owned()).await.is(200);
    let foreign = get(path.replace(&id, NO_REPORT)).await;
    foreign.refused(404);
    // A token of anyone's adds nothing to a link.
    app.get(&theirs, &path.replace(&id, NO_REPORT))
        .await
        .refused(404);
}
