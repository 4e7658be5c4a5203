//! The one door from failures to answers: a status code and google.rpc.Status as JSON.
//!
//! What the caller did wrong is explained; what went wrong on our side shows
//! a fixed sentence, and its detail goes to the log ([`Fault`]) and nowhere else. A damaged file
//! is named all the same.

use std::borrow::Cow;
use std::error::Error;

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use showreport_model::{Damage, ErrorKind, Failure};

/// An answer that refuses.
#[derive(Debug)]
pub(crate) struct ApiError(Box<Refusal>);

#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    reason: Cow<'static, str>,
    message: String,
    metadata: Map<String, Value>,
    violations: Vec<Violation>,
    beside: Map<String, Value>,
    headers: HeaderMap,
    source: Option<Box<dyn Error + Send + Sync>>,
    is_load: bool,
}

/// The refusal that an answer carries, for who has to say it in another form.
#[derive(Debug, Clone)]
pub(crate) struct Refused(pub(crate) Value);

/// What the log says of a refusal that is no caller's mistake.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    /// The reason of the refusal.
    pub(crate) reason: Cow<'static, str>,
    /// Whether the server does what it should: it has too much to do, and bounds it.
    pub(crate) is_load: bool,
    /// Whether the same holds for each request until it is over, such as a full disk.
    pub(crate) lasts: bool,
    /// The error and what caused it.
    pub(crate) error: Option<String>,
}

/// A field of a request that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// The path to the field, such as `dimension_with_conditions[0].filter.end_time`.
    pub(crate) field: String,
    /// What is wrong and what would be right.
    pub(crate) description: String,
}

/// How long a caller waits before it tries again.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// The parameter matters: Google's client for Python fails without one.
const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Bearer realm="showreport""#);

/// What the caller is told of a fault of ours.
const OUR_FAULT: &str =
    "something went wrong on our side; quote the x-request-id of this answer to the operator";

