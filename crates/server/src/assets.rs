//! [`Asset`]: a script or a style sheet that is part of the program. `build.rs` makes it.
//!
//! It is served with its hash as `ETag`, with gzip where the client takes it. Under a name with its
//! hash it never changes, so caches keep it.

use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, VARY};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::downloads::{Coding, acceptable, has_already};

/// A text as it is sent.
pub(crate) struct Asset {
    pub(crate) plain: &'static [u8],
    pub(crate) gzip: &'static [u8],
    pub(crate) plain_tag: &'static str,
    pub(crate) gzip_tag: &'static str,
    pub(crate) media_type: &'static str,
    /// Which pages may load it. Without `cross-origin`, pages with `Cross-Origin-Embedder-Policy:
    /// require-corp` on other hosts cannot.
    pub(crate) resource_policy: &'static str,
}

/// The asset that `build.rs` wrote under a name.
macro_rules! asset {
    ($name:literal, $media_type:literal, $resource_policy:literal) => {
        $crate::assets::Asset {
            plain: include_bytes!(concat!(env!("OUT_DIR"), "/", $name)),
            gzip: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".gz")),
            plain_tag: concat!("\"", env!(concat!("SHOWREPORT_", $name, "_HASH")), "\""),
            gzip_tag: concat!(
                "\"",
                env!(concat!("SHOWREPORT_", $name, "_HASH")),
                "-gzip\""
            ),
            media_type: $media_type,
            resource_policy: $resource_policy,
        }
    };
}
pub(crate) use asset;

/// After an upgrade, pages have the new text within an hour.
pub(crate) const FOR_AN_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");
pub(crate) const FOR_EVER: HeaderValue =
    HeaderValue::from_static("public, max-age=31536000, immutable");

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Responds with an asset, or with 304 if the client has it already.
pub(crate) fn respond(asset: &Asset, headers: &HeaderMap, cache: HeaderValue) -> Response {
    let is_gzip = acceptable(headers, true)[0] == Coding::Gzip;
    let (body, tag) = if is_gzip {
        (asset.gzip, asset.gzip_tag)
    } else {
        (asset.plain, asset.plain_tag)
    };
    let of_both = [
        (CACHE_CONTROL, cache),
        (VARY, HeaderValue::from_static("accept-encoding")),
        (
            RESOURCE_POLICY,
            HeaderValue::from_static(asset.resource_policy),
        ),
        (ETAG, HeaderValue::from_static(tag)),
    ];
    let tags = [asset.plain_tag, asset.gzip_tag];
    if tags.iter().any(|tag| has_already(headers, tag)) {
        return (StatusCode::NOT_MODIFIED, of_both).into_response();
    }
    let of_body = [(CONTENT_TYPE, HeaderValue::from_static(asset.media_type))];
    let mut response = (of_both, of_body, Bytes::from_static(body)).into_response();
    if is_gzip {
        let gzip = HeaderValue::from_static("gzip");
        response.headers_mut().insert(CONTENT_ENCODING, gzip);
    }
    response
}
