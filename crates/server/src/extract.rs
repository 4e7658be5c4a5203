//! What handlers take from a request, with refusals of our own form: bodies,
//! parameters, parts of the path.

mod body;
mod violations;
mod page;

use std::fmt::Display;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::Value;
use showreport_records::repeated_field;

pub(crate) use body::{BufferedBody, body_timeout, body_too_large, read_body};
pub(crate) use page::{
    InvalidToken, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, Page, PageQuery, read_token,
};
pub(crate) use violations::Violations;

use crate::error::ApiError;

/// The parameters after `?`.
#[derive(Debug)]
pub(crate) struct Parameters<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // The library's message may quote a value; a parameter can be a token.
        Query::try_from_uri(&parts.uri)
            .map(|Query(parameters)| Self(parameters))
            .map_err(|_| {
                ApiError::bad_request(
                    "INVALID_QUERY",
                    "the parameters after `?` cannot be read; each may be given once",
                )
            })
    }
}

/// The parameters after `?` that the route does not have, where such a request is refused. They are
/// found before the token is known, and refused after, so that nothing is learned without a token.
#[derive(Debug, Clone, Default)]
pub(crate) struct UnknownParameters {
    /// Their names, cut short.
    pub(crate) names: Vec<String>,
    /// What the route has.
    pub(crate) known: String,
}

impl UnknownParameters {
    /// Refuses a request that has any.
    pub(crate) fn refuse(parts: &Parts) -> Result<(), ApiError> {
        let Some(Self { names, known }) = parts.extensions.get() else {
            return Ok(());
        };
        let mut violations = Violations::default();
        for name in names {
            let problem = format!("is no parameter of this request, which takes {known}");
            violations.add(name, problem);
        }
        violations.into_result(None)
    }
}

/// A name in `lowerCamelCase`, as JSON of protocol buffers writes those in `snake_case`.
pub(crate) fn lower_camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        if c == '_' {
            upper = true;
        } else if upper {
            camel.extend(c.to_uppercase());
            upper = false;
        } else {
            camel.push(c);
        }
    }
    camel
}

/// Reads a whole body as JSON, in which no object has a field twice.
pub(crate) fn read_json(body: &[u8], what: &str) -> Result<Value, ApiError> {
    let malformed = |problem: &dyn Display| {
        ApiError::bad_request(
            "MALFORMED_JSON",
            format!("the body must be {what}: {problem}"),
        )
    };
    let text = str::from_utf8(body).map_err(|_| malformed(&"it is not UTF-8"))?;
    let value = serde_json::from_str(text).map_err(|error| malformed(&error))?;
    match repeated_field(text) {
        Some(field) => Err(ApiError::violation(field, "is given twice; give it once")),
        None => Ok(value),
    }
}

/// Parts of the path. A path that is no text is a path that does not exist.
#[derive(Debug)]
pub(crate) struct Segments<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segments<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(segments)) => Ok(Self(segments)),
            Err(_) => Err(ApiError::not_found("NOT_FOUND", "there is no such thing")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn camel_case() {
        assert_eq!(
            lower_camel_case("dimension_with_conditions"),
            "dimensionWithConditions"
        );
        assert_eq!(lower_camel_case("id"), "id");
        assert_eq!(lower_camel_case("pageSize"), "pageSize");
    }
}
