//! What handlers take from a request, with refusals of our own form: bodies,
//! parameters, parts of the path.

mod body;
mod page;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

pub(crate) use body::{Held, body_timeout, body_too_large, read_body};
pub(crate) use page::{Page, PageQuery};

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
