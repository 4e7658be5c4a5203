//! Settings of the server.

use std::time::Duration;

use crate::network::Network;

/// A second path for everything of `/collect`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectPath(pub(crate) String);

/// Settings of the server. The limits keep a single client from using all connections or memory.
#[derive(Debug, Clone)]
pub struct Config {
    /// The address of the server for clients, such as `https://reports.example.com`. Links begin
    /// with it; without it they are paths.
    pub public_url: Option<String>,
    /// A second path for everything of `/collect`, and for the script below it.
    pub collect_path: Option<CollectPath>,
    /// How long a link opens.
    pub link_lifetime_ms: i64,
    /// How long a client may take for the head of a request, and how long a connection may be idle
    /// between two requests.
    pub header_read_timeout_ms: u64,
    /// How long a client may take to send the next part of a body, or to read the next part of a
    /// response.
    pub body_timeout_ms: u64,
    /// How long a handler may take until its response begins.
    pub request_timeout_ms: u64,
    /// How long a connection may be without traffic in both directions. It must be longer than
    /// `request_timeout_ms`, since there is none while a handler runs.
    pub stall_timeout_ms: u64,
    /// How long open requests may take to finish when the server stops.
    pub drain_timeout_ms: u64,
    /// Requests of an organisation in a minute, without those to `/collect`.
    pub requests_per_minute: u32,
    /// Records of an organisation in a minute.
    pub records_per_minute: u32,
    /// Records of a token in a minute.
    pub token_records_per_minute: u32,
    /// Whether `/metrics` is served at another address, and is no route of this one.
    pub metrics_apart: bool,
    /// Open connections; further ones are refused.
    pub connections_max: usize,
    /// Open connections of one IPv4 address or IPv6 network (/64). A whole office may share one.
    pub connections_each_max: usize,
    /// Proxies whose word on the address of a client counts.
    pub trusted_proxies: Vec<Network>,
    /// Memory for bodies of all requests, and for records from them that are not durable yet.
    pub bodies_bytes_max: usize,
}

/// Open files of reports, the database and the lake, in addition to the connections.
const OTHER_FILES: usize = 256;

/// Open connections to the address of `/metrics`; they count among [`OTHER_FILES`].
const METRICS_CONNECTIONS_MAX: usize = 32;

impl Config {
    /// Lowers the limits of connections to what a limit of open files allows. Otherwise connections
    /// could use up the file descriptors that reports and commits need.
    #[must_use]
    pub fn within_open_files(mut self, files: usize) -> Self {
        let room = files.saturating_sub(OTHER_FILES).max(OTHER_FILES);
        if room < self.connections_max {
            // Keep the ratio of the two limits.
            self.connections_each_max = self.connections_each_max * room / self.connections_max;
            self.connections_max = room;
        }
        self
    }

    /// The settings for the address of `/metrics`, to which only a few scrapers connect.
    #[must_use]
    pub fn for_metrics(&self) -> Self {
        Self {
            connections_max: METRICS_CONNECTIONS_MAX,
            connections_each_max: METRICS_CONNECTIONS_MAX,
            ..self.clone()
        }
    }

    /// The prefix of all links, without a slash at the end.
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
            collect_path: None,
            link_lifetime_ms: showreport_meta::LINK_LIFETIME_MS,
            // Longer than the ten seconds between two requests of a player, so that it can reuse
            // its connection.
            header_read_timeout_ms: 15_000,
            body_timeout_ms: 15_000,
            request_timeout_ms: 60_000,
            stall_timeout_ms: 75_000,
            drain_timeout_ms: 10_000,
            requests_per_minute: 60_000,
            // A million viewers send 100,000 records a second.
            records_per_minute: 6_000_000,
            token_records_per_minute: 3_000_000,
            metrics_apart: false,
            connections_max: 10_000,
            connections_each_max: 4_000,
            trusted_proxies: Vec::new(),
            // Eight bodies of the largest kind, or thousands of the usual one.
            bodies_bytes_max: 128 << 20,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_file_descriptors_for_the_rest() {
        let bounds = |files| {
            let config = Config::default().within_open_files(files);
            (config.connections_max, config.connections_each_max)
        };
        assert_eq!(bounds(524_288), (10_000, 4_000));
        assert_eq!(bounds(1024), (768, 307));
        assert_eq!(bounds(64), (256, 102));
    }
}
