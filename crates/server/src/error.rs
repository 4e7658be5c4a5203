//! [`ApiError`]: a refusal, as a status and a google.rpc.Status in JSON.
//!
//! A mistake of the client is explained. A defect of the server shows a fixed sentence, and its
//! cause goes to the log alone ([`Fault`]). A damaged file is named in both.

mod reason;
mod sources;

use std::error::Error;

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use showreport_model::ErrorChain;

pub(crate) use reason::Reason;
use reason::rpc_code;

/// A refusal of a request.
#[derive(Debug)]
pub(crate) struct ApiError(Box<Refusal>);

#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    reason: Reason,
    message: String,
    metadata: Map<String, Value>,
    violations: Vec<Violation>,
    /// Fields of the body beside `code`, `message` and `details`.
    beside: Map<String, Value>,
    headers: HeaderMap,
    /// For the log.
    source: Option<Box<dyn Error + Send + Sync>>,
    is_load: bool,
}

/// The body of an error response, in its extensions: the `YouTube` paths have another format.
#[derive(Debug, Clone)]
pub(crate) struct ErrorBody(pub(crate) Value);

/// What is logged of a refusal that is not the client's mistake, in the extensions of its response.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) reason: Reason,
    /// Whether a limit refused the request, as it should.
    pub(crate) is_load: bool,
    /// Whether it affects every request until it is over, such as a full disk.
    pub(crate) lasts: bool,
    /// The error and its causes.
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

const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// The parameter matters: Google's client for Python fails without one.
const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Bearer realm="showreport""#);

/// The message of a defect of the server.
const OUR_FAULT: &str =
    "something went wrong on our side; quote the x-request-id of this answer to the operator";

impl ApiError {
    /// The message says what is wrong and what would be right.
    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self::with_status(reason, reason.status(), message)
    }

    fn with_status(reason: Reason, status: StatusCode, message: impl Into<String>) -> Self {
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
            reason,
            message: message.into(),
            metadata: Map::new(),
            violations: Vec::new(),
            beside: Map::new(),
            headers,
            source: None,
            is_load: false,
        }))
    }

    /// Why the request is refused.
    pub(crate) fn reason(&self) -> Reason {
        self.0.reason
    }

    /// The status of the response.
    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }

    /// What is wrong and what would be right.
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    /// The fields that are wrong.
    pub(crate) fn wrong_fields(&self) -> &[Violation] {
        &self.0.violations
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
        Self::new(Reason::InvalidField, message).with_violations(violations)
    }

    /// A request with one wrong field.
    pub(crate) fn violation(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::violations(vec![Violation {
            field: field.into(),
            description: description.into(),
        }])
    }

    /// A defect of the server; the source goes to the log.
    pub(crate) fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Reason::Internal, OUR_FAULT).caused_by(source)
    }

    /// The database does not respond.
    pub(crate) fn not_ready(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let message = "the metadata database does not answer";
        Self::new(Reason::NotReady, message).caused_by(source)
    }

    /// The disk is full, for checks of readiness: they expect 503.
    pub(crate) fn no_room(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::with_status(
            Reason::StorageFull,
            StatusCode::SERVICE_UNAVAILABLE,
            "there is no room left on the disk; nothing is stored until there is",
        )
        .caused_by(source)
    }

    /// The refusal for a bare status of the framework.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        let (reason, message) = match status {
            StatusCode::METHOD_NOT_ALLOWED => (
                Reason::MethodNotAllowed,
                "this path does not take the method; the allow header names those it takes",
            ),
            StatusCode::SERVICE_UNAVAILABLE => (
                Reason::TimedOut,
                "the answer took too long; the same request may succeed later",
            ),
            StatusCode::NOT_FOUND => (
                Reason::RouteNotFound,
                "there is nothing here; /openapi.json lists every path",
            ),
            status if status.is_server_error() => (Reason::Internal, OUR_FAULT),
            _ => (
                Reason::InvalidRequest,
                "the request cannot be read; /openapi.json describes every path",
            ),
        };
        Self::with_status(reason, status, message)
    }

    /// Adds the error for the log.
    #[must_use]
    fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Keeps the cause out of the log, where it is logged once for all requests.
    #[must_use]
    pub(crate) fn logged(mut self) -> Self {
        self.0.source = None;
        self
    }

    /// Adds an entry to `metadata`.
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

    #[must_use]
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    #[cfg(test)]
    pub(crate) fn violated_fields(&self) -> Vec<String> {
        let fields = self.0.violations.iter();
        fields.map(|violation| violation.field.clone()).collect()
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
        response.extensions_mut().insert(ErrorBody(body));
        if let Some(fault) = fault {
            response.extensions_mut().insert(fault);
        }
        response
    }
}

impl Refusal {
    /// A 503 without a source is a limit that was reached; the metrics count it, and it is not
    /// logged.
    fn fault(&self) -> Option<Fault> {
        let is_unavailable = self.status == StatusCode::SERVICE_UNAVAILABLE;
        if !self.status.is_server_error() || (is_unavailable && self.source.is_none()) {
            return None;
        }
        Some(Fault {
            reason: self.reason,
            is_load: self.is_load,
            lasts: is_unavailable || self.status == StatusCode::INSUFFICIENT_STORAGE,
            error: self
                .source
                .as_deref()
                .map(|error| ErrorChain(error).to_string()),
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use showreport_model::{ErrorKind, Failure};

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

    async fn refuse(kind: ErrorKind) -> (StatusCode, HeaderMap, Value) {
        body(sources::of_kind(&Broken(kind))).await
    }

    #[tokio::test]
    async fn a_fault_of_ours_keeps_its_detail() {
        let (status, _, body) = refuse(ErrorKind::Internal).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(body["code"], 13);
        assert!(!body.to_string().contains("secret detail"));
    }

    #[tokio::test]
    async fn a_fault_of_the_caller_is_explained() {
        let (status, _, body) = refuse(ErrorKind::Conflict).await;
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
        let (_, headers, _) = refuse(ErrorKind::Unauthenticated).await;
        assert_eq!(headers[WWW_AUTHENTICATE], r#"Bearer realm="showreport""#);
        let (_, headers, _) = refuse(ErrorKind::Busy).await;
        assert!(headers.contains_key(RETRY_AFTER));
    }

    #[tokio::test]
    async fn an_error_of_background_work_is_refused_as_its_cause() {
        let error = showreport_jobs::Error::Meta {
            doing: "read the token",
            source: Box::new(showreport_meta::Error::UnknownToken),
        };
        let (status, _, body) = body(error.into()).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert_eq!(body["details"][0]["reason"], "UNKNOWN_TOKEN");
    }
}
