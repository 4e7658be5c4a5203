//! A table of conditional and range requests (RFC 9110) to links and to files of bulk reports.

use std::io::Read;

use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use serde_json::json;

use crate::harness::bulk::{job_with_reports, media};
use crate::harness::reports::link;
use crate::harness::show::says;
use crate::harness::{Response, Show};

/// The expected body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    Plain,
    Packed,
    /// The first four bytes.
    Part,
    /// Not modified; with the tag of the plain or the compressed bytes.
    HasPlain,
    HasPacked,
    /// A refusal.
    Refused(u16),
}

use Sent::{HasPacked, HasPlain, Packed, Part, Plain, Refused};

/// The headers of a request, where `{plain}` and `{packed}` are the tags of the plain and the
/// compressed file and `{size}` is its size; then the response to `GET`, and to `HEAD` if it
/// differs.
type Row = (&'static [(&'static str, &'static str)], Sent, Option<Sent>);

const GZIP: (&str, &str) = ("accept-encoding", "gzip, deflate, br");
const FOUR: (&str, &str) = ("range", "bytes=0-3");
const BEYOND: (&str, &str) = ("range", "bytes={size}-");

const TABLE: &[Row] = &[
    // Codings.
    (&[], Plain, None),
    (&[GZIP], Packed, None),
    (&[("accept-encoding", "identity")], Plain, None),
    (&[("accept-encoding", "gzip;q=0")], Plain, None),
    (
        &[("accept-encoding", "gzip;q=0.5, identity;q=0.9")],
        Plain,
        None,
    ),
    (&[("accept-encoding", "gzip, identity;q=0")], Packed, None),
    (&[("accept-encoding", "*;q=0")], Plain, None),
    // Ranges: of plain bytes, and by GET alone.
    (&[FOUR], Part, Some(Plain)),
    (&[FOUR, GZIP], Part, Some(Packed)),
    (
        &[FOUR, ("accept-encoding", "gzip, identity;q=0")],
        Packed,
        None,
    ),
    (&[BEYOND], Refused(416), Some(Plain)),
    (&[("range", "bytes=3-0")], Plain, None),
    (&[("range", "bytes=0-1,3-4")], Plain, None),
    (&[("range", "lines=0-3"), GZIP], Packed, None),
    // If-Range: the plain bytes by their strong tag; a date never matches, since no response has
    // one.
    (&[FOUR, ("if-range", "{plain}")], Part, Some(Plain)),
    (&[FOUR, ("if-range", "W/{plain}")], Plain, None),
    (&[FOUR, ("if-range", "{packed}"), GZIP], Packed, None),
    (&[FOUR, ("if-range", "\"other\"")], Plain, None),
    (
        &[FOUR, ("if-range", "Sun, 29 Nov 2026 10:00:00 GMT")],
        Plain,
        None,
    ),
    (&[BEYOND, ("if-range", "\"other\"")], Plain, None),
    (&[("if-range", "\"other\"")], Plain, None),
    // If-None-Match: weakly, any form that is accepted, before the range.
    (&[("if-none-match", "{plain}")], HasPlain, None),
    (&[("if-none-match", "W/{plain}")], HasPlain, None),
    (&[("if-none-match", "\"other\", {plain}")], HasPlain, None),
    (&[("if-none-match", "*")], HasPlain, None),
    (&[("if-none-match", "*"), GZIP], HasPacked, None),
    (&[("if-none-match", "{packed}"), GZIP], HasPacked, None),
    (&[("if-none-match", "{plain}"), GZIP], HasPlain, None),
    (
        &[("if-none-match", "{plain}, {packed}"), GZIP],
        HasPacked,
        None,
    ),
    (&[("if-none-match", "{packed}")], Plain, None),
    (&[("if-none-match", "\"other\""), GZIP], Packed, None),
    (&[("if-none-match", "{plain}"), FOUR], HasPlain, None),
    (
        &[("if-none-match", "{packed}"), FOUR, GZIP],
        HasPacked,
        None,
    ),
    (&[("if-none-match", "{plain}"), BEYOND], HasPlain, None),
    // If-Match: strongly, any form that is accepted, before everything else.
    (&[("if-match", "{plain}")], Plain, None),
    (&[("if-match", "\"other\", {plain}")], Plain, None),
    (&[("if-match", "*")], Plain, None),
    (&[("if-match", "*"), GZIP], Packed, None),
    (&[("if-match", "{packed}"), GZIP], Packed, None),
    (&[("if-match", "{plain}"), GZIP], Plain, None),
    (&[("if-match", "{packed}")], Refused(412), None),
    (&[("if-match", "W/{plain}")], Refused(412), None),
    (&[("if-match", "\"other\"")], Refused(412), None),
    (&[("if-match", "\"other\""), GZIP, FOUR], Refused(412), None),
    (&[("if-match", "\"other\""), BEYOND], Refused(412), None),
    (&[("if-match", "{plain}"), FOUR], Part, Some(Plain)),
    (&[("if-match", "{plain}"), FOUR, GZIP], Part, Some(Plain)),
    (&[("if-match", "{packed}"), FOUR, GZIP], Packed, None),
    (
        &[("if-match", "{plain}"), BEYOND],
        Refused(416),
        Some(Plain),
    ),
    (
        &[("if-match", "{plain}"), ("if-none-match", "{plain}")],
        HasPlain,
        None,
    ),
    (
        &[("if-match", "\"other\""), ("if-none-match", "{plain}")],
        Refused(412),
        None,
    ),
    // Dates are ignored, since no response has one to compare with.
    (
        &[("if-modified-since", "Fri, 31 Dec 9999 23:59:59 GMT")],
        Plain,
        None,
    ),
    (
        &[("if-unmodified-since", "Sat, 01 Jan 2000 00:00:00 GMT")],
        Plain,
        None,
    ),
];

/// A file with its URL and its tags.
struct File<'a> {
    show: &'a Show,
    address: String,
    token: Option<&'a str>,
    bytes: Bytes,
    plain: String,
    packed: String,
}

