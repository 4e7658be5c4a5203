//! Headers by which a client says which form it takes and what it has already.

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT_ENCODING, IF_NONE_MATCH, IF_RANGE};

/// Whether the client asks for gzip, and no less gladly than for plain bytes.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let mut gzip = None;
    let mut identity = None;
    let mut any = None;
    for value in headers.get_all(ACCEPT_ENCODING) {
        let Ok(text) = value.to_str() else { continue };
        for entry in text.split(',') {
            let (name, parameters) = entry.split_once(';').unwrap_or((entry, ""));
            let weight = weight(parameters);
            match name.trim().to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => gzip = Some(weight),
                "identity" => identity = Some(weight),
                "*" => any = Some(weight),
                _ => {}
            }
        }
    }
    let gzip = gzip.or(any).unwrap_or(0);
    gzip > 0 && gzip >= identity.unwrap_or(0)
}

/// A quality in thousandths: 1000 without one, nought where it is malformed.
fn weight(parameters: &str) -> u32 {
    let Some((name, value)) = parameters.split_once('=') else {
        return 1000;
    };
    if !name.trim().eq_ignore_ascii_case("q") {
        return 1000;
    }
    match value.trim().split_once('.') {
        None => match value.trim() {
            "1" => 1000,
            _ => 0,
        },
        Some(("1", _)) => 1000,
        Some(("0", decimals)) => format!("{decimals:0<3}")
            .get(..3)
            .and_then(|thousandths| thousandths.parse().ok())
            .unwrap_or(0),
        Some(_) => 0,
    }
}

/// Whether the client has these bytes already.
pub(super) fn has_already(headers: &HeaderMap, etag: &str) -> bool {
    headers.get_all(IF_NONE_MATCH).iter().any(|value| {
        value.to_str().is_ok_and(|text| {
            text.split(',')
                .map(str::trim)
                .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
        })
    })
}

/// Whether a range may be taken of these bytes: it goes on with a download of the same ones.
pub(super) fn range_applies(headers: &HeaderMap, etag: &str) -> bool {
    // A date never matches, since no answer of ours has one to compare with.
    headers
        .get(IF_RANGE)
        .is_none_or(|value| value.as_bytes() == etag.as_bytes())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn accepts(text: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_str(text).unwrap());
        takes_gzip(&headers)
    }

    #[test]
    fn gzip_is_sent_to_those_who_ask() {
        assert!(!takes_gzip(&HeaderMap::new()));
        for text in [
            "gzip",
            "gzip, deflate, br",
            "br;q=1.0, gzip;q=0.8, *;q=0.1",
            "*",
            "GZIP;Q=0.001",
            "gzip;q=0.5, identity;q=0.5",
        ] {
            assert!(accepts(text), "{text}");
        }
        for text in [
            "",
            "identity",
            "br",
            "gzip;q=0",
            "gzip;q=0.000",
            "*;q=0",
            "gzip;q=0, *",
            "identity;q=1, gzip;q=0.5",
            "gzip;q=x",
        ] {
            assert!(!accepts(text), "{text}");
        }
    }

    #[test]
    fn a_tag_matches_in_a_list() {
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
}
