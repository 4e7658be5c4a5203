//! Paths whose characters are percent-encoded where they need not be.
//!
//! `reports%3Abatch-get` and `reports:batch-get` are one path (RFC 3986, section 6.2.2.2, and for `:` and
//! its like section 3.3: they delimit nothing within a segment of ours). The router compares paths as they
//! came, so they are brought into one form before. What would change the segments stays encoded.
//!
//! Decoded by hand: the crate `percent-encoding` decodes all characters or none.

use axum::extract::Request;
use axum::http::Uri;
use axum::middleware::Next;
use axum::response::Response;

/// Decodes what may stand in a path as it is.
pub(super) async fn normalize(mut request: Request, next: Next) -> Response {
    if let Some(uri) = normal(request.uri()) {
        *request.uri_mut() = uri;
    }
    next.run(request).await
}

/// The address in its one form; nothing where it is in it already.
fn normal(uri: &Uri) -> Option<Uri> {
    let path = normal_path(uri.path())?;
    let path_and_query = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path_and_query.parse().ok()?);
    Uri::from_parts(parts).ok()
}

fn normal_path(path: &str) -> Option<String> {
    if !path.contains('%') {
        return None;
    }
    let mut normal = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((plain, encoded)) = rest.split_once('%') {
        normal.push_str(plain);
        let byte = encoded.get(..2).and_then(hexadecimal);
        if let Some(byte) = byte.filter(|byte| may_stand(*byte)) {
            normal.push(char::from(byte));
            rest = &encoded[2..];
        } else {
            normal.push('%');
            rest = encoded;
        }
    }
    normal.push_str(rest);
    (normal != path).then_some(normal)
}

fn hexadecimal(digits: &str) -> Option<u8> {
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_plain.then(|| u8::from_str_radix(digits, 16).ok())?
}

/// Whether a path may hold the character as it is (`pchar` of RFC 3986).
fn may_stand(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_stand_is_decoded_and_nothing_else() {
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
            let normal = normal_path(path).unwrap_or_else(|| path.to_owned());
            assert_eq!(normal, expected);
            assert_eq!(normal_path(&normal), None, "{path} is in its one form");
        }
    }

    #[test]
    fn the_rest_of_an_address_stays() {
        let uri: Uri = "http://host:1/a%3Ab?q=%3A".parse().unwrap();
        assert_eq!(normal(&uri).unwrap(), "http://host:1/a:b?q=%3A");
        let uri: Uri = "/a%3Ab".parse().unwrap();
        assert_eq!(normal(&uri).unwrap(), "/a:b");
        assert_eq!(normal(&"/a:b".parse().unwrap()), None);
    }
}
