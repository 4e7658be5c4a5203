//! The files of bulk reports: whole, in ranges and compressed.

use axum::body::Body;
use axum::http::Request;

use crate::harness::app::request;
use crate::harness::bulk::{job_with_reports, media, refused, wrong_fields};

#[tokio::test]
async fn a_report_is_as_documented() {
    let (show, job) = job_with_reports().await;
    let report = show
        .app
        .reports_from(&show.org, &job, "2026-11-22T00:00:00Z")
        .await
        .remove(0);
    let path = format!(
        "/v1/jobs/{job}/reports/{}",
        report["id"].as_str().expect("an id")
    );
    assert_eq!(show.app.get(&show.org, &path).await.ok(), report);
    let text = |name: &str| {
        report[name]
            .as_str()
            .unwrap_or_else(|| panic!("{name}: {report}"))
            .to_owned()
    };
    assert!(text("id").bytes().all(|byte| byte.is_ascii_digit()));
    assert_eq!(text("jobId"), job);
    assert_eq!(text("endTime"), "2026-11-23T00:00:00Z");
    assert_eq!(text("sha256").len(), 64);
    assert_eq!(report["rowCount"], 1);
    assert!(report.get("jobExpireTime").is_none() && report.get("supersedes").is_none());
    let url = text("downloadUrl");
    assert!(url.len() <= 1000 && url.ends_with("?alt=media"));
    let name = url
        .split("/v1/media/")
        .nth(1)
        .expect("a name")
        .trim_end_matches("?alt=media");
    let unreserved = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
    assert!(name.chars().all(unreserved), "{name}");
    // Times are whole milliseconds, printed with six digits if they have a fraction.
    for report in show.app.bulk_reports(&show.org, &job, "").await {
        let created = report["createTime"].as_str().expect("a time").to_owned();
        assert!(
            created.len() == 20 || created.ends_with("000Z") && created.len() == 27,
            "{created}"
        );
    }
}

#[tokio::test]
async fn a_file_can_be_downloaded_whole_in_parts_and_compressed() {
    let (show, job) = job_with_reports().await;
    let report = show
        .app
        .reports_from(&show.org, &job, "2026-11-22T00:00:00Z")
        .await
        .remove(0);
    let whole = show.app.bulk_file(&show.org, &report).await;
    let path = media(&report);
    let get = async |path: &str, headers: &[(&str, &str)]| {
        let mut request: axum::http::request::Builder = request("GET", &show.org, path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        show.app
            .send(request.body(Body::empty()).expect("a request"))
            .await
    };
    // As in Google's sample for Python.
    let odd = get(
        path,
        &[("range", "bytes=0--2"), ("accept-encoding", "identity")],
    )
    .await;
    assert_eq!((odd.status, odd.text()), (200, whole.as_str()));
    let part = get(path, &[("range", "bytes=0-9"), ("accept-encoding", "gzip")]).await;
    assert_eq!((part.status, part.text()), (206, &whole[..10]));
    assert_eq!(
        part.header("content-range"),
        format!("bytes 0-9/{}", whole.len())
    );
    assert_eq!(part.header("content-encoding"), "");
    let etag = part.header("etag").to_owned();
    let rest = get(path, &[("range", "bytes=10-"), ("if-range", &etag)]).await;
    assert_eq!((rest.status, rest.text()), (206, &whole[10..]));
    let beyond = get(path, &[("range", "bytes=100000-")]).await;
    assert_eq!(
        refused(&beyond, 416, "OUT_OF_RANGE"),
        "RANGE_NOT_SATISFIABLE"
    );
    assert_eq!(
        beyond.header("content-range"),
        format!("bytes */{}", whole.len())
    );
    let packed = get(path, &[("accept-encoding", "gzip")]).await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert_ne!(packed.header("etag"), etag);
    assert_eq!(packed.header("vary"), "accept-encoding");
    assert!(packed.header("content-location").is_empty());
    assert_eq!(get(path, &[("if-none-match", &etag)]).await.status, 304);
    let head = request("HEAD", &show.org, path)
        .body(Body::empty())
        .expect("a request");
    let head = show.app.send(head).await;
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, whole.len().to_string().as_str())
    );
    let bare = path.trim_end_matches("?alt=media");
    assert_eq!(get(bare, &[]).await.text(), whole);
    assert_eq!(get(&format!("{path}&alt=media"), &[]).await.text(), whole);
    for (query, field) in [
        ("alt=json", "alt"),
        ("alt=", "alt"),
        ("variant=pdf", "variant"),
    ] {
        let response = get(&format!("{bare}?{query}"), &[]).await;
        assert_eq!(wrong_fields(&response), [field], "{query}");
    }
    let without_token = Request::get(path).body(Body::empty()).expect("a request");
    refused(&show.app.send(without_token).await, 401, "UNAUTHENTICATED");
}
