//! The HTTP API of bulk reports: parameters, pages, refusals.

use axum::body::Body;
use serde_json::{Value, json};

use crate::harness::app::request;
use crate::harness::bulk::{TYPES, job_with_reports, media, refused, wrong_fields};
use crate::harness::show::watches;
use crate::harness::{Org, Show, TestApp};

#[tokio::test]
async fn an_empty_list_is_an_empty_object() {
    let show = Show::new().await;
    assert_eq!(show.app.get(&show.org, "/v1/jobs").await.text(), "{}");
    let job = show.app.job(&show.org, "event_customers_a1").await;
    let reports = format!("/v1/jobs/{job}/reports");
    assert_eq!(show.app.get(&show.org, &reports).await.text(), "{}");
    let deleted = show.app.delete(&show.org, &format!("/v1/jobs/{job}")).await;
    assert_eq!((deleted.status, deleted.text()), (200, "{}"));
}

#[tokio::test]
async fn every_parameter_of_googles_clients_is_accepted() {
    let (show, job) = job_with_reports().await;
    let standard = "alt=json&fields=*&prettyPrint=false&key=x&quotaUser=q&callback=&access_token=t&oauth_token=o\
                    &uploadType=media&upload_protocol=raw&$.xgafv=2&trace=t&pp=1&userIp=1&strict=true\
                    &onBehalfOfContentOwner=somebody&includeSystemManaged=true";
    for path in [
        "/v1/reportTypes".to_owned(),
        "/v1/jobs".to_owned(),
        format!("/v1/jobs/{job}"),
        format!("/v1/jobs/{job}/reports"),
    ] {
        show.app
            .get(&show.org, &format!("{path}?{standard}"))
            .await
            .ok();
    }
    let body = json!({"reportTypeId": "event_watch_time_a1", "name": "n"});
    let path = format!("/v1/jobs?{standard}");
    show.app.post(&show.org, &path, &body).await.ok();
}

#[tokio::test]
async fn report_types_list_their_columns() {
    let show = Show::new().await;
    let types = show.app.get(&show.org, "/v1/reportTypes").await.ok();
    let types = types["reportTypes"].as_array().expect("types").clone();
    let ids: Vec<&str> = types
        .iter()
        .map(|it| it["id"].as_str().expect("an id"))
        .collect();
    assert_eq!(ids, TYPES);
    for report_type in &types {
        assert!(report_type["name"].is_string() && report_type.get("systemManaged").is_none());
        let job = show
            .app
            .job(&show.org, report_type["id"].as_str().expect("an id"))
            .await;
        show.app.keep_schedule().await;
        let report = show
            .app
            .bulk_reports(&show.org, &job, "?pageSize=1")
            .await
            .remove(0);
        let file = show.app.bulk_file(&show.org, &report).await;
        let columns = report_type["columns"].as_array().expect("columns").iter();
        let names: Vec<&str> = columns
            .map(|it| it["name"].as_str().expect("a name"))
            .collect();
        assert_eq!(file, format!("{}\n", names.join(",")));
    }
}

/// Follows `nextPageToken` to the end.
async fn pages(app: &TestApp, org: &Org, path: &str, list: &str) -> Vec<Vec<Value>> {
    let mut pages = Vec::new();
    let mut token = String::new();
    loop {
        let response = app
            .get(org, &format!("{path}&pageToken={token}"))
            .await
            .ok();
        pages.push(response[list].as_array().expect("a page").clone());
        match response.get("nextPageToken") {
            None => return pages,
            Some(next) => next.as_str().expect("a token").clone_into(&mut token),
        }
        assert!(!token.is_empty() && token.len() <= 20, "{token}");
    }
}

