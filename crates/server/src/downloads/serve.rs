//! `GET` and `HEAD /downloads/…`.

use std::io;
use std::ops::Range;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH,
    CONTENT_RANGE, CONTENT_TYPE, ETAG, RANGE, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Deserialize;
use showreport_lake::{ReportPath, Variant};
use showreport_model::report::{Format, ReportFile};
use showreport_model::{OrgId, ReportId};

use super::edition::Edition;
use super::link::{Link, LinkParts};
use super::name::content_disposition;
use super::negotiate::{has_already, range_applies, takes_gzip};
use super::range::{Wanted, wanted};
use super::stream::{Chunks, exactly, gzip};
use crate::app::App;
use crate::auth::within;
use crate::error::{ApiError, error_chain};
use crate::extract::{Parameters, Segments};

#[derive(Debug, Deserialize)]
pub(crate) struct VariantQuery {
    variant: Option<String>,
}

/// Download a report's file.
///
/// The link comes from a report's `uri` and opens without a token until it
/// expires. Answers Range, If-Range and If-None-Match; packs text by gzip when
/// asked for it and no range is honoured. `HEAD` describes the plain file, of
/// which ranges are taken.
#[utoipa::path(
    method(get, head),
    path = "/downloads/{report}/{expires}/{signature}/{file_name}",
    tag = "downloads",
    params(
        ("report" = String, Path, description = "the report's id"),
        ("expires" = String, Path, description = "when the link stops opening, in milliseconds since 1970"),
        ("signature" = String, Path, description = "over every other part"),
        ("file_name" = String, Path, description = "the name the file is saved under"),
        ("variant" = inline(Option<Edition>), Query, description = "for CSV: `raw` is the exact text, without the guard against formulas; `excel` is the file after a byte-order mark"),
    ),
    responses(
        (status = 200, description = "the file", content(
            (Vec<u8> = "text/csv"),
            (Vec<u8> = "application/x-ndjson"),
            (Vec<u8> = "application/vnd.apache.parquet"),
            (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        )),
        (status = 206, description = "the range of it that was asked for"),
        (status = 304, description = "the client has it already"),
        (status = 400, description = "an unknown variant"),
        (status = 403, description = "the link has expired: ask for the report again"),
        (status = 404, description = "no such link"),
        (status = 410, description = "the file is no longer kept"),
        (status = 416, description = "the file has no such range"),
        (status = 429, description = "the organisation's files were asked for too often"),
        (status = 503, description = "too many files are downloaded at the moment"),
    ),
)]
pub(crate) async fn download(
    State(app): State<App>,
    Segments(parts): Segments<LinkParts>,
    Parameters(query): Parameters<VariantQuery>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let keys = app.meta().signing_keys().await?;
    let link = Link::verify(&parts, &keys, app.now()).ok_or_else(no_such_link)?;
    if app.now() >= link.expires_at {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "LINK_EXPIRED",
            "the link has expired; ask for the report again, its `uri` is signed anew each time",
        ));
    }
    let variant = query.variant.as_deref();
    let asked = (&method, &headers);
    let within = |org| within(app.download_limits(), &app, org);
    if let Some(made) = app.meta().day_file(link.report).await? {
        let stored = StoredFile {
            org: &made.org,
            id: made.id,
            file: &made.file,
            format: Format::Csv,
        };
        within(stored.org)?;
        return send_file(&app, &stored, variant, &link.file_name, asked).await;
    }
    let task = app.meta().report_task(link.report).await?;
    let report = task.ok_or_else(no_such_link)?.report;
    let stored = StoredFile {
        org: &report.order.org,
        id: report.id,
        file: report.file.as_ref().ok_or_else(file_gone)?,
        format: report.order.format,
    };
    within(stored.org)?;
    send_file(&app, &stored, variant, &link.file_name, asked).await
}

/// A file that was made, and where it lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoredFile<'a> {
    /// Whose.
    pub(crate) org: &'a OrgId,
    /// What it lies under.
    pub(crate) id: ReportId,
    /// What it is.
    pub(crate) file: &'a ReportFile,
    /// In which form.
    pub(crate) format: Format,
}

