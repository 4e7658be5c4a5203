//! The application on a temporary directory: opened, called through its router, restarted.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, header};
use serde_json::Value;
use showreport_jobs::Jobs;
use showreport_lake::Lake;
use showreport_live::Live;
use showreport_meta::{Meta, Scopes};
use showreport_model::{Clock, OrgId, Timestamp};
use showreport_origins::Origins;
use showreport_query::Query;
use showreport_server::App;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::Response;
use super::clock::ManualClock;

/// The base of all links.
pub(crate) const PUBLIC_URL: &str = "http://showreport.test";

/// The lease of a report worker.
pub(crate) const LEASE_MS: i64 = 30_000;

/// An organisation and a token of it.
#[derive(Debug, Clone)]
pub(crate) struct Org {
    pub(crate) id: OrgId,
    pub(crate) token: String,
}

/// Showreport on its own temporary directory.
pub(crate) struct TestApp {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) parts: Parts,
    directory: TempDir,
}

/// The state of one process.
pub(crate) struct Parts {
    pub(crate) meta: Meta,
    pub(crate) lake: Lake,
    pub(crate) live: Live,
    pub(crate) jobs: Jobs,
    pub(crate) query: Query,
    router: Router,
    tasks: JoinSet<()>,
    shutdown: CancellationToken,
}

impl TestApp {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory for the test");
        Self::on(directory, ManualClock::new()).await
    }

    /// Showreport on a data directory, which is removed with it.
    pub(crate) async fn on(directory: TempDir, clock: ManualClock) -> Self {
        let clock = Arc::new(clock);
        let parts = Parts::open(directory.path(), clock.clone()).await;
        Self {
            clock,
            parts,
            directory,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Confirms the clock, as an operator does after setting it.
    pub(crate) async fn confirm_clock(&self) {
        let confirmed = self.parts.meta.confirm_clock().await;
        confirmed.expect("confirm the clock");
    }

    /// Another process on the same directory.
    pub(crate) async fn open_beside(&self) -> Parts {
        Parts::open(self.directory.path(), self.clock.clone()).await
    }

    pub(crate) fn data_dir(&self) -> &Path {
        self.directory.path()
    }

    /// Stops the process gracefully and starts another on the same directory.
    pub(crate) async fn restart(&mut self) {
        let next = Parts::open(self.directory.path(), self.clock.clone());
        self.parts.end().await;
        self.parts = next.await;
    }

    /// Aborts the process and starts another on the same directory.
    pub(crate) async fn crash(&mut self) {
        self.parts.tasks.abort_all();
        while self.parts.tasks.join_next().await.is_some() {}
        self.parts = Parts::open(self.directory.path(), self.clock.clone()).await;
    }

    /// A new organisation with a token for everything.
    pub(crate) async fn org(&self, name: &str, zone: &str) -> Org {
        let id = OrgId::new(name).expect("a name");
        let zone = zone.parse().expect("a zone");
        self.parts
            .meta
            .create_org(&id, &zone)
            .await
            .expect("create the organisation");
        let token = self.token(&id, "admin").await;
        Org { id, token }
    }

    /// A new token of an organisation.
    pub(crate) async fn token(&self, org: &OrgId, scopes: &str) -> String {
        let scopes = Scopes::parse(scopes).expect("scopes");
        let (_, secret) = self
            .parts
            .meta
            .create_token(org, scopes, None)
            .await
            .expect("create a token");
        secret.expose().to_owned()
    }

    /// Sends any request, to the host of [`PUBLIC_URL`] unless it names another.
    pub(crate) async fn send(&self, request: Request<Body>) -> Response {
        Response::read(self.begin(request).await).await
    }

    /// The same, without reading the body of the response.
    pub(crate) async fn begin(&self, mut request: Request<Body>) -> axum::http::Response<Body> {
        let host = HeaderValue::from_static("showreport.test");
        request.headers_mut().entry(header::HOST).or_insert(host);
        self.begin_as_it_is(request).await
    }

    /// Sends a request without adding a `Host`.
    pub(crate) async fn send_as_it_is(&self, request: Request<Body>) -> Response {
        Response::read(self.begin_as_it_is(request).await).await
    }

    async fn begin_as_it_is(&self, request: Request<Body>) -> axum::http::Response<Body> {
        let response = self.parts.router.clone().oneshot(request).await;
        response.expect("the router never fails")
    }

    pub(crate) async fn get(&self, org: &Org, path: &str) -> Response {
        self.send(
            request("GET", org, path)
                .body(Body::empty())
                .expect("a request"),
        )
        .await
    }

    pub(crate) async fn delete(&self, org: &Org, path: &str) -> Response {
        self.send(
            request("DELETE", org, path)
                .body(Body::empty())
                .expect("a request"),
        )
        .await
    }

    pub(crate) async fn post(&self, org: &Org, path: &str, body: &Value) -> Response {
        self.post_bytes(org, path, "application/json", body.to_string())
            .await
    }

    pub(crate) async fn post_bytes(
        &self,
        org: &Org,
        path: &str,
        content_type: &str,
        body: impl Into<Body>,
    ) -> Response {
        let request = request("POST", org, path).header(header::CONTENT_TYPE, content_type);
        self.send(request.body(body.into()).expect("a request"))
            .await
    }

    /// Sends records as NDJSON.
    pub(crate) async fn collect(&self, org: &Org, records: &[Value]) -> Response {
        self.post_bytes(org, "/collect", "application/x-ndjson", ndjson(records))
            .await
    }

    /// Sends records that are all accepted.
    #[track_caller]
    pub(crate) fn accept<'a>(
        &'a self,
        org: &'a Org,
        records: &'a [Value],
    ) -> impl Future<Output = ()> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let response = self.collect(org, records).await;
            assert_eq!(response.status, 202, "{} at {caller}", response.text());
            assert_eq!(
                response.json()["accepted"],
                records.len(),
                "{} at {caller}",
                response.text()
            );
        }
    }

    /// Does a round of maintenance.
    pub(crate) async fn maintain(&self, vacuum: bool) {
        let maintained = self.parts.jobs.maintain(vacuum).await;
        maintained.expect("maintenance");
    }

    /// Runs report workers until no job is left.
    pub(crate) async fn work(&self) {
        let shutdown = CancellationToken::new();
        let mut workers = JoinSet::new();
        workers.spawn(self.parts.jobs.clone().run_jobs(shutdown.clone()));
        let idle = async {
            while self.parts.meta.queue_depth().await.expect("count the jobs") > 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        // Much longer than any test needs. A job that fails is only tried again when the test moves
        // the clock.
        tokio::time::timeout(Duration::from_mins(1), idle)
            .await
            .expect("the jobs end");
        shutdown.cancel();
        while let Some(ended) = workers.join_next().await {
            ended.expect("no worker panics");
        }
    }
}

