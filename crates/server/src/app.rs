//! The state that handlers share.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use prometheus_client::registry::Registry;
use showreport_jobs::Jobs;
use showreport_lake::Lake;
use showreport_live::Live;
use showreport_meta::Meta;
use showreport_model::{Damage, OrgId, ReportId, Timestamp, TokenId};
use showreport_origins::Origins;
use showreport_query::Query;

use crate::answers::Answers;
use crate::arrivals::Arrivals;
use crate::config::Config;
use crate::error::Reason;
use crate::metrics::Metrics;
use crate::notices::Notices;
use crate::permits::{Bounds, FairPermits, MemoryQuota};
use crate::rates::RateLimits;
use crate::rejected::RejectedRecords;
use crate::sign_ins::SignIns;

/// The state of the server. Clones share it.
#[derive(Clone)]
pub struct App(Arc<Parts>);

struct Parts {
    config: Config,
    meta: Meta,
    lake: Lake,
    live: Live,
    jobs: Jobs,
    answers: Answers,
    origins: Origins,
    started_at: Timestamp,
    rejected: RejectedRecords,
    arrivals: Arrivals,
    metrics: Metrics,
    registry: Registry,
    limits: RateLimits<OrgId>,
    bodies: MemoryQuota,
    keyless_bodies: FairPermits<()>,
    small_bodies: FairPermits<OrgId>,
    large_bodies: MemoryQuota,
    unpacking: FairPermits<OrgId>,
    windows: FairPermits<OrgId>,
    collecting: FairPermits<OrgId>,
    report_requests: FairPermits<OrgId>,
    queries: FairPermits<OrgId>,
    streams: FairPermits<OrgId>,
    downloads: FairPermits<OrgId>,
    downloads_of_link: FairPermits<ReportId>,
    download_limits: RateLimits<OrgId>,
    records_of_org: RateLimits<OrgId>,
    records_of_token: RateLimits<TokenId>,
    fault_lines: RateLimits<Reason>,
    sign_ins: SignIns,
    notices: Notices,
}

/// Bytes of bodies that have their token inside, while it is searched. Their organisations are not
/// known, so they cannot take turns.
const KEYLESS_BODIES: Bounds = Bounds {
    all_max: 8 << 20,
    each_max: 8 << 20,
    wait: Duration::ZERO,
};

/// Bodies of up to 256 KiB that are decompressed and decoded at one time, on threads of their own.
/// Decompression may take a window of 4 MiB each.
const SMALL_BODIES_MAX: usize = 4;

/// Bytes of memory for larger bodies and their records until these are stored: two of the largest
/// kind, one of each organisation.
const LARGE_BODIES: Bounds = Bounds {
    all_max: 192 << 20,
    each_max: 96 << 20,
    wait: BODIES_WAIT,
};

/// Large bodies that are decompressed and decoded at one time, whatever the number of processors.
const UNPACKING_MAX: usize = 8;

/// How long a body waits to be decoded.
const BODIES_WAIT: Duration = Duration::from_secs(5);

/// Windows of up to 16 MiB at one time. With more, bodies that are refused because too much comes
/// out of them would take that much memory each.
const WINDOWS: Bounds = Bounds {
    all_max: 1,
    each_max: 1,
    wait: BODIES_WAIT,
};

/// Requests with records that are decoded and stored, counted by 4 KiB: enough to fill commits.
/// More would only wait longer. The wait is long enough for a burst of requests, and no longer,
/// since it adds to the latency of those that are accepted.
const COLLECTING: Bounds = Bounds {
    all_max: 512,
    each_max: 384,
    wait: Duration::from_millis(100),
};

/// Requests for events and reports at one time. Each may use the one database connection that
/// writes, and commits of records wait for it.
const REPORT_REQUESTS: Bounds = Bounds {
    all_max: 8,
    each_max: 6,
    wait: Duration::from_secs(2),
};

/// Requests that query facts, which may take seconds. They have a limit of their own, so that
/// requests for events and reports do not wait for them.
const QUERIES: Bounds = Bounds {
    all_max: 4,
    each_max: 2,
    wait: Duration::from_secs(5),
};

/// Live streams at one time. Each takes a connection, and asks for figures once a second.
const STREAMS: Bounds = Bounds {
    all_max: 2_000,
    each_max: 1_000,
    wait: Duration::ZERO,
};

/// Downloads at one time. Each takes a few MiB of memory.
const DOWNLOADS: Bounds = Bounds {
    all_max: 64,
    each_max: 16,
    wait: Duration::from_secs(5),
};

