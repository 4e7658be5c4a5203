//! Checks the `Host` field: HTTP/1.1 requires exactly one (RFC 9112, section 3.2).
//!
//! If a proxy and a server read different ones of two fields, a client can make the proxy cache the
//! response of one site for another. So a request without the field, or with two, is refused.

use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::{ApiError, Reason};

/// Refuses a request with missing, several or malformed `Host` fields.
pub(super) async fn require_one(request: Request, next: Next) -> Response {
    match problem(request.version(), request.headers()) {
        Some(problem) => ApiError::new(Reason::InvalidHost, problem).into_response(),
        None => next.run(request).await,
    }
}

fn problem(version: Version, headers: &HeaderMap) -> Option<&'static str> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (_, Some(_)) => Some("there are two `Host` fields; send one"),
        (Some(host), None) if !is_host(host) => {
            Some("the `Host` field is no host and port, such as `reports.example.com:8470`")
        }
        (None, None) if version == Version::HTTP_11 => {
            Some("HTTP/1.1 needs a `Host` field with the host of the address")
        }
        _ => None,
    }
}

/// A host with or without a port; empty for an address without a host.
fn is_host(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    bytes.is_empty() || (!bytes.contains(&b'@') && Authority::try_from(bytes).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(version: Version, hosts: &[&'static str]) -> bool {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_static(host));
        }
        problem(version, &headers).is_some()
    }

    #[test]
    fn http_1_1_needs_one_host_and_no_version_may_have_two() {
        for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2] {
            assert_eq!(is_refused(version, &[]), version == Version::HTTP_11);
            for good in ["a", "a:80", "[::1]:8470", "", "127.0.0.1"] {
                assert!(!is_refused(version, &[good]), "{good}");
            }
            for bad in ["a b", "a/b", "u@a", "a, b", "a:80:80"] {
                assert!(is_refused(version, &[bad]), "{bad}");
            }
            assert!(is_refused(version, &["a", "a"]));
            assert!(is_refused(version, &["a", "b"]));
        }
    }
}
