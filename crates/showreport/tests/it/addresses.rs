//! Parameters of URLs, and percent-encoding of paths.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};
use showreport_model::EventId;

use crate::harness::bulk::{job_with_reports, refused, wrong_fields};
use crate::harness::reports::{link, list};
use crate::harness::show::watches;
use crate::harness::{Response, Show};

/// Every operation of our own API and of Google's paths, with a value for each parameter.
async fn operations(show: &Show) -> Vec<(Method, String)> {
    let description = show.app.get(&show.org, "/openapi.json").await.ok();
    let mut found = Vec::new();
    for (path, item) in description["paths"].as_object().expect("paths") {
        let is_segment = matches!(path.as_str(), "/v1/batch" | "/v1/track");
        if is_segment || !path.starts_with("/api/v1/") && !path.starts_with("/v1/") {
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

async fn send(show: &Show, method: &Method, address: &str, is_signed: bool) -> Response {
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
        let response = send(&show, &method, &address, true).await;
        if method == Method::HEAD {
            assert_eq!(response.status, 400, "HEAD {path}");
            continue;
        }
        let fields = if path.starts_with("/v1/") {
            refused(&response, 400, "INVALID_ARGUMENT");
            wrong_fields(&response)
        } else {
            response.refused(400);
            response.bad_fields()
        };
        assert_eq!(fields, ["start_time", "page_sise"], "{method} {path}");
    }
}

#[tokio::test]
async fn other_paths_ignore_unknown_parameters() {
    let show = Show::new().await;
    show.send([watches("ada", "tab", "10:00..10:01")]).await;
    let condition = json!({"dimension": "REPORT_DIMENSION_WATCH_TIME"});
    let made = show.app.make(&show.org, "keynote", &[condition]).await;
    let link = link(&made[0].report);
    let viewers = "/bv/cms/v1/lives/keynote/metrics/viewers";
    for address in [viewers, link, "/healthz", "/openapi.json"] {
        let response = show
            .app
            .get(&show.org, &format!("{address}?utm_source=x"))
            .await;
        assert_eq!(response.status, 200, "{address}");
    }
    let collect = "/collect?utm_source=x";
    let response = show.app.post(&show.org, collect, &json!([])).await;
    assert_eq!(response.status, 202);
}

#[tokio::test]
async fn google_parameters_may_be_camel_case_or_snake_case() {
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
async fn a_path_may_be_percent_encoded() {
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
    let reports = |response: Value| response["reports"][0]["id"].clone();
    let expected = reports(show.app.post(&show.org, plain, &body).await.ok());
    for path in [
        "/bv/analytics/v1/events/reports%3Abatch-get",
        "/bv/analytics/v1/events/reports%3abatch%2Dget",
        "/%62v/analytics/v1/event%73/reports:batch-get",
    ] {
        let response = show.app.post(&show.org, path, &body).await;
        assert_eq!(reports(response.ok()), expected, "{path}");
    }
    for path in [
        "/api/v1/events/a:b%2F%C3%BC%2541",
        "/api/v1/events/a%3Ab%2F%C3%BC%254%31",
    ] {
        let event = show.app.get(&show.org, path).await.ok();
        assert_eq!(event["id"], id.as_str(), "{path}");
    }
    // An encoded slash or percent sign is a part of a name.
    for path in [
        "/api%2Fv1/events",
        "/api/v1/events/a:b/%C3%BC%2541",
        "/api/v1/events/a:b%2F%C3%BC%41",
    ] {
        assert_eq!(show.app.get(&show.org, path).await.status, 404, "{path}");
    }
    let response = show.app.get(&show.org, "/%76%31/jobs/x").await;
    refused(&response, 404, "NOT_FOUND");
}
