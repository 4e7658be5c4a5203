//! `GET` and `HEAD /downloads/…`.

use std::io;
use std::ops::Range;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Deserialize;
use showreport_lake::{ReportPath, Variant};
use showreport_model::report::{Format, ReportFile};
use showreport_model::{ErrorChain, OrgId, ReportId};

use super::edition::Edition;
use super::link::{Link, LinkParts};
use super::name::{FileName, title};
use super::negotiate::Coding;
use super::response::{Content, FileResponse, Representation, set};
use super::stream::{Chunks, exactly, gzip};
use crate::app::App;
use crate::auth::within;
use crate::error::{ApiError, Reason};
use crate::extract::{Parameters, Segments};

/// A report's file in the store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoredFile<'a> {
    pub(crate) org: &'a OrgId,
    /// Names the directory of the file.
    pub(crate) id: ReportId,
    pub(crate) file: &'a ReportFile,
    pub(crate) format: Format,
}

#[derive(Debug, Deserialize)]
pub(crate) struct VariantQuery {
    variant: Option<String>,
}

/// Download a report's file.
///
/// The link is the `uri` of a report and opens without a token until it expires. Supports Range,
/// If-Range, If-Match and If-None-Match. Compresses text with gzip if the client accepts it and no
/// range is sent. `HEAD` has the same response as `GET` without a range, without the body. Web
/// pages of any origin may read the file.
#[utoipa::path(
    method(get, head),
    path = "/downloads/{report}/{expires}/{signature}/{file_name}",
    tag = "downloads",
    params(
        ("report" = String, Path, description = "the report's id"),
        ("expires" = String, Path, description = "when the link expires, in milliseconds since 1970"),
        ("signature" = String, Path, description = "signature of the other parts"),
        ("file_name" = String, Path, description = "a short name of the file in ASCII; the header `content-disposition` has the one with the title of the event"),
        ("variant" = inline(Option<Edition>), Query, description = "for CSV: `raw`: the exact text, without the guard against formulas; `excel`: the file with a byte-order mark"),
    ),
    responses(
        (status = 200, description = "the file", content(
            (Vec<u8> = "text/csv"),
            (Vec<u8> = "application/x-ndjson"),
            (Vec<u8> = "application/vnd.apache.parquet"),
            (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        )),
        (status = 206, description = "the requested range of the file"),
        (status = 304, description = "the client has the file already"),
        (status = 400, description = "an unknown variant"),
        (status = 403, description = "the link has expired: get the report again"),
        (status = 404, description = "no such link"),
        (status = 410, description = "the file is no longer kept"),
        (status = 412, description = "the file is not the one that If-Match expects"),
        (status = 416, description = "the file has no such range"),
        (status = 429, description = "too many downloads of the organisation in a minute"),
        (status = 503, description = "too many downloads at the moment"),
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
            Reason::LinkExpired,
            "the link has expired; get the report again, its `uri` is signed anew each time",
        ));
    }
    let variant = query.variant.as_deref();
    let within = |org| within(app.download_limits(), &app, org);
    if let Some(day) = app.meta().day_file(link.report).await? {
        let stored = StoredFile {
            org: &day.org,
            id: day.id,
            file: &day.file,
            format: Format::Csv,
        };
        within(stored.org)?;
        let name = FileName::of_ascii(&link.file_name);
        return send_file(&app, &stored, variant, &name, &method, &headers).await;
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
    let title = title(&app, stored.org, &report.order.event).await?;
    let name = FileName::of_report(&report.order, title.as_deref());
    send_file(&app, &stored, variant, &name, &method, &headers).await
}

