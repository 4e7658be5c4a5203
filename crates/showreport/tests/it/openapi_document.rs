//! The `OpenAPI` document, and that every route behaves as described.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::Value;

use crate::harness::{Response, Show};

/// The routes of the contract; the document may have more.
const PROMISED: [(&str, &[&str]); 27] = [
    ("/collect", &["post"]),
    ("/collect/cmcd", &["get", "post"]),
    ("/collect/cmcd/{event_id}", &["get", "post"]),
    ("/v1/batch", &["post"]),
    ("/v1/track", &["post"]),
    ("/bv/analytics/v1/events/reports", &["post"]),
    ("/bv/analytics/v1/events/reports:batch-get", &["post"]),
    ("/api/v1/events", &["get"]),
    ("/api/v1/events/{id}", &["get"]),
    ("/api/v1/reports", &["get"]),
    ("/api/v1/reports/{id}", &["get", "delete"]),
    ("/bv/analytics/v1/reports/watch-time", &["get"]),
    ("/bv/cms/v1/lives/{id}/metrics/viewers", &["get"]),
    ("/v1/reportTypes", &["get"]),
    ("/v1/jobs", &["get", "post"]),
    ("/v1/jobs/{jobId}", &["get", "delete"]),
    ("/v1/jobs/{jobId}/reports", &["get"]),
    ("/v1/jobs/{jobId}/reports/{reportId}", &["get"]),
    ("/v1/media/{resourceName}", &["get"]),
    ("/showreport.js", &["get"]),
    ("/healthz", &["get"]),
    ("/readyz", &["get"]),
    ("/metrics", &["get"]),
    ("/openapi.json", &["get"]),
    ("/sign-in", &["get", "post"]),
    ("/sign-out", &["post"]),
    ("/organisation", &["get"]),
];

const METHODS: [&str; 7] = ["get", "head", "post", "put", "patch", "delete", "options"];

async fn description(show: &Show) -> Value {
    send(show, "GET", "/openapi.json").await.ok()
}

async fn send(show: &Show, method: &str, path: &str) -> Response {
    let method: Method = method.to_uppercase().parse().expect("a method");
    let request = Request::builder()
        .method(method)
        .uri(path)
        .body(Body::empty());
    show.app.send(request.expect("a request")).await
}

/// Checks a refusal, which on the `YouTube` paths is in Google's format.
#[track_caller]
fn refused(path: &str, response: &Response, status: u16) {
    if path.starts_with("/v1/") && !matches!(path, "/v1/batch" | "/v1/track") {
        assert_eq!(response.is(status).json()["error"]["code"], status);
    } else {
        response.refused(status);
    }
}

/// A path without the names of its parameters.
fn shape(path: &str) -> String {
    let part = |part: &str| {
        if part.starts_with('{') {
            "{}".to_owned()
        } else {
            part.to_owned()
        }
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn the_description_has_every_path_of_the_contract() {
    let show = Show::new().await;
    let description = description(&show).await;
    assert!(
        description["openapi"]
            .as_str()
            .is_some_and(|version| version.starts_with("3."))
    );
    let paths = description["paths"].as_object().expect("paths");
    for (promised, methods) in PROMISED {
        let found = paths
            .iter()
            .find(|(path, _)| shape(path) == shape(promised));
        let (_, item) =
            found.unwrap_or_else(|| panic!("{promised} is not described: {:?}", paths.keys()));
        for method in methods {
            assert!(
                item.get(method).is_some(),
                "{method} {promised} is not described"
            );
        }
    }
    assert!(paths.keys().any(|path| path.starts_with("/downloads/")));
}

#[tokio::test]
async fn every_described_path_refuses_in_json() {
    let show = Show::new().await;
    let description = description(&show).await;
    let open = ["/healthz", "/readyz", "/metrics", "/openapi.json"];
    for (path, item) in description["paths"].as_object().expect("paths") {
        let address: Vec<&str> = path
            .split('/')
            .map(|part| if part.starts_with('{') { "x" } else { part })
            .collect();
        let address = address.join("/");
        for method in METHODS {
            let response = send(&show, method, &address).await;
            let described = item.get(method).is_some();
            let what = format!(
                "{method} {path}: {} {}",
                response.status,
                String::from_utf8_lossy(&response.body)
            );
            match method {
                "get" | "post" | "delete" | "put" | "patch"
                    if described
                        && (open.contains(&path.as_str())
                            || path.contains("/showreport.")
                            || path.starts_with("/assets/")) =>
                {
                    assert_eq!(response.status, 200, "{what}");
                }
                "get" | "post" if described && is_page(item, method) => {
                    let expected = match (path.as_str(), method) {
                        ("/sign-in", "get") => 200,
                        // There is no form, or no such link.
                        ("/sign-in" | "/invitations/{secret}", "post") => 400,
                        (
                            "/sign-in/{secret}"
                            | "/invitations/{secret}"
                            | "/s/{secret}"
                            | "/s/{secret}/csv/{rows}"
                            | "/s/{secret}/{page}",
                            _,
                        ) => 404,
                        _ => 303,
                    };
                    assert_eq!(response.status, expected, "{what}");
                }
                "get" | "post" | "delete" | "put" | "patch" if described => {
                    // A wrong link is not found; everything else needs a token.
                    let expected = if path.starts_with("/downloads/") {
                        404
                    } else {
                        401
                    };
                    assert_eq!(response.status, expected, "{what}");
                    refused(path, &response, expected);
                }
                "head" | "options" => assert!(response.status < 500, "{what}"),
                _ => {
                    assert_eq!(response.status, 405, "{what}");
                    refused(path, &response, 405);
                    assert!(!response.header("allow").is_empty(), "{what}");
                }
            }
        }
    }
}

fn is_page(item: &Value, method: &str) -> bool {
    let tags = item[method]["tags"].as_array().expect("tags");
    tags.iter().any(|tag| tag == "dashboard")
}

#[tokio::test]
async fn an_unknown_path_refuses_in_json() {
    let show = Show::new().await;
    for path in [
        "/nothing",
        "/api/v1/nothing",
        "/v1/nothing",
        "/collect/more",
        "/bv/analytics/v1/events/reports:nothing",
        "/downloads",
        "/downloads/a/b",
    ] {
        for method in ["get", "post"] {
            let response = send(&show, method, path).await;
            assert_eq!(response.status, 404, "{method} {path}");
            refused(path, &response, 404);
        }
    }
}
