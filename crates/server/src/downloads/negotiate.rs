//! Content codings and conditions of a request (RFC 9110).
//!
//! Read by hand: no maintained crate reads `Accept-Encoding` with its qualities. `headers` reads
//! the conditions in the same way, but brings three crates for the twenty lines here.

use axum::http::header::{ACCEPT_ENCODING, IF_MATCH, IF_NONE_MATCH, IF_RANGE};
use axum::http::{HeaderMap, HeaderName};

use crate::extract::weight;

/// A content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    /// Not compressed: `identity` in `Accept-Encoding`.
    Plain,
    Gzip,
}

/// The codings that the client accepts, the preferred one first; never empty.
///
/// A file that gzip does not make smaller is compressed only for a client that excludes plain
/// bytes. A client that excludes both codings gets plain bytes, since it can use these rather than
/// a 406.
pub(crate) fn acceptable(headers: &HeaderMap, is_compressible: bool) -> &'static [Coding] {
    let mut gzip = None;
    let mut plain = None;
    let mut any = None;
    for value in headers.get_all(ACCEPT_ENCODING) {
        let Ok(text) = value.to_str() else { continue };
        for entry in text.split(',') {
            let (name, parameters) = entry.split_once(';').unwrap_or((entry, ""));
            let weight = weight(parameters);
            match name.trim().to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => gzip = Some(weight),
                "identity" => plain = Some(weight),
                "*" => any = Some(weight),
                _ => {}
            }
        }
    }
    let gzip = gzip.or(any).unwrap_or(0);
    // Plain bytes are acceptable unless they are excluded.
    let plain = plain.or(any);
    let is_excluded = plain == Some(0);
    if gzip == 0 || !(is_compressible || is_excluded) {
        &[Coding::Plain]
    } else if is_excluded {
        &[Coding::Gzip]
    } else if gzip >= plain.unwrap_or(0) {
        &[Coding::Gzip, Coding::Plain]
    } else {
        &[Coding::Plain, Coding::Gzip]
    }
}

/// Whether `If-Match` is absent or has the tag. Tags are compared strongly: a weak one never
/// matches.
pub(super) fn is_expected(headers: &HeaderMap, etag: &str) -> bool {
    !headers.contains_key(IF_MATCH) || tags(headers, &IF_MATCH).any(|tag| tag == "*" || tag == etag)
}

/// Whether `If-None-Match` has the tag. Tags are compared weakly.
pub(crate) fn has_already(headers: &HeaderMap, etag: &str) -> bool {
    tags(headers, &IF_NONE_MATCH)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// The tags of a header. A tag with a comma is split; its parts equal no tag of this server.
fn tags<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',').map(str::trim))
}

/// Whether `If-Range` is absent or is the tag, so that a range continues a download of this file.
pub(super) fn range_applies(headers: &HeaderMap, etag: &str) -> bool {
    // A date never matches, since responses have no `Last-Modified`.
    headers
        .get(IF_RANGE)
        .is_none_or(|value| value.as_bytes() == etag.as_bytes())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    use Coding::{Gzip, Plain};

    fn accepted(text: &str, is_compressible: bool) -> &'static [Coding] {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_str(text).unwrap());
        acceptable(&headers, is_compressible)
    }

    #[test]
    fn accepted_codings_are_in_the_order_of_preference() {
        assert_eq!(acceptable(&HeaderMap::new(), true), [Plain]);
        for (text, codings) in [
            ("gzip", &[Gzip, Plain][..]),
            ("gzip, deflate, br", &[Gzip, Plain]),
            ("br;q=1.0, gzip;q=0.8, *;q=0.1", &[Gzip, Plain]),
            ("*", &[Gzip, Plain]),
            ("GZIP;Q=0.001", &[Gzip, Plain]),
            ("gzip;q=0.5, identity;q=0.5", &[Gzip, Plain]),
            ("identity;q=1, gzip;q=0.5", &[Plain, Gzip]),
            ("gzip;q=0.2, *;q=0.5", &[Plain, Gzip]),
            ("gzip, identity;q=0", &[Gzip]),
            ("gzip;q=0.1, *;q=0", &[Gzip]),
            ("", &[Plain]),
            ("identity", &[Plain]),
            ("br", &[Plain]),
            ("gzip;q=0", &[Plain]),
            ("gzip;q=0.000", &[Plain]),
            ("gzip;q=0, *", &[Plain]),
            ("gzip;q=x", &[Plain]),
            ("*;q=0", &[Plain]),
            ("br, identity;q=0", &[Plain]),
        ] {
            assert_eq!(accepted(text, true), codings, "{text}");
        }
    }

    #[test]
    fn an_incompressible_file_is_compressed_only_if_plain_bytes_are_excluded() {
        assert_eq!(accepted("gzip", false), [Plain]);
        assert_eq!(accepted("identity;q=0.1, gzip", false), [Plain]);
        assert_eq!(accepted("identity;q=0, gzip", false), [Gzip]);
    }

    #[test]
    fn a_tag_matches_one_of_a_list() {
        let headers = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, HeaderValue::from_static(text));
            headers
        };
        for text in [r#""a""#, r#"W/"a""#, r#""b", "a""#, "*"] {
            assert!(has_already(&headers(text), r#""a""#), "{text}");
        }
        assert!(!has_already(&headers(r#""b""#), r#""a""#));
        assert!(!has_already(&HeaderMap::new(), r#""a""#));
    }

    #[test]
    fn only_a_strong_tag_matches_in_if_match() {
        let expects = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(IF_MATCH, HeaderValue::from_static(text));
            is_expected(&headers, r#""a""#)
        };
        assert!(is_expected(&HeaderMap::new(), r#""a""#));
        for text in [r#""a""#, r#""b", "a""#, "*"] {
            assert!(expects(text), "{text}");
        }
        for text in [r#"W/"a""#, r#""b""#, "a", "", r#""a,b""#] {
            assert!(!expects(text), "{text}");
        }
    }
}