/// The response to a request for a file: whole, a range, or compressed. If the file is shorter than
/// it was published, the response ends with an error.
pub(crate) async fn send_file(
    app: &App,
    stored: &StoredFile<'_>,
    variant: Option<&str>,
    name: &FileName,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let file = ServedFile::new(stored, variant)?;
    file.check_size(app).await?;
    let response = FileResponse::new(&file.representation(), method, headers)?;
    let body = body(app, &file, &response).await?;
    let mut headers = response.headers(file.size_bytes());
    if response.content != Content::NotModified {
        set(&mut headers, CONTENT_TYPE, file.format.media_type());
        set(
            &mut headers,
            CONTENT_DISPOSITION,
            &name.content_disposition(),
        );
    }
    Ok((response.status(), headers, body).into_response())
}

fn no_such_link() -> ApiError {
    ApiError::new(Reason::LinkNotFound, "there is no such download")
}

fn file_gone() -> ApiError {
    ApiError::new(
        Reason::FileGone,
        "the report's file is no longer kept; create the report again",
    )
}

/// Spreadsheets read a file that begins with it as UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A stored file, or a variant of it, as it is sent.
#[derive(Debug)]
struct ServedFile {
    org: OrgId,
    report: ReportId,
    path: ReportPath,
    /// Size of the stored file.
    stored_bytes: u64,
    /// Bytes that are sent before those of the stored file.
    lead: &'static [u8],
    /// The tag of the plain bytes, without quotes.
    tag: String,
    format: Format,
}

impl ServedFile {
    fn new(stored: &StoredFile<'_>, variant: Option<&str>) -> Result<Self, ApiError> {
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
            (Edition::Guarded, _) | (Edition::Raw, None) => main,
            (Edition::Raw, Some(stored_bytes)) => Self {
                path: path(Variant::Raw),
                stored_bytes,
                tag: format!("{}-raw", main.tag),
                ..main
            },
            // Only CSV does not declare its encoding.
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

    fn representation(&self) -> Representation<'_> {
        Representation {
            tag: &self.tag,
            size_bytes: self.size_bytes(),
            is_compressible: matches!(self.format, Format::Csv | Format::Ndjson),
        }
    }

    /// Fails if the stored file has another size than was published.
    async fn check_size(&self, app: &App) -> Result<(), ApiError> {
        let stored_bytes = app.lake().report_files().size(&self.path).await?;
        if stored_bytes == self.stored_bytes {
            return Ok(());
        }
        Err(ApiError::internal(io::Error::other(format!(
            "a report's file has {stored_bytes} bytes and was published with {}",
            self.stored_bytes
        ))))
    }

    /// The bytes of a range. The permits are released when the stream ends or is dropped, as it is
    /// when the client disconnects.
    async fn read(&self, app: &App, range: Range<u64>) -> Result<Chunks, ApiError> {
        let lead_bytes = self.lead.len() as u64;
        let of_lead = |offset: u64| usize::try_from(offset.min(lead_bytes)).expect("a short lead");
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
                let _permits = &permits;
            })
            .boxed())
    }
}

/// The status is already sent, so the stream ends with an error: the connection is cut, and the
/// client sees that the file is incomplete.
fn broken_off(error: showreport_lake::Error) -> io::Error {
    let reason = ErrorChain(&error).to_string();
    tracing::error!(error = reason, "a download is broken off");
    io::Error::other(error)
}

async fn body(app: &App, file: &ServedFile, response: &FileResponse) -> Result<Body, ApiError> {
    let range = match &response.content {
        _ if response.is_head => return Ok(no_bytes()),
        Content::NotModified => return Ok(no_bytes()),
        Content::Whole(_) => 0..file.size_bytes(),
        Content::Part(part) => part.clone(),
    };
    let length = range.end - range.start;
    let chunks = exactly(file.read(app, range).await?, length);
    Ok(match response.content {
        Content::Whole(Coding::Gzip) => Body::from_stream(gzip(chunks)),
        _ => Body::from_stream(chunks),
    })
}

/// An empty body of unknown length. For a body that is known to be empty the router would add
/// `content-length: 0`, which is wrong in a response to `HEAD`.
fn no_bytes() -> Body {
    Body::from_stream(stream::empty::<io::Result<Bytes>>())
}
