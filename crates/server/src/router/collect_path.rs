//! A second path for everything of `/collect`, since ad blockers know that name.
//!
//! The path is rewritten in front of the router. So metrics, logs and `openapi.json` have one route
//! for both paths.

use axum::extract::{Request, State};
use axum::http::Uri;
use axum::middleware::Next;
use axum::response::Response;

use super::path::with_path;
use crate::config::CollectPath;

/// The path that stands for it.
const COLLECT: &str = "/collect";

/// Reads a path such as `/v`. The error says what would be right. `taken` are the paths of routes.
pub(super) fn parse<'p>(
    text: &str,
    taken: impl IntoIterator<Item = &'p str>,
) -> Result<CollectPath, String> {
    let path = text.strip_suffix('/').unwrap_or(text);
    let is_plain = |name: &str| {
        let mut bytes = name.bytes();
        !matches!(name, "" | "." | "..")
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
    };
    let names = path.strip_prefix('/').unwrap_or_default();
    if !names.split('/').all(is_plain) {
        return Err(
            "must be a path such as /v: a slash, then letters, digits, `-`, `_`, `.` and `~`"
                .to_owned(),
        );
    }
    let first = |path: &'p str| path.split('/').nth(1);
    let mut taken = taken.into_iter().filter_map(first);
    match taken.find(|taken| names.split('/').next() == Some(taken)) {
        Some(taken) => Err(format!(
            "the server has paths that begin with /{taken}; choose another name"
        )),
        None => Ok(CollectPath(path.to_owned())),
    }
}

/// Rewrites the second path to the first.
pub(super) async fn rewrite(
    State(path): State<Option<CollectPath>>,
    mut request: Request,
    next: Next,
) -> Response {
    let uri = request.uri();
    let rewritten = path.and_then(|path| path.rewritten(uri));
    if let Some(uri) = rewritten.or_else(|| without_slash(uri)) {
        *request.uri_mut() = uri;
    }
    next.run(request).await
}

/// The script below `/collect` sends to its own folder, which ends with a slash.
fn without_slash(uri: &Uri) -> Option<Uri> {
    let is_folder = uri.path().strip_suffix('/') == Some(COLLECT);
    is_folder.then(|| with_path(uri, COLLECT.to_owned()))?
}

impl CollectPath {
    /// The address on `/collect` that an address on this path stands for.
    fn rewritten(&self, uri: &Uri) -> Option<Uri> {
        let below = uri.path().strip_prefix(&self.0)?;
        match below {
            "" | "/" => with_path(uri, COLLECT.to_owned()),
            _ if below.starts_with('/') => with_path(uri, format!("{COLLECT}{below}")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAKEN: [&str; 4] = ["/", "/collect", "/v1/jobs", "/api/v1/events"];

    #[test]
    fn a_path_has_plain_names_and_is_no_other_route() {
        for (text, path) in [("/v", "/v"), ("/v/", "/v"), ("/my-app/v.2", "/my-app/v.2")] {
            assert_eq!(parse(text, TAKEN), Ok(CollectPath(path.to_owned())));
        }
        for wrong in [
            "", "/", "v", "//", "/v//", "/a b", "/a?b", "/a%20b", "/..", "/a/./b", "/é",
            "/collect", "/v1", "/v1/x", "/api/x",
        ] {
            assert!(parse(wrong, TAKEN).is_err(), "{wrong}");
        }
    }

    #[test]
    fn everything_below_the_path_is_below_the_other() {
        let path = CollectPath("/v".to_owned());
        let rewritten = |uri: &str| path.rewritten(&uri.parse().expect("an address"));
        for (uri, expected) in [
            ("/v", "/collect"),
            ("/v/", "/collect"),
            ("/v?key=a%20b", "/collect?key=a%20b"),
            ("/v/cmcd/e%2F1?key=x", "/collect/cmcd/e%2F1?key=x"),
        ] {
            assert_eq!(rewritten(uri), Some(expected.parse().expect("an address")));
        }
        for other in ["/", "/v1", "/v1/jobs", "/vv", "/collect", "/api/v"] {
            assert_eq!(rewritten(other), None, "{other}");
        }
    }
}
