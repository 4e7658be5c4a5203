//! Bounds of the doors.

use std::time::Duration;

/// How the doors behave. Every bound is there so that no client can hold or
/// fill more than its share.
#[derive(Debug, Clone)]
pub struct Config {
    /// The address by which others reach the server, such as `https://reports.example.com`.
    /// Download links begin with it; without it they are paths.
    pub public_url: Option<String>,
    /// How long a download link opens, in milliseconds.
    pub link_lifetime_ms: i64,
    /// How long a client may take for the head of a request, and how long a
    /// connection may rest between two, in milliseconds.
    pub header_read_timeout_ms: u64,
    /// How long a client may take for the next part of a body, in milliseconds.
    pub body_timeout_ms: u64,
    /// How long an answer may take to begin, in milliseconds.
    pub request_timeout_ms: u64,
    /// How long a connection may move no byte at all, in milliseconds.
    /// Longer than a request may take, since nothing moves meanwhile.
    pub stall_timeout_ms: u64,
    /// How long open requests may take to end when the server stops, in milliseconds.
    pub drain_timeout_ms: u64,
    /// Requests for reports that an organisation may make in a minute, records not counted.
    pub requests_per_minute: u32,
    /// Connections at one time; further ones wait in the system's queue.
    pub connections_max: usize,
    /// Bytes of bodies in memory at one time, over all requests.
    pub bodies_bytes_max: usize,
}

impl Config {
    /// What every address that we give out begins with, without a slash at the end.
    pub(crate) fn base_url(&self) -> &str {
        let base = self.public_url.as_deref().unwrap_or_default();
        base.trim_end_matches('/')
    }

    pub(crate) fn body_timeout(&self) -> Duration {
        Duration::from_millis(self.body_timeout_ms)
    }

    pub(crate) fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            public_url: None,
            link_lifetime_ms: 3_600_000,
            // Players send every ten seconds, so their connections stay.
            header_read_timeout_ms: 15_000,
            body_timeout_ms: 15_000,
            request_timeout_ms: 60_000,
            stall_timeout_ms: 75_000,
            drain_timeout_ms: 10_000,
            requests_per_minute: 60_000,
            connections_max: 10_000,
            // Eight bodies of the largest kind, or thousands of the usual one.
            bodies_bytes_max: 128 << 20,
        }
    }
}
