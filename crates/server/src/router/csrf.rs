//! Refuses writes of pages that come from another origin.
//!
//! A browser adds the cookie of a session to a form that another site has written. It says where
//! the form comes from in `Sec-Fetch-Site` and `Origin`, which scripts cannot change.

use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use tower_http::csrf::{CsrfLayer, ProtectionError};

use crate::error::{ApiError, Reason};

/// The layer of all routes that a cookie can write with.
pub(super) fn same_origin(
    public_url: &str,
) -> CsrfLayer<impl Fn(ProtectionError) -> Response + Clone + Send + Sync + 'static> {
    let layer = CsrfLayer::new();
    // A proxy may have changed `Host`, so the public URL counts beside it.
    let trusted = origin(public_url).and_then(|it| layer.clone().add_trusted_origin(it).ok());
    trusted.unwrap_or(layer).with_rejection_response(|_| {
        let message = "the form was sent from a page of another site; open the page here and send \
                       it again";
        ApiError::new(Reason::CrossOrigin, message).into_response()
    })
}

/// The origin of an address as browsers write it: in lower case, and without a port that is the
/// default of its scheme.
fn origin(url: &str) -> Option<String> {
    let url: Uri = url.parse().ok()?;
    let scheme = url.scheme_str()?.to_ascii_lowercase();
    let host = url.host()?.to_ascii_lowercase();
    let port = url.port_u16();
    let port =
        port.filter(|port| !matches!((scheme.as_str(), port), ("http", 80) | ("https", 443)));
    Some(match port {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_do() {
        for (url, expected) in [
            ("http://127.0.0.1:8470", "http://127.0.0.1:8470"),
            (
                "https://Reports.Example.com/base",
                "https://reports.example.com",
            ),
            ("HTTPS://example.com:443", "https://example.com"),
            ("http://example.com:80/", "http://example.com"),
            ("http://example.com:443", "http://example.com:443"),
            ("http://[::1]:8470", "http://[::1]:8470"),
        ] {
            assert_eq!(origin(url).as_deref(), Some(expected));
        }
        assert_eq!(origin(""), None);
    }
}
