//! A client of the server's own HTTP interface, no other than anybody's.

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

/// How often a request is repeated that the server has no room for just now.
const TRIES_MAX: u32 = 120;
/// How long to wait until then.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Speaks to the server.
#[derive(Debug, Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    base_url: String,
    token: String,
}

/// The answer to collected records.
#[derive(Debug, Deserialize)]
pub(super) struct Receipt {
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

/// A file that was fetched.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fetched {
    pub(super) size_bytes: u64,
    pub(super) sha256: String,
}

impl Client {
    pub(super) fn new(base_url: String, token: String) -> anyhow::Result<Self> {
        // The server is on this machine, whatever proxy the environment names.
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

    /// Sends records.
    pub(super) async fn collect(&self, ndjson: Vec<u8>) -> anyhow::Result<Receipt> {
        let body = Bytes::from(ndjson);
        let answer = self
            .ask(|| {
                self.http
                    .post(self.url("/collect"))
                    .header("content-type", "application/x-ndjson")
                    .body(body.clone())
            })
            .await?;
        answer.json().await.context("read the answer of /collect")
    }

    /// Reads something.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self.ask(|| self.http.get(self.url(path))).await?;
        let json = answer.json().await;
        json.with_context(|| format!("read the answer of {path}"))
    }

    /// Asks for something, under a key if asking twice must not do it twice.
    pub(super) async fn post(
        &self,
        path: &str,
        body: &Value,
        idempotency_key: Option<&str>,
    ) -> anyhow::Result<Value> {
        let answer = self
            .ask(|| {
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

    /// Fetches a file by its link, which needs no token.
    pub(super) async fn fetch(&self, link: &str, path: &Path) -> anyhow::Result<Fetched> {
        // A link opens the file, so an error must not print it.
        let answer = self.http.get(link).send().await;
        let answer = answer.map_err(reqwest::Error::without_url)?;
        let mut bytes = checked(answer).await?.bytes_stream();
        let mut file = tokio::fs::File::create(path)
            .await
            .with_context(|| format!("make {}", path.display()))?;
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
        Ok(Fetched { size_bytes, sha256 })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    /// Asks until the server has room for it.
    async fn ask(&self, request: impl Fn() -> RequestBuilder) -> anyhow::Result<Response> {
        let mut tries = 1;
        loop {
            let answer = request().bearer_auth(&self.token).send().await?;
            let busy = matches!(
                answer.status(),
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
            );
            if !busy || tries >= TRIES_MAX {
                return checked(answer).await;
            }
            tries += 1;
            tokio::time::sleep(TRY_AGAIN_AFTER).await;
        }
    }
}

/// The SHA-256 of a text, in lower-case hexadecimal.
pub(super) fn sha256_of(text: &str) -> String {
    hexadecimal(&Sha256::digest(text.as_bytes()))
}

/// The answer, or what the server says is wrong.
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
    bail!("the server answers {status}: {message}");
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
