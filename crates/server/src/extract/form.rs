//! [`Form`]: the fields of a form that a page has sent.

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

use super::body::read_reserved;
use crate::app::App;
use crate::error::{ApiError, Reason};

/// Bytes of a form. The largest has a few names and passwords.
const BYTES_MAX: usize = 16 << 10;

/// The fields of a form. It has no `Debug`, since a field may be a password.
pub(crate) struct Form<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Form<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let is_form = parts.headers.get(CONTENT_TYPE).is_some_and(|value| {
            let media_type = value.as_bytes().split(|byte| *byte == b';').next();
            media_type
                .unwrap_or_default()
                .trim_ascii()
                .eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
        });
        if !is_form {
            return Err(unreadable());
        }
        let body = read_reserved(app, app.keyless_bodies().none(&()), body, BYTES_MAX).await?;
        let request = Request::post("/")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body.into_bytes()))
            .map_err(ApiError::internal)?;
        // The message of the library may quote a value, which can be a password.
        let form = axum::Form::<T>::from_request(request, &()).await;
        form.map(|axum::Form(fields)| Self(fields))
            .map_err(|_| unreadable())
    }
}

fn unreadable() -> ApiError {
    ApiError::new(
        Reason::InvalidForm,
        "the fields of the form cannot be read; send them as application/x-www-form-urlencoded, \
         each once",
    )
}
