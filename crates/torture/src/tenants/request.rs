//! Requests, and what is read out of the responses.

use anyhow::Context;
use serde_json::Value;

use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use showreport_testkit::{Connection, Response, request};

/// The path that orders reports.
pub(super) const REPORTS: &str = "/bv/analytics/v1/events/reports";

/// A request, but for the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) body: String,
    /// Names and values of other headers.
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Request {
    pub(super) fn new(method: &'static str, path: &str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            body: String::new(),
            headers: Vec::new(),
        }
    }

    pub(super) fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub(super) fn post(path: &str, body: String) -> Self {
        Self {
            body,
            ..Self::new("POST", path)
        }
    }

    pub(super) fn with(mut self, header: &'static str, value: &str) -> Self {
        self.headers.push((header, value.to_owned()));
        self
    }
}

/// Sends a request with this token or with none.
pub(super) fn send(
    connection: &mut Connection,
    token: Option<&str>,
    question: &Request,
) -> anyhow::Result<Response> {
    let mut request = request(question.method, &question.path, question.body.clone())?;
    let headers = request.headers_mut();
    if let Some(token) = token {
        headers.insert(AUTHORIZATION, format!("Bearer {token}").parse()?);
    }
    for (name, value) in &question.headers {
        headers.insert(
            HeaderName::from_bytes(name.as_bytes())?,
            HeaderValue::from_str(value)?,
        );
    }
    connection.send_request(request)
}

pub(super) fn text(value: &Value) -> anyhow::Result<&str> {
    value
        .as_str()
        .with_context(|| format!("a text instead of {value}"))
}

pub(super) fn list(value: &Value) -> anyhow::Result<&Vec<Value>> {
    value
        .as_array()
        .with_context(|| format!("a list instead of {value}"))
}
