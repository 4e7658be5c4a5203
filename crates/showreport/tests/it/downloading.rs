//! Downloads by the links of reports.

use std::io::Read;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::harness::reports::link;
use crate::harness::show::{says, watches};
use crate::harness::{Response, Show};

/// A show with a report of its chat, with a guarded cell.
async fn made() -> (Show, Value) {
    let show = Show::new().await;
    show.send([
        says("ada", "m1", "10:00", "=1+1"),
        says("bob", "m2", "10:01", "hello"),
    ])
    .await;
    let entry = json!({"dimension": "REPORT_DIMENSION_CHAT_HISTORIES", "group_by_fields": []});
    let report = show
        .app
        .make(&show.org, "keynote", &[entry])
        .await
        .remove(0)
        .report;
    (show, report)
}

async fn get(show: &Show, path: &str, headers: &[(&str, &str)]) -> Response {
    ask(show, "GET", path, headers).await
}

async fn ask(show: &Show, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    show.app
        .send(request.body(Body::empty()).expect("a request"))
        .await
}

#[tokio::test]
async fn a_link_opens_without_a_header() {
    let (show, report) = made().await;
    let response = get(&show, link(&report), &[]).await;
    response.is(200);
    assert_eq!(
        response.header("content-type"),
        "text/csv; charset=utf-8; header=present"
    );
    assert_eq!(
        response.header("content-length"),
        report["size_bytes"].to_string()
    );
    assert_eq!(response.header("accept-ranges"), "bytes");
    assert!(
        response.header("etag").starts_with('"'),
        "{:?}",
        response.headers
    );
    let name = response.header("content-disposition");
    assert!(
        name.starts_with("attachment") && name.contains(".csv") && name.contains("keynote"),
        "{name}"
    );
    assert!(response.text().contains("'=1+1"));
}

/// The file name for browsers, and the one for old clients.
fn names(response: &Response) -> (String, String) {
    let header = response.header("content-disposition");
    let ascii = header.split('"').nth(1).expect("a name in quotes");
    let encoded = header.split("filename*=UTF-8''").nth(1);
    let full = encoded.map_or_else(|| ascii.to_owned(), percent_decoded);
    (full, ascii.to_owned())
}

fn percent_decoded(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at(2);
        bytes.push(u8::from_str_radix(digits, 16).expect("two digits"));
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).expect("UTF-8")
}

