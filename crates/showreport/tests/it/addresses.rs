//! What an address may hold: parameters that a path has, and characters in either form.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};
use showreport_model::EventId;

use crate::harness::bulk::{job_with_reports, refused, wrong_fields};
use crate::harness::reports::{link, list};
use crate::harness::show::watches;
use crate::harness::{Answer, Show};

/// Every operation of our own API and of Google's paths, with something in place of each parameter.
async fn operations(show: &Show) -> Vec<(Method, String)> {
    let description = show.app.get(&show.org, "/openapi.json").await.ok();
    let mut found = Vec::new();
    for (path, item) in description["paths"].as_object().expect("paths") {
        if !path.starts_with("/api/v1/") && !path.starts_with("/v1/") {
            continue;
        }
        let parts = path.split('/');
        let parts = parts.map(|part| if part.starts_with('{') { "x" } else { part });
        let path = parts.collect::<Vec<_>>().join("/");
        for method in item.as_object().expect("operations").keys() {
            let method: Method = method.to_uppercase().parse().expect("a method");
            found.push((method, path.clone()));
        }
    }
    found
}

async fn send(show: &Show, method: &Method, address: &str, is_signed: bool) -> Answer {
    let mut request = Request::builder().method(method).uri(address);
    if is_signed {
        request = request.header("authorization", format!("Bearer {}", show.org.token));
    }
    let request = request.body(Body::empty()).expect("a request");
    show.app.send(request).await
}

#[tokio::test]
async fn a_parameter_that_a_path_does_not_have_is_refused_and_named() {
    let show = Show::new().await;
    let operations = operations(&show).await;
    assert!(operations.len() > 12, "{operations:?}");
    for (method, path) in operations {
        let address = format!("{path}?start_time=2026-11-22&page_sise=1&start_time=x");
        assert_eq!(send(&show, &method, &address, false).await.status, 401);
        let answer = send(&show, &method, &address, true).await;
        if method == Method::HEAD {
            assert_eq!(answer.status, 400, "HEAD {path}");
            continue;
        }
        let fields = if path.starts_with("/v1/") {
            refused(&answer, 400, "INVALID_ARGUMENT");
            wrong_fields(&answer)
        } else {
            answer.refused(400);
            answer.bad_fields()
        };
        assert_eq!(fields, ["start_time", "page_sise"], "{method} {path}");
    }
}

#[tokio::test]
async fn other_paths_pass_over_what_they_do_not_have() {
    let show = Show::new().await;
    show.send([watches("ada", "tab", "10:00..10:01")]).await;
    let condition = json!({"dimension": "REPORT_DIMENSION_WATCH_TIME"});
    let made = show.app.make(&show.org, "keynote", &[condition]).await;
    let link = link(&made[0].report);
    let viewers = "/bv/cms/v1/lives/keynote/metrics/viewers";
    for address in [viewers, link, "/healthz", "/openapi.json"] {
        let answer = show
            .app
            .get(&show.org, &format!("{address}?utm_source=x"))
            .await;
        assert_eq!(answer.status, 200, "{address}");
    }
    let collect = "/collect?utm_source=x";
    let answer = show.app.post(&show.org, collect, &json!([])).await;
    assert_eq!(answer.status, 202);
}

#[tokio::test]
async fn googles_parameters_are_written_in_either_way() {
    let (show, job) = job_with_reports().await;
    let reports = format!("/v1/jobs/{job}/reports");
    for parameter in ["pageSize=1", "page_size=1"] {
        let page = show
            .app
            .get(&show.org, &format!("{reports}?{parameter}"))
            .await;
        assert_eq!(list(&page.ok(), "reports").len(), 1, "{parameter}");
    }
    let none = format!("{reports}?created_after=2999-01-01T00:00:00Z");
    assert_eq!(show.app.get(&show.org, &none).await.ok(), json!({}));
}

#[tokio::test]
async fn a_path_is_the_same_with_its_characters_encoded() {
    let show = Show::new().await;
    let id = EventId::new("a:b/ü%41").expect("an id");
    let mut record = watches("ada", "tab", "10:00..10:01");
    record["event_id"] = json!(id.as_str());
    show.app.collect(&show.org, &[record]).await.is(202);
    let condition = json!({"dimension": "REPORT_DIMENSION_WATCH_TIME"});
    let created = show
        .app
        .create(&show.org, id.as_str(), &[condition])
        .await
        .ok();
    let body = json!({"reports": [{"id": created["reports"][0]["id"]}]});
    let plain = "/bv/analytics/v1/events/reports:batch-get";
    let reports = |answer: Value| answer["reports"][0]["id"].clone();
    let expected = reports(show.app.post(&show.org, plain, &body).await.ok());
    for path in [
        "/bv/analytics/v1/events/reports%3Abatch-get",
        "/bv/analytics/v1/events/reports%3abatch%2Dget",
        "/%62v/analytics/v1/event%73/reports:batch-get",
    ] {
        let answer = show.app.post(&show.org, path, &body).await;
        assert_eq!(reports(answer.ok()), expected, "{path}");
    }
    for path in [
        "/api/v1/events/a:b%2F%C3%BC%2541",
        "/api/v1/events/a%3Ab%2F%C3%BC%254%31",
    ] {
        let event = show.app.get(&show.org, path).await.ok();
        assert_eq!(event["id"], id.as_str(), "{path}");
    }
    // A slash that is encoded is a part of a name, and an encoded percent sign is one.
    for path in [
        "/api%2Fv1/events",
        "/api/v1/events/a:b/%C3%BC%2541",
        "/api/v1/events/a:b%2F%C3%BC%41",
    ] {
        assert_eq!(show.app.get(&show.org, path).await.status, 404, "{path}");
    }
    let answer = show.app.get(&show.org, "/%76%31/jobs/x").await;
    refused(&answer, 404, "NOT_FOUND");
}