/// Downloads of one report at one time. Its link opens without a token, so any number of clients
/// may have it.
const DOWNLOADS_OF_LINK: Bounds = Bounds {
    all_max: usize::MAX,
    each_max: 4,
    wait: DOWNLOADS.wait,
};

/// Lines of the log a minute for one reason of server errors.
const FAULT_LINES_PER_MINUTE: u32 = 6;

impl App {
    /// Registers all metrics and creates the limits.
    pub fn new(
        config: Config,
        meta: Meta,
        lake: Lake,
        query: Query,
        live: Live,
        jobs: Jobs,
        origins: Origins,
    ) -> Self {
        let started_at = meta.clock().now();
        let metrics = Metrics::new();
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        meta.metrics().register(&mut registry);
        lake.metrics().register(&mut registry);
        live.metrics().register(&mut registry);
        jobs.metrics().register(&mut registry);
        let requests = || RateLimits::new("requests_per_minute", config.requests_per_minute);
        let (limits, download_limits) = (requests(), requests());
        let records_of_org = RateLimits::new("records_per_minute", config.records_per_minute);
        let records_of_token =
            RateLimits::new("token_records_per_minute", config.token_records_per_minute);
        let bodies = Bounds {
            all_max: config.bodies_bytes_max,
            each_max: config.bodies_bytes_max / 4 * 3,
            wait: Duration::ZERO,
        };
        // Decoding is bound by the processors; more bodies at once would only take memory.
        let processors = available_parallelism().map_or(2, usize::from);
        let decoding = |each_max: usize, refusal| {
            let each_max = processors.min(each_max);
            // One more than an organisation may have, so that another one need not wait.
            let bounds = Bounds {
                all_max: each_max + 1,
                each_max,
                wait: BODIES_WAIT,
            };
            FairPermits::new(bounds, refusal)
        };
        let queries = FairPermits::new(QUERIES, "too many figures are being queried");
        let (of_meta, of_lake, of_jobs) = (meta.clone(), lake.clone(), jobs.clone());
        let answers = Answers::new(of_meta, of_lake, query, of_jobs, queries.clone());
        Self(Arc::new(Parts {
            config,
            meta,
            lake,
            live,
            jobs,
            answers,
            origins,
            started_at,
            rejected: RejectedRecords::default(),
            arrivals: Arrivals::default(),
            metrics,
            registry,
            limits,
            bodies: MemoryQuota::new(bodies, "too many bodies arrive"),
            keyless_bodies: FairPermits::new(KEYLESS_BODIES, "too many bodies arrive"),
            small_bodies: decoding(SMALL_BODIES_MAX, "too many bodies are read"),
            large_bodies: MemoryQuota::new(LARGE_BODIES, "too many large bodies are stored"),
            unpacking: decoding(UNPACKING_MAX, "too many large bodies are read"),
            windows: FairPermits::new(WINDOWS, "too many bodies are unpacked"),
            collecting: FairPermits::new(COLLECTING, "too many records wait to be stored"),
            report_requests: FairPermits::new(REPORT_REQUESTS, "too many requests are open"),
            queries,
            streams: FairPermits::new(STREAMS, "too many live streams are open"),
            downloads: FairPermits::new(DOWNLOADS, "too many files are downloaded"),
            downloads_of_link: FairPermits::new(
                DOWNLOADS_OF_LINK,
                "the file is downloaded too often",
            ),
            download_limits,
            records_of_org,
            records_of_token,
            fault_lines: RateLimits::new("fault_lines", FAULT_LINES_PER_MINUTE),
            sign_ins: SignIns::new(),
            notices: Notices::default(),
        }))
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    pub(crate) fn meta(&self) -> &Meta {
        &self.0.meta
    }

    pub(crate) fn lake(&self) -> &Lake {
        &self.0.lake
    }

    pub(crate) fn live(&self) -> &Live {
        &self.0.live
    }

    pub(crate) fn jobs(&self) -> &Jobs {
        &self.0.jobs
    }

    /// Figures of events, each worked out once.
    pub(crate) fn answers(&self) -> &Answers {
        &self.0.answers
    }

    pub(crate) fn origins(&self) -> &Origins {
        &self.0.origins
    }

    /// When this process began.
    pub(crate) fn started_at(&self) -> Timestamp {
        self.0.started_at
    }

    /// The newest rejected records.
    pub(crate) fn rejected(&self) -> &RejectedRecords {
        &self.0.rejected
    }

    /// The newest records of players.
    pub(crate) fn arrivals(&self) -> &Arrivals {
        &self.0.arrivals
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// The rate of an organisation's requests.
    pub(crate) fn limits(&self) -> &RateLimits<OrgId> {
        &self.0.limits
    }

    /// Bytes of bodies, and of their records until these are stored.
    pub(crate) fn bodies(&self) -> &MemoryQuota {
        &self.0.bodies
    }

    /// Bytes of bodies that have their token inside, until it is found.
    pub(crate) fn keyless_bodies(&self) -> &FairPermits<()> {
        &self.0.keyless_bodies
    }

    /// Permits to unpack and decode a small body on a thread for blocking work.
    pub(crate) fn small_bodies(&self) -> &FairPermits<OrgId> {
        &self.0.small_bodies
    }

    /// Bytes of large bodies, and of their records until these are stored.
    pub(crate) fn large_bodies(&self) -> &MemoryQuota {
        &self.0.large_bodies
    }

    /// Permits to unpack and decode a large body on a thread for blocking work.
    pub(crate) fn unpacking(&self) -> &FairPermits<OrgId> {
        &self.0.unpacking
    }

    /// Permits to unpack with a large window.
    pub(crate) fn windows(&self) -> &FairPermits<OrgId> {
        &self.0.windows
    }

    /// Permits to have records stored.
    pub(crate) fn collecting(&self) -> &FairPermits<OrgId> {
        &self.0.collecting
    }

    /// Permits of requests for events and reports.
    pub(crate) fn report_requests(&self) -> &FairPermits<OrgId> {
        &self.0.report_requests
    }

    /// Permits of requests that query facts.
    pub(crate) fn queries(&self) -> &FairPermits<OrgId> {
        &self.0.queries
    }

    /// Permits of live streams.
    pub(crate) fn streams(&self) -> &FairPermits<OrgId> {
        &self.0.streams
    }

    /// Permits of downloads, by organisation.
    pub(crate) fn downloads(&self) -> &FairPermits<OrgId> {
        &self.0.downloads
    }

    /// Permits of downloads, by report.
    pub(crate) fn downloads_of_link(&self) -> &FairPermits<ReportId> {
        &self.0.downloads_of_link
    }

    /// The rate of downloads by links to an organisation's files.
    pub(crate) fn download_limits(&self) -> &RateLimits<OrgId> {
        &self.0.download_limits
    }

    /// The rate of an organisation's records.
    pub(crate) fn records_of_org(&self) -> &RateLimits<OrgId> {
        &self.0.records_of_org
    }

    /// The rate of a token's records.
    pub(crate) fn records_of_token(&self) -> &RateLimits<TokenId> {
        &self.0.records_of_token
    }

    /// The rate of log lines of each reason of server errors.
    pub(crate) fn fault_lines(&self) -> &RateLimits<Reason> {
        &self.0.fault_lines
    }

    /// The limits of signing in with a password.
    pub(crate) fn sign_ins(&self) -> &SignIns {
        &self.0.sign_ins
    }

    /// Texts that visitors see once.
    pub(crate) fn notices(&self) -> &Notices {
        &self.0.notices
    }

    /// The files that were found damaged. Every organisation may see the list, so files of reports
    /// are listed without their organisation.
    pub(crate) fn damaged_files(&self) -> Vec<Damage> {
        let found = self.lake().damaged_files().list().into_iter();
        let shown = found.map(|damage| Damage {
            file: without_org(&damage.file),
            ..damage
        });
        shown.collect()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.meta.clock().now()
    }
}

/// The path of a file with `-` for the organisation, which only paths of reports have.
fn without_org(file: &str) -> String {
    let mut parts: Vec<&str> = file.split('/').collect();
    // `store/reports/ORG/…` and `store/.sums/reports/ORG/…`.
    let reports = parts.iter().take(3).position(|&part| part == "reports");
    if let Some(org) = reports.and_then(|at| parts.get_mut(at + 1)) {
        *org = "-";
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_of_a_report_is_shown_without_its_organisation() {
        for (file, shown) in [
            ("store/reports/acme/1/1-main", "store/reports/-/1/1-main"),
            (
                "store/.sums/reports/acme/1/1-main",
                "store/.sums/reports/-/1/1-main",
            ),
            ("store/lake/spans/a.parquet", "store/lake/spans/a.parquet"),
            ("meta.sqlite", "meta.sqlite"),
        ] {
            assert_eq!(without_org(file), shown);
        }
    }
}
