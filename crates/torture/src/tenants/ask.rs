//! Questions over HTTP, and what is read out of the answers.

use anyhow::Context;
use serde_json::Value;

use showreport_testkit::{Answer, Connection};

/// The path of creating reports.
pub(super) const REPORTS: &str = "/bv/analytics/v1/events/reports";

/// A request, but for who makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) body: String,
    /// More headers, each line with its end.
    pub(super) headers: String,
}

impl Ask {
    pub(super) fn new(method: &'static str, path: &str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            body: String::new(),
            headers: String::new(),
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

    pub(super) fn with(mut self, header: &str, value: &str) -> Self {
        self.headers = format!("{}{header}: {value}\r\n", self.headers);
        self
    }
}

/// Sends a request as whoever holds the token.
pub(super) fn send(
    connection: &mut Connection,
    token: Option<&str>,
    ask: &Ask,
) -> anyhow::Result<Answer> {
    let kind = if ask.path.starts_with("/collect") {
        "application/x-ndjson"
    } else {
        "application/json"
    };
    let who = token.map_or_else(String::new, |token| {
        format!("Authorization: Bearer {token}\r\n")
    });
    let head = format!(
        "{} {} HTTP/1.1\r\nHost: torture\r\n{who}{}Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        ask.method,
        ask.path,
        ask.headers,
        ask.body.len()
    );
    connection.send(head.as_bytes(), ask.body.as_bytes())
}

/// The path of an address of ours.
pub(super) fn path_of(address: &Value) -> anyhow::Result<String> {
    let rest = text(address)?.split_once("://");
    let place = rest.and_then(|(_, rest)| rest.find('/').map(|place| &rest[place..]));
    Ok(place.context("an absolute address")?.to_owned())
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
