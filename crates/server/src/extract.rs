//! Extractors and decoders for handlers: bodies, query parameters, parts of the path. Their errors
//! are [`ApiError`]s.

mod body;
mod form;
mod violations;
mod page;
mod accept;

use std::fmt::Display;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::Uri;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::Value;
use showreport_records::repeated_field;

pub(crate) use accept::{prefers_csv, weight};
pub(crate) use body::{
    BufferedBody, bodies_full, body_timeout, body_too_large, read_body, read_reserved,
};
pub(crate) use form::Form;
pub(crate) use page::{
    Cursor, InvalidToken, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, Page, PageQuery, read_token,
};
pub(crate) use violations::Violations;

use crate::error::{ApiError, Reason};

/// The query parameters.
#[derive(Debug)]
pub(crate) struct Parameters<T>(pub(crate) T);

impl<T: DeserializeOwned> Parameters<T> {
    /// The parameters of an address.
    pub(crate) fn read(address: &Uri) -> Result<Self, ApiError> {
        // The message of the library may quote a value, which can be a token.
        Query::try_from_uri(address)
            .map(|Query(parameters)| Self(parameters))
            .map_err(|_| {
                ApiError::new(
                    Reason::InvalidQuery,
                    "the parameters after `?` cannot be read; each may be given once",
                )
            })
    }
}

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Self::read(&parts.uri)
    }
}

/// Query parameters that the route does not have, on paths where they are refused. They are found
/// in front of all handlers, and refused after the token is checked: a request without a token gets
/// 401.
#[derive(Debug, Clone, Default)]
pub(crate) struct UnknownParameters {
    /// Their names, shortened.
    pub(crate) names: Vec<String>,
    /// The parameters of the route, for the error message.
    pub(crate) known: String,
}

impl UnknownParameters {
    /// An error if the request has any.
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

/// The `lowerCamelCase` of a name in `snake_case`, as in the JSON format of protocol buffers.
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

/// Decodes a body as JSON in which no object has a field twice. Errors name the `expected` value.
pub(crate) fn read_json(body: &[u8], expected: &str) -> Result<Value, ApiError> {
    let malformed = |problem: &dyn Display| {
        ApiError::new(
            Reason::MalformedJson,
            format!("the body must be {expected}: {problem}"),
        )
    };
    let text = str::from_utf8(body).map_err(|_| malformed(&"it is not UTF-8"))?;
    let value = serde_json::from_str(text).map_err(|error| malformed(&error))?;
    match repeated_field(text) {
        Some(field) => Err(ApiError::violation(field, "is given twice; give it once")),
        None => Ok(value),
    }
}

/// The parameters in the path. A path that is not UTF-8 does not exist: 404.
#[derive(Debug)]
pub(crate) struct Segments<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segments<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(segments)) => Ok(Self(segments)),
            Err(_) => Err(ApiError::new(Reason::NotFound, "this path does not exist")),
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