impl<'a> File<'a> {
    async fn at(show: &'a Show, address: &str, token: Option<&'a str>) -> Self {
        let mut file = Self {
            show,
            address: address.to_owned(),
            token,
            bytes: Bytes::new(),
            plain: String::new(),
            packed: String::new(),
        };
        let plain = file.request("GET", &[]).await;
        let packed = file.request("GET", &[GZIP]).await;
        plain.header("etag").clone_into(&mut file.plain);
        packed.header("etag").clone_into(&mut file.packed);
        file.bytes = plain.is(200).body.clone();
        assert_ne!(file.plain, file.packed, "other bytes, another tag");
        file
    }

    async fn request(&self, method: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = Request::builder().method(method).uri(&self.address);
        for (name, value) in headers {
            let value = value
                .replace("{plain}", &self.plain)
                .replace("{packed}", &self.packed)
                .replace("{size}", &self.bytes.len().to_string());
            request = request.header(*name, value);
        }
        if let Some(token) = self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Body::empty()).expect("a request");
        self.show.app.send(request).await
    }

    fn check(&self, response: &Response, sent: Sent, is_head: bool) {
        let size = self.bytes.len().to_string();
        let part = format!("bytes 0-3/{size}");
        let (status, etag, length, coding, range) = match sent {
            Plain => (200, &*self.plain, &*size, "", ""),
            Packed => (200, &*self.packed, "", "gzip", ""),
            Part => (206, &*self.plain, "4", "", &*part),
            HasPlain => (304, &*self.plain, "", "", ""),
            HasPacked => (304, &*self.packed, "", "", ""),
            Refused(status) => return self.check_refusal(response, status, is_head),
        };
        assert_eq!(response.status, status);
        let is_sent = status != 304;
        for (name, value) in [
            ("etag", etag),
            ("content-length", length),
            ("content-encoding", coding),
            ("content-range", range),
            ("accept-ranges", "bytes"),
            ("cache-control", "private"),
            ("vary", "accept-encoding"),
        ] {
            assert_eq!(response.header(name), value, "{name}");
        }
        let vary = response.headers.get_all("vary").iter().count();
        assert_eq!(vary, 1, "of nothing else");
        for name in ["content-type", "content-disposition"] {
            assert_eq!(!response.header(name).is_empty(), is_sent, "{name}");
        }
        let bytes = match sent {
            _ if is_head || !is_sent => &[],
            Part => &self.bytes[..4],
            _ => &self.bytes[..],
        };
        let mut unpacked = Vec::new();
        match sent {
            Packed if !is_head => {
                let mut reader = flate2::read::GzDecoder::new(&response.body[..]);
                reader.read_to_end(&mut unpacked).expect("whole");
            }
            _ => unpacked.extend_from_slice(&response.body),
        }
        assert_eq!(unpacked, bytes);
    }

    fn check_refusal(&self, response: &Response, status: u16, is_head: bool) {
        if is_head {
            assert_eq!((response.status, response.body.len()), (status, 0));
        } else if self.token.is_none() {
            response.refused(status);
        } else {
            assert_eq!(response.status, status);
            assert_eq!(response.json()["error"]["code"], status);
        }
        match status {
            412 => assert_eq!(response.header("etag"), self.plain),
            _ => assert_eq!(
                response.header("content-range"),
                format!("bytes */{}", self.bytes.len())
            ),
        }
    }

    async fn check_all(&self) {
        for (headers, get, head) in TABLE {
            for (method, sent) in [("GET", *get), ("HEAD", head.unwrap_or(*get))] {
                println!("{method} {headers:?}: {sent:?}");
                let response = self.request(method, headers).await;
                self.check(&response, sent, method == "HEAD");
            }
        }
    }
}

