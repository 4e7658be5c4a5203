//! What a request for a file is answered with, decided by its headers alone (RFC 9110).

use std::ops::Range;

use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, RANGE,
    VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::negotiate::{Coding, acceptable, has_already, is_expected, range_applies};
use super::range::{Wanted, wanted};
use crate::error::ApiError;

/// What there is to send.
#[derive(Debug, Clone, Copy)]
pub(super) struct Representation<'a> {
    /// The tag of the plain bytes, without quotes.
    pub(super) tag: &'a str,
    /// How many plain bytes there are.
    pub(super) size_bytes: u64,
    /// Whether packing makes them fewer.
    pub(super) shrinks: bool,
}

/// What is sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    etag: String,
    /// Whether the request is a `HEAD`.
    pub(super) is_head: bool,
    pub(super) content: Content,
}

/// What is sent of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    NotModified,
    Whole(Coding),
    Part(Range<u64>),
}

impl Answer {
    /// The answer to `GET` or `HEAD`.
    ///
    /// Conditions are compared with every form that the client accepts, in the order in which it prefers
    /// them: a client that has the plain file and accepts gzip has the file. They come before
    /// the range (RFC 9110, section 13.2.2), so that `GET` and `HEAD` decide them alike.
    pub(super) fn to(
        file: &Representation<'_>,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Self, ApiError> {
        let is_head = *method == Method::HEAD;
        let answer = |coding, content| Self {
            etag: file.etag(coding),
            is_head,
            content,
        };
        let accepted = acceptable(headers, file.shrinks).iter().copied();
        let expected = accepted.filter(|coding| is_expected(headers, &file.etag(*coding)));
        let expected: Vec<Coding> = expected.collect();
        let Some(&first) = expected.first() else {
            return Err(unexpected(file));
        };
        let known = |coding: &&Coding| has_already(headers, &file.etag(**coding));
        if let Some(&coding) = expected.iter().find(known) {
            return Ok(answer(coding, Content::NotModified));
        }
        // Ranges are taken of plain bytes, and by `GET` alone (section 14.2).
        if !is_head && expected.contains(&Coding::Plain) {
            match file.range(headers) {
                Wanted::Whole => {}
                Wanted::Part(part) => return Ok(answer(Coding::Plain, Content::Part(part))),
                Wanted::Unsatisfiable => return Err(unsatisfiable(file.size_bytes)),
            }
        }
        Ok(answer(first, Content::Whole(first)))
    }

    pub(super) fn status(&self) -> StatusCode {
        match self.content {
            Content::NotModified => StatusCode::NOT_MODIFIED,
            Content::Whole(_) => StatusCode::OK,
            Content::Part(_) => StatusCode::PARTIAL_CONTENT,
        }
    }

    /// The headers of the answer, but those that depend on the kind of file.
    pub(super) fn headers(&self, size_bytes: u64) -> HeaderMap {
        let mut headers = HeaderMap::new();
        set(&mut headers, ETAG, &self.etag);
        set(&mut headers, ACCEPT_RANGES, "bytes");
        set(&mut headers, VARY, "accept-encoding");
        // A link is a right of its holder; no cache on the way may hand the file on.
        set(&mut headers, CACHE_CONTROL, "private");
        set(&mut headers, X_CONTENT_TYPE_OPTIONS, "nosniff");
        match &self.content {
            Content::NotModified => {}
            Content::Whole(Coding::Plain) => {
                headers.insert(CONTENT_LENGTH, size_bytes.into());
            }
            // How many bytes there will be is known once they are packed.
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

    fn range(&self, headers: &HeaderMap) -> Wanted {
        headers
            .get(RANGE)
            .filter(|_| range_applies(headers, &self.etag(Coding::Plain)))
            .and_then(|value| value.to_str().ok())
            .map_or(Wanted::Whole, |range| wanted(range, self.size_bytes))
    }
}

/// Sets a header whose text is known to be fit for one.
pub(super) fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).expect("made of ASCII without control characters");
    headers.insert(name, value);
}

fn unexpected(file: &Representation<'_>) -> ApiError {
    let etag = HeaderValue::try_from(file.etag(Coding::Plain)).expect("hexadecimal in quotes");
    ApiError::new(
        StatusCode::PRECONDITION_FAILED,
        "PRECONDITION_FAILED",
        "the file is none of those that If-Match expects; the etag header of this answer is its tag",
    )
    .with_header(ETAG, etag)
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
