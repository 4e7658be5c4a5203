//! Tokens and scopes.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::harness::reports::REPORTS;
use crate::harness::show::says;
use crate::harness::{Org, Response, Show, TestApp};
use showreport_meta::Scopes;

async fn get_with(app: &TestApp, path: &str, headers: &[(&str, String)]) -> Response {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    app.send(request.body(Body::empty()).expect("a request"))
        .await
}

/// A 401 with the parameter without which Google's Python client fails.
fn assert_challenged(response: &Response) {
    response.refused(401);
    assert_eq!(
        response.header("www-authenticate"),
        r#"Bearer realm="showreport""#
    );
}

#[tokio::test]
async fn requests_without_a_valid_token_are_refused() {
    let show = Show::new().await;
    assert_challenged(&get_with(&show.app, "/api/v1/events", &[]).await);
    let bent = format!("{}x", show.org.token);
    let cut = show.org.token[..show.org.token.len() - 1].to_owned();
    let unknown = [
        format!("Bearer {bent}"),
        format!("Bearer {cut}"),
        format!("Basic {}", show.org.token),
        show.org.token.clone(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer sr_0000000000000000000000000000".to_owned(),
    ];
    for authorization in unknown {
        let response = get_with(
            &show.app,
            "/api/v1/events",
            &[("authorization", authorization.clone())],
        )
        .await;
        assert_eq!(response.status, 401, "{authorization}");
        assert_challenged(&response);
    }
    let lower_case = format!("bearer {}", show.org.token);
    get_with(
        &show.app,
        "/api/v1/events",
        &[("authorization", lower_case)],
    )
    .await
    .is(200);
}

#[tokio::test]
async fn a_token_ends_when_it_expires_or_is_revoked() {
    let show = Show::new().await;
    let meta = &show.app.parts.meta;
    let scopes = || Scopes::parse("report").expect("scopes");
    let in_an_hour = meta.clock().now().saturating_add_millis(3_600_000);
    let (_, expiring) = meta
        .create_token(&show.org.id, scopes(), Some(in_an_hour))
        .await
        .expect("create");
    let (id, lasting) = meta
        .create_token(&show.org.id, scopes(), None)
        .await
        .expect("create");
    let get = async |secret: &str| {
        get_with(
            &show.app,
            "/api/v1/events",
            &[("authorization", format!("Bearer {secret}"))],
        )
        .await
    };
    get(expiring.expose()).await.is(200);
    show.app.clock.advance_hours(1);
    assert_challenged(&get(expiring.expose()).await);
    get(lasting.expose()).await.is(200);
    meta.revoke_token(id).await.expect("revoke");
    assert_challenged(&get(lasting.expose()).await);
}

#[tokio::test]
async fn a_token_revoked_while_the_body_arrives_stores_nothing() {
    let show = Show::new().await;
    let meta = show.app.parts.meta.clone();
    let scopes = Scopes::parse("collect").expect("scopes");
    let created = meta.create_token(&show.org.id, scopes, None).await;
    let (id, secret) = created.expect("create");
    let mut record = says("ada", "m1", "10:00", "hello");
    record["event_id"] = json!("keynote");
    // The body is read after the token of the head was looked up.
    let late = futures::stream::once(async move {
        meta.revoke_token(id).await.expect("revoke");
        Ok::<_, std::io::Error>(record.to_string())
    });
    let request = Request::post("/collect")
        .header("authorization", format!("Bearer {}", secret.expose()))
        .body(Body::from_stream(late));
    assert_challenged(&show.app.send(request.expect("a request")).await);
    let events = show.app.get(&show.org, "/api/v1/events").await;
    assert_eq!(events.json()["events"], json!([]), "{}", events.text());
}

#[tokio::test]
async fn a_scope_allows_its_routes_and_no_others() {
    let show = Show::new().await;
    show.send([says("ada", "m1", "10:00", "hello")]).await;
    let record = {
        let mut record = says("ada", "m1", "10:00", "hello");
        record["event_id"] = json!("keynote");
        record
    };
    let order = json!({
        "id": "keynote", "type": "EVENT_TYPE_LIVE",
        "dimension_with_conditions": [{"dimension": "REPORT_DIMENSION_WATCH_TIME", "group_by_fields": []}],
    });
    for (scopes, collects, reports) in [
        ("collect", 202, 403),
        ("report", 403, 200),
        ("collect,report", 202, 200),
        ("admin", 202, 200),
    ] {
        let org = Org {
            token: show.app.token(&show.org.id, scopes).await,
            ..show.org.clone()
        };
        let statuses = [
            show.app
                .collect(&org, std::slice::from_ref(&record))
                .await
                .status,
            show.app.post(&org, REPORTS, &order).await.status,
            show.app.get(&org, "/api/v1/events").await.status,
            show.app.get(&org, "/api/v1/events/keynote").await.status,
            show.app.get(&org, "/api/v1/reports").await.status,
        ];
        assert_eq!(
            statuses,
            [collects, reports, reports, reports, reports],
            "{scopes}"
        );
        if reports == 403 {
            show.app.get(&org, "/api/v1/reports").await.refused(403);
        }
    }
}

#[tokio::test]
async fn a_named_organisation_must_be_that_of_the_token() {
    let show = Show::new().await;
    show.app.org("globex", "UTC").await;
    let with_org = async |org: &str| {
        let headers = [
            ("authorization", format!("Bearer {}", show.org.token)),
            ("x-bv-org-id", org.to_owned()),
        ];
        get_with(&show.app, "/api/v1/events", &headers).await
    };
    with_org("acme").await.is(200);
    let known = with_org("globex").await;
    known.refused(403);
    let unknown = with_org("nobody").await;
    unknown.refused(403);
    assert_eq!(known.text().replace("globex", "nobody"), unknown.text());
}

#[tokio::test]
async fn some_routes_need_no_token() {
    let show = Show::new().await;
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/showreport.js",
        "/sign-in",
    ] {
        let response = get_with(&show.app, path, &[]).await;
        assert_eq!(response.status, 200, "{path}: {}", response.text());
    }
    assert!(
        get_with(&show.app, "/metrics", &[])
            .await
            .text()
            .contains("# TYPE")
    );
}