#[tokio::test]
async fn names_of_files_fit_every_file_system() {
    let fields = [
        "WATCH_TIMESTAMP",
        "CUSTOMER_ID",
        "DEVICE_ID",
        "DEVICE_OS",
        "GEO_REGION",
    ];
    let fields = fields.map(|field| format!("GROUP_BY_FIELD_{field}"));
    let show = Show::new().await;
    show.send([watches("ada", "tab", "10:00..10:01")]).await;
    for title in [
        "あ".repeat(55),
        "株主総会".repeat(20),
        "हिन्दी में कार्यक्रम ".repeat(10),
        "การประชุมผู้ถือหุ้น".repeat(9),
        "🎉".to_owned(),
    ] {
        let event = json!({"type": "event", "event_id": "keynote", "kind": "live", "title": title,
            "updated_at": show.app.now().as_millis()});
        show.send([event]).await;
        show.app.clock.advance_millis(1);
        for fields in [&fields[..], &[]] {
            let entry =
                json!({"dimension": "REPORT_DIMENSION_WATCH_TIME", "group_by_fields": fields});
            let made = show
                .app
                .make(&show.org, "keynote", &[entry])
                .await
                .remove(0);
            let path = link(&made.report);
            let last = path.rsplit('/').next().expect("a last part");
            let safe = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
            assert!(last.len() <= 64 && last.chars().all(safe), "{last}");
            assert_eq!(last, "keynote-watch-time.csv", "{title}");
            let (full, ascii) = names(&get(&show, path, &[]).await);
            assert!(full.len() <= 120 && ascii.len() <= 120, "{full} {ascii}");
            assert!(
                ascii.chars().all(safe) && ascii.starts_with("keynote-watch-time"),
                "{ascii}"
            );
            assert!(
                full.contains("-watch-time") && full.rsplit('.').next() == Some("csv"),
                "{full}"
            );
            if title != "🎉" {
                let room = full.find("-watch-time").expect("the dimension");
                assert!(
                    room > 30 && title.replace(' ', "-").starts_with(&full[..room]),
                    "{full}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_head_is_a_get_without_a_body() {
    let (show, report) = made().await;
    let get = get(&show, link(&report), &[]).await;
    let head = ask(&show, "HEAD", link(&report), &[]).await;
    head.is(200);
    assert!(head.body.is_empty());
    for header in [
        "content-type",
        "content-length",
        "etag",
        "accept-ranges",
        "content-disposition",
    ] {
        assert_eq!(head.header(header), get.header(header), "{header}");
    }
}

#[tokio::test]
async fn a_range_of_a_file_can_be_requested() {
    let (show, report) = made().await;
    let whole = get(&show, link(&report), &[]).await.body;
    let size = whole.len();
    let (until_end, last) = (
        format!("bytes 10-{}/{size}", size - 1),
        format!("bytes {}-{}/{size}", size - 7, size - 1),
    );
    let parts = [
        ("bytes=0-9", 0..10, format!("bytes 0-9/{size}")),
        ("bytes=10-", 10..size, until_end.clone()),
        ("bytes=-7", size - 7..size, last),
        ("bytes=10-999999", 10..size, until_end),
    ];
    for (range, bytes, content_range) in parts {
        let response = get(
            &show,
            link(&report),
            &[("range", range), ("accept-encoding", "gzip")],
        )
        .await;
        response.is(206);
        assert_eq!(response.body, whole[bytes], "{range}");
        assert_eq!(response.header("content-range"), content_range);
        assert_eq!(response.header("content-encoding"), "");
    }
    let beyond = get(
        &show,
        link(&report),
        &[("range", &format!("bytes={size}-"))],
    )
    .await;
    beyond.refused(416);
    assert_eq!(beyond.header("content-range"), format!("bytes */{size}"));
    // Ranges in other units are ignored.
    for range in ["lines=1-2", "bytes=5-2", "bytes=x"] {
        let response = get(&show, link(&report), &[("range", range)]).await;
        assert_eq!((response.status, &response.body), (200, &whole), "{range}");
    }
}

#[tokio::test]
async fn a_range_of_a_file_that_changed_is_the_whole_file() {
    let (show, report) = made().await;
    let whole = get(&show, link(&report), &[]).await;
    let etag = whole.header("etag");
    let part = get(
        &show,
        link(&report),
        &[("range", "bytes=0-3"), ("if-range", etag)],
    )
    .await;
    part.is(206);
    let other = get(
        &show,
        link(&report),
        &[("range", "bytes=0-3"), ("if-range", "\"other\"")],
    )
    .await;
    assert_eq!((other.status, &other.body), (200, &whole.body));
}

#[tokio::test]
async fn a_file_that_the_client_has_is_not_sent_again() {
    let (show, report) = made().await;
    let etag = get(&show, link(&report), &[])
        .await
        .header("etag")
        .to_owned();
    for sent in [
        etag.clone(),
        format!("W/{etag}"),
        format!("\"x\", {etag}"),
        "*".to_owned(),
    ] {
        let response = get(&show, link(&report), &[("if-none-match", &sent)]).await;
        response.is(304);
        assert!(response.body.is_empty());
        assert_eq!(response.header("etag"), etag);
    }
    get(&show, link(&report), &[("if-none-match", "\"other\"")])
        .await
        .is(200);
}

#[tokio::test]
async fn a_file_is_compressed_on_request() {
    let (show, report) = made().await;
    let plain = get(&show, link(&report), &[]).await;
    let packed = get(
        &show,
        link(&report),
        &[("accept-encoding", "br;q=0.5, gzip")],
    )
    .await;
    packed.is(200);
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert!(
        packed
            .header("vary")
            .to_lowercase()
            .contains("accept-encoding")
    );
    assert_ne!(
        packed.header("etag"),
        plain.header("etag"),
        "other bytes, another tag"
    );
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&packed.body[..])
        .read_to_end(&mut unpacked)
        .expect("whole");
    assert_eq!(unpacked, plain.body);
    for refused in ["identity", "gzip;q=0", "br"] {
        let response = get(&show, link(&report), &[("accept-encoding", refused)]).await;
        assert_eq!(response.header("content-encoding"), "", "{refused}");
    }
}

#[tokio::test]
async fn a_variant_is_the_exact_text_or_opens_in_excel() {
    let (show, report) = made().await;
    let file = show.app.download(&report, "").await;
    let raw = show.app.download(&report, "?variant=raw").await;
    assert_eq!(raw.text(), file.text().replace("'=1+1", "=1+1"));
    let excel = show.app.download(&report, "?variant=excel").await;
    assert_eq!(excel.body, [b"\xef\xbb\xbf", &file.body[..]].concat());
    assert_eq!(excel.header("content-length"), excel.body.len().to_string());
    let start = get(
        &show,
        &format!("{}?variant=excel", link(&report)),
        &[("range", "bytes=0-5")],
    )
    .await;
    assert_eq!((start.status, &start.body[..]), (206, &excel.body[..6]));
    let across = get(
        &show,
        &format!("{}?variant=excel", link(&report)),
        &[("range", "bytes=2-5")],
    )
    .await;
    assert_eq!((across.status, &across.body[..]), (206, &excel.body[2..6]));
    let tags = [
        file.header("etag"),
        raw.header("etag"),
        excel.header("etag"),
    ];
    assert!(
        tags[0] != tags[1] && tags[1] != tags[2] && tags[0] != tags[2],
        "{tags:?}"
    );
    let empty = show.app.download(&report, "?variant=").await;
    assert_eq!(empty.body, file.body);
    for unknown in ["?variant=pdf", "?variant=Raw"] {
        let refused = show.app.download(&report, unknown).await;
        assert_eq!(refused.bad_fields(), ["variant"]);
    }
}

#[tokio::test]
async fn the_exact_text_is_there_where_nothing_was_guarded() {
    let show = Show::new().await;
    show.send([watches("ada", "tab", "10:00..10:01")]).await;
    let entry = json!({"dimension": "REPORT_DIMENSION_WATCH_TIME", "group_by_fields": []});
    let made = show
        .app
        .make(&show.org, "keynote", &[entry])
        .await
        .remove(0);
    assert_eq!(
        show.app.download(&made.report, "?variant=raw").await.body,
        made.file
    );
}

#[tokio::test]
async fn a_changed_link_is_not_found() {
    let (show, report) = made().await;
    let parts: Vec<&str> = link(&report).split('/').collect();
    // "", "downloads", report, expires, signature, file name
    assert_eq!((parts.len(), parts[1]), (6, "downloads"), "{parts:?}");
    let later = parts[3].replace(parts[3].chars().next_back().expect("digits"), "7") + "1";
    let other = |c: char| if c == 'A' { 'B' } else { 'A' };
    let signature: String = parts[4]
        .char_indices()
        .map(|(at, c)| if at == 3 { other(c) } else { c })
        .collect();
    for (place, bent) in [
        (2, "01930000-0000-7000-8000-000000000000"),
        (2, "x"),
        (3, &later),
        (3, "x"),
        (4, &signature),
        (4, "x"),
        (4, ""),
    ] {
        let mut parts = parts.clone();
        parts[place] = bent;
        get(&show, &parts.join("/"), &[]).await.refused(404);
    }
}

#[tokio::test]
async fn a_link_opens_for_an_hour_and_is_signed_anew() {
    let (show, report) = made().await;
    show.app.clock.advance_millis(3_600_000 - 1);
    get(&show, link(&report), &[]).await.is(200);
    show.app.clock.advance_millis(1);
    assert_eq!(
        get(&show, link(&report), &[]).await.refused(403),
        "LINK_EXPIRED"
    );
    // A changed link is not found, expired or not.
    get(
        &show,
        &link(&report)
            .replace(".csv", "")
            .replace("/downloads/", "/downloads/x"),
        &[],
    )
    .await
    .refused(404);
    let id = report["id"].as_str().expect("an id");
    let anew = show.app.batch_get(&show.org, &[id]).await.ok();
    get(&show, link(&anew["reports"][0]), &[]).await.is(200);
}

#[tokio::test]
async fn links_of_a_rotated_key_work_for_their_hour_and_no_longer() {
    let (show, report) = made().await;
    let id = report["id"].as_str().expect("an id");
    let beside = show.app.open_beside().await;
    let rotated = beside.meta.rotate_signing_key().await;
    let signs_from = rotated.expect("rotate the key");
    // This process has read the keys before, and reads them again within a second.
    tokio::time::sleep(std::time::Duration::from_millis(800)).await;
    show.app.clock.advance_millis(3_600_000 - 1);
    get(&show, link(&report), &[]).await.is(200);
    assert!(show.app.now() >= signs_from);
    let anew = show.app.batch_get(&show.org, &[id]).await.ok()["reports"][0].clone();
    get(&show, link(&anew), &[]).await.is(200);
    show.app.clock.advance_millis(1);
    let reason = get(&show, link(&report), &[]).await.refused(403);
    assert_eq!(reason, "LINK_EXPIRED");
    // From now on links of the old key are refused, whatever expiry they have.
    let end = signs_from.as_millis() + 3_600_000;
    show.app
        .clock
        .advance_millis(end - show.app.now().as_millis());
    get(&show, link(&report), &[]).await.refused(404);
    get(&show, link(&anew), &[]).await.is(200);
}

#[tokio::test]
async fn a_file_that_is_no_longer_kept_is_gone() {
    let (show, report) = made().await;
    std::fs::remove_dir_all(show.app.data_dir().join("store/reports")).expect("remove the files");
    get(&show, link(&report), &[]).await.refused(410);
    get(&show, &format!("{}?variant=raw", link(&report)), &[])
        .await
        .refused(410);
}

#[tokio::test]
async fn a_file_is_kept_for_thirty_days() {
    let (show, report) = made().await;
    let id = report["id"].as_str().expect("an id");
    show.app.clock.advance_millis(30 * 24 * 3_600_000 - 1);
    show.app.maintain(true).await;
    let lasting = show.app.batch_get(&show.org, &[id]).await.ok()["reports"][0].clone();
    get(&show, link(&lasting), &[]).await.is(200);
    show.app.clock.advance_millis(1);
    show.app.maintain(true).await;
    get(&show, link(&lasting), &[]).await.refused(410);
    // The report itself is still listed.
    let report = show.app.batch_get(&show.org, &[id]).await.ok()["reports"][0].clone();
    assert_eq!(report["status"], "EVENT_REPORT_STATUS_SUCCEEDED");
}

#[tokio::test]
async fn a_link_has_a_limit_of_running_downloads() {
    let (show, report) = made().await;
    let open = || async {
        let request = Request::get(link(&report)).body(Body::empty());
        let response = show.app.begin(request.expect("a request")).await;
        assert_eq!(response.status(), 200);
        response.into_body()
    };
    let mut under_way = Vec::new();
    for _ in 0..4 {
        under_way.push(open().await);
    }
    let mut fifth = Box::pin(open());
    let waits = tokio::time::timeout(Duration::from_millis(50), &mut fifth).await;
    assert!(waits.is_err(), "a fifth has begun");
    // Requests without a body are not limited.
    let tag = get(&show, link(&report), &[("if-none-match", "*")]).await;
    tag.is(304);
    ask(&show, "HEAD", link(&report), &[]).await.is(200);

    // One download ends complete, and one because the client disconnects.
    let whole = under_way.remove(0).collect().await;
    assert!(!whole.expect("the whole body arrives").to_bytes().is_empty());
    let fifth = fifth.await;
    drop(under_way.remove(0));
    drop((open().await, fifth, under_way));
}