impl ApiError {
    /// A refusal with a reason in `UPPER_SNAKE_CASE`, and what is wrong and would be right.
    pub(crate) fn new(
        status: StatusCode,
        reason: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        let mut headers = HeaderMap::new();
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, CHALLENGE);
            }
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::INSUFFICIENT_STORAGE => {
                headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
            }
            _ => {}
        }
        Self(Box::new(Refusal {
            status,
            reason: reason.into(),
            message: message.into(),
            metadata: Map::new(),
            violations: Vec::new(),
            beside: Map::new(),
            headers,
            source: None,
            is_load: false,
        }))
    }

    /// A request that contradicts the contract.
    pub(crate) fn bad_request(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason, message)
    }

    /// A request with wrong fields, all of them named.
    pub(crate) fn violations(violations: Vec<Violation>) -> Self {
        let message = match violations.as_slice() {
            [only] => format!("`{}` {}", only.field, only.description),
            [first, ..] => format!(
                "{} fields are wrong; the first: `{}` {}",
                violations.len(),
                first.field,
                first.description
            ),
            [] => "the request is wrong".to_owned(),
        };
        let mut error = Self::bad_request("INVALID_FIELD", message);
        error.0.violations = violations;
        error
    }

    /// A request with one wrong field.
    pub(crate) fn violation(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::violations(vec![Violation {
            field: field.into(),
            description: description.into(),
        }])
    }

    /// A thing that does not exist for this caller.
    pub(crate) fn not_found(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, reason, message)
    }

    /// A fault of ours; the source goes to the log.
    pub(crate) fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let mut error = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", OUR_FAULT);
        error.0.source = Some(source.into());
        error
    }

    /// The server cannot take or serve at the moment.
    pub(crate) fn not_ready(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let mut error = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "NOT_READY",
            "the metadata database does not answer",
        );
        error.0.source = Some(source.into());
        error
    }

    /// The server cannot take anything while the disk is full.
    pub(crate) fn no_room(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let mut error = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "STORAGE_FULL",
            "there is no room left on the disk; nothing is stored until there is",
        );
        error.0.source = Some(source.into());
        error
    }

    /// A failure somewhere below an error that lost its type.
    pub(crate) fn from_chain(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let source = source.into();
        let mut link: Option<&(dyn Error + 'static)> = Some(&*source);
        while let Some(error) = link {
            if let Some(kind) = known_kind(error) {
                let mut refusal = Self::of(kind, error);
                refusal.0.source = Some(source);
                return refusal;
            }
            link = error.source();
        }
        Self::internal(source)
    }

    /// The refusal that a bare status stands for, where the framework gave no body.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        let (reason, message) = match status {
            StatusCode::METHOD_NOT_ALLOWED => (
                "METHOD_NOT_ALLOWED",
                "this path does not take the method; the allow header names those it takes",
            ),
            StatusCode::SERVICE_UNAVAILABLE => (
                "TIMED_OUT",
                "the answer took too long; the same request may succeed later",
            ),
            StatusCode::NOT_FOUND => (
                "ROUTE_NOT_FOUND",
                "there is nothing here; /openapi.json lists every path",
            ),
            status if status.is_server_error() => ("INTERNAL", OUR_FAULT),
            _ => (
                "INVALID_REQUEST",
                "the request cannot be read; /openapi.json describes every path",
            ),
        };
        Self::new(status, reason, message)
    }

    /// Leaves out of the log what is logged elsewhere, once for all requests.
    #[must_use]
    pub(crate) fn logged(mut self) -> Self {
        self.0.source = None;
        self
    }

    /// Adds a fact to the error's metadata.
    #[must_use]
    pub(crate) fn with_metadata(mut self, key: &str, value: impl Into<String>) -> Self {
        self.0
            .metadata
            .insert(key.to_owned(), Value::String(value.into()));
        self
    }

    /// Adds a field beside `code`, `message` and `details`.
    #[must_use]
    pub(crate) fn with_field(mut self, name: &str, value: Value) -> Self {
        self.0.beside.insert(name.to_owned(), value);
        self
    }

    /// Names the wrong fields.
    #[must_use]
    pub(crate) fn with_violations(mut self, violations: Vec<Violation>) -> Self {
        self.0.violations = violations;
        self
    }

    /// Adds a header.
    #[must_use]
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// The fields that are wrong.
    #[cfg(test)]
    pub(crate) fn violated_fields(&self) -> Vec<String> {
        let fields = self.0.violations.iter();
        fields.map(|violation| violation.field.clone()).collect()
    }

    fn of(kind: ErrorKind, error: &(dyn Error + 'static)) -> Self {
        let (status, reason) = match kind {
            ErrorKind::Invalid => (StatusCode::BAD_REQUEST, "INVALID_REQUEST"),
            ErrorKind::Unauthenticated => (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"),
            ErrorKind::Forbidden => (StatusCode::FORBIDDEN, "FORBIDDEN"),
            ErrorKind::NotFound => (StatusCode::NOT_FOUND, "NOT_FOUND"),
            ErrorKind::Conflict => (StatusCode::CONFLICT, "CONFLICT"),
            ErrorKind::Gone => (StatusCode::GONE, "GONE"),
            ErrorKind::Busy => (StatusCode::SERVICE_UNAVAILABLE, "BUSY"),
            ErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE"),
            ErrorKind::StorageFull => (StatusCode::INSUFFICIENT_STORAGE, "STORAGE_FULL"),
            ErrorKind::Damaged => (StatusCode::INTERNAL_SERVER_ERROR, Damage::REASON),
            ErrorKind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL"),
        };
        let message = match kind {
            ErrorKind::Unavailable => {
                "a part of the service does not answer; the same request works later".to_owned()
            }
            ErrorKind::StorageFull => {
                "there is no room left to store anything; the same request works once there is"
                    .to_owned()
            }
            ErrorKind::Internal => OUR_FAULT.to_owned(),
            // The file is named, so that whoever is told can tell the operator.
            ErrorKind::Damaged => Damage::below(error)
                .map_or_else(|| OUR_FAULT.to_owned(), |damage| damage.to_string()),
            _ => error.to_string(),
        };
        let (status, reason) = known_reason(error).unwrap_or((status, reason));
        let mut refusal = Self::new(status, reason, message);
        refusal.0.is_load = kind == ErrorKind::Busy;
        match error.downcast_ref() {
            Some(showreport_meta::Error::ReportJobExists {
                report_job, name, ..
            }) => refusal
                .with_metadata("jobId", report_job.to_string())
                .with_metadata("jobName", name.as_str()),
            Some(showreport_meta::Error::QuotaExceeded { quota, max, .. }) => refusal
                .with_metadata("quota_limit", quota.name())
                .with_metadata("quota_limit_value", max.to_string()),
            _ => refusal,
        }
    }
}

/// The kind of an error of ours.
fn known_kind(error: &(dyn Error + 'static)) -> Option<ErrorKind> {
    fn of<E: Failure>(error: &(dyn Error + 'static)) -> Option<ErrorKind> {
        error.downcast_ref::<E>().map(Failure::kind)
    }
    of::<showreport_meta::Error>(error)
        .or_else(|| of::<showreport_lake::Error>(error))
        .or_else(|| of::<showreport_query::Error>(error))
}

/// Where the kind alone says too little.
fn known_reason(error: &(dyn Error + 'static)) -> Option<(StatusCode, &'static str)> {
    use showreport_meta::{Error as Meta, Quota};
    match error.downcast_ref::<Meta>() {
        Some(Meta::UnknownEvent { .. }) => Some((StatusCode::NOT_FOUND, "EVENT_NOT_FOUND")),
        Some(Meta::UnknownReport { .. } | Meta::UnknownBulkReport { .. }) => {
            Some((StatusCode::NOT_FOUND, "REPORT_NOT_FOUND"))
        }
        Some(Meta::UnknownReportJob { .. }) => Some((StatusCode::NOT_FOUND, "JOB_NOT_FOUND")),
        Some(Meta::ReportJobExists { .. }) => Some((StatusCode::CONFLICT, "JOB_ALREADY_EXISTS")),
        Some(Meta::UnknownToken) => Some((StatusCode::UNAUTHORIZED, "UNKNOWN_TOKEN")),
        Some(Meta::IdempotencyMismatch) => {
            Some((StatusCode::UNPROCESSABLE_ENTITY, "IDEMPOTENCY_KEY_REUSED"))
        }
        Some(Meta::ReportTooLarge { .. }) => Some((StatusCode::BAD_REQUEST, "REPORT_ROW_LIMIT")),
        Some(Meta::ReportsFull { .. }) => {
            Some((StatusCode::SERVICE_UNAVAILABLE, "REPORTS_WAITING"))
        }
        Some(Meta::QuotaExceeded { quota, .. }) => Some(match quota {
            Quota::Events => (StatusCode::TOO_MANY_REQUESTS, "EVENT_QUOTA"),
            Quota::Records => (StatusCode::INSUFFICIENT_STORAGE, "RECORD_QUOTA"),
            _ => (StatusCode::TOO_MANY_REQUESTS, "QUOTA_EXCEEDED"),
        }),
        Some(Meta::JournalFull { .. } | Meta::JournalShareFull { .. }) => {
            Some((StatusCode::SERVICE_UNAVAILABLE, "JOURNAL_FULL"))
        }
        Some(Meta::ClockBehind { .. }) => Some((StatusCode::SERVICE_UNAVAILABLE, "CLOCK_BEHIND")),
        _ => None,
    }
}

impl<E: Failure> From<E> for ApiError {
    fn from(error: E) -> Self {
        let mut refusal = Self::of(error.kind(), &error);
        refusal.0.source = Some(Box::new(error));
        refusal
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let refusal = *self.0;
        let fault = refusal.fault();
        let mut details = vec![json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": refusal.reason,
            "domain": "showreport",
            "metadata": refusal.metadata,
        })];
        if !refusal.violations.is_empty() {
            let violations: Vec<Value> = refusal
                .violations
                .into_iter()
                .map(|it| json!({"field": it.field, "description": it.description}))
                .collect();
            details.push(json!({
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "field_violations": violations,
            }));
        }
        let mut body = Map::new();
        body.insert("code".to_owned(), json!(rpc_code(refusal.status)));
        body.insert("message".to_owned(), Value::String(refusal.message));
        body.insert("details".to_owned(), Value::Array(details));
        body.extend(refusal.beside);
        let body = Value::Object(body);
        let mut response = (refusal.status, refusal.headers, Json(&body)).into_response();
        response.extensions_mut().insert(Refused(body));
        if let Some(fault) = fault {
            response.extensions_mut().insert(fault);
        }
        response
    }
}

impl Refusal {
    /// What the log has to say of it. That there is too much to do, where no error says so, is counted
    /// only.
    fn fault(&self) -> Option<Fault> {
        let is_unavailable = self.status == StatusCode::SERVICE_UNAVAILABLE;
        if !self.status.is_server_error() || (is_unavailable && self.source.is_none()) {
            return None;
        }
        Some(Fault {
            reason: self.reason.clone(),
            is_load: self.is_load,
            lasts: is_unavailable || self.status == StatusCode::INSUFFICIENT_STORAGE,
            error: self.source.as_deref().map(error_chain),
        })
    }
}

/// The google.rpc.Code that goes with a status.
fn rpc_code(status: StatusCode) -> u16 {
    match status {
        StatusCode::UNAUTHORIZED => 16,
        StatusCode::FORBIDDEN => 7,
        StatusCode::NOT_FOUND | StatusCode::GONE => 5,
        StatusCode::CONFLICT => 6,
        StatusCode::METHOD_NOT_ALLOWED => 12,
        StatusCode::REQUEST_TIMEOUT => 4,
        StatusCode::RANGE_NOT_SATISFIABLE => 11,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::INSUFFICIENT_STORAGE => 8,
        StatusCode::SERVICE_UNAVAILABLE => 14,
        status if status.is_server_error() => 13,
        _ => 3,
    }
}

/// The error and everything that caused it, in one line.
pub(crate) fn error_chain(error: &(dyn Error + Send + Sync + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the secret detail")]
    struct Broken(ErrorKind);

    impl Failure for Broken {
        fn kind(&self) -> ErrorKind {
            self.0
        }
    }

    async fn body(error: ApiError) -> (StatusCode, HeaderMap, Value) {
        let response = error.into_response();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        (
            parts.status,
            parts.headers,
            serde_json::from_slice(&bytes).unwrap(),
        )
    }

    #[tokio::test]
    async fn a_fault_of_ours_keeps_its_detail() {
        let (status, _, body) = body(Broken(ErrorKind::Internal).into()).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(body["code"], 13);
        assert!(!body.to_string().contains("secret detail"));
    }

    #[tokio::test]
    async fn a_fault_of_the_caller_is_explained() {
        let (status, _, body) = body(Broken(ErrorKind::Conflict).into()).await;
        assert_eq!(status, StatusCode::CONFLICT);
        assert_eq!(body["message"], "the secret detail");
    }

    #[tokio::test]
    async fn every_wrong_field_is_named() {
        let violations = ["a", "b"]
            .map(|field| Violation {
                field: field.to_owned(),
                description: "is missing".to_owned(),
            })
            .to_vec();
        let (_, _, body) = body(ApiError::violations(violations)).await;
        assert_eq!(body["details"][1]["field_violations"][1]["field"], "b");
        assert_eq!(body["details"][0]["domain"], "showreport");
    }

    #[tokio::test]
    async fn a_401_carries_a_challenge_and_a_503_a_delay() {
        let (_, headers, _) = body(Broken(ErrorKind::Unauthenticated).into()).await;
        assert_eq!(headers[WWW_AUTHENTICATE], r#"Bearer realm="showreport""#);
        let (_, headers, _) = body(Broken(ErrorKind::Busy).into()).await;
        assert!(headers.contains_key(RETRY_AFTER));
    }

    #[tokio::test]
    async fn an_error_that_lost_its_type_is_recognised() {
        #[derive(Debug, thiserror::Error)]
        #[error("make the report")]
        struct Wrapped(#[source] showreport_meta::Error);
        let source: Box<dyn Error + Send + Sync> =
            Box::new(Wrapped(showreport_meta::Error::UnknownToken));
        let (status, _, _) = body(ApiError::from_chain(source)).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
}
