//! Segment's HTTP API, as far as its video events go: `/v1/batch` and `/v1/track`.
//!
//! The token is the write key: the user name of `Authorization: Basic`, or `writeKey` in the body.
//! A body is then read and searched before its organisation is known, within bounds of its own.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use serde::Serialize;
use showreport_records::{GivenFields, SEGMENT, segment_write_key};
use tokio::task::spawn_blocking;

use super::decode::unpack_error;
use super::decompress::{Encoding, UnpackError, Window, unpack};
use super::store::store;
use super::written::{BodyFormat, encoding};
use crate::app::App;
use crate::auth::Collector;
use crate::error::{ApiError, Reason};
use crate::extract::{BufferedBody, bodies_full, body_too_large, read_reserved};

/// The most bytes of a body that has its token inside, packed and unpacked. Segment's own limit is
/// 500 KB.
const KEYLESS_BYTES_MAX: usize = 512 << 10;

/// What Segment answers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Success {
    success: bool,
}

/// Collect calls of Segment's libraries.
///
/// `track` calls of video events become beats; all other calls are accepted and ignored. The token
/// is the user name of Basic authentication, or `writeKey` in the body. 200 means durable.
#[utoipa::path(
    post,
    path = "/v1/batch",
    tag = "collect",
    params(("viewer" = Option<String>, Query, description = "the viewer token of the beats")),
    request_body(
        content = Object,
        content_type = "application/json",
        description = "`{\"batch\": [call, …]}`; at most 16 MiB unpacked, 512 KiB with the token inside",
    ),
    responses(
        (status = 200, description = "the beats are durable", body = Success),
        (status = 400, description = "the body is no JSON object, or is broken: nothing was stored"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not collect, or not here"),
        (status = 408, description = "the body stopped coming"),
        (status = 413, description = "too large"),
        (status = 415, description = "another encoding"),
        (status = 429, description = "the organisation sent too many records, or too many came with the token"),
        (status = 503, description = "too much at the moment; send it again later"),
        (status = 507, description = "no room left"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn segment_batch(
    State(app): State<App>,
    request: Request,
) -> Result<Json<Success>, ApiError> {
    collect(&app, request).await
}

/// Collect one call of Segment's libraries.
///
/// As `/v1/batch`, with a call as the body.
#[utoipa::path(
    post,
    path = "/v1/track",
    tag = "collect",
    params(("viewer" = Option<String>, Query, description = "the viewer token of the beats")),
    request_body(
        content = Object,
        content_type = "application/json",
        description = "a `track` call; at most 64 KiB",
    ),
    responses(
        (status = 200, description = "the beat is durable", body = Success),
        (status = 400, description = "the body is no JSON object, or is broken: nothing was stored"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not collect, or not here"),
        (status = 408, description = "the body stopped coming"),
        (status = 413, description = "too large"),
        (status = 415, description = "another encoding"),
        (status = 429, description = "the organisation sent too many records, or too many came with the token"),
        (status = 503, description = "too much at the moment; send it again later"),
        (status = 507, description = "no room left"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn segment_track(
    State(app): State<App>,
    request: Request,
) -> Result<Json<Success>, ApiError> {
    collect(&app, request).await
}

async fn collect(app: &App, request: Request) -> Result<Json<Success>, ApiError> {
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    let (collector, body) = if headers.contains_key(AUTHORIZATION) {
        (Collector::by_write_key(&parts, app).await?, body)
    } else {
        let (key, body) = write_key(app, body, encoding(headers)?).await?;
        (Collector::by_secret(&key, &parts, app).await?, body)
    };
    let written = BodyFormat {
        format: SEGMENT,
        encoding: encoding(headers)?,
    };
    store(app, &collector, body, written, GivenFields::default()).await?;
    Ok(Json(Success { success: true }))
}

/// Reads a body with its token inside; the token, and the body as it came.
async fn write_key(app: &App, body: Body, encoding: Encoding) -> Result<(String, Body), ApiError> {
    let reservation = app.keyless_bodies().none(&());
    let body = read_reserved(app, reservation, body, KEYLESS_BYTES_MAX).await?;
    let (key, body) = match encoding {
        Encoding::Identity => (segment_write_key(&body), body),
        packed => packed_write_key(app, body, packed).await?,
    };
    let key = key.ok_or_else(|| {
        ApiError::new(
            Reason::TokenMissing,
            "this needs a token: send it as the user name of `Authorization: Basic`, or as \
             `writeKey` in the body",
        )
    })?;
    Ok((key, Body::from(body.into_bytes())))
}

/// The most bytes of brotli's window, which it needs beside the text.
const WINDOW_BYTES_MAX: usize = 4 << 20;

/// The token in a packed body. Memory for the largest text is reserved before it is unpacked.
async fn packed_write_key(
    app: &App,
    body: BufferedBody<()>,
    encoding: Encoding,
) -> Result<(Option<String>, BufferedBody<()>), ApiError> {
    let mut reserved = app.keyless_bodies().none(&());
    let window = match encoding {
        Encoding::Brotli => WINDOW_BYTES_MAX,
        _ => 0,
    };
    if !reserved.grow(KEYLESS_BYTES_MAX + window) {
        return Err(bodies_full());
    }
    let unpacking = spawn_blocking(move || {
        let _reserved = reserved;
        match unpack(&body, encoding, Window::Usual, KEYLESS_BYTES_MAX) {
            Ok(text) => Ok((segment_write_key(&text), body)),
            Err(UnpackError::TooLarge) => Err(body_too_large(KEYLESS_BYTES_MAX)),
            Err(error) => Err(unpack_error(error)),
        }
    });
    unpacking.await.map_err(ApiError::internal)?
}