/// Answers a request for a file: whole, in part or packed, as it asks; never cut.
pub(crate) async fn send_file(
    app: &App,
    stored: &StoredFile<'_>,
    variant: Option<&str>,
    file_name: &str,
    (method, headers): (&Method, &HeaderMap),
) -> Result<Response, ApiError> {
    let copy = Copy::of(stored, variant)?;
    copy.check(app).await?;
    let answer = copy.answer(method, headers)?;
    answer.send(app, &copy, file_name).await
}

fn no_such_link() -> ApiError {
    ApiError::not_found("LINK_NOT_FOUND", "there is no such download")
}

fn file_gone() -> ApiError {
    ApiError::new(
        StatusCode::GONE,
        "FILE_GONE",
        "the report's file is no longer kept; create the report again",
    )
}

/// What goes before a file so that spreadsheets take it for UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One of the texts that a report can be had as.
#[derive(Debug)]
struct Copy {
    org: OrgId,
    report: ReportId,
    path: ReportPath,
    /// Bytes of the stored file.
    stored_bytes: u64,
    /// What goes before it.
    lead: &'static [u8],
    /// The tag of the plain bytes, without quotes.
    tag: String,
    format: Format,
}

impl Copy {
    fn of(stored: &StoredFile<'_>, variant: Option<&str>) -> Result<Self, ApiError> {
        let (file, format) = (stored.file, stored.format);
        let path = |variant| ReportPath::new(stored.org, stored.id, file.attempt, variant);
        let main = Self {
            org: stored.org.clone(),
            report: stored.id,
            path: path(Variant::Main),
            stored_bytes: file.size_bytes,
            lead: &[],
            tag: file.sha256.clone(),
            format,
        };
        let edition = Edition::read(variant.unwrap_or_default())?;
        Ok(match (edition, file.raw_size_bytes) {
            (Edition::File, _) | (Edition::Raw, None) => main,
            (Edition::Raw, Some(stored_bytes)) => Self {
                path: path(Variant::Raw),
                stored_bytes,
                tag: format!("{}-raw", main.tag),
                ..main
            },
            // Other forms say themselves how they are written.
            (Edition::Excel, _) if format != Format::Csv => main,
            (Edition::Excel, _) => Self {
                lead: BYTE_ORDER_MARK,
                tag: format!("{}-excel", main.tag),
                ..main
            },
        })
    }

    fn size_bytes(&self) -> u64 {
        self.stored_bytes + self.lead.len() as u64
    }

    /// Whether packing makes it smaller.
    fn is_text(&self) -> bool {
        matches!(self.format, Format::Csv | Format::Ndjson)
    }

    /// A file of another size than was published is not served as if it were that one.
    async fn check(&self, app: &App) -> Result<(), ApiError> {
        let stored_bytes = app.lake().report_files().size(&self.path).await?;
        if stored_bytes == self.stored_bytes {
            return Ok(());
        }
        Err(ApiError::internal(io::Error::other(format!(
            "a report's file has {stored_bytes} bytes and was published with {}",
            self.stored_bytes
        ))))
    }

    /// Decides what to send.
    fn answer(&self, method: &Method, headers: &HeaderMap) -> Result<Answer, ApiError> {
        let size = self.size_bytes();
        let plain_tag = format!("\"{}\"", self.tag);
        let is_head = *method == Method::HEAD;
        let range = headers
            .get(RANGE)
            // Only GET has ranges (RFC 9110).
            .filter(|_| !is_head && range_applies(headers, &plain_tag))
            .and_then(|value| value.to_str().ok())
            .map_or(Wanted::Whole, |range| wanted(range, size));
        let packed = !is_head && range == Wanted::Whole && self.is_text() && takes_gzip(headers);
        let etag = if packed {
            format!("\"{}-gzip\"", self.tag)
        } else {
            plain_tag
        };
        let content = if has_already(headers, &etag) {
            Content::NotModified
        } else {
            match range {
                Wanted::Unsatisfiable => return Err(unsatisfiable(size)),
                Wanted::Part(part) => Content::Part(part),
                Wanted::Whole if is_head => Content::Description,
                Wanted::Whole if packed => Content::Packed,
                Wanted::Whole => Content::Whole,
            }
        };
        Ok(Answer { etag, content })
    }

