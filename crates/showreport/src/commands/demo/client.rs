//! The HTTP client of the demo. It uses the public API only.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use futures::StreamExt;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

/// Attempts of a request that the server answers with 429 or 503.
const ATTEMPTS_MAX: u32 = 120;
/// Pause between two attempts.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Sends requests with the token of the demo.
#[derive(Debug, Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    base_url: String,
    token: String,
}

/// The response of `/collect`.
#[derive(Debug, Deserialize)]
pub(super) struct CollectResponse {
    pub(super) accepted: u64,
    #[serde(default)]
    pub(super) rejected: Vec<Rejected>,
}

/// A record that was not accepted.
#[derive(Debug, Deserialize)]
pub(super) struct Rejected {
    pub(super) reason: String,
    pub(super) message: String,
}

/// A downloaded file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Download {
    pub(super) size_bytes: u64,
    pub(super) sha256: String,
}

impl Client {
    pub(super) fn new(base_url: String, token: String) -> anyhow::Result<Self> {
        // The server runs on this machine, so a proxy from the environment must not be used.
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .context("set up the HTTP client")?;
        Ok(Self {
            http,
            base_url,
            token,
        })
    }

    pub(super) async fn collect(&self, ndjson: Vec<u8>) -> anyhow::Result<CollectResponse> {
        let body = Bytes::from(ndjson);
        let answer = self
            .send(|| {
                self.http
                    .post(self.url("/collect"))
                    .header("content-type", "application/x-ndjson")
                    .body(body.clone())
            })
            .await?;
        answer.json().await.context("read the answer of /collect")
    }

    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self.send(|| self.http.get(self.url(path))).await?;
        let json = answer.json().await;
        json.with_context(|| format!("read the answer of {path}"))
    }

    /// Posts JSON. With an idempotency key a repeated request does not create anything twice.
    pub(super) async fn post(
        &self,
        path: &str,
        body: &Value,
        idempotency_key: Option<&str>,
    ) -> anyhow::Result<Value> {
        let answer = self
            .send(|| {
                let request = self.http.post(self.url(path)).json(body);
                match idempotency_key {
                    Some(key) => request.header("idempotency-key", key),
                    None => request,
                }
            })
            .await?;
        let json = answer.json().await;
        json.with_context(|| format!("read the answer of {path}"))
    }

    /// Downloads a file by its link, which is signed and needs no token.
    pub(super) async fn download(&self, link: &str, path: &Path) -> anyhow::Result<Download> {
        // The link gives access to the file, so it must not be printed in an error.
        let answer = self.http.get(link).send().await;
        let answer = answer.map_err(reqwest::Error::without_url)?;
        let mut bytes = checked(answer).await?.bytes_stream();
        let mut file = tokio::fs::File::create(path)
            .await
            .with_context(|| format!("create {}", path.display()))?;
        let mut digest = Sha256::new();
        let mut size_bytes = 0;
        while let Some(part) = bytes.next().await {
            let part = part.map_err(reqwest::Error::without_url)?;
            digest.update(&part);
            size_bytes += part.len() as u64;
            file.write_all(&part).await?;
        }
        file.flush().await?;
        let sha256 = hexadecimal(&digest.finalize());
        Ok(Download { size_bytes, sha256 })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    /// Sends a request, and repeats it while the server answers 429 or 503.
    async fn send(&self, request: impl Fn() -> RequestBuilder) -> anyhow::Result<Response> {
        let mut attempts = 1;
        loop {
            let answer = request().bearer_auth(&self.token).send().await?;
            let is_overloaded = matches!(
                answer.status(),
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
            );
            if !is_overloaded || attempts >= ATTEMPTS_MAX {
                return checked(answer).await;
            }
            attempts += 1;
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }
}

/// The SHA-256 of a text in lower-case hexadecimal.
pub(super) fn sha256_of(text: &str) -> String {
    hexadecimal(&Sha256::digest(text.as_bytes()))
}

/// The response if it is a success, else an error with the message of the server.
async fn checked(answer: Response) -> anyhow::Result<Response> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let text = answer.text().await.unwrap_or_default();
    let message = serde_json::from_str::<Value>(&text)
        .ok()
        .and_then(|body| body.get("message")?.as_str().map(str::to_owned))
        .unwrap_or(text);
    bail!("the server answered {status}: {message}");
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_written_in_lower_case_hexadecimal() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256_of(""), empty);
    }
}
