//! Normalizes percent-encoding in paths.
//!
//! `reports%3Abatch-get` and `reports:batch-get` are the same path (RFC 3986, section 6.2.2.2; `:`
//! and similar characters delimit nothing in the paths of this server, section 3.3). The router
//! compares paths without decoding. So characters that need no encoding are decoded before; others,
//! such as `%2F`, stay encoded.
//!
//! Decoded by hand: the crate `percent-encoding` decodes all characters or none.

use axum::extract::Request;
use axum::http::Uri;
use axum::middleware::Next;
use axum::response::Response;

/// Decodes characters of the path that need no encoding.
pub(super) async fn normalize(mut request: Request, next: Next) -> Response {
    if let Some(uri) = normalized(request.uri()) {
        *request.uri_mut() = uri;
    }
    next.run(request).await
}

/// The address with a normalized path; `None` if it is normalized already.
fn normalized(uri: &Uri) -> Option<Uri> {
    with_path(uri, normalized_path(uri.path())?)
}

/// The address with another path.
pub(super) fn with_path(uri: &Uri, path: String) -> Option<Uri> {
    let path_and_query = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path_and_query.parse().ok()?);
    Uri::from_parts(parts).ok()
}

fn normalized_path(path: &str) -> Option<String> {
    if !path.contains('%') {
        return None;
    }
    let mut normalized = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((plain, encoded)) = rest.split_once('%') {
        normalized.push_str(plain);
        let byte = encoded.get(..2).and_then(hexadecimal);
        if let Some(byte) = byte.filter(|byte| needs_no_encoding(*byte)) {
            normalized.push(char::from(byte));
            rest = &encoded[2..];
        } else {
            normalized.push('%');
            rest = encoded;
        }
    }
    normalized.push_str(rest);
    (normalized != path).then_some(normalized)
}

fn hexadecimal(digits: &str) -> Option<u8> {
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_plain.then(|| u8::from_str_radix(digits, 16).ok())?
}

/// Whether a path may have the character without encoding (`pchar` of RFC 3986).
fn needs_no_encoding(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_characters_that_need_no_encoding_are_decoded() {
        for (path, expected) in [
            ("/reports%3Abatch-get", "/reports:batch-get"),
            ("/reports%3abatch-get", "/reports:batch-get"),
            ("/%76%31/jobs", "/v1/jobs"),
            ("/a%2Fb%3Ac%3Fd%25%2541", "/a%2Fb:c%3Fd%25%2541"),
            ("/%E3%81%82%41%00%20", "/%E3%81%82A%00%20"),
            ("/a%", "/a%"),
            ("/a%4", "/a%4"),
            ("/a%+1%zz%41", "/a%+1%zzA"),
        ] {
            let normalized = normalized_path(path).unwrap_or_else(|| path.to_owned());
            assert_eq!(normalized, expected);
            assert_eq!(normalized_path(&normalized), None, "{path} is normalized");
        }
    }

    #[test]
    fn the_rest_of_an_address_is_not_changed() {
        let uri: Uri = "http://host:1/a%3Ab?q=%3A".parse().unwrap();
        assert_eq!(normalized(&uri).unwrap(), "http://host:1/a:b?q=%3A");
        let uri: Uri = "/a%3Ab".parse().unwrap();
        assert_eq!(normalized(&uri).unwrap(), "/a:b");
        assert_eq!(normalized(&"/a:b".parse().unwrap()), None);
    }
}
