//! Decides the response to a request for a file: status, headers, range and coding (RFC 9110).

use std::ops::Range;

use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, RANGE,
    VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::negotiate::{Coding, acceptable, has_already, is_expected, range_applies};
use super::range::{RequestedRange, parse_range};
use crate::error::{ApiError, Reason};

/// The file of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Representation<'a> {
    /// The tag of the plain bytes, without quotes.
    pub(super) tag: &'a str,
    /// Plain bytes.
    pub(super) size_bytes: u64,
    /// Whether gzip makes it smaller.
    pub(super) is_compressible: bool,
}

/// The response to a request for a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileResponse {
    etag: String,
    pub(super) is_head: bool,
    pub(super) content: Content,
}

/// The part of a file that is sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    NotModified,
    Whole(Coding),
    Part(Range<u64>),
}

impl FileResponse {
    /// The response to `GET` or `HEAD`.
    ///
    /// Conditions are compared with every coding that the client accepts, in its order of
    /// preference: a client that accepts gzip and has the plain file gets 304. They come before the
    /// range (RFC 9110, section 13.2.2), so that `GET` and `HEAD` have the same result.
    pub(super) fn new(
        file: &Representation<'_>,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Self, ApiError> {
        let is_head = *method == Method::HEAD;
        let response = |coding, content| Self {
            etag: file.etag(coding),
            is_head,
            content,
        };
        let accepted = acceptable(headers, file.is_compressible).iter().copied();
        let expected = accepted.filter(|coding| is_expected(headers, &file.etag(*coding)));
        let expected: Vec<Coding> = expected.collect();
        let Some(&first) = expected.first() else {
            return Err(unexpected(file));
        };
        let is_cached = |coding: &&Coding| has_already(headers, &file.etag(**coding));
        if let Some(&coding) = expected.iter().find(is_cached) {
            return Ok(response(coding, Content::NotModified));
        }
        // Only `GET` has ranges (section 14.2), and only of plain bytes.
        if !is_head && expected.contains(&Coding::Plain) {
            match file.range(headers) {
                RequestedRange::Whole => {}
                RequestedRange::Part(part) => {
                    return Ok(response(Coding::Plain, Content::Part(part)));
                }
                RequestedRange::Unsatisfiable => return Err(unsatisfiable(file.size_bytes)),
            }
        }
        Ok(response(first, Content::Whole(first)))
    }

    pub(super) fn status(&self) -> StatusCode {
        match self.content {
            Content::NotModified => StatusCode::NOT_MODIFIED,
            Content::Whole(_) => StatusCode::OK,
            Content::Part(_) => StatusCode::PARTIAL_CONTENT,
        }
    }

    /// The headers of the response, except those of the format.
    pub(super) fn headers(&self, size_bytes: u64) -> HeaderMap {
        let mut headers = HeaderMap::new();
        set(&mut headers, ETAG, &self.etag);
        set(&mut headers, ACCEPT_RANGES, "bytes");
        set(&mut headers, VARY, "accept-encoding");
        // A shared cache must not give the file to other clients.
        set(&mut headers, CACHE_CONTROL, "private");
        set(&mut headers, X_CONTENT_TYPE_OPTIONS, "nosniff");
        match &self.content {
            Content::NotModified => {}
            Content::Whole(Coding::Plain) => {
                headers.insert(CONTENT_LENGTH, size_bytes.into());
            }
            // The length is known only after compression.
            Content::Whole(Coding::Gzip) => set(&mut headers, CONTENT_ENCODING, "gzip"),
            Content::Part(part) => {
                let range = format!("bytes {}-{}/{size_bytes}", part.start, part.end - 1);
                set(&mut headers, CONTENT_RANGE, &range);
                headers.insert(CONTENT_LENGTH, (part.end - part.start).into());
            }
        }
        headers
    }
}

impl Representation<'_> {
    fn etag(&self, coding: Coding) -> String {
        match coding {
            Coding::Plain => format!("\"{}\"", self.tag),
            Coding::Gzip => format!("\"{}-gzip\"", self.tag),
        }
    }

    fn range(&self, headers: &HeaderMap) -> RequestedRange {
        headers
            .get(RANGE)
            .filter(|_| range_applies(headers, &self.etag(Coding::Plain)))
            .and_then(|value| value.to_str().ok())
            .map_or(RequestedRange::Whole, |range| {
                parse_range(range, self.size_bytes)
            })
    }
}

/// Sets a header. The value must be visible ASCII.
pub(super) fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).expect("made of ASCII without control characters");
    headers.insert(name, value);
}

fn unexpected(file: &Representation<'_>) -> ApiError {
    let etag = HeaderValue::try_from(file.etag(Coding::Plain)).expect("hexadecimal in quotes");
    ApiError::new(Reason::PreconditionFailed,
        "the file is none of those that If-Match expects; the etag header of this response is its tag",
    )
    .with_header(ETAG, etag)
}

fn unsatisfiable(size_bytes: u64) -> ApiError {
    let range = HeaderValue::try_from(format!("bytes */{size_bytes}")).expect("made of ASCII");
    ApiError::new(
        Reason::RangeNotSatisfiable,
        format!("the file has {size_bytes} bytes; the range begins after them"),
    )
    .with_header(CONTENT_RANGE, range)
}