/// One record a line.
pub(crate) fn ndjson(records: &[Value]) -> String {
    let mut lines = String::new();
    for record in records {
        lines += &record.to_string();
        lines.push('\n');
    }
    lines
}

/// A request with the organisation's token.
pub(crate) fn request(method: &str, org: &Org, path: &str) -> axum::http::request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {}", org.token))
}

impl Parts {
    /// Stops gracefully.
    pub(crate) async fn end(&mut self) {
        self.shutdown.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("no task panics");
        }
        self.meta.close().await;
    }

    async fn open(directory: &Path, clock: Arc<dyn Clock>) -> Self {
        let meta = showreport_meta::Config {
            busy_timeout_ms: 10_000,
            reserve_bytes: 64 << 10,
            job_priorities: showreport_jobs::priorities(),
            ..showreport_meta::Config::new(directory.join("meta.sqlite"))
        };
        let meta = Meta::open(&meta, clock).await.expect("open meta");
        let lake = open_lake(directory, &meta).await;
        let spill_dir = directory.join("spill");
        std::fs::create_dir_all(&spill_dir).expect("make the spill directory");
        let query = Query::new(
            &showreport_query::Config {
                memory_bytes_max: 256 << 20,
                spill_dir,
                threads: 2,
            },
            lake.clone(),
            tokio::runtime::Handle::current(),
        )
        .expect("make the query engine");
        let jobs = Jobs::new(
            showreport_jobs::Config {
                report_workers: 2,
                lease_ms: LEASE_MS,
                ..showreport_jobs::Config::default()
            },
            meta.clone(),
            lake.clone(),
            query.clone(),
        );
        let origins = Origins::open(None).expect("no file");
        let live = Live::new(meta.clone(), query.clone());
        let app = App::new(
            server_config(),
            meta.clone(),
            lake.clone(),
            query.clone(),
            live.clone(),
            jobs.clone(),
            origins,
        );
        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(live.clone().run(shutdown.clone()));
        let writer = meta.journal_writer().run(shutdown.clone());
        tasks.spawn(async move {
            writer
                .await
                .expect("the journal's writer ends in good order");
        });
        Self {
            meta,
            lake,
            live,
            jobs,
            query,
            router: showreport_server::router(app),
            tasks,
            shutdown,
        }
    }
}

/// The lake of a data directory.
async fn open_lake(directory: &Path, meta: &Meta) -> Lake {
    let config = showreport_lake::Config {
        root: directory.join("store"),
        lock: directory.join("flush.lock"),
        flush_bytes_max: 64 << 20,
        load_bytes_max: 64 << 20,
        file_bytes_target: 128 << 20,
        // Tests have few and small files; two are enough to merge.
        compact_files_min: 2,
    };
    let lake = Lake::open(&config, meta.clone()).await;
    lake.expect("open the lake")
}

fn server_config() -> showreport_server::Config {
    showreport_server::Config {
        public_url: Some(PUBLIC_URL.to_owned()),
        collect_path: showreport_server::collect_path("/v").ok(),
        // Few enough that a story can make too many.
        requests_per_minute: 6_000,
        records_per_minute: 500_000,
        token_records_per_minute: 250_000,
        ..showreport_server::Config::default()
    }
}
