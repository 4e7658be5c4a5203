//! Responses over HTTP, and checks on them.

use axum::body::Body;
use axum::http::StatusCode;
use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::Value;

/// A response that was read to its end.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Response {
    pub(crate) async fn read(response: axum::http::Response<Body>) -> Self {
        let (head, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .expect("the whole body arrives")
            .to_bytes();
        Self {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
        }
    }

    /// The value of a header; empty if it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("a header of plain text"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The JSON of a 200.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        self.is(200);
        self.json()
    }

    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> &Self {
        assert_eq!(
            self.status,
            status,
            "{}",
            String::from_utf8_lossy(&self.body)
        );
        self
    }

    /// Checks that the response is an error in the format of google.rpc.Status. Returns its reason.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16) -> String {
        self.is(status);
        assert!(
            self.header("content-type").starts_with("application/json"),
            "{:?}",
            self.headers
        );
        let error = self.json();
        let code = error["code"].as_i64().expect("a code");
        assert!(rpc_codes(status).contains(&code), "{error}");
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|message| message.len() > 10),
            "{error}"
        );
        let info = error["details"].as_array().and_then(|details| {
            details
                .iter()
                .find(|detail| detail["@type"] == "type.googleapis.com/google.rpc.ErrorInfo")
        });
        let info = info.unwrap_or_else(|| panic!("no ErrorInfo: {error}"));
        assert_eq!(info["domain"], "showreport", "{error}");
        let reason = info["reason"].as_str().expect("a reason");
        let upper_snake = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        assert!(reason.chars().all(upper_snake), "{reason}");
        reason.to_owned()
    }

    /// The fields that a 400 names.
    #[track_caller]
    pub(crate) fn bad_fields(&self) -> Vec<String> {
        self.refused(400);
        let error = self.json();
        let bad = error["details"].as_array().and_then(|details| {
            details
                .iter()
                .find(|detail| detail["@type"] == "type.googleapis.com/google.rpc.BadRequest")
        });
        let bad = bad.unwrap_or_else(|| panic!("no BadRequest: {error}"));
        let violations = bad["field_violations"]
            .as_array()
            .expect("field_violations");
        violations
            .iter()
            .map(|violation| {
                assert!(
                    violation["description"]
                        .as_str()
                        .is_some_and(|text| !text.is_empty())
                );
                violation["field"].as_str().expect("a field").to_owned()
            })
            .collect()
    }
}

/// The codes of google.rpc that an HTTP status may carry.
fn rpc_codes(status: u16) -> &'static [i64] {
    match StatusCode::from_u16(status).expect("a status") {
        StatusCode::BAD_REQUEST => &[3],
        StatusCode::UNAUTHORIZED => &[16],
        StatusCode::FORBIDDEN => &[7],
        StatusCode::NOT_FOUND => &[5],
        StatusCode::INTERNAL_SERVER_ERROR => &[13],
        StatusCode::SERVICE_UNAVAILABLE => &[14],
        // The original API documents no others, so any code is accepted.
        _ => &[3, 5, 6, 8, 9, 10, 11, 12, 14],
    }
}
