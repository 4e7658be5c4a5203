//! The preferences of a client, by the qualities in its headers (RFC 9110).

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

/// Whether the client prefers CSV to JSON. A client that wants either gets JSON.
pub(crate) fn prefers_csv(headers: &HeaderMap) -> bool {
    let (mut csv, mut json, mut any) = (None, None, None);
    for value in headers.get_all(ACCEPT) {
        let Ok(text) = value.to_str() else { continue };
        for entry in text.split(',') {
            let (name, parameters) = entry.split_once(';').unwrap_or((entry, ""));
            let quality = parameters.split(';').map(weight).min();
            match name.trim().to_ascii_lowercase().as_str() {
                "text/csv" => csv = quality,
                "application/json" => json = quality,
                "*/*" | "application/*" => any = quality,
                _ => {}
            }
        }
    }
    let csv = csv.unwrap_or(0);
    match json {
        Some(json) => csv > json,
        None => csv > 0 && csv >= any.unwrap_or(0),
    }
}

/// The quality value in thousandths: 1000 if absent, 0 if malformed.
pub(crate) fn weight(parameters: &str) -> u32 {
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

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn csv_is_preferred_only_where_the_client_says_so() {
        let preferred = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_str(text).unwrap());
            prefers_csv(&headers)
        };
        for text in [
            "text/csv",
            "Text/CSV; charset=utf-8",
            "text/csv, */*",
            "text/csv;q=0.9, */*;q=0.1",
            "application/json;q=0.5, text/csv",
            "text/csv; header=present; q=0.5",
        ] {
            assert!(preferred(text), "{text}");
        }
        for text in [
            "",
            "*/*",
            "application/json",
            "text/html, application/xhtml+xml, */*;q=0.8",
            "text/csv;q=0",
            "text/csv; header=present; q=0",
            "text/csv, application/json",
            "text/csv;q=0.1, */*;q=0.5",
        ] {
            assert!(!preferred(text), "{text}");
        }
        assert!(!prefers_csv(&HeaderMap::new()));
    }
}