    /// The bytes of the range. Permits are held until the last of them is sent, or the client has
    /// gone away.
    async fn read(&self, app: &App, range: Range<u64>) -> Result<Chunks, ApiError> {
        let lead_bytes = self.lead.len() as u64;
        let of_lead = |place: u64| usize::try_from(place.min(lead_bytes)).expect("a short lead");
        let lead = &self.lead[of_lead(range.start)..of_lead(range.end)];
        let stored = range.start.saturating_sub(lead_bytes)..range.end.saturating_sub(lead_bytes);
        let lead = stream::iter((!lead.is_empty()).then(|| Ok(Bytes::from_static(lead))));
        if stored.is_empty() {
            return Ok(lead.boxed());
        }
        let of_link = app.downloads_of_link().acquire(&self.report).await?;
        let permits = (of_link, app.downloads().acquire(&self.org).await?);
        let files = app.lake().report_files();
        let chunks = files.read(&self.path, stored).await?;
        let chunks = lead.chain(chunks.map_err(broken_off));
        Ok(chunks
            .inspect(move |_| {
                let _held = &permits;
            })
            .boxed())
    }
}

/// The answer has begun: all that is left is to end it so that the client sees it is incomplete.
fn broken_off(error: showreport_lake::Error) -> io::Error {
    let reason = error_chain(&error);
    tracing::error!(error = reason, "a download is broken off");
    io::Error::other(error)
}

fn unsatisfiable(size_bytes: u64) -> ApiError {
    let range = HeaderValue::try_from(format!("bytes */{size_bytes}"))
        .expect("digits are fit for a header");
    ApiError::new(
        StatusCode::RANGE_NOT_SATISFIABLE,
        "RANGE_NOT_SATISFIABLE",
        format!("the file has {size_bytes} bytes; the range begins after them"),
    )
    .with_header(CONTENT_RANGE, range)
}

/// What to send, decided before the first byte is read.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    etag: String,
    content: Content,
}

#[derive(Debug, PartialEq, Eq)]
enum Content {
    NotModified,
    /// The headers of the whole file, for `HEAD`.
    Description,
    Whole,
    Packed,
    Part(Range<u64>),
}

impl Answer {
    async fn send(self, app: &App, copy: &Copy, file_name: &str) -> Result<Response, ApiError> {
        let size = copy.size_bytes();
        let mut headers = common_headers(&self.etag);
        if self.content != Content::NotModified {
            set(&mut headers, CONTENT_TYPE, copy.format.media_type());
            set(
                &mut headers,
                CONTENT_DISPOSITION,
                &content_disposition(file_name),
            );
        }
        let (status, body) = match self.content {
            Content::NotModified => (StatusCode::NOT_MODIFIED, Body::empty()),
            Content::Description => {
                headers.insert(CONTENT_LENGTH, size.into());
                (StatusCode::OK, Body::empty())
            }
            Content::Whole => {
                headers.insert(CONTENT_LENGTH, size.into());
                let chunks = exactly(copy.read(app, 0..size).await?, size);
                (StatusCode::OK, Body::from_stream(chunks))
            }
            Content::Packed => {
                set(&mut headers, CONTENT_ENCODING, "gzip");
                let chunks = exactly(copy.read(app, 0..size).await?, size);
                (StatusCode::OK, Body::from_stream(gzip(chunks)))
            }
            Content::Part(part) => {
                let length = part.end - part.start;
                headers.insert(CONTENT_LENGTH, length.into());
                let range = format!("bytes {}-{}/{size}", part.start, part.end - 1);
                set(&mut headers, CONTENT_RANGE, &range);
                let chunks = exactly(copy.read(app, part).await?, length);
                (StatusCode::PARTIAL_CONTENT, Body::from_stream(chunks))
            }
        };
        Ok((status, headers, body).into_response())
    }
}

fn common_headers(etag: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    set(&mut headers, ETAG, etag);
    set(&mut headers, ACCEPT_RANGES, "bytes");
    set(&mut headers, VARY, "accept-encoding");
    // A link is a right of its holder; no cache on the way may hand the file on.
    set(&mut headers, CACHE_CONTROL, "private");
    set(&mut headers, X_CONTENT_TYPE_OPTIONS, "nosniff");
    headers
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).expect("made of ASCII without control characters");
    headers.insert(name, value);
}
