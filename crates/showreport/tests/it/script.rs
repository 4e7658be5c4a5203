//! `GET /showreport.js`: how the script for pages is served.

use std::io::Read;

use axum::body::Body;
use axum::http::Request;
use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

use crate::harness::{Response, Show};

async fn get(show: &Show, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).expect("a request");
    show.app.send(request).await
}

/// The path with the hash of these bytes.
fn hashed_path(script: &[u8]) -> String {
    let hash = Sha256::digest(script);
    let first = u64::from_be_bytes(hash[..8].try_into().expect("eight bytes"));
    format!("/showreport.{first:016x}.js")
}

#[tokio::test]
async fn any_page_may_load_the_script_and_cache_it() {
    let show = Show::new().await;
    let script = get(&show, "/showreport.js", &[("origin", "https://a.example")]).await;
    script.is(200);
    for (name, value) in [
        ("content-type", "text/javascript; charset=utf-8"),
        ("access-control-allow-origin", "*"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("cache-control", "public, max-age=3600"),
        ("vary", "accept-encoding"),
    ] {
        assert_eq!(script.header(name), value, "{name}");
    }
    let tag = script.header("etag");
    let again = get(&show, "/showreport.js", &[("if-none-match", tag)]).await;
    assert!(again.is(304).body.is_empty());
    assert_eq!(again.header("etag"), tag);
}

/// Where a script sends to, seen from its own address.
fn target(script: &Response) -> &str {
    let (_, rest) = script.text().split_once("new URL(\"").expect("an address");
    rest.split('"').next().expect("its end")
}

#[tokio::test]
async fn below_the_path_of_collecting_the_script_sends_to_that_path() {
    let show = Show::new().await;
    let script = get(&show, "/showreport.js", &[]).await;
    assert_eq!(target(script.is(200)), "collect?key=");
    let below = get(&show, "/collect/showreport.js", &[]).await;
    assert_eq!(target(below.is(200)), "./?key=");
    let same = below.text().replace("./?key=", "collect?key=");
    assert_eq!(same, script.text());
    let records = Request::post("/collect/").body(Body::from("[]"));
    let response = show.app.send(records.expect("a request")).await;
    response.refused(401);
}

#[tokio::test]
async fn the_script_is_small_with_gzip_and_without() {
    let show = Show::new().await;
    let plain = get(&show, "/showreport.js", &[]).await;
    assert!(plain.header("content-encoding").is_empty());
    assert!(plain.body.len() <= 5_000, "{} bytes", plain.body.len());
    let gzip = get(&show, "/showreport.js", &[("accept-encoding", "gzip, br")]).await;
    assert_eq!(gzip.header("content-encoding"), "gzip");
    assert!(gzip.body.len() <= 2_000, "{} bytes", gzip.body.len());
    assert_ne!(gzip.header("etag"), plain.header("etag"));
    let mut unpacked = Vec::new();
    let mut decoder = GzDecoder::new(gzip.body.as_ref());
    decoder.read_to_end(&mut unpacked).expect("gzip");
    assert_eq!(unpacked, plain.body);
    let comments = ["/*", "//", "\n ", "\n\n"];
    assert!(!comments.iter().any(|it| plain.text().contains(it)));
}

#[tokio::test]
async fn the_name_with_the_hash_never_gives_another_script() {
    let show = Show::new().await;
    let script = get(&show, "/showreport.js", &[]).await;
    let path = hashed_path(&script.body);
    let hashed = get(&show, &path, &[]).await;
    assert_eq!(hashed.is(200).body, script.body);
    assert_eq!(
        hashed.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    let below = get(&show, "/collect/showreport.js", &[]).await;
    let below_path = format!("/collect{}", hashed_path(&below.body));
    assert_eq!(get(&show, &below_path, &[]).await.is(200).body, below.body);
    let other = get(&show, &hashed_path(b"another version"), &[]).await;
    other.refused(404);
}
