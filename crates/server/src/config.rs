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
    /// How long a client may take for the next part of a body, or to read the
    /// next part of an answer, in milliseconds.
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
    /// Records that an organisation may send in a minute.
    pub records_per_minute: u32,
    /// Records that may come with one token in a minute.
    pub token_records_per_minute: u32,
    /// Whether `/metrics` has an address of its own and is no route of this one.
    pub metrics_apart: bool,
    /// Connections at one time; further ones are refused.
    pub connections_max: usize,
    /// Connections of one address at one time, or of one network of IPv6
    /// (/64), so that nobody takes all. A whole office may share an address.
    pub connections_each_max: usize,
    /// Bytes of bodies, and of what was read from them and is not yet durable,
    /// in memory at one time, over all requests.
    pub bodies_bytes_max: usize,
}

/// Files that reports, the database and the lake may need open beside connections.
const OTHER_FILES: usize = 256;

/// Connections to the address of the metrics at one time; they are among the other files.
const METRICS_CONNECTIONS_MAX: usize = 32;

impl Config {
    /// With no more connections than so many open files leave room for: one too many
    /// would take the file that a report or a commit needs.
    #[must_use]
    pub fn within_open_files(mut self, files: usize) -> Self {
        let room = files.saturating_sub(OTHER_FILES).max(OTHER_FILES);
        if room < self.connections_max {
            // The same part of all for one address.
            self.connections_each_max = self.connections_each_max * room / self.connections_max;
            self.connections_max = room;
        }
        self
    }

    /// The same for the address of the metrics, where only a few scrapers connect.
    #[must_use]
    pub fn for_metrics(&self) -> Self {
        Self {
            connections_max: METRICS_CONNECTIONS_MAX,
            connections_each_max: METRICS_CONNECTIONS_MAX,
            ..self.clone()
        }
    }

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
            link_lifetime_ms: showreport_meta::LINK_LIFETIME_MS,
            // Players send every ten seconds, so their connections stay.
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
            // Eight bodies of the largest kind, or thousands of the usual one.
            bodies_bytes_max: 128 << 20,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_rest() {
        let bounds = |files| {
            let config = Config::default().within_open_files(files);
            (config.connections_max, config.connections_each_max)
        };
        assert_eq!(bounds(524_288), (10_000, 4_000));
        assert_eq!(bounds(1024), (768, 307));
        assert_eq!(bounds(64), (256, 102));
    }
}