#[tokio::test]
async fn pages_hold_every_entry_once_in_order() {
    let (show, job) = job_with_reports().await;
    let all = show.app.bulk_reports(&show.org, &job, "").await;
    let path = format!("/v1/jobs/{job}/reports?pageSize=7");
    let paged = pages(&show.app, &show.org, &path, "reports").await;
    let sizes: Vec<usize> = paged.iter().map(Vec::len).collect();
    assert_eq!(sizes, [7, 7, 7, 7, 2]);
    assert_eq!(paged.concat(), all);
    let times: Vec<&str> = all
        .iter()
        .map(|it| it["createTime"].as_str().expect("a time"))
        .collect();
    assert!(
        times.is_sorted_by(|newer, older| instant(newer) > instant(older)),
        "{times:?}"
    );
    let types = pages(
        &show.app,
        &show.org,
        "/v1/reportTypes?pageSize=2",
        "reportTypes",
    )
    .await;
    assert_eq!(types.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    show.app.job(&show.org, "event_watch_time_a1").await;
    let jobs = pages(&show.app, &show.org, "/v1/jobs?pageSize=1", "jobs").await;
    assert_eq!(jobs.len(), 2);
}

fn instant(text: &str) -> showreport_model::Timestamp {
    text.parse().expect("a time")
}

#[tokio::test]
async fn filters_by_time_select_the_right_reports() {
    let (show, job) = job_with_reports().await;
    let all = show.app.bulk_reports(&show.org, &job, "").await;
    for (newer, report) in all.iter().enumerate() {
        let created = report["createTime"].as_str().expect("a time");
        let found = show
            .app
            .bulk_reports(&show.org, &job, &format!("?createdAfter={created}"))
            .await;
        assert_eq!(found, all[..newer], "{created}");
    }
    let within =
        "?startTimeAtOrAfter=2026-11-20T00:00:00Z&startTimeBefore=2026-11-22T01:00:00%2B01:00";
    let mut days = show.app.bulk_reports(&show.org, &job, within).await;
    days.sort_by_key(|report| report["startTime"].to_string());
    let starts: Vec<&str> = days
        .iter()
        .map(|it| it["startTime"].as_str().expect("a time"))
        .collect();
    assert_eq!(starts, ["2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"]);
    // Clients without a former report send the earliest possible time.
    let since_ever = show
        .app
        .bulk_reports(&show.org, &job, "?createdAfter=0001-01-01T00:00:00Z")
        .await;
    assert_eq!(since_ever.len(), 30);
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let (show, job) = job_with_reports().await;
    let get = async |path: &str| show.app.get(&show.org, path).await;
    let reports = format!("/v1/jobs/{job}/reports");
    let wrong = get(&format!(
        "{reports}?createdAfter=yesterday&startTimeBefore=1&pageSize=-1&pageToken=x"
    ))
    .await;
    assert_eq!(
        wrong_fields(&wrong),
        ["pageSize", "pageToken", "createdAfter", "startTimeBefore"]
    );
    for size in ["ten", ""] {
        let wrong = get(&format!("/v1/jobs?pageSize={size}")).await;
        assert_eq!(wrong_fields(&wrong), ["pageSize"], "{size:?}");
    }
    assert_eq!(
        wrong_fields(&get("/v1/reportTypes?pageToken=AAAA").await),
        ["pageToken"]
    );
    let create = async |body: Value| show.app.post(&show.org, "/v1/jobs", &body).await;
    assert_eq!(
        wrong_fields(&create(json!({})).await),
        ["reportTypeId", "name"]
    );
    let long = json!({"reportTypeId": "channel_basic_a3", "name": "n".repeat(101)});
    let response = create(long).await;
    assert_eq!(wrong_fields(&response), ["reportTypeId", "name"]);
    assert!(
        response.text().contains("event_watch_time_a1"),
        "{}",
        response.text()
    );
    let body = show
        .app
        .post_bytes(&show.org, "/v1/jobs", "application/json", "{")
        .await;
    assert_eq!(refused(&body, 400, "INVALID_ARGUMENT"), "MALFORMED_JSON");
}

#[tokio::test]
async fn a_second_job_of_a_type_is_refused_and_the_first_is_named() {
    let (show, job) = job_with_reports().await;
    let second = show.app.ask_for_job(&show.org, "event_customers_a1").await;
    assert_eq!(
        refused(&second, 409, "ALREADY_EXISTS"),
        "JOB_ALREADY_EXISTS"
    );
    assert_eq!(
        second.json()["error"]["details"][0]["metadata"]["jobId"],
        json!(job)
    );
    assert!(second.text().contains(&job));
    show.app
        .delete(&show.org, &format!("/v1/jobs/{job}"))
        .await
        .ok();
    show.app.job(&show.org, "event_customers_a1").await;
}

#[tokio::test]
async fn jobs_and_reports_of_other_organisations_are_not_found() {
    let (show, job) = job_with_reports().await;
    let report = show
        .app
        .bulk_reports(&show.org, &job, "?pageSize=1")
        .await
        .remove(0);
    let id = report["id"].as_str().expect("an id");
    let rival = show.app.org("rival", "UTC").await;
    let unknown = "01930000-0000-7000-8000-000000000000";
    let responses = async |org: &Org, job: &str, id: &str| {
        let mut responses = Vec::new();
        for path in [
            format!("/v1/jobs/{job}"),
            format!("/v1/jobs/{job}/reports"),
            format!("/v1/jobs/{job}/reports/{id}"),
        ] {
            let response = show.app.get(org, &path).await;
            refused(&response, 404, "NOT_FOUND");
            responses.push(response.text().replace(job, "JOB"));
        }
        let response = show.app.delete(org, &format!("/v1/jobs/{job}")).await;
        refused(&response, 404, "NOT_FOUND");
        responses.push(response.text().replace(job, "JOB"));
        responses
    };
    let theirs = responses(&rival, &job, id).await;
    assert_eq!(theirs, responses(&rival, unknown, id).await);
    refused(
        &show.app.get(&rival, media(&report)).await,
        404,
        "NOT_FOUND",
    );
    let bent = media(&report).replace("orgs/acme", "orgs/rival");
    refused(&show.app.get(&rival, &bent).await, 404, "NOT_FOUND");
    for path in [
        "/v1/jobs/x",
        "/v1/jobs/x/reports",
        "/v1/media/x?alt=media",
        "/v1/nothing",
    ] {
        refused(&show.app.get(&show.org, path).await, 404, "NOT_FOUND");
    }
    let path = format!("/v1/jobs/{job}/reports/0{id}");
    refused(&show.app.get(&show.org, &path).await, 404, "NOT_FOUND");
    assert_eq!(show.app.get(&rival, "/v1/jobs").await.text(), "{}");
}

#[tokio::test]
async fn missing_and_insufficient_tokens_are_refused_in_googles_format() {
    let (show, job) = job_with_reports().await;
    let collector = Org {
        id: show.org.id.clone(),
        token: show.app.token(&show.org.id, "collect").await,
    };
    let reader = Org {
        id: show.org.id.clone(),
        token: show.app.token(&show.org.id, "report").await,
    };
    let nobody = Org {
        id: show.org.id.clone(),
        token: "sr_nothing".to_owned(),
    };
    let reports = format!("/v1/jobs/{job}/reports");
    assert_eq!(
        refused(
            &show.app.get(&collector, &reports).await,
            403,
            "PERMISSION_DENIED"
        ),
        "SCOPE_MISSING"
    );
    let unknown = show.app.get(&nobody, &reports).await;
    refused(&unknown, 401, "UNAUTHENTICATED");
    assert_eq!(
        unknown.header("www-authenticate"),
        r#"Bearer realm="showreport""#
    );
    show.app.get(&reader, &reports).await.ok();
    show.app.job(&reader, "event_watch_time_a1").await;
    let put = request("PUT", &show.org, "/v1/jobs")
        .body(Body::empty())
        .expect("a request");
    let put = show.app.send(put).await;
    refused(&put, 405, "UNIMPLEMENTED");
    assert!(!put.header("allow").is_empty());
}

#[tokio::test]
async fn the_method_may_be_given_in_a_header() {
    let (show, job) = job_with_reports().await;
    let send = async |method: &str, path: &str, body: &str| {
        let request = request("POST", &show.org, path)
            .header("x-http-method-override", method)
            .header("content-type", "application/x-www-form-urlencoded");
        show.app
            .send(
                request
                    .body(Body::from(body.to_owned()))
                    .expect("a request"),
            )
            .await
    };
    let listed = send("GET", "/v1/jobs", "alt=json&pageSize=1").await.ok();
    assert_eq!(listed["jobs"][0]["id"], json!(job));
    let reports = send("GET", &format!("/v1/jobs/{job}/reports"), "pageSize=3")
        .await
        .ok();
    assert_eq!(reports["reports"].as_array().map(Vec::len), Some(3));
    refused(&send("BREW", "/v1/jobs", "").await, 400, "INVALID_ARGUMENT");
    assert_eq!(
        send("DELETE", &format!("/v1/jobs/{job}"), "").await.text(),
        "{}"
    );
}

#[tokio::test]
async fn too_many_requests_get_a_retry_after() {
    let show = Show::new().await;
    let mut response = show.app.get(&show.org, "/v1/jobs").await;
    for _ in 0..6_000 {
        response = show.app.get(&show.org, "/v1/reportTypes?pageSize=1").await;
        if response.status != 200 {
            break;
        }
    }
    assert_eq!(
        refused(&response, 429, "RESOURCE_EXHAUSTED"),
        "RATE_LIMIT_EXCEEDED"
    );
    assert_eq!(
        response.json()["error"]["errors"][0]["reason"],
        "rateLimitExceeded"
    );
    assert_eq!(response.header("retry-after"), "1");
    let events = show.app.get(&show.org, "/api/v1/events").await;
    assert_eq!(events.refused(429), "RATE_LIMIT_EXCEEDED");
    let rival = show.app.org("rival", "UTC").await;
    show.app.get(&rival, "/v1/jobs").await.ok();
    show.send([watches("ada", "tab", "10:00..10:01")]).await;
    show.app.clock.advance_millis(1_000);
    show.app.get(&show.org, "/v1/jobs").await.ok();
}