/// A show with a report of its chat.
async fn made() -> (Show, String) {
    let show = Show::new().await;
    show.send([says("ada", "m1", "10:00", "hello, hello, hello")])
        .await;
    let entry = json!({"dimension": "REPORT_DIMENSION_CHAT_HISTORIES", "group_by_fields": []});
    let mut made = show.app.make(&show.org, "keynote", &[entry]).await;
    let link = link(&made.remove(0).report).to_owned();
    (show, link)
}

#[tokio::test]
async fn get_and_head_of_a_link_agree_under_every_condition() {
    let (show, link) = made().await;
    for variant in ["", "?variant=raw", "?variant=excel"] {
        let address = format!("{link}{variant}");
        File::at(&show, &address, None).await.check_all().await;
    }
}

#[tokio::test]
async fn get_and_head_of_a_bulk_report_agree_under_every_condition() {
    let (show, job) = job_with_reports().await;
    let report = show.app.bulk_reports(&show.org, &job, "").await.remove(0);
    let file = File::at(&show, media(&report), Some(&show.org.token)).await;
    file.check_all().await;
}

#[tokio::test]
async fn pages_of_any_origin_read_a_link_in_parts() {
    let (show, link) = made().await;
    let file = File::at(&show, &link, None).await;
    let origin = ("origin", "https://dashboard.example");
    let asked = "range,if-match,if-none-match,if-range,x-request-id";
    let preflight = [
        origin,
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", asked),
    ];
    let allowed = file.request("OPTIONS", &preflight).await;
    allowed.is(200);
    assert_eq!(allowed.header("access-control-allow-origin"), "*");
    assert_eq!(allowed.header("access-control-allow-headers"), asked);
    assert!(
        allowed
            .header("access-control-allow-methods")
            .contains("HEAD")
    );
    // Pages can read refusals too.
    let expired = {
        show.app.clock.advance_millis(3_600_000);
        file.request("GET", &[origin]).await
    };
    assert_eq!(expired.refused(403), "LINK_EXPIRED");
    assert_eq!(expired.header("access-control-allow-origin"), "*");
    let anew = made().await;
    let file = File::at(&anew.0, &anew.1, None).await;
    for method in ["GET", "HEAD"] {
        let response = file.request(method, &[origin, FOUR]).await;
        assert_eq!(response.header("access-control-allow-origin"), "*");
        assert_eq!(response.header("access-control-allow-credentials"), "");
        let exposed = response.header("access-control-expose-headers");
        for name in [
            "content-range",
            "etag",
            "accept-ranges",
            "content-disposition",
        ] {
            assert!(exposed.contains(name), "{exposed}");
        }
    }
}

#[tokio::test]
async fn other_methods_on_a_link_are_refused_with_allow() {
    let (show, link) = made().await;
    let file = File::at(&show, &link, None).await;
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let response = file.request(method, &[]).await;
        assert_eq!(response.refused(405), "METHOD_NOT_ALLOWED");
        let allow = response.header("allow");
        assert!(allow.contains("GET") && allow.contains("HEAD"), "{allow}");
    }
}
